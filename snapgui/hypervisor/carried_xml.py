"""The documents of a VM's snapshots for a clone that has them, too: every path, name and address is the clone's."""

from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from snapgui.hypervisor.clone_xml import Identity, give_identity
from snapgui.hypervisor.xml import attribute, dump, parse


@dataclass(frozen=True, slots=True)
class Carried:
    """``paths`` and ``macs``: what takes the place of each of the source's; the rest as in ``Identity``."""

    identity: Identity
    paths: Mapping[str, str]
    macs: Mapping[str, str]


def carried_domain(text: str, carried: Carried) -> str:
    """Return a ``<domain>`` document of the source's past as one of the clone's."""
    root = parse(text)
    _domain(root, carried)
    return dump(root)


def carried_snapshot(text: str, carried: Carried) -> str:
    """Return a ``<domainsnapshot>`` document as one of the clone's; its name, time and parent stay."""
    root = parse(text)
    for path in ("domain", "inactiveDomain"):
        for domain in root.findall(path):
            _domain(domain, carried)
    _paths(root, carried)
    return dump(root)


def _domain(domain: etree._Element, carried: Carried) -> None:
    addresses = (attribute(each, "mac", "address") for each in domain.iterfind("devices/interface"))
    give_identity(domain, carried.identity, tuple(carried.macs[address] for address in addresses))
    _paths(domain, carried)


def _paths(root: etree._Element, carried: Carried) -> None:
    """A path stands in an attribute of a disk's or memory's source, or is the text of the NVRAM's element."""
    for element in root.iter(etree.Element):
        for name in ("file", "dev"):
            if (path := element.get(name)) in carried.paths:
                element.set(name, carried.paths[path or ""])
        if element.tag == "nvram" and carried.identity.nvram and element.text and element.text.strip():
            element.text = carried.identity.nvram
