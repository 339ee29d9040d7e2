"""The file with a VM's UEFI variables: from raw to qcow2, through libvirt's storage pools alone."""

import contextlib
from pathlib import PurePosixPath
from typing import Any

import libvirt
from lxml import etree

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.faults import translated
from snapgui.hypervisor.pools import pool_at
from snapgui.hypervisor.volumes import names_in
from snapgui.hypervisor.xml import parse
from snapgui.model.errors import Refused
from snapgui.model.text import QT_TRANSLATE_NOOP


def qcow2_path(path: str) -> str:
    """Return where the copy of an NVRAM file goes: beside it, with another ending."""
    return str(PurePosixPath(path).with_suffix(".qcow2"))


def use_qcow2(connection: Connection, vm_uuid: str) -> None:
    """Copy the variables of a VM that is off into a new qcow2 file, and write that into its configuration.

    The old file stays as it is. Raises Refused where the new one exists already.
    """
    domain = connection.domain(vm_uuid)
    with translated():
        root = parse(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE))
    element = root.find("os/nvram")
    path = "" if element is None else (element.text or "").strip()
    if element is None or not path:
        raise Refused(QT_TRANSLATE_NOOP("errors", "The VM has no file with UEFI variables yet; start it once."))
    new = qcow2_path(path)
    with pool_at(connection, str(PurePosixPath(path).parent)) as pool:
        volume = _copy(pool, PurePosixPath(path).name, PurePosixPath(new).name)
        try:
            element.text = new
            element.set("format", "qcow2")
            with translated():
                connection.libvirt.defineXMLFlags(etree.tostring(root, encoding="unicode"), 0)
        except BaseException:
            with contextlib.suppress(libvirt.libvirtError):
                volume.delete(0)
            raise


def _copy(pool: Any, name: str, new: str) -> Any:
    with translated():
        source = pool.storageVolLookupByName(name)
        if new in names_in(pool):
            text = QT_TRANSLATE_NOOP("errors", "The file {path} exists already; nothing was changed.")
            raise Refused(text.format(path=new))
        if parse(source.XMLDesc(0)).find("target/format[@type='raw']") is None:
            # The guest can write the beginning of the file: libvirt would follow what it looks like.
            text = QT_TRANSLATE_NOOP("errors", "{path} does not look like a file with UEFI variables.")
            raise Refused(text.format(path=source.path()))
        wanted = etree.Element("volume")
        etree.SubElement(wanted, "name").text = new
        etree.SubElement(wanted, "capacity").text = str(source.info()[1])
        target = etree.SubElement(wanted, "target")
        etree.SubElement(target, "format", type="qcow2")
        etree.SubElement(etree.SubElement(target, "permissions"), "mode").text = "0600"
        return pool.createXMLFrom(etree.tostring(wanted, encoding="unicode"), source, 0)
