"""What a killed process left half done: found at the next start by comparing the history with the truth.

Looking changes nothing, so that the window and the command line both find it, until it is removed.
"""

import contextlib
import os
import shlex
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise

from snapgui.hypervisor import backup, files, inventory, pools, snapshots
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Gone, SnapguiError
from snapgui.model.plan import Operation
from snapgui.model.records import PauseReason, Vm, VmState
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.history import Entry, History, Making
from snapgui.operations.lanes import is_held
from snapgui.operations.outcome import binary_size
from snapgui.operations.stray_files import Evidence, StrayFile, judge, look, void

_STANDS_STILL = {PauseReason.SAVE, PauseReason.SNAPSHOT}


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left of a clone that did not come about, or of looking at a running VM's disks.

    ``copying``: libvirt still copies a running VM's disks into the files; ``lending``: into them it only keeps what
    the guest overwrites, so that the disks can be read as they were. ``snapshot`` was taken for the clone alone.
    ``clone`` is the name of the VM where it did come about; then nothing is left. ``elsewhere`` is the URI of another
    hypervisor that the clone was going to.
    """

    files: tuple[StrayFile, ...] = ()
    pools: tuple[str, ...] = ()
    copying: bool = False
    snapshot: str = ""
    clone: str = ""
    elsewhere: str = ""
    lending: bool = False

    @property
    def removable(self) -> bool:
        """Whether there is something that can be removed."""
        return bool(self.files or self.pools)


@dataclass(frozen=True, slots=True)
class Leftover:
    """One interrupted job, and what is true now. ``guest_stands_still``: it can be let run on.

    ``pending``: a guest still stands still for it, so that it is not to be forgotten.
    """

    title: str
    vm_uuid: str
    vm_name: str
    text: Text
    guest_stands_still: bool = False
    commands: tuple[str, ...] = ()
    job: int = 0
    remains: Remains = field(default_factory=Remains)
    pending: bool = False


def look_for_leftovers(connection: Connection, history: History) -> tuple[Leftover, ...]:
    """Return the jobs on this connection that nobody finishes any more, and those of which something is left."""
    fresh = [entry for entry in history.unfinished() if entry.uri == connection.uri and not is_held(entry.vm_uuid)]
    known = {entry.job for entry in fresh}
    found = [_described(connection, history, entry) for entry in fresh]
    for entry in history.unsettled(connection.uri):
        if entry.job in known or (entry.outcome is None and is_held(entry.vm_uuid)):
            continue
        leftover = _described(connection, history, entry)
        if leftover.remains.removable or leftover.remains.snapshot:
            found.append(leftover)
    return tuple(found)


def find_leftovers(connection: Connection, history: History) -> tuple[Leftover, ...]:
    """Do the same, and mark the jobs as ended in the history."""
    found = look_for_leftovers(connection, history)
    mark(history, found)
    return found


def mark(history: History, leftovers: tuple[Leftover, ...]) -> None:
    """Mark the jobs as ended; what is left of them is still found."""
    unfinished = {entry.job for entry in history.unfinished()}
    for leftover in leftovers:
        if leftover.job in unfinished and not leftover.pending:
            history.end(leftover.job, "interrupted", str(leftover.text))


def look_again(connection: Connection, history: History, leftover: Leftover) -> Leftover:
    """Return what is true now about the files and pools of a leftover; a file may have found a user."""
    named = {file.path for file in leftover.remains.files}
    intents = tuple(intent for intent in history.intents(leftover.job) if intent.name in named)
    files = judge(intents, look(connection, tuple(intent.name for intent in intents)))
    there = {name for name in leftover.remains.pools if pools.names_beginning(connection, name)}
    busy = _is_copying(connection, leftover.vm_uuid, files)
    remains = replace(leftover.remains, files=files, pools=tuple(sorted(there)))
    was = leftover.remains
    remains = replace(remains, copying=busy and was.copying, lending=busy and was.lending)
    return replace(leftover, remains=remains)


def _described(connection: Connection, history: History, entry: Entry) -> Leftover:
    remains = _remains(connection, history, entry)
    commands = history.commands(entry.job)
    text, stands_still = _truth(connection, entry, remains, commands)
    if stands_still:
        commands = (*commands, shlex.join(("virsh", "resume", entry.vm_name)))
    pending = stands_still or (entry.operation is Operation.FLATTEN and _is_paused(connection, entry.vm_uuid))
    return Leftover(
        entry.title, entry.vm_uuid, entry.vm_name, text, stands_still, commands, entry.job, remains, pending
    )


def _is_paused(connection: Connection, vm_uuid: str) -> bool:
    with contextlib.suppress(Gone):
        return inventory.read_vm(connection, vm_uuid).state is VmState.PAUSED
    return False


# what is left of it


def _remains(connection: Connection, history: History, entry: Entry) -> Remains:
    if entry.operation not in {Operation.CLONE, Operation.COMPARE}:
        return Remains()
    everywhere = history.intents(entry.job)
    intents = tuple(intent for intent in everywhere if intent.uri == connection.uri)
    evidence = Evidence(clone=_clone(connection, [i.name for i in intents if i.kind is Making.VM]))
    if not evidence.clone:
        evidence = look(connection, tuple(intent.name for intent in intents if intent.kind is Making.FILE))
    if forgotten := void(intents, evidence, datetime.now(UTC)):
        history.settle(entry.job, *forgotten)
    files = tuple(file for file in judge(intents, evidence) if not file.user)
    named = [intent.name for intent in intents if intent.kind is Making.SNAPSHOT]
    busy, clones = _is_copying(connection, entry.vm_uuid, files), entry.operation is Operation.CLONE
    return Remains(
        files=files,
        pools=_pools(connection, entry),
        copying=busy and clones,
        lending=busy and not clones,
        snapshot="" if evidence.clone else _orphan(connection, entry, named),
        clone=evidence.clone,
        elsewhere=next((intent.uri for intent in everywhere if intent.uri != connection.uri), ""),
    )


def _clone(connection: Connection, uuids: list[str]) -> str:
    for uuid in uuids:
        with contextlib.suppress(Gone):
            return inventory.read_vm(connection, uuid).name
    return ""


def _pools(connection: Connection, entry: Entry) -> tuple[str, ...]:
    """A living process may be in the middle of something with its pools, whatever became of one of its jobs."""
    return () if not entry.process or is_alive(entry.pid) else pools.names_beginning(connection, entry.process)


def is_alive(pid: int) -> bool:
    """Whether there is a process of that number; by now it may be another one."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_copying(connection: Connection, vm_uuid: str, files: tuple[StrayFile, ...]) -> bool:
    if not files:
        return False
    with contextlib.suppress(SnapguiError):
        return bool({file.path for file in files} & set(backup.targets(connection, vm_uuid)))
    return False


