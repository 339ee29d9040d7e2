"""How much room there is where an image lies."""

import contextlib
import os

import libvirt

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.statistics import is_local


def free_bytes(connection: Connection, path: str) -> int | None:
    """Return the bytes that can still be written beside an image, or None where nobody tells."""
    if is_local(connection):
        with contextlib.suppress(OSError):
            system = os.statvfs(path)
            return system.f_bavail * system.f_frsize
    with contextlib.suppress(libvirt.libvirtError):
        pool = connection.libvirt.storageVolLookupByPath(path).storagePoolLookupByVolume()
        return int(pool.info()[3])
    return None
