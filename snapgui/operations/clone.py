"""Plan a clone of a VM: from its current state or any snapshot; linked, on frozen images, or in full.

How its images are made is in ``clone_copy``, how a tree of snapshots comes along in ``clone_tree``.
"""

import uuid
from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from snapgui.hypervisor.clone_xml import new_mac
from snapgui.model.errors import Refused
from snapgui.model.plan import Finding, Operation, Plan, Road, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.records import Disk, ImageCopy, Kind, KindWish, MemoryWish, NewVm, Place, Snapshot
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations import clone_tree
from snapgui.operations.choice import choose
from snapgui.operations.clone_define import define_step
from snapgui.operations.clone_findings import clone_findings
from snapgui.operations.disks_then import disks_then
from snapgui.operations.doctor import blocker, take_findings
from snapgui.operations.facts import Facts, snapshot_of
from snapgui.operations.file_names import harmless
from snapgui.operations.new_files import FreeNames
from snapgui.operations.surroundings import Surroundings
from snapgui.operations.take import take_step

LONGEST_NAME = 200
"""Bytes."""
LONGEST_PROPOSAL = 180
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
    snapshot = None if request.snapshot is None else snapshot_of(facts, request.snapshot)
    name = _check_name(request.name or propose(facts.vm.name, around.names), around.names)
    why_not = _why_not_linked(facts, around, request, snapshot)
    full = request.full if request.full is not None else why_not is not None
    disks = disks_of(facts, around, snapshot)
    findings = [*clone_findings(facts, around, request.keep_host_devices, snapshot, disks, full=full)]
    if not full and why_not is not None:
        fix = QT_TRANSLATE_NOOP("doctor", "Make a full clone instead.")
        if snapshot is not None and snapshot.kind is Kind.INTERNAL:
            fix = QT_TRANSLATE_NOOP("doctor", "Make a full clone instead, or take an external snapshot and clone that.")
        findings.append(blocker("no-linked-clone", why_not, fix))
    steps, problems = _steps(facts, around, request, snapshot, name, full=full)
    return Plan(
        operation=Operation.CLONE,
        vm_uuid=facts.vm.uuid,
        vm_name=facts.vm.name,
        title=_title(facts, snapshot, name, full=full),
        steps=steps,
        findings=(*findings, *problems),
        notes=_notes(facts, around, steps, full=full),
        target_uri=around.uri,
    )


def propose(vm: str, taken: frozenset[str]) -> str:
    """Return “web01-clone”, “web01-clone2” and so on, the first that is free; of a long name only the beginning."""
    plain = "".join(char for char in vm if char.isprintable() and char != "/").strip()
    short = plain.encode()[:LONGEST_PROPOSAL].decode("utf-8", "ignore").strip()
    base, number = f"{short}-clone", 2
    found = base
    while found in taken:
        found, number = f"{base}{number}", number + 1
    return found


def _check_name(name: str, taken: frozenset[str]) -> str:
    name = name.strip()
    if name in {"", ".", ".."} or "/" in name or not name.isprintable() or len(name.encode()) > LONGEST_NAME:
        text = QT_TRANSLATE_NOOP("errors", "“{name}” cannot be the name of a VM.")
        raise Refused(text.format(name=name[:LONGEST_NAME]))
    if name in taken:
        raise Refused(QT_TRANSLATE_NOOP("errors", "There is already a VM named “{name}”.").format(name=name))
    return name


def _why_not_linked(
    facts: Facts, around: Surroundings, request: CloneRequest, snapshot: Snapshot | None
) -> Text | None:
    """Why no image can be layered on what is wanted, or None where one can."""
    if around.uri:
        return QT_TRANSLATE_NOOP("doctor", "Images of one hypervisor cannot be layered on those of another.")
    if request.with_snapshots:
        return QT_TRANSLATE_NOOP("doctor", "A linked clone cannot carry the snapshots along.")
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


def _notes(facts: Facts, around: Surroundings, steps: tuple[Step, ...], *, full: bool) -> tuple[Text, ...]:
    new = QT_TRANSLATE_NOOP("plan", "New file: {path}")
    made = [new.format(path=path) for step in steps if step.verb is Verb.COPY for path in _made_by(step)]
    notes = []
    if around.uri:
        notes.append(QT_TRANSLATE_NOOP("plan", "It is made on {uri}.").format(uri=around.uri))
    if any(step.road is Road.POOL for step in steps if step.verb is Verb.COPY):
        notes.append(
            QT_TRANSLATE_NOOP("plan", "The hypervisor copies by itself; that cannot be cancelled once it has begun.")
        )
    alone = QT_TRANSLATE_NOOP("plan", "The clone depends on nothing.")
    based = QT_TRANSLATE_NOOP("plan", "The clone reads the images that it is layered on; they must stay as they are.")
    notes.append(alone if full else based)
    if facts.machine.nvram:
        notes.append(QT_TRANSLATE_NOOP("plan", "Its UEFI variables are those that the VM has now."))
    notes.append(
        QT_TRANSLATE_NOOP(
            "plan", "Inside, it is the same machine: give it a new machine-id and new SSH host keys where that matters."
        )
    )
    return (*made, *notes)


def _made_by(step: Step) -> tuple[str, ...]:
    return tuple(file.file for file in step.files) or tuple(copy.file for copy in step.copies)


# images


