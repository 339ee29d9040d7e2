"""The bytes of image files through libvirt's volumes: for files of other machines, or that this user cannot read."""

import contextlib
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import libvirt
from lxml import etree

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.xml import attribute, parse

_PIECE = 2**18
"""Bytes that go into one message; libvirt's largest is 4 MiB, and for older ones 256 KiB."""
PASSING = "snapgui-"
"""With this begin the names of pools that this program makes for a moment."""
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


class VolumeSink:
    """A new volume that takes the bytes of a file in order, by ``virStorageVolUpload``; raises OSError."""

    def __init__(self, connection: Connection, volume: Any) -> None:
        self._connection = connection
        self._volume = volume
        self._stream: Any = None
        self._place = 0

    def write(self, content: bytes) -> None:
        """Take the next bytes."""
        with _as_os_error():
            if self._stream is None:
                self._stream = self._connection.libvirt.newStream(0)
                self._volume.upload(self._stream, self._place, 0, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
            send_all(self._stream, content)
        self._place += len(content)

    def skip(self, length: int) -> None:
        """Leave the next bytes zero."""
        self._place += length
        if self._stream is not None:
            with _as_os_error():
                self._stream.sendHole(length, 0)

    def finish(self, first: bytes = b"") -> None:
        """Put ``first`` over the beginning of the file; libvirt writes all of it before it answers."""
        with _as_os_error():
            if self._stream is not None:
                stream, self._stream = self._stream, None
                stream.finish()
            if first:
                stream = self._connection.libvirt.newStream(0)
                self._volume.upload(stream, 0, len(first), 0)
                send_all(stream, first)
                stream.finish()

    def abort(self) -> None:
        """Take no more; the volume stays as it is."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(libvirt.libvirtError):
                stream.abort()


def send_all(stream: Any, content: bytes) -> None:
    """Put bytes into a stream that was opened for that; raises OSError, or libvirt's own error."""
    view = memoryview(content)
    while view:
        sent = stream.send(bytes(view[:_PIECE]))
        if sent < 0:
            raise OSError("libvirt takes no more of the file")
        view = view[sent:]


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except libvirt.libvirtError as error:
        raise OSError(str(error)) from error


def open_volume(connection: Connection, path: str) -> VolumeStream | None:
    """Return the bytes of an image file that lies in an active pool, or None where it does not."""
    try:
        return VolumeStream(connection, connection.libvirt.storageVolLookupByPath(path))
    except libvirt.libvirtError:
        return None


def changed_at(connection: Connection, path: str) -> str:
    """Return when a file of an active pool was written to last, in libvirt's words, and its size; else nothing."""
    with contextlib.suppress(libvirt.libvirtError, UnicodeDecodeError):
        volume = connection.libvirt.storageVolLookupByPath(path)
        root = parse(volume.XMLDesc(0))
        when = root.findtext("target/timestamps/mtime")
        return f"{when} {root.findtext('physical')}" if when else ""
    return ""


@dataclass(frozen=True, slots=True)
class Volume:
    """One file of a storage pool, as libvirt describes it; ``changed`` is when it was written to last, in its words."""

    path: str
    pool: str
    format: str = ""
    base: str = ""
    base_format: str = ""
    changed: str = ""


def _nobody_knows(_path: str) -> None:
    """Everything is read."""


def refresh(connection: Connection) -> None:
    """Have the pools that are directories look again; one that is being worked in stays as it is."""
    with contextlib.suppress(libvirt.libvirtError):
        for pool in connection.libvirt.listAllStoragePools(_DIRECTORIES):
            with contextlib.suppress(libvirt.libvirtError):
                pool.refresh(0)


def list_volumes(connection: Connection) -> tuple[Volume, ...]:
    """Return the files of all active pools; what vanishes meanwhile is left out."""
    return tuple(each_volume(connection))


def each_volume(connection: Connection, known: Callable[[str], Volume | None] = _nobody_knows) -> Iterator[Volume]:
    """Yield the files of all active pools, read one by one; what vanishes meanwhile is left out.

    What ``known`` returns for a path is not read again.
    """
    with contextlib.suppress(libvirt.libvirtError):
        for pool in connection.libvirt.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE):
            with contextlib.suppress(libvirt.libvirtError):
                directory = parse(pool.XMLDesc(0)).findtext("target/path") or ""
                for name in names_in(pool):
                    volume = known(f"{directory}/{name}") or _read_volume(pool, name)
                    if volume is not None:
                        yield volume


def _read_volume(pool: Any, name: str) -> Volume | None:
    with contextlib.suppress(libvirt.libvirtError, UnicodeDecodeError):
        return _volume(pool.name(), parse(pool.storageVolLookupByName(name).XMLDesc(0)))
    return None


def names_in(pool: Any) -> list[str]:
    """Return the names of the files of a pool, without those that are no text: no VM can have one of these."""
    found: list[str] = []
    for volume in pool.listAllVolumes(0):
        with contextlib.suppress(UnicodeDecodeError):
            found.append(volume.name())
    return found


def in_pool(pool: Any) -> list[Volume]:
    """Return the files of one pool; what vanishes meanwhile is left out."""
    found = []
    for volume in pool.listAllVolumes(0):
        with contextlib.suppress(libvirt.libvirtError, UnicodeDecodeError):
            found.append(_volume(pool.name(), parse(volume.XMLDesc(0))))
    return found


def _volume(pool: str, root: etree._Element) -> Volume:
    return Volume(
        path=root.findtext("target/path") or "",
        pool=pool,
        format=attribute(root, "target/format", "type"),
        base=root.findtext("backingStore/path") or "",
        base_format=attribute(root, "backingStore/format", "type"),
        changed=root.findtext("target/timestamps/mtime") or "",
    )


def pool_of(connection: Connection, path: str) -> str:
    """Return the name of the pool in which a file lies, or an empty text where it is in none."""
    with contextlib.suppress(libvirt.libvirtError):
        name: str = connection.libvirt.storageVolLookupByPath(path).storagePoolLookupByVolume().name()
        return "" if name.startswith(PASSING) else name
    return ""


def path_of(connection: Connection, pool: str, name: str) -> str:
    """Return the path of a pool's file, or an empty text where there is none.

    libvirt knows no files of a pool that is not active: there the file is where the pool's directory would be.
    """
    with contextlib.suppress(libvirt.libvirtError):
        found = connection.libvirt.storagePoolLookupByName(pool)
        if not found.isActive():
            directory = parse(found.XMLDesc(0)).findtext("target/path") or ""
            return posixpath.join(directory, name) if directory else ""
        path: str = found.storageVolLookupByName(name).path()
        return path
    return ""
