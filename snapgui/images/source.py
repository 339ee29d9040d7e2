"""Where the bytes of an image come from: a size and ranged reads, nothing else."""

import contextlib
import errno
import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np

MOST_EXPECTED = 2**15
"""Pieces that are asked for at once; a crafted image could name millions."""
HEAD_BYTES = 4096
"""Holds the header of most qcow2 images and the path of their base."""
TOGETHER_BYTES = 2**20
"""No more of neighbours are read at once. Gaps do not pay: through a volume, 64 KiB take a third of a question."""


class ByteSource(Protocol):
    """An image file that can be read in pieces, wherever it lies."""

    @property
    def size(self) -> int:
        """Bytes in the file."""

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``; fewer only at the end of the file. Raises OSError."""

    def close(self) -> None:
        """Give it back."""


class Prefetched:
    """Reads the beginning of another source at once: where each read is a question to a daemon, a head takes one."""

    def __init__(self, source: ByteSource, length: int = HEAD_BYTES) -> None:
        self._source, self._length = source, length
        self._first: bytes | None = None
        self.size = source.size

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``; fewer only at the end of the file. Raises OSError."""
        if self._first is None:
            self._first = self._source.read(0, min(self._length, self.size))
        if offset + length <= len(self._first):
            return self._first[offset : offset + length]
        return self._source.read(offset, length)

    def close(self) -> None:
        """Give it back."""
        self._source.close()


class LocalFile:
    """A file or block device of this machine, opened for reading only; takes none of QEMU's locks.

    Raises OSError, also for anything else that an image may name as its base: a pipe would keep its reader waiting.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        mode = os.fstat(self._fd).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
            os.close(self._fd)
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(path))

    @property
    def size(self) -> int:
        """Bytes in the file (or on the block device)."""
        return os.lseek(self._fd, 0, os.SEEK_END)

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``; fewer only at the end of the file."""
        chunks = []
        while length > 0 and (chunk := os.pread(self._fd, length, offset)):
            chunks.append(chunk)
            offset, length = offset + len(chunk), length - len(chunk)
        return b"".join(chunks)

    def expect(self, offsets: Iterable[int], length: int) -> None:
        """Have the system fetch pieces that will be read soon, all at once: a disk is slow to be asked one by one."""
        with contextlib.suppress(OSError):  # it is a wish
            for offset in itertools.islice(offsets, MOST_EXPECTED):
                os.posix_fadvise(self._fd, offset, length, os.POSIX_FADV_WILLNEED)

    def holes(self, start: int, end: int) -> int:
        """Return how many bytes of a stretch take no room on the disk, those behind the end of the file included."""
        found, place = 0, start
        while place < end:
            try:
                begin = min(end, os.lseek(self._fd, place, os.SEEK_DATA))
            except OSError:  # nothing but a hole follows
                begin = end
            found += begin - place
            place = min(end, os.lseek(self._fd, begin, os.SEEK_HOLE)) if begin < end else end
        return found

    def holes_at(self, places: "np.ndarray[tuple[int], np.dtype[np.uint64]]", length: int) -> int:
        """Return the same for pieces of the file, of ``length`` bytes each."""
        starts = np.sort(places.astype(np.int64))
        first = np.flatnonzero(np.concatenate(([True], np.diff(starts) != length)))[: len(starts)]
        ends = np.append(starts[first[1:] - 1], starts[-1:]) + length
        return sum(self.holes(start, end) for start, end in zip(starts[first].tolist(), ends.tolist(), strict=True))

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()


def together(places: Iterable[int], length: int) -> Iterator[list[int]]:
    """Group places, which are in order, of pieces of one length: neighbours, to be read at once."""
    group: list[int] = []
    for place in places:
        if group and (place > group[-1] + length or place + length > group[0] + TOGETHER_BYTES):
            yield group
            group = []
        group.append(place)
    if group:
        yield group
