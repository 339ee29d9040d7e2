"""Which images other VMs are layered on: what must not be changed under them."""

from pathlib import PurePosixPath

from snapgui.hypervisor import inventory
from snapgui.hypervisor.connection import Connection
from snapgui.images.qcow2 import ImageError, read_head
from snapgui.model.errors import SnapguiError
from snapgui.operations.image_access import open_image

DEEPEST = 200
"""Images in one chain; more is a cycle."""


def images_of_others(connection: Connection, vm_uuid: str) -> tuple[tuple[str, str], ...]:
    """Return (path, VM's name) for every image that another VM reads, its bases included."""
    found: dict[str, str] = {}
    for vm in inventory.list_vms(connection):
        if vm.uuid == vm_uuid:
            continue
        try:
            machine = inventory.read_current_machine(connection, vm.uuid)
        except SnapguiError:
            continue
        for disk in machine.disks:
            for path in chain(connection, disk.source, disk.format):
                found.setdefault(path, vm.name)
    return tuple(found.items())


def chain(connection: Connection, path: str, image_format: str) -> list[str]:
    """Return an image and its bases, as far as their heads can be read."""
    found: list[str] = []
    while path.startswith("/") and path not in found and len(found) < DEEPEST:
        found.append(path)
        backing = _backing(connection, path) if image_format == "qcow2" else ""
        if not backing:
            break
        path = backing if backing.startswith("/") else str(PurePosixPath(path).parent / backing)
    return found


def _backing(connection: Connection, path: str) -> str:
    image = open_image(connection, path)
    if image is None:
        return ""
    try:
        return read_head(image).backing_file
    except (ImageError, OSError):
        return ""
    finally:
        image.close()
