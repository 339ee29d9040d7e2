"""Which image of a chain answers a read of which part of a disk, and at which place of its file: for all of a disk.

Made from the tables alone. A place that no image holds, and what lies beyond the end of a base, is answered by nobody:
the guest reads zeros. What ``qemu-img map`` calls present is what some image answers here.
"""

import threading
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from snapgui.images.blocks import WINDOW, Places, granularity, pieces
from snapgui.images.clusters import Clusters, Holds
from snapgui.images.layers import Layer, Layers
from snapgui.images.qcow2 import ImageError
from snapgui.images.refcounts import Refcounts
from snapgui.images.writer import WriteCancelled

MOST_RUNS = 2**22
"""More are not kept: they would take 100 MiB."""
MOST_LAYERS = 250
NOBODY = 255
"""The depth of what no image holds."""

Offsets = np.ndarray[tuple[int], np.dtype[np.int64]]
Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]


class _Columns(NamedTuple):
    """Runs or blocks, one column each."""

    starts: Offsets
    depths: Bytes
    holds: Bytes
    places: Places
    shared: Flags


@dataclass(frozen=True, slots=True)
class Answer:
    """What answers a read of one byte of the disk.

    ``depth`` counts images from the top (0), None where nobody holds it. ``place`` is that byte's place in the file;
    None for zeros, and for compressed data. ``start`` and ``length`` are the stretch that is answered alike, in bytes.
    ``shared``: an internal snapshot of the same image needs what is there.
    """

    depth: int | None
    holds: Holds
    place: int | None
    start: int
    length: int
    shared: bool = False


@dataclass(frozen=True, slots=True)
class BlockMap:
    """The disk as runs from ``starts`` on, each answered alike. ``capacity`` and ``layers`` are bytes and a number."""

    capacity: int
    layers: int
    starts: Offsets
    depths: Bytes
    holds: Bytes
    places: Places
    shared: Flags

    def at(self, offset: int) -> Answer:
        """Return what answers a read there; raises IndexError beyond the disk."""
        if not 0 <= offset < self.capacity:
            raise IndexError(offset)
        number = int(np.searchsorted(self.starts, offset, side="right")) - 1
        start = int(self.starts[number])
        end = int(self.starts[number + 1]) if number + 1 < len(self.starts) else self.capacity
        depth, holds = int(self.depths[number]), Holds(int(self.holds[number]))
        place = int(self.places[number]) + offset - start if holds is Holds.DATA else None
        return Answer(None if depth == NOBODY else depth, holds, place, start, end - start, bool(self.shared[number]))

    def serves(self) -> tuple[int, ...]:
        """Return the bytes of the disk that each image answers, from the top."""
        sums = np.bincount(self.depths, weights=self._lengths(), minlength=NOBODY + 1)  # below 2**53: exact
        return tuple(int(size) for size in sums[: self.layers])

    def shares(self, start: float, end: float, columns: int) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
        """Return, for each of so many columns of a stretch, the share that each image answers; the last is nobody's."""
        edges = np.linspace(start, end, columns + 1)
        ends = np.append(self.starts[1:], self.capacity)
        first = max(0, int(np.searchsorted(self.starts, start, side="right")) - 1)
        last = max(first + 1, int(np.searchsorted(self.starts, end, side="left")))
        found = np.zeros((columns, self.layers + 1))
        depths = np.where(self.depths[first:last] == NOBODY, self.layers, self.depths[first:last])
        for depth in np.unique(depths):
            mine = depths == depth
            found[:, depth] = _covered(self.starts[first:last][mine], ends[first:last][mine], edges)
        return found / max((end - start) / columns, 1e-9)

    def _lengths(self) -> Offsets:
        return np.diff(np.append(self.starts, self.capacity))


