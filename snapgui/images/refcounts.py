"""How often each cluster of a qcow2 image is referred to: by its current state and by its internal snapshots.

Format: QEMU's docs/interop/qcow2.rst, section "Host cluster management". Read as a whole: two bytes for each cluster of
the file as a rule. The counts of an image that a guest writes to are written late, as its tables are.
"""

from typing import Any

import numpy as np

from snapgui.images.clusters import CORRUPT, DIRTY
from snapgui.images.qcow2 import OFFSET_MASK, ImageError, Qcow2Head, read_bytes
from snapgui.images.source import ByteSource

MOST_BYTES = 256 * 2**20
"""Of counts; a crafted header could ask for more than there is memory."""
_BYTE = 8
_LARGEST = 8
"""Bytes of the widest count."""

Numbers = np.ndarray[tuple[int], np.dtype[np.uint64]]
Values = np.ndarray[tuple[int], np.dtype[np.unsignedinteger[Any]]]


class Refcounts:
    """The counts of one image, as they were when it was read; raises ImageError where they cannot be trusted."""

    def __init__(self, source: ByteSource, head: Qcow2Head) -> None:
        if head.features & (DIRTY | CORRUPT):
            raise ImageError("the reference counts of the image are not up to date")
        self.cluster_bytes = head.cluster_bytes
        self._shift = np.uint64(head.cluster_bytes.bit_length() - 1)
        self._bits = head.refcount_bits
        self._counts = _read(source, head)

    @property
    def used_bytes(self) -> int:
        """Return the bytes of all clusters that are referred to."""
        if self._bits >= _BYTE:
            return int(np.count_nonzero(self._counts)) * self.cluster_bytes
        every = np.arange(len(self._counts) * (_BYTE // self._bits), dtype=np.uint64)
        return int(np.count_nonzero(self.of(every))) * self.cluster_bytes

    def at(self, places: Numbers) -> Values:
        """Return how often the clusters are referred to in which these places of the file lie."""
        return self.of(places >> self._shift)

    def of(self, clusters: Numbers) -> Values:
        """Return how often clusters are referred to, by their number in the file; none beyond its end."""
        if self._bits >= _BYTE:
            return self._at_or_none(clusters)
        per = np.uint64(_BYTE // self._bits)
        words = self._at_or_none(clusters // per) >> (clusters % per * np.uint64(self._bits)).astype(np.uint8)
        return words & np.uint8((1 << self._bits) - 1)

    def _at_or_none(self, numbers: Numbers) -> Values:
        last = np.uint64(len(self._counts) - 1)  # which is 0, as all beyond
        return self._counts[np.minimum(numbers, last).view(np.int64)]


def _read(source: ByteSource, head: Qcow2Head) -> Values:
    """Return the counts, and a 0 behind them."""
    cluster = head.cluster_bytes
    per_block = cluster * _BYTE // head.refcount_bits
    clusters = -(-source.size // cluster)
    blocks = -(-clusters // per_block)
    if blocks * cluster > MOST_BYTES:
        raise ImageError("the image has more reference counts than can be read")
    entries = min(blocks, head.refcounts_clusters * cluster // 8)
    table = np.frombuffer(read_bytes(source, head.refcounts_at, entries * 8, most=MOST_BYTES), ">u8")
    found = bytearray(blocks * cluster + _LARGEST)
    for number, offset in enumerate((table.astype(np.uint64) & np.uint64(OFFSET_MASK)).tolist()):
        if offset:
            found[number * cluster : (number + 1) * cluster] = read_bytes(source, offset, cluster, most=cluster)
    counts = np.frombuffer(found, f">u{max(1, head.refcount_bits // _BYTE)}")
    return counts.astype(counts.dtype.newbyteorder("="))
