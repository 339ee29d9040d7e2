"""The nodes of the trees of a btrfs filesystem: read from whichever copy is whole, and taken apart.

Format: the kernel's include/uapi/linux/btrfs_tree.h (btrfs_header, btrfs_item, btrfs_key_ptr).
"""

import struct
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.btrfs_chunks import Chunks
from snapgui.images.filesystems.btrfs_layout import DEEPEST_TREE, Superblock, is_whole
from snapgui.images.filesystems.filesystem import Disk, FilesystemError, read_exactly

HEADER_BYTES = 101
KEPT_BYTES = 3 * 2**20
"""Of nodes that are taken apart and held; some six times as much with all that belongs to them."""
POINTER = np.dtype([("object", "<u8"), ("kind", "u1"), ("offset", "<u8"), ("place", "<u8"), ("generation", "<u8")])
_ITEMS = np.dtype({"names": ["at", "size"], "formats": ["<u4", "<u4"], "offsets": [17, 21], "itemsize": 25})
_ITEM, _POINTER = struct.Struct("<QBQII"), struct.Struct("<QBQQQ")
_OWNER, _PLACE, _GENERATION = slice(0x20, 0x30), slice(0x30, 0x38), slice(0x50, 0x58)
_COUNT, _LEVEL = slice(0x60, 0x64), 0x64

Key = tuple[int, int, int]
"""Object, kind and offset of an item: the order of a tree."""
Row = tuple[int, int, int, int, int]


class TreeNode:
    """One node: a leaf (level 0), whose rows are (key, place within, size), or rows of (key, place, generation)."""

    __slots__ = ("level", "raw", "rows")

    def __init__(self, raw: bytes, level: int) -> None:
        self.raw, self.level = raw, level
        count = _word(raw, _COUNT)
        shape = _POINTER if level else _ITEM
        if HEADER_BYTES + count * shape.size > len(raw):
            raise damaged()
        rows = list(shape.iter_unpack(raw[HEADER_BYTES : HEADER_BYTES + count * shape.size]))
        if rows != sorted(rows):
            raise damaged()
        self.rows: list[Row] = rows
        if level == 0 and not _fit(raw, count):
            raise damaged()

    @property
    def generation(self) -> int:
        """The transaction that wrote it."""
        return _word(self.raw, _GENERATION)

    @property
    def pointers(self) -> NDArray[np.void]:
        """The rows of a node that is no leaf, as a table of the type ``POINTER``."""
        return np.frombuffer(self.raw, POINTER, len(self.rows), HEADER_BYTES)

    def content(self, row: Row) -> bytes:
        """Return what an item of a leaf holds."""
        begin = HEADER_BYTES + row[3]
        return self.raw[begin : begin + row[4]]


class Nodes:
    """All nodes of a view."""

    def __init__(self, disk: Disk, head: Superblock, chunks: Chunks) -> None:
        self._disk, self._head, self.chunks = disk, head, chunks
        self._kept: OrderedDict[int, TreeNode] = OrderedDict()

    def read(self, place: int, generation: int | None, level: int) -> TreeNode:
        """Return the node at a logical place; ``generation`` None where it is not told.

        Raises FilesystemError where it is damaged, or another one.
        """
        found = self._kept.get(place)
        if found is not None and found.level == level and generation in (None, found.generation):
            self._kept.move_to_end(place)
            return found
        found = TreeNode(self._whole(place, generation, level), level)
        self._kept[place] = found
        if len(self._kept) > KEPT_BYTES // self._head.node_bytes:
            self._kept.popitem(last=False)
        return found

    def _whole(self, place: int, generation: int | None, level: int) -> bytes:
        if level > DEEPEST_TREE:
            raise damaged()
        for copy in self.chunks.copies(place, self._head.node_bytes):
            if copy + self._head.node_bytes > self._disk.size:
                continue
            raw = read_exactly(self._disk, copy, self._head.node_bytes)
            told = (self._head.owner, place, _word(raw, _GENERATION) if generation is None else generation, level)
            if _identity(raw) == told and is_whole(raw, self._head.checksum):
                return raw
        raise damaged()


def _fit(raw: bytes, count: int) -> bool:
    """Whether what the items of a leaf hold lies within it."""
    places = np.frombuffer(raw, _ITEMS, count, HEADER_BYTES)
    ends = places["at"].astype(np.int64) + places["size"]
    return count == 0 or int(ends.max()) <= len(raw) - HEADER_BYTES


def _identity(raw: bytes) -> tuple[bytes, int, int, int]:
    return raw[_OWNER], _word(raw, _PLACE), _word(raw, _GENERATION), raw[_LEVEL]


def _word(raw: bytes, at: slice) -> int:
    return int.from_bytes(raw[at], "little")


def damaged() -> FilesystemError:
    """Return what is raised where a node cannot be so."""
    return FilesystemError("a node of its trees is damaged")
