"""Clone a VM: from its current state or any snapshot; linked, on the images that a snapshot froze, or in full."""

import contextlib
import secrets
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from snapgui.hypervisor import backup, clone_xml, files, inventory, pools, snapshots
from snapgui.images.convert import ConvertCancelled, ConvertError, convert
from snapgui.model.errors import Broken, Cancelled, Gone, Refused, SnapguiError
from snapgui.model.plan import Finding, Operation, Plan, Road, Severity, Step, Verb
from snapgui.model.progress import Phase, Progress
from snapgui.model.records import Disk, ImageCopy, Kind, KindWish, MemoryWish, NewVm, Place, Snapshot
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.choice import choose
from snapgui.operations.doctor import blocker, take_findings
from snapgui.operations.facts import Facts, is_missing, read_facts
from snapgui.operations.file_names import harmless
from snapgui.operations.outcome import binary_size
from snapgui.operations.surroundings import Surroundings
from snapgui.operations.take import take_step
from snapgui.operations.task import Task

LONGEST_NAME = 200
LOOK_S = 0.2
BASE_NAME = "base-of-{name}"


@dataclass(frozen=True, slots=True)
class CloneRequest:
    """What is wanted: ``snapshot`` None is the current state, ``full`` None lets the plan choose.

    ``with_snapshots`` carries the whole tree along; ``keep_host_devices`` leaves devices of the host in the clone.
    """

    name: str = ""
    snapshot: str | None = None
    full: bool | None = None
    start: bool = False
    connected: bool = True
    with_snapshots: bool = False
    keep_host_devices: bool = False


def plan(facts: Facts, around: Surroundings, request: CloneRequest) -> Plan:
    """Return what cloning means here; raise Refused or Gone for a name or snapshot that cannot be."""
    snapshot = None
    if request.snapshot is not None:
        snapshot = facts.tree.snapshots.get(request.snapshot)
        if snapshot is None:
            missing = QT_TRANSLATE_NOOP("errors", "There is no snapshot “{name}” of {vm}.")
            raise Gone(missing.format(name=request.snapshot, vm=facts.vm.name))
    name = _check_name(request.name or propose(facts.vm.name, around.names), around.names)
    full = request.full if request.full is not None else _why_not_linked(facts, snapshot) is not None
    findings = [*_findings(facts, around, snapshot, full=full)]
    if not full and (why := _why_not_linked(facts, snapshot)) is not None:
        findings.append(blocker("no-linked-clone", why, QT_TRANSLATE_NOOP("doctor", "Make a full clone instead.")))
    steps, problems = _steps(facts, around, request, snapshot, name, full=full)
    return Plan(
        operation=Operation.CLONE,
        vm_uuid=facts.vm.uuid,
        vm_name=facts.vm.name,
        title=_title(facts, snapshot, name, full=full),
        steps=steps,
        findings=(*findings, *problems),
        notes=_notes(steps, full=full),
    )


def propose(vm: str, taken: frozenset[str]) -> str:
    """Return “web01-clone”, “web01-clone2” and so on, the first that is free."""
    base, number = f"{vm[:LONGEST_NAME]}-clone", 2
    found = base
    while found in taken:
        found, number = f"{base}{number}", number + 1
    return found


def _check_name(name: str, taken: frozenset[str]) -> str:
    name = name.strip()
    if not name or "/" in name or not name.isprintable() or len(name.encode()) > LONGEST_NAME:
        text = QT_TRANSLATE_NOOP("errors", "“{name}” cannot be the name of a VM.")
        raise Refused(text.format(name=name[:LONGEST_NAME]))
    if name in taken:
        raise Refused(QT_TRANSLATE_NOOP("errors", "There is already a VM named “{name}”.").format(name=name))
    return name


def _why_not_linked(facts: Facts, snapshot: Snapshot | None) -> Text | None:
    """Why no image can be layered on what is wanted, or None where one can."""
    if snapshot is not None and snapshot.kind is not Kind.EXTERNAL:
        return QT_TRANSLATE_NOOP("doctor", "Nothing can be layered on a snapshot inside an image.")
    if snapshot is None and facts.tree.kinds - {Kind.EXTERNAL}:
        return QT_TRANSLATE_NOOP(
            "doctor", "The current state would have to be frozen under overlays; the VM's internal snapshots forbid it."
        )
    if snapshot is None and facts.capabilities.is_test_driver:
        return QT_TRANSLATE_NOOP("doctor", "The test driver has no images.")
    return None


