"""Which blocks of two disks differ, from the tables of their images alone: no content is read.

Two places of a disk are equal where the same bytes of the same file answer for them in both views, or nothing but
zeros does. What differs by this measure may still hold equal bytes (``exact`` looks); the rest is equal for certain.
Internal, external, mixed and branched chains are one algorithm (compare.md, "Blocks").
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from snapgui.images.blocks import WINDOW, Places, blocks, granularity
from snapgui.images.clusters import Clusters, Holds
from snapgui.images.filesystems.section import Readable
from snapgui.images.layers import Layers
from snapgui.images.writer import WriteCancelled

SECTOR = 512
MOST_EXTENTS = 2**20
"""More are merged over the gaps between them: the result stays an upper bound."""
MOST_EXACT = 2**22
"""The same for extents that were looked at; so many are 64 MiB."""
_PIECE = 2**20

Extents = np.ndarray[tuple[int, int], np.dtype[np.int64]]
"""(start, length) per row, in bytes of the disk; sorted, merged, without overlaps."""
Blocks = np.ndarray[tuple[int], np.dtype[np.bool_]]
Owners = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of both disks, block by block: who answers for it (0: nobody, zeros), and whether they differ."""

    start: int
    granularity: int
    before: Owners
    after: Owners
    differs: Blocks


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two disks. ``capacity`` and ``granularity`` are bytes."""

    capacity: int
    granularity: int
    extents: Extents

    @property
    def changed_bytes(self) -> int:
        """How many bytes the extents hold."""
        return int(self.extents[:, 1].sum())


def difference(before: Layers, after: Layers, cancel: threading.Event | None = None) -> Difference:
    """Return what may differ; raise ImageError for images that cannot be read, WriteCancelled when called off."""
    capacity = max(before.virtual_bytes, after.virtual_bytes)
    found = _Found(MOST_EXTENTS)
    step = granularity(before, after)
    for window in windows(before, after, skip_equal=True):
        if cancel is not None and cancel.is_set():
            raise WriteCancelled
        found.add(window.start, step, window.differs)
    return Difference(capacity, step, _clipped(found.extents(), capacity))


def exact(
    before: Readable,
    after: Readable,
    known: Difference,
    report: Callable[[int, int], object] = lambda _done, _total: None,
    cancel: threading.Event | None = None,
) -> Difference:
    """Return the sectors that really differ, by reading what may; ``report`` gets (done, total) in bytes."""
    found, total, done = _Found(MOST_EXACT), known.changed_bytes, 0
    for start, length in known.extents.tolist():
        for offset in range(start, start + length, _PIECE):
            if cancel is not None and cancel.is_set():
                raise WriteCancelled
            size = min(_PIECE, start + length - offset)
            found.add(offset, SECTOR, _sectors_that_differ(before, after, offset, size))
            done += size
            report(done, total)
    return Difference(known.capacity, SECTOR, _clipped(found.extents(), known.capacity))


def _sectors_that_differ(before: Readable, after: Readable, offset: int, size: int) -> Blocks:
    padded = -(-size // SECTOR) * SECTOR
    one, other = (
        np.frombuffer(view.read(offset, size).ljust(padded, b"\0"), dtype=np.uint64).reshape(-1, SECTOR // 8)
        for view in (before, after)
    )
    differs: Blocks = (one != other).any(axis=1)
    return differs


def windows(before: Layers, after: Layers, *, skip_equal: bool) -> Iterator[Window]:
    """Yield both disks in stretches; with ``skip_equal`` those are left out, unread, whose tables are the same."""
    step = granularity(before, after)
    capacity = max(before.virtual_bytes, after.virtual_bytes)
    numbers = {name: 2 * n for n, name in enumerate(_identities(before, after), start=1)}
    for start in range(0, capacity, step * WINDOW):
        end = min(capacity, start + step * WINDOW)
        signature = _signature(before, start, end)
        same = signature == _signature(after, start, end)
        if same and skip_equal:
            continue
        if same and len(signature) == 1:  # no table of any file: large disks are mostly that
            nobody = np.zeros(-(-(end - start) // step), np.int64)
            yield Window(start, step, nobody, nobody, nobody != 0)
            continue
        one = _resolved(before, start, end, step, numbers)
        other = one if same else _resolved(after, start, end, step, numbers)
        differs = (one[0] != other[0]) | (one[1] != other[1])
        yield Window(start, step, one[0], other[0], differs)


def _identities(*views: Layers) -> Iterable[str]:
    return dict.fromkeys(layer.identity for view in views for layer in view.layers)


def _signature(view: Layers, start: int, end: int) -> tuple[object, ...]:
    """Which tables of which files answer for a stretch; layers without any have no say."""
    found: list[object] = [min(view.virtual_bytes, end)]
    for layer in view.layers:
        if not isinstance(layer, Clusters):
            found.append((layer.identity, layer.virtual_bytes))
            continue
        tables = tuple(layer.l1[start // layer.table_bytes : -(-end // layer.table_bytes)])
        if any(tables) or layer.virtual_bytes < end:
            found.append((layer.identity, min(layer.virtual_bytes, end), tables))
    return tuple(found)


def _resolved(view: Layers, start: int, end: int, step: int, numbers: dict[str, int]) -> tuple[Owners, Places]:
    """Return for each block whose file answers, and from which place of it; compressed data has numbers of its own."""
    count = -(-(end - start) // step)
    owners, places = np.zeros(count, np.int64), np.zeros(count, np.uint64)
    waiting = np.ones(count, np.bool_)
    for layer in view.layers:
        inside = max(0, min(count, -(-(min(view.virtual_bytes, layer.virtual_bytes) - start) // step)))
        waiting[inside:] = False
        if not waiting.any():
            break
        holds, found = blocks(layer, start, start + inside * step, step)
        here = waiting[:inside]
        for kind, number in ((Holds.DATA, 0), (Holds.COMPRESSED, 1)):
            mine = here & (holds == kind)
            owners[:inside][mine] = numbers[layer.identity] + number
            places[:inside][mine] = found[mine]
        waiting[:inside] = here & (holds == Holds.NOTHING)
    return owners, places


class _Found:
    """Extents as they are found; neighbours become one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: list[Extents] = []
        self._count = 0
        self._gap = 0

    def add(self, start: int, step: int, differs: Blocks) -> None:
        """Add the blocks of a stretch that begins at ``start``."""
        edges = np.flatnonzero(np.diff(np.concatenate(([False], differs, [False])).astype(np.int8)))
        if len(edges) == 0:
            return
        pairs = edges.reshape(-1, 2).astype(np.int64) * step
        self._parts.append(np.stack([start + pairs[:, 0], pairs[:, 1] - pairs[:, 0]], axis=1))
        self._count += len(pairs)
        while self._count > self._most:
            self._gap = max(2 * self._gap, step)
            self._parts = [self.extents()]
            self._count = len(self._parts[0])

    def extents(self) -> Extents:
        """Return them all, neighbours merged."""
        if not self._parts:
            return np.zeros((0, 2), np.int64)
        every = np.concatenate(self._parts)
        starts, ends = every[:, 0], every[:, 0] + every[:, 1]
        begins = np.concatenate(([True], starts[1:] > ends[:-1] + self._gap))
        firsts = np.flatnonzero(begins)
        lasts = np.concatenate((firsts[1:] - 1, [len(every) - 1]))
        return np.stack([starts[firsts], ends[lasts] - starts[firsts]], axis=1)


def _clipped(extents: Extents, capacity: int) -> Extents:
    extents[:, 1] = np.minimum(extents[:, 1], capacity - extents[:, 0])
    return extents[extents[:, 1] > 0]
