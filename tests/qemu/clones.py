"""The VMs that clones are made of: every kind of source, on disks that are hard to copy, made once for many clones.

Two of them run and write, whenever it is their turn, three are off.
"""

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from hashlib import file_digest
from pathlib import Path
from typing import Any

import libvirt
from lxml import etree

from snapgui.demo.guest import GuestChannel, GuestFiles
from snapgui.model.records import Place, Snapshot
from tests.qemu.commands import INTERNAL, ok, result
from tests.qemu.matrix import RAW, Cell, Content, add_device, raw_copy
from tests.stacks.access import Access
from tests.stacks.machines import Machine, machine, pool
from tests.stacks.stacks import Stack

INSIDE = "Nothing can be layered on a snapshot inside an image."
HAS_INTERNAL = "The current state would have to be frozen under overlays; the VM's internal snapshots forbid it."
EXTERNAL = ("--kind", "external", "--memory")
INTERFACE = "<interface type='user'><mac address='52:54:00:{}'/><model type='virtio'/></interface>"
DISKS = ("vda", "vdb")


@dataclass(frozen=True)
class Source:
    """What is cloned: a VM by its role, and a snapshot, None for the current state; why it cannot be layered on."""

    vm: str
    snapshot: str | None = None
    why_not_linked: str = ""

    def named(self, cell: Cell) -> str:
        """Return what the command line calls it."""
        return cell.machine.name if self.snapshot is None else f"{cell.machine.name}@{self.snapshot}"


SOURCES = {
    "off": Source("still"),
    "off, external": Source("still", "outside"),
    "off, beside an internal": Source("inside", None, HAS_INTERNAL),
    "off, internal": Source("inside", "kept", INSIDE),
    "internal in a base": Source("mixed", "low", INSIDE),
    "external above an internal": Source("mixed", "middle"),
    "internal in an overlay": Source("mixed", "high", INSIDE),
    "running": Source("live"),
    "running, disk-only": Source("live", "disks"),
    "running, memory": Source("live", "memory"),
    "running, beside an internal": Source("busy", None, HAS_INTERNAL),
    "running, internal": Source("busy", "ram", INSIDE),
}


@contextmanager
def sources(stack: Stack, files: GuestFiles) -> Iterator[dict[str, Cell]]:
    """Make all the VMs, each with a storage pool of its directory; those that run boot at once."""
    with ExitStack() as lent:
        cells = {role: lent.enter_context(_cell(stack, files, role)) for role in _MAKERS}
        for role in ("live", "busy"):
            cells[role].machine.domain.create()
        for role, make in _MAKERS.items():
            make(cells[role])
        for role in ("live", "busy"):
            cells[role].machine.domain.suspend()
        yield cells


@contextmanager
def awake(cell: Cell) -> Iterator[None]:
    """Let a VM that runs do so; all others sleep, for there are few processors."""
    if not cell.running:
        yield
        return
    cell.machine.domain.resume()
    try:
        yield
    finally:
        cell.machine.domain.suspend()


@contextmanager
def _cell(stack: Stack, files: GuestFiles, role: str) -> Iterator[Cell]:
    with machine(stack, files, extra_disks=int(role != "still")) as made, pool(made):
        number = made.uuid[:6]
        add_device(made, INTERFACE.format(":".join(number[place : place + 2] for place in (0, 2, 4))))
        second = made.directory / "disk1.qcow2"
        if role == "still":
            add_device(made, RAW.format(path=raw_copy(files.disk, second.with_suffix(".img"))))
            second.with_suffix(".img").chmod(0o600)
        else:
            _awkward_copy(files.disk, second)
        yield Cell(made, DISKS, None)


def _awkward_copy(template: Path, target: Path) -> None:
    """The least clusters, so that there are many tables, and all compressed."""
    target.unlink()
    options = ["-c", "-f", "qcow2", "-O", "qcow2", "-o", "cluster_size=512"]
    subprocess.run(["qemu-img", "convert", *options, template, target], check=True)
    target.chmod(0o600)


def _make_still(cell: Cell) -> None:
    scribble(cell, 1)
    ok(cell.machine.uri, "take", cell.machine.name, "outside", "--kind", "external")
    scribble(cell, 2)


def _make_inside(cell: Cell) -> None:
    scribble(cell, 1)
    ok(cell.machine.uri, "take", cell.machine.name, "kept", *INTERNAL)
    scribble(cell, 2)


def _make_mixed(cell: Cell) -> None:
    """Internal snapshots below and above an external one: by libvirt itself, snapgui keeps to one kind."""
    scribble(cell, 1)
    cell.machine.domain.snapshotCreateXML("<domainsnapshot><name>low</name></domainsnapshot>")
    scribble(cell, 2)
    overlays = "".join(
        f"<disk name='{disk}' snapshot='external'><source file='{cell.machine.directory}/{disk}.middle'/></disk>"
        for disk in DISKS
    )
    cell.machine.domain.snapshotCreateXML(
        f"<domainsnapshot><name>middle</name><disks>{overlays}</disks></domainsnapshot>",
        libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY,
    )
    scribble(cell, 3)
    cell.machine.domain.snapshotCreateXML("<domainsnapshot><name>high</name></domainsnapshot>")
    scribble(cell, 4)


