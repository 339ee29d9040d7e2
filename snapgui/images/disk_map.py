"""A disk in some thousand pieces, and how many bytes of each are the same, differ, or were never written.

Made from the tables alone, as the difference is; where the content was looked at, the map says what that found.
"""

import threading
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from snapgui.images.blocks import granularity
from snapgui.images.difference import Difference, Extents, Window, windows
from snapgui.images.layers import Layers
from snapgui.images.writer import WriteCancelled

MOST_BUCKETS = 4096
Counts = np.ndarray[tuple[int, int], np.dtype[np.int64]]
Bytes = np.ndarray[tuple[int], np.dtype[np.int64]]


class Part(IntEnum):
    """What became of a byte of the disk: the columns of a map."""

    UNCHANGED = 0
    ONLY_BEFORE = 1
    ONLY_AFTER = 2
    CHANGED = 3
    NEVER = 4


_MIRRORED = [Part.UNCHANGED, Part.ONLY_AFTER, Part.ONLY_BEFORE, Part.CHANGED, Part.NEVER]


@dataclass(frozen=True, slots=True)
class DiskMap:
    """``counts``: bytes per bucket (row) and ``Part`` (column). ``capacity`` and ``bucket`` are bytes."""

    capacity: int
    bucket: int
    counts: Counts

    def totals(self) -> tuple[int, ...]:
        """Return the bytes of the whole disk by ``Part``."""
        return tuple(int(column) for column in self.counts.sum(axis=0))

    def mirrored(self) -> "DiskMap":
        """Return the map with the two sides exchanged."""
        return DiskMap(self.capacity, self.bucket, self.counts[:, _MIRRORED])


def disk_map(
    before: Layers, after: Layers, looked: Difference | None = None, cancel: threading.Event | None = None
) -> DiskMap:
    """Return the map of two disks; ``looked`` is what the content showed to differ, None where nobody looked.

    Raises ImageError for images that cannot be read, WriteCancelled when called off.
    """
    capacity, step = max(before.virtual_bytes, after.virtual_bytes), granularity(before, after)
    bucket = max(1, -(-capacity // (MOST_BUCKETS * step))) * step
    counts = np.zeros((max(1, -(-capacity // bucket)), len(Part)), np.int64)
    covered = None if looked is None else Covered(looked.extents)
    for window in windows(before, after, skip_equal=False):
        if cancel is not None and cancel.is_set():
            raise WriteCancelled
        _count(counts, window, bucket, capacity, covered)
    return DiskMap(capacity, bucket, counts)


class Covered:
    """How many bytes of any stretch lie in extents."""

    def __init__(self, extents: Extents) -> None:
        self._starts, self._lengths = extents[:, 0], extents[:, 1]
        self._before = np.concatenate(([0], np.cumsum(self._lengths)))

    def between(self, starts: Bytes, ends: Bytes) -> Bytes:
        """Return the covered bytes from each start to its end."""
        return self._below(ends) - self._below(starts)

    def _below(self, places: Bytes) -> Bytes:
        if not len(self._starts):
            return np.zeros(len(places), np.int64)
        number = np.searchsorted(self._starts, places, side="right")
        last = np.maximum(number - 1, 0)
        inside = np.minimum(places - self._starts[last], self._lengths[last])
        below: Bytes = np.where(number == 0, 0, self._before[last] + inside)
        return below


def _count(counts: Counts, window: Window, bucket: int, capacity: int, covered: Covered | None) -> None:
    if not (window.before.any() or window.after.any()):
        _count_never(
            counts, window.start, min(capacity, window.start + window.granularity * len(window.before)), bucket
        )
        return
    starts = window.start + window.granularity * np.arange(len(window.differs), dtype=np.int64)
    ends = np.minimum(starts + window.granularity, capacity)
    parts = _parts(window)
    rows = starts // bucket
    if covered is None:
        _add(counts, rows, parts, ends - starts)
        return
    differing = np.where(window.differs, covered.between(starts, ends), 0)
    _add(counts, rows, parts, np.where(window.differs, differing, ends - starts))
    _add(counts, rows, np.zeros_like(parts), np.where(window.differs, ends - starts - differing, 0))


def _count_never(counts: Counts, start: int, end: int, bucket: int) -> None:
    rows = np.arange(start // bucket, -(-end // bucket))
    counts[rows, Part.NEVER] += np.minimum((rows + 1) * bucket, end) - np.maximum(rows * bucket, start)


def _parts(window: Window) -> Bytes:
    """Nobody (0) answers for what was never written, and for what is zeros again: neither is there."""
    parts = np.full(len(window.differs), int(Part.UNCHANGED), np.int64)
    none_before, none_after = window.before == 0, window.after == 0
    parts[none_before & none_after] = Part.NEVER
    parts[window.differs] = Part.CHANGED
    parts[window.differs & none_before] = Part.ONLY_AFTER
    parts[window.differs & none_after] = Part.ONLY_BEFORE
    return parts


def _add(counts: Counts, rows: Bytes, parts: Bytes, sizes: Bytes) -> None:
    first, last = int(rows[0]), int(rows[-1]) + 1
    places = (rows - first) * len(Part) + parts
    sums = np.bincount(places, weights=sizes, minlength=(last - first) * len(Part))  # below 2**53: exact
    counts[first:last] += sums.reshape(-1, len(Part)).astype(np.int64)
