"""The content of an attribute: within its record, in runs of clusters with holes in between, or compressed.

Format: the kernel's fs/ntfs3/attrib.c. A unit of a compressed attribute (16 clusters) is stored as it is where it has
all its clusters, is zeros where it has none, and compressed otherwise.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from snapgui.images.filesystems.filesystem import Disk, FilesystemError, Numbers, read_exactly
from snapgui.images.filesystems.lznt1 import decompressed
from snapgui.images.filesystems.ntfs_layout import Layout
from snapgui.images.filesystems.ntfs_record import COMPRESSED, ENCRYPTED, Attribute
from snapgui.images.filesystems.ntfs_runs import damaged, joined, runs

LZNT1 = 1
LARGEST_UNIT, LARGEST_COMPRESSED = 2**20, 64 * 2**30
"""Bytes; Windows compresses no file of more than some 30 GiB."""


class Stream:
    """An attribute, all ``pieces`` of it. Raises FilesystemError where they do not fit together."""

    def __init__(self, disk: Disk, layout: Layout, pieces: Sequence[Attribute]) -> None:
        pieces = sorted(pieces, key=lambda piece: piece.first)
        head = pieces[0]
        self._disk, self._layout, self._head = disk, layout, head
        self.name, self.kind, self.size = head.name, head.kind, head.size
        self.compressed = head.value is None and bool(head.flags & COMPRESSED) and head.unit_clusters > 0
        self.encrypted = bool(head.flags & ENCRYPTED)
        self.value = head.value
        self._kept: tuple[int, bytes] | None = None
        self._written = min(head.written, head.size)
        if head.value is None:
            self._clusters = joined([runs(each.pairs, each.first, layout.clusters) for each in pieces], layout.clusters)
            self._places: Numbers = self._clusters[self._clusters[:, 1] >= 0] * layout.cluster_bytes
            self._checked(self._written)
        elif len(pieces) > 1:
            raise damaged()

    def _checked(self, written: int) -> None:
        whole = int(self._clusters[-1, 0] + self._clusters[-1, 2]) if len(self._clusters) else 0
        if whole * self._layout.cluster_bytes < written:
            raise damaged()
        unit = self._head.unit_clusters * self._layout.cluster_bytes
        other = self._head.flags & COMPRESSED not in (0, LZNT1)
        if other or (self.compressed and (unit > LARGEST_UNIT or self.size > LARGEST_COMPRESSED)):
            raise FilesystemError("a file is compressed in a way that is not read here")

    def extents(self) -> Numbers | None:
        """Return where content lies, as rows of bytes; None where it is in its record, or compressed."""
        if self.value is not None or self.compressed:
            return None
        rows: Numbers = self._places[self._places[:, 0] < self._written].copy()
        if len(rows):
            rows[-1, 2] = min(int(rows[-1, 2]), self._written - int(rows[-1, 0]))
        return rows

    def occupied(self) -> Numbers:
        """Return rows (first byte, last one) of what may not be zeros, in order."""
        if self.value is not None:
            return np.array([(0, self.size - 1)] if self.size else [], np.int64).reshape(-1, 2)
        unit = self._head.unit_clusters * self._layout.cluster_bytes if self.compressed else 1
        rows = self._places[self._places[:, 0] < self._written]
        last = np.minimum(-(-(rows[:, 0] + rows[:, 2]) // unit) * unit, self._written) - 1
        return np.stack([rows[:, 0] // unit * unit, last], axis=1)

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of its content; fewer only at its end."""
        length = max(0, min(length, self.size - offset))
        if self.value is not None:
            return self.value[offset : offset + length]
        if not self.compressed:
            return self._stored(offset, length, self._written)
        return b"".join(self._pieces(offset, offset + length))

    def _pieces(self, begin: int, end: int) -> Iterator[bytes]:
        size = self._head.unit_clusters * self._layout.cluster_bytes
        while begin < end:
            into = begin % size
            wanted = min(end - begin, size - into)
            there = max(0, min(wanted, self._written - begin))
            yield (self._unit(begin // size)[into : into + there] if there else b"").ljust(wanted, b"\0")
            begin += wanted

    def _unit(self, number: int) -> bytes:
        """Return a unit; the last one is kept, for short reads that follow one another."""
        if self._kept is None or self._kept[0] != number:
            self._kept = (number, self._unpacked(number))
        return self._kept[1]

    def _unpacked(self, number: int) -> bytes:
        cluster, count = self._layout.cluster_bytes, self._head.unit_clusters
        low, high = number * count, (number + 1) * count
        first = int(np.searchsorted(self._clusters[:, 0] + self._clusters[:, 2], low, "right"))
        stored = there = 0
        for begin, place, length in self._clusters[first:].tolist():
            if begin >= high:
                break
            stored += (min(begin + length, high) - max(begin, low)) * (place >= 0)
            there += min(begin + length, high) - max(begin, low)
        packed = self._stored(low * cluster, stored * cluster, high * cluster) if stored else b""
        if stored in (0, count) or there < count:
            return packed.ljust(count * cluster, b"\0")
        return decompressed(packed, count * cluster)

    def _stored(self, offset: int, length: int, end: int) -> bytes:
        """Return bytes as they lie on the disk; holes, and all behind ``end``, are zeros."""
        found, end = bytearray(length), min(offset + length, end)
        first = int(np.searchsorted(self._places[:, 0] + self._places[:, 2], offset, "right"))
        behind = int(np.searchsorted(self._places[:, 0], end, "left"))
        for begin, place, count in self._places[first:behind].tolist():
            low, high = max(begin, offset), min(begin + count, end)
            found[low - offset : high - offset] = read_exactly(self._disk, place + low - begin, high - low)
        return bytes(found)