def _title(facts: Facts, snapshot: Snapshot | None, name: str, *, full: bool) -> Text:
    where = facts.vm.name if snapshot is None else f"{facts.vm.name} @ {snapshot.label}"
    text = (
        QT_TRANSLATE_NOOP("plan", "Full clone of {where}: “{name}”")
        if full
        else QT_TRANSLATE_NOOP("plan", "Linked clone of {where}: “{name}”")
    )
    return text.format(where=where, name=name)


def _notes(steps: tuple[Step, ...], *, full: bool) -> tuple[Text, ...]:
    new = QT_TRANSLATE_NOOP("plan", "New file: {path}")
    made = [new.format(path=copy.file) for step in steps for copy in step.copies]
    alone = QT_TRANSLATE_NOOP("plan", "The clone depends on nothing.")
    based = QT_TRANSLATE_NOOP("plan", "The clone reads the images that it is layered on; they must stay as they are.")
    inside = QT_TRANSLATE_NOOP(
        "plan", "Inside, it is the same machine: give it a new machine-id and new SSH host keys where that matters."
    )
    return (*made, alone if full else based, inside)


# images


def _writable(facts: Facts) -> tuple[Disk, ...]:
    return tuple(disk for disk in facts.machine.disks if disk.writable and disk.source)


def _steps(
    facts: Facts, around: Surroundings, request: CloneRequest, snapshot: Snapshot | None, name: str, *, full: bool
) -> tuple[tuple[Step, ...], tuple[Finding, ...]]:
    freeze: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    if not full and snapshot is None:
        choice = choose(facts, KindWish.EXTERNAL, MemoryWish.NONE)
        frozen = _free_name(BASE_NAME.format(name=harmless(name)), facts.tree.snapshots)
        freeze = (take_step(facts, choice, frozen),)
        findings = take_findings(facts, choice)
    copies = _copies(facts, around, snapshot, name)
    road, problem = _road(facts, around, snapshot, full=full)
    new_vm = NewVm(name, str(uuid.uuid4()), _macs(facts, snapshot), _nvram(facts, name), request.connected)
    steps = [*freeze, _copy_step(facts, copies, road, snapshot), _define_step(snapshot, new_vm, copies)]
    if request.start:
        text = QT_TRANSLATE_NOOP("plan", "Start “{name}”")
        steps.append(
            Step(
                Verb.START_CLONE,
                text.format(name=name),
                phases=(Phase.START,),
                virsh=("start", name),
                new_vm=new_vm,
            )
        )
    return tuple(steps), (*findings, *problem)


def _free_name(base: str, taken: object) -> str:
    name, number = base, 2
    while name in taken:  # type: ignore[operator]
        name, number = f"{base}-{number}", number + 1
    return name


def _copies(facts: Facts, around: Surroundings, snapshot: Snapshot | None, name: str) -> tuple[ImageCopy, ...]:
    taken = set(around.place.names or ()) if around.place is not None else set()
    copies = []
    for disk in _disks_of(facts, snapshot):
        directory = around.place.path if around.place is not None else str(PurePosixPath(disk.source).parent)
        stem = f"{harmless(name)}-{harmless(disk.target)}"
        file, number = f"{stem}.qcow2", 2
        while file in taken or is_known(facts, f"{directory}/{file}"):
            file, number = f"{stem}-{number}.qcow2", number + 1
        taken.add(file)
        held = None if snapshot is None else next((d for d in snapshot.disks if d.target == disk.target), None)
        inside = snapshot.name if snapshot is not None and held is not None and held.place is Place.INTERNAL else ""
        copies.append(ImageCopy(disk.target, disk.source, disk.format, f"{directory}/{file}", inside))
    return tuple(copies)


