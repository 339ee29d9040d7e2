"""The demonstration's virtual machine: made anew for each run from the cached guest."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import libvirt
from lxml import etree

from snapgui.demo.errors import GuestError
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

    A VM of that name that is there already is removed with its snapshots and files, and so are its clones beside it.
    """
    place = directory / "vms" / name
    disk, channel = place / "disk.qcow2", place / "channel"
    connection = libvirt.open(uri)
    try:
        _remove(connection, name, place)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        shutil.copyfile(files.disk, disk)
        domain = connection.defineXML(domain_xml(name, files, disk, channel))
        domain.create()
        return DemoMachine(name, domain.UUIDString(), disk, channel)
    finally:
        connection.close()


def _remove(connection: libvirt.virConnect, name: str, place: Path) -> None:
    """Remove the VM, and those whose images lie in its directory."""
    for domain in connection.listAllDomains():
        if domain.name() == name or any(path.parent == place for path in _images(domain)):
            if domain.isActive():
                domain.destroy()
            domain.undefineFlags(_UNDEFINE)


def _images(domain: libvirt.virDomain) -> list[Path]:
    sources = etree.fromstring(domain.XMLDesc()).iterfind("devices/disk/source[@file]")
    return [Path(source.get("file", "")) for source in sources]


def terminal_of(uri: str, uuid: str) -> Path:
    """Return the terminal that the second serial port of a running clone leads to: libvirt gives each its own.

    Raises GuestError where it has none.
    """
    connection = libvirt.open(uri)
    try:
        document = etree.fromstring(connection.lookupByUUIDString(uuid).XMLDesc())
    finally:
        connection.close()
    for port in document.iterfind("devices/serial[@type='pty']"):
        source = port.find("source")
        if port.find("target[@port='1']") is not None and source is not None:
            return Path(source.get("path", ""))
    raise GuestError("The clone has no second serial port.")
