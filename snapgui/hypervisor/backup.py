"""A copy of the disks of a running VM as they are at one moment, by libvirt's push backup; the guest runs on."""

import contextlib
from collections.abc import Mapping

import libvirt
from lxml import etree

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.faults import translated
from snapgui.hypervisor.statistics import JobNumbers
from snapgui.hypervisor.xml import dump, parse
from snapgui.model.records import Disk


def begin(connection: Connection, vm_uuid: str, disks: tuple[Disk, ...], files: Mapping[str, str]) -> None:
    """Begin to copy the disks that ``files`` names (by target) into these new qcow2 files."""
    wanted = etree.Element("domainbackup", mode="push")
    listed = etree.SubElement(wanted, "disks")
    for disk in disks:
        path = files.get(disk.target)
        if path is None:
            etree.SubElement(listed, "disk", name=disk.target, backup="no")
            continue
        element = etree.SubElement(listed, "disk", name=disk.target, backup="yes", type="file")
        etree.SubElement(element, "driver", type="qcow2")
        etree.SubElement(element, "target", file=path)
    domain = connection.domain(vm_uuid)
    with translated():
        domain.backupBegin(dump(wanted), None, 0)


def numbers(connection: Connection, vm_uuid: str) -> JobNumbers | None:
    """Return how far the running copy is, None where none runs (any more)."""
    domain = connection.domain(vm_uuid)
    try:
        found = domain.jobStats(0)
    except libvirt.libvirtError as error:
        # In its first moments the job is there, but has no numbers yet.
        return JobNumbers(0, 0, 0) if "backup job data missing" in str(error) else None
    if found.get("type", libvirt.VIR_DOMAIN_JOB_NONE) == libvirt.VIR_DOMAIN_JOB_NONE:
        return None
    total, done = found.get("disk_total", 0), found.get("disk_processed", 0)
    return JobNumbers(total, max(0, total - done), done)


def succeeded(connection: Connection, vm_uuid: str) -> bool:
    """Whether the copy that ended last is whole."""
    domain = connection.domain(vm_uuid)
    with translated():
        found = domain.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)
    return bool(found.get("success", found.get("type") == libvirt.VIR_DOMAIN_JOB_COMPLETED))


def targets(connection: Connection, vm_uuid: str) -> tuple[str, ...]:
    """Return the files that a running backup writes into, those of one that only lends the disks, too."""
    domain = connection.domain(vm_uuid)
    try:
        root = parse(domain.backupGetXMLDesc(0))
    except libvirt.libvirtError:
        return ()
    return tuple(file.get("file", "") for kind in ("target", "scratch") for file in root.iterfind(f"disks/disk/{kind}"))


def abort(connection: Connection, vm_uuid: str) -> None:
    """Call the running copy off."""
    domain = connection.domain(vm_uuid)
    with contextlib.suppress(libvirt.libvirtError):  # it ended just now
        domain.abortJob()
