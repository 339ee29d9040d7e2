"""Files beside the images, on the hypervisor's machine: what is there, how much room, and how to remove one.

Locally by the file system where this user may look; else through libvirt's storage pools, which are refreshed first.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import libvirt

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.statistics import is_local
from snapgui.hypervisor.volumes import names_in
from snapgui.model.records import Directory

_SYNCFS = ctypes.CDLL(None).syncfs


def look(connection: Connection, directory: str) -> Directory:
    """Return what lies in a directory and how much room it has; None for what nobody tells."""
    if is_local(connection):
        with contextlib.suppress(OSError):
            system = os.statvfs(directory)
            free = system.f_bavail * system.f_frsize
            names = frozenset(entry.name for entry in Path(directory).iterdir())
            return Directory(directory, names, free, _writable(connection, directory))
    pool = _pool(connection, directory)
    if pool is None:
        return Directory(directory)
    names = frozenset(names_in(pool))
    return Directory(directory, names, int(pool.info()[3]))


def _writable(connection: Connection, directory: str) -> bool | None:
    """A hypervisor of the user's own may do what the user may; of the system's own nobody can tell."""
    own = connection.uri.partition("?")[0].endswith("/session")
    return os.access(directory, os.W_OK | os.X_OK) if own else None


def exists(connection: Connection, path: str) -> bool | None:
    """Whether a file exists, or None where nobody tells."""
    names = look(connection, str(PurePosixPath(path).parent)).names
    return None if names is None else PurePosixPath(path).name in names


def remove(connection: Connection, path: str) -> bool:
    """Remove a file; return whether it is gone. Raises nothing for one that is not there."""
    if is_local(connection):
        with contextlib.suppress(FileNotFoundError, PermissionError):
            Path(path).unlink()
        if exists(connection, path) is False:
            return True
    pool = _pool(connection, str(PurePosixPath(path).parent))
    if pool is None:
        return False
    with contextlib.suppress(libvirt.libvirtError):
        pool.storageVolLookupByName(PurePosixPath(path).name).delete(0)
    return exists(connection, path) is False


def flush(path: str) -> bool:
    """Have what the system still holds of a local file written to the disk; return whether that could be asked for.

    libvirt's own files of memory are root's: where this user may not open the file, its file system is flushed.
    """
    with contextlib.suppress(PermissionError), _opened(path) as file:
        os.fdatasync(file)
        return True
    device = Path(path).stat().st_dev
    for place in Path(path).parents:
        with contextlib.suppress(PermissionError), _opened(place) as directory:
            return os.fstat(directory).st_dev == device and _SYNCFS(directory) == 0
    return False


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[int]:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield file
    finally:
        os.close(file)


def _pool(connection: Connection, directory: str) -> Any | None:
    """Return the active pool of a directory with a fresh list of its files."""
    try:
        pool = connection.libvirt.storagePoolLookupByTargetPath(directory)
        pool.refresh(0)
    except libvirt.libvirtError:
        return None
    return pool
