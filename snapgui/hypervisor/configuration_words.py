"""Say differences of configurations for people: plain text on one line, long values shortened."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from snapgui.hypervisor.xml import attribute
from snapgui.model.difference import Change
from snapgui.model.text import QT_TRANSLATE_NOOP, Text

LONGEST_VALUE = 60
"""Characters of a value that are shown."""
KEPT = 12
"""Characters shown before the first difference of two long values."""


@dataclass(frozen=True, slots=True)
class Found:
    """A difference at the place ``steps``: of an attribute, of a text, or (``part``) of a whole element.

    ``one`` and ``other`` are the element before and after, where it is one.
    """

    steps: tuple[str, ...]
    before: str | None
    after: str | None
    one: etree._Element | None = None
    other: etree._Element | None = None
    attribute: str = ""
    part: bool = False

    @property
    def change(self) -> Change:
        """What happened."""
        if self.before is None:
            return Change.ADDED
        return Change.REMOVED if self.after is None else Change.CHANGED


_AMOUNTS = {"memory", "currentMemory", "maxMemory", "memtune/hard_limit", "memtune/soft_limit"}
_WORDS = {
    "name": QT_TRANSLATE_NOOP("configuration", "Name"),
    "title": QT_TRANSLATE_NOOP("configuration", "Title"),
    "description": QT_TRANSLATE_NOOP("configuration", "Description"),
    "memory": QT_TRANSLATE_NOOP("configuration", "Memory"),
    "currentMemory": QT_TRANSLATE_NOOP("configuration", "Memory given to the guest"),
    "maxMemory": QT_TRANSLATE_NOOP("configuration", "Memory at most"),
    "memtune/hard_limit": QT_TRANSLATE_NOOP("configuration", "Memory limit"),
    "memtune/soft_limit": QT_TRANSLATE_NOOP("configuration", "Memory limit under pressure"),
    "vcpu": QT_TRANSLATE_NOOP("configuration", "vCPUs"),
    "vcpu/@current": QT_TRANSLATE_NOOP("configuration", "vCPUs at the start"),
    "cpu": QT_TRANSLATE_NOOP("configuration", "CPU"),
    "cpu/@mode": QT_TRANSLATE_NOOP("configuration", "CPU mode"),
    "cpu/model": QT_TRANSLATE_NOOP("configuration", "CPU model"),
    "cpu/topology": QT_TRANSLATE_NOOP("configuration", "CPU topology"),
    "firmware": QT_TRANSLATE_NOOP("configuration", "Firmware"),
    "os/loader": QT_TRANSLATE_NOOP("configuration", "Firmware file"),
    "os/nvram": QT_TRANSLATE_NOOP("configuration", "File of the UEFI variables"),
    "os/boot": QT_TRANSLATE_NOOP("configuration", "Boot order"),
    "os/kernel": QT_TRANSLATE_NOOP("configuration", "Kernel"),
    "os/initrd": QT_TRANSLATE_NOOP("configuration", "Initial RAM disk"),
    "os/cmdline": QT_TRANSLATE_NOOP("configuration", "Kernel arguments"),
    "os/type/@machine": QT_TRANSLATE_NOOP("configuration", "Machine type"),
    "os/type/@arch": QT_TRANSLATE_NOOP("configuration", "Architecture"),
    "clock/@offset": QT_TRANSLATE_NOOP("configuration", "Clock"),
    "commandline/arg": QT_TRANSLATE_NOOP("configuration", "Arguments of QEMU"),
}
_DEVICES = {
    "disk": QT_TRANSLATE_NOOP("configuration", "Disk"),
    "cdrom": QT_TRANSLATE_NOOP("configuration", "CD drive"),
    "floppy": QT_TRANSLATE_NOOP("configuration", "Floppy drive"),
    "interface": QT_TRANSLATE_NOOP("configuration", "Network interface"),
    "controller": QT_TRANSLATE_NOOP("configuration", "Controller"),
    "hostdev": QT_TRANSLATE_NOOP("configuration", "Host device"),
    "filesystem": QT_TRANSLATE_NOOP("configuration", "Shared folder"),
    "graphics": QT_TRANSLATE_NOOP("configuration", "Display"),
    "video": QT_TRANSLATE_NOOP("configuration", "Video card"),
    "sound": QT_TRANSLATE_NOOP("configuration", "Sound card"),
    "input": QT_TRANSLATE_NOOP("configuration", "Input device"),
    "channel": QT_TRANSLATE_NOOP("configuration", "Channel"),
    "serial": QT_TRANSLATE_NOOP("configuration", "Serial port"),
    "console": QT_TRANSLATE_NOOP("configuration", "Console"),
    "parallel": QT_TRANSLATE_NOOP("configuration", "Parallel port"),
    "tpm": QT_TRANSLATE_NOOP("configuration", "TPM"),
    "rng": QT_TRANSLATE_NOOP("configuration", "Random number generator"),
    "watchdog": QT_TRANSLATE_NOOP("configuration", "Watchdog"),
    "memballoon": QT_TRANSLATE_NOOP("configuration", "Memory balloon"),
    "redirdev": QT_TRANSLATE_NOOP("configuration", "USB redirection"),
    "panic": QT_TRANSLATE_NOOP("configuration", "Panic device"),
    "smartcard": QT_TRANSLATE_NOOP("configuration", "Smart card reader"),
    "vsock": QT_TRANSLATE_NOOP("configuration", "Socket to the host"),
    "memory": QT_TRANSLATE_NOOP("configuration", "Memory module"),
    "shmem": QT_TRANSLATE_NOOP("configuration", "Shared memory"),
    "emulator": QT_TRANSLATE_NOOP("configuration", "Emulator"),
}
_NAMED = {"video": "model/@type", "sound": "model", "tpm": "model", "rng": "model", "serial": "target/@port"} | {
    "console": "target/@port",
    "watchdog": "model",
    "memballoon": "model",
    "redirdev": "bus",
    "panic": "model",
    "vsock": "model",
    "memory": "model",
}
"""Where a device that has no key says which one it is."""
_MEMORY, _CPUS, _CPU, _FIRMWARE, _DISKS, _NETWORK, _HOST, _OTHER_DEVICES, _OTHER, _TEXTS, _WIRING = range(11)
_RANKS = {
    "memory": _MEMORY,
    "currentMemory": _MEMORY,
    "maxMemory": _MEMORY,
    "vcpu": _CPUS,
    "cpu": _CPU,
    "firmware": _FIRMWARE,
    "os": _FIRMWARE,
    "title": _TEXTS,
    "description": _TEXTS,
    "metadata": _TEXTS,
}
_DEVICE_RANKS = {"disk": _DISKS, "interface": _NETWORK, "hostdev": _HOST, "filesystem": _HOST, "controller": _WIRING}


def rank(found: Found) -> int:
    """Return how early a difference is told; what is equal stays in document order."""
    first = found.steps[0] if found.steps else ""
    if first == "devices" and len(found.steps) > 1:
        return _DEVICE_RANKS.get(_tag(found.steps[1]), _OTHER_DEVICES)
    return _RANKS.get(first, _OTHER)


def words(found: Found, sizes: Mapping[str, int]) -> Text:
    """Return the sentence; ``sizes`` are the bytes of disks by image."""
    if found.steps[:1] == ("devices",) and len(found.steps) > 1:
        return _of_device(found, sizes)
    path = "/".join((*found.steps, f"@{found.attribute}") if found.attribute else found.steps)
    if found.steps[:1] == ("cpu",) and len(found.steps) > 1 and _tag(found.steps[1]) == "feature":
        feature = QT_TRANSLATE_NOOP("configuration", "CPU feature {name}").format(name=_key(found.steps[1]))
        return _whole(found, feature) if found.part else _values(found, feature)
    if found.part and not (found.before or found.after):
        return _whole(found, _WORDS.get(path, _plainly(path)))
    if path in _WORDS:
        return _values(found, _WORDS[path])
    return _at_path(found, path)


def _at_path(found: Found, path: str) -> Text:
    before, after = _shown(found)
    templates = {
        Change.ADDED: QT_TRANSLATE_NOOP("configuration", "{path} added: {after}"),
        Change.REMOVED: QT_TRANSLATE_NOOP("configuration", "{path} removed: {before}"),
        Change.CHANGED: QT_TRANSLATE_NOOP("configuration", "{path}: {before} → {after}"),
    }
    return templates[found.change].format(path=excerpt(path), before=before, after=after)


def _values(found: Found, what: Text) -> Text:
    before, after = _shown(found)
    templates = {
        Change.ADDED: QT_TRANSLATE_NOOP("configuration", "{what} set to {after}"),
        Change.REMOVED: QT_TRANSLATE_NOOP("configuration", "{what} {before} removed"),
        Change.CHANGED: QT_TRANSLATE_NOOP("configuration", "{what} {before} → {after}"),
    }
    return templates[found.change].format(what=what, before=before, after=after)


def _whole(found: Found, what: Text, detail: str = "") -> Text:
    if detail:
        templates = {
            Change.ADDED: QT_TRANSLATE_NOOP("configuration", "{what} added ({detail})"),
            Change.REMOVED: QT_TRANSLATE_NOOP("configuration", "{what} removed ({detail})"),
        }
        return templates[found.change].format(what=what, detail=detail)
    templates = {
        Change.ADDED: QT_TRANSLATE_NOOP("configuration", "{what} added"),
        Change.REMOVED: QT_TRANSLATE_NOOP("configuration", "{what} removed"),
    }
    return templates[found.change].format(what=what)


def _of_device(found: Found, sizes: Mapping[str, int]) -> Text:
    device = _device(found)
    if _is_device(found):
        return _whole(found, device, _detail(found, sizes))
    rest = [_tag(step) if not _key(step) else f"{_tag(step)} {_key(step)}" for step in found.steps[2:]]
    what = excerpt(" ".join((*rest, found.attribute) if found.attribute else rest))
    before, after = _shown(found)
    if found.part and not (before or after):
        return _whole(found, _joined(device, what))
    if not what:
        return _values(found, device)
    return _values(found, _joined(device, what))


def _is_device(found: Found) -> bool:
    return found.part and len(found.steps) == 2  # noqa: PLR2004 - "devices" and the device itself


def _joined(device: Text, what: str) -> Text:
    return QT_TRANSLATE_NOOP("configuration", "{device}: {what}").format(device=device, what=what)


def _device(found: Found) -> Text:
    """Name a device by its key or place; one that came or went by its model where it has no key."""
    element = _ancestor(found)
    tag, name = _tag(found.steps[1]), _key(found.steps[1])
    kind = tag if element is None or tag != "disk" else element.get("device", "disk")
    if element is not None and tag in _NAMED and _is_device(found):
        path, _, inside = _NAMED[tag].rpartition("/@")
        name = attribute(element, path or ".", inside)
    if kind not in _DEVICES and tag in _DEVICES:
        kind = tag
    if kind not in _DEVICES:
        return QT_TRANSLATE_NOOP("configuration", "Device {name}").format(name=excerpt(f"{tag} {name}".strip()))
    if not name:
        return _DEVICES[kind]
    return QT_TRANSLATE_NOOP("configuration", "{device} {name}").format(device=_DEVICES[kind], name=excerpt(name))


def _ancestor(found: Found) -> etree._Element | None:
    """Return the element of the device that a difference lies in."""
    element = found.one if found.one is not None else found.other
    for _ in found.steps[2:]:
        element = None if element is None else element.getparent()
    return element


def _detail(found: Found, sizes: Mapping[str, int]) -> str:
    """Say what a disk that came or went is, or where an interface goes to."""
    element = found.one if found.one is not None else found.other
    if element is None:
        return ""
    source = element.find("source")
    if source is None:
        return ""
    if element.tag == "interface":
        names = (source.get(name, "") for name in ("network", "bridge", "dev"))
        return excerpt(next(filter(None, names), ""))
    if element.tag not in {"disk", "filesystem"}:
        return ""
    place = next(filter(None, (source.get(name, "") for name in ("file", "dev", "dir", "volume", "name"))), "")
    size = sizes.get(place)
    shown = "…/" + place.rpartition("/")[2] if place.startswith("/") else place
    return " ".join(filter(None, ("" if size is None else exact_size(size), excerpt(shown))))


def _shown(found: Found) -> tuple[str, str]:
    """Return both values as they are shown: two long ones from shortly before where they begin to differ."""
    before, after = (
        _said(found, value, part) for value, part in ((found.before, found.one), (found.after, found.other))
    )
    short = excerpt(before), excerpt(after)
    if short[0] != short[1] or before == after:
        return short
    same = next(
        (n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    start = max(same - KEPT, 0)
    return "…" + excerpt(before[start:]), "…" + excerpt(after[start:])


def _said(found: Found, value: str | None, element: etree._Element | None) -> str:
    path = "/".join(found.steps)
    if value and path in _AMOUNTS and value.isascii() and value.isdigit() and not found.attribute:
        return exact_size(int(value))
    if found.part and element is not None and not len(element) and (value or "").startswith("<"):
        return ", ".join(
            filter(None, (element.text, *(f"{name!s} {value!s}" for name, value in element.attrib.items())))
        )
    return value or ""


def exact_size(size: int) -> str:
    """Return bytes in the largest binary unit (IEC 80000-13) that divides them."""
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    number = 0
    while size and size % 1024 == 0 and number < len(units) - 1:
        size, number = size // 1024, number + 1
    return f"{size} {units[number]}"


def excerpt(text: str) -> str:
    """Return a text on one line without control characters, cut where it is long."""
    line = " ".join(text[: 4 * LONGEST_VALUE].split())
    line = "".join(char if unicodedata.category(char)[0] != "C" else "\ufffd" for char in line)
    if len(line) <= LONGEST_VALUE and len(text) <= 4 * LONGEST_VALUE:
        return line
    return line[: LONGEST_VALUE - 1] + "…"


def _plainly(path: str) -> Text:
    return QT_TRANSLATE_NOOP("configuration", "{path}").format(path=excerpt(path))


def _tag(step: str) -> str:
    return step.partition("[")[0]


def _key(step: str) -> str:
    return step.partition("[")[2].removesuffix("]")
