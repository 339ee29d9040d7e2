"""Reads many FAT or exFAT directories at once, each up to its unused end, and no cluster twice."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.fat_layout import FIRST, Layout
from snapgui.images.filesystems.fat_slots import SLOT_BYTES, Slots
from snapgui.images.filesystems.fat_table import Chains, Table
from snapgui.images.filesystems.filesystem import Disk, FilesystemError, Numbers, read_exactly

MOST_BYTES = 32 * 2**20
"""Of all directories: room for some 350,000 files with long names."""
LONGEST_FAT, LONGEST_EXFAT = 65536 * SLOT_BYTES, 256 * 2**20
_PIECE_BYTES = 4 * 2**10
_ROUND = 4
"""From round to round so many times as many pieces are read of the directories that go on."""
_AT_ONCE = 1024
"""Pieces."""
_SPAN_BYTES, _GAP_BYTES = 2**20, 8 * 2**10


class Level(NamedTuple):
    """Slots in use, which of the directories asked for each belongs to (in order), and where on the disk it lies."""

    slots: Slots
    homes: Numbers
    places: Numbers


class Pieces(NamedTuple):
    """Where directories lie: in ``counts`` pieces of ``size`` bytes, of clusters of ``step`` bytes from ``base`` on."""

    size: int
    counts: Numbers
    rows: Chains
    base: int
    step: int


class Directories:
    """Reads the directories of one view."""

    def __init__(self, disk: Disk, layout: Layout, table: Table) -> None:
        self._disk, self._layout, self._table = disk, layout, table
        self._seen = np.zeros(table.end, dtype=bool)
        self._room = MOST_BYTES // SLOT_BYTES
        self._longest = LONGEST_EXFAT if layout.exfat else LONGEST_FAT

    def uppermost(self) -> Level:
        """Return the uppermost directory."""
        layout = self._layout
        if not layout.root_at:
            return self.read(np.array([layout.root]), np.array([self._longest]), np.array([False]))
        raw = read_exactly(self._disk, layout.root_at, layout.root_bytes // SLOT_BYTES * SLOT_BYTES)
        slots = np.frombuffer(raw, np.uint8).reshape(-1, SLOT_BYTES)
        slots = slots[: _used(slots[:, 0])]
        places = layout.root_at + SLOT_BYTES * np.arange(len(slots), dtype=np.int64)
        return Level(slots, np.zeros(len(slots), np.int64), places)

    def read(self, firsts: Numbers, sizes: Numbers, contiguous: NDArray[np.bool_]) -> Level:
        """Return what is in directories by their first clusters; ``sizes`` in bytes are the most that there can be.

        Raises FilesystemError where two of them share a cluster, or have more in them than is read.
        """
        rows, counts = self._rows(firsts, np.minimum(sizes, self._longest), contiguous)
        pieces = Pieces(min(self._layout.cluster_bytes, _PIECE_BYTES), counts, rows, *self._heap())
        found = list(self._rounds(pieces))
        slots = np.concatenate([np.empty((0, SLOT_BYTES), np.uint8), *(level.slots for level in found)])
        homes = np.concatenate([np.empty(0, np.int64), *(level.homes for level in found)])
        places = np.concatenate([np.empty(0, np.int64), *(level.places for level in found)])
        order = np.argsort(homes, kind="stable")
        return Level(slots[order], homes[order], places[order])

    def _heap(self) -> tuple[int, int]:
        """Return where cluster 0 would lie, and the bytes of a cluster."""
        return self._layout.heap_at - FIRST * self._layout.cluster_bytes, self._layout.cluster_bytes

    def _rows(self, firsts: Numbers, sizes: Numbers, contiguous: NDArray[np.bool_]) -> tuple[Chains, Numbers]:
        """Return the clusters of directories, and how many pieces each has."""
        rows = runs(self._table, firsts, -(-sizes // self._layout.cluster_bytes), contiguous)
        clusters = np.zeros(len(firsts), np.int64)
        np.add.at(clusters, rows.owners, rows.counts)
        return rows, clusters * max(1, self._layout.cluster_bytes // _PIECE_BYTES)

    def _rounds(self, pieces: Pieces) -> Iterator[Level]:
        """Yield what the directories hold, a few pieces of each that goes on."""
        live, done, step = np.flatnonzero(pieces.counts), 0, 1
        while len(live):
            ended = [np.empty(0, np.int64)]
            at_once = max(1, _AT_ONCE // step)
            for begin in range(0, len(live), at_once):
                found, these = self._some(pieces, live[begin : begin + at_once], done, step)
                ended.append(these)
                yield found
            live = live[~np.isin(live, np.concatenate(ended))]
            done, step = done + step, min(step * _ROUND, _AT_ONCE)
            live = live[pieces.counts[live] > done]

    def _some(self, pieces: Pieces, which: Numbers, done: int, step: int) -> tuple[Level, Numbers]:
        """Return what is in the next pieces of directories, and which of them end there."""
        takes = np.minimum(pieces.counts[which] - done, step)
        owners = np.repeat(which, takes)
        inner = np.arange(len(owners)) - np.repeat(np.cumsum(takes) - takes, takes)
        places = self._places(pieces, owners, done + inner)
        slots = _read(self._disk, places, pieces.size).reshape(-1, SLOT_BYTES)
        each = pieces.size // SLOT_BYTES
        homes = np.repeat(owners, each)
        unused = np.flatnonzero(slots[:, 0] == 0)
        ended, first = np.unique(homes[unused], return_index=True)
        behind = np.full(int(which[-1]) + 1, len(slots))
        behind[ended] = unused[first]
        used = np.arange(len(slots)) < behind[homes]
        self._room -= int(used.sum())
        if self._room < 0:
            raise FilesystemError("it has more files than are compared here")
        slot_places = (places[:, None] + SLOT_BYTES * np.arange(each)).reshape(-1)
        return Level(slots[used], homes[used], slot_places[used]), ended

    def _places(self, pieces: Pieces, owners: Numbers, numbers: Numbers) -> Numbers:
        per_cluster = pieces.step // pieces.size
        ordinals, within = numbers // per_cluster, numbers % per_cluster
        rows = pieces.rows
        at = np.searchsorted(rows.owners << 32 | rows.offsets, owners << 32 | ordinals, "right") - 1
        clusters = rows.begins[at] + ordinals - rows.offsets[at]
        self._visit(clusters[within == 0])
        found: Numbers = pieces.base + clusters * pieces.step + within * pieces.size
        return found

    def _visit(self, clusters: Numbers) -> None:
        if np.any(self._seen[clusters]) or len(np.unique(clusters)) < len(clusters):
            raise FilesystemError("a directory lies in two places, or within itself")
        self._seen[clusters] = True


def runs(table: Table, firsts: Numbers, wanted: Numbers, contiguous: NDArray[np.bool_]) -> Chains:
    """Return the clusters of files: as the table says, or straight on, up to the end of the disk."""
    rows = table.chains(firsts, np.where(contiguous, 0, wanted))
    there = contiguous & (wanted > 0) & (firsts >= FIRST) & (firsts < table.end)
    straight = np.flatnonzero(there)
    if not len(straight):
        return rows
    counts = np.minimum(wanted[straight], table.end - firsts[straight])
    owners = np.concatenate([rows.owners, straight])
    order = np.argsort(owners, kind="stable")
    begins = np.concatenate([rows.begins, firsts[straight]])
    offsets = np.concatenate([rows.offsets, np.zeros(len(straight), np.int64)])
    return Chains(owners[order], offsets[order], begins[order], np.concatenate([rows.counts, counts])[order])


def _used(kinds: NDArray[np.uint8]) -> int:
    """Return how many slots there are before the first that was never used."""
    ends = np.flatnonzero(kinds == 0)
    return int(ends[0]) if len(ends) else len(kinds)


def _read(disk: Disk, places: Numbers, size: int) -> NDArray[np.uint8]:
    """Return pieces of a disk as rows; those that lie close to one another are read together."""
    found = np.empty((len(places), size), np.uint8)
    order = np.argsort(places, kind="stable")
    waiting = places[order]
    at = 0
    while at < len(waiting):
        low = int(waiting[at])
        near = waiting[at : at + _SPAN_BYTES // size]
        apart = np.flatnonzero(np.diff(near) > size + _GAP_BYTES)
        near = near[: int(apart[0]) + 1] if len(apart) else near
        near = near[near < low + _SPAN_BYTES]
        raw = np.frombuffer(read_exactly(disk, low, int(near[-1]) + size - low), np.uint8)
        windows = np.lib.stride_tricks.sliding_window_view(raw, size)
        found[order[at : at + len(near)]] = windows[near - low]
        at += len(near)
    return found
