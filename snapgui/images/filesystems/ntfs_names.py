"""All directories of an NTFS filesystem at once: which of them lead to some files.

Nothing is taken apart by name: the reference of a file stands in a directory as a word of 64 bits, so all words of all
directories are looked up at once. What only looks like a reference adds a directory too many, which does no harm. The
parents that files name themselves are not asked: where they and the directories disagree, a walk sees the directories.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.filesystem import FilesystemError, Numbers, read_exactly
from snapgui.images.filesystems.ntfs_mft import MasterTable
from snapgui.images.filesystems.ntfs_record import INDEX_ALLOCATION
from snapgui.images.filesystems.ntfs_tables import CHUNK_BYTES, Rows, rows_of

MOST_NAMES = 4_000_000
"""In records of directories, and of files that are looked for in their blocks; 16 bytes of notes to each."""
MOST_RUNS = 2_000_000
_FILTER_BITS = 24
_WORDS_OF_STRIDE = 64
"""The last word of each has two bytes of protection in it, where the sequence number of a reference would be."""
_ROW = np.uint64(2**48 - 1)

Words = NDArray[np.uint64]


class Directories:
    """All directories of a view. Raises FilesystemError where there are more than are held at once."""

    def __init__(self, table: MasterTable) -> None:
        self._table = table
        owners, pairs, blocks, count = [np.empty(0, np.int64)], [np.empty((0, 2), np.int64)], [_no_blocks()], 0
        for rows in rows_of(table):
            owners.append(rows.numbers[rows.directories])
            pairs.append(self._in_records(rows))
            blocks.append(_blocks(rows, table.layout.cluster_bytes))
            count += len(owners[-1]) + len(pairs[-1]) + len(blocks[-1])
            if count > MOST_NAMES:
                raise FilesystemError("there are more directories than are read here")
        self.numbers: Numbers = np.concatenate(owners)
        self._pairs, self._blocks = np.concatenate(pairs), _checked(np.concatenate(blocks), table.disk.size)

    def leading(self, wanted: Numbers) -> set[int]:
        """Return the directories that hold one of these files, and all above them."""
        rows = np.unique(wanted >> 16)
        interesting = np.unique(np.concatenate([rows, self.numbers >> 16]))
        found = [self._pairs]
        for owners, words in self._contents():
            found.append(self._named(owners, words, interesting))
            if sum(map(len, found)) > 2 * MOST_NAMES:
                raise FilesystemError("there are more directories than are read here")
        above = _upwards(rows, np.concatenate(found))
        return set(self.numbers[np.isin(self.numbers >> 16, above)].tolist())

    def _in_records(self, rows: Rows) -> Numbers:
        """Return pairs (row of a directory, row of what seems to be in it) from the records of directories."""
        chosen = rows.directories | (rows.in_use & (rows.bases != 0))
        owners, words = rows.owners[chosen] >> 16, rows.table[chosen].view("<u8")
        rowed = (words & _ROW).astype(np.int64)
        row, column = np.nonzero((rowed < self._table.records) & (words > _ROW) & (rowed != owners[:, None]))
        return np.stack([owners[row], rowed[row, column]], axis=1)

    def _named(self, owners: Numbers, words: Words, interesting: Numbers) -> Numbers:
        """Return such pairs from blocks of directories: ``owners`` has a row for each ``_WORDS_OF_STRIDE``."""
        rowed = (words & _ROW).astype(np.int64)
        plausible = (rowed < self._table.records) & (words > _ROW)
        plausible[:, -1] = rowed[:, -1] < self._table.records
        row, column = np.nonzero(plausible)
        children, holders = rowed[row, column], owners[row]
        kept = (children != holders) & _isin(children, interesting)
        return np.unique(np.stack([holders[kept], children[kept]], axis=1), axis=0)

    def _contents(self) -> Iterator[tuple[Numbers, Words]]:
        """Yield some blocks at a time: rows of the directories, and their words."""
        blocks, begin = self._blocks, 0
        ends = np.cumsum(blocks[:, 2])
        while begin < len(blocks):
            room = int(ends[begin] - blocks[begin, 2]) + CHUNK_BYTES
            end = max(begin + 1, int(np.searchsorted(ends, room, "right")))
            taken, begin = blocks[begin:end], end
            strides = taken[:, 2] // (8 * _WORDS_OF_STRIDE)
            raw = b"".join(self._read(taken))
            yield np.repeat(taken[:, 0], strides), np.frombuffer(raw, "<u8").reshape(-1, _WORDS_OF_STRIDE)

    def _read(self, taken: Numbers) -> Iterator[bytes]:
        """Yield the bytes of some blocks, neighbours together."""
        ends = taken[:, 1] + taken[:, 2]
        edges = [0, *(np.flatnonzero(taken[1:, 1] != ends[:-1]) + 1).tolist(), len(taken)]
        for begin, end in pairwise(edges):
            start = int(taken[begin, 1])
            yield read_exactly(self._table.disk, start, int(ends[end - 1]) - start)


def _blocks(rows: Rows, cluster: int) -> Numbers:
    """Return rows (row of a directory, first byte on the disk, bytes) of blocks with names."""
    attributes = rows.attributes
    chosen = attributes.chosen((attributes.kinds == INDEX_ALLOCATION) & attributes.outside)
    runs = rows.runs(chosen)
    return np.stack([rows.owners[chosen.rows[runs[:, 0]]] >> 16, runs[:, 1] * cluster, runs[:, 2] * cluster], axis=1)


def _no_blocks() -> Numbers:
    return np.empty((0, 3), np.int64)


def _checked(blocks: Numbers, size: int) -> Numbers:
    """Return blocks in the order of the disk, in pieces that can be read at once."""
    if len(blocks) > MOST_RUNS or np.any(blocks[:, 1] + blocks[:, 2] > size) or int(blocks[:, 2].sum()) > size:
        raise FilesystemError("directories are damaged, or larger than are read here")
    counts = -(-blocks[:, 2] // CHUNK_BYTES)
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    pieces = np.repeat(blocks, counts, axis=0)
    pieces[:, 1] += within * CHUNK_BYTES
    pieces[:, 2] = np.minimum(pieces[:, 2] - within * CHUNK_BYTES, CHUNK_BYTES)
    return pieces[np.argsort(pieces[:, 1], kind="stable")]


def _isin(values: Numbers, wanted: Numbers) -> NDArray[np.bool_]:
    """Return which values are among some sorted ones: most are not, and are left out by their lower bits."""
    mask = (1 << _FILTER_BITS) - 1
    near = np.zeros(mask + 1, dtype=bool)
    near[wanted & mask] = True
    found: NDArray[np.bool_] = near[values & mask]
    candidates = np.flatnonzero(found)
    found[candidates] = np.isin(values[candidates], wanted)
    return found


def _upwards(rows: Numbers, pairs: Numbers) -> Numbers:
    """Return all that is above some rows in pairs of (holder, held)."""
    pairs = pairs[np.argsort(pairs[:, 1], kind="stable")]
    seen: set[int] = set()
    fresh, found = np.unique(rows), [np.empty(0, np.int64)]
    while len(fresh):
        first, behind = (np.searchsorted(pairs[:, 1], fresh, side) for side in ("left", "right"))
        counts = behind - first
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        holders = np.unique(pairs[np.repeat(first, counts) + within, 0])
        fresh = np.array([each for each in holders.tolist() if each not in seen], np.int64)
        seen.update(fresh.tolist())
        found.append(fresh)
    return np.concatenate(found)
