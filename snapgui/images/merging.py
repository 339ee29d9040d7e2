"""How much an image grows when the overlay above it is merged into it: what it does not hold yet, in whole clusters."""

import numpy as np

from snapgui.images.blocks import WINDOW, Places, blocks, granularity
from snapgui.images.clusters import Clusters, Holds
from snapgui.images.layers import Layer, Layers, RawLayer
from snapgui.images.source import LocalFile

_Flags = np.ndarray[tuple[int], np.dtype[np.int64]]


_WRITTEN = frozenset({Holds.DATA, Holds.COMPRESSED})


def growth(overlay: Clusters, base: Layer, *, zeros: bool = False) -> int | None:
    """Return bytes; None where nobody can tell which parts of a raw base are holes. Raises ImageError.

    What lies in a qcow2 base without taking room (``preallocation=metadata``) is known of local files alone.

    ``zeros``: QEMU writes zeros down like anything else, as it does (block/commit.c) unless the overlay is written to.
    """
    kinds = _WRITTEN | {Holds.ZEROS} if zeros else _WRITTEN
    if isinstance(base, RawLayer):
        return _holes(overlay, base, kinds)
    if not isinstance(base, Clusters):
        return None
    step = granularity(Layers([overlay, base]))
    per, clusters, tables, filled = base.head.cluster_bytes // step, 0, 0, 0
    for number, start in enumerate(range(0, overlay.virtual_bytes, base.table_bytes)):
        end = min(overlay.virtual_bytes, start + base.table_bytes)
        taken, places = _taken(overlay, base, (start, end, step), kinds)
        fresh = int(np.add.reduceat(taken, np.arange(0, len(taken), per)).astype(np.bool_).sum()) if len(taken) else 0
        clusters += fresh
        tables += fresh > 0 and not (number < len(base.l1) and base.l1[number])
        if len(places) and isinstance(base.source, LocalFile):
            filled += base.source.holes_at(places, step)
    return (clusters + tables) * base.head.cluster_bytes + filled


def _taken(
    overlay: Clusters, base: Clusters, stretch: tuple[int, int, int], comes: frozenset[Holds]
) -> tuple[_Flags, Places]:
    """Return, block by block of (start, end, step), whether something comes down where the base has no place yet.

    And the places in the base of what comes down where it has one: it may be a hole.
    """
    start, end, step = stretch
    count = -(-(end - start) // step)
    if not any(overlay.l1[start // overlay.table_bytes : -(-end // overlay.table_bytes)]):
        return np.zeros(0, np.int64), np.zeros(0, np.uint64)
    held, _ = blocks(overlay, start, start + count * step, step)
    until = min(end, base.virtual_bytes)
    inside = max(0, -(-(until - start) // step))
    there, where = np.zeros(count, np.bool_), np.zeros(count, np.uint64)
    if inside:
        kinds, where[:inside] = blocks(base, start, start + inside * step, step)
        there[:inside] = (where[:inside] != 0) & (kinds != Holds.COMPRESSED)
    down = np.isin(held, sorted(comes))
    return (down & ~there).astype(np.int64), where[down & there]


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
