"""What the columns of a compared disk hold. Plain numbers: the painting is ``disk_strip``."""

from dataclasses import dataclass

import numpy as np

from snapgui.images.difference import Difference
from snapgui.images.disk_map import Covered, Part
from snapgui.images.partitions import Partition
from snapgui.operations.block_difference import Drawn
from snapgui.ui.viewport import Viewport

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


class DiskView(Viewport):
    """What became of the blocks of a disk."""

    def __init__(self, difference: Difference, drawn: Drawn) -> None:
        super().__init__(difference.capacity)
        self.difference, self.partitions = difference, drawn.partitions
        self._map = drawn.map
        self._sums = np.concatenate((np.zeros((1, len(Part)), np.int64), np.cumsum(drawn.map.counts, axis=0)))
        self._covered = Covered(difference.extents)

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

    def next_stop(self, place: int, step: int) -> int | None:
        """Return where the next (1) or the previous (-1) stretch that differs begins; None where there is none."""
        starts = self.difference.extents[:, 0]
        if step > 0:
            number = int(np.searchsorted(starts, place, side="right"))
            return int(starts[number]) if number < len(starts) else None
        number = int(np.searchsorted(starts, place, side="left")) - 1
        return int(starts[number]) if number >= 0 else None
