"""What each internal snapshot of a qcow2 image costs: the clusters that it alone needs, and those that it shares.

What a snapshot alone refers to has the reference count 1; a second-level table that others have, too, holds nothing of
its own. So only tables of its own are read for that (QEMU's docs/interop/qcow2.rst, "Host cluster management").
"""

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from snapgui.images.clusters import EXTENDED_L2
from snapgui.images.qcow2 import OFFSET_MASK, ImageError, ImageSnapshot, Qcow2Head, read_bytes, read_l1
from snapgui.images.refcounts import Numbers, Refcounts
from snapgui.images.source import ByteSource, LocalFile, together
from snapgui.images.writer import WriteCancelled

_COMPRESSED = np.uint64(1 << 62)
_DESCRIPTOR = (1 << 62) - 1
_MASK = np.uint64(OFFSET_MASK)
_NONE = np.zeros(0, np.uint64)
_SECTOR = 512


@dataclass(frozen=True, slots=True)
class InternalCost:
    """Bytes of the image file: ``own`` would be free without the snapshot, ``shared`` others need, too.

    ``memory`` is the guest's RAM and device state; it is a part of ``own``. ``shared`` None: nobody looked.
    """

    own: int
    shared: int | None
    memory: int


def internal_costs(
    source: ByteSource,
    head: Qcow2Head,
    counts: Refcounts,
    names: Collection[str],
    cancel: threading.Event | None = None,
    *,
    hollow: bool = False,
) -> dict[str, InternalCost]:
    """Return the costs of the snapshots of these names; raises ImageError, or WriteCancelled when called off.

    ``hollow``: much of what the image refers to takes no room, as after ``preallocation=metadata``: then a file of this
    machine is asked about what a snapshot owns, and nothing is said of what it shares.
    """
    tables = _Tables(source, head, counts, hollow=hollow)
    found = {}
    for entry in (entry for entry in head.snapshots if entry.name in names):
        if cancel is not None and cancel.is_set():
            raise WriteCancelled
        found[entry.name] = tables.cost(entry)
    return found


def memory_apart(source: ByteSource, head: Qcow2Head) -> frozenset[str]:
    """Return the snapshots whose memory nobody else refers to, as far as first-level tables tell: those are current.

    Taking one gives its memory to the current state, too, which lets go of it at once, but is late to write that into
    the counts; going back to one gives it to the current state again. Raises ImageError.
    """
    tables = {entry.name: _memory_tables(source, head, entry) for entry in head.snapshots}
    active = set(read_l1(source, head.l1_offset, head.l1_entries))
    users = Counter(table for mine in tables.values() for table in mine)
    return frozenset(
        name for name, mine in tables.items() if mine and not mine & active and all(users[table] == 1 for table in mine)
    )


def _memory_tables(source: ByteSource, head: Qcow2Head, entry: ImageSnapshot) -> frozenset[int]:
    """Memory lies behind the end of the disk."""
    entries = head.cluster_bytes // (16 if head.features & EXTENDED_L2 else 8)
    first = -(-entry.virtual_bytes // (entries * head.cluster_bytes))
    return frozenset(table for table in read_l1(source, entry.l1_offset, entry.l1_entries)[first:] if table)


class _Tables:
    """The second-level tables of an image; what was found in one is kept."""

    def __init__(self, source: ByteSource, head: Qcow2Head, counts: Refcounts, *, hollow: bool) -> None:
        self._source, self._head, self._counts, self._hollow = source, head, counts, hollow
        self._used: dict[int, int] = {}

    def cost(self, entry: ImageSnapshot) -> InternalCost:
        cluster = self._head.cluster_bytes
        l1 = np.array(read_l1(self._source, entry.l1_offset, entry.l1_entries), np.uint64)
        tables = np.unique(l1[l1 != 0])
        if len(tables) != np.count_nonzero(l1):
            raise ImageError("the image is damaged: two places of its disk have the same table")
        alone = self._counts.at(tables) == 1
        unread = np.array([offset not in self._used for offset in tables.tolist()], np.bool_)
        own = -(-entry.l1_entries * 8 // cluster) + int(np.count_nonzero(alone))
        clusters, places = self._own_clusters(tables[alone | unread], frozenset(tables[alone].tolist()))
        own += clusters
        file = self._source if self._hollow and isinstance(self._source, LocalFile) else None
        holes = file.holes_at(places, cluster) if file is not None and len(places) else 0
        every = -(-entry.l1_entries * 8 // cluster) + len(tables) + sum(self._used[t] for t in tables.tolist())
        shared = None if self._hollow else max(0, every - own) * cluster
        return InternalCost(own * cluster - holes, shared, entry.memory_bytes)

    def _own_clusters(self, tables: Numbers, alone: Collection[int]) -> tuple[int, Numbers]:
        """Read tables; return how many clusters only those that are ``alone`` refer to, and the plain ones' places.

        Compressed clusters lie together in one of the file, which counts each of them: all have to be its own.
        """
        single, packed = [_NONE], [_NONE]
        for offset, raw in self._read(tables.tolist()):
            plain, compressed = self._entries(raw)
            spans = self._spans(compressed)
            self._used[offset] = len(plain) + (len(np.unique(spans)) if len(spans) else 0)
            if offset in alone:
                single.append(plain[self._counts.at(plain) == 1])
                packed.append(spans)
        clusters, references = np.unique(np.concatenate(packed), return_counts=True)
        places = np.concatenate(single)
        together_own = int(np.count_nonzero(self._counts.of(clusters) == references.astype(np.uint64)))
        return len(places) + together_own, places

    def _read(self, offsets: list[int]) -> Iterator[tuple[int, memoryview]]:
        """Yield tables with their places, which are in order."""
        cluster = self._head.cluster_bytes
        if isinstance(self._source, LocalFile):
            self._source.expect(offsets, cluster)
        for near in together(offsets, cluster):
            first, length = near[0], near[-1] + cluster - near[0]
            raw = memoryview(read_bytes(self._source, first, length, most=length))
            yield from ((offset, raw[offset - first : offset - first + cluster]) for offset in near)

    def _entries(self, raw: memoryview) -> tuple[Numbers, Numbers]:
        """Return the places of plain clusters, and the descriptors of compressed ones."""
        words = np.frombuffer(raw, ">u8")
        if self._head.features & EXTENDED_L2:
            words = words[::2]
        words = words.astype(np.uint64)
        places = words & _MASK
        if not int(np.bitwise_or.reduce(words)) & _COMPRESSED:  # most tables
            return places[places != 0], _NONE
        compressed = (words & _COMPRESSED) != 0
        return places[~compressed & (places != 0)], words[compressed] & np.uint64(_DESCRIPTOR)

    def _spans(self, descriptors: Numbers) -> Numbers:
        """Return the numbers of the file's clusters in which compressed ones lie: one or two each."""
        if not len(descriptors):
            return descriptors
        bits = np.uint64(62 - (self._head.cluster_bytes.bit_length() - 1 - 8))
        shift = np.uint64(self._head.cluster_bytes.bit_length() - 1)
        offsets = descriptors & ((np.uint64(1) << bits) - np.uint64(1))
        sectors = (descriptors >> bits) + np.uint64(1)
        last = (offsets // np.uint64(_SECTOR) + sectors) * np.uint64(_SECTOR) - np.uint64(1)
        return np.concatenate(list(_each(offsets >> shift, last >> shift)))


def _each(first: Numbers, last: Numbers) -> Iterator[Numbers]:
    reach = int((last - first).max())
    for step in range(reach + 1):
        number = first + np.uint64(step)
        yield number[number <= last]
