"""A domain's document for a clone: everything that may exist only once on a host is new, or is gone."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from snapgui.hypervisor.domain_xml import write_mark
from snapgui.hypervisor.xml import dump, parse

_BACKENDS = ("serial", "console", "parallel", "channel", "rng", "smartcard", "redirdev")
_QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
_ONCE = {"file", "unix", "tcp", "udp", "dev", "pipe"}
"""Character devices whose other end is a place on the host."""


_HOST_DEVICES = (
    "hostdev",
    "interface[@type='hostdev']",
    "memory[@model='nvdimm']",
    "memory[@model='virtio-pmem']",
    "input[@type='evdev']",
    "shmem",
)
"""What only one VM can have: devices of the host, and memory that lies in a file or is shared under a name."""


@dataclass(frozen=True, slots=True)
class Image:
    """The new image of a disk, and its format."""

    file: str
    format: str = "qcow2"


@dataclass(frozen=True, slots=True)
class Identity:
    """What is new about a clone; ``macs`` in the order of its interfaces, ``disks`` the new image of each target.

    ``elsewhere``: it goes to another hypervisor, whose own emulator is taken.
    """

    name: str
    uuid: str
    macs: tuple[str, ...]
    disks: Mapping[str, Image]
    nvram: str = ""
    connected: bool = True
    keep_host_devices: bool = False
    elsewhere: bool = False


def clone_xml(text: str, identity: Identity) -> str:
    """Return the ``<domain>`` document ``text`` with a new identity.

    New: name, UUID, generation id, MAC addresses, images. Chosen by libvirt: ports of displays, sockets of channels,
    vsock address. Gone: devices of the host, labels, serial numbers, files that consoles are written into.
    """
    domain = parse(text)
    write_mark(domain, None, safety=False)
    give_identity(domain, identity, identity.macs)
    return dump(domain)


def give_identity(domain: etree._Element, identity: Identity, macs: tuple[str, ...]) -> None:
    """Make a ``<domain>`` element one of the clone's; ``macs`` in the order of its interfaces."""
    _drop(domain, "id")
    _set(domain, "name", identity.name)
    _set(domain, "uuid", identity.uuid)
    for tag in ("title", "seclabel"):
        for element in domain.findall(tag):
            if tag == "title" or element.get("type") == "dynamic":
                domain.remove(element)
    genid = domain.find("genid")
    if genid is not None:
        genid.text = None
    _firmware(domain, identity)
    _system(domain, identity)
    _disks(domain, identity)
    _interfaces(domain, identity, macs)
    _host(domain, identity)


def new_mac() -> str:
    """Return an address of QEMU's range: 52:54:00 and three random bytes, as libvirt makes them."""
    return "52:54:00:" + secrets.token_bytes(3).hex(":")


def host_devices(text: str) -> tuple[str, ...]:
    """Return what of the host a VM uses and its clone cannot have at the same time, for people."""
    domain = parse(text)
    found = [
        f"{device.tag} {device.get('type') or device.get('model') or device.get('name') or ''}".strip()
        for path in _HOST_DEVICES
        for device in domain.iterfind(f"devices/{path}")
    ]
    passed = [tpm for tpm in domain.iterfind("devices/tpm") if tpm.find("backend[@type='passthrough']") is not None]
    return (*found, *("tpm passthrough" for _ in passed))


def has_own_arguments(text: str) -> bool:
    """Whether a VM is given arguments of QEMU that libvirt does not understand."""
    return parse(text).find(f"{{{_QEMU}}}commandline") is not None


def _set(domain: etree._Element, tag: str, text: str) -> None:
    element = domain.find(tag)
    if element is None:
        element = etree.Element(tag)
        domain.insert(0, element)
    element.text = text


def _firmware(domain: etree._Element, identity: Identity) -> None:
    nvram = domain.find("os/nvram")
    if nvram is None:
        return
    for source in nvram.findall("source"):
        nvram.remove(source)
    _drop(nvram, "type")
    nvram.text = identity.nvram or None


