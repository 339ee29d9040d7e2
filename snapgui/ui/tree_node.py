"""One row of a VM's snapshot tree."""

from snapgui.model.records import Snapshot
from snapgui.ui.relatives import Relative


class Node:
    """One row: a snapshot, a relative, or (both None) the current state. The invisible root is its own parent."""

    __slots__ = ("children", "number", "parent", "relative", "row", "snapshot")

    def __init__(self, number: int, snapshot: Snapshot | None, relative: Relative | None = None) -> None:
        self.number = number
        self.snapshot = snapshot
        self.relative = relative
        self.parent: Node = self
        self.children: list[Node] = []
        self.row = 0

    @property
    def is_here(self) -> bool:
        """Whether this is "You are here"."""
        return self.snapshot is None and self.relative is None