def _make_live(cell: Cell) -> None:
    cell.start()
    for name, memory in (("disks", "none"), ("memory", "live")):
        cell.write_mark(name)
        ok(cell.machine.uri, "take", cell.machine.name, name, *EXTERNAL, memory)
    cell.write_mark("now")
    cell.freeze()


def _make_busy(cell: Cell) -> None:
    cell.start()
    cell.write_mark("ram")
    ok(cell.machine.uri, "take", cell.machine.name, "ram", *INTERNAL)
    cell.write_mark("now")
    cell.freeze()


_MAKERS = {
    "still": _make_still,
    "inside": _make_inside,
    "mixed": _make_mixed,
    "live": _make_live,
    "busy": _make_busy,
}


def scribble(cell: Cell, number: int) -> None:
    """Write all kinds of clusters behind the file systems of a VM that is off."""
    for disk in cell.facts().machine.disks:
        commands = [f"write -P {0xA0 + number} {1024 + 64 * number}k 96k", f"write -z {1088 + 64 * number}k 16k"]
        if disk.format == "qcow2":
            commands.append(f"write -c -P {0xB0 + number} {1472 + 64 * number}k 64k")
        each = [part for command in commands for part in ("-c", command)]
        subprocess.run(["qemu-io", "-f", disk.format, *each, disk.source], check=True, capture_output=True)


@dataclass(frozen=True)
class Evidence:
    """What has to stay: files by path, of which nobody writes to, internal snapshots of the others, all records."""

    files: Mapping[str, str]
    inside: Mapping[str, Mapping[str, Content]]
    snapshots: Mapping[str, Snapshot]
    configuration: str

    def is_in(self, later: "Evidence") -> bool:
        """Whether all of it is still there, whatever came in addition."""
        pairs: tuple[tuple[Mapping[str, object], Mapping[str, object]], ...] = (
            (self.files, later.files),
            (self.inside, later.inside),
            (self.snapshots, later.snapshots),
        )
        return all(then.items() <= now.items() for then, now in pairs)

    def without(self, paths: Iterable[str | Path]) -> "Evidence":
        """Leave out files that are written to meanwhile."""
        left_out = set(map(str, paths))
        return replace(self, files={path: found for path, found in self.files.items() if path not in left_out})


def evidence(cell: Cell, *, runs: bool | None = None) -> Evidence:
    """Look at a VM that runs, or will have run when it is looked at again; of one that is off, all files stay."""
    runs = cell.running if runs is None else runs
    facts = cell.facts()
    written = {disk.source for disk in facts.machine.disks} if runs else set()
    paths = [path for path in cell.machine.directory.iterdir() if path.is_file() and str(path) not in written]
    held = [snapshot.name for snapshot in facts.tree if any(disk.place is Place.INTERNAL for disk in snapshot.disks)]
    inside = {name: cell.kept(name).disks for name in held} if runs else {}
    configuration = cell.machine.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
    return Evidence({str(path): _sha256(path) for path in paths}, inside, facts.tree.snapshots, configuration)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Clone:
    """A clone: what the command said, the VM, and another one of the same hypervisor."""

    said: Mapping[str, Any]
    cell: Cell
    neighbour: Machine

    @property
    def images(self) -> dict[str, Path]:
        """The images by target, as the VM has them."""
        return {disk.target: Path(disk.source) for disk in self.cell.facts().machine.disks}

    def boot(self) -> None:
        """Give it a channel of its own, and let it boot."""
        machine = self.cell.machine
        root = _described(machine)
        for tag in ("os/kernel", "os/initrd"):  # another machine has them at another place
            root.find(tag).text = _described(self.neighbour).findtext(tag)
        port = root.findall("devices/serial")[-1]
        port.set("type", "unix")
        for source in port.findall("source"):
            port.remove(source)
        etree.SubElement(port, "source", mode="bind", path=str(machine.channel.path))
        machine.connection.defineXML(etree.tostring(root, encoding="unicode"))
        machine.domain.create()


def _described(machine: Machine) -> etree._Element:
    return etree.fromstring(machine.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))


@contextmanager
def cloned(
    access: Access, cell: Cell, source: Source, name: str, *options: str, neighbour: Machine | None = None
) -> Iterator[Clone]:
    """Make a clone, on the hypervisor of its source or of its neighbour; remove it and its images at the end."""
    home = neighbour or cell.machine
    said = result(access, "clone", source.named(cell), name, *options)
    domain = home.connection.lookupByUUIDString(said["vm"]["uuid"])
    channel = GuestChannel(home.directory / f"channel-{name}")
    made = replace(home, name=name, uuid=domain.UUIDString(), domain=domain, channel=channel)
    clone = Clone(said, Cell(made, cell.disks, None), home)
    images = clone.images.values()
    try:
        yield clone
    finally:
        channel.close()
        if domain.isActive():
            domain.destroy()
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
        for path in {*images, channel.path}:
            path.unlink(missing_ok=True)


def identity(cell: Cell) -> set[str]:
    """What may exist only once: UUID, name, addresses, and all paths but those of the kernel and the emulator."""
    root = _described(cell.machine)
    values = [value for element in root.iterfind("devices//*") for value in (*element.attrib.values(), element.text)]
    paths = {value for value in values if value and value.startswith("/")} - {root.findtext("devices/emulator")}
    macs = {mac.get("address") for mac in root.iterfind("devices/interface/mac")}
    assert macs
    return {cell.machine.domain.UUIDString(), cell.machine.domain.name(), *paths, *macs}
