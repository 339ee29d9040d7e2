"""Make a VM independent of the images below its own: what they hold is pulled up, while it runs or is off."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from snapgui.hypervisor import inventory, pull, statistics
from snapgui.hypervisor.connection import Connection
from snapgui.images.qcow2 import ImageError, read_head
from snapgui.model.errors import Broken, Cancelled, Refused, SnapguiError
from snapgui.model.plan import Finding, Operation, Plan, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.records import DiskRequest, Kind, Place, VmState
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.doctor import blocker, busy_findings
from snapgui.operations.facts import Facts, is_missing, place_of, read_facts
from snapgui.operations.image_access import open_image
from snapgui.operations.outcome import binary_size
from snapgui.operations.protection import clone_findings
from snapgui.operations.task import Task

LOOK_S = 0.2
INSIDE = QT_TRANSLATE_NOOP(
    "errors",
    "{vm} has snapshots inside its image: they read what lies below, and would read zeros afterwards. Delete these "
    "snapshots first, or make a full clone of {vm} instead.",
)


def plan(facts: Facts) -> Plan:
    """Return what flattening means here; raise Refused where there is nothing to do, or it cannot be done."""
    layered = _layered(facts)
    if not layered:
        text = QT_TRANSLATE_NOOP("errors", "{vm} depends on no other image.")
        raise Refused(text.format(vm=facts.vm.name))
    if facts.tree.kinds - {Kind.INTERNAL}:
        text = QT_TRANSLATE_NOOP("errors", "The images below {vm} hold its own external snapshots: delete these first.")
        raise Refused(text.format(vm=facts.vm.name))
    if facts.tree.kinds:
        raise Refused(INSIDE.format(vm=facts.vm.name))
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
        findings=(
            *busy_findings(facts),
            *_missing_findings(facts, layered),
            *_space_findings(facts, layered),
            *_open_findings(facts, layered),
        ),
        notes=() if facts.vm.state.active else (standing,),
    )


def _layered(facts: Facts) -> dict[str, str]:
    chains = dict(facts.chains)
    return {
        disk.target: disk.source
        for disk in facts.machine.disks
        if disk.writable and len(chains.get(disk.source, ())) > 1
    }


def _missing_findings(facts: Facts, layered: dict[str, str]) -> list[Finding]:
    chains = dict(facts.chains)
    text = QT_TRANSLATE_NOOP("doctor", "A file that disk {target} needs is missing: {path}.")
    return [
        blocker("file-missing", text.format(target=target, path=path))
        for target, image in layered.items()
        for path in chains[image]
        if is_missing(facts, path)
    ]


def _space_findings(facts: Facts, layered: dict[str, str]) -> list[Finding]:
    """At most, all that the images below hold is copied into the directories of the upper ones."""
    chains, sizes = dict(facts.chains), dict(facts.allocated)
    needed: dict[str, int] = {}
    for image in layered.values():
        directory = str(PurePosixPath(image).parent)
        needed[directory] = needed.get(directory, 0) + sum(sizes.get(path, 0) for path in chains[image][1:])
    found = []
    for image in layered.values():
        place = place_of(facts, image)
        wanted = needed.pop(place.path, 0)
        if place.free is not None and place.free < wanted:
            text = QT_TRANSLATE_NOOP("doctor", "This may need {needed}, but only {free} are free in {place}.")
            text = text.format(needed=binary_size(wanted), free=binary_size(place.free), place=place.path)
            found.append(blocker("space", text, QT_TRANSLATE_NOOP("doctor", "Free some space first.")))
    return found


def _open_findings(facts: Facts, layered: dict[str, str]) -> Iterator[Finding]:
    """What is based on the VM reads the same before and after, but QEMU lets nobody write while it is read."""
    yield from clone_findings(
        replace(facts, lent=tuple(lent for lent in facts.lent if lent.active)),
        layered.values(),
        QT_TRANSLATE_NOOP("doctor", "{clones} runs on an image of {name}: {path}."),
        QT_TRANSLATE_NOOP("doctor", "{clones} run on images of {name}: {path}."),
        name=facts.vm.name,
    )


def perform(step: Step, task: Task) -> None:
    """Pull, disk after disk; a VM that was off stands still meanwhile and is switched off again.

    Somebody else may let it run on meanwhile: then it is theirs, and stays on.
    """
    connection, vm_uuid = task.connection, task.vm_uuid
    _refuse_inside(step, task)
    asleep = not inventory.read_vm(connection, vm_uuid).state.active
    if asleep:
        inventory.start_paused(connection, vm_uuid)
    try:
        for number, disk in enumerate(step.disks):
            _pull(step, task, disk.target, number)
    finally:
        if asleep:
            _switch_off(connection, vm_uuid)
    left = _layered(read_facts(connection, vm_uuid))
    if left:
        text = QT_TRANSLATE_NOOP("errors", "{vm} still depends on other images: {disks}.")
        raise Broken(text.format(vm=task.facts.vm.name, disks=", ".join(left)))


def _refuse_inside(step: Step, task: Task) -> None:
    """Snapshots inside an image that libvirt does not know would be destroyed just as well."""
    for disk in step.disks:
        image = open_image(task.connection, disk.file)
        if image is None:
            continue
        try:
            inside = read_head(image).snapshots
        except (ImageError, OSError):
            continue
        finally:
            image.close()
        if inside:
            raise Refused(INSIDE.format(vm=task.facts.vm.name))


def _switch_off(connection: Connection, vm_uuid: str) -> None:
    with contextlib.suppress(SnapguiError):  # it is off already, or gone
        if inventory.read_vm(connection, vm_uuid).state is VmState.PAUSED:
            inventory.destroy(connection, vm_uuid)


def _pull(step: Step, task: Task, target: str, number: int) -> None:
    merge = statistics.Merge((target,))
    pull.begin(task.connection, task.vm_uuid, target)
    while pull.runs(task.connection, task.vm_uuid, target):
        numbers = merge(task.connection, task.vm_uuid)
        share = None if numbers is None or numbers.fraction is None else (number + numbers.fraction) / len(step.disks)
        done, total = (None, None) if numbers is None else (numbers.processed, numbers.total)
        task.report_share(step, share, target, done, total)
        if task.cancel.wait(LOOK_S):
            pull.abort(task.connection, task.vm_uuid, target)
            raise Cancelled(
                QT_TRANSLATE_NOOP("errors", "Cancelled. The VM is as it was, and still depends on the images below.")
            )