def is_known(facts: Facts, path: str) -> bool:
    """Whether a file is known to exist."""
    place = next((place for place in facts.places if place.path == str(PurePosixPath(path).parent)), None)
    return place is not None and PurePosixPath(path).name in (place.names or ())


def _disks_of(facts: Facts, snapshot: Snapshot | None) -> tuple[Disk, ...]:
    """Return the writable disks, each with the image that held its state then."""
    if snapshot is None:
        return _writable(facts)
    then = {disk.target: disk for disk in snapshot.machine.disks}
    found = []
    for held in snapshot.disks:
        disk = then.get(held.target)
        if disk is not None and disk.writable and held.place is not Place.NONE:
            found.append(replace(disk, source=held.source or disk.source, pool=""))
    return tuple(found)


def _road(
    facts: Facts, around: Surroundings, snapshot: Snapshot | None, *, full: bool
) -> tuple[Road, tuple[Finding, ...]]:
    if not full:
        return Road.LAYER, ()
    if snapshot is None and facts.vm.state.active:
        return Road.BACKUP, ()
    if around.local:
        return Road.LOCAL, ()
    if snapshot is not None and snapshot.kind is not Kind.EXTERNAL:
        text = QT_TRANSLATE_NOOP(
            "doctor", "libvirt cannot copy a snapshot inside an image, and you may not read the image file yourself."
        )
        fix = QT_TRANSLATE_NOOP("doctor", "Clone it as a user who may read the file, on the hypervisor's machine.")
        return Road.LOCAL, (blocker("unreadable", text, fix),)
    return Road.POOL, ()


def _copy_step(facts: Facts, copies: tuple[ImageCopy, ...], road: Road, snapshot: Snapshot | None) -> Step:
    linked = QT_TRANSLATE_NOOP("plan", "Make new images on top of the frozen ones")
    whole = QT_TRANSLATE_NOOP("plan", "Copy {count} disks")
    one = QT_TRANSLATE_NOOP("plan", "Copy the disk")
    copied = one if len(copies) == 1 else whole.format(count=len(copies))
    return Step(
        Verb.COPY,
        linked if road is Road.LAYER else copied,
        "" if snapshot is None else snapshot.name,
        None if snapshot is None else snapshot.created,
        phases=(Phase.COPY,),
        cancellable=road in {Road.LOCAL, Road.BACKUP},
        virsh=("backup-begin", facts.vm.name) if road is Road.BACKUP else (),
        road=road,
        copies=copies,
    )


def _define_step(snapshot: Snapshot | None, new_vm: NewVm, copies: tuple[ImageCopy, ...]) -> Step:
    text = QT_TRANSLATE_NOOP("plan", "Make the VM “{name}”, with an identity of its own")
    return Step(
        Verb.DEFINE,
        text.format(name=new_vm.name),
        "" if snapshot is None else snapshot.name,
        phases=(Phase.RECORD,),
        virsh=("define", "FILE"),
        copies=copies,
        new_vm=new_vm,
    )


def _macs(facts: Facts, snapshot: Snapshot | None) -> tuple[str, ...]:
    """Addresses of QEMU's range, 52:54:00 and three random bytes, as libvirt makes them."""
    machine = facts.machine if snapshot is None else snapshot.machine
    return tuple("52:54:00:" + secrets.token_bytes(3).hex(":") for _ in machine.interfaces)


def _nvram(facts: Facts, name: str) -> str:
    path = PurePosixPath(facts.machine.nvram)
    return str(path.with_name(f"{harmless(name)}_VARS{path.suffix}")) if facts.machine.nvram else ""


# what stands in the way


