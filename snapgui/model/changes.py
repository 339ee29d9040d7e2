"""The difference between two states of a snapshot tree, as steps that a view can apply one after another."""

from dataclasses import dataclass

from snapgui.model.tree import SnapshotTree


@dataclass(frozen=True, slots=True)
class Changes:
    """What has to happen to turn the old tree into the new one.

    ``removed``: children before parents. ``added``: parents before children. ``moved``: still there, below another
    parent. ``edited``: same place, other facts. ``current`` is true when the current mark moved.
    """

    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    current: bool = False

    def __bool__(self) -> bool:
        return bool(self.removed or self.added or self.moved or self.edited or self.current)


def diff(old: SnapshotTree, new: SnapshotTree) -> Changes:
    """Return what changed; a name that was deleted and taken again counts as removed and added."""
    kept = {name for name in new.snapshots if name in old and old[name].key == new[name].key}
    gone = [name for name in old.snapshots if name not in kept]
    fresh = {name for name in new.snapshots if name not in kept}
    added = tuple(name for root in new.roots for name in (root, *new.descendants(root)) if name in fresh)
    moved = tuple(
        name
        for name in new.snapshots
        if name in kept and (old.parent(name) != new.parent(name) or new.parent(name) in fresh)
    )
    edited = tuple(name for name in new.snapshots if name in kept and old[name] != new[name])
    return Changes(old.leaves_first(gone), added, moved, edited, old.current != new.current)
