"""How much an image grows when the overlay above it is merged into it: what it does not hold yet, in whole clusters."""

import numpy as np

from snapgui.images.blocks import WINDOW, blocks, granularity
from snapgui.images.clusters import Clusters, Holds
from snapgui.images.layers import Layer, Layers, RawLayer
from snapgui.images.source import LocalFile

_Flags = np.ndarray[tuple[int], np.dtype[np.int64]]


def growth(overlay: Clusters, base: Layer) -> int | None:
    """Return bytes; None where nobody can tell which parts of a raw base are holes. Raises ImageError."""
    if isinstance(base, RawLayer):
        return _holes(overlay, base)
    if not isinstance(base, Clusters):
        return None
    step = granularity(Layers([overlay, base]))
    per, clusters, tables = base.head.cluster_bytes // step, 0, 0
    for number, start in enumerate(range(0, overlay.virtual_bytes, base.table_bytes)):
        end = min(overlay.virtual_bytes, start + base.table_bytes)
        taken = _taken(overlay, base, start, end, step)
        fresh = int(np.add.reduceat(taken, np.arange(0, len(taken), per)).astype(np.bool_).sum()) if len(taken) else 0
        clusters += fresh
        tables += fresh > 0 and not (number < len(base.l1) and base.l1[number])
    return (clusters + tables) * base.head.cluster_bytes


def _taken(overlay: Clusters, base: Clusters, start: int, end: int, step: int) -> _Flags:
    """Return, block by block, whether data comes down to where the base has no place for it yet."""
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
    taken: _Flags = (((held == Holds.DATA) | (held == Holds.COMPRESSED)) & ~there).astype(np.int64)
    return taken


def _holes(overlay: Clusters, base: RawLayer) -> int | None:
    source = base.source
    if not isinstance(source, LocalFile):
        return None
    total = 0
    step = overlay.granularity * WINDOW
    for start in range(0, overlay.virtual_bytes, step):
        for run in overlay.runs(start, start + step):
            if run.holds in {Holds.DATA, Holds.COMPRESSED}:
                total += source.holes(run.start, run.end)
    return total
