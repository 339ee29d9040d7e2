"""The allocation table of FAT and exFAT: which clusters follow each other. They are counted from 0 here, not from 2."""

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.fat_layout import Layout
from snapgui.images.filesystems.filesystem import Disk, FilesystemError, Numbers, read_exactly

MOST_BYTES = 64 * 2**20
"""Of one table; some four times as much is held. A disk of 512 GiB has such a one with clusters of 32 KiB."""
_CLEAN = {16: 1 << 15, 32: 1 << 27}
"""Bits of the second entry: the filesystem was closed."""


class Table:
    """The table of one view."""

    def __init__(self, disk: Disk, layout: Layout) -> None:
        length = -(-(layout.clusters + 2) * layout.bits // 8)
        if length > MOST_BYTES:
            raise FilesystemError("the filesystem is larger than any FAT that is compared here")
        self._bytes = layout.cluster_bytes
        self._heap_at = layout.heap_at
        entries = _entries(read_exactly(disk, layout.table_at, length), layout.bits)
        self.clean = layout.exfat or layout.bits not in _CLEAN or bool(int(entries[1]) & _CLEAN[layout.bits])
        if layout.bits == 32 and not layout.exfat:  # noqa: PLR2004 - the upper bits are reserved
            entries = entries & np.uint32(0x0FFFFFFF)
        self.clusters = layout.clusters
        self.next: NDArray[np.int64] = entries[2 : layout.clusters + 2].astype(np.int64) - 2
        breaks = np.flatnonzero(self.next != np.arange(1, layout.clusters + 1))
        self._breaks = breaks if len(breaks) else np.array([layout.clusters - 1], np.int64)

    def rows(self, first: int, size: int, *, contiguous: bool = False) -> Numbers:
        """Return where the first ``size`` bytes of a chain lie, as rows of (offset, place on the disk, length).

        ``first`` is a cluster as directories count, from 2 on. Raises FilesystemError where the chain is too short,
        or leads out of the disk.
        """
        wanted = -(-size // self._bytes)
        runs = self._straight(first - 2, wanted) if contiguous else self._runs(first - 2, wanted)
        rows, offset = [], 0
        for begin, count in runs:
            length = min(count * self._bytes, size - offset)
            rows.append((offset, self._heap_at + begin * self._bytes, length))
            offset += length
        return np.array(rows, np.int64).reshape(-1, 3)

    def length(self, first: int, most: int) -> int:
        """Return how many clusters a chain has; raises FilesystemError for more than ``most``, or a circle."""
        return sum(count for _, count in self._runs(first - 2, most, whole=False))

    def number_of(self, places: Numbers) -> Numbers:
        """Return the clusters, counted from 0, that lie at places of the disk."""
        found: Numbers = (places - self._heap_at) // self._bytes
        return found

    def _straight(self, begin: int, wanted: int) -> list[tuple[int, int]]:
        if wanted and not 0 <= begin <= self.clusters - wanted:
            raise FilesystemError("a file of the FAT filesystem lies beyond its end")
        return [(begin, wanted)] if wanted else []

    def _runs(self, begin: int, wanted: int, *, whole: bool = True) -> list[tuple[int, int]]:
        runs: list[tuple[int, int]] = []
        seen: set[int] = set()
        while wanted > 0:
            if not 0 <= begin < self.clusters:
                if whole:
                    raise FilesystemError("a file of the FAT filesystem is shorter than its size")
                return runs
            if begin in seen:
                raise FilesystemError("a file of the FAT filesystem goes in circles")
            seen.add(begin)
            at = int(np.searchsorted(self._breaks, begin))
            last = int(self._breaks[at]) if at < len(self._breaks) else self.clusters - 1
            count = min(last - begin + 1, wanted)
            runs.append((begin, count))
            wanted -= count
            begin = int(self.next[last])
        if not whole and 0 <= begin < self.clusters:
            raise FilesystemError("a directory of the FAT filesystem is too long, or goes in circles")
        return runs


def _entries(raw: bytes, bits: int) -> NDArray[np.uint32]:
    if bits != 12:  # noqa: PLR2004 - an entry and a half to the two bytes
        return np.frombuffer(raw[: len(raw) // (bits // 8) * (bits // 8)], f"<u{bits // 8}").astype(np.uint32)
    triples = np.frombuffer(raw.ljust(-(-len(raw) // 3) * 3, b"\0"), np.uint8).reshape(-1, 3).astype(np.uint32)
    even = triples[:, 0] | (triples[:, 1] & 15) << 8
    odd = triples[:, 1] >> 4 | triples[:, 2] << 4
    return np.stack([even, odd], axis=1).reshape(-1)
