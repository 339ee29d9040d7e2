"""Fold what is no configuration out of ``<domain>`` documents: what libvirt chose, counted up or found out by itself.

The names come from libvirt's format (https://libvirt.org/formatdomain.html); a document of a running VM and the one
it was started from are the same afterwards.
"""

import copy
import re
from collections.abc import Collection

from lxml import etree

from snapgui.hypervisor.domain_xml import UNITS, write_mark
from snapgui.hypervisor.xml import attribute, parse
from snapgui.model.errors import Broken
from snapgui.model.text import QT_TRANSLATE_NOOP

LOCATION = ("file", "dev", "dir", "protocol", "name", "pool", "volume", "type", "managed", "namespace")
"""Attributes of a disk's ``<source>`` that say where its image lies."""

_ELEMENTS = (
    "genid",  # made anew whenever a state is used a second time
    "resource[partition='/machine']",
    ".//seclabel",
    ".//backingStore",
    ".//mirror",
    ".//privateData",
    "devices/*/status",
    "devices/*/address",
    "devices/*[@type='pty']/source",
    "devices/memory/target/current",
    "devices/disk/source/reservations[@managed='yes']/source",
)
_ATTRIBUTES = (
    ("devices/console", "tty"),
    ("devices/channel/target", "state"),
    ("devices/controller[@type='pci']/model", "name"),
    ("devices/controller[@type='pci']/target", "chassis"),
    ("devices/controller[@type='pci']/target", "chassisNr"),
    ("devices/controller[@type='pci']/target", "port"),
    ("devices/disk//source", "index"),
    ("devices/interface/source", "portid"),
    ("devices/interface/source[@network]", "bridge"),
    ("devices/interface/source[@network]", "dev"),
    ("devices/vsock/cid[@auto='yes']", "address"),
    ("devices/graphics[@autoport='yes']", "port"),
    ("devices/graphics[@autoport='yes']", "tlsPort"),
    ("devices/graphics[@port='-1']", "port"),
    ("devices/graphics[@tlsPort='-1']", "tlsPort"),
    ("devices/graphics[@websocket='-1']", "websocket"),
    ("devices/graphics[listen]", "listen"),  # repeats the first <listen>
    ("devices/graphics/listen[@type='network']", "address"),
    ("devices/graphics/listen[@address='127.0.0.1']", "address"),  # the default, which only running VMs say
    ("devices/graphics/listen[@address='::1']", "address"),
)
_EMPTY = ("devices/interface/target", "devices/controller[@type='pci']/*")
"""Elements that mean nothing once their attributes are gone."""
_AMOUNTS = (
    ("memory", "", "unit"),
    ("currentMemory", "", "unit"),
    ("maxMemory", "", "unit"),
    ("memtune/*", "", "unit"),
    ("memoryBacking/hugepages/page", "size", "unit"),
    ("cpu/numa/cell", "memory", "unit"),
    ("devices/memory/target/*", "", "unit"),
    ("devices/shmem/size", "", "unit"),
    ("features/smm/tseg", "", "unit"),
)
"""(element, attribute with the number or empty for its text, attribute with the unit); the default is KiB."""
_CHOSEN_INTERFACE = re.compile(r"(vnet|macvtap|macvlan)\d+")
_CHOSEN_SOCKET = re.compile(r"/qemu/(.*/)?(channel/|domain-)")


def folded(text: str) -> etree._Element:
    """Return a ``<domain>`` document without noise, but its runtime id; raise Broken where it is none."""
    domain = parse(text)
    if domain.tag != "domain":
        raise Broken(QT_TRANSLATE_NOOP("errors", "The document does not say how a VM is configured."))
    _plain(domain)
    write_mark(domain, None, safety=False)
    metadata = domain.find("metadata")
    if metadata is not None:
        domain.remove(metadata)  # what others keep there is theirs, whatever its names are
    _drop(domain)
    for path, name, unit in _AMOUNTS:
        for element in domain.iterfind(path):
            _in_bytes(element, name, unit)
    if metadata is not None and len(metadata):
        domain.append(metadata)
    return domain


def indented(domain: etree._Element) -> str:
    """Return an element as text, one line for each part."""
    shown = copy.deepcopy(domain)
    _plain(shown, comments=True)
    etree.indent(shown)
    return etree.tostring(shown, encoding="unicode") + "\n"


def fold_together(before: etree._Element, after: etree._Element, exchanged: Collection[str] = ()) -> None:
    """Fold what only two documents show to be noise.

    An external snapshot moves a disk to another file by itself, a deletion or revert moves it on: image files count
    as noise unless the drive has exchangeable media, or the caller knows that the disk in ``exchanged`` (targets) got
    another image altogether. The format of the image goes with it.
    """
    _fold_images(before, after, exchanged)
    _fold_firmware(before, after)
    _fold_processor(before, after)
    if all(_balloon_full(domain) for domain in (before, after)):
        for domain in (before, after):
            _remove(domain, "currentMemory")
    for domain in (before, after):
        _forget(domain, "id")


