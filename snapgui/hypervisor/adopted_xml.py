"""The document of a snapshot that lies in images without libvirt knowing it: described by what is known of it.

What was measured on libvirt 9.0 and 11.3: the configuration of now is enough to go back to such a snapshot, also where
memory is part of it, and to delete it, also where one disk of several does not hold it.
"""

from collections.abc import Mapping

from lxml import etree

from snapgui.hypervisor.xml import dump, parse
from snapgui.model.adoption import Adoption, HeldDisk

_DROPPED = ("backingStore", "mirror")
_ELSEWHERE = ("dev", "dir", "name", "volume", "pool", "protocol", "mode")


def adopted_snapshot(adoption: Adoption, configuration: str) -> str:
    """Return the ``<domainsnapshot>`` for REDEFINE; ``configuration`` is the VM's ``<domain>``, with passwords."""
    root = etree.Element("domainsnapshot")
    etree.SubElement(root, "name").text = adoption.name
    etree.SubElement(root, "state").text = adoption.state
    if adoption.parent:
        etree.SubElement(etree.SubElement(root, "parent"), "name").text = adoption.parent
    etree.SubElement(root, "creationTime").text = str(int(adoption.created.timestamp()))
    root.append(_memory(adoption))
    domain = parse(configuration)
    held = {disk.target: disk for disk in adoption.disks}
    listed = etree.SubElement(root, "disks")
    for disk in domain.iterfind("devices/disk"):
        target = disk.find("target")
        name = "" if target is None else target.get("dev", "")
        listed.append(_held(name, held.get(name)))
        if name in held and held[name].overlay:
            _place(disk, held[name])
    root.append(domain)
    return dump(root)


def _memory(adoption: Adoption) -> etree._Element:
    if adoption.memory_file:
        return etree.Element("memory", snapshot="external", file=adoption.memory_file)
    inside = adoption.state in {"running", "paused"} and not adoption.external
    return etree.Element("memory", snapshot="internal" if inside else "no")


def _held(name: str, held: HeldDisk | None) -> etree._Element:
    if held is None:
        return etree.Element("disk", name=name, snapshot="no")
    if not held.overlay:
        return etree.Element("disk", name=name, snapshot="internal")
    element = etree.Element("disk", name=name, snapshot="external", type="file")
    etree.SubElement(element, "driver", type="qcow2")
    etree.SubElement(element, "source", file=held.overlay)
    return element


def _place(disk: etree._Element, held: HeldDisk) -> None:
    """Let the VM of then have the image that was frozen; libvirt finds by itself what lies below."""
    disk.set("type", "file")
    source, driver = disk.find("source"), disk.find("driver")
    for tag in _DROPPED:
        for element in disk.findall(tag):
            disk.remove(element)
    source = etree.SubElement(disk, "source") if source is None else source
    for attribute in _ELSEWHERE:
        if attribute in source.attrib:
            del source.attrib[attribute]
    source.set("file", held.path)
    driver = etree.SubElement(disk, "driver", name="qemu") if driver is None else driver
    driver.set("type", held.format)


def without_memory(text: str) -> str:
    """Return the document of an external snapshot as one of the disks alone; the rest of it stays."""
    root = parse(text)
    for element in root.findall("memory"):
        element.attrib.clear()
        element.set("snapshot", "no")
    for element in root.findall("state"):
        element.text = "disk-snapshot"
    return dump(root)


def below(text: str, parent: str, moved: tuple[HeldDisk, ...] = ()) -> str:
    """Return the document of a snapshot as one that hangs off another parent.

    Where it claims the images that the parent froze (``moved``), it froze what lies on these.
    """
    root = parse(text)
    for held in moved:
        for disk in root.iterfind("*/devices/disk"):
            target, source = disk.find("target"), disk.find("source")
            here = target is not None and target.get("dev") == held.target
            if here and source is not None and source.get("file") == held.path:
                _place(disk, HeldDisk(held.target, held.overlay))
    for element in root.findall("parent"):
        root.remove(element)
    element = etree.Element("parent")
    etree.SubElement(element, "name").text = parent
    root.insert(1, element)
    return dump(root)


def with_path(text: str, old: str, new: str) -> str:
    """Return the document of a snapshot with another path for an image, wherever it is named; the same if nowhere."""
    root = parse(text)
    named = [element for element in root.iter("source") if element.get("file") == old]
    for element in named:
        element.set("file", new)
    return dump(root) if named else text


def owner_of(text: str) -> tuple[str, str, Mapping[str, str]]:
    """Return (UUID, name, image by target) of the VM of a ``<domain>`` document."""
    root = parse(text)
    disks: dict[str, str] = {}
    for disk in root.iterfind("devices/disk"):
        target, source = disk.find("target"), disk.find("source")
        if target is not None and source is not None and source.get("file"):
            disks[target.get("dev", "")] = source.get("file", "")
    return root.findtext("uuid") or "", root.findtext("name") or "", disks
