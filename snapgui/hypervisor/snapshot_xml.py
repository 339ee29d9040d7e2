"""Read and write ``<domainsnapshot>`` documents (libvirt's format: https://libvirt.org/formatsnapshot.html)."""

from collections.abc import Iterable
from datetime import UTC, datetime

from lxml import etree

from snapgui.hypervisor.domain_xml import machine_of, read_mark, write_mark
from snapgui.hypervisor.xml import attribute, dump, number, parse
from snapgui.model.records import Disk, DiskRequest, Machine, Place, Snapshot, SnapshotDisk

_PLACES = {"internal": Place.INTERNAL, "external": Place.EXTERNAL, "manual": Place.EXTERNAL}
_REQUESTED = {Place.NONE: "no", Place.INTERNAL: "internal", Place.EXTERNAL: "external"}


def read_snapshot(text: str) -> Snapshot:
    """Return the record of a ``<domainsnapshot>`` document; raise Broken where it cannot be read."""
    root = parse(text)
    domain = root.find("domain")
    machine = Machine() if domain is None else machine_of(domain)
    name = root.findtext("name") or ""
    title, safety = read_mark(domain, name)
    return Snapshot(
        name=name,
        created=_created(root),
        parent=root.findtext("parent/name"),
        title=title,
        description=root.findtext("description") or "",
        state=root.findtext("state") or "shutoff",
        memory=_memory(root),
        memory_file=attribute(root, "memory", "file"),
        disks=_disks(root, machine),
        safety=safety,
        machine=machine,
    )


def _created(root: etree._Element) -> datetime:
    seconds = min(max(number(root, "creationTime"), 0), 253402300799)
    return datetime.fromtimestamp(seconds, UTC)


def _memory(root: etree._Element) -> Place:
    """Return where the RAM is; documents of libvirt before 1.0.1 have no ``<memory>``: running means internal."""
    memory = root.find("memory")
    if memory is None:
        running = (root.findtext("state") or "") in {"running", "paused"}
        return Place.INTERNAL if running else Place.NONE
    return _PLACES.get(memory.get("snapshot", "no"), Place.NONE)


def _disks(root: etree._Element, machine: Machine) -> tuple[SnapshotDisk, ...]:
    known = {disk.target: disk for disk in machine.disks}
    listed = [_snapshot_disk(disk, known) for disk in root.iterfind("disks/disk")]
    if listed:
        return tuple(listed)
    return tuple(
        SnapshotDisk(disk.target, Place.INTERNAL if disk.writable else Place.NONE, disk.source)
        for disk in machine.disks
    )


def _snapshot_disk(disk: etree._Element, known: dict[str, Disk]) -> SnapshotDisk:
    """The state at that time lies in the disk's source of the snapshot's own ``<domain>``, not in the overlay."""
    target = disk.get("name", "")
    configured = known.get(target)
    overlay = attribute(disk, "source", "file") if _place(disk) is Place.EXTERNAL else ""
    return SnapshotDisk(target, _place(disk), configured.source if configured else "", overlay)


def _place(disk: etree._Element) -> Place:
    return _PLACES.get(disk.get("snapshot", "no"), Place.NONE)


def new_internal(name: str, description: str) -> str:
    """Return the request for an internal snapshot of all writable disks, and of RAM where the VM runs."""
    root = etree.Element("domainsnapshot")
    etree.SubElement(root, "name").text = name
    if description:
        etree.SubElement(root, "description").text = description
    return dump(root)


def new_external(name: str, description: str, memory_file: str, disks: Iterable[DiskRequest]) -> str:
    """Return the request for an external snapshot: every file is named, libvirt chooses none.

    Without ``memory_file`` only the disks are frozen. Disks that are not listed would be decided by libvirt, so all
    of the VM's have to be.
    """
    root = etree.Element("domainsnapshot")
    etree.SubElement(root, "name").text = name
    if description:
        etree.SubElement(root, "description").text = description
    if memory_file:
        etree.SubElement(root, "memory", snapshot="external", file=memory_file)
    listed = etree.SubElement(root, "disks")
    for disk in disks:
        element = etree.SubElement(listed, "disk", name=disk.target, snapshot=_REQUESTED[disk.place])
        if disk.place is Place.EXTERNAL:
            element.set("type", "file")
            etree.SubElement(element, "driver", type="qcow2")
            etree.SubElement(element, "source", file=disk.file)
    return dump(root)


def edited(text: str, *, title: str | None, safety: bool, description: str) -> str:
    """Return the document with another title, safety mark and description; everything else as it was."""
    root = parse(text)
    _set_description(root, description)
    for path in ("domain", "inactiveDomain"):
        if (domain := root.find(path)) is not None:
            write_mark(domain, title, safety, root.findtext("name") or "")
    return dump(root)


def _set_description(root: etree._Element, description: str) -> None:
    element = root.find("description")
    if element is None:
        if not description:
            return
        element = etree.Element("description")
        root.insert(1, element)
    if description:
        element.text = description
    else:
        root.remove(element)