def location(source: etree._Element | None) -> str:
    """Return where a disk's image lies, as one text; empty for nowhere."""
    if source is None:
        return ""
    return " ".join(source.get(name, "") for name in LOCATION if source.get(name))


def _plain(root: etree._Element, *, comments: bool = False) -> None:
    """Leave elements and their texts only; blanks between them mean nothing."""
    if not comments:
        etree.strip_tags(root, etree.Comment, etree.ProcessingInstruction)
    for element in root.iter():
        if element.text is not None and isinstance(element.tag, str) and not element.text.strip():
            element.text = None
        if element.tail is not None and not element.tail.strip():
            element.tail = None


def _drop(domain: etree._Element) -> None:
    for path in _ELEMENTS:
        _remove(domain, path)
    for path, name in _ATTRIBUTES:
        for element in domain.iterfind(path):
            _forget(element, name)
    _drop_names(domain)
    _drop_sockets(domain)
    if domain.find("devices/serial") is not None:
        _remove(domain, "devices/console/target[@type='serial']/..")  # the serial port once more
    for path in _EMPTY:
        for element in domain.findall(path):
            if not element.attrib and not len(element):
                _detach(element)


def _drop_names(domain: etree._Element) -> None:
    for alias in domain.findall("devices//alias"):
        if not alias.get("name", "").startswith("ua-"):  # those are given by the user
            _detach(alias)
    for target in domain.iterfind("devices/interface/target"):
        if _CHOSEN_INTERFACE.fullmatch(target.get("dev", "")):
            del target.attrib["dev"]


def _drop_sockets(domain: etree._Element) -> None:
    for source in domain.findall("devices/channel[@type='unix']/source"):
        path = source.get("path", "")
        if source.get("mode", "bind") == "bind" and (not path or _CHOSEN_SOCKET.search(path)):
            _detach(source)
    for element in (*domain.iterfind("devices/graphics"), *domain.iterfind("devices/graphics/listen")):
        if _CHOSEN_SOCKET.search(element.get("socket", "")):
            del element.attrib["socket"]


def _in_bytes(element: etree._Element, name: str, unit: str) -> None:
    text = (element.get(name, "") if name else element.text or "").strip()
    factor = UNITS.get(element.get(unit, "KiB"))
    if factor is None or not (text.isascii() and text.isdigit()) or len(text) > len(str(2**64)):
        return
    amount = str(int(text) * factor)
    if name:
        element.set(name, amount)
    else:
        element.text = amount
    element.set(unit, "b")


def _fold_images(before: etree._Element, after: etree._Element, exchanged: Collection[str]) -> None:
    others = {attribute(disk, "target", "dev"): disk for disk in after.iterfind("devices/disk")}
    for disk in before.iterfind("devices/disk"):
        target = attribute(disk, "target", "dev")
        other = others.get(target)
        if other is None or target in exchanged or _has_media(disk) or _has_media(other):
            continue
        if location(disk.find("source")) != location(other.find("source")):
            for each in (disk, other):
                _remove(each, "source")
                _forget(each, "type")
                for driver in each.iterfind("driver"):
                    _forget(driver, "type")


def _has_media(disk: etree._Element) -> bool:
    return disk.get("device", "disk") in {"cdrom", "floppy"}


def _fold_firmware(before: etree._Element, after: etree._Element) -> None:
    """Where libvirt chooses the firmware, the files it chose stand in one of the documents only."""
    one, other = before.find("os"), after.find("os")
    if one is None or other is None or not one.get("firmware") or one.get("firmware") != other.get("firmware"):
        return
    for tag in ("loader", "nvram", "firmware"):
        if (one.find(tag) is None) != (other.find(tag) is None):
            _remove(one, tag)
            _remove(other, tag)


def _fold_processor(before: etree._Element, after: etree._Element) -> None:
    """A running VM's processor is spelled out (``check='full'``); what was asked for cannot be told from it."""
    if _spelled_out(before) != _spelled_out(after):
        for domain in (before, after):
            _remove(domain, "cpu")


def _spelled_out(domain: etree._Element) -> bool:
    return "id" in domain.attrib and attribute(domain, "cpu", "check") == "full"


def _balloon_full(domain: etree._Element) -> bool:
    current = domain.findtext("currentMemory")
    return current is None or current == domain.findtext("memory")


def _forget(element: etree._Element, name: str) -> None:
    if name in element.attrib:
        del element.attrib[name]


def _remove(domain: etree._Element, path: str) -> None:
    for element in domain.findall(path):
        _detach(element)


def _detach(element: etree._Element | None) -> None:
    parent = None if element is None else element.getparent()
    if element is not None and parent is not None:
        parent.remove(element)
