"""The rows of the tree as one flat list, the largest first: what the outline shows when it is sorted by size."""

from collections.abc import Callable, Iterable

from snapgui.ui.tree_node import Node


class SizeOrder:
    """Knows who stands in which row; nothing at all while the tree is shown as a tree."""

    def __init__(self) -> None:
        self.rows: list[Node] = []
        self._places: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self.rows)

    def row(self, node: Node) -> int:
        """Return the row of a node."""
        return self._places[node.number]

    def sort(self, nodes: Iterable[Node], own: Callable[[Node], int | None]) -> None:
        """Put all nodes into rows: what has no size comes last, snapshots before the current state and relatives."""
        self.rows = sorted(nodes, key=lambda node: (*_rank(own(node)), *_kind(node)))
        self._places = {node.number: row for row, node in enumerate(self.rows)}

    def clear(self) -> None:
        """Show the tree as a tree."""
        self.rows, self._places = [], {}


def _rank(size: int | None) -> tuple[bool, int]:
    return size is None, 0 if size is None else -size


def _kind(node: Node) -> tuple[int, float, str]:
    if node.snapshot is not None:
        return 0, node.snapshot.created.timestamp(), node.snapshot.name
    return (1, 0.0, "") if node.relative is None else (2, 0.0, node.relative.title)
