"""Snapshots through libvirt: list and read, take, redefine, revert, delete. Blocking; one libvirt call each."""

import contextlib
from collections.abc import Iterable
from typing import Any

import libvirt

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.domain_xml import NAMESPACE
from snapgui.hypervisor.faults import translated
from snapgui.hypervisor.snapshot_xml import edited, new_external, new_internal, read_snapshot
from snapgui.hypervisor.xml import dump, parse
from snapgui.model.errors import Broken
from snapgui.model.records import DiskRequest, Snapshot, Then
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.model.tree import SnapshotTree

Fingerprint = tuple[tuple[str, ...], str | None]

_REVERT_FLAGS = {
    Then.AS_TAKEN: 0,
    Then.RUNNING: libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING,
    Then.PAUSED: libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED,
    Then.OFF: libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED,
}


def fingerprint(connection: Connection, vm_uuid: str) -> Fingerprint:
    """Return the names and the current one: cheap (0.3 ms), and different whenever a snapshot came or went."""
    domain = connection.domain(vm_uuid)
    with translated():
        names = tuple(sorted(domain.snapshotListNames(0)))
    return names, _current(domain)


def read_tree(connection: Connection, vm_uuid: str, known: SnapshotTree | None = None) -> SnapshotTree:
    """Return the VM's snapshots. What ``known`` holds already is not read again (edits elsewhere stay unseen)."""
    domain = connection.domain(vm_uuid)
    with translated():
        handles = domain.listAllSnapshots(0)
    found = []
    for handle in handles:
        with contextlib.suppress(libvirt.libvirtError):  # deleted since the listing
            name = handle.getName()
            found.append(known[name] if known is not None and name in known else _read(handle))
    return SnapshotTree(found, _current(domain))


def read_one(connection: Connection, vm_uuid: str, name: str) -> Snapshot:
    """Return one snapshot; raise Gone where it does not exist."""
    handle = _handle(connection, vm_uuid, name)
    with translated():
        return _read(handle)


def snapshot_xml(connection: Connection, vm_uuid: str, name: str) -> str:
    """Return libvirt's document of one snapshot, without passwords."""
    handle = _handle(connection, vm_uuid, name)
    with translated():
        text: str = handle.getXMLDesc(0)
        return text


def secure_xml(connection: Connection, vm_uuid: str, name: str) -> str:
    """Return libvirt's document of one snapshot, with passwords."""
    handle = _handle(connection, vm_uuid, name)
    with translated():
        text: str = handle.getXMLDesc(libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE)
        return text


def define(connection: Connection, vm_uuid: str, text: str, *, current: bool) -> None:
    """Write the metadata of a snapshot whose files are there already; its parent has to be defined before it."""
    domain = connection.domain(vm_uuid)
    flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
    if current:
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
    with translated():
        domain.snapshotCreateXML(text, flags)


def forget(connection: Connection, vm_uuid: str, name: str) -> None:
    """Remove the description of one snapshot; images stay as they are, and its children move up to its parent."""
    handle = _handle(connection, vm_uuid, name)
    with translated():
        handle.delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)


def machine_xml(connection: Connection, vm_uuid: str, name: str) -> str:
    """Return the ``<domain>`` document of the VM as it was at a snapshot, with passwords."""
    return _machine(secure_xml(connection, vm_uuid, name))


def public_machine_xml(connection: Connection, vm_uuid: str, name: str) -> str:
    """Return the ``<domain>`` document of the VM as it was at a snapshot, without passwords."""
    return _machine(snapshot_xml(connection, vm_uuid, name))


def _machine(text: str) -> str:
    """A running VM has two documents; the inactive one is what was configured."""
    root = parse(text)
    domain = root.find("inactiveDomain")
    domain = root.find("domain") if domain is None else domain
    if domain is None:
        raise Broken(QT_TRANSLATE_NOOP("errors", "The snapshot does not say how the VM was configured."))
    domain.tag = "domain"
    return dump(domain)


