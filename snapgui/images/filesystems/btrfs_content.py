"""The content of the files of a btrfs filesystem: in the tree, on the disk, or compressed there."""

from array import array
from collections.abc import Iterator

import numpy as np

from snapgui.images.filesystems.btrfs_chunks import Chunks
from snapgui.images.filesystems.btrfs_compression import LARGEST_BYTES, decompress
from snapgui.images.filesystems.btrfs_items import EXTENT, PLAIN, Piece, damaged, piece
from snapgui.images.filesystems.btrfs_tree import Tree
from snapgui.images.filesystems.filesystem import Disk, FilesystemError, Numbers, read_exactly

MOST_PIECES = 1_000_000
"""Of one file; 24 MiB of numbers, and some times as much while they are collected."""
SHORT_BYTES = 64 * 2**10
IN_NO_PLACE = -(2**62)
"""Where content is told to lie that has no place of its own: it is in the tree, or compressed."""


class Content:
    """What the files of a view hold."""

    def __init__(self, disk: Disk, chunks: Chunks, sector_bytes: int) -> None:
        self._disk, self._chunks, self._sector_bytes = disk, chunks, sector_bytes
        self._expanded: tuple[Piece, bytes] | None = None

    def read(self, tree: Tree, number: int, offset: int, length: int) -> bytes:
        """Return bytes of a file from ``offset`` on; zeros where it has nothing."""
        found = bytearray(length)
        for each in _pieces(tree, number, offset, offset + length):
            low, high = max(each.begin, offset), min(each.begin + each.length, offset + length)
            if low < high:
                found[low - offset : high - offset] = self._part(each, low - each.begin, high - low)
        return bytes(found)

    def extents(self, tree: Tree, number: int, size: int) -> Numbers | None:
        """Return where content lies, as ``FileSystem.extents``; None for what is short and in the tree.

        What is longer and has no place of its own is told to lie at ``IN_NO_PLACE``.
        """
        found = array("q")
        behind = 0
        for each in _pieces(tree, number, 0, size):
            if each.begin < behind:
                raise damaged()
            behind = each.begin + each.length
            if each.within is not None and size <= SHORT_BYTES:
                return None
            if (each.place or each.within is not None) and each.length:
                found.extend((each.begin, self._place(each), min(each.length, size - each.begin)))
            if len(found) > 3 * MOST_PIECES:
                raise FilesystemError("a file lies in more pieces than are read here")
        return np.array(found, dtype=np.int64).reshape(-1, 3)

    def _place(self, each: Piece) -> int:
        if each.within is not None or each.compression != PLAIN:
            return IN_NO_PLACE
        return self._chunks.place(each.place + each.into, each.length)

    def _part(self, each: Piece, begin: int, length: int) -> bytes:
        if each.place == 0 and each.within is None:
            return bytes(length)
        if each.compression != PLAIN:
            return self._whole(each)[each.into + begin :][:length].ljust(length, b"\0")
        if each.within is not None:
            return each.within[begin : begin + length]
        return read_exactly(self._disk, self._chunks.place(each.place + each.into + begin, length), length)

    def _whole(self, each: Piece) -> bytes:
        """Return all that a compressed piece becomes: the last one is kept, for it is mostly read in parts."""
        if self._expanded is not None and self._expanded[0] == each:
            return self._expanded[1]
        if each.stored > LARGEST_BYTES:
            raise damaged()
        stored = each.within
        if stored is None:
            stored = read_exactly(self._disk, self._chunks.place(each.place, each.stored), each.stored)
        found = decompress(each.compression, stored, each.whole, self._sector_bytes)
        self._expanded = (each, found)
        return found


def _pieces(tree: Tree, number: int, begin: int, end: int) -> Iterator[Piece]:
    """Yield the pieces of a file from the one that may have the byte at ``begin`` on."""
    first = tree.last((number, EXTENT, begin + 1))
    low = first.key if first is not None and first.key[:2] == (number, EXTENT) else (number, EXTENT, begin)
    for key, content in tree.items(low, (number, EXTENT, end)):
        yield piece(key[2], content)
