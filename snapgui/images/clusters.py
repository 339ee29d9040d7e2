"""Where the clusters of one state of a qcow2 image lie: its current one, or an internal snapshot.

Format: QEMU's docs/interop/qcow2.rst, sections "Cluster mapping", "Standard Cluster Descriptor", "Compressed Clusters
Descriptor", "Extended L2 Entries". Read by ranges, without any of QEMU's locks: the current state may only be read
while no VM has the image open for writing, because a running one writes its tables late.
"""

import itertools
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import zstandard

from snapgui.images.qcow2 import OFFSET_MASK, ImageError, ImageSnapshot, Qcow2Head, read_bytes, read_head, read_l1
from snapgui.images.source import ByteSource, LocalFile

DIRTY, CORRUPT, DATA_FILE, COMPRESSION, EXTENDED_L2 = (1 << bit for bit in range(5))
READABLE = DIRTY | CORRUPT | COMPRESSION | EXTENDED_L2
"""Incompatible features that do not keep an image from being read: the first two are about reference counts."""
LARGEST_DISK = 2**50
"""Bytes: a crafted size would keep a program busy for ever."""
SUBCLUSTERS = 32
KEPT_TABLES = 16
"""Second-level tables held at once: 1.2 MiB with clusters of 64 KiB, 38 MiB with the largest ones."""
_COMPRESSED, _ZERO = np.uint64(1 << 62), np.uint64(1)
_DESCRIPTOR = np.uint64((1 << 62) - 1)
_MASK = np.uint64(OFFSET_MASK)
_SECTOR = 512


