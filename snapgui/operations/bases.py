"""Which images other VMs are layered on: what must not be changed under them."""

import os
import posixpath
from pathlib import PurePosixPath

from snapgui.hypervisor import inventory, snapshots, volumes
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.statistics import is_local
from snapgui.images.qcow2 import ImageError, read_head
from snapgui.model.errors import SnapguiError
from snapgui.model.records import Place
from snapgui.model.tree import SnapshotTree
from snapgui.operations.image_access import open_image

Known = dict[str, tuple[str, str]]
"""What is recorded in an image: its base and the format of that."""
DEEPEST = 200
"""Images in one chain; more is a cycle."""


def images_of_others(connection: Connection, vm_uuid: str) -> tuple[tuple[str, str], ...]:
    """Return (path, VM's name) for every image that another VM reads, its bases included."""
    if connection.uri.startswith("test:"):  # its VMs have no images, and their paths mean nothing
        return ()
    found: dict[str, str] = {}
    known: Known = {}
    for vm in inventory.list_vms(connection):
        if vm.uuid == vm_uuid:
            continue
        try:
            machine = inventory.read_current_machine(connection, vm.uuid)
            frozen = _frozen(snapshots.read_tree(connection, vm.uuid)) if vm.snapshots else []
        except SnapguiError:
            continue
        for disk in machine.disks:
            source = volumes.path_of(connection, disk.pool, disk.source) if disk.pool else disk.source
            for path in chain(connection, source, disk.format, known):
                found.setdefault(canonical(connection, path), vm.name)
        for path, image_format in frozen:
            for below in chain(connection, path, image_format, known):
                found.setdefault(canonical(connection, below), vm.name)
    return tuple(found.items())


def _frozen(tree: SnapshotTree) -> list[tuple[str, str]]:
    """Return (image, format) of every image that an external snapshot needs."""
    found = []
    for snapshot in tree:
        formats = {disk.target: disk.format for disk in snapshot.machine.disks}
        found += [
            (disk.source, formats.get(disk.target, "")) for disk in snapshot.disks if disk.place is Place.EXTERNAL
        ]
    return found


def canonical(connection: Connection, path: str) -> str:
    """Return the path of a file without links and detours, as far as they can be seen from here."""
    if not path.startswith("/"):
        return path
    return os.path.realpath(path) if is_local(connection) else posixpath.normpath(path)


def same_file(connection: Connection, one: str, other: str) -> bool:
    """Whether two paths name one file."""
    return canonical(connection, one) == canonical(connection, other)


def chain(connection: Connection, path: str, image_format: str, known: Known) -> list[str]:
    """Return an image and its bases, as far as their heads can be read; ``known`` keeps what was read."""
    found: list[str] = []
    while path.startswith("/") and path not in found and len(found) < DEEPEST:
        found.append(path)
        if image_format != "qcow2":
            break
        if path not in known:
            known[path] = _backing(connection, path)
        backing, image_format = known[path]
        if not backing or ":" in backing.partition("/")[0]:  # none, or something else than a file
            break
        path = backing if backing.startswith("/") else str(PurePosixPath(path).parent / backing)
    return found


def _backing(connection: Connection, path: str) -> tuple[str, str]:
    image = open_image(connection, path)
    if image is None:
        return "", ""
    try:
        head = read_head(image)
    except (ImageError, OSError):
        return "", ""
    else:
        return head.backing_file, head.backing_format
    finally:
        image.close()
