"""How much an image grows when the overlay above it is merged into it: what it does not hold yet, in whole clusters."""

import numpy as np

from snapgui.images.blocks import WINDOW, blocks, granularity
from snapgui.images.clusters import Clusters, Holds
from snapgui.images.layers import Layer, Layers, RawLayer
from snapgui.images.source import LocalFile

_Flags = np.ndarray[tuple[int], np.dtype[np.int64]]


_WRITTEN = frozenset({Holds.DATA, Holds.COMPRESSED})


def growth(overlay: Clusters, base: Layer, *, zeros: bool = False) -> int | None:
    """Return bytes; None where nobody can tell which parts of a raw base are holes. Raises ImageError.

    ``zeros``: QEMU writes zeros down like anything else, as it does (block/commit.c) unless the overlay is written to.
    """
    kinds = _WRITTEN | {Holds.ZEROS} if zeros else _WRITTEN
    if isinstance(base, RawLayer):
        return _holes(overlay, base, kinds)
    if not isinstance(base, Clusters):
        return None
    step = granularity(Layers([overlay, base]))
    per, clusters, tables = base.head.cluster_bytes // step, 0, 0
    for number, start in enumerate(range(0, overlay.virtual_bytes, base.table_bytes)):
        end = min(overlay.virtual_bytes, start + base.table_bytes)
        taken = _taken(overlay, base, (start, end, step), kinds)
        fresh = int(np.add.reduceat(taken, np.arange(0, len(taken), per)).astype(np.bool_).sum()) if len(taken) else 0
        clusters += fresh
        tables += fresh > 0 and not (number < len(base.l1) and base.l1[number])
    return (clusters + tables) * base.head.cluster_bytes


def _taken(overlay: Clusters, base: Clusters, stretch: tuple[int, int, int], comes: frozenset[Holds]) -> _Flags:
    """Return, block by block of (start, end, step), whether something comes down where the base has no place yet."""
    start, end, step = stretch
    count = -(-(end - start) // step)
    if not any(overlay.l1[start // overlay.table_bytes : -(-end // overlay.table_bytes)]):
        return np.zeros(0, np.int64)
    held, _ = blocks(overlay, start, start + count * step, step)
    until = min(end, base.virtual_bytes)
    inside = max(0, -(-(until - start) // step))
    there = np.zeros(count, np.bool_)
    if inside:
        kinds, places = blocks(base, start, start + inside * step, step)
        there[:inside] = (places != 0) & (kinds != Holds.COMPRESSED)
    taken: _Flags = (np.isin(held, sorted(comes)) & ~there).astype(np.int64)
    return taken


def _holes(overlay: Clusters, base: RawLayer, comes: frozenset[Holds]) -> int | None:
    source = base.source
    if not isinstance(source, LocalFile):
        return None
    total = 0
    step = overlay.granularity * WINDOW
    for start in range(0, overlay.virtual_bytes, step):
        for run in overlay.runs(start, start + step):
            if run.holds in comes:
                total += source.holes(run.start, run.end)
    return total
