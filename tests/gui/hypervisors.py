"""Files for libvirt's test driver with VMs and snapshot trees of the test's own choice."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import NAMESPACE_DNS, uuid5

from lxml import etree

from snapgui.hypervisor.domain_xml import write_mark
from snapgui.model.records import Snapshot
from snapgui.model.tree import SnapshotTree
from tests.unit.trees import tree

NAMESPACE = "http://libvirt.org/schemas/domain/test/1.0"
RUNNING, SHUT_OFF = 1, 5
"""virDomainState of libvirt-domain.h."""


@dataclass(frozen=True)
class Pretended:
    """One VM; ``drawn`` is its tree as in tests/unit/trees.py, or the tree itself."""

    drawn: str | SnapshotTree = ""
    runstate: int = SHUT_OFF
    uefi: bool = False


def uuid_of(name: str) -> str:
    """The UUID that a VM of that name gets."""
    return str(uuid5(NAMESPACE_DNS, name))


def write_hypervisor(path: Path, machines: Mapping[str, Pretended]) -> str:
    """Write the file; return the URI under which libvirt reads it."""
    node = etree.Element("node", nsmap={"test": NAMESPACE})
    for name, machine in machines.items():
        node.append(_domain(name, machine))
    path.write_bytes(etree.tostring(node))
    return f"test://{path}"


def _domain(name: str, machine: Pretended) -> etree._Element:
    domain = etree.Element("domain", type="test")
    domain.extend(_plain(name, uefi=machine.uefi))
    etree.SubElement(domain, f"{{{NAMESPACE}}}runstate").text = str(machine.runstate)
    grown = tree(machine.drawn) if isinstance(machine.drawn, str) else machine.drawn
    for snapshot in grown:
        domain.append(_snapshot(snapshot, name, current=grown.current == snapshot.name, uefi=machine.uefi))
    return domain


def _plain(name: str, *, uefi: bool) -> list[etree._Element]:
    made = etree.Element("domain")
    etree.SubElement(made, "name").text = name
    etree.SubElement(made, "uuid").text = uuid_of(name)
    etree.SubElement(made, "memory").text = "262144"
    system = etree.SubElement(made, "os")
    etree.SubElement(system, "type").text = "hvm"
    if uefi:
        etree.SubElement(system, "loader", readonly="yes", type="pflash").text = "/firmware/code.fd"
        etree.SubElement(system, "nvram").text = "/nvram/variables.fd"
    disk = etree.SubElement(etree.SubElement(made, "devices"), "disk", type="file", device="disk")
    etree.SubElement(disk, "driver", name="qemu", type="qcow2")
    etree.SubElement(disk, "source", file="/images/disk.qcow2")
    etree.SubElement(disk, "target", dev="vda", bus="virtio")
    return list(made)


def _snapshot(snapshot: Snapshot, vm: str, *, current: bool, uefi: bool) -> etree._Element:
    made = etree.Element(f"{{{NAMESPACE}}}domainsnapshot")
    for tag, value in (("name", snapshot.name), ("description", snapshot.description), ("state", snapshot.state)):
        etree.SubElement(made, tag).text = value
    if snapshot.parent:
        etree.SubElement(etree.SubElement(made, "parent"), "name").text = snapshot.parent
    etree.SubElement(made, "creationTime").text = str(int(snapshot.created.timestamp()))
    memory = "no" if snapshot.memory.value == "none" else snapshot.memory.value
    etree.SubElement(made, "memory", snapshot=memory)
    disks = etree.SubElement(made, "disks")
    for disk in snapshot.disks:
        etree.SubElement(disks, "disk", name=disk.target, snapshot=disk.place.value)
    machine = etree.SubElement(made, "domain", type="test")
    machine.extend(_plain(vm, uefi=uefi))
    write_mark(machine, snapshot.title, snapshot.safety, snapshot.name)
    etree.SubElement(made, "active").text = "1" if current else "0"
    return made
