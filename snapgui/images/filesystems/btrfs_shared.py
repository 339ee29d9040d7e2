"""Which leaves of two trees, one from each of two views, are not the same leaf: all others need not be read.

A node is never written a second time within one history, and one that is the same in both views has all below it in
common. After a revert, however, the same transactions are counted again, and write other nodes to the same places:
even a node above them may have the same bytes twice. So every node above the leaves is looked at (they are one in some
hundreds), and a leaf is the same where it lies in the same places, and these did not change.
"""

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.btrfs_chunks import FARTHEST
from snapgui.images.filesystems.btrfs_node import POINTER, Key
from snapgui.images.filesystems.btrfs_tree import BEHIND, Pointer, node_at
from snapgui.images.filesystems.btrfs_view import View
from snapgui.images.filesystems.filesystem import FilesystemError, Numbers
from snapgui.images.filesystems.ranges import Ranges

MOST_LEAVES = 400_000
"""Of one tree, that are not the same: 6 GiB of nodes, mostly, with 300 bytes of notes to each."""
Table = NDArray[np.void]
"""Rows of the type ``POINTER``, in the order of their keys."""


class Shared:
    """What two views of a filesystem have in common; ``changed`` are the places of the disk that may differ."""

    def __init__(self, view: View, older: View, changed: Ranges) -> None:
        self.view, self.older, self._changed = view, older, changed
        self._known: dict[tuple[int, int], bool] = {}

    def apart(self, before: Pointer, after: Pointer) -> tuple[Table, Table]:
        """Return the leaves below one node in the older view, and below one in the newer, that are not in both."""
        old, new = top(self.older, before), top(self.view, after)
        levels = [before.level, after.level]
        while True:
            if levels[0] == levels[1]:
                old, new = self._without_common(old, new, levels[0])
            deepest = max(levels)
            if deepest == 0:
                return old, new
            if levels[0] == deepest:
                old, levels[0] = below(self.older, old, deepest), deepest - 1
            if levels[1] == deepest:
                new, levels[1] = below(self.view, new, deepest), deepest - 1

    def _without_common(self, old: Table, new: Table, level: int) -> tuple[Table, Table]:
        _, at_old, at_new = np.intersect1d(old["place"], new["place"], return_indices=True)
        alike = old["generation"][at_old] == new["generation"][at_new]
        at_old, at_new = at_old[alike], at_new[alike]
        same = self._same(new[at_new], level)
        return np.delete(old, at_old[same]), np.delete(new, at_new[same])

    def _same(self, pointers: Table, level: int) -> NDArray[np.bool_]:
        """Return which of the nodes that both views have are the same, with all below them."""
        found = self._still(pointers) if level == 0 else np.zeros(len(pointers), dtype=bool)
        for index in np.flatnonzero(~found).tolist():
            place, generation = int(pointers["place"][index]), int(pointers["generation"][index])
            key = (place, generation)
            if key not in self._known:
                self._known[key] = self._same_node(Pointer(place, generation, level), pointers[index : index + 1])
            found[index] = self._known[key]
        return found

    def _same_node(self, pointer: Pointer, row: Table) -> bool:
        try:
            node = node_at(self.view.nodes, pointer)
            if not self._still(row)[0] and node.raw != node_at(self.older.nodes, pointer).raw:
                return False
        except FilesystemError:
            return False
        return pointer.level == 0 or bool(self._same(node.pointers, pointer.level - 1).all())

    def _still(self, pointers: Table) -> NDArray[np.bool_]:
        """Return which nodes lie in the same places in both views, and all of these are as they were."""
        logical: Numbers = np.minimum(pointers["place"], np.uint64(FARTHEST)).astype(np.int64)
        lengths = np.full(len(logical), self.view.head.node_bytes)
        now, then = (each.chunks.all_copies(logical, lengths) for each in (self.view, self.older))
        found: NDArray[np.bool_] = (now == then).all(axis=1) & (now[:, 0] >= 0)
        for places in now.T:
            found &= (places < 0) | ~self._changed.touched(places, places + lengths)
        return found


def top(view: View, root: Pointer) -> Table:
    """Return a table with the uppermost node of a tree; an empty one where there is nothing in it."""
    node = node_at(view.nodes, root)
    row = [(*node.rows[0][:3], root.place, root.generation)] if node.rows else []
    return np.array(row, dtype=POINTER)


def below(view: View, table: Table, level: int) -> Table:
    """Return what the nodes of one level lead to."""
    found, count = [np.empty(0, POINTER)], 0
    for pointer in pointers(table, level):
        found.append(node_at(view.nodes, pointer).pointers)
        count += len(found[-1])
        if count > MOST_LEAVES:
            raise FilesystemError("more of its trees differs than is compared here")
    return np.concatenate(found)


def keys(table: Table) -> list[Key]:
    """Return the keys with which nodes begin."""
    return list(zip(table["object"].tolist(), table["kind"].tolist(), table["offset"].tolist(), strict=True))


def pointers(table: Table, level: int) -> list[Pointer]:
    """Return the rows of a table one by one."""
    lows = keys(table)
    places, generations = table["place"].tolist(), table["generation"].tolist()
    return [Pointer(*each, level, *span) for each, span in zip(
        zip(places, generations, strict=True), zip(lows, [*lows[1:], BEHIND], strict=False), strict=True
    )]  # fmt: skip
