"""The difference of two ``<domain>`` documents by meaning: every part has an identity, and noise is folded away."""

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping

from lxml import etree

from snapgui.hypervisor.configuration_noise import LOCATION, fold_together, folded, indented, location
from snapgui.hypervisor.configuration_words import Found, rank, words
from snapgui.hypervisor.xml import attribute, parse
from snapgui.model.difference import ConfigChange, ConfigurationDifference

DEEPEST = 60
"""Levels of elements that are told apart; what lies deeper is compared as a whole."""

_KEYS = {
    "disk": (("target", "dev"),),
    "interface": (("mac", "address"),),
    "controller": ((".", "type"), (".", "index")),
    "channel": (("target", "name"),),
    "filesystem": (("target", "dir"),),
    "graphics": ((".", "type"),),
    "input": ((".", "type"), (".", "bus")),
    "audio": ((".", "id"),),
    "shmem": ((".", "name"),),
    "feature": ((".", "name"),),
    "timer": ((".", "name"),),
    "entry": ((".", "name"),),
    "cell": ((".", "id"),),
    "vcpupin": ((".", "vcpu"),),
    "iothreadpin": ((".", "iothread"),),
    "iothread": ((".", "id"),),
}
"""What a part is known by; others are told apart by their tag and place."""
_QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"
_LISTS = {"os": ("boot", "dev"), f"{_QEMU}commandline": (f"{_QEMU}arg", "value")}
"""Elements whose children's order is what they say: the tag of these, and the attribute that is listed."""
_HOST_DEVICE = ("name", "wwpn", "dev", "protocol", "path")

_Print = tuple[object, ...]


def differences(
    before: str, after: str, *, exchanged: Collection[str] = (), sizes: Mapping[str, int] | None = None
) -> ConfigurationDifference:
    """Compare two ``<domain>`` documents; raise Broken where one cannot be read.

    ``exchanged``: targets of disks that are known to have another image altogether; without that knowledge another
    image file counts as noise. ``sizes``: bytes of disks by image, as far as known.
    """
    one, other = folded(before), folded(after)
    fold_together(one, other, exchanged)
    shown = indented(one), indented(other)
    found = [*_firmware(one, other), *_compare(one, other, ())]
    if found and found[0].steps == ("firmware",):
        found = [each for each in found if (each.steps, each.attribute) != (("os",), "firmware")]
    changes = (_change(each, sizes or {}) for each in sorted(found, key=rank))
    return ConfigurationDifference(tuple(changes), indented(parse(before)), indented(parse(after)), *shown)


def disk_images(text: str) -> dict[str, tuple[str, str]]:
    """Return (file or device, format) of every disk of a ``<domain>`` document that is no medium, by target."""
    return {
        attribute(disk, "target", "dev"): (
            attribute(disk, "source", "file") or attribute(disk, "source", "dev"),
            attribute(disk, "driver", "type", "raw"),
        )
        for disk in parse(text).iterfind("devices/disk")
        if disk.get("device", "disk") in {"disk", "lun"}
    }


def _change(found: Found, sizes: Mapping[str, int]) -> ConfigChange:
    path = "/".join((*found.steps, f"@{found.attribute}") if found.attribute else found.steps)
    return ConfigChange(path, found.change, found.before, found.after, words(found, sizes))


def _firmware(one: etree._Element, other: etree._Element) -> Iterator[Found]:
    """What starts the VM is said in several ways; the kind is one fact."""
    before, after = _kind_of_firmware(one), _kind_of_firmware(other)
    if before != after:
        yield Found(("firmware",), before, after)


def _kind_of_firmware(domain: etree._Element) -> str:
    flash = domain.find("os/loader[@type='pflash']") is not None or domain.find("os/nvram") is not None
    return "UEFI" if flash or attribute(domain, "os", "firmware") == "efi" else "BIOS"


def _compare(one: etree._Element, other: etree._Element, steps: tuple[str, ...]) -> Iterator[Found]:
    """Yield what differs between two elements that are the same part, in document order."""
    if len(steps) >= DEEPEST:
        if _print_of(one) != _print_of(other):
            yield Found(steps, _whole(one), _whole(other), one, other)
        return
    said = _text(one), _text(other)
    if said[0] != said[1]:
        yield Found(steps, said[0] or None, said[1] or None, one, other)
    yield from _attributes(one, other, steps)
    yield from _children(one, other, steps)


def _attributes(one: etree._Element, other: etree._Element, steps: tuple[str, ...]) -> Iterator[Found]:
    names = dict.fromkeys((*one.attrib, *other.attrib))
    if _is_image(one):
        images = location(one), location(other)
        if images[0] != images[1]:
            yield Found(steps, images[0] or None, images[1] or None, one, other)
        names = dict.fromkeys(name for name in names if name not in LOCATION)
    for name in names:
        before, after = (element.get(name) for element in (one, other))
        if before != after:
            yield Found(steps, before, after, one, other, attribute=etree.QName(name).localname)


