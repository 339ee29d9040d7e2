"""Where on the disk the chunks of a btrfs filesystem lie: all its trees name logical places.

Format: the kernel's include/uapi/linux/btrfs_tree.h (btrfs_chunk, btrfs_stripe).
"""

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from snapgui.images.filesystems.filesystem import FilesystemError, Numbers
from snapgui.images.filesystems.ranges import Ranges

CHUNK_ITEM, CHUNK_OBJECT = 228, 256
DATA = 0x1
_RAID0, _STRIPED = 0x8, 0x40 | 0x80 | 0x100
_KINDS = 0xFFFFFFFF
_HEAD, _STRIPE = struct.Struct("<QQQQIIIHH"), struct.Struct("<QQ16x")
_KEY = struct.Struct("<QBQ")
_NOWHERE = -1
FARTHEST = 2**62


class Chunk(NamedTuple):
    """A range of logical places, and where its first and second copy begin on this disk (-1 for none)."""

    logical: int
    length: int
    kind: int
    place: int
    second: int


class Chunks:
    """All chunks. Raises FilesystemError where two of them overlap."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self.rows = sorted(set(chunks))
        table = np.array(self.rows or [Chunk(FARTHEST, 0, 0, _NOWHERE, _NOWHERE)], dtype=np.int64)
        self._places = table[:, 3:5]
        self._starts, self._ends = table[:, 0], table[:, 0] + table[:, 1]
        if np.any(self._starts[1:] < self._ends[:-1]):
            raise damaged()

    def place(self, logical: int, length: int) -> int:
        """Return where on the disk the first copy of a place is. Raises FilesystemError where it has none."""
        return self.copies(logical, length)[0]

    def copies(self, logical: int, length: int) -> list[int]:
        """Return where on the disk all copies of a place are, one or two."""
        index = bisect_right(self.rows, logical, key=lambda row: row.logical) - 1
        if index >= 0 and logical + length <= self.rows[index].logical + self.rows[index].length:
            row = self.rows[index]
            return [each + logical - row.logical for each in (row.place, row.second) if each != _NOWHERE]
        raise FilesystemError("the filesystem is damaged: it refers to a place that lies in no chunk")

    def all_copies(self, logical: Numbers, lengths: Numbers) -> Numbers:
        """Return a row for each place: where its first and second copy are, -1 for none."""
        index = np.searchsorted(self._starts, logical, "right") - 1
        inside = (index >= 0) & (logical + lengths <= self._ends[index])
        bases = self._places[index]
        found = np.where(bases == _NOWHERE, _NOWHERE, bases + (logical - self._starts[index])[:, None])
        return np.where(inside[:, None], found, _NOWHERE)

    def behind(self, changed: Ranges) -> Iterator[tuple[int, int]]:
        """Yield the logical places of data whose first copies lie in some places of the disk."""
        for row in self.rows:
            if row.kind & DATA:
                for low, high in changed.within(row.place, row.place + row.length):
                    yield low - row.place + row.logical, high - row.place + row.logical

    def moved(self, older: "Chunks") -> Iterator[tuple[int, int]]:
        """Yield the logical places of data that are not where they are in an older view."""
        known = set(older.rows)
        for row in self.rows:
            if row.kind & DATA and row not in known:
                yield row.logical, row.logical + row.length


def system_chunks(raw: bytes, device: int) -> Iterator[Chunk]:
    """Yield the chunks that are told in the superblock: those in which the tree of all chunks lies."""
    at = 0
    while at < len(raw):
        if at + _KEY.size + _HEAD.size > len(raw):
            raise damaged()
        _, kind, logical = _KEY.unpack_from(raw, at)
        if kind != CHUNK_ITEM:
            raise damaged()
        item = raw[at + _KEY.size :]
        yield chunk(logical, item, device)
        at += _KEY.size + _HEAD.size + _STRIPE.size * _HEAD.unpack_from(item)[7]


def chunk(logical: int, item: bytes, device: int) -> Chunk:
    """Return a chunk from its item. Raises FilesystemError where this device has no whole copy of it."""
    if len(item) < _HEAD.size:
        raise damaged()
    length, _, _, kind, _, _, _, count, _ = _HEAD.unpack_from(item)
    if not count or len(item) < _HEAD.size + count * _STRIPE.size:
        raise damaged()
    stripes = [_STRIPE.unpack_from(item, _HEAD.size + index * _STRIPE.size) for index in range(count)]
    here = [place for holder, place in stripes if holder == device]
    if not here or kind & _STRIPED or (kind & _RAID0 and count > 1):
        raise FilesystemError("it lies on several devices, and only what is whole on one is read here")
    if not 0 < length <= FARTHEST - logical or any(place > FARTHEST - length for place in here):
        raise damaged()
    return Chunk(logical, length, kind & _KINDS, here[0], here[1] if len(here) > 1 else _NOWHERE)


def damaged() -> FilesystemError:
    """Return what is raised where the chunks cannot be so."""
    return FilesystemError("the table of chunks is damaged")