def _findings(facts: Facts, around: Surroundings, snapshot: Snapshot | None, *, full: bool) -> tuple[Finding, ...]:
    found = []
    machine = facts.machine if snapshot is None else snapshot.machine
    disks = _disks_of(facts, snapshot)
    if not disks:
        text = QT_TRANSLATE_NOOP("doctor", "There is no disk that a clone could be made of.")
        found.append(blocker("no-disk", text))
    held = {disk.target for disk in disks}
    for disk in machine.disks:
        if disk.writable and disk.source and disk.target not in held:
            text = QT_TRANSLATE_NOOP("doctor", "Disk {target} is not part of the snapshot.")
            found.append(blocker("disk-left-out", text.format(target=disk.target)))
    for disk in disks:
        if not disk.source.startswith("/"):
            text = QT_TRANSLATE_NOOP("doctor", "Disk {target} is not a file; it cannot be cloned here.")
            found.append(blocker("no-file", text.format(target=disk.target)))
        elif is_missing(facts, disk.source):
            text = QT_TRANSLATE_NOOP("doctor", "A file that disk {target} needs is missing: {path}.")
            found.append(blocker("file-missing", text.format(target=disk.target, path=disk.source)))
    found += _device_findings(around, tpm=machine.tpm)
    if facts.managed_save and snapshot is None:
        text = QT_TRANSLATE_NOOP("doctor", "The VM sleeps in a saved state; the clone will start from its disks.")
        found.append(Finding("managed-save", Severity.WARNING, text))
    needed = around.allocated if full else None
    room = None if around.place is None else around.place.free
    if needed is not None and room is not None and room < needed:
        text = QT_TRANSLATE_NOOP("doctor", "The copy needs up to {needed}, but only {free} are free in {place}.")
        place = "" if around.place is None else around.place.path
        found.append(blocker("space", text.format(needed=binary_size(needed), free=binary_size(room), place=place)))
    return tuple(found)


def _device_findings(around: Surroundings, *, tpm: bool) -> list[Finding]:
    found = []
    for device in around.host_devices:
        text = QT_TRANSLATE_NOOP("doctor", "The clone will be without a device of the host: {device}.")
        found.append(Finding("host-device", Severity.WARNING, text.format(device=device)))
    if tpm:
        text = QT_TRANSLATE_NOOP(
            "doctor", "The clone will have a new, empty TPM: what the old one sealed, such as disk keys, stays closed."
        )
        found.append(Finding("new-tpm", Severity.WARNING, text))
    return found


# doing it


def copy(step: Step, task: Task) -> None:
    """Make the images; what was made is known to the task, so that it can be taken back."""
    if step.created is not None:
        now = snapshots.read_one(task.connection, task.vm_uuid, step.snapshot)
        if now.created != step.created:
            text = QT_TRANSLATE_NOOP("errors", "“{name}” was replaced by another snapshot; it was not cloned.")
            raise Refused(text.format(name=step.snapshot))
    for image in step.copies:
        _refuse_existing(task, image.file)
    _ROADS[step.road](step, task)


def _refuse_existing(task: Task, path: str) -> None:
    if pools.exists(task.connection, path):
        text = QT_TRANSLATE_NOOP("errors", "The file {path} exists already; nothing was changed.")
        raise Refused(text.format(path=path))


def _intend(task: Task, path: str) -> None:
    """Right before a file is made: a killed process has made what was not there, and has said so."""
    _refuse_existing(task, path)
    task.intend(path)


def _layer(step: Step, task: Task) -> None:
    task.report_phase(step, Phase.COPY)
    frozen = _frozen_now(task)
    for image in step.copies:
        base = frozen.get(image.target, image.source)
        _intend(task, image.file)
        pools.layer(task.connection, image.file, base, image.format)
        task.made.append(image.file)


def _frozen_now(task: Task) -> dict[str, str]:
    """Where the plan froze the current state itself, the images are those that its snapshot names."""
    if task.taken is None:
        return {}
    return {disk.target: disk.source for disk in task.taken.disks if disk.place is Place.EXTERNAL}


def _pool(step: Step, task: Task) -> None:
    for image in step.copies:
        _refuse_running(step, task)
        task.report_phase(step, Phase.COPY)
        _intend(task, image.file)
        pools.copy(task.connection, image.file, image.source)
        task.made.append(image.file)


def _local(step: Step, task: Task) -> None:
    for number, image in enumerate(step.copies):
        if not image.inside:
            _refuse_running(step, task)

        def report(share: float, number: int = number, target: str = image.target) -> None:
            _report(step, task, (number + share) / len(step.copies), target)

        report(0.0)
        _intend(task, image.file)
        try:
            convert(image.source, image.format, image.file, report, task.cancel, image.inside)
        except ConvertCancelled as error:
            raise Cancelled(_CANCELLED) from error
        except (ConvertError, OSError) as error:
            text = QT_TRANSLATE_NOOP("errors", "The disk {target} could not be copied: {reason}")
            raise Broken(text.format(target=image.target, reason=str(error))) from error
        task.made.append(image.file)


