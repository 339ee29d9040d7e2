"""Virtual machines for tests, with the demonstration's tiny Linux guest, on a given stack."""

import shutil
import uuid as uuids
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import libvirt

from snapgui.demo.guest import GuestChannel, GuestFiles, domain_xml
from snapgui.hypervisor.eventloop import ensure_running
from tests.stacks.booting import BOOT_TIMEOUT_S, BootedGuests
from tests.stacks.privileges import as_root
from tests.stacks.stacks import Stack


@dataclass(frozen=True)
class Machine:
    """A VM of a test; `domain` and `connection` are the test's own, all its files lie in `directory`.

    As on a freshly installed system, only their owner may list the directory and read the images.
    """

    name: str
    uuid: str
    uri: str
    directory: Path
    disk: Path
    channel: GuestChannel
    connection: libvirt.virConnect
    domain: libvirt.virDomain
    booted: BootedGuests

    def start(self) -> None:
        """Start the VM if it is off, and wait until the guest takes commands."""
        if self.domain.isActive():
            self.channel.wait_until_up(BOOT_TIMEOUT_S)
        else:
            self.booted.start(self.domain, self.directory, self.channel)


@contextmanager
def machine(stack: Stack, files: GuestFiles, *, extra_disks: int = 0) -> Iterator[Machine]:
    """Define a VM that is switched off, with `extra_disks` copies of the guest's disk; remove all of it at the end."""
    uuid = str(uuids.uuid4())
    name = f"vm-{uuid[:8]}"
    directory = stack.images / name
    directory.mkdir()
    directory.chmod(0o711)
    disk, *more = (directory / f"disk{number}.qcow2" for number in range(1 + extra_disks))
    for path in (disk, *more):
        shutil.copyfile(files.disk, path)
        path.chmod(0o600)
    ensure_running()
    connection = libvirt.open(stack.uri)
    channel = GuestChannel(directory / "channel")
    try:
        xml = domain_xml(name, files, disk, channel.path, extra_disks=more, uuid=uuid)
        domain = connection.defineXML(xml)
        yield Machine(name, uuid, stack.uri, directory, disk, channel, connection, domain, stack.booted)
    finally:
        channel.close()
        connection.close()
        _remove(stack, uuid, directory)


@contextmanager
def pool(machine: Machine) -> Iterator[str]:
    """Have a storage pool of a VM's directory; yield its name."""
    with_path = f"<target><path>{escape(str(machine.directory))}</path></target>"
    made = machine.connection.storagePoolCreateXML(f"<pool type='dir'><name>{machine.name}</name>{with_path}</pool>")
    try:
        yield machine.name
    finally:
        made.destroy()


def _remove(stack: Stack, uuid: str, directory: Path) -> None:
    """Remove what the test left, over a new connection: it may have lost its own on purpose."""
    connection = libvirt.open(stack.uri)
    try:
        for domain in connection.listAllDomains():
            if domain.UUIDString() == uuid:
                _switch_off(domain)
                domain.undefineFlags(
                    libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
                    | libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
                    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
                )
    finally:
        connection.close()
    as_root("rm", "-rf", "--one-file-system", str(directory))


def _switch_off(domain: libvirt.virDomain) -> None:
    try:
        domain.destroy()
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID:  # it is off already
            raise
