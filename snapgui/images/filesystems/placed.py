"""Content that lies in places of a disk."""

import numpy as np

from snapgui.images.filesystems.filesystem import Disk, Numbers, read_exactly


def read_placed(disk: Disk, extents: Numbers, offset: int, length: int) -> bytes:
    """Return bytes of a file; ``extents`` are its rows as in ``FileSystem.extents``: what they leave out is zeros."""
    found = bytearray(length)
    first = int(np.searchsorted(extents[:, 0] + extents[:, 2], offset, "right"))
    behind = int(np.searchsorted(extents[:, 0], offset + length, "left"))
    for begin, place, count in extents[first:behind].tolist():
        low, high = max(begin, offset), min(begin + count, offset + length)
        found[low - offset : high - offset] = read_exactly(disk, place + low - begin, high - low)
    return bytes(found)
