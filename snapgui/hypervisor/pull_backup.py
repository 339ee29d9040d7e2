"""The disks of a running VM as they are at one moment, lent by QEMU on a socket while the guest runs on.

libvirt's backup in pull mode, without a checkpoint: what the guest overwrites meanwhile is kept in scratch files.
Checkpoints are never made: beside internal snapshots they make a VM that cannot be reverted (compare.md).
"""

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libvirt
from lxml import etree

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.faults import translated
from snapgui.hypervisor.xml import attribute, dump, parse
from snapgui.model.errors import Broken, SnapguiError
from snapgui.model.records import Vm
from snapgui.model.text import QT_TRANSLATE_NOOP

LIBRARY = Path("/var/lib/libvirt/qemu")
"""Where the system's libvirt has a directory for each VM that runs, which its QEMU may write whatever confines it."""
PATIENCE_S = 30.0
LOOK_S = 0.005
_SHORT_NAME = 20
"""Characters of a VM's name that the name of its directory has (virDomainDefGetShortName of libvirt)."""


@dataclass(frozen=True, slots=True)
class Lending:
    """What one backup needs: the socket, and for each disk, by target, the scratch file. None of it is there yet."""

    socket: str
    scratch: Mapping[str, str]

    @property
    def files(self) -> tuple[str, ...]:
        """Everything that it makes."""
        return (*self.scratch.values(), self.socket)


def begin(connection: Connection, vm_uuid: str, lending: Lending) -> None:
    """Begin to lend the disks; each is an export by the name of its target."""
    domain = connection.domain(vm_uuid)
    with translated():
        domain.backupBegin(_document(_targets(domain), lending), None, 0)


def _document(targets: list[str], lending: Lending) -> str:
    wanted = etree.Element("domainbackup", mode="pull")
    etree.SubElement(wanted, "server", transport="unix", socket=lending.socket)
    listed = etree.SubElement(wanted, "disks")
    for target in targets:
        scratch = lending.scratch.get(target)
        if scratch is None:
            etree.SubElement(listed, "disk", name=target, backup="no")
            continue
        element = etree.SubElement(listed, "disk", name=target, backup="yes", type="file", exportname=target)
        etree.SubElement(element, "driver", type="qcow2")
        etree.SubElement(element, "scratch", file=scratch)
    return dump(wanted)


def _targets(domain: Any) -> list[str]:
    """Which disks the VM has while it runs; its configuration may name others already."""
    root = parse(domain.XMLDesc(0))
    return [target.get("dev", "") for target in root.iterfind("devices/disk/target")]


def end(connection: Connection, vm_uuid: str, lending: Lending) -> None:
    """End this backup, and no other; returns when libvirt has removed the scratch files."""
    domain = connection.domain(vm_uuid)
    until = time.monotonic() + PATIENCE_S
    asked = False
    while _socket_of(domain) == lending.socket:
        if not asked:
            with contextlib.suppress(libvirt.libvirtError):  # it ended just now
                domain.abortJob()
            asked = True
        if time.monotonic() > until:
            raise Broken(QT_TRANSLATE_NOOP("errors", "libvirt does not end lending the disks."))
        time.sleep(LOOK_S)


def _socket_of(domain: Any) -> str:
    with contextlib.suppress(libvirt.libvirtError):
        return attribute(parse(domain.backupGetXMLDesc(0)), "server", "socket")
    return ""


def has_job(connection: Connection, vm_uuid: str) -> bool:
    """Whether something goes on that a backup would have to wait for: another backup, a save."""
    domain = connection.domain(vm_uuid)
    with translated():
        return bool(domain.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE)


def has_block_job(connection: Connection, vm_uuid: str) -> bool:
    """Whether a disk is being copied or merged."""
    domain = connection.domain(vm_uuid)
    with translated():
        return any(domain.blockJobInfo(target, 0) for target in _targets(domain) if _has_medium(domain, target))


def _has_medium(domain: Any, target: str) -> bool:
    """An empty drive has no jobs; libvirt will not be asked about one."""
    with contextlib.suppress(libvirt.libvirtError):
        return int(domain.blockInfo(target, 0)[0]) > 0
    return False


def has_checkpoints(connection: Connection, vm_uuid: str) -> bool:
    """Whether somebody makes incremental backups of the VM."""
    domain = connection.domain(vm_uuid)
    with translated():
        return bool(domain.listAllCheckpoints(0))


def own_directory(connection: Connection, vm: Vm) -> str | None:
    """Return the directory that the system's libvirt made for the running VM, where this user may look into it."""
    if not connection.uri.partition("?")[0].endswith("/system"):
        return None
    with contextlib.suppress(SnapguiError, libvirt.libvirtError, OSError):
        number = connection.domain(vm.uuid).ID()
        for found in LIBRARY.glob(f"domain-{number}-*"):
            short = found.name.removeprefix(f"domain-{number}-")
            if short and vm.name[:_SHORT_NAME].startswith(short) and found.is_dir():
                next(found.iterdir(), None)
                return str(found)
    return None
