"""Revert to a snapshot, after a verified safety snapshot of what would be lost."""

import contextlib
import time
from dataclasses import dataclass
from functools import partial

from snapgui.hypervisor import files, inventory, snapshots
from snapgui.hypervisor.domain_xml import read_machine
from snapgui.model import names
from snapgui.model.errors import Broken, Refused, SnapguiError
from snapgui.model.plan import Finding, Operation, Plan, Severity, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.records import Kind, Machine, Place, Snapshot, Then, VmState
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.choice import choose
from snapgui.operations.dangers import TRANSIENT_OFF, revert_findings
from snapgui.operations.doctor import blocker, own_base_findings, refuse, take_findings
from snapgui.operations.facts import Facts, read_facts, snapshot_of
from snapgui.operations.meter import Meter
from snapgui.operations.take import take_step
from snapgui.operations.task import Task

NEXT_SECOND_S = 1.1
AGENT_S, AGENT_LOOK_S = 10.0, 0.25
_STATE_FLAGS = {Then.AS_TAKEN: (), Then.RUNNING: ("--running",), Then.PAUSED: ("--paused",), Then.OFF: ("--paused",)}


@dataclass(frozen=True, slots=True)
class RevertRequest:
    """Where to, and how: ``safety`` None lets the plan decide, True and False are the user's word."""

    name: str
    then: Then = Then.AS_TAKEN
    safety: bool | None = None
    safety_name: str = ""
    force: bool = False
    reset_nvram: bool = False


def plan(facts: Facts, request: RevertRequest) -> Plan:
    """Return what going back means here: a safety snapshot where something would be lost, then the revert."""
    snapshot = snapshot_of(facts, request.name)
    if request.reset_nvram and "uefi" not in {facts.machine.firmware, snapshot.machine.firmware}:
        text = QT_TRANSLATE_NOOP("errors", "{vm} does not start by UEFI firmware: it has no variables to reset.")
        raise Refused(text.format(vm=facts.vm.name))
    safety = facts.changed is not False if request.safety is None else request.safety
    findings = (*revert_findings(facts, snapshot), *_transient_findings(facts, request.then))
    told = {finding.code for finding in findings if finding.severity is Severity.BLOCKER}
    return Plan(
        operation=Operation.REVERT,
        vm_uuid=facts.vm.uuid,
        vm_name=facts.vm.name,
        title=QT_TRANSLATE_NOOP("plan", "Revert to “{name}”").format(name=snapshot.label),
        steps=(*_safety_steps(facts, request, safety=safety), *_revert_steps(facts, snapshot, request)),
        losses=_losses(facts, safety=safety),
        findings=(*findings, *(found for found in _safety_findings(facts) if safety and found.code not in told)),
        notes=_notes(facts, snapshot, request.then),
    )


def _safety_steps(facts: Facts, request: RevertRequest, *, safety: bool) -> tuple[Step, ...]:
    if not safety:
        return ()
    there = facts.tree.snapshots
    name = names.check(request.safety_name or names.propose_safety(there, facts.now.astimezone()), there)
    verify = QT_TRANSLATE_NOOP("plan", "Make sure that “{name}” exists and holds the current state")
    taken = take_step(facts, choose(facts), name, safety=True)
    check = Step(
        Verb.VERIFY,
        verify.format(name=name),
        taken.snapshot,
        phases=(Phase.CHECK,),
        virsh=("snapshot-info", facts.vm.name, taken.snapshot),
    )
    return (taken, check)


def _revert_steps(facts: Facts, snapshot: Snapshot, request: RevertRequest) -> tuple[Step, ...]:
    text = QT_TRANSLATE_NOOP("plan", "Go back to “{name}”: disks, {memory}configuration")
    memory = QT_TRANSLATE_NOOP("plan", "memory, CPU, ") if snapshot.memory is not Place.NONE else ""
    then = request.then
    if then is Then.OFF and snapshot.memory is Place.NONE:
        then = Then.AS_TAKEN
    flags = (
        *_STATE_FLAGS[then],
        *(("--force",) if request.force else ()),
        *(("--reset-nvram",) if request.reset_nvram else ()),
    )
    revert = Step(
        Verb.REVERT,
        text.format(name=snapshot.label, memory=memory),
        snapshot.name,
        snapshot.created,
        phases=_phases(facts, snapshot, then),
        virsh=("snapshot-revert", facts.vm.name, snapshot.name, *flags),
        then=then,
        force=request.force,
        reset_nvram=request.reset_nvram,
    )
    if then is not Then.OFF:
        return (revert,)
    stop = QT_TRANSLATE_NOOP("plan", "Switch the VM off")
    return (revert, Step(Verb.STOP, stop, snapshot.name, phases=(Phase.STOP,), virsh=("destroy", facts.vm.name)))


