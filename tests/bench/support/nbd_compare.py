"""Read two NBD exports of the same size and compare them, as one would with libnbd: holes of both are not read.

Run by the system's Python, which has libnbd: nbd_compare.py SOCKET SOCKET. Prints how many bytes differ, by blocks of
64 KiB.
"""

import sys

import nbd
import numpy as np

PIECE, BLOCK = 2**22, 2**16
LONGEST = 2**30
HOLE_AND_ZERO = 3


def opened(socket):
    handle = nbd.NBD()
    handle.add_meta_context("base:allocation")
    handle.connect_unix(socket)
    return handle


def data(handle):
    """Yield (start, end) of what is not known to be zeros."""
    size, offset, found = handle.get_size(), 0, []
    while offset < size:
        found.clear()
        handle.block_status(min(LONGEST, size - offset), offset, lambda *answer: found.extend(answer[2]))
        for length, flags in zip(found[::2], found[1::2], strict=True):
            if flags & HOLE_AND_ZERO != HOLE_AND_ZERO:
                yield offset, min(size, offset + length)
            offset += length


def united(one, other):
    """Yield the ranges of either, merged."""
    last = [0, 0]
    for start, end in sorted([*one, *other]):
        if start > last[1]:
            yield tuple(last)
            last = [start, end]
        last[1] = max(last[1], end)
    yield tuple(last)


def main():
    one, other = (opened(socket) for socket in sys.argv[1:3])
    differs = 0
    for start, end in united(data(one), data(other)):
        for offset in range(start, end, PIECE):
            length = min(PIECE, end - offset)
            views = (np.frombuffer(each.pread(length, offset), np.uint64) for each in (one, other))
            blocks = [view.reshape(-1, BLOCK // 8) for view in views]
            differs += int((blocks[0] != blocks[1]).any(axis=1).sum()) * BLOCK
    print(differs)


main()
