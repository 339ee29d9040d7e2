"""The allocation table of FAT and exFAT: which clusters follow each other, counted as on the disk, from 2 on."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.fat_layout import FIRST, Layout
from snapgui.images.filesystems.filesystem import Disk, FilesystemError, Numbers, read_exactly

MOST_BYTES = 64 * 2**20
"""Of one table. A disk of 512 GiB has such a one with clusters of 32 KiB."""
MOST_BREAKS = 2**20
"""Places where a chain does not go on with the next cluster."""
STEP = 2**20
FEW = 24
"""Chains that are followed one by one rather than together."""
_CLEAN = {16: 1 << 15, 32: 1 << 27}
"""Bits of the second entry: the filesystem was closed."""


class Chains(NamedTuple):
    """Runs of clusters that many chains are made of, sorted: the number of the chain, how far in it, cluster, count."""

    owners: Numbers
    offsets: Numbers
    begins: Numbers
    counts: Numbers


class Table:
    """The table of one view."""

    def __init__(self, disk: Disk, layout: Layout) -> None:
        if layout.table_bytes > MOST_BYTES:
            raise FilesystemError("the filesystem is larger than any FAT that is compared here")
        raw = read_exactly(disk, layout.table_at, layout.table_bytes)
        self._entries = _entries(raw, layout.bits)
        self._mask = 0x0FFFFFFF if layout.bits == 32 and not layout.exfat else 0xFFFFFFFF  # noqa: PLR2004
        self.end = layout.clusters + FIRST
        self.clean = layout.exfat or layout.bits not in _CLEAN or bool(int(self._entries[1]) & _CLEAN[layout.bits])
        self._breaks = np.concatenate([*self._found_breaks(), np.array([self.end - 1], np.uint32)])

    def chains(self, firsts: Numbers, wanted: Numbers) -> Chains:
        """Return where as many clusters as are wanted of chains lie; fewer where a chain ends, or leaves the disk.

        Raises FilesystemError where they are in more pieces than chains that have nothing in common could be.
        """
        pieces = [np.empty((0, 4), np.int64)]
        room = len(self._breaks) + len(firsts)
        at, left = firsts.astype(np.int64), wanted.astype(np.int64)
        live = np.flatnonzero((left > 0) & (at >= FIRST) & (at < self.end))
        while len(live) > FEW:
            counts = np.minimum(self._lasts(at[live]) - at[live] + 1, left[live])
            pieces.append(np.stack([live, wanted[live] - left[live], at[live], counts], axis=1))
            room -= len(live)
            if room < 0:
                raise _tangled()
            left[live] -= counts
            at[live] = self._following(at[live] + counts - 1)
            live = live[(left[live] > 0) & (at[live] >= FIRST) & (at[live] < self.end)]
        for owner in live.tolist():
            rows = list(self._chain(int(at[owner]), int(left[owner]), room))
            room -= len(rows)
            found = np.array(rows, np.int64).reshape(-1, 2)
            done = int(wanted[owner] - left[owner]) + np.concatenate([[0], np.cumsum(found[:-1, 1])])
            pieces.append(np.stack([np.full(len(found), owner), done, found[:, 0], found[:, 1]], axis=1))
        whole = np.concatenate(pieces)
        return Chains(*whole[np.argsort(whole[:, 0], kind="stable")].T)

    def _chain(self, at: int, left: int, room: int) -> Iterator[tuple[int, int]]:
        """Yield the runs of one chain, which may have very many."""
        breaks = memoryview(self._breaks.data)
        while left > 0 and FIRST <= at < self.end:
            last = at if not self._entries[at] else breaks[bisect_left(breaks, at)]
            count = min(last - at + 1, left)
            yield at, count
            room, left, at = room - 1, left - count, int(self._entries[last]) & self._mask
            if room < 0:
                raise _tangled()

    def _lasts(self, begins: Numbers) -> Numbers:
        """Return the last clusters up to which chains go straight on."""
        lasts = self._breaks[np.searchsorted(self._breaks, begins.astype(np.uint32))].astype(np.int64)
        return np.where(self._following(begins) == 0, begins, lasts)

    def _following(self, clusters: Numbers) -> Numbers:
        found: Numbers = self._entries[clusters].astype(np.int64) & self._mask
        return found

    def _found_breaks(self) -> Iterator[NDArray[np.uint32]]:
        """Yield where chains go on elsewhere. Free clusters are none, unless a chain leads to them."""
        total, straight = 0, False
        for begin in range(FIRST, self.end - 1, STEP):
            end = min(begin + STEP, self.end - 1)
            entries = self._entries[begin:end] & np.array(self._mask & _width(self._entries), self._entries.dtype)
            goes_on = entries == np.arange(begin + 1, end + 1, dtype=np.uint32)
            led_to = np.concatenate([[straight], goes_on[:-1]])
            found = np.flatnonzero(~goes_on & ((entries != 0) | led_to)).astype(np.uint32) + np.uint32(begin)
            straight = bool(goes_on[-1])
            total += len(found)
            if total > MOST_BREAKS:
                raise FilesystemError("its files are in more pieces than are compared here")
            yield found


def tables_agree(disk: Disk, layout: Layout) -> bool:
    """Whether the other table, if there is one, says the same of all clusters."""
    skipped = FIRST * layout.bits // 8
    for at in range(skipped, layout.table_bytes if layout.copy_at else 0, STEP):
        length = min(STEP, layout.table_bytes - at)
        if read_exactly(disk, layout.table_at + at, length) != read_exactly(disk, layout.copy_at + at, length):
            return False
    return True


def _entries(raw: bytes, bits: int) -> NDArray[np.unsignedinteger]:
    if bits != 12:  # noqa: PLR2004 - an entry and a half to the two bytes
        return np.frombuffer(raw, f"<u{bits // 8}")
    triples = np.frombuffer(raw.ljust(-(-len(raw) // 3) * 3, b"\0"), np.uint8).reshape(-1, 3).astype(np.uint16)
    even = triples[:, 0] | (triples[:, 1] & 15) << 8
    odd = triples[:, 1] >> 4 | triples[:, 2] << 4
    return np.stack([even, odd], axis=1).reshape(-1)


def _width(entries: NDArray[np.unsignedinteger]) -> int:
    return int(np.iinfo(entries.dtype).max)


def _tangled() -> FilesystemError:
    return FilesystemError("files of the FAT filesystem overlap, or go in circles")