def _orphan(connection: Connection, entry: Entry, names: list[str]) -> str:
    for name in names:
        with contextlib.suppress(SnapguiError):
            snapshot = snapshots.read_one(connection, entry.vm_uuid, name)
            if snapshot.created >= entry.started.replace(microsecond=0):  # libvirt counts whole seconds
                return name
    return ""


# in words


def _truth(connection: Connection, entry: Entry, remains: Remains, commands: tuple[str, ...]) -> tuple[Text, bool]:
    if entry.operation is Operation.CLONE:
        return _of_clone(remains), False
    try:
        vm = inventory.read_vm(connection, entry.vm_uuid)
    except Gone:
        return _of_removal(connection, commands), False
    if entry.operation is Operation.FLATTEN:
        return _of_flattening(vm), False
    if entry.operation is Operation.COMPARE:
        return _of_comparison(vm, remains)
    if vm.state is VmState.PAUSED and vm.pause in _STANDS_STILL:
        text = QT_TRANSLATE_NOOP("leftovers", "interrupted; the guest still stands still: let it run on (right click)")
        return text, True
    return _what_became(connection, entry), False


def _of_removal(connection: Connection, commands: tuple[str, ...]) -> Text:
    """The VM goes first: of its files, those are left that are there."""
    words = [word for command in commands for word in shlex.split(command)]
    named = [path for flag, paths in pairwise(words) if flag == "--storage" for path in paths.split(",")]
    left = [path for path in named if files.exists(connection, path)]
    if not left:
        return QT_TRANSLATE_NOOP("leftovers", "interrupted; the VM does not exist any more")
    text = QT_TRANSLATE_NOOP("leftovers", "interrupted; the VM does not exist any more. Left of it: {files}")
    return text.format(files=", ".join(left))


