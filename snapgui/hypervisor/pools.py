"""Storage pools: the road to files of the hypervisor's machine that is open to every user and from everywhere."""

import contextlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from uuid import uuid4

import libvirt
from lxml import etree

from snapgui.hypervisor import files
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.faults import translated
from snapgui.hypervisor.volumes import Volume, in_pool
from snapgui.hypervisor.xml import dump, parse
from snapgui.model.errors import Refused, SnapguiError
from snapgui.model.text import QT_TRANSLATE_NOOP

PRIVATE = "0600"


@contextlib.contextmanager
def pool_at(connection: Connection, directory: str) -> Iterator[Any]:
    """Lend the pool of a directory, refreshed, or one that exists only meanwhile."""
    try:
        pool = connection.libvirt.storagePoolLookupByTargetPath(directory)
        pool.refresh(0)
    except libvirt.libvirtError:
        pool = None
    if pool is not None:
        yield pool
        return
    wanted = etree.Element("pool", type="dir")
    etree.SubElement(wanted, "name").text = f"snapgui-{uuid4()}"
    etree.SubElement(etree.SubElement(wanted, "target"), "path").text = directory
    with translated():
        pool = connection.libvirt.storagePoolCreateXML(dump(wanted), 0)
    try:
        yield pool
    finally:
        with contextlib.suppress(libvirt.libvirtError):
            pool.destroy()


def images_at(connection: Connection, directory: str) -> list[Volume]:
    """Return the files of a directory as libvirt sees them."""
    with pool_at(connection, directory) as pool, translated():
        return in_pool(pool)


def list_pools(connection: Connection) -> tuple[tuple[str, str], ...]:
    """Return (name, directory) of every active pool that is one."""
    found = []
    with contextlib.suppress(libvirt.libvirtError):
        for pool in connection.libvirt.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE):
            with contextlib.suppress(libvirt.libvirtError):
                path = parse(pool.XMLDesc(0)).findtext("target/path") or ""
                if path:
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
            found = PurePosixPath(path).name in pool.listVolumes()
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
        there = pool.listVolumes()
    if PurePosixPath(path).name in there:
        text = QT_TRANSLATE_NOOP("errors", "The file {path} exists already; nothing was changed.")
        raise Refused(text.format(path=path))
