"""Read which image is layered on which: from the domains, their snapshots, the storage pools, and the images' heads."""

from dataclasses import dataclass, field

from snapgui.hypervisor import inventory, snapshots, volumes
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import SnapguiError
from snapgui.model.lineage import Image, Lineage, Use
from snapgui.model.records import Disk, Place, Vm
from snapgui.operations.bases import Known, chain


def read_lineage(connection: Connection) -> Lineage:
    """Return the images of all VMs and pools. What vanishes while it is read is left out."""
    found = _Found({volume.path: (volume.base, volume.base_format) for volume in volumes.list_volumes(connection)})
    for volume in volumes.list_volumes(connection):
        found.formats[volume.path] = volume.format
    for vm in inventory.list_vms(connection):
        try:
            _add_vm(connection, vm, found)
        except SnapguiError:
            continue
    for path in tuple(found.formats):
        for below in chain(connection, path, found.formats[path], found.known):
            found.formats.setdefault(below, "")
    return Lineage(_image(path, found) for path in found.formats)


@dataclass(slots=True)
class _Found:
    """What was read so far: bases by image, formats by image, uses by image."""

    known: Known
    formats: dict[str, str] = field(default_factory=dict)
    uses: dict[str, list[Use]] = field(default_factory=dict)

    def add(self, path: str, image_format: str, use: Use) -> None:
        if path:
            if image_format or path not in self.formats:
                self.formats[path] = image_format
            self.uses.setdefault(path, []).append(use)


def _image(path: str, found: _Found) -> Image:
    base, _ = found.known.get(path, ("", ""))
    image_format = found.formats[path] or next((kind for below, kind in found.known.values() if below == path), "")
    return Image(path, image_format, base or None, tuple(found.uses.get(path, ())))


def _add_vm(connection: Connection, vm: Vm, found: _Found) -> None:
    machine = inventory.read_current_machine(connection, vm.uuid)
    for disk in machine.disks:
        found.add(_path(connection, disk), disk.format, Use(vm.name, vm.uuid, disk.target))
    for snapshot in snapshots.read_tree(connection, vm.uuid):
        formats = {disk.target: disk.format for disk in snapshot.machine.disks}
        for held in snapshot.disks:
            if held.place is Place.EXTERNAL and held.source.startswith("/"):
                use = Use(vm.name, vm.uuid, held.target, snapshot.name)
                found.add(held.source, formats.get(held.target, ""), use)


def _path(connection: Connection, disk: Disk) -> str:
    return volumes.path_of(connection, disk.pool, disk.source) if disk.pool else disk.source