def _covered(
    starts: Offsets, ends: Offsets, edges: "np.ndarray[tuple[int], np.dtype[np.float64]]"
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Return the bytes of stretches between each two edges."""
    before = np.concatenate(([0], np.cumsum(ends - starts)))
    number = np.searchsorted(starts, edges, side="right")
    last = np.maximum(number - 1, 0)
    inside = np.clip(edges - starts[last], 0, ends[last] - starts[last])
    return np.diff(np.where(number == 0, 0, before[last] + inside))


def block_map(layers: Layers, refcounts: Refcounts | None = None, cancel: threading.Event | None = None) -> BlockMap:
    """Return the map of a disk; ``refcounts`` of its top image tell what internal snapshots of that share.

    Raises ImageError for images that cannot be read, or that are too fragmented; WriteCancelled when called off.
    """
    if len(layers.layers) > MOST_LAYERS:
        raise ImageError("there are too many images in the chain")
    for each in layers.layers:
        if isinstance(each, Clusters):
            each.expect_tables()
    found = _Runs(layers, refcounts)
    step = granularity(layers)
    for start in range(0, layers.virtual_bytes, step * WINDOW):
        if cancel is not None and cancel.is_set():
            raise WriteCancelled
        found.add(start, min(layers.virtual_bytes, start + step * WINDOW), step)
    return found.finished()


class _Runs:
    """Runs as they are found; what goes on behind the edge of a window is one run."""

    def __init__(self, layers: Layers, refcounts: Refcounts | None) -> None:
        self._layers, self._refcounts = layers, refcounts
        self._parts: list[_Columns] = []
        self._count = 0

    def add(self, start: int, end: int, step: int) -> None:
        """Look at one stretch; raise ImageError for more runs than are kept."""
        reach = [layer for layer in self._layers.layers if _has_tables(layer, start, end)]
        part = self._resolved(start, end, step) if reach else _nobody(start)
        self._parts.append(_joined(part, end))
        self._count += len(self._parts[-1].starts)
        if self._count > MOST_RUNS:
            raise ImageError("the disk is so fragmented that it cannot be drawn")

    def finished(self) -> BlockMap:
        """Return all of it."""
        capacity, parts = self._layers.virtual_bytes, self._parts or [_nobody(0)]
        every = _joined(_Columns(*(np.concatenate(column) for column in zip(*parts, strict=True))), capacity)
        return BlockMap(capacity, len(self._layers.layers), *every)

    def _resolved(self, start: int, end: int, step: int) -> "_Columns":
        count = -(-(end - start) // step)
        depths, holds = np.full(count, NOBODY, np.uint8), np.zeros(count, np.uint8)
        places, waiting = np.zeros(count, np.uint64), np.ones(count, np.bool_)
        for depth, layer in enumerate(self._layers.layers):
            inside = max(0, min(count, -(-(layer.virtual_bytes - start) // step)))
            waiting[inside:] = False
            if not waiting.any():
                break
            if not _has_tables(layer, start, end):
                continue
            for first, found, where in pieces(layer, start, start + inside * step, step):
                here = np.flatnonzero(waiting[first : first + len(found)] & (found != Holds.NOTHING))
                depths[first + here], holds[first + here] = depth, found[here]
                places[first + here] = where[here]
                waiting[first + here] = False
        starts = start + step * np.arange(count, dtype=np.int64)
        return _Columns(starts, depths, holds, places, self._shared(depths, holds, places))

    def _shared(self, depths: Bytes, holds: Bytes, places: Places) -> Flags:
        shared = np.zeros(len(depths), np.bool_)
        if self._refcounts is not None:
            own = (depths == 0) & (holds == Holds.DATA)
            shared[own] = self._refcounts.at(places[own]) > 1
        return shared


def _has_tables(layer: Layer, start: int, end: int) -> bool:
    if not isinstance(layer, Clusters):
        return start < layer.virtual_bytes
    return any(layer.l1[start // layer.table_bytes : -(-end // layer.table_bytes)])


def _nobody(start: int) -> _Columns:
    none = np.zeros(1, np.uint8)
    return _Columns(np.array([start]), none + np.uint8(NOBODY), none, np.zeros(1, np.uint64), np.zeros(1, np.bool_))


def _joined(part: _Columns, end: int) -> _Columns:
    """Make one run of neighbours that are answered alike; data only where it goes on in the file."""
    starts, depths, holds, places, shared = part
    same = (depths[1:] == depths[:-1]) & (holds[1:] == holds[:-1]) & (shared[1:] == shared[:-1])
    gaps = np.diff(np.append(starts, end)).astype(np.uint64)[:-1]
    same &= (holds[1:] != Holds.DATA) | (places[1:] == places[:-1] + gaps)
    first = np.concatenate(([0], np.flatnonzero(~same) + 1))
    return _Columns(starts[first], depths[first], holds[first], places[first], shared[first])
