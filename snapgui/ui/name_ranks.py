"""The order of very many names, without ever holding up other threads: numpy sorts numbers of fixed width.

Python's own sort of a million texts would let no other thread run for seconds. Knows nothing of Qt.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

WIDTH = 24
"""Bytes of a name that are compared at a time."""
LONGEST = 480
"""Bytes of a name that are looked at; what is the same up to there keeps the order in which it came."""
STEP = 4096
"""Names that are encoded before others may have a turn."""


def _nobody_waits() -> None:
    """Let nobody else have a turn."""


def ranks(names: Sequence[str], count: int, pause: Callable[[], None] = _nobody_waits) -> NDArray[np.int64]:
    """Return a number for each of the first ``count`` names that sorts as the name does, upper and lower case alike.

    ``pause`` is called often; what it raises ends the work.
    """
    found = np.zeros(count, np.int64)
    rows = np.arange(count)
    for offset in range(0, LONGEST, WIDTH):
        keys = _keys(names, rows, offset, pause)
        order = np.lexsort((keys, found[rows]))
        rows, keys = rows[order], keys[order]
        ranked = found[rows]
        fresh = np.ones(len(rows), bool)
        fresh[1:] = (ranked[1:] != ranked[:-1]) | (keys[1:] != keys[:-1])
        group = np.flatnonzero(fresh)[np.cumsum(fresh) - 1]  # where each run of equal names begins
        start = np.maximum.accumulate(np.where(np.r_[True, ranked[1:] != ranked[:-1]], np.arange(len(rows)), 0))
        found[rows] = ranked + group - start
        sizes = np.diff(np.r_[np.flatnonzero(fresh), len(rows)])
        again = (sizes[np.cumsum(fresh) - 1] > 1) & (keys != b"")
        rows = rows[again]
        if len(rows) == 0:
            break
    return found


def _keys(names: Sequence[str], rows: NDArray[np.int64], offset: int, pause: Callable[[], None]) -> NDArray[np.bytes_]:
    keys = np.zeros(len(rows), f"S{WIDTH}")
    for at in range(0, len(rows), STEP):
        pause()
        part = rows[at : at + STEP].tolist()
        keys[at : at + len(part)] = list(_pieces(names, part, offset))
    return keys


def _pieces(names: Sequence[str], rows: list[int], offset: int) -> Iterator[bytes]:
    """Yield the bytes of names from a place on; a slash sorts before all else, as directories within one another do."""
    for row in rows:
        name = names[row]
        if offset < 4 * len(name):  # a letter has at most four bytes
            folded = name[:LONGEST].casefold().replace("/", "\x01").encode("utf-8", "surrogateescape")
            yield folded[offset : offset + WIDTH]
        else:
            yield b""
