"""All directories of an XFS filesystem at once: which of them lead to some files.

In blocks of names, the number of a file stands as a word of 64 bits, so all words of all blocks are looked up at once;
in an inode it may stand at any byte. What only looks like a number adds a directory too many, which does no harm.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.directory_blocks import DirectoryBlocks, upwards
from snapgui.images.filesystems.filesystem import Disk, FilesystemError, Numbers
from snapgui.images.filesystems.xfs_chunks import Chunks
from snapgui.images.filesystems.xfs_directory import first_entry
from snapgui.images.filesystems.xfs_inode import LOCAL
from snapgui.images.filesystems.xfs_layout import LEAF_BYTES, Superblock
from snapgui.images.filesystems.xfs_tables import Mask, Rows, rows_of

MOST_DIRECTORIES = 1_000_000
_FILTER_BITS = 24
_WINDOW_ROWS = 2048
"""Directories within inodes that are looked through at once: some 10 MiB."""


class Directories:
    """All directories of a view. ``deep`` returns rows (block of the file, of the disk, count) of one with a tree.

    Raises FilesystemError where there are more than are held at once.
    """

    def __init__(self, disk: Disk, head: Superblock, chunks: Chunks, deep: Callable[[int], Numbers]) -> None:
        self._disk, self._head, self._deep = disk, head, deep
        self._within: list[Rows] = []
        numbers, runs, count = [np.empty(0, np.int64)], [np.empty((0, 4), np.int64)], 0
        for rows in rows_of(disk, head, chunks):
            kept = _chosen(rows, rows.directories)
            count += len(kept.numbers)
            if count > MOST_DIRECTORIES:
                raise FilesystemError("there are more directories than are read here")
            numbers.append(kept.numbers)
            runs.append(self._runs(kept))
            self._within.append(_chosen(kept, kept.content().formats == LOCAL))
        self.numbers: Numbers = np.concatenate(numbers)
        self._blocks = DirectoryBlocks(disk, head.block_bytes, head.blocks, self.numbers, np.concatenate(runs))

    def leading(self, wanted: Numbers) -> set[int]:
        """Return the directories that seem to hold one of these numbers, and all above them."""
        named = _Lookup(wanted)
        above = np.zeros(len(self.numbers), np.int64)
        holds = np.zeros(len(self.numbers), dtype=bool)
        for owners, firsts, words in self._contents():
            holds[owners[named.any_in(words)]] = True
            parent = words[firsts, first_entry(self._head) // 8 + 2]
            above[owners[firsts]] = np.where(parent < self._head.most, parent, 0).astype(np.int64)
        for rows in self._within:
            at = np.searchsorted(self.numbers, rows.numbers)
            above[at] = _parents(rows)
            holds[at] = named.any_within(rows)
        return upwards(self.numbers, holds, above) | {self._head.root}

    def _runs(self, rows: Rows) -> Numbers:
        """Return rows of (number of the directory, block of it, block of the disk, count)."""
        forks = rows.content()
        shallow = forks.shallow(rows, self._head, np.ones(len(rows.numbers), dtype=bool))
        found = [np.stack([rows.numbers[shallow.row], shallow.begin, shallow.block, shallow.count], axis=1)]
        for number in rows.numbers[forks.deep].tolist():
            extents = self._deep(number)
            found.append(np.concatenate([np.full((len(extents), 1), number), extents], axis=1))
        whole = np.concatenate(found)
        return whole[whole[:, 1] < LEAF_BYTES // self._head.block_bytes]

    def _contents(self) -> Iterator[tuple[Numbers, Mask, NDArray[np.uint64]]]:
        """Yield some blocks at a time: the indexes of their directories, which are first ones, their words."""
        for which, raw in self._blocks.contents():
            owners = self._blocks.owners[which]
            words = np.frombuffer(raw, ">u8").astype(np.uint64).reshape(len(owners), -1)
            yield owners, self._blocks.firsts[which], words


class _Lookup:
    """Numbers to be looked for in many words at once: by their lower bits, which lets a few too many through."""

    def __init__(self, wanted: Numbers) -> None:
        most = int(wanted.max(initial=0))
        bits = min(_FILTER_BITS, most.bit_length())
        self._most, self._bits = np.uint64(most), np.uint32((1 << bits) - 1)
        self._most_low, self._nowhere = np.uint32(min(most, 2**32 - 1)), np.uint32(1 << bits)
        self._filter = np.zeros((1 << bits) + 1, dtype=bool)
        self._filter[wanted & int(self._bits)] = True

    def any_in(self, words: NDArray[np.uint64]) -> Mask:
        """Return for each row of words whether one of the numbers seems to be in it."""
        places = np.where(words <= self._most, words.astype(np.uint32) & self._bits, self._nowhere)
        found: Mask = np.any(np.take(self._filter, places), axis=1)
        return found

    def any_within(self, rows: Rows) -> Mask:
        """Return the same for directories within inodes, by the lower half of numbers at any byte."""
        found = np.zeros(len(rows.numbers), dtype=bool)
        for low in range(0, len(found), _WINDOW_ROWS):
            room = rows.table[low : low + _WINDOW_ROWS, rows.core_bytes :].astype(np.uint32)
            words = room[:, :-3] << 24 | room[:, 1:-2] << 16 | room[:, 2:-1] << 8 | room[:, 3:]
            places = np.where(words <= self._most_low, words & self._bits, self._nowhere)
            found[low : low + _WINDOW_ROWS] = np.any(np.take(self._filter, places), axis=1)
        return found


def _chosen(rows: Rows, which: Mask) -> Rows:
    return Rows(rows.numbers[which], rows.places[which], rows.there[which], rows.table[which], rows.core_bytes)


def _parents(rows: Rows) -> Numbers:
    """Return which directories are above those that stand within inodes."""
    wide = rows.field(rows.core_bytes + 1, 1) != 0
    short, long = rows.field(rows.core_bytes + 2, 4), rows.field(rows.core_bytes + 2, 8)
    found: Numbers = np.where(wide, long, short)
    return found
