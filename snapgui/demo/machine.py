"""The demonstration's virtual machine: made anew for each run from the cached guest."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import libvirt

from snapgui.demo.guest import GuestFiles, domain_xml

NAME = "web01"
_UNDEFINE = (
    libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)


@dataclass(frozen=True, slots=True)
class DemoMachine:
    """A started VM: its name and UUID, its disk image and the socket of its command channel (see GuestChannel)."""

    name: str
    uuid: str
    disk: Path
    channel: Path


def define_demo_vm(uri: str, files: GuestFiles, directory: Path, name: str = NAME) -> DemoMachine:
    """Define and start a fresh VM whose files lie below `directory` (a short path, for the channel's socket).

    A VM of that name that is there already is removed with its snapshots and files.
    """
    place = directory / "vms" / name
    disk, channel = place / "disk.qcow2", place / "channel"
    connection = libvirt.open(uri)
    try:
        _remove(connection, name)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        shutil.copyfile(files.disk, disk)
        domain = connection.defineXML(domain_xml(name, files, disk, channel))
        domain.create()
        return DemoMachine(name, domain.UUIDString(), disk, channel)
    finally:
        connection.close()


def _remove(connection: libvirt.virConnect, name: str) -> None:
    for domain in connection.listAllDomains():
        if domain.name() == name:
            if domain.isActive():
                domain.destroy()
            domain.undefineFlags(_UNDEFINE)