class Holds(IntEnum):
    """What a run of clusters holds: nothing of its own (the base is read), zeros, data, or compressed data."""

    NOTHING = 0
    ZEROS = 1
    DATA = 2
    COMPRESSED = 3


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring guest bytes of one sort. ``place`` is where data begins in the file; a descriptor if compressed.

    ``begin`` is where the compressed cluster begins in the disk: a run may be a part of it.
    """

    start: int
    length: int
    holds: Holds
    place: int = 0
    begin: int = 0

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.start + self.length

    def part(self, start: int, end: int) -> "Run":
        """Return what of it lies within a range of the disk."""
        first, last = max(self.start, start), min(self.end, end)
        moved = first - self.start if self.holds is Holds.DATA else 0
        return Run(first, last - first, self.holds, self.place + moved, self.begin)


@dataclass(frozen=True, slots=True)
class Table:
    """What one second-level table maps: ``holds`` and ``places``, one entry for each ``granularity`` bytes."""

    start: int
    granularity: int
    holds: "np.ndarray[tuple[int], np.dtype[np.uint8]]"
    places: "np.ndarray[tuple[int], np.dtype[np.uint64]]"


class Clusters:
    """One state of a qcow2 image. Raises ImageError for what cannot be read, at once or when it is come across."""

    def __init__(self, source: ByteSource, snapshot: str = "", identity: str = "") -> None:
        self.source = source
        self._kept: dict[int, bytes] = {}
        self.identity = identity
        self.head = read_head(source)
        _refuse_unreadable(self.head)
        entry = self.head.snapshot(snapshot) if snapshot else None
        if snapshot and entry is None:
            raise ImageError("the image has no such snapshot")
        self.name = snapshot
        self.entry = entry
        self.virtual_bytes = self.head.virtual_bytes if entry is None else entry.virtual_bytes
        offset, entries = _table_of(self.head, entry)
        self.l1 = read_l1(source, offset, entries)
        if self.virtual_bytes > LARGEST_DISK:
            raise ImageError("the disk is larger than any that is read here")
        self._extended = bool(self.head.features & EXTENDED_L2)
        self.entries = self.head.cluster_bytes // (16 if self._extended else 8)
        self.granularity = self.head.cluster_bytes // (SUBCLUSTERS if self._extended else 1)
        self.table_bytes = self.entries * self.head.cluster_bytes
        """Bytes of the disk that one second-level table maps."""
        self._tables: dict[int, Table | None] = {}
        if len(self.l1) * self.table_bytes < self.virtual_bytes:
            raise ImageError("the table of the image is too small for its disk")
        _refuse_repeated(self.l1)

    def unchanged(self) -> bool:
        """Whether the state is still where it was when it was opened: a snapshot may be deleted meanwhile."""
        now = read_head(self.source)
        if self.name:
            return now.snapshot(self.name) == self.entry
        return _table_of(now, None) == _table_of(self.head, None)

    def again(self) -> "Clusters":
        """Return the same state as it is on the disk now."""
        return Clusters(self.source, self.name, self.identity)

    def keep(self, numbers: Sequence[int], most: int) -> None:
        """Read these second-level tables now, and not again; raise ImageError for more than ``most`` bytes of them."""
        if len(numbers) * self.head.cluster_bytes > most:
            raise ImageError("so many tables would have to be read that the guest would stand still for long")
        self._kept = {number: self._raw_table(self.l1[number]) for number in numbers}

    def expect_tables(self) -> None:
        """Have the system fetch the second-level tables: all of them are going to be read."""
        if isinstance(self.source, LocalFile):
            self.source.expect((offset for offset in self.l1 if offset), self.head.cluster_bytes)

    def table(self, number: int) -> Table | None:
        """Return one second-level table, None where there is none and the base is read. The last ones are kept."""
        if number not in self._tables:
            if len(self._tables) >= KEPT_TABLES:
                self._tables.pop(next(iter(self._tables)), None)
            self._tables[number] = self._read_table(number)
        return self._tables[number]

    def _read_table(self, number: int) -> Table | None:
        offset = self.l1[number] if number < len(self.l1) else 0
        if offset == 0:
            return None
        raw = self._kept.get(number) or self._raw_table(offset)
        words = np.frombuffer(raw, dtype=">u8").astype(np.uint64)
        start = number * self.table_bytes
        return self._extended_table(start, words) if self._extended else self._plain_table(start, words)

    def _raw_table(self, offset: int) -> bytes:
        return read_bytes(self.source, offset, self.head.cluster_bytes, most=self.head.cluster_bytes)

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yield what lies between two bytes of the disk, in order and without gaps."""
        end = min(end, self.virtual_bytes)
        while start < end:
            number = start // self.table_bytes
            until = min(end, (number + 1) * self.table_bytes)
            table = self.table(number)
            if table is None:
                yield Run(start, until - start, Holds.NOTHING)
            else:
                yield from (run.part(start, until) for run in _runs_of(table, start, until, self.head.cluster_bytes))
            start = until

    def content(self, run: Run) -> bytes:
        """Return the bytes of a run that holds data. What QEMU has not written of the file's last cluster is zeros."""
        if run.holds is Holds.DATA:
            if run.place >= self.source.size:
                raise ImageError("the image is truncated or damaged")
            return self.source.read(run.place, run.length).ljust(run.length, b"\0")
        within = run.start - run.begin
        return self._decompressed(run.place)[within : within + run.length]

    def _plain_table(self, start: int, words: "np.ndarray[tuple[int], np.dtype[np.uint64]]") -> Table:
        places = words & _MASK
        holds = (places != 0) * np.uint8(Holds.DATA)
        marks = int(np.bitwise_or.reduce(words)) if len(words) else 0  # most tables have none
        if marks & _ZERO and self.head.version > 2:  # noqa: PLR2004 - in version 2 the bit is reserved
            holds[(words & _ZERO) != 0] = Holds.ZEROS
        if marks & _COMPRESSED:
            _mark_compressed(holds, places, words)
        return Table(start, self.granularity, holds, places)

    def _extended_table(self, start: int, words: "np.ndarray[tuple[int], np.dtype[np.uint64]]") -> Table:
        entries, bitmaps = words[0::2], words[1::2]
        bits = np.arange(SUBCLUSTERS, dtype=np.uint64)
        allocated = ((bitmaps[:, None] >> bits) & _ZERO) != 0
        zeros = ((bitmaps[:, None] >> (bits + np.uint64(SUBCLUSTERS))) & _ZERO) != 0
        holds = np.where(allocated, Holds.DATA, Holds.NOTHING).astype(np.uint8)
        holds[zeros] = Holds.ZEROS
        places = (entries & _MASK)[:, None] + bits * np.uint64(self.granularity)
        compressed = (entries & _COMPRESSED) != 0
        holds[compressed] = Holds.COMPRESSED
        places[compressed] = (entries[compressed] & _DESCRIPTOR)[:, None]
        return Table(start, self.granularity, holds.reshape(-1), places.reshape(-1))

    def _decompressed(self, descriptor: int) -> bytes:
        bits = 62 - (self.head.cluster_bytes.bit_length() - 1 - 8)
        offset, sectors = descriptor & ((1 << bits) - 1), descriptor >> bits
        length = min((sectors + 1) * _SECTOR - offset % _SECTOR, self.source.size - offset)
        if length <= 0:
            raise ImageError("the image is truncated or damaged")
        raw = read_bytes(self.source, offset, length, most=2 * self.head.cluster_bytes + _SECTOR)
        try:
            found = _expand(raw, self.head.compression, self.head.cluster_bytes)
        except (zlib.error, zstandard.ZstdError) as error:
            raise ImageError("a compressed cluster of the image is damaged") from error
        if len(found) != self.head.cluster_bytes:
            raise ImageError("a compressed cluster of the image is damaged")
        return found