def _phases(facts: Facts, snapshot: Snapshot, then: Then) -> tuple[Phase, ...]:
    stop = (Phase.STOP,) if facts.vm.state.active else ()
    starts = snapshot.memory is not Place.NONE or then in {Then.RUNNING, Then.PAUSED}
    return (*stop, Phase.LOAD, *((Phase.START,) if starts else ()))


def _losses(facts: Facts, *, safety: bool) -> tuple[Text, ...]:
    if safety or facts.changed is False:
        return ()
    since, when = _last_saved(facts)
    if facts.vm.state.active and since is not None:
        lost = QT_TRANSLATE_NOOP("plan", "Everything in memory and on the disks since “{name}” ({when}) will be lost.")
    elif facts.vm.state.active:
        lost = QT_TRANSLATE_NOOP("plan", "The current memory and disks will be lost; no snapshot holds them.")
    elif since is not None:
        lost = QT_TRANSLATE_NOOP("plan", "Everything written to the disks since “{name}” ({when}) will be lost.")
    else:
        lost = QT_TRANSLATE_NOOP("plan", "The current content of the disks will be lost; no snapshot holds it.")
    return (lost.format(name=since, when=when) if since is not None else lost,)


def _last_saved(facts: Facts) -> tuple[str | None, str]:
    """Return what the current state goes back to, and when that was taken."""
    if facts.tree.current is None:
        return None, ""
    current = facts.tree[facts.tree.current]
    return current.label, f"{current.created.astimezone():%Y-%m-%d %H:%M}"


def _safety_findings(facts: Facts) -> tuple[Finding, ...]:
    fix = QT_TRANSLATE_NOOP("plan", "Revert without a safety snapshot only if the current state may be lost.")
    return tuple(
        Finding(finding.code, finding.severity, finding.text, finding.fix or fix)
        if finding.severity is Severity.BLOCKER
        else finding
        for finding in take_findings(facts, choose(facts))
    )


def _notes(facts: Facts, snapshot: Snapshot, then: Then) -> tuple[Text, ...]:
    notes = [*_configuration_notes(facts.machine, snapshot.machine), *_file_notes(facts, snapshot)]
    if then in {Then.RUNNING, Then.PAUSED} and snapshot.memory is Place.NONE:
        notes.append(QT_TRANSLATE_NOOP("plan", "The VM will be started: the snapshot holds no memory to go on with."))
    if facts.vm.state.active:
        notes.append(QT_TRANSLATE_NOOP("plan", "Consoles and remote displays of the VM will be disconnected."))
    notes.append(QT_TRANSLATE_NOOP("plan", "A revert cannot be cancelled once it has begun."))
    return tuple(notes)


def _transient_findings(facts: Facts, then: Then) -> tuple[Finding, ...]:
    if facts.vm.persistent or then is not Then.OFF:
        return ()
    return (blocker("transient-vm", TRANSIENT_OFF.format(vm=facts.vm.name)),)


def _file_notes(facts: Facts, snapshot: Snapshot) -> tuple[Text, ...]:
    held = {disk.target for disk in snapshot.disks if disk.place is not Place.NONE}
    images = [disk.source for disk in facts.machine.disks if disk.target in held and disk.source]
    if not images or facts.capabilities.is_test_driver:
        return ()
    if snapshot.kind is Kind.INTERNAL:
        text = QT_TRANSLATE_NOOP("plan", "Files that change: {files}")
        return (text.format(files=", ".join(images)),)
    text = QT_TRANSLATE_NOOP(
        "plan", "The VM goes on in new files on top of {bases}. It leaves {files}: removed where no snapshot needs it."
    )
    bases = [disk.source for disk in snapshot.disks if disk.place is Place.EXTERNAL]
    return (text.format(bases=", ".join(bases), files=", ".join(images)),)


