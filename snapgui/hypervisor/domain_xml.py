"""Read a ``<domain>`` element into a ``Machine``, and edit the project's own element in its ``<metadata>``."""

from lxml import etree

from snapgui.hypervisor.xml import attribute, number, parse
from snapgui.model.records import Disk, Interface, Machine

NAMESPACE = "urn:snapgui:snapshot:1"
PREFIX = "snapgui"
_ELEMENT = f"{{{NAMESPACE}}}snapshot"

UNITS = {
    "b": 1,
    "bytes": 1,
    "KB": 10**3,
    "k": 2**10,
    "KiB": 2**10,
    "MB": 10**6,
    "M": 2**20,
    "MiB": 2**20,
    "GB": 10**9,
    "G": 2**30,
    "GiB": 2**30,
    "TB": 10**12,
    "T": 2**40,
    "TiB": 2**40,
}
_SOURCE_ATTRIBUTES = ("file", "dev", "dir", "name", "volume")


def read_machine(text: str) -> Machine:
    """Return what a person wants to know of a ``<domain>`` document."""
    return machine_of(parse(text))


def images_below(text: str) -> tuple[tuple[str, str], ...]:
    """Return (path, format) of the images that disks name beside their own: bases, and targets of running copies.

    libvirt goes by a base that is written here, whatever the image itself says.
    """
    found = {}
    for disk in parse(text).iterfind("devices/disk"):
        for element in disk.iter("backingStore", "mirror"):
            image_format = element.find("format")
            if path := _source(element.find("source")):
                found[path] = "" if image_format is None else image_format.get("type", "")
    return tuple(found.items())


def machine_of(domain: etree._Element) -> Machine:
    """Return what a person wants to know of a ``<domain>`` element."""
    loader = domain.find("os/loader")
    pflash = loader is not None and loader.get("type") == "pflash"
    nvram = domain.find("os/nvram")
    efi = pflash or attribute(domain, "os", "firmware") == "efi" or nvram is not None
    return Machine(
        vcpus=number(domain, "vcpu"),
        memory=number(domain, "memory") * UNITS.get(attribute(domain, "memory", "unit", "KiB"), 2**10),
        architecture=attribute(domain, "os/type", "arch"),
        machine=attribute(domain, "os/type", "machine"),
        firmware="uefi" if efi else "bios",
        nvram=_nvram_path(nvram),
        nvram_format="" if nvram is None else nvram.get("format", "raw"),
        tpm=domain.find("devices/tpm") is not None,
        video=attribute(domain, "devices/video/model", "type"),
        emulated=domain.get("type") == "qemu",
        disks=tuple(_disk(disk) for disk in domain.iterfind("devices/disk")),
        interfaces=tuple(_interface(interface) for interface in domain.iterfind("devices/interface")),
        blocked_devices=tuple(_blocked_devices(domain)),
    )


def _nvram_path(nvram: etree._Element | None) -> str:
    if nvram is None:
        return ""
    return (nvram.text or "").strip() or attribute(nvram, "source", "file")


def _disk(disk: etree._Element) -> Disk:
    source = disk.find("source")
    return Disk(
        target=attribute(disk, "target", "dev"),
        device=disk.get("device", "disk"),
        source=_source(source),
        format=attribute(disk, "driver", "type", "raw"),
        read_only=disk.find("readonly") is not None,
        shareable=disk.find("shareable") is not None,
        transient=disk.find("transient") is not None,
        snapshot=disk.get("snapshot", ""),
        pool="" if source is None else source.get("pool", ""),
    )


def _source(source: etree._Element | None) -> str:
    if source is None:
        return ""
    return next((source.get(name, "") for name in _SOURCE_ATTRIBUTES if source.get(name)), "")


def _interface(interface: etree._Element) -> Interface:
    source = interface.find("source")
    names = () if source is None else ("network", "bridge", "dev", "portgroup")
    where = next((source.get(name, "") for name in names if source is not None and source.get(name)), "")
    return Interface(attribute(interface, "mac", "address"), where, attribute(interface, "model", "type"))


def _blocked_devices(domain: etree._Element) -> list[str]:
    """Devices whose state cannot be saved with the RAM (libvirt-facts: creation rules)."""
    found = [f"hostdev {device.get('type', '')}".strip() for device in domain.iterfind("devices/hostdev")]
    found += ["virtiofs" for device in domain.iterfind("devices/filesystem") if _is_virtiofs(device)]
    found += ["9p" for device in domain.iterfind("devices/filesystem") if not _is_virtiofs(device)]
    found += ["nvme" for device in domain.iterfind("devices/controller") if device.get("type") == "nvme"]
    found += ["CPU feature invtsc" for feature in domain.iterfind("cpu/feature[@name='invtsc']") if _required(feature)]
    found += ["vdpa" for device in domain.iterfind("devices/interface") if device.get("type") == "vdpa"]
    return found


def _required(feature: etree._Element) -> bool:
    return feature.get("policy", "require") in {"require", "force"}


def _is_virtiofs(filesystem: etree._Element) -> bool:
    return attribute(filesystem, "driver", "type") == "virtiofs"


def read_mark(domain: etree._Element | None, name: str) -> tuple[str | None, bool]:
    """Return (title, safety) that the project keeps in the ``<metadata>`` of a snapshot's domain.

    A revert copies a mark into the VM's configuration, and from there into later snapshots: only one that bears the
    snapshot's own ``name`` is its own.
    """
    mark = None if domain is None else domain.find(f"metadata/{_ELEMENT}")
    if mark is None or mark.get("of") != name:
        return None, False
    return mark.findtext(f"{{{NAMESPACE}}}title"), mark.get("safety") == "yes"


def write_mark(domain: etree._Element, title: str | None, safety: bool, name: str = "") -> None:
    """Set, change or (with neither title nor safety) remove the project's mark in ``domain``."""
    metadata = domain.find("metadata")
    if metadata is not None:
        for old in metadata.findall(_ELEMENT):
            metadata.remove(old)
    if not title and not safety:
        return
    if metadata is None:
        metadata = etree.SubElement(domain, "metadata")
    mark = etree.SubElement(metadata, _ELEMENT, nsmap={PREFIX: NAMESPACE}, of=name)
    if safety:
        mark.set("safety", "yes")
    if title:
        etree.SubElement(mark, f"{{{NAMESPACE}}}title").text = title
