"""Make a VM independent of the images below its own: what they hold is pulled up, while it runs or is off."""

from snapgui.hypervisor import inventory, pull, statistics
from snapgui.model.errors import Broken, Cancelled, Refused
from snapgui.model.plan import Operation, Plan, Step, Verb
from snapgui.model.progress import Phase, Progress
from snapgui.model.records import DiskRequest, Kind, Place
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.doctor import busy_findings
from snapgui.operations.facts import Facts, read_facts
from snapgui.operations.task import Task

LOOK_S = 0.2


def plan(facts: Facts) -> Plan:
    """Return what flattening means here; raise Refused where there is nothing to do, or it cannot be done."""
    layered = _layered(facts)
    if not layered:
        text = QT_TRANSLATE_NOOP("errors", "{vm} depends on no other image.")
        raise Refused(text.format(vm=facts.vm.name))
    if facts.tree.kinds - {Kind.INTERNAL}:
        text = QT_TRANSLATE_NOOP("errors", "The images below {vm} hold its own external snapshots: delete these first.")
        raise Refused(text.format(vm=facts.vm.name))
    if facts.managed_save:
        text = QT_TRANSLATE_NOOP("errors", "{vm} sleeps in a saved state; start it, or discard that, first.")
        raise Refused(text.format(vm=facts.vm.name))
    what = QT_TRANSLATE_NOOP("plan", "Copy into the images of {vm} what they read from those below: {disks}")
    step = Step(
        Verb.FLATTEN,
        what.format(vm=facts.vm.name, disks=", ".join(layered)),
        phases=(Phase.COPY,),
        cancellable=True,
        virsh=("blockpull", facts.vm.name, next(iter(layered)), "--wait"),
        disks=tuple(DiskRequest(target, Place.EXTERNAL, path) for target, path in layered.items()),
    )
    standing = QT_TRANSLATE_NOOP("plan", "libvirt starts the VM for this, standing still: the guest does not run.")
    return Plan(
        operation=Operation.FLATTEN,
        vm_uuid=facts.vm.uuid,
        vm_name=facts.vm.name,
        title=QT_TRANSLATE_NOOP("plan", "Flatten {vm}").format(vm=facts.vm.name),
        steps=(step,),
        findings=tuple(busy_findings(facts)),
        notes=() if facts.vm.state.active else (standing,),
    )


def _layered(facts: Facts) -> dict[str, str]:
    chains = dict(facts.chains)
    return {
        disk.target: disk.source
        for disk in facts.machine.disks
        if disk.writable and len(chains.get(disk.source, ())) > 1
    }


def perform(step: Step, task: Task) -> None:
    """Pull, disk after disk; a VM that was off stands still meanwhile and is switched off again."""
    connection, vm_uuid = task.connection, task.vm_uuid
    asleep = not inventory.read_vm(connection, vm_uuid).state.active
    if asleep:
        inventory.start_paused(connection, vm_uuid)
    try:
        for number, disk in enumerate(step.disks):
            _pull(step, task, disk.target, number)
    finally:
        if asleep:
            inventory.destroy(connection, vm_uuid)
    left = _layered(read_facts(connection, vm_uuid))
    if left:
        text = QT_TRANSLATE_NOOP("errors", "{vm} still depends on other images: {disks}.")
        raise Broken(text.format(vm=task.facts.vm.name, disks=", ".join(left)))


def _pull(step: Step, task: Task, target: str, number: int) -> None:
    merge = statistics.Merge((target,))
    pull.begin(task.connection, task.vm_uuid, target)
    while pull.runs(task.connection, task.vm_uuid, target):
        numbers = merge(task.connection, task.vm_uuid)
        share = None if numbers is None or numbers.fraction is None else (number + numbers.fraction) / len(step.disks)
        task.report(
            Progress(
                step=task.position,
                of=len(task.plan.steps),
                phase=Phase.COPY,
                text=step.text,
                fraction=share,
                bytes_done=None if numbers is None else numbers.processed,
                bytes_total=None if numbers is None else numbers.total,
                elapsed_s=task.elapsed_s,
                cancellable=True,
                phases=step.phases,
                disk=target,
            )
        )
        if task.cancel.wait(LOOK_S):
            pull.abort(task.connection, task.vm_uuid, target)
            raise Cancelled(
                QT_TRANSLATE_NOOP("errors", "Cancelled. The VM is as it was, and still depends on the images below.")
            )
