"""What an image holds of a stretch of the disk, block by block, as arrays: for whole disks at once."""

import numpy as np

from snapgui.images.clusters import Clusters, Holds
from snapgui.images.layers import Layer, Layers

LARGEST_STEP = 2**16
"""Bytes; images without tables are looked at in blocks of this size."""
WINDOW = 2**16
"""Blocks that are looked at together: bounds the memory that is needed."""

Places = np.ndarray[tuple[int], np.dtype[np.uint64]]


def granularity(*views: Layers) -> int:
    """Return the size of the blocks in which disks are looked at, in bytes: the smallest cluster of any layer."""
    tabled = [layer.granularity for view in views for layer in view.layers if isinstance(layer, Clusters)]
    return min([LARGEST_STEP, *tabled])


def blocks(
    layer: Layer, start: int, end: int, step: int
) -> tuple["np.ndarray[tuple[int], np.dtype[np.uint8]]", Places]:
    """Return for each block of a stretch what one layer holds of it (``Holds``), and at which place of its file."""
    count = (end - start) // step
    holds, places = np.zeros(count, np.uint8), np.zeros(count, np.uint64)
    if not isinstance(layer, Clusters):
        holds[:] = Holds.DATA
        places[:] = start + step * np.arange(count, dtype=np.uint64)
        return holds, places
    for number in range(start // layer.table_bytes, -(-end // layer.table_bytes)):
        table = layer.table(number)
        if table is None:
            continue
        first, last = max(start, table.start), min(end, table.start + layer.table_bytes)
        per = table.granularity // step
        low, high = (first - table.start) // table.granularity, -(-(last - table.start) // table.granularity)
        kinds = np.repeat(table.holds[low:high], per)
        where = np.repeat(table.places[low:high], per)
        data = kinds == Holds.DATA
        where[data] += (np.uint64(step) * (np.arange(len(kinds), dtype=np.uint64) % np.uint64(per)))[data]
        skip = (first - table.start - low * table.granularity) // step
        wanted = slice((first - start) // step, (first - start) // step + -(-(last - first) // step))
        holds[wanted] = kinds[skip : skip + wanted.stop - wanted.start]
        places[wanted] = where[skip : skip + wanted.stop - wanted.start]
    return holds, places
