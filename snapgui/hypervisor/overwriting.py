"""Overwrite a few bytes of an image file of the hypervisor's machine, in place."""

import contextlib
import os
from pathlib import PurePosixPath

import libvirt

from snapgui.hypervisor import pools
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.faults import translated
from snapgui.hypervisor.statistics import is_local
from snapgui.hypervisor.volumes import send_all


def overwrite(connection: Connection, path: str, offset: int, content: bytes) -> None:
    """Put ``content`` over what is at ``offset``, and have it on the disk; the file keeps its length.

    By the file itself where this user may write to it, else by its volume. Raises OSError, or one of the project's
    errors.
    """
    if is_local(connection):
        with contextlib.suppress(PermissionError):
            _local(path, offset, content)
            return
    with pools.pool_at(connection, str(PurePosixPath(path).parent)) as pool, translated():
        volume = pool.storageVolLookupByName(PurePosixPath(path).name)
        stream = connection.libvirt.newStream(0)
        try:
            volume.upload(stream, offset, len(content), 0)
            send_all(stream, content)
            stream.finish()
        except (libvirt.libvirtError, OSError):
            with contextlib.suppress(libvirt.libvirtError):
                stream.abort()
            raise


def _local(path: str, offset: int, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if os.pwrite(file, content, offset) != len(content):
            raise OSError("the file system took only a part of the change")
        os.fsync(file)
    finally:
        os.close(file)
