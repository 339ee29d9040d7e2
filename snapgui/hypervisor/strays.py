"""Files that may belong to nobody: whether they are there, who refers to them, who writes to them, and away with them.

Everything here errs on the side of keeping a file.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import stat
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

import libvirt
from lxml import etree

from snapgui.hypervisor import files, pools, volumes
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.faults import translated
from snapgui.hypervisor.statistics import SECTOR, is_local
from snapgui.hypervisor.xml import parse
from snapgui.model.errors import Broken, SnapguiError
from snapgui.model.text import QT_TRANSLATE_NOOP

_STATX = ctypes.CDLL(None).statx
_AT_FDCWD, _AT_SYMLINK_NOFOLLOW, _STATX_BTIME = -100, 0x100, 0x800
_STATX_SIZE, _BTIME_AT = 256, 80
"""``struct statx`` of <linux/stat.h>: its size, and where the time of birth stands in it."""
_PATHS = re.compile(r"""/[^,"'\s][^,"']*""")
"""Paths in the middle of an argument of ``<qemu:commandline>``: “file=/a/b.qcow2,if=virtio”."""
_QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"
_FLOCK = struct.Struct("hhqqi4x")
"""``struct flock`` of fcntl(2) on 64-bit Linux: type, whence, start, length, process."""


def size(connection: Connection, path: str) -> int | None:
    """Return the bytes on disk of a file, None where there is no such file; raise where nobody can tell."""
    if is_local(connection):
        with contextlib.suppress(PermissionError):
            return _local_size(path)
    with pools.pool_at(connection, str(PurePosixPath(path).parent)) as pool, translated():
        if PurePosixPath(path).name not in volumes.names_in(pool):
            return None
        return int(pool.storageVolLookupByName(PurePosixPath(path).name).info()[2])


def _local_size(path: str) -> int | None:
    """A link, a directory or a device at that place is nothing that a job makes; a socket is."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_blocks * SECTOR if stat.S_ISREG(found.st_mode) or stat.S_ISSOCK(found.st_mode) else None


def born(connection: Connection, path: str) -> datetime | None:
    """Return when a file was made, None where this machine or its file system does not know (statx(2))."""
    if not is_local(connection):
        return None
    found = ctypes.create_string_buffer(_STATX_SIZE)
    if _STATX(_AT_FDCWD, os.fsencode(path), _AT_SYMLINK_NOFOLLOW, _STATX_BTIME, found) != 0:
        return None
    if not struct.unpack_from("I", found, 0)[0] & _STATX_BTIME:
        return None
    seconds, nanoseconds = struct.unpack_from("qI", found, _BTIME_AT)
    if seconds <= 0:  # some file systems say so where they do not know
        return None
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=nanoseconds // 1000)


def is_written(connection: Connection, path: str) -> bool:
    """Whether a program of QEMU's has an image open, by its locks; False where this user may not look."""
    if not is_local(connection):
        return False
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            answer = fcntl.fcntl(file, fcntl.F_OFD_GETLK, asked)
        finally:
            os.close(file)
        return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)
    return False


def remove(connection: Connection, path: str) -> None:
    """Remove a file; raise where libvirt still makes it, or where it is still there afterwards."""
    with contextlib.suppress(libvirt.libvirtError):
        pool = connection.libvirt.storagePoolLookupByTargetPath(str(PurePosixPath(path).parent))
        _delete(pool, path)
    if size(connection, path) is not None and not files.remove(connection, path):
        with pools.pool_at(connection, str(PurePosixPath(path).parent)) as pool:
            _delete(pool, path)
    if size(connection, path) is not None:
        text = QT_TRANSLATE_NOOP("errors", "The file {path} could not be removed.")
        raise Broken(text.format(path=path))


def _delete(pool: Any, path: str) -> None:
    with contextlib.suppress(libvirt.libvirtError):  # where it copies something, its list is as new as can be
        pool.refresh(0)
    try:
        volume = pool.storageVolLookupByName(PurePosixPath(path).name)
    except libvirt.libvirtError:
        return
    with translated():
        volume.delete(0)


@dataclass(frozen=True, slots=True)
class Mention:
    """A path that a VM's documents name; ``image`` where it is a disk's, so that others may lie below it."""

    path: str
    vm: str
    image: bool


def mentions(connection: Connection) -> tuple[Mention, ...]:
    """Return every path that any VM names: as it runs, as it will start, and as its snapshots keep it.

    Raises where a VM cannot be read: what cannot be read may name anything.
    """
    with translated():
        domains = connection.libvirt.listAllDomains(0)
    found: dict[Mention, None] = {}
    for domain in domains:
        found.update(dict.fromkeys(_all_of(connection, domain)))
    return tuple(found)


def mentions_of(connection: Connection, vm_uuid: str) -> tuple[Mention, ...]:
    """Return every path that one VM names; raises where it cannot be read."""
    return tuple(dict.fromkeys(_all_of(connection, connection.domain(vm_uuid))))


def _all_of(connection: Connection, domain: Any) -> Iterator[Mention]:
    for text in _documents(domain):
        yield from _mentions(connection, parse(text), _name(domain))


def _name(domain: Any) -> str:
    name: str = domain.name()
    return name


def _documents(domain: Any) -> Iterator[str]:
    try:
        yield domain.XMLDesc(0)
        yield domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        for snapshot in domain.listAllSnapshots(0):
            yield snapshot.getXMLDesc(0)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:  # it vanished meanwhile
            with translated():
                raise
    with contextlib.suppress(libvirt.libvirtError):
        yield domain.managedSaveGetXMLDesc(0)


def _mentions(connection: Connection, root: etree._Element, vm: str) -> Iterator[Mention]:
    for element in root.iter(etree.Element):
        above = element.getparent()
        image = element.tag == "source" and above is not None and above.tag in {"disk", "backingStore"}
        for value in (*element.attrib.values(), (element.text or "").strip()):
            if value.startswith("/"):
                yield Mention(value, vm, image)
            elif str(element.tag).startswith(_QEMU):
                yield from (Mention(path, vm, image=True) for path in _PATHS.findall(value))
        if (pool := element.get("pool")) and (volume := element.get("volume")):
            path = volumes.path_of(connection, pool, volume)
            if path:
                yield Mention(path, vm, image=True)


def neighbours(connection: Connection, paths: Iterable[str]) -> tuple[str, ...]:
    """Return the files in the directories of these, where this user may look: a new image lies beside its base."""
    found: list[str] = []
    for directory in dict.fromkeys(str(PurePosixPath(path).parent) for path in paths) if is_local(connection) else ():
        with contextlib.suppress(OSError), os.scandir(directory) as entries:
            found += sorted(entry.path for entry in entries if entry.is_file(follow_symlinks=False))
    return tuple(found)


@contextlib.contextmanager
def seen(connection: Connection, paths: Iterable[str]) -> Iterator[None]:
    """Let image files that this user cannot read be seen through pools meanwhile."""
    hidden = [path for path in paths if _is_hidden(connection, path)] if pools.has_storage(connection) else []
    with contextlib.ExitStack() as stack:
        for directory in dict.fromkeys(str(PurePosixPath(path).parent) for path in hidden):
            with contextlib.suppress(SnapguiError):  # it is not there any more
                stack.enter_context(pools.pool_at(connection, directory))
        yield


def _is_hidden(connection: Connection, path: str) -> bool:
    if not is_local(connection):
        return True
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError as error:
        return error.errno in {errno.EACCES, errno.EPERM}
    return False
