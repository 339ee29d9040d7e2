"""Which stretch of a disk is shown, and what its columns hold. Plain numbers: the painting is ``disk_strip``."""

from dataclasses import dataclass

import numpy as np

from snapgui.images.difference import Difference
from snapgui.images.disk_map import Covered, Part
from snapgui.images.partitions import Partition
from snapgui.operations.block_difference import Drawn

SMALLEST_SPAN = 64 * 1024
"""Bytes that the strip shows at least."""
DIFFERING = (Part.CHANGED, Part.ONLY_BEFORE, Part.ONLY_AFTER)
ALIKE = (Part.UNCHANGED, Part.NEVER)
"""The first of each is what a place is where the map does not know: extents that are too many are merged over gaps."""
Shares = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Found:
    """What lies at a place of the disk; ``start`` and ``end`` are of the stretch that is alike."""

    part: Part
    partition: Partition | None
    start: int
    end: int


class DiskView:
    """A disk of ``capacity`` bytes; bytes from ``start`` to ``start + span`` are shown."""

    def __init__(self, difference: Difference, drawn: Drawn) -> None:
        self.difference, self.partitions = difference, drawn.partitions
        self.capacity = max(1, difference.capacity)
        self.start, self.span = 0.0, float(self.capacity)
        self._map = drawn.map
        self._sums = np.concatenate((np.zeros((1, len(Part)), np.int64), np.cumsum(drawn.map.counts, axis=0)))
        self._covered = Covered(difference.extents)

    # what is shown

    def zoom(self, factor: float, place: float) -> None:
        """Show ``factor`` times less, the byte ``place`` staying where it is."""
        span = min(float(self.capacity), max(float(min(SMALLEST_SPAN, self.capacity)), self.span / factor))
        share = (place - self.start) / self.span
        self.span = span
        self.move_to(place - share * span)

    def move_to(self, start: float) -> None:
        """Show another stretch of the same length."""
        self.start = min(max(0.0, start), self.capacity - self.span)

    def show(self, start: int, length: int) -> None:
        """Show a stretch with some of what lies around it."""
        self.span = min(float(self.capacity), max(8.0 * length, float(min(SMALLEST_SPAN, self.capacity))))
        self.move_to(start + length / 2 - self.span / 2)

    def reveal(self, place: float) -> None:
        """Move as little as needed to show a byte."""
        if not self.start <= place < self.start + self.span:
            self.move_to(place - self.span / 2)

    def whole(self) -> None:
        """Show everything."""
        self.start, self.span = 0.0, float(self.capacity)

    # what is there

    def shares(self, columns: int) -> Shares:
        """Return for each column how much of it is what, by ``Part``; what lies beyond the disk is nothing."""
        edges = self.start + self.span * np.arange(columns + 1) / columns
        starts = np.minimum(np.floor(edges[:-1]), self.capacity - 1).astype(np.int64)
        ends = np.minimum(np.maximum(np.ceil(edges[1:]), starts + 1), self.capacity).astype(np.int64)
        first, last = starts // self._map.bucket, -(-ends // self._map.bucket)
        counts = (self._sums[last] - self._sums[first]).astype(np.float64)
        differing = self._covered.between(starts, ends) / (ends - starts)
        found = np.zeros((columns, len(Part)))
        for parts, share in ((DIFFERING, differing), (ALIKE, 1.0 - differing)):
            mine = counts[:, list(parts)]
            mine[mine.sum(axis=1) == 0, 0] = 1.0
            total = mine.sum(axis=1)
            for number, part in enumerate(parts):
                found[:, part] = mine[:, number] / total * share
        return found

    def found_at(self, place: int) -> Found:
        """Return what lies at a byte of the disk."""
        place = min(max(0, place), self.capacity - 1)
        extents = self.difference.extents
        number = int(np.searchsorted(extents[:, 0], place, side="right")) - 1
        low = 0 if number < 0 else int(extents[number].sum())
        inside = number >= 0 and place < low
        counts = self._map.counts[min(place // self._map.bucket, len(self._map.counts) - 1)]
        part = max(DIFFERING if inside else ALIKE, key=lambda each: int(counts[each]))
        partition = next((each for each in self.partitions if each.start <= place < each.end), None)
        if inside:
            return Found(part, partition, int(extents[number, 0]), low)
        high = int(extents[number + 1, 0]) if number + 1 < len(extents) else self.capacity
        return Found(part, partition, low, high)

    def next_difference(self, place: int, step: int) -> int | None:
        """Return where the next (1) or the previous (-1) stretch that differs begins; None where there is none."""
        starts = self.difference.extents[:, 0]
        if step > 0:
            number = int(np.searchsorted(starts, place, side="right"))
            return int(starts[number]) if number < len(starts) else None
        number = int(np.searchsorted(starts, place, side="left")) - 1
        return int(starts[number]) if number >= 0 else None