def _children(one: etree._Element, other: etree._Element, steps: tuple[str, ...]) -> Iterator[Found]:
    left, right = (list(parent.iterchildren(etree.Element)) for parent in (one, other))
    if one.tag in _LISTS:
        listed, name = _LISTS[one.tag]
        before, after = (_listed(children, listed, name) for children in (left, right))
        if before != after:
            yield Found((*steps, etree.QName(listed).localname), before, after)
        left, right = ([child for child in children if child.tag != listed] for children in (left, right))
    for (tag, key), (ones, others) in _groups(left, right).items():
        several = len(ones) > 1 or len(others) > 1
        for old, new, place in _pairs(ones, others):
            step = (*steps, _step(tag, key, place if several else 0))
            if old is not None and new is not None:
                yield from _compare(old, new, step)
            else:
                yield Found(step, _whole(old), _whole(new), old, new, part=True)


def _listed(children: list[etree._Element], tag: str, name: str) -> str | None:
    return ", ".join(child.get(name, "") for child in children if child.tag == tag) or None


def _groups(
    left: list[etree._Element], right: list[etree._Element]
) -> dict[tuple[str, str], tuple[list[etree._Element], list[etree._Element]]]:
    """Return the children that may be the same part, by tag and key."""
    readdressed = _readdressed(left, right)
    found: dict[tuple[str, str], tuple[list[etree._Element], list[etree._Element]]] = {}
    for side, children in enumerate((left, right)):
        place = 0
        for child in children:
            place += child.tag == "interface"
            again = child.tag == "interface" and place in readdressed
            key = str(place) if again else _key(child)
            found.setdefault((child.tag, key), ([], []))[side].append(child)
    return found


def _readdressed(left: list[etree._Element], right: list[etree._Element]) -> set[int]:
    """Return the places of interfaces, counted from 1, that only have another MAC address than before."""
    ones, others = ([child for child in side if child.tag == "interface"] for side in (left, right))
    known = [{_key(interface) for interface in side} for side in (ones, others)]
    return {
        place
        for place, (one, other) in enumerate(zip(ones, others, strict=False), start=1)
        if _key(one) not in known[1]
        and _key(other) not in known[0]
        and _print_of(one, "mac") == _print_of(other, "mac")
    }


def _key(element: etree._Element) -> str:
    if element.tag == "hostdev":
        return _host_device(element)
    known = _KEYS.get(element.tag, ())
    return " ".join(filter(None, (attribute(element, path, name) for path, name in known)))


def _host_device(element: etree._Element) -> str:
    """Return where on the host a device is: its address, or what it is found by."""
    found = [element.get("type", "")]
    for part in element.findall("source//*"):
        found += [str(value).removeprefix("0x") for name, value in part.attrib.items() if name != "type"]
        found.append(_text(part))
    found += [attribute(element, "source", name) for name in _HOST_DEVICE]
    return " ".join(filter(None, found))


def _pairs(
    ones: list[etree._Element], others: list[etree._Element]
) -> Iterator[tuple[etree._Element | None, etree._Element | None, int]]:
    """Yield (before, after, place from 1): what is equal belongs together, the rest in the order it stands in."""
    if len(ones) == 1 and len(others) == 1:
        yield ones[0], others[0], 1
        return
    equal: defaultdict[_Print, deque[int]] = defaultdict(deque)
    for place, other in enumerate(others, start=1):
        equal[_print_of(other)].append(place)
    left, matched = [], set()
    for place, one in enumerate(ones, start=1):
        waiting = equal[_print_of(one)]
        if waiting:
            matched.add(waiting.popleft())
        else:
            left.append(place)
    right = [place for place in range(1, len(others) + 1) if place not in matched]
    for before, after in zip(left, right, strict=False):
        yield ones[before - 1], others[after - 1], min(before, after)
    yield from ((ones[place - 1], None, place) for place in left[len(right) :])
    yield from ((None, others[place - 1], place) for place in right[len(left) :])


def _step(tag: str, key: str, place: int) -> str:
    name = etree.QName(tag).localname
    inside = key + (f"#{place}" if key and place else str(place) if place else "")
    return f"{name}[{inside}]" if inside else name


def _text(element: etree._Element) -> str:
    """Return what stands in an element beside its children."""
    texts = (element.text, *(child.tail for child in element))
    return " ".join(text.strip() for text in texts if text and text.strip())


def _whole(element: etree._Element | None) -> str | None:
    if element is None:
        return None
    if _is_image(element) and not len(element):
        return location(element)
    if not element.attrib and not len(element):
        return _text(element)
    return etree.tostring(element, encoding="unicode", with_tail=False)


def _print_of(element: etree._Element, without: str = "") -> _Print:
    """Return what tells whether two elements say the same; the order of attributes says nothing."""
    found: list[object] = []
    skipped = 0
    for event, part in etree.iterwalk(element, events=("start", "end")):
        if part.tag == without:
            skipped += 1 if event == "start" else -1
        elif event == "end":
            found.append(None)
        elif not skipped:
            found += [part.tag, _text(part), tuple(sorted(part.attrib.items()))]
    return tuple(found)


def _is_image(element: etree._Element) -> bool:
    parent = element.getparent()
    return element.tag == "source" and parent is not None and parent.tag == "disk"
