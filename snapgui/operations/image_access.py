"""Two roads to the bytes of an image: the local file where it can be read, else libvirt's volumes."""

from pathlib import Path

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.statistics import is_local
from snapgui.hypervisor.volumes import open_volume
from snapgui.images.source import ByteSource, LocalFile


def open_image(connection: Connection, path: str) -> ByteSource | None:
    """Return the bytes of an image file of the hypervisor's machine, or None where they cannot be had."""
    if is_local(connection):
        try:
            return LocalFile(Path(path))
        except OSError:
            pass
    return open_volume(connection, path)


def readable(connection: Connection, path: str) -> bool:
    """Whether this process can read an image as a file of this machine."""
    try:
        LocalFile(Path(path)).close()
    except OSError:
        return False
    return is_local(connection)