def take_internal(connection: Connection, vm_uuid: str, name: str, description: str) -> Snapshot:
    """Save disks, and RAM and CPU of a running VM, inside its image files. Blocks until it is done."""
    domain = connection.domain(vm_uuid)
    with translated():
        return _read(domain.snapshotCreateXML(new_internal(name, description), 0))


def take_external(
    connection: Connection,
    vm_uuid: str,
    name: str,
    description: str,
    memory_file: str,
    disks: Iterable[DiskRequest],
    *,
    live: bool = False,
    quiesce: bool = False,
) -> Snapshot:
    """Freeze the disks under new overlays, and save RAM and CPU into ``memory_file`` where one is named.

    ``live`` lets the guest run while its RAM is saved; ``quiesce`` (disks only) has its file systems flushed by the
    guest agent. Blocks until it is done; raises Cancelled after :func:`abort`, with nothing left behind.
    """
    domain = connection.domain(vm_uuid)
    flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
    if not memory_file:
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
    if live and memory_file:
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_LIVE
    if quiesce:
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE
    with translated():
        return _read(domain.snapshotCreateXML(new_external(name, description, memory_file, disks), flags))


def abort(connection: Connection, vm_uuid: str) -> None:
    """Call off the save that is under way; libvirt then undoes it. Without effect once the memory is complete."""
    domain = connection.domain(vm_uuid)
    with contextlib.suppress(libvirt.libvirtError):  # it ended just now
        domain.abortJob()


def redefine(
    connection: Connection, vm_uuid: str, name: str, *, title: str | None, safety: bool, description: str
) -> Snapshot:
    """Write title, safety mark and description into a snapshot's metadata; nothing else changes.

    The document is the SECURE one, else passwords in it would be lost.
    """
    domain = connection.domain(vm_uuid)
    handle = _handle(connection, vm_uuid, name)
    with translated():
        was_current = bool(handle.isCurrent(0))
        text = handle.getXMLDesc(libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE)
        changed = edited(text, title=title, safety=safety, description=description)
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
        if was_current:
            flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
        return _read(domain.snapshotCreateXML(changed, flags))


def announce(connection: Connection, vm_uuid: str) -> None:
    """Remove the project's mark from the VM's own configuration.

    A revert copies it there, and the next snapshot would inherit it. The change of metadata is also the signal by
    which other open windows learn that something was edited.
    """
    domain = connection.domain(vm_uuid)
    for flag in (libvirt.VIR_DOMAIN_AFFECT_CONFIG, libvirt.VIR_DOMAIN_AFFECT_LIVE):
        with contextlib.suppress(libvirt.libvirtError):  # not active, not persistent, or not there
            domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, None, "snapgui", NAMESPACE, flag)


def revert(
    connection: Connection, vm_uuid: str, name: str, then: Then, *, force: bool, reset_nvram: bool = False
) -> None:
    """Go back. For ``Then.OFF`` of a snapshot with memory the VM is left paused; switch it off afterwards.

    Raises Risky where libvirt wants ``force``. ``reset_nvram`` has the UEFI variables made anew.
    """
    handle = _handle(connection, vm_uuid, name)
    flags = _REVERT_FLAGS[then]
    if force:
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE
    if reset_nvram:
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_RESET_NVRAM
    with translated():
        handle.getDomain().revertToSnapshot(handle, flags)


def delete(connection: Connection, vm_uuid: str, name: str) -> None:
    """Delete one snapshot; its children move up to its parent."""
    handle = _handle(connection, vm_uuid, name)
    with translated():
        handle.delete(0)


def _handle(connection: Connection, vm_uuid: str, name: str) -> Any:
    domain = connection.domain(vm_uuid)
    with translated():
        return domain.snapshotLookupByName(name, 0)


def _read(handle: Any) -> Snapshot:
    return read_snapshot(handle.getXMLDesc(0))


def _current(domain: Any) -> str | None:
    with contextlib.suppress(libvirt.libvirtError):
        if domain.hasCurrentSnapshot(0):
            name: str = domain.snapshotCurrent(0).getName()
            return name
    return None