def _of_comparison(vm: Vm, remains: Remains) -> tuple[Text, bool]:
    text = QT_TRANSLATE_NOOP("leftovers", "interrupted; the guest runs on")
    if not vm.state.active:
        text = QT_TRANSLATE_NOOP("leftovers", "interrupted; the VM is off")
    if vm.state is VmState.PAUSED:
        text = QT_TRANSLATE_NOOP("leftovers", "interrupted; the guest still stands still: let it run on (right click)")
    if remains.lending:
        lent = QT_TRANSLATE_NOOP(
            "leftovers",
            "{text}. QEMU still lends its disks, and keeps what it overwrites, until this is removed: {files}",
        )
        text = lent.format(text=text, files=_named(remains))
    elif remains.files:
        left = QT_TRANSLATE_NOOP("leftovers", "{text}. Left of it: {files}")
        text = left.format(text=text, files=_named(remains))
    return text, vm.state is VmState.PAUSED


def _of_flattening(vm: Vm) -> Text:
    if vm.state is VmState.PAUSED:
        text = QT_TRANSLATE_NOOP(
            "leftovers",
            "interrupted; nothing is lost. If {vm} was off before, it was started standing still for this: switch it "
            "off, and make it independent again",
        )
        return text.format(vm=vm.name)
    return QT_TRANSLATE_NOOP("leftovers", "interrupted; nothing is lost: make it independent again")


def _of_clone(remains: Remains) -> Text:
    if remains.clone:
        made = QT_TRANSLATE_NOOP("leftovers", "interrupted, but the clone “{name}” exists")
        return made.format(name=remains.clone)
    text = QT_TRANSLATE_NOOP("leftovers", "interrupted; there is no clone, and no file is left of it")
    if remains.elsewhere and not remains.files:
        there = QT_TRANSLATE_NOOP("leftovers", "interrupted; what may be left of it is on {uri}")
        text = there.format(uri=remains.elsewhere)
    if remains.files:
        left = QT_TRANSLATE_NOOP("leftovers", "interrupted; there is no clone. Left of it: {files}")
        text = left.format(files=_named(remains))
    if remains.copying:
        copying = QT_TRANSLATE_NOOP("leftovers", "{text}. libvirt still copies into it; removing calls that off first")
        text = copying.format(text=text)
    if remains.snapshot:
        taken = QT_TRANSLATE_NOOP(
            "leftovers", "{text}. The snapshot “{name}” was taken for it; delete it like any other"
        )
        text = taken.format(text=text, name=remains.snapshot)
    return text


def _named(remains: Remains) -> str:
    return ", ".join(f"{file.path} ({binary_size(file.bytes)})" for file in remains.files)


def _what_became(connection: Connection, entry: Entry) -> Text:
    exists = False
    with contextlib.suppress(SnapguiError):
        snapshots.read_one(connection, entry.vm_uuid, entry.snapshot)
        exists = True
    if entry.operation is Operation.TAKE:
        done = QT_TRANSLATE_NOOP("leftovers", "interrupted, but the snapshot “{name}” exists")
        missing = QT_TRANSLATE_NOOP("leftovers", "interrupted; there is no snapshot “{name}”: take it again")
        return (done if exists else missing).format(name=entry.snapshot)
    if entry.operation is Operation.REVERT:
        _, current = snapshots.fingerprint(connection, entry.vm_uuid)
        done = QT_TRANSLATE_NOOP("leftovers", "interrupted; the VM is at “{name}” now")
        return done.format(name=current or "?")
    if entry.operation is Operation.DELETE:
        gone = QT_TRANSLATE_NOOP("leftovers", "interrupted, but “{name}” has been deleted")
        kept = QT_TRANSLATE_NOOP("leftovers", "interrupted; “{name}” is still there: delete it again")
        return (kept if exists else gone).format(name=entry.snapshot)
    if entry.operation is Operation.MEND:
        return QT_TRANSLATE_NOOP("leftovers", "interrupted; look again at what was to be mended")
    if entry.operation is Operation.REMOVE_LEFTOVERS:
        return QT_TRANSLATE_NOOP("leftovers", "interrupted; what is still left is named anew")
    return QT_TRANSLATE_NOOP("leftovers", "interrupted; look whether the text is as you wrote it")
