"""The disks of a running VM as they are at one moment, to be read while its guest runs on.

Nothing of the VM is changed. While it goes on the VM is held, because libvirt could do nothing else to it anyway. All
that is made is written into the history before, so that what a killed process leaves is found and removed.
"""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from snapgui.hypervisor import inventory, pull_backup
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.pull_backup import Lending
from snapgui.hypervisor.statistics import is_local_uri
from snapgui.images.filesystems.section import Readable
from snapgui.images.nbd import NbdDisk
from snapgui.images.qcow2 import ImageError
from snapgui.model.errors import Broken, Busy, NoPermission, Refused, SnapguiError
from snapgui.model.plan import Operation, Plan, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.records import Vm
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.facts import Facts
from snapgui.operations.history import History, Making
from snapgui.operations.lanes import LOOKING_PATIENCE_S, only_one
from snapgui.operations.paths import runtime_directory
from snapgui.operations.scratch_room import enough_room
from snapgui.operations.standing_still import Pause, pause_step, stopped

LONGEST_SOCKET = 107
"""Bytes of a socket's path (unix(7))."""


@dataclass(frozen=True, slots=True)
class LiveView:
    """The disks by target; ``paused_s``: for how many seconds the guest stood still for it."""

    disks: Mapping[str, Readable]
    paused_s: float = 0.0


@contextlib.contextmanager
def live_view(
    connection: Connection,
    facts: Facts,
    history: History,
    images: Mapping[str, str],
    while_still: Callable[[], object] | None = None,
) -> Iterator[LiveView]:
    """Lend the disks that ``images`` names: the path of each image by target.

    ``while_still`` is called while the guest stands still, at the very moment that is lent; without it the guest is
    not stopped at all. Reading raises OSError or ImageError. Raises Refused and Busy before anything is stopped, and
    Broken where the guest went on too early.
    """
    if (why := why_not_lent(facts)) is not None:
        raise Refused(why)
    with only_one(facts.vm.uuid, LOOKING_PATIENCE_S):
        vm = inventory.read_vm(connection, facts.vm.uuid)
        _refuse_others(connection, vm)
        lending = _lending(connection, vm, images)
        with contextlib.ExitStack() as stack:
            still = while_still is not None
            pause = stack.enter_context(_written_down(history, connection.uri, vm, lending, still=still))
            room = stack.enter_context(enough_room(connection, vm, lending))
            if still:
                with _lent(connection, vm, lending):  # whatever is in the way is so while the guest still runs
                    pass
            disks = stack.enter_context(_lent(connection, vm, lending, while_still, pause if still else None))
            yield LiveView({target: room.watched(disk) for target, disk in disks.items()}, pause.seconds)


def why_not_lent(facts: Facts) -> Text | None:
    """Return why nobody can have the current state of a running VM here; None where it can be tried."""
    if facts.capabilities.is_test_driver:
        return _unreadable(facts.vm.name, QT_TRANSLATE_NOOP("errors", "This hypervisor has no disks to look at."))
    if not is_local_uri(facts.uri):
        return _unreadable(
            facts.vm.name,
            QT_TRANSLATE_NOOP("errors", "What QEMU lends of its current state is to be had on its own machine only."),
        )
    if not _reaches(facts.capabilities.guests_run_as):
        return _unreadable(
            facts.vm.name,
            QT_TRANSLATE_NOOP("errors", "What QEMU lends of its current state only root may reach here."),
        )
    return None


def _reaches(owner: tuple[int, int] | None) -> bool:
    """Whether this process may talk to a socket of QEMU's, which its user and group may write to (mode 0775)."""
    if owner is None or os.geteuid() in {0, owner[0]}:
        return True
    return owner[1] in {os.getegid(), *os.getgroups()}


def _unreadable(vm_name: str, reason: Text) -> Text:
    text = QT_TRANSLATE_NOOP(
        "errors",
        "{vm} runs, and writes into what would be read. {reason} Take a snapshot first, and compare with that.",
    )
    return text.format(vm=vm_name, reason=reason)


def _refuse_others(connection: Connection, vm: Vm) -> None:
    if not vm.state.active:
        raise Broken(QT_TRANSLATE_NOOP("errors", "{vm} was switched off just now.").format(vm=vm.name))
    if pull_backup.has_job(connection, vm.uuid) or pull_backup.has_block_job(connection, vm.uuid):
        raise _busy(vm)
    if pull_backup.has_checkpoints(connection, vm.uuid):
        reason = QT_TRANSLATE_NOOP("errors", "It has checkpoints for another program’s backups, which are left alone.")
        raise Refused(_unreadable(vm.name, reason))


def _busy(vm: Vm) -> Busy:
    text = QT_TRANSLATE_NOOP("errors", "libvirt is busy with {vm}: a backup, or something else that takes its time.")
    return Busy(text.format(vm=vm.name))


