"""All directories of an ext filesystem at once: which of them lead to some files.

Nothing is taken apart by name: the number of a file stands in a directory as a word of 32 bits, so all words of all
directories are looked up at once. What only looks like a number adds a directory too many, which does no harm.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.directory_blocks import DirectoryBlocks, upwards
from snapgui.images.filesystems.ext4_inode import INLINE, MAP_AT, MAP_BYTES
from snapgui.images.filesystems.ext4_layout import ROOT, Groups, Superblock
from snapgui.images.filesystems.ext4_tables import DIRECTORY, Mask, Rows, is_deep, kinds, rows_of, shallow
from snapgui.images.filesystems.filesystem import Disk, FilesystemError, Link, Numbers

MOST_DIRECTORIES = 1_000_000
_FILTER_BITS = 24
_ABOVE_WORD = 3
"""Where the number of the directory above stands in the first block of a directory (``..``)."""


@dataclass(frozen=True, slots=True)
class _Inline:
    """Directories whose names stand in their inodes: their numbers, the 15 words of names, sizes in bytes."""

    numbers: Numbers
    words: NDArray[np.uint32]
    sizes: Numbers


class Directories:
    """All directories of a view. ``extents`` returns rows (block of the file, of the disk, count) of one.

    Raises FilesystemError where there are more than are held at once.
    """

    def __init__(self, disk: Disk, head: Superblock, groups: Groups, extents: Callable[[int], Numbers]) -> None:
        self._disk, self._head, self._extents = disk, head, extents
        self._inline: list[_Inline] = []
        numbers, runs, count = [np.empty(0, np.int64)], [np.empty((0, 4), np.int64)], 0
        for rows in rows_of(disk, head, groups):
            chosen = rows.in_use & (kinds(rows) == DIRECTORY)
            kept = Rows(rows.numbers[chosen], rows.table[chosen])
            numbers.append(kept.numbers)
            runs.append(self._runs(kept))
            self._inline.append(_inline(kept))
            count += len(kept.numbers)
            if count > MOST_DIRECTORIES:
                raise FilesystemError("there are more directories than are read here")
        self.numbers: Numbers = np.concatenate(numbers)
        self._blocks = DirectoryBlocks(disk, head.block_bytes, head.blocks, self.numbers, np.concatenate(runs))

    def leading(self, wanted: Numbers, links: Callable[[int], Iterator[Link]]) -> set[int]:
        """Return the directories that hold one of these numbers, and all above them. ``links`` reads a directory."""
        named = _Lookup(wanted, self._head.inodes)
        above = np.zeros(len(self.numbers), np.int64)
        holds = np.zeros(len(self.numbers), dtype=bool)
        for owners, firsts, words in self._contents():
            holds[owners[named.any_in(words)]] = True
            above[owners[firsts]] = words[firsts, _ABOVE_WORD]
        for inline in self._inline:
            at = np.searchsorted(self.numbers, inline.numbers)
            above[at] = inline.words[:, 0]
            holds[at] = named.any_in(inline.words[:, 1:])
            for index in np.flatnonzero(inline.sizes > MAP_BYTES).tolist():
                if any(named.has(link.number) for link in links(int(inline.numbers[index]))):
                    holds[at[index]] = True
        return upwards(self.numbers, holds, above) | {ROOT}

    def _runs(self, rows: Rows) -> Numbers:
        """Return rows of (number of the directory, block of it, block of the disk, count)."""
        starts, counts, begins = shallow(rows)
        deep = is_deep(rows)
        counts[deep] = 0
        row, column = np.nonzero(counts)
        found = [np.stack([rows.numbers[row], begins[row, column], starts[row, column], counts[row, column]], axis=1)]
        for number in rows.numbers[deep].tolist():
            extents = self._extents(number)
            found.append(np.concatenate([np.full((len(extents), 1), number), extents], axis=1))
        return np.concatenate(found)

    def _contents(self) -> Iterator[tuple[Numbers, Mask, NDArray[np.uint32]]]:
        """Yield some blocks at a time: the indexes of their directories, which are first ones, their words."""
        for which, raw in self._blocks.contents():
            owners = self._blocks.owners[which]
            yield owners, self._blocks.firsts[which], np.frombuffer(raw, "<u4").reshape(len(owners), -1)


class _Lookup:
    """Numbers to be looked for in many words at once: by their lower bits, which lets a few too many through."""

    def __init__(self, wanted: Numbers, most: int) -> None:
        bits = min(_FILTER_BITS, most.bit_length())
        self._most, self._mask, self._nowhere = np.uint32(most), np.uint32((1 << bits) - 1), np.uint32(1 << bits)
        self._filter = np.zeros((1 << bits) + 1, dtype=bool)
        self._filter[wanted & int(self._mask)] = True

    def any_in(self, words: NDArray[np.uint32]) -> Mask:
        """Return for each row whether one of them seems to be in it."""
        places = np.where(words <= self._most, words & self._mask, self._nowhere)
        found: Mask = np.any(np.take(self._filter, places), axis=1)
        return found

    def has(self, number: int) -> bool:
        """Whether a number seems to be one of them."""
        return bool(self._filter[number & int(self._mask)])


def _inline(rows: Rows) -> _Inline:
    chosen = rows.words(0x20) & INLINE != 0
    kept = Rows(rows.numbers[chosen], rows.table[chosen])
    return _Inline(kept.numbers, kept.words(MAP_AT, MAP_BYTES // 4).astype(np.uint32), kept.words(0x4))
