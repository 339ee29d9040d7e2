"""Pull what lies in the images below into a running VM's own image."""

import contextlib

import libvirt

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.faults import translated


def begin(connection: Connection, vm_uuid: str, target: str) -> None:
    """Begin to pull everything into the image of one disk."""
    domain = connection.domain(vm_uuid)
    with translated():
        domain.blockPull(target, 0, 0)


def runs(connection: Connection, vm_uuid: str, target: str) -> bool:
    """Whether a disk is still being worked on."""
    domain = connection.domain(vm_uuid)
    with translated():
        return bool(domain.blockJobInfo(target, 0))


def abort(connection: Connection, vm_uuid: str, target: str) -> None:
    """Call it off; what was pulled stays in the image, which reads the same as before."""
    domain = connection.domain(vm_uuid)
    with contextlib.suppress(libvirt.libvirtError):  # it ended just now
        domain.blockJobAbort(target, 0)