def _steps(
    facts: Facts, around: Surroundings, request: CloneRequest, snapshot: Snapshot | None, name: str, *, full: bool
) -> tuple[tuple[Step, ...], tuple[Finding, ...]]:
    new_vm = NewVm(
        name,
        str(uuid.uuid4()),
        _macs(facts, snapshot),
        _nvram(facts, around, name),
        request.connected,
        request.keep_host_devices,
    )
    if request.with_snapshots and full:
        steps, findings = clone_tree.steps(facts, around, snapshot, new_vm)
    else:
        freeze, findings = _freeze(facts, snapshot, name) if not full else ((), ())
        copies = _copies(facts, around, snapshot, name)
        copying = _copy_steps(facts, around, copies, snapshot, name, full=full)
        steps = (*freeze, *copying, define_step(snapshot, new_vm, copying[-1].copies))
    if request.start:
        text = QT_TRANSLATE_NOOP("plan", "Start “{name}”").format(name=name)
        steps = (*steps, Step(Verb.START_CLONE, text, phases=(Phase.START,), virsh=("start", name), new_vm=new_vm))
    return steps, findings


def _freeze(facts: Facts, snapshot: Snapshot | None, name: str) -> tuple[tuple[Step, ...], tuple[Finding, ...]]:
    """The current state has to stand still under new overlays before anything can be layered on it."""
    if snapshot is not None:
        return (), ()
    choice = choose(facts, KindWish.EXTERNAL, MemoryWish.NONE)
    frozen = _free_name(BASE_NAME.format(name=harmless(name)), facts.tree.snapshots)
    return (take_step(facts, choice, frozen),), take_findings(facts, choice)


def _free_name(base: str, taken: Container[str]) -> str:
    name, number = base, 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    return name


def _copies(facts: Facts, around: Surroundings, snapshot: Snapshot | None, name: str) -> tuple[ImageCopy, ...]:
    names = FreeNames(facts, around)
    copies = []
    for disk in disks_of(facts, around, snapshot):
        held = None if snapshot is None else next((d for d in snapshot.disks if d.target == disk.target), None)
        inside = snapshot.name if snapshot is not None and held is not None and held.place is Place.INTERNAL else ""
        file = names.free(disk.source, f"{harmless(name)}-{harmless(disk.target)}", ".qcow2")
        copies.append(ImageCopy(disk.target, disk.source, disk.format, file, inside))
    return tuple(copies)


def disks_of(facts: Facts, around: Surroundings, snapshot: Snapshot | None) -> tuple[Disk, ...]:
    """Return the writable disks, each with the image that held its state then; volumes of pools by their paths."""
    found = (disk for disk, _ in disks_then(facts, snapshot))
    return tuple(replace(disk, source=around.path_of(disk), pool="") for disk in found)


def _copy_steps(
    facts: Facts,
    around: Surroundings,
    copies: tuple[ImageCopy, ...],
    snapshot: Snapshot | None,
    name: str,
    *,
    full: bool,
) -> tuple[Step, ...]:
    road = _road(facts, around, snapshot, full=full)
    if road is not Road.BACKUP or not around.uri:
        return (_copy_step(facts, copies, road, snapshot),)
    # The hypervisor can copy its running VM only beside it; from there the copy goes to the other one.
    names = FreeNames(facts, replace(around, place=None))
    scratch = tuple(
        replace(copy, file=names.free(copy.source, f"{harmless(name)}-{harmless(copy.target)}.passing", ".qcow2"))
        for copy in copies
    )
    passed = tuple(replace(copy, scratch=each.file) for copy, each in zip(copies, scratch, strict=True))
    return (_copy_step(facts, scratch, Road.BACKUP, None), _copy_step(facts, passed, Road.STREAM, None))


def _road(facts: Facts, around: Surroundings, snapshot: Snapshot | None, *, full: bool) -> Road:
    """The hypervisor's own ways are for what stands still; only ours see inside an image, and can be called off.

    A pool guesses the format of what it copies: into a raw disk the guest may have written the head of a qcow2 image,
    whose base is any file of the host.
    """
    if not full:
        return Road.LAYER
    if snapshot is None and facts.vm.state.active:
        return Road.BACKUP
    if around.uri:
        return Road.STREAM
    if around.local:
        return Road.LOCAL
    inside = snapshot is not None and snapshot.kind is not Kind.EXTERNAL
    guessed = any(disk.format in {"raw", ""} for disk in disks_of(facts, around, snapshot))
    return Road.POOL if around.remote and not inside and not guessed else Road.STREAM


def _copy_step(facts: Facts, copies: tuple[ImageCopy, ...], road: Road, snapshot: Snapshot | None) -> Step:
    linked = QT_TRANSLATE_NOOP("plan", "Make new images on top of the frozen ones")
    whole = QT_TRANSLATE_NOOP("plan", "Copy {count} disks").format(count=len(copies))
    one = QT_TRANSLATE_NOOP("plan", "Copy the disk")
    return Step(
        Verb.COPY,
        linked if road is Road.LAYER else one if len(copies) == 1 else whole,
        "" if snapshot is None else snapshot.name,
        None if snapshot is None else snapshot.created,
        phases=(Phase.COPY,),
        cancellable=road in {Road.LOCAL, Road.BACKUP, Road.STREAM},
        virsh=("backup-begin", facts.vm.name) if road is Road.BACKUP else (),
        road=road,
        copies=copies,
    )


def _macs(facts: Facts, snapshot: Snapshot | None) -> tuple[str, ...]:
    machine = facts.machine if snapshot is None else snapshot.machine
    return tuple(new_mac() for _ in machine.interfaces)


def _nvram(facts: Facts, around: Surroundings, name: str) -> str:
    """Variables stay in the directory of the hypervisor's own; on another one they go beside the images."""
    path = PurePosixPath(facts.machine.nvram)
    if around.uri and around.place is not None:
        path = PurePosixPath(around.place.path) / path.name
    return str(path.with_name(f"{harmless(name)}_VARS{path.suffix}")) if facts.machine.nvram else ""
