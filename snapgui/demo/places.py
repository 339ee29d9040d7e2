"""Where the demonstration keeps its files, and the lock that lets one run at a time use them."""

import fcntl
import os
import tempfile
from pathlib import Path

from snapgui.demo.errors import DemoUnavailable

LONGEST_ROOT = 40
"""Bytes. libvirt puts Unix sockets up to 60 bytes deeper, and their paths end at 107 (unix(7), sun_path)."""


class Lock:
    """The exclusive right to use a directory; the system takes it back when the process ends, however it ends.

    Raises DemoUnavailable if another run holds it.
    """

    def __init__(self, directory: Path) -> None:
        self._file = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            owner = os.pread(self._file, 20, 0).decode()
            os.close(self._file)
            raise DemoUnavailable(f"The demonstration is running already (process {owner}): close it first.") from held
        os.truncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Give the right back; a second time does nothing."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


def hypervisor_root(directory: Path) -> Path:
    """Return the directory of the hypervisor below `directory`, or a short one elsewhere that `directory` names."""
    root = directory / "h"
    if len(os.fsencode(root.absolute())) <= LONGEST_ROOT:
        root.mkdir(exist_ok=True)
        return root.absolute()
    note = directory / "root"
    if note.is_file() and _is_ours(known := Path(note.read_text())):
        return known
    root = Path(tempfile.mkdtemp(prefix="snapgui-", dir="/tmp"))  # short, and private by mkdtemp
    note.write_text(str(root))
    return root


def _is_ours(directory: Path) -> bool:
    return directory.is_dir() and not directory.is_symlink() and directory.stat().st_uid == os.getuid()
