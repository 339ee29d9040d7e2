"""Logical volumes put together from pieces of other disks: their bytes, and what may differ of them.

Stripes are counted, not listed: a volume of some TiB has many millions of them.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from snapgui.images.filesystems.filesystem import Disk, Numbers
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.qcow2 import ImageError

MOST_PIECES = 2**16
"""Of what may differ in one segment that are told exactly; where there are more, whole rows of stripes are told."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes ``begin`` to ``begin + length`` of a volume, in turn ``chunk`` bytes from each of the stripes.

    ``stripes`` are (number of the part, first byte there); ``chunk`` is the length where there is only one of them.
    """

    begin: int
    length: int
    chunk: int
    stripes: tuple[tuple[int, int], ...]

    @property
    def end(self) -> int:
        """The byte of the volume behind it."""
        return self.begin + self.length

    def pieces(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield (first byte of the volume, number of the part, first byte there, length) from one byte to another."""
        at, end = max(start, self.begin), min(end, self.end)
        while at < end:
            number, within = divmod(at - self.begin, self.chunk)
            row, stripe = divmod(number, len(self.stripes))
            part, place = self.stripes[stripe]
            length = min(self.chunk - within, end - at)
            yield at, part, place + row * self.chunk + within, length
            at += length

    def within(self, parts: Mapping[int, Ranges]) -> Numbers:
        """Return what may differ as rows of (first byte, byte behind the last), from what may of each part."""
        found = [np.empty((0, 2), np.int64)]
        each = self.length // len(self.stripes)
        for stripe, (part, place) in enumerate(self.stripes):
            pairs = np.array(list(parts[part].within(place, place + each)), np.int64).reshape(-1, 2) - place
            found.append(self._spread(pairs, stripe))
        return np.concatenate(found)

    def _spread(self, pairs: Numbers, stripe: int) -> Numbers:
        """Return where bytes of one stripe lie in the volume."""
        if len(self.stripes) == 1:
            return pairs + self.begin
        step = self.chunk * len(self.stripes)
        first, behind = pairs[:, 0] // self.chunk, -(-pairs[:, 1] // self.chunk)
        counts = behind - first
        if int(counts.sum()) > MOST_PIECES:
            return np.stack([first, behind], axis=1) * step + self.begin
        which = np.repeat(np.arange(len(pairs)), counts)
        rows = first[which] + np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        low = np.maximum(pairs[which, 0] - rows * self.chunk, 0)
        high = np.minimum(pairs[which, 1] - rows * self.chunk, self.chunk)
        begins = self.begin + rows * step + stripe * self.chunk
        return np.stack([begins + low, begins + high], axis=1)


@dataclass(frozen=True, slots=True)
class LogicalVolume:
    """A disk put together from others, from byte 0 on without gaps. ``parts`` are the places that it lies on.

    ``problem`` says why it cannot be read; then it has no segments.
    """

    name: str
    segments: tuple[Segment, ...] = ()
    parts: tuple[str, ...] = ()
    problem: str = ""

    @property
    def virtual_bytes(self) -> int:
        """Its size."""
        return self.segments[-1].end if self.segments else 0

    def pieces(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield where it lies from one byte to another, as ``Segment.pieces``."""
        first = bisect_right(self.segments, start, key=lambda segment: segment.end)
        for number in range(first, len(self.segments)):
            segment = self.segments[number]
            if segment.begin >= end:
                return
            yield from segment.pieces(start, end)

    def within(self, changed: Mapping[str, Ranges]) -> Ranges:
        """Return what may differ of it (or some more), from what may differ of its parts."""
        parts = {number: changed[part] for number, part in enumerate(self.parts)}
        found = [segment.within(parts) for segment in self.segments]
        return Ranges(np.concatenate([np.empty((0, 2), np.int64), *found]))

    def lies_like(self, other: "LogicalVolume") -> bool:
        """Whether all bytes that both of them have lie in the same places."""
        size = min(self.virtual_bytes, other.virtual_bytes)
        return self.parts == other.parts and self.up_to(size) == other.up_to(size)

    def up_to(self, size: int) -> list[Segment]:
        """Return the segments up to a size; what goes straight on is one of them, however it is described."""
        found: list[Segment] = []
        for segment in self.segments:
            length = min(segment.length, size - segment.begin)
            if length <= 0:
                break
            single = len(segment.stripes) == 1
            if single and found and _goes_on(found[-1], segment):
                length += found[-1].length
                segment = found.pop()  # noqa: PLW2901 - it grows
            found.append(Segment(segment.begin, length, 0 if single else segment.chunk, segment.stripes))
        return found


def _goes_on(one: Segment, other: Segment) -> bool:
    part, place = one.stripes[0]
    return len(one.stripes) == 1 and other.stripes[0] == (part, place + one.length)


class Assembled:
    """The bytes of a logical volume."""

    def __init__(self, volume: LogicalVolume, disks: Mapping[str, Disk]) -> None:
        self._volume, self.virtual_bytes = volume, volume.virtual_bytes
        self._disks = [disks[part] for part in volume.parts]

    def read(self, start: int, length: int) -> bytes:
        """Return bytes of the volume; fewer only at its end. Raises ImageError where a part is shorter than it says."""
        found: list[bytes] = []
        for _, part, place, count in self._volume.pieces(max(0, start), start + length):
            piece = self._disks[part].read(place, count)
            if len(piece) != count:
                raise ImageError("an LVM volume lies in part beyond the end of the disk")
            found.append(piece)
        return b"".join(found)
