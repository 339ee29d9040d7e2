"""Content of a btrfs filesystem that was written where it lay before, so that no tree tells of it.

That is how files without copy on write are changed, and what new history does after a revert. Extents are found in the
extent tree, by the places that changed; the same tree tells which files they belong to.

Format: "On-disk Format" of btrfs.readthedocs.io, and the kernel's include/uapi/linux/btrfs_tree.h
(btrfs_extent_item, btrfs_extent_inline_ref).
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from snapgui.images.filesystems.btrfs_items import EXTENT, FIRST_FREE, piece
from snapgui.images.filesystems.btrfs_shared import Table, below, pointers, top
from snapgui.images.filesystems.btrfs_subvolumes import UPPERMOST
from snapgui.images.filesystems.btrfs_tree import Tree, node_at
from snapgui.images.filesystems.btrfs_view import View
from snapgui.images.filesystems.filesystem import FilesystemError, Numbers
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.filesystems.unlike import unlike

EXTENT_TREE = 2
EXTENT_ITEM, METADATA_ITEM = 168, 169
TREE_REF, OWNER_REF, DATA_REF, SHARED_TREE_REF, SHARED_DATA_REF = 176, 172, 178, 182, 184
_OF_DATA = 1
_ITEM = struct.Struct("<QQQ")
"""Number of references, generation, flags."""
_DATA_REF = struct.Struct("<QQQI")
_REF_BYTES = {TREE_REF: 8, OWNER_REF: 8, DATA_REF: _DATA_REF.size, SHARED_TREE_REF: 8, SHARED_DATA_REF: 12}
_SPECIAL = 2**64 - 256
"""Subvolumes from here on are trees of the filesystem's own."""
_LARGEST = 2**60


class Extent(NamedTuple):
    """Some data on the disk: logical place and length."""

    place: int
    length: int


def rewritten(view: View, older: View, changed: Ranges) -> set[int]:
    """Return the numbers, within any subvolume, of files whose content may differ while their items are the same.

    Raises FilesystemError where the extent tree is damaged.
    """
    doubtful = Ranges([*view.chunks.behind(changed), *view.chunks.moved(older.chunks)])
    if not doubtful:
        return set()
    tree = view.subvolumes.tree(EXTENT_TREE)
    if tree is None:
        raise FilesystemError("the tree of extents is missing")
    found = [each for each in _extents(view, tree, doubtful, older.head.generation) if each.length]
    return {number for extent in _unlike(view, older, found, changed) for number in _owners(view, tree, extent)}


def _unlike(view: View, older: View, extents: list[Extent], changed: Ranges) -> Iterator[Extent]:
    """Yield the extents that lie elsewhere in the older view, or whose bytes differ."""
    table = np.array(extents, dtype=np.int64).reshape(-1, 2)
    places, before = (each.chunks.all_copies(table[:, 0], table[:, 1])[:, 0] for each in (view, older))
    moved = places != before
    differs = moved | ((places >= 0) & unlike(older.disk, view.disk, places, places + table[:, 1], changed))
    return (extents[index] for index in np.flatnonzero(differs).tolist())


def _extents(view: View, tree: Tree, doubtful: Ranges, newest: int) -> list[Extent]:
    """Return the extents of data that touch some logical places, and were there at a generation."""
    found = [
        Extent(row[0], row[2])
        for pointer in pointers(_leaves(view, tree, doubtful), 0)
        for node in [node_at(view.nodes, pointer)]
        for row in node.rows
        if row[1] == EXTENT_ITEM and row[0] + row[2] <= _LARGEST and _was_data(node.content(row), newest)
    ]
    table = np.array(found, dtype=np.int64).reshape(-1, 2)
    chosen = doubtful.touched(table[:, 0], table.sum(axis=1))
    return [found[index] for index in np.flatnonzero(chosen).tolist()]


def _was_data(item: bytes, newest: int) -> bool:
    if len(item) < _ITEM.size:
        raise _damaged()
    _, generation, flags = _ITEM.unpack_from(item)
    return bool(flags & _OF_DATA) and generation <= newest


def _leaves(view: View, tree: Tree, doubtful: Ranges) -> Table:
    """Return the leaves with items of extents that touch some places, be it from the leaf before."""
    leaves = top(view, tree.root)
    for level in range(tree.root.level, 0, -1):
        leaves = below(view, leaves, level)
    if len(leaves) == 0:
        return leaves
    begins: Numbers = np.minimum(leaves["object"], np.uint64(_LARGEST)).astype(np.int64)
    whole = (leaves["kind"] == EXTENT_ITEM) | (leaves["kind"] == METADATA_ITEM)
    anchors = np.maximum.accumulate(np.where(whole, np.arange(len(leaves)), 0))
    first = anchors[np.maximum(np.searchsorted(begins, doubtful.starts, "right") - 1, 0)]
    behind = np.searchsorted(begins, doubtful.ends, "left")
    edges = np.zeros(len(leaves) + 1, dtype=np.int64)
    np.add.at(edges, first, 1)
    np.add.at(edges, np.maximum(behind, first), -1)
    return leaves[np.cumsum(edges[:-1]) > 0]


def _owners(view: View, tree: Tree, extent: Extent) -> Iterator[int]:
    """Yield the numbers of the files that an extent belongs to."""
    for (_, kind, offset), content in tree.items(
        (extent.place, EXTENT_ITEM, 0), (extent.place, SHARED_DATA_REF + 1, 0)
    ):
        if kind == EXTENT_ITEM:
            yield from _inline(view, content, extent)
        elif kind in (DATA_REF, SHARED_DATA_REF):
            yield from _owner(view, kind, content if kind == DATA_REF else offset.to_bytes(8, "little"), extent)


def _inline(view: View, item: bytes, extent: Extent) -> Iterator[int]:
    at = _ITEM.size
    while at < len(item):
        size = _REF_BYTES.get(item[at])
        if size is None or at + 1 + size > len(item):
            raise _damaged()
        yield from _owner(view, item[at], item[at + 1 : at + 1 + size], extent)
        at += 1 + size


def _owner(view: View, kind: int, reference: bytes, extent: Extent) -> Iterator[int]:
    """Yield what one reference tells: a file, or a leaf with items of files."""
    if kind == DATA_REF:
        if len(reference) < _DATA_REF.size:
            raise _damaged()
        subvolume, number, _, _ = _DATA_REF.unpack_from(reference)
        if subvolume == UPPERMOST or FIRST_FREE <= subvolume < _SPECIAL:
            yield number
    elif kind == SHARED_DATA_REF:
        leaf = view.nodes.read(int.from_bytes(reference[:8], "little"), None, 0)
        for row in leaf.rows:
            if row[1] == EXTENT and piece(row[2], leaf.content(row)).place == extent.place:
                yield row[0]


def _damaged() -> FilesystemError:
    return FilesystemError("the tree of extents is damaged")
