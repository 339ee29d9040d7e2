"""Writes a qcow2 image from front to back into anything that takes bytes in order, such as a stream to a volume.

Format: QEMU's docs/interop/qcow2.rst, version 3, clusters of 64 KiB, reference counts of 16 bits. The header comes
last: an image that was not finished is none. Data clusters are followed by the second-level table that maps them, so
that at most one table is held in memory.
"""

import array
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from snapgui.images.layers import Layers
from snapgui.images.qcow2 import MAGIC

CLUSTER = 2**16
SECTOR = 512
ENTRIES = CLUSTER // 8
COUNTED = CLUSTER // 2
"""Clusters whose reference counts one block holds."""
_COPIED = 1 << 63
_HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQII")
_HEADER_BYTES = 104
_PIECE = 2**20
_EMPTY = bytes(CLUSTER)


class Sink(Protocol):
    """What takes the bytes of a new file in order, and at the end its first bytes."""

    def write(self, content: bytes) -> None:
        """Take the next bytes. Raises OSError."""

    def skip(self, length: int) -> None:
        """Leave the next bytes zero."""

    def finish(self, first: bytes) -> None:
        """Put ``first`` over the beginning of the file, and have all of it written."""


class WriteCancelled(Exception):
    """It was called off; the file is no image."""


def most_bytes(layers: Layers) -> int:
    """Return how long the image of a disk can become, in bytes."""
    clusters = sum(1 + run.length // CLUSTER + 1 for run in layers.data())
    tables = -(-layers.virtual_bytes // (CLUSTER * ENTRIES))
    first = max(1, -(-tables * 8 // CLUSTER))
    body = 1 + min(clusters, -(-layers.virtual_bytes // CLUSTER)) + tables + first
    return (body + sum(_counts(body))) * CLUSTER


def write_image(layers: Layers, sink: Sink, report: Callable[[int, int], object], cancel: threading.Event) -> int:
    """Write the disk of ``layers`` as an image without a base; return the bytes of data that were written.

    ``report`` gets (done, total) in bytes of the disk that may hold something. Raises WriteCancelled, ImageError,
    OSError.
    """
    image = _Image(sink, layers.virtual_bytes)
    total = sum(run.length for run in layers.data())
    done = 0
    for start, length in _pieces(layers):
        if cancel.is_set():
            raise WriteCancelled
        image.add(start, layers.read(start, length))
        done += length
        report(min(done, total), total)
    image.finish()
    return image.data_bytes


def _pieces(layers: Layers) -> Iterator[tuple[int, int]]:
    """Yield (start, length) of what is read at once."""
    for first, end in _stretches(layers):
        start = first
        while start < end:
            length = min(_PIECE - start % _PIECE, end - start)
            yield start, length
            start += length


def _stretches(layers: Layers) -> Iterator[tuple[int, int]]:
    """Yield the ranges of whole clusters in which data lies, in order, each only once."""
    first = last = 0
    for run in layers.data():
        start, end = run.start // CLUSTER * CLUSTER, -(-run.end // CLUSTER) * CLUSTER
        if start > last:
            if last > first:
                yield first, last
            first = start
        last = max(last, end)
    if last > first:
        yield first, min(last, layers.virtual_bytes)


class _Image:
    def __init__(self, sink: Sink, virtual_bytes: int) -> None:
        self._sink = sink
        self._virtual = -(-virtual_bytes // SECTOR) * SECTOR  # QEMU pads a raw image so, too
        self._clusters = 1  # the header's
        self._l1 = array.array("Q", bytes(8 * max(1, -(-virtual_bytes // (CLUSTER * ENTRIES)))))
        self._l2 = array.array("Q", bytes(CLUSTER))
        self._number = 0
        self.data_bytes = 0
        sink.skip(CLUSTER)

    def add(self, start: int, content: bytes) -> None:
        """Add bytes that begin at a cluster; clusters of zeros are left out."""
        for offset in range(0, len(content), CLUSTER):
            cluster = content[offset : offset + CLUSTER]
            if cluster != _EMPTY[: len(cluster)]:
                self._add_cluster((start + offset) // CLUSTER, cluster)

    def finish(self) -> None:
        """Write what is left of the metadata, and the header."""
        self._write_table()
        l1_at = self._append(_big_endian(self._l1))
        blocks, table = _counts(self._clusters)
        table_at, counted = self._clusters * CLUSTER, self._clusters + table + blocks
        places = (place * CLUSTER for place in range(self._clusters + table, counted))
        self._append(_big_endian(array.array("Q", places)))
        for number in range(blocks):
            self._append(b"\x00\x01" * min(COUNTED, counted - number * COUNTED))
        self._sink.finish(self._header(l1_at, table_at, table))

    def _add_cluster(self, number: int, content: bytes) -> None:
        if number // ENTRIES != self._number:
            self._write_table()
            self._number = number // ENTRIES
        self._l2[number % ENTRIES] = self._append(content) | _COPIED
        self.data_bytes += len(content)

    def _write_table(self) -> None:
        if any(self._l2):
            self._l1[self._number] = self._append(_big_endian(self._l2)) | _COPIED
            self._l2 = array.array("Q", bytes(CLUSTER))

    def _append(self, content: bytes) -> int:
        """Write whole clusters; return where they begin in the file."""
        place = self._clusters * CLUSTER
        self._sink.write(content)
        if short := -len(content) % CLUSTER:
            self._sink.write(bytes(short))
        self._clusters += -(-len(content) // CLUSTER)
        return place

    def _header(self, l1_at: int, table_at: int, table_clusters: int) -> bytes:
        bits = CLUSTER.bit_length() - 1
        head = _HEADER.pack(
            MAGIC, 3, 0, 0, bits, self._virtual, 0, len(self._l1), l1_at, table_at, table_clusters, 0, 0, 0, 0, 0,
            4, _HEADER_BYTES,
        )  # fmt: skip
        return head.ljust(CLUSTER, b"\0")  # the end of the extensions is eight zeros


def _counts(body: int) -> tuple[int, int]:
    """Return how many (blocks, clusters of their table) count ``body`` clusters and themselves."""
    blocks = 1
    while True:
        table = -(-blocks * 8 // CLUSTER)
        if blocks * COUNTED >= body + blocks + table:
            return blocks, table
        blocks += 1


def _big_endian(numbers: "array.array[int]") -> bytes:
    swapped = array.array("Q", numbers)
    if sys.byteorder == "little":
        swapped.byteswap()
    return swapped.tobytes()
