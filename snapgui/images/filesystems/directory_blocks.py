"""The blocks of many directories at once, in the order in which they lie on the disk: adjoining ones read together."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.filesystem import Disk, FilesystemError, Numbers, read_exactly

CHUNK_BYTES = 4 * 2**20
"""Looked through at once."""
MOST_BLOCKS = 2_000_000
"""Blocks of directories that are looked through: 8 GiB, mostly, with up to 72 bytes of notes to each."""
Mask = NDArray[np.bool_]


class DirectoryBlocks:
    """``runs``: rows of (number of a directory, block of it, block of the disk, count); ``numbers`` are sorted.

    Raises FilesystemError for more than there can be.
    """

    def __init__(self, disk: Disk, block_bytes: int, blocks: int, numbers: Numbers, runs: Numbers) -> None:
        self._disk, self._block_bytes = disk, block_bytes
        counts = runs[:, 3]
        total = int(counts.sum())
        if total > min(MOST_BLOCKS, blocks) or np.any(runs[:, 2] + counts > blocks):
            raise FilesystemError("directories are damaged, or larger than are read here")
        within = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
        places = np.repeat(runs[:, 2], counts) + within
        order = np.argsort(places, kind="stable")
        self.places: Numbers = places[order]
        self.firsts: Mask = ((np.repeat(runs[:, 1], counts) + within) == 0)[order]
        """Which are the first of their directory."""
        self.owners: Numbers = np.repeat(np.searchsorted(numbers, runs[:, 0]), counts)[order]
        """The index of the directory of each."""

    def contents(self) -> Iterator[tuple[slice, bytes]]:
        """Yield some blocks at a time: which ones, and their bytes."""
        size = self._block_bytes
        at_once = max(1, CHUNK_BYTES // size)
        for low in range(0, len(self.places), at_once):
            places = self.places[low : low + at_once]
            edges = [0, *(np.flatnonzero(np.diff(places) != 1) + 1).tolist(), len(places)]
            raw = b"".join(
                read_exactly(self._disk, int(places[begin]) * size, (end - begin) * size)
                for begin, end in pairwise(edges)
            )
            yield slice(low, low + len(places)), raw


def upwards(numbers: Numbers, holds: Mask, above: Numbers) -> set[int]:
    """Return the directories that hold something, and all above them. ``above``: the number of that of each."""
    fresh = np.flatnonzero(holds)
    while len(fresh):
        at = np.flatnonzero(np.isin(numbers, above[fresh]))
        fresh = at[~holds[at]]
        holds[fresh] = True
    return set(numbers[holds].tolist())
