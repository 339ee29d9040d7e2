"""Where the content of a file lies on an ext filesystem: its tree of extents, or its map of indirect blocks.

Format: the kernel's Documentation/filesystems/ext4/ifork.rst. Results are rows of (block of the file, block of the
disk, count). A tree that goes in circles, overlaps itself or points beyond the disk is refused.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.filesystem import FilesystemError, Numbers

EXTENT_MAGIC = 0xF30A
MOST_EXTENTS = 1_500_000
"""Of one file; 36 MiB of numbers, and some times as much while they are checked."""
DEEPEST_TREE = 5
WRITTEN_MOST = 0x8000
"""Extents with a larger length are reserved, but not written yet: zeros."""
DIRECT, POINTERS = 12, 15
_EXTENT = struct.Struct("<IHHI")
_ONE = b"\x01\x00"

ReadBlock = Callable[[int], bytes]
"""Returns one block of the disk; raises FilesystemError for those beyond its end."""


def extent_tree(node: bytes, read: ReadBlock, blocks: int) -> tuple[Numbers, list[int]]:
    """Return the extents below a node of a tree (the 60 bytes in an inode), and the blocks of the tree itself."""
    pieces = _Pieces(read)
    depth = int.from_bytes(node[6:8], "little")
    if depth > DEEPEST_TREE:
        raise damaged()
    if node[2:4] == _ONE and depth == 0:
        return _single(node, blocks), []
    _below(node, depth, pieces)
    found = pieces.checked(blocks)
    return found[found[:, 2] > 0], sorted(pieces.visited)


def _single(node: bytes, blocks: int) -> Numbers:
    """Return the only extent of a small file: most files have one, and need no arrays to be looked at."""
    begin, length, high, low = _EXTENT.unpack_from(node, 12)
    reserved = length > WRITTEN_MOST
    place = low | high << 32
    if int.from_bytes(node[:2], "little") != EXTENT_MAGIC or place + length - reserved * WRITTEN_MOST > blocks:
        raise damaged()
    return np.array([] if reserved or not length else [(begin, place, length)], np.int64).reshape(-1, 3)


def indirect_map(pointers: bytes, size_blocks: int, read: ReadBlock, blocks: int) -> tuple[Numbers, list[int]]:
    """Return the extents that 15 pointers lead to, and the blocks of the map itself."""
    words = np.frombuffer(pointers, "<u4", POINTERS).astype(np.int64)
    pieces = _Pieces(read)
    pieces.add(_run(0, words[:DIRECT], size_blocks))
    begin = DIRECT
    for level, place in enumerate(words[DIRECT:].tolist()):
        begin += _indirect(place, level, begin, size_blocks, pieces)
    return joined(pieces.checked(blocks)), sorted(pieces.visited)


def damaged() -> FilesystemError:
    """Return what is raised where the map of a file cannot be so."""
    return FilesystemError("the map of a file's blocks is damaged")


@dataclass(slots=True)
class _Pieces:
    """What a walk through a tree has found so far. ``visited`` are the blocks of the tree."""

    read: ReadBlock
    visited: set[int] = field(default_factory=set)
    rows: list[Numbers] = field(default_factory=list)
    count: int = 0

    def add(self, rows: Numbers) -> None:
        self.rows.append(rows)
        self.count += len(rows)
        self._bound(self.count)

    def visit(self, place: int) -> bytes:
        if place in self.visited:
            raise damaged()
        self.visited.add(place)
        self._bound(len(self.visited))
        return self.read(place)

    def checked(self, blocks: int) -> Numbers:
        found = np.concatenate(self.rows) if self.rows else np.empty((0, 3), np.int64)
        begins, places, lengths = found[:, 0], found[:, 1], np.abs(found[:, 2])
        overlaps = np.any(begins[1:] < begins[:-1] + lengths[:-1])
        if overlaps or np.any(places + lengths > blocks) or int(lengths.sum()) > blocks:
            raise damaged()
        return found

    def _bound(self, count: int) -> None:
        if count > MOST_EXTENTS:
            raise FilesystemError("a file lies in more pieces than are read here")


def _below(node: bytes, depth: int, pieces: _Pieces) -> None:
    magic, count, level = (int.from_bytes(node[at : at + 2], "little") for at in (0, 2, 6))
    if magic != EXTENT_MAGIC or level != depth or 12 + 12 * count > len(node):
        raise damaged()
    words = np.frombuffer(node, "<u4", 3 * count, 12).reshape(count, 3).astype(np.int64)
    if depth == 0:
        pieces.add(leaves(words))
        return
    for place in (words[:, 1] | (words[:, 2] & 0xFFFF) << 32).tolist():
        _below(pieces.visit(place), depth - 1, pieces)


def leaves(words: Numbers) -> Numbers:
    """Return extents from the words of leaf entries, three to each; lengths are negative where nothing is written."""
    lengths = words[..., 1] & 0xFFFF
    lengths = np.where(lengths > WRITTEN_MOST, WRITTEN_MOST - lengths, lengths)
    return np.stack([words[..., 0], words[..., 2] | (words[..., 1] >> 16) << 32, lengths], axis=-1)


def _indirect(place: int, level: int, begin: int, size_blocks: int, pieces: _Pieces) -> int:
    """Walk what one pointer leads to, and return how many blocks of the file it spans at most."""
    if place == 0:
        return _span(level, pieces)
    if begin >= size_blocks:
        return 0
    words = np.frombuffer(pieces.visit(place), "<u4").astype(np.int64)
    if level == 0:
        pieces.add(_run(begin, words, size_blocks))
        return len(words)
    step: int = len(words) ** level
    for index in np.flatnonzero(words).tolist():
        _indirect(int(words[index]), level - 1, begin + index * step, size_blocks, pieces)
    return step * len(words)


def _span(level: int, pieces: _Pieces) -> int:
    return int((len(pieces.read(0)) // 4) ** (level + 1))


def _run(begin: int, places: Numbers, size_blocks: int) -> Numbers:
    places = places[: max(0, size_blocks - begin)]
    there = np.flatnonzero(places)
    return joined(np.stack([begin + there, places[there], np.ones(len(there), np.int64)], axis=1))


def joined(rows: Numbers) -> Numbers:
    """Join neighbours in the file that are neighbours on the disk as well."""
    if len(rows) == 0:
        return rows
    follows: NDArray[np.bool_] = (rows[1:, :2] == rows[:-1, :2] + rows[:-1, 2:]).all(axis=1)
    firsts = np.flatnonzero(np.concatenate([[True], ~follows]))
    lengths = np.add.reduceat(rows[:, 2], firsts)
    return np.stack([rows[firsts, 0], rows[firsts, 1], lengths], axis=1)
