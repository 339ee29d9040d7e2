"""Storage pools: the road to files of the hypervisor's machine that is open to every user and from everywhere."""

import contextlib
import posixpath
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from uuid import uuid4

import libvirt
from lxml import etree

from snapgui.hypervisor import files
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.faults import translated
from snapgui.hypervisor.volumes import PASSING, Volume, in_pool, names_in
from snapgui.hypervisor.xml import dump, parse
from snapgui.model.errors import Refused, SnapguiError
from snapgui.model.text import QT_TRANSLATE_NOOP

PRIVATE = "0600"
LONGEST_WAIT_S = 20.0
LOOK_S = 0.1
_CONFLICT = "conflict"
"""libvirt has only one pool for each directory: “Storage source conflict with pool: …”."""
PROCESS = f"snapgui-{uuid4()}"
"""How the names of the pools begin that this process makes; the history knows whose they were."""


@contextlib.contextmanager
def pool_at(connection: Connection, directory: str) -> Iterator[Any]:
    """Lend the pool of a directory, refreshed, or one that exists only meanwhile."""
    directory = posixpath.normpath(directory)
    with _loans.borrow(connection, directory) as pool:
        with contextlib.suppress(libvirt.libvirtError):  # another thread makes a volume in it right now
            pool.refresh(0)
        yield pool


