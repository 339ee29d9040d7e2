"""Which of many small places differ between two views of a disk: read together, where they lie close to one another.

What an image tells to have changed is as coarse as its clusters, and many small files share one.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.filesystem import Disk, Numbers, read_exactly
from snapgui.images.filesystems.ranges import Ranges

FINE_BYTES = 1024
"""The least block of a filesystem, mostly: places begin and end at one."""
STEP_BYTES = 4 * 2**20
GAP_BYTES = 32 * 2**10
"""Read along rather than left out."""
MOST_BYTES = 2**30
"""Where more would have to be read, all places are told to differ, and are compared when it is their turn."""


def unlike(before: Disk, after: Disk, starts: Numbers, ends: Numbers, changed: Ranges) -> NDArray[np.bool_]:
    """Return for each place whether it differs (at least: where it lies in ``changed`` and too much would be read)."""
    close = Ranges(np.stack([starts // FINE_BYTES * FINE_BYTES, ends + GAP_BYTES], axis=1))
    spans = [
        span
        for low, high in zip(close.starts.tolist(), close.ends.tolist(), strict=True)
        for span in changed.within(low, min(high, before.size, after.size))
    ]
    if sum(high - low for low, high in spans) > MOST_BYTES:
        return np.ones(len(starts), dtype=bool)
    found = [pair for low, high in spans for pair in _differences(before, after, low, high)]
    return Ranges(found).touched(starts, ends)


def _differences(before: Disk, after: Disk, low: int, high: int) -> Iterator[tuple[int, int]]:
    low = low // FINE_BYTES * FINE_BYTES
    for at in range(low, high, STEP_BYTES):
        length = min(STEP_BYTES, high - at)
        old, new = read_exactly(before, at, length), read_exactly(after, at, length)
        if old != new:
            yield from ((at + begin, at + end) for begin, end in _unequal(old, new))


def _unequal(old: bytes, new: bytes) -> Iterator[tuple[int, int]]:
    whole = -(-len(old) // FINE_BYTES) * FINE_BYTES
    pair = [np.frombuffer(each.ljust(whole, b"\0"), np.uint64).reshape(-1, FINE_BYTES // 8) for each in (old, new)]
    differs = np.any(pair[0] != pair[1], axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], differs, [False]]).astype(np.int8))).tolist()
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        yield begin * FINE_BYTES, end * FINE_BYTES
