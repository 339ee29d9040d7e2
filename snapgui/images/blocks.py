"""What an image holds of a stretch of the disk, block by block, as arrays: for whole disks at once."""

from collections.abc import Iterator

import numpy as np

from snapgui.images.clusters import Clusters, Holds
from snapgui.images.layers import Layer, Layers

LARGEST_STEP = 2**16
"""Bytes; images without tables are looked at in blocks of this size."""
WINDOW = 2**16
"""Blocks that are looked at together: bounds the memory that is needed."""

Kinds = np.ndarray[tuple[int], np.dtype[np.uint8]]
Places = np.ndarray[tuple[int], np.dtype[np.uint64]]


def granularity(*views: Layers) -> int:
    """Return the size of the blocks in which disks are looked at, in bytes: the smallest cluster of any layer."""
    tabled = [layer.granularity for view in views for layer in view.layers if isinstance(layer, Clusters)]
    return min([LARGEST_STEP, *tabled])


def blocks(layer: Layer, start: int, end: int, step: int) -> tuple[Kinds, Places]:
    """Return for each block of a stretch what one layer holds of it (``Holds``), and at which place of its file."""
    count = (end - start) // step
    holds, places = np.zeros(count, np.uint8), np.zeros(count, np.uint64)
    for first, kinds, where in pieces(layer, start, end, step):
        holds[first : first + len(kinds)] = kinds
        places[first : first + len(kinds)] = where
    return holds, places


def pieces(layer: Layer, start: int, end: int, step: int) -> Iterator[tuple[int, Kinds, Places]]:
    """Yield the same as (number of the first block, holds, places) for each table that there is: most disks are sparse.

    The arrays may be the table's own, and are only to be read.
    """
    if not isinstance(layer, Clusters):
        count = (end - start) // step
        where = np.uint64(start) + np.uint64(step) * np.arange(count, dtype=np.uint64)
        yield 0, np.full(count, Holds.DATA, np.uint8), where
        return
    for number in range(start // layer.table_bytes, -(-end // layer.table_bytes)):
        table = layer.table(number)
        if table is None:
            continue
        first, last = max(start, table.start), min(end, table.start + layer.table_bytes)
        per = table.granularity // step
        low, high = (first - table.start) // table.granularity, -(-(last - table.start) // table.granularity)
        kinds, where = table.holds[low:high], table.places[low:high]
        if per > 1:
            kinds, where = np.repeat(kinds, per), np.repeat(where, per)
            data = kinds == Holds.DATA
            where[data] += (np.uint64(step) * (np.arange(len(kinds), dtype=np.uint64) % np.uint64(per)))[data]
        skip = (first - table.start - low * table.granularity) // step
        wanted = slice(skip, skip + -(-(last - first) // step))
        yield (first - start) // step, kinds[wanted], where[wanted]