# where


def _lending(connection: Connection, vm: Vm, images: Mapping[str, str]) -> Lending:
    """Choose names that nobody has: next to the images, where libvirt may make files whatever confines it."""
    mark = f"snapgui-{secrets.token_hex(6)}"
    beside = next((str(PurePosixPath(path).parent) for path in images.values() if not _is_device(path)), "")
    sockets = _socket_directory(connection, vm, beside, mark)
    directories = {
        target: sockets if _is_device(path) else str(PurePosixPath(path).parent) for target, path in images.items()
    }
    scratch = {target: f"{directory}/{mark}-{target}.scratch" for target, directory in directories.items()}
    return Lending(f"{sockets}/{mark}.socket", scratch)


def _is_device(path: str) -> bool:
    return path.startswith("/dev/")


def _socket_directory(connection: Connection, vm: Vm, beside: str, mark: str) -> str:
    """Return where QEMU can make a socket: it runs as somebody else, or as whoever asks."""
    own = pull_backup.own_directory(connection, vm)
    if own and _fits(own, mark):
        return own
    if beside and _fits(beside, mark) and os.access(beside, os.W_OK | os.X_OK):
        return beside
    private = runtime_directory()
    private.mkdir(parents=True, exist_ok=True, mode=0o700)
    return str(private)


def _fits(directory: str, mark: str) -> bool:
    return len(os.fsencode(f"{directory}/{mark}.socket")) <= LONGEST_SOCKET


# doing it


@contextlib.contextmanager
def _lent(
    connection: Connection,
    vm: Vm,
    lending: Lending,
    while_still: Callable[[], object] | None = None,
    pause: Pause | None = None,
) -> Iterator[dict[str, Readable]]:
    """Lend the disks, and end that. The guest stands still at the moment that is lent where ``pause`` is given."""
    with contextlib.ExitStack() as stack:
        stack.callback(_away, connection, vm, lending)
        with contextlib.nullcontext() if pause is None else stopped(connection, vm, pause):
            if pull_backup.has_job(connection, vm.uuid):  # the guest would stand still for as long as libvirt waits
                raise _busy(vm)
            with _refusing(vm):
                pull_backup.begin(connection, vm.uuid, lending)
            if while_still is not None:
                while_still()
        with _refusing(vm):
            disks = {target: _connected(stack, lending, target) for target in lending.scratch}
        yield disks


def _connected(stack: contextlib.ExitStack, lending: Lending, target: str) -> Readable:
    disk = NbdDisk(lending.socket, target)
    stack.callback(disk.close)
    return disk


@contextlib.contextmanager
def _refusing(vm: Vm) -> Iterator[None]:
    """Say what to do instead where the hypervisor cannot lend it."""
    try:
        yield
    except (OSError, ImageError, NoPermission, Broken) as error:
        reason = QT_TRANSLATE_NOOP("errors", "Its current state cannot be had: {reason}.")
        detail = error.detail if isinstance(error, SnapguiError) else ""
        raise Refused(_unreadable(vm.name, reason.format(reason=str(error))), detail) from error


def _away(connection: Connection, vm: Vm, lending: Lending) -> None:
    """End it; where QEMU was killed meanwhile, its socket is still there."""
    pull_backup.end(connection, vm.uuid, lending)
    with contextlib.suppress(OSError):
        Path(lending.socket).unlink()


# in the history


@contextlib.contextmanager
def _written_down(history: History, uri: str, vm: Vm, lending: Lending, *, still: bool) -> Iterator[Pause]:
    """Write what will be made before it is, and that nothing of it is left when that is so."""
    pause = Pause()
    steps = (_step(vm), *((pause_step(vm),) if still else ()))
    job = history.begin(uri, _plan(vm, steps))
    for position, step in enumerate(steps, start=1):
        history.begin_step(job, position, step)
    for path in lending.files:
        history.intend(job, uri, Making.FILE, path)
    outcome = "failed"
    try:
        yield pause
        outcome = "done"
    finally:
        if not any(os.path.lexists(path) for path in lending.files):
            history.settle(job)
        if not pause.left:
            for position in range(1, len(steps) + 1):
                history.end_step(job, position, outcome)
            history.end(job, outcome, f"guest stood still {pause.seconds:.2f} s", seconds=pause.seconds)


def _plan(vm: Vm, steps: tuple[Step, ...]) -> Plan:
    title = QT_TRANSLATE_NOOP("plan", "Look at the disks of {vm}").format(vm=vm.name)
    return Plan(Operation.COMPARE, vm.uuid, vm.name, title, steps)


def _step(vm: Vm) -> Step:
    text = QT_TRANSLATE_NOOP("plan", "Have QEMU lend the disks of {vm} as they are at one moment").format(vm=vm.name)
    return Step(Verb.COPY, text, phases=(Phase.COPY,), virsh=("backup-begin", vm.name))
