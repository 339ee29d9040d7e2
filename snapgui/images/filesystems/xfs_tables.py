"""Whole chunks of inodes of an XFS filesystem at once: what may differ between two views.

The rows of a table are the bytes of inodes (format: xfs_inode.py). A file is told to be possibly different where its
inode is, or where a block of its content, of its map or of its attributes lies in a changed place.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.filesystem import Disk, Numbers, read_exactly
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.filesystems.unlike import unlike
from snapgui.images.filesystems.xfs_chunks import INODES, Chunks, places_of
from snapgui.images.filesystems.xfs_inode import EXTENTS, MANY_EXTENTS, TREE
from snapgui.images.filesystems.xfs_layout import Superblock
from snapgui.images.filesystems.xfs_tree import RECORD_BYTES, unpacked_words

Table = NDArray[np.uint8]
Mask = NDArray[np.bool_]

CHUNK_BYTES = 4 * 2**20
DIRECTORY = 0x4000
_IN_USE = np.frombuffer(b"IN", np.uint8)
_UNTOLD = ((32, 40), (100, 120))
"""Fields that say nothing about a file: the time of the last access; checksum, count of changes, place in the log."""


@dataclass(frozen=True, slots=True)
class Shallow:
    """Extents that stand in inodes: the index of the row, the block of the file, that of the disk, the count."""

    row: Numbers
    begin: Numbers
    block: Numbers
    count: Numbers


@dataclass(frozen=True, slots=True)
class Rows:
    """Inodes: their numbers, where on the disk they lie, which of them are there at all, a row of bytes for each."""

    numbers: Numbers
    places: Numbers
    there: Mask
    table: Table
    core_bytes: int

    def field(self, at: int, length: int) -> Numbers:
        """Return a field of 1, 2, 4 or 8 bytes of all rows."""
        raw = np.ascontiguousarray(self.table[:, at : at + length]).view(f">u{length}")
        return raw.astype(np.int64)[:, 0]

    @property
    def in_use(self) -> Mask:
        """Which are files."""
        magic = (self.table[:, :2] == _IN_USE).all(axis=1)
        found: Mask = self.there & magic & (self.field(2, 2) != 0)
        return found

    @property
    def directories(self) -> Mask:
        """Which are directories."""
        found: Mask = self.in_use & (self.field(2, 2) & 0xF000 == DIRECTORY)
        return found

    def content(self) -> "Forks":
        """Return the forks that lead to content."""
        edge, extents = self._edge(), self.field(76, 4)
        if self._extended():
            extents = np.where(self._many(), self.field(24, 8), extents)
        begin = np.full(len(self.table), self.core_bytes, np.int64)
        return Forks(self.field(5, 1), extents, begin, np.where(edge, self.core_bytes + edge, self.table.shape[1]))

    def attributes(self) -> "Forks":
        """Return the forks that lead to attributes."""
        edge, extents = self._edge(), self.field(80, 2)
        if self._extended():
            extents = np.where(self._many(), self.field(76, 4), extents)
        end = np.full(len(self.table), self.table.shape[1], np.int64)
        return Forks(self.field(83, 1), np.where(edge, extents, 0), self.core_bytes + edge, end)

    def _edge(self) -> Numbers:
        return self.field(82, 1) * 8

    def _extended(self) -> bool:
        return self.core_bytes > 120  # noqa: PLR2004 - where second flags are

    def _many(self) -> Mask:
        found: Mask = self.field(120, 8) & MANY_EXTENTS != 0
        return found


@dataclass(frozen=True, slots=True)
class Forks:
    """A fork of each row: what it holds, how many extents it has, and from where to where its bytes are."""

    formats: Numbers
    extents: Numbers
    begins: Numbers
    ends: Numbers

    @property
    def deep(self) -> Mask:
        """Which go on outside of the inode."""
        found: Mask = self.formats == TREE
        return found

    @property
    def unsound(self) -> Mask:
        """Which have more extents than they have room for."""
        found: Mask = (self.formats == EXTENTS) & (
            (self.extents < 0) | (self.extents > (self.ends - self.begins) // RECORD_BYTES)
        )
        return found

    def shallow(self, rows: Rows, head: Superblock, chosen: Mask) -> Shallow:
        """Return the extents in some rows, without what is reserved only, or lies beyond the disk."""
        counts = np.where(chosen & (self.formats == EXTENTS) & ~self.unsound, self.extents, 0)
        row = np.repeat(np.arange(len(counts)), counts)
        within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        at = self.begins[row] + RECORD_BYTES * within
        raw = rows.table[row[:, None], at[:, None] + np.arange(RECORD_BYTES)]
        words = np.ascontiguousarray(raw).view(">u8").astype(np.uint64)
        found = unpacked_words(words[:, 0], words[:, 1])
        linear, sound = head.all_linear(found[:, 1], found[:, 2])
        kept = sound & (found[:, 3] == 0)
        return Shallow(row[kept], found[kept, 0], linear[kept], found[kept, 2])


def rows_of(disk: Disk, head: Superblock, chunks: Chunks, chosen: Numbers | None = None) -> Iterator[Rows]:
    """Yield the inodes of some chunks, given by index, or of all, in pieces."""
    which = np.arange(len(chunks.firsts)) if chosen is None else chosen
    at_once = max(1, CHUNK_BYTES // (INODES * head.inode_bytes))
    for low in range(0, len(which), at_once):
        part = which[low : low + at_once]
        numbers = (chunks.firsts[part, None] + np.arange(INODES)).reshape(-1)
        there = chunks.there(part).reshape(-1) != 0
        table = _table(disk, head, chunks.firsts[part])
        yield Rows(numbers, places_of(head, numbers), there, table, head.core_bytes)


def _table(disk: Disk, head: Superblock, firsts: Numbers) -> Table:
    size = INODES * head.inode_bytes
    places = places_of(head, firsts)
    edges = [0, *(np.flatnonzero(np.diff(places) != size) + 1).tolist(), len(places)]
    raw = b"".join(
        read_exactly(disk, int(places[begin]), (end - begin) * size) for begin, end in pairwise(edges) if begin < end
    )
    return np.frombuffer(raw, np.uint8).reshape(-1, head.inode_bytes)


def differing(
    disk: Disk,
    older: Disk,
    head: Superblock,
    chunks: tuple[Chunks, Chunks],
    changed: Ranges,
    deep: Callable[[int], Numbers | None],
) -> Numbers:
    """Return the numbers of inodes that may not be the same in an older view with the same layout.

    ``chunks`` are those of this view, and of the older one; ``deep`` returns rows (block of the disk, count) of all
    that belongs to a file whose map goes on outside of its inode, None where it is damaged.
    """
    now, then = chunks
    common, found = _common(now, then)
    doubts = [np.empty((0, 3), np.int64)]
    for rows in rows_of(disk, head, now, common):
        rewritten = _rewritten(rows, older, head, changed)
        damaged, touched = _touched(rows, head, changed, rows.in_use & ~rewritten, deep)
        found += [rows.numbers[rewritten], damaged]
        doubts.append(touched)
    numbers, starts, ends = np.concatenate(doubts).T
    certain = unlike(older, disk, starts, ends, changed)
    return np.unique(np.concatenate([*found, numbers[certain]]))


def _common(now: Chunks, then: Chunks) -> tuple[Numbers, list[Numbers]]:
    """Return the indexes of chunks that are in both views with the same holes; the inodes of all others."""
    keys, old_keys = (each.firsts << 16 | each.holes for each in (now, then))
    alone = np.concatenate([now.firsts[~np.isin(keys, old_keys)], then.firsts[~np.isin(old_keys, keys)]])
    return np.flatnonzero(np.isin(keys, old_keys)), [(alone[:, None] + np.arange(INODES)).reshape(-1)]


def _rewritten(rows: Rows, older: Disk, head: Superblock, changed: Ranges) -> Mask:
    """Which rows are not the same in the older view."""
    marked = np.zeros(len(rows.table), dtype=bool)
    there = np.flatnonzero(changed.touched(rows.places, rows.places + head.inode_bytes))
    edges = [0, *(np.flatnonzero(np.diff(rows.places[there]) != head.inode_bytes) + 1).tolist(), len(there)]
    for begin, end in pairwise(edges):
        which = there[begin:end]
        if len(which):
            raw = read_exactly(older, int(rows.places[which[0]]), len(which) * head.inode_bytes)
            before = np.frombuffer(raw, np.uint8).reshape(-1, head.inode_bytes)
            marked[which] = _unlike(before, rows.table[which], head)
    return marked & rows.there


def _unlike(before: Table, now: Table, head: Superblock) -> Mask:
    differs = now != before
    for begin, end in _UNTOLD:
        if end <= head.core_bytes:
            differs[:, begin:end] = False
    marked: Mask = differs.any(axis=1)
    return marked


def _touched(
    rows: Rows, head: Superblock, changed: Ranges, chosen: Mask, deep: Callable[[int], Numbers | None]
) -> tuple[Numbers, Numbers]:
    """Return damaged inodes; of others, rows (number, first byte, byte behind the last) that are in changed places."""
    forks = (rows.content(), rows.attributes())
    damaged = [rows.numbers[chosen & (forks[0].unsound | forks[1].unsound)]]
    places = [np.empty((0, 3), np.int64)]
    for fork in forks:
        found = fork.shallow(rows, head, chosen)
        places.append(np.stack([rows.numbers[found.row], found.block, found.count], axis=1))
    for number in rows.numbers[chosen & (forks[0].deep | forks[1].deep)].tolist():
        runs = deep(number)
        if runs is None:
            damaged.append(np.array([number], np.int64))
        else:
            places.append(np.concatenate([np.full((len(runs), 1), number), runs], axis=1))
    whole = np.concatenate(places)
    whole[:, 1:] *= head.block_bytes
    whole[:, 2] += whole[:, 1]
    return np.concatenate(damaged), whole[changed.touched(whole[:, 1], whole[:, 2])]
