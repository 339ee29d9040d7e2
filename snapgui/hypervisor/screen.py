"""A picture of the guest's screen."""

import contextlib
from typing import Any

import libvirt

from snapgui.hypervisor.connection import Connection

LARGEST_SCREEN = 64 * 2**20
"""Bytes after which a screenshot is given up (an 8K screen in PPM is 100 MB; nobody needs that as a thumbnail)."""


def screenshot(connection: Connection, vm_uuid: str, *, twice: bool = False) -> bytes | None:
    """Return the first screen as an image file (PPM or PNG), or None where the VM has none.

    ``twice`` for QXL, whose first picture after a while is an old one.
    """
    domain = connection.domain(vm_uuid)
    picture = _picture(connection, domain)
    return _picture(connection, domain) if twice else picture


def _picture(connection: Connection, domain: Any) -> bytes | None:
    received = bytearray()

    def receive(_stream: Any, chunk: bytes, _opaque: object) -> int:
        received.extend(chunk)
        return -1 if len(received) > LARGEST_SCREEN else 0

    with contextlib.suppress(libvirt.libvirtError):
        stream = connection.libvirt.newStream(0)
        domain.screenshot(stream, 0, 0)
        stream.recvAll(receive, None)
        stream.finish()
        return bytes(received) or None
    return None
