"""Which VMs there are, in what state, and how they are configured."""

import contextlib
from typing import Any

import libvirt

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.domain_xml import read_machine
from snapgui.hypervisor.faults import translated
from snapgui.hypervisor.xml import parse
from snapgui.model.errors import SnapguiError
from snapgui.model.records import Machine, PauseReason, Vm, VmState

_STATES = {
    libvirt.VIR_DOMAIN_RUNNING: VmState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: VmState.BLOCKED,
    libvirt.VIR_DOMAIN_PAUSED: VmState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: VmState.SHUTDOWN,
    libvirt.VIR_DOMAIN_SHUTOFF: VmState.SHUTOFF,
    libvirt.VIR_DOMAIN_CRASHED: VmState.CRASHED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: VmState.SUSPENDED,
}
_PAUSES = {
    libvirt.VIR_DOMAIN_PAUSED_USER: PauseReason.USER,
    libvirt.VIR_DOMAIN_PAUSED_SAVE: PauseReason.SAVE,
    libvirt.VIR_DOMAIN_PAUSED_SNAPSHOT: PauseReason.SNAPSHOT,
    libvirt.VIR_DOMAIN_PAUSED_FROM_SNAPSHOT: PauseReason.FROM_SNAPSHOT,
    libvirt.VIR_DOMAIN_PAUSED_STARTING_UP: PauseReason.STARTING,
    libvirt.VIR_DOMAIN_PAUSED_IOERROR: PauseReason.IO_ERROR,
}


def list_vms(connection: Connection) -> tuple[Vm, ...]:
    """Return all VMs, sorted by name without regard to case."""
    with translated():
        domains = connection.libvirt.listAllDomains(0)
    found = []
    for domain in domains:
        with contextlib.suppress(libvirt.libvirtError):  # it vanished since the listing
            found.append(_vm(domain))
    return tuple(sorted(found, key=lambda vm: (vm.name.casefold(), vm.name, vm.uuid)))


def read_vm(connection: Connection, vm_uuid: str) -> Vm:
    """Return one VM; raise Gone where it does not exist."""
    domain = connection.domain(vm_uuid)
    with translated():
        return _vm(domain)


def read_current_machine(connection: Connection, vm_uuid: str) -> Machine:
    """Return the configuration that the VM starts with next time (the live one where it is transient)."""
    return read_machine(current_xml(connection, vm_uuid))


def current_xml(connection: Connection, vm_uuid: str) -> str:
    """Return the ``<domain>`` document of the VM's persistent configuration."""
    domain = connection.domain(vm_uuid)
    with translated():
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE if domain.isPersistent() else 0
        text: str = domain.XMLDesc(flags)
        return text


def documents(connection: Connection, vm_uuid: str) -> tuple[str, ...]:
    """Return the ``<domain>`` documents of the VM as it will start and, where it is another, as it runs.

    What was plugged into a running VM may be in the second alone.
    """
    domain = connection.domain(vm_uuid)
    with translated():
        if not domain.isPersistent():
            return (domain.XMLDesc(0),)
        inactive = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        return (inactive, domain.XMLDesc(0)) if domain.isActive() else (inactive,)


def define(connection: Connection, text: str) -> str:
    """Make or change a VM by a ``<domain>`` document; return its UUID."""
    with translated():
        uuid: str = connection.libvirt.defineXMLFlags(text, 0).UUIDString()
        return uuid


def secure_xml(connection: Connection, vm_uuid: str) -> str:
    """Return the ``<domain>`` document of the VM's persistent configuration, with passwords."""
    domain = connection.domain(vm_uuid)
    with translated():
        text: str = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
        return text


def has_managed_save(connection: Connection, vm_uuid: str) -> bool:
    """Whether a saved state waits to be resumed at the next start."""
    domain = connection.domain(vm_uuid)
    with contextlib.suppress(libvirt.libvirtError):
        return bool(domain.hasManagedSaveImage(0))
    return False


def agent_connected(connection: Connection, vm_uuid: str) -> bool:
    """Whether the guest agent answers: it quiesces file systems and sets the clock."""
    domain = connection.domain(vm_uuid)
    with translated():
        root = parse(domain.XMLDesc(0))
    target = root.find("devices/channel/target[@name='org.qemu.guest_agent.0']")
    return target is not None and target.get("state") == "connected"


def destroy(connection: Connection, vm_uuid: str) -> None:
    """Switch the VM off at once."""
    domain = connection.domain(vm_uuid)
    with translated():
        domain.destroy()


def undefine(connection: Connection, vm_uuid: str) -> None:
    """Remove a VM that is off, with what libvirt itself keeps about it; its images stay."""
    flags = libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    if not connection.capabilities().is_test_driver:
        flags |= libvirt.VIR_DOMAIN_UNDEFINE_NVRAM | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    domain = connection.domain(vm_uuid)
    with translated():
        domain.undefineFlags(flags)


def start(connection: Connection, vm_uuid: str) -> None:
    """Start a VM that is off; one that sleeps in a saved state wakes up."""
    domain = connection.domain(vm_uuid)
    with translated():
        domain.create()


def start_paused(connection: Connection, vm_uuid: str) -> None:
    """Start a VM that is off without letting its guest run."""
    domain = connection.domain(vm_uuid)
    with translated():
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)


def discard_saved_state(connection: Connection, vm_uuid: str) -> None:
    """Remove the saved state that a VM would wake up from."""
    domain = connection.domain(vm_uuid)
    with translated():
        domain.managedSaveRemove(0)


def suspend(connection: Connection, vm_uuid: str) -> None:
    """Let a running VM stand still; one that stands still already stays so."""
    domain = connection.domain(vm_uuid)
    with contextlib.suppress(libvirt.libvirtError):
        domain.suspend()


def longest_downtime(connection: Connection, vm_uuid: str) -> int | None:
    """Return for how many milliseconds a running VM may stand still at the end of a migration or live save."""
    domain = connection.domain(vm_uuid)
    with contextlib.suppress(libvirt.libvirtError):
        return int(domain.migrateGetMaxDowntime(0))
    return None


def limit_downtime(connection: Connection, vm_uuid: str, milliseconds: int) -> bool:
    """Set :func:`longest_downtime`; return whether that worked."""
    with contextlib.suppress(libvirt.libvirtError, SnapguiError):
        connection.domain(vm_uuid).migrateSetMaxDowntime(milliseconds, 0)
        return True
    return False


def set_clock(connection: Connection, vm_uuid: str) -> bool:
    """Set the guest's clock to the host's time through the guest agent; return whether that worked."""
    domain = connection.domain(vm_uuid)
    try:
        domain.setTime({}, libvirt.VIR_DOMAIN_TIME_SYNC)
    except libvirt.libvirtError:
        return False
    return True


def resume(connection: Connection, vm_uuid: str) -> None:
    """Let a paused VM run on."""
    domain = connection.domain(vm_uuid)
    with translated():
        domain.resume()


def _vm(domain: Any) -> Vm:
    state, reason = domain.state()
    known = _STATES.get(state, VmState.UNKNOWN)
    pause = _PAUSES.get(reason, PauseReason.OTHER) if known is VmState.PAUSED else PauseReason.NONE
    snapshots = 0
    with contextlib.suppress(libvirt.libvirtError):
        snapshots = domain.snapshotNum()
    return Vm(domain.UUIDString(), domain.name(), known, pause, bool(domain.isPersistent()), snapshots)