class _Loans:
    """Pools that this process made for a while: the last one who uses one takes it away again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: dict[tuple[str, str], int] = {}

    @contextlib.contextmanager
    def borrow(self, connection: Connection, directory: str) -> Iterator[Any]:
        key = (connection.uri, directory)
        pool, lent = self._take(connection, key)
        try:
            yield pool
        finally:
            if lent:
                self._give_back(pool, key)

    def _take(self, connection: Connection, key: tuple[str, str]) -> tuple[Any, bool]:
        until = time.monotonic() + LONGEST_WAIT_S
        while True:
            with self._lock:
                pool = _at(connection, key[1])
                if key in self._users and pool is not None:
                    self._users[key] += 1
                    return pool, True
                if pool is None and (pool := _made(connection, key[1], last=time.monotonic() > until)) is not None:
                    self._users[key] = 1
                    return pool, True
            # Another process' pool for a while would be taken away under us.
            if pool is not None and (not pool.name().startswith(PASSING) or time.monotonic() > until):
                return pool, False
            time.sleep(LOOK_S)

    def _give_back(self, pool: Any, key: tuple[str, str]) -> None:
        with self._lock:
            self._users[key] -= 1
            if self._users[key] == 0:
                del self._users[key]
                with contextlib.suppress(libvirt.libvirtError):
                    pool.destroy()


_loans = _Loans()


def _at(connection: Connection, directory: str) -> Any | None:
    try:
        return connection.libvirt.storagePoolLookupByTargetPath(directory)
    except libvirt.libvirtError:
        return None


def _made(connection: Connection, directory: str, *, last: bool) -> Any | None:
    """Make a pool; None where another process was faster, unless this is the ``last`` attempt."""
    wanted = etree.Element("pool", type="dir")
    etree.SubElement(wanted, "name").text = f"{PROCESS}-{secrets.token_hex(4)}"
    etree.SubElement(etree.SubElement(wanted, "target"), "path").text = directory
    try:
        with translated():
            return connection.libvirt.storagePoolCreateXML(dump(wanted), 0)
    except SnapguiError as error:
        if last or _CONFLICT not in error.detail:
            raise
        return None


def names_beginning(connection: Connection, start: str) -> tuple[str, ...]:
    """Return the names of the active pools that begin so."""
    found: list[str] = []
    with contextlib.suppress(libvirt.libvirtError):
        names: list[str] = connection.libvirt.listStoragePools()
        found = sorted(name for name in names if name.startswith(start))
    return tuple(found)


def take_down(connection: Connection, name: str) -> None:
    """Let a pool be no more; its files stay. One that is in the middle of something libvirt refuses to take down."""
    try:
        pool = connection.libvirt.storagePoolLookupByName(name)
    except libvirt.libvirtError:  # it is gone already
        return
    with translated():
        pool.destroy()


def refresh_at(connection: Connection, directory: str) -> bool:
    """Let the pool of a directory look for files that others have made; return whether there is one."""
    with contextlib.suppress(libvirt.libvirtError):
        connection.libvirt.storagePoolLookupByTargetPath(directory).refresh(0)
        return True
    return False


def images_at(connection: Connection, directory: str) -> list[Volume]:
    """Return the files of a directory as libvirt sees them."""
    with pool_at(connection, directory) as pool, translated():
        return in_pool(pool)


@contextlib.contextmanager
def listed_at(connection: Connection, directory: str) -> Iterator[frozenset[str]]:
    """Lend the paths of the files of a directory; while they are lent, their volumes can be opened."""
    with pool_at(connection, directory) as pool:
        with translated():
            names = names_in(pool)
        yield frozenset(posixpath.join(directory, name) for name in names)


def list_pools(connection: Connection) -> tuple[tuple[str, str], ...]:
    """Return (name, directory) of every active pool that is one, without those that exist only for a while."""
    found = []
    with contextlib.suppress(libvirt.libvirtError):
        for pool in connection.libvirt.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE):
            with contextlib.suppress(libvirt.libvirtError):
                path = parse(pool.XMLDesc(0)).findtext("target/path") or ""
                if path and not pool.name().startswith(PASSING):
                    found.append((pool.name(), path))
    return tuple(found)


def has_storage(connection: Connection) -> bool:
    """Whether the hypervisor has pools at all: an embedded one has none."""
    try:
        connection.libvirt.numOfStoragePools()
    except libvirt.libvirtError:
        return False
    return True


def exists(connection: Connection, path: str) -> bool:
    """Whether a file exists, by its directory where this user may look, else by a pool."""
    found = files.exists(connection, path)
    if found is None:
        with pool_at(connection, str(PurePosixPath(path).parent)) as pool, translated():
            found = PurePosixPath(path).name in names_in(pool)
    return found


def remove(connection: Connection, path: str) -> bool:
    """Remove a file, by a pool where this user may not; return whether it is gone."""
    if files.remove(connection, path):
        return True
    try:
        with pool_at(connection, str(PurePosixPath(path).parent)) as pool, translated():
            volume = pool.storageVolLookupByName(PurePosixPath(path).name)
            if volume.info()[0] == libvirt.VIR_STORAGE_VOL_FILE:
                volume.delete(0)
        return not exists(connection, path)
    except SnapguiError:
        return False


def layer(connection: Connection, path: str, base: str, base_format: str) -> None:
    """Make an empty qcow2 image over ``base``; raises Refused where the file exists."""
    wanted = _volume(path)
    below = etree.SubElement(wanted, "backingStore")
    etree.SubElement(below, "path").text = base
    etree.SubElement(below, "format", type=base_format)
    with pool_at(connection, str(PurePosixPath(path).parent)) as pool:
        _refuse_existing(pool, path)
        with translated():
            pool.createXML(dump(wanted), 0)


@contextlib.contextmanager
def new_volume(connection: Connection, path: str, length: int) -> Iterator[Any]:
    """Lend a new raw volume of that many bytes, without room on the disk yet; it is gone again where that fails."""
    wanted = _volume(path, "raw")
    etree.SubElement(wanted, "capacity").text = str(length)
    etree.SubElement(wanted, "allocation").text = "0"
    with pool_at(connection, str(PurePosixPath(path).parent)) as pool:
        _refuse_existing(pool, path)
        with translated():
            volume = pool.createXML(dump(wanted), 0)
        try:
            yield volume
        except BaseException:
            with contextlib.suppress(libvirt.libvirtError):
                volume.delete(0)
            raise
        with contextlib.suppress(libvirt.libvirtError):
            pool.refresh(0)  # so that libvirt sees what became of it


def copy(connection: Connection, path: str, source: str, image_format: str = "qcow2") -> None:
    """Copy all that an image and its bases hold into a new file; nothing may write to the image meanwhile."""
    origin, place = str(PurePosixPath(source).parent), str(PurePosixPath(path).parent)
    with pool_at(connection, origin) as from_pool, _second(connection, place, origin, from_pool) as pool:
        _refuse_existing(pool, path)
        with translated():
            volume = from_pool.storageVolLookupByName(PurePosixPath(source).name)
            wanted = _volume(path, image_format)
            etree.SubElement(wanted, "capacity").text = str(volume.info()[1])
            pool.createXMLFrom(dump(wanted), volume, 0)


@contextlib.contextmanager
def _second(connection: Connection, directory: str, other: str, pool: Any) -> Iterator[Any]:
    """libvirt has only one pool for each directory."""
    if directory == other:
        yield pool
    else:
        with pool_at(connection, directory) as found:
            yield found


def _volume(path: str, image_format: str = "qcow2") -> etree._Element:
    wanted = etree.Element("volume")
    etree.SubElement(wanted, "name").text = PurePosixPath(path).name
    target = etree.SubElement(wanted, "target")
    etree.SubElement(target, "format", type=image_format)
    if image_format == "qcow2":
        etree.SubElement(target, "compat").text = "1.1"
    etree.SubElement(etree.SubElement(target, "permissions"), "mode").text = PRIVATE
    return wanted


def _refuse_existing(pool: Any, path: str) -> None:
    with translated():
        there = names_in(pool)
    if PurePosixPath(path).name in there:
        text = QT_TRANSLATE_NOOP("errors", "The file {path} exists already; nothing was changed.")
        raise Refused(text.format(path=path))