def _table_of(head: Qcow2Head, entry: ImageSnapshot | None) -> tuple[int, int]:
    return (head.l1_offset, head.l1_entries) if entry is None else (entry.l1_offset, entry.l1_entries)


def _refuse_unreadable(head: Qcow2Head) -> None:
    if head.encrypted:
        raise ImageError("the image is encrypted")
    if head.features & COMPRESSION and not head.compression:
        raise ImageError("the image is compressed in a way that is not known here")
    if head.features & ~READABLE:
        raise ImageError("the image uses features that are not known here, or keeps its data in another file")


def _refuse_repeated(l1: "array[int]") -> None:
    """A table that answers for two stretches of the disk is one that no QEMU writes, and makes small images endless."""
    tables = np.frombuffer(l1, np.uint64) if l1 else np.zeros(0, np.uint64)
    used = tables[tables != 0]
    if len(np.unique(used)) != len(used):
        raise ImageError("the image is damaged: two places of its disk have the same table")


def _mark_compressed(
    holds: "np.ndarray[tuple[int], np.dtype[np.uint8]]",
    places: "np.ndarray[tuple[int], np.dtype[np.uint64]]",
    words: "np.ndarray[tuple[int], np.dtype[np.uint64]]",
) -> None:
    compressed = (words & _COMPRESSED) != 0
    holds[compressed] = Holds.COMPRESSED
    places[compressed] = words[compressed] & _DESCRIPTOR


def _runs_of(table: Table, start: int, end: int, cluster_bytes: int) -> Iterator[Run]:
    first = (start - table.start) // table.granularity
    last = -(-(end - table.start) // table.granularity)
    holds, places = table.holds[first:last], table.places[first:last]
    if len(holds) < 2:  # noqa: PLR2004 - most short reads: nothing to be joined
        for kind, place in zip(holds.tolist(), places.tolist(), strict=True):
            begin = table.start + first * table.granularity
            yield Run(begin, table.granularity, Holds(kind), place, begin // cluster_bytes * cluster_bytes)
        return
    step = np.where(holds[1:] == Holds.DATA, np.uint64(table.granularity), np.uint64(0))
    same = holds[1:] == holds[:-1]
    placed = (holds[1:] == Holds.DATA) | (holds[1:] == Holds.COMPRESSED)
    same &= ~placed | (places[1:] == places[:-1] + step)
    inside = np.arange(first + 1, first + len(holds)) % (cluster_bytes // table.granularity) != 0
    same &= inside | (holds[1:] != Holds.COMPRESSED)
    edges = [0, *(np.flatnonzero(~same) + 1).tolist(), len(holds)]
    for low, high in itertools.pairwise(edges):
        begin = table.start + (first + low) * table.granularity
        kind = Holds(int(holds[low]))
        cluster = begin // cluster_bytes * cluster_bytes
        yield Run(begin, (high - low) * table.granularity, kind, int(places[low]), cluster)


def _expand(raw: bytes, compression: str, length: int) -> bytes:
    if compression == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(raw)[:length]
    return zlib.decompressobj(-12).decompress(raw, length)