def _configuration_notes(now: Machine, then: Machine) -> tuple[Text, ...]:
    notes = []
    if then.memory and now.memory != then.memory:
        text = QT_TRANSLATE_NOOP("plan", "The configuration goes back too: memory {now} MiB → {then} MiB.")
        notes.append(text.format(now=now.memory // 2**20, then=then.memory // 2**20))
    if then.vcpus and now.vcpus != then.vcpus:
        text = QT_TRANSLATE_NOOP("plan", "The configuration goes back too: {now} → {then} virtual CPUs.")
        notes.append(text.format(now=now.vcpus, then=then.vcpus))
    return tuple(notes)


def verify(step: Step, task: Task) -> None:
    """Make sure that the safety snapshot is there, whole and current, before anything is destroyed."""
    task.report_phase(step, Phase.CHECK)
    found = snapshots.read_one(task.connection, task.vm_uuid, step.snapshot)
    _, current = snapshots.fingerprint(task.connection, task.vm_uuid)
    taken = next(before for before in task.plan.steps if before.verb is Verb.TAKE)
    had_memory = bool(taken.memory_file) or (taken.kind is Kind.INTERNAL and task.facts.vm.state.active)
    whole = found.safety and (found.memory is not Place.NONE) == had_memory
    if not whole or current != step.snapshot:
        sentence = QT_TRANSLATE_NOOP(
            "errors", "The safety snapshot “{name}” is not as it should be; nothing was reverted."
        )
        raise Broken(sentence.format(name=step.snapshot))
    task.safety = found


def perform(step: Step, task: Task) -> None:
    """Go back to the snapshot of ``step``, if it still is the one that was planned for."""
    found = _found(task, step.snapshot)
    if found.created != step.created:
        sentence = QT_TRANSLATE_NOOP(
            "errors", "“{name}” was replaced by another snapshot meanwhile; nothing was reverted."
        )
        raise Refused(sentence.format(name=step.snapshot))
    _look_again(task, found)
    before = inventory.secure_xml(task.connection, task.vm_uuid) if task.facts.vm.persistent else ""
    try:
        with Meter(task, step, (), None):
            _revert(task, step)
    except SnapguiError:
        _put_back(task, before)
        raise
    snapshots.announce(task.connection, task.vm_uuid)
    if task.facts.agent and inventory.read_vm(task.connection, task.vm_uuid).state is VmState.RUNNING:
        _set_clock(task)
    task.taken = _found(task, step.snapshot)


def _put_back(task: Task, before: str) -> None:
    """libvirt may leave a VM whose revert failed on the image that its snapshots are layered on: undo that."""
    with contextlib.suppress(SnapguiError):
        now = read_facts(task.connection, task.vm_uuid)
        if now.vm.state.active or not before or not any(own_base_findings(now)):
            return
        disks = read_machine(before).disks
        if all(files.exists(task.connection, disk.source) is not False for disk in disks if disk.writable):
            inventory.define(task.connection, before)


def _set_clock(task: Task) -> None:
    """The guest believes that it is the time of the snapshot; its agent answers a moment after it runs again."""
    until = time.monotonic() + AGENT_S
    while time.monotonic() < until and not task.cancel.is_set():
        if inventory.agent_connected(task.connection, task.vm_uuid) and inventory.set_clock(
            task.connection, task.vm_uuid
        ):
            return
        time.sleep(AGENT_LOOK_S)


def _revert(task: Task, step: Step) -> None:
    """libvirt names the new overlay by the second: a second revert within one collides, and succeeds in the next."""
    go_back = partial(
        snapshots.revert,
        task.connection,
        task.vm_uuid,
        step.snapshot,
        step.then,
        force=step.force,
        reset_nvram=step.reset_nvram,
    )
    try:
        go_back()
    except SnapguiError as error:
        if "already exists and is not a block device" not in error.detail:
            raise
        time.sleep(NEXT_SECOND_S)
        go_back()


def _look_again(task: Task, snapshot: Snapshot) -> None:
    """The last look before something is lost: since the plan was made, others may have been at work."""
    fresh = read_facts(task.connection, task.vm_uuid)
    refuse(revert_findings(fresh, snapshot))
    if task.safety is None and task.facts.changed is False and fresh.changed is not False:
        text = QT_TRANSLATE_NOOP(
            "errors", "{vm} was started or changed since the plan was made; nothing was reverted. Look at it again."
        )
        raise Refused(text.format(vm=fresh.vm.name))


def stop(step: Step, task: Task) -> None:
    """Switch the VM off after it was reverted to a state with memory."""
    task.report_phase(step, Phase.STOP)
    if inventory.read_vm(task.connection, task.vm_uuid).state is not VmState.SHUTOFF:
        inventory.destroy(task.connection, task.vm_uuid)


def _found(task: Task, name: str) -> Snapshot:
    return snapshots.read_one(task.connection, task.vm_uuid, name)
