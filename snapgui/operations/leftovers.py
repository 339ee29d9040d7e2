"""What a killed process left half done: found at the next start by comparing the history with the truth."""

import contextlib
import shlex
from dataclasses import dataclass

from snapgui.hypervisor import inventory, snapshots
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Gone, SnapguiError
from snapgui.model.plan import Operation
from snapgui.model.records import PauseReason, VmState
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.history import Entry, History
from snapgui.operations.lanes import is_held

_STANDS_STILL = {PauseReason.SAVE, PauseReason.SNAPSHOT}


@dataclass(frozen=True, slots=True)
class Leftover:
    """One interrupted job, and what is true now. ``guest_stands_still``: it can be let run on."""

    title: str
    vm_uuid: str
    vm_name: str
    text: Text
    guest_stands_still: bool = False
    commands: tuple[str, ...] = ()


def find_leftovers(connection: Connection, history: History) -> tuple[Leftover, ...]:
    """Return the jobs on this connection that nobody finishes any more, and mark them as ended in the history."""
    found = []
    for entry in history.unfinished():
        if entry.uri != connection.uri or is_held(entry.vm_uuid):
            continue
        leftover = _look(connection, entry)
        commands = (*history.commands(entry.job), *_remedy(leftover))
        history.end(entry.job, "interrupted", str(leftover.text))
        found.append(
            Leftover(leftover.title, entry.vm_uuid, entry.vm_name, leftover.text, leftover.guest_stands_still, commands)
        )
    return tuple(found)


def _remedy(leftover: Leftover) -> tuple[str, ...]:
    return (shlex.join(("virsh", "resume", leftover.vm_name)),) if leftover.guest_stands_still else ()


def _look(connection: Connection, entry: Entry) -> Leftover:
    try:
        vm = inventory.read_vm(connection, entry.vm_uuid)
    except Gone:
        text = QT_TRANSLATE_NOOP("leftovers", "interrupted; the VM does not exist any more")
        return Leftover(entry.title, entry.vm_uuid, entry.vm_name, text)
    if vm.state is VmState.PAUSED and vm.pause in _STANDS_STILL:
        text = QT_TRANSLATE_NOOP("leftovers", "interrupted; the guest still stands still: let it run on (right click)")
        return Leftover(entry.title, entry.vm_uuid, entry.vm_name, text, guest_stands_still=True)
    return Leftover(entry.title, entry.vm_uuid, entry.vm_name, _what_became(connection, entry))


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
    return QT_TRANSLATE_NOOP("leftovers", "interrupted; look whether the text is as you wrote it")