def _system(domain: etree._Element, identity: Identity) -> None:
    """The firmware's tables repeat the UUID, which has to agree, and serial numbers, which have to differ."""
    for table in domain.iterfind("sysinfo/*"):
        for entry in table.findall("entry"):
            if entry.get("name") == "uuid":
                entry.text = identity.uuid
            elif entry.get("name") in {"serial", "asset"}:
                table.remove(entry)


def _disks(domain: etree._Element, identity: Identity) -> None:
    for disk in domain.iterfind("devices/disk"):
        for tag in ("backingStore", "mirror"):
            for element in disk.findall(tag):
                disk.remove(element)
        target = disk.find("target")
        image = identity.disks.get("" if target is None else target.get("dev", ""))
        if image is None:
            continue
        for tag in ("source", "serial", "wwn"):
            for element in disk.findall(tag):
                disk.remove(element)
        disk.set("type", "file")
        _drop(disk, "snapshot")
        driver = disk.find("driver")
        if driver is None:
            driver = etree.SubElement(disk, "driver", name="qemu")
        driver.set("type", image.format)
        etree.SubElement(disk, "source", file=image.file)


def _interfaces(domain: etree._Element, identity: Identity, macs: tuple[str, ...]) -> None:
    for interface, address in zip(domain.iterfind("devices/interface"), macs, strict=True):
        mac = interface.find("mac")
        if mac is None:
            mac = etree.SubElement(interface, "mac")
        mac.attrib.clear()
        mac.set("address", address)
        target = interface.find("target")
        if target is not None and target.get("managed") != "no":
            interface.remove(target)
        if not identity.connected:
            link = interface.find("link")
            if link is None:
                link = etree.SubElement(interface, "link")
            link.set("state", "down")


def _host(domain: etree._Element, identity: Identity) -> None:
    devices = domain.find("devices")
    if devices is None:
        return
    if not identity.keep_host_devices:
        _remove_host_devices(devices)
    if identity.elsewhere:
        _remove(devices, "emulator")
    for backend in devices.findall("tpm/backend"):
        _remove(backend, "source")
    for graphics in devices.findall("graphics"):
        _display(graphics)
    for tag in _BACKENDS:
        for device in devices.findall(tag):
            _character_device(device)
    for cid in devices.iterfind("vsock/cid"):
        cid.attrib.clear()
        cid.set("auto", "yes")


def _remove_host_devices(devices: etree._Element) -> None:
    for path in _HOST_DEVICES:
        _remove(devices, path)
    for tpm in devices.findall("tpm"):
        if tpm.find("backend[@type='passthrough']") is not None:
            devices.remove(tpm)


def _display(graphics: etree._Element) -> None:
    _drop(graphics, "websocket")
    if graphics.get("port", "-1") != "-1" or graphics.get("tlsPort", "-1") != "-1":
        _drop(graphics, "port", "tlsPort")
        graphics.set("autoport", "yes")
    _drop(graphics, "socket")
    for listen in graphics.findall("listen"):
        if listen.get("type") == "socket":
            _drop(listen, "socket")


def _character_device(device: etree._Element) -> None:
    """One that ends at a place of the host would have to share it with the source: it ends nowhere instead."""
    for log in device.findall("log"):
        device.remove(log)
    kind = device.get("type")
    if kind == "unix" and device.find("target[@type='virtio']") is not None:
        for source in device.findall("source"):
            device.remove(source)  # libvirt chooses the socket
    elif kind in _ONCE and device.tag != "rng":
        for tag in ("source", "protocol"):
            for element in device.findall(tag):
                device.remove(element)
        device.set("type", "null" if kind != "unix" else "pty")


def _remove(parent: etree._Element, path: str) -> None:
    for element in parent.findall(path):
        parent.remove(element)


def _drop(element: etree._Element, *names: str) -> None:
    for name in names:
        if name in element.attrib:
            del element.attrib[name]
