"""A VM that is off with the metadata of many snapshots; there is nothing in its image."""

import re

import libvirt

from support.shapes import parents
from tests.stacks.machines import Machine

_BEGIN_S = 1_700_000_000


def redefine(machine: Machine, count: int) -> None:
    """Give the VM ``count`` snapshots, the last one current."""
    pattern = machine.domain.snapshotCreateXML("<domainsnapshot><name>pattern</name></domainsnapshot>")
    text = pattern.getXMLDesc(libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE)
    pattern.delete()
    for number, parent in enumerate(parents("random", count)):
        above = "" if parent is None else f"<parent><name>s{parent}</name></parent>"
        made = re.sub(r"<creationTime>\d+", f"{above}<creationTime>{_BEGIN_S + number}", text)
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
        if number == count - 1:
            flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
        machine.domain.snapshotCreateXML(made.replace("<name>pattern<", f"<name>s{number}<"), flags)
