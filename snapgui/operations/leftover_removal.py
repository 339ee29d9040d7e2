"""Remove what is left of a job that was killed on the way: a plan like every other, every file looked at again."""

import time
from datetime import UTC, datetime

from snapgui.hypervisor import backup, pools, strays
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Broken, Refused
from snapgui.model.plan import Finding, Operation, Plan, Severity, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.records import Capabilities, Machine, Vm, VmState
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.model.tree import SnapshotTree
from snapgui.operations.doctor import blocker
from snapgui.operations.facts import Facts
from snapgui.operations.leftovers import Leftover
from snapgui.operations.outcome import binary_size
from snapgui.operations.stray_files import users
from snapgui.operations.task import Task

LOOK_S = 0.1
PATIENCE_S = 30.0
"""How long libvirt may take to end a copy that was called off."""


def facts(connection: Connection, leftover: Leftover) -> Facts:
    """Return as much as a removal needs: the VM itself may be gone, or be on another hypervisor."""
    vm = Vm(leftover.vm_uuid, leftover.vm_name, VmState.UNKNOWN)
    return Facts(connection.uri, vm, Machine(), SnapshotTree(), Capabilities(), datetime.now(UTC))


def plan(leftover: Leftover) -> Plan:
    """Return what removing means; raise Refused where nothing is left that could be removed."""
    remains = leftover.remains
    if not remains.removable and not remains.snapshot:
        text = QT_TRANSLATE_NOOP("errors", "Nothing is left of “{title}” that could be removed.")
        raise Refused(text.format(title=leftover.title))
    stays = QT_TRANSLATE_NOOP(
        "plan", "The snapshot “{name}” stays; nothing needs it any more, and it can be deleted like any other."
    )
    return Plan(
        operation=Operation.REMOVE_LEFTOVERS,
        vm_uuid=leftover.vm_uuid,
        vm_name=leftover.vm_name,
        title=QT_TRANSLATE_NOOP("plan", "Remove what is left of “{title}”").format(title=leftover.title),
        steps=_steps(leftover),
        findings=tuple(_findings(leftover)),
        notes=(stays.format(name=remains.snapshot),) if remains.snapshot else (),
        freed=sum(file.bytes for file in remains.files),
        leftover=leftover.job,
    )


def _steps(leftover: Leftover) -> tuple[Step, ...]:
    steps = []
    if leftover.remains.copying:
        text = QT_TRANSLATE_NOOP("plan", "Call off the copy of {vm}, which libvirt still makes")
        steps.append(_step(Verb.ABORT_COPY, text.format(vm=leftover.vm_name), "domjobabort", leftover.vm_name))
    if leftover.remains.lending:
        text = QT_TRANSLATE_NOOP("plan", "Have QEMU lend the disks of {vm} no longer")
        steps.append(_step(Verb.ABORT_COPY, text.format(vm=leftover.vm_name), "domjobabort", leftover.vm_name))
    for file in leftover.remains.files:
        text = QT_TRANSLATE_NOOP("plan", "Remove the file {path} ({size})").format(
            path=file.path, size=binary_size(file.bytes)
        )
        steps.append(_step(Verb.REMOVE_FILE, text, "vol-delete", file.path, path=file.path))
    for name in leftover.remains.pools:
        text = QT_TRANSLATE_NOOP("plan", "Take down the passing storage pool {name}; its files stay").format(name=name)
        steps.append(_step(Verb.REMOVE_POOL, text, "pool-destroy", name, pool=name))
    return tuple(steps)


def _step(verb: Verb, text: Text, *virsh: str, path: str = "", pool: str = "") -> Step:
    return Step(verb, text, phases=(Phase.DELETE,), virsh=virsh, path=path, pool=pool)


def _findings(leftover: Leftover) -> list[Finding]:
    found = []
    for file in leftover.remains.files:
        if file.user:
            found.append(blocker("file-in-use", _used(file.path, file.user)))
        elif file.written and not (leftover.remains.copying or leftover.remains.lending):
            found.append(blocker("file-written", _written(file.path)))
    if leftover.remains.copying or leftover.remains.lending:
        text = QT_TRANSLATE_NOOP("doctor", "{vm} runs on meanwhile; nothing of it is changed.")
        found.append(Finding("copy-runs", Severity.NOTE, text.format(vm=leftover.vm_name)))
    return found


def _used(path: str, user: str) -> Text:
    text = QT_TRANSLATE_NOOP("doctor", "The file {path} is used by {user}; it is not removed.")
    return text.format(path=path, user=user)


def _written(path: str) -> Text:
    text = QT_TRANSLATE_NOOP("doctor", "Some program still has the file {path} open; it is not removed.")
    return text.format(path=path)


# doing it


def abort_copy(step: Step, task: Task) -> None:
    """Call off the copy that writes into the files of this leftover, and no other."""
    task.report_phase(step, Phase.DELETE)
    connection, vm_uuid = task.connection, task.vm_uuid
    ours = {other.path for other in task.plan.steps if other.verb is Verb.REMOVE_FILE}
    if not ours & set(backup.targets(connection, vm_uuid)):
        return
    backup.abort(connection, vm_uuid)
    until = time.monotonic() + PATIENCE_S
    while ours & set(backup.targets(connection, vm_uuid)):
        if time.monotonic() > until:
            raise Broken(QT_TRANSLATE_NOOP("errors", "libvirt does not end the copy; nothing was removed."))
        time.sleep(LOOK_S)


def remove_file(step: Step, task: Task) -> None:
    """Remove one file; refuse where somebody needs it by now."""
    task.report_phase(step, Phase.DELETE)
    connection = task.connection
    if strays.size(connection, step.path) is None:
        if _copies(task):  # libvirt took it along
            task.removed.append(step.path)
        return
    if user := users(connection, (step.path,)).get(step.path):
        raise Refused(_used(step.path, user))
    if not _let_go(step, task):
        raise Refused(_written(step.path))
    strays.remove(connection, step.path)
    task.removed.append(step.path)


def _let_go(step: Step, task: Task) -> bool:
    """Return whether nobody writes to a file; QEMU closes that of a copy only a while after the copy has ended."""
    until = time.monotonic() + (PATIENCE_S if _copies(task) else 0)
    while strays.is_written(task.connection, step.path):
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_S)
    return True


def _copies(task: Task) -> bool:
    return any(step.verb is Verb.ABORT_COPY for step in task.plan.steps)


def remove_pool(step: Step, task: Task) -> None:
    """Take down a pool that a process left which is no more."""
    task.report_phase(step, Phase.DELETE)
    pools.take_down(task.connection, step.pool)
