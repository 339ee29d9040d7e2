"""Where the bytes of a new file go on this machine."""

import contextlib
import os
from types import TracebackType
from typing import Self


class LocalSink:
    """A new file that only its owner may read; raises FileExistsError where there is one of that name."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)

    def write(self, content: bytes) -> None:
        """Take the next bytes."""
        view = memoryview(content)
        while view:
            view = view[os.write(self._fd, view) :]

    def skip(self, length: int) -> None:
        """Leave the next bytes zero, and without room on the disk."""
        place = os.lseek(self._fd, length, os.SEEK_CUR)
        os.ftruncate(self._fd, place)

    def finish(self, first: bytes = b"") -> None:
        """Put ``first`` over the beginning of the file; have all of it on the disk."""
        if first:
            os.pwrite(self._fd, first, 0)
        os.fsync(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        os.close(self._fd)
        if kind is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108 - the path is a text in this file
