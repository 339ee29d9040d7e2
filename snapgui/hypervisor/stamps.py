"""What changes as soon as somebody writes to a file: of this machine, or of a storage pool."""

import contextlib
from pathlib import Path

import libvirt

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.statistics import is_local
from snapgui.hypervisor.xml import parse

Stamp = tuple[str, ...]
Stamps = tuple[Stamp, ...]


def stamps(connection: Connection, paths: tuple[str, ...]) -> Stamps:
    """Return one stamp for each file; an empty one where nobody tells."""
    return tuple(_stamp(connection, path) for path in paths)


def _stamp(connection: Connection, path: str) -> Stamp:
    if is_local(connection):
        with contextlib.suppress(OSError):
            status = Path(path).stat()
            return (str(status.st_ino), str(status.st_size), str(status.st_mtime_ns))
    with contextlib.suppress(libvirt.libvirtError, UnicodeDecodeError):  # its base may bear a name that is no text
        volume = connection.libvirt.storageVolLookupByPath(path)
        size = volume.infoFlags(libvirt.VIR_STORAGE_VOL_GET_PHYSICAL)[2]  # looks at the file anew
        return (str(size), parse(volume.XMLDesc(0)).findtext("target/timestamps/mtime") or "")
    return ()
