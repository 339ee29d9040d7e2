"""The bytes of image files through libvirt's volumes: for files of other machines, or that this user cannot read."""

import contextlib
from dataclasses import dataclass
from typing import Any

import libvirt
from lxml import etree

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.xml import attribute, parse

_DIRECTORIES = (
    libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE
    | libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_DIR
    | libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_FS
    | libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_NETFS
)


class VolumeStream:
    """A libvirt volume, read in ranges by ``virStorageVolDownload``."""

    def __init__(self, connection: Connection, volume: Any) -> None:
        self._connection = connection
        self._volume = volume
        self.size = int(volume.info()[1] if volume.info()[0] == libvirt.VIR_STORAGE_VOL_BLOCK else _length(volume))

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes of the file (not of the disk in it); raises OSError when libvirt cannot."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        received = bytearray()
        try:
            stream = self._connection.libvirt.newStream(0)
            self._volume.download(stream, offset, length, 0)
            stream.recvAll(_append, received)
            stream.finish()
        except libvirt.libvirtError as error:
            raise OSError(str(error)) from error
        return bytes(received)

    def close(self) -> None:
        """Nothing is kept open between reads."""


def _append(_stream: Any, chunk: bytes, received: bytearray) -> int:
    received.extend(chunk)
    return 0


def _length(volume: Any) -> int:
    """Return the length of the image file itself: ``capacity`` in a volume's XML is that of the disk within."""
    info = volume.infoFlags(libvirt.VIR_STORAGE_VOL_GET_PHYSICAL)
    return int(info[2])


def open_volume(connection: Connection, path: str) -> VolumeStream | None:
    """Return the bytes of an image file that lies in an active pool, or None where it does not."""
    try:
        return VolumeStream(connection, connection.libvirt.storageVolLookupByPath(path))
    except libvirt.libvirtError:
        return None


@dataclass(frozen=True, slots=True)
class Volume:
    """One file of a storage pool, as libvirt describes it."""

    path: str
    pool: str
    format: str = ""
    base: str = ""
    base_format: str = ""


def refresh(connection: Connection) -> None:
    """Have the pools that are directories look again; one that is being worked in stays as it is."""
    with contextlib.suppress(libvirt.libvirtError):
        for pool in connection.libvirt.listAllStoragePools(_DIRECTORIES):
            with contextlib.suppress(libvirt.libvirtError):
                pool.refresh(0)


def list_volumes(connection: Connection) -> tuple[Volume, ...]:
    """Return the files of all active pools; what vanishes meanwhile is left out."""
    found: list[Volume] = []
    with contextlib.suppress(libvirt.libvirtError):
        for pool in connection.libvirt.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE):
            with contextlib.suppress(libvirt.libvirtError):
                found += in_pool(pool)
    return tuple(found)


def in_pool(pool: Any) -> list[Volume]:
    """Return the files of one pool; what vanishes meanwhile is left out."""
    found = []
    for volume in pool.listAllVolumes(0):
        with contextlib.suppress(libvirt.libvirtError):
            found.append(_volume(pool.name(), parse(volume.XMLDesc(0))))
    return found


def _volume(pool: str, root: etree._Element) -> Volume:
    return Volume(
        path=root.findtext("target/path") or "",
        pool=pool,
        format=attribute(root, "target/format", "type"),
        base=root.findtext("backingStore/path") or "",
        base_format=attribute(root, "backingStore/format", "type"),
    )


def path_of(connection: Connection, pool: str, name: str) -> str:
    """Return the path of a pool's file, or an empty text where there is none."""
    with contextlib.suppress(libvirt.libvirtError):
        path: str = connection.libvirt.storagePoolLookupByName(pool).storageVolLookupByName(name).path()
        return path
    return ""
