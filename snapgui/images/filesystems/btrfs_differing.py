"""Which files of a btrfs filesystem may differ between two views: those with items that are not the same in both."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from snapgui.images.filesystems.btrfs_in_place import rewritten
from snapgui.images.filesystems.btrfs_items import (
    ATTRIBUTE,
    DIRECTORY_INDEX,
    EXTENT,
    FIRST_FREE,
    INODE,
    substance,
)
from snapgui.images.filesystems.btrfs_node import Key
from snapgui.images.filesystems.btrfs_shared import Shared, Table, keys, pointers
from snapgui.images.filesystems.btrfs_subvolumes import FILE_BITS, Subvolume
from snapgui.images.filesystems.btrfs_tree import BEHIND, FIRST, node_at
from snapgui.images.filesystems.btrfs_view import View
from snapgui.images.filesystems.filesystem import Numbers
from snapgui.images.filesystems.ranges import Ranges

LEAVES_AT_ONCE = 128
"""Of both trees, whose items are held and compared: some 2 MiB of nodes, ten times as much when taken apart."""
_TELLING = frozenset({INODE, ATTRIBUTE, DIRECTORY_INDEX, EXTENT})
"""Kinds of items that tell of a file itself; a new name is told by its directory."""
Told = tuple[int, int, int, bytes]


def differing(view: View, older: View, changed: Ranges) -> Numbers:
    """Return the numbers of all nodes that may not be the same in an older view of the same filesystem."""
    shared = Shared(view, older, changed)
    then, now = dict(older.subvolumes.all()), dict(view.subvolumes.all())
    stands = set(view.subvolumes.names()) ^ set(older.subvolumes.names())
    found = {_joined(above, name.directory) for above, name, _ in stands}
    for number in then.keys() | now.keys():
        found |= {_joined(number, each) for each in _within(then.get(number), now.get(number), shared)}
    found |= {_joined(number, each) for each in rewritten(view, older, changed) for number in now}
    return np.array(sorted(found), dtype=np.int64)


def _within(before: Subvolume | None, after: Subvolume | None, shared: Shared) -> set[int]:
    """Return the files of one subvolume that may differ; of one that only one view has, its uppermost directory."""
    if before is None or after is None:
        return {each.directory for each in (before, after) if each is not None}
    old, new = shared.apart(before.root, after.root)
    found = {before.directory, after.directory} if before.directory != after.directory else set()
    before_keys, after_keys = keys(old), keys(new)
    edges = [FIRST, *sorted({*before_keys, *after_keys})[LEAVES_AT_ONCE::LEAVES_AT_ONCE], BEHIND]
    for low, high in pairwise(edges):
        then = set(_items(shared.older, old, before_keys, low, high))
        now = set(_items(shared.view, new, after_keys, low, high))
        found |= {told[0] for told in then ^ now if FIRST_FREE <= told[0] < 1 << FILE_BITS}
    return found


def _items(view: View, table: Table, firsts: list[Key], low: Key, high: Key) -> Iterator[Told]:
    """Yield what is told of files between two keys, by some leaves that begin with the keys ``firsts``."""
    begin, behind = max(0, bisect_right(firsts, low) - 1), bisect_left(firsts, high)
    for pointer in pointers(table[begin:behind], 0):
        node = node_at(view.nodes, pointer)
        for row in node.rows[bisect_left(node.rows, low) : bisect_left(node.rows, high)]:
            if row[1] in _TELLING:
                yield *row[:3], substance(row[1], node.content(row))


def _joined(subvolume: int, number: int) -> int:
    return subvolume << FILE_BITS | number & (1 << FILE_BITS) - 1
