"""The other end of a guest's serial port that leads to a terminal of the host, used like a connected socket."""

import os
import select
import tty
from pathlib import Path


class Terminal:
    """A pseudoterminal that QEMU has opened; its path is another one after each start of the VM."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._file)
        self._timeout_s = 0.0

    def settimeout(self, seconds: float) -> None:
        """Say for how long ``recv`` waits."""
        self._timeout_s = seconds

    def sendall(self, data: bytes) -> None:
        """Write everything; raises ConnectionError where QEMU is gone."""
        while data:
            try:
                data = data[os.write(self._file, data) :]
            except OSError as error:
                raise ConnectionResetError from error

    def recv(self, most: int) -> bytes:
        """Return what has come, at most so many bytes; raises TimeoutError for nothing, ConnectionError at the end."""
        if not select.select([self._file], [], [], self._timeout_s)[0]:
            raise TimeoutError
        try:
            return os.read(self._file, most)
        except OSError as error:
            raise ConnectionResetError from error

    def close(self) -> None:
        """Close it; nothing else may be called afterwards."""
        os.close(self._file)
