"""Places of a disk, as sorted ranges of bytes: asked for many places at once."""

from collections.abc import Iterable, Iterator
from typing import Self

import numpy as np
from numpy.typing import NDArray

_FAR = 2**62


class Ranges:
    """A set of bytes of a disk. ``pairs`` are rows of (first byte, byte behind the last), in any order."""

    def __init__(self, pairs: Iterable[tuple[int, int]] | NDArray[np.int64] = ()) -> None:
        given = pairs if isinstance(pairs, np.ndarray) else np.array(list(pairs), dtype=np.int64)
        self.starts, self.ends = _merged(given.reshape(-1, 2))

    @classmethod
    def everything(cls) -> Self:
        """Return what holds every byte."""
        return cls([(0, _FAR)])

    def __bool__(self) -> bool:
        return len(self.starts) > 0

    def __or__(self, other: "Ranges") -> "Ranges":
        if not other:
            return self
        both = (np.concatenate([self.starts, other.starts]), np.concatenate([self.ends, other.ends]))
        return Ranges(np.stack(both, axis=1))

    def touched(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for each place whether any of its bytes is in the set."""
        first = np.searchsorted(self.ends, starts, "right")
        behind = np.searchsorted(self.starts, ends, "left")
        return (first < behind) & (starts < ends)

    def touches(self, start: int, end: int) -> bool:
        """Whether any byte of one place is in the set."""
        return next(self.within(start, end), None) is not None

    def within(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield what of the set lies in one place."""
        at = int(np.searchsorted(self.ends, start, "right"))
        while at < len(self.starts) and self.starts[at] < end and start < end:
            yield max(start, int(self.starts[at])), min(end, int(self.ends[at]))
            at += 1


def _merged(pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    starts, ends = pairs[:, 0], np.maximum.accumulate(pairs[:, 1])
    apart = np.ones(len(pairs), dtype=bool)
    apart[1:] = starts[1:] > ends[:-1]
    last = np.append(np.flatnonzero(apart)[1:] - 1, len(pairs) - 1)[: int(apart.sum())]
    return starts[apart], ends[last]