def _refuse_running(step: Step, task: Task) -> None:
    """What the VM writes to may not be copied block by block."""
    now = inventory.read_vm(task.connection, task.vm_uuid)
    if not step.snapshot and now.state.active:
        text = QT_TRANSLATE_NOOP("errors", "{vm} was started since the plan was made; look at it again.")
        raise Refused(text.format(vm=now.name))


def _backup(step: Step, task: Task) -> None:
    wanted = {image.target: image.file for image in step.copies}
    machine = read_facts(task.connection, task.vm_uuid).machine
    for path in wanted.values():
        _intend(task, path)
    task.report_phase(step, Phase.COPY)
    backup.begin(task.connection, task.vm_uuid, machine.disks, wanted)
    task.made.extend(wanted.values())
    while (now := backup.numbers(task.connection, task.vm_uuid)) is not None:
        _report(step, task, now.fraction, "", now.processed, now.total)
        if task.cancel.wait(LOOK_S):
            backup.abort(task.connection, task.vm_uuid)
            _wait_for_end(task)
            raise Cancelled(_CANCELLED)
    if not backup.succeeded(task.connection, task.vm_uuid):
        raise Broken(QT_TRANSLATE_NOOP("errors", "libvirt did not finish the copy of the running VM's disks."))


def _wait_for_end(task: Task) -> None:
    until = time.monotonic() + 10
    while backup.numbers(task.connection, task.vm_uuid) is not None and time.monotonic() < until:
        time.sleep(LOOK_S)


def _report(
    step: Step, task: Task, share: float | None, disk: str, done: int | None = None, total: int | None = None
) -> None:
    task.report(
        Progress(
            step=task.position,
            of=len(task.plan.steps),
            phase=Phase.COPY,
            text=step.text,
            fraction=share,
            bytes_done=done or None,
            bytes_total=total or None,
            elapsed_s=task.elapsed_s,
            cancellable=True,
            phases=step.phases,
            disk=disk,
        )
    )


_ROADS = {Road.LAYER: _layer, Road.POOL: _pool, Road.LOCAL: _local, Road.BACKUP: _backup}
_CANCELLED = QT_TRANSLATE_NOOP("errors", "Cancelled. There is no clone, and no file is left behind.")


def define(step: Step, task: Task) -> None:
    """Make the VM of the images."""
    task.report_phase(step, Phase.RECORD)
    new = step.new_vm
    if new is None:
        raise Broken(QT_TRANSLATE_NOOP("errors", "The clone has no name."))
    connection = task.connection
    text = (
        snapshots.machine_xml(connection, task.vm_uuid, step.snapshot)
        if step.snapshot
        else inventory.secure_xml(connection, task.vm_uuid)
    )
    nvram = ""
    if new.nvram and task.facts.machine.nvram:
        nvram = new.nvram
        _intend(task, nvram)
        pools.copy(connection, nvram, task.facts.machine.nvram, task.facts.machine.nvram_format or "raw")
        task.made.append(nvram)
    disks = {image.target: image.file for image in step.copies}
    identity = clone_xml.Identity(new.name, new.uuid, new.macs, disks, nvram, new.connected)
    task.defined = inventory.define(connection, clone_xml.clone_xml(text, identity))


def start(step: Step, task: Task) -> None:
    """Start the clone."""
    task.report_phase(step, Phase.START)
    inventory.start(task.connection, task.defined)


def roll_back(task: Task) -> None:
    """Remove the images of a clone that did not come about: only files that this job made itself."""
    if task.plan.operation is not Operation.CLONE or task.defined:
        return
    task.made[:] = [path for path in task.made if not _taken_back(task, path)]


def _taken_back(task: Task, path: str) -> bool:
    with contextlib.suppress(SnapguiError):
        return files.remove(task.connection, path)
    return False
