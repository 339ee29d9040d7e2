"""Take a snapshot: RAM, CPU and disks of a running VM, the disks of a stopped one."""

from dataclasses import dataclass

from snapgui.hypervisor import files, screen, snapshots, statistics
from snapgui.model import names
from snapgui.model.errors import Broken, Cancelled, Refused, SnapguiError
from snapgui.model.plan import Operation, Plan, Step, Verb
from snapgui.model.progress import LIVE_PHASES, PAUSED_PHASES, TAKE_PHASES, Phase
from snapgui.model.records import DiskRequest, Kind, KindWish, MemoryWish, Place, Snapshot, VmState
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations import thumbnails
from snapgui.operations.choice import Choice, choose
from snapgui.operations.doctor import examine, names_are_jobs
from snapgui.operations.estimate import estimate, words_of
from snapgui.operations.facts import Facts
from snapgui.operations.file_names import memory_path, overlay_requests
from snapgui.operations.history import Experience
from snapgui.operations.meter import Meter
from snapgui.operations.task import Task

_OFF_PHASES = (Phase.CREATE, Phase.PROTECT)
_STANDING_PHASES = (Phase.CREATE, Phase.MEMORY, Phase.PROTECT)


NOTHING_KNOWN = Experience()


@dataclass(frozen=True, slots=True)
class TakeRequest:
    """What the user wants; an empty name takes the proposed one. ``disks`` overrides the place of single disks."""

    name: str = ""
    description: str = ""
    kind: KindWish = KindWish.AUTO
    memory: MemoryWish = MemoryWish.AUTO
    disks: tuple[tuple[str, Place], ...] = ()
    quiesce: bool = False


def plan(facts: Facts, request: TakeRequest, experience: Experience = NOTHING_KNOWN) -> Plan:
    """Return what taking a snapshot means here; raise Refused for a name, description or disk that cannot be."""
    name = names.check(request.name or names.propose(facts.tree.snapshots), facts.tree.snapshots)
    description = names.check_description(request.description)
    choice = choose(facts, request.kind, request.memory, _disks(facts, request))
    step = take_step(facts, choice, name, description, quiesce=request.quiesce)
    return Plan(
        operation=Operation.TAKE,
        vm_uuid=facts.vm.uuid,
        vm_name=facts.vm.name,
        title=QT_TRANSLATE_NOOP("plan", "Take “{name}”").format(name=name),
        steps=(step,),
        findings=examine(facts, choice, quiesce=request.quiesce),
        notes=(
            *_name_notes(step),
            _why(choice),
            *words_of(estimate(facts, choice, experience)),
            *_notes(facts, choice, step),
            *_useless(facts, request),
        ),
    )


def take_step(
    facts: Facts, choice: Choice, name: str, description: str = "", *, safety: bool = False, quiesce: bool = False
) -> Step:
    """Return the one step that takes a snapshot of the chosen kind, with every file that it makes.

    Where QEMU would not accept the name, it becomes the title of a snapshot with a harmless one.
    """
    external = choice.kind is Kind.EXTERNAL
    wanted, title = name, None
    if not external and names_are_jobs(facts) and not names.suits_qemu(name):
        name, title = names.for_qemu(name, facts.tree.snapshots), name
    disks = overlay_requests(facts, name, choice) if external else ()
    memory = memory_path(facts, name, choice) if external else ""
    live = external and choice.memory is MemoryWish.LIVE
    return Step(
        Verb.TAKE,
        _sentence(facts, choice).format(name=wanted),
        name,
        title=title,
        phases=_phases(facts, choice),
        cancellable=bool(memory),
        virsh=_virsh(facts, name, description, memory, disks, live=live, quiesce=quiesce),
        description=description,
        safety=safety,
        kind=choice.kind,
        memory_file=memory,
        disks=disks,
        live=live,
        quiesce=quiesce and facts.vm.state.active,
    )


def _name_notes(step: Step) -> tuple[Text, ...]:
    if step.title is None:
        return ()
    text = QT_TRANSLATE_NOOP(
        "plan", "QEMU takes only letters, digits and . _ - in names: “{title}” will be the title of “{name}”."
    )
    return (text.format(title=step.title, name=step.snapshot),)


def _disks(facts: Facts, request: TakeRequest) -> dict[str, Place]:
    known = {disk.target for disk in facts.machine.disks}
    fixed = {disk.target for disk in facts.machine.disks if not disk.writable}
    for target, place in request.disks:
        if target in fixed and place is not Place.NONE:
            text = QT_TRANSLATE_NOOP("errors", "Disk {target} of {vm} is read-only; snapshots leave it out.")
            raise Refused(text.format(vm=facts.vm.name, target=target))
        if not known:
            raise Refused(QT_TRANSLATE_NOOP("errors", "{vm} has no disks.").format(vm=facts.vm.name))
        if target not in known:
            text = QT_TRANSLATE_NOOP("errors", "{vm} has no disk “{target}”; it has {known}.")
            raise Refused(text.format(vm=facts.vm.name, target=target, known=", ".join(sorted(known))))
    return dict(request.disks)


def _phases(facts: Facts, choice: Choice) -> tuple[Phase, ...]:
    if not facts.vm.state.active:
        return _OFF_PHASES
    if choice.disk_only:
        return (Phase.PROTECT,)
    if facts.vm.state is VmState.PAUSED:
        return _STANDING_PHASES
    if choice.kind is Kind.INTERNAL:
        return TAKE_PHASES
    return LIVE_PHASES if choice.memory is MemoryWish.LIVE else PAUSED_PHASES


def _sentence(facts: Facts, choice: Choice) -> Text:
    if not facts.vm.state.active:
        return QT_TRANSLATE_NOOP("plan", "Take “{name}”: the disks of the stopped VM")
    if choice.disk_only:
        return QT_TRANSLATE_NOOP("plan", "Take “{name}”: the disks only, while the guest runs")
    if facts.vm.state is VmState.PAUSED:
        return QT_TRANSLATE_NOOP("plan", "Take “{name}”: memory and disks of the paused VM")
    if choice.memory is MemoryWish.LIVE:
        return QT_TRANSLATE_NOOP("plan", "Take “{name}”: memory, CPU and disks, while the guest runs on")
    return QT_TRANSLATE_NOOP("plan", "Take “{name}”: memory, CPU and disks, while the guest stands still")


def _virsh(
    facts: Facts, name: str, description: str, memory: str, disks: tuple[DiskRequest, ...], *, live: bool, quiesce: bool
) -> tuple[str, ...]:
    words = ["snapshot-create-as", facts.vm.name, name]
    words += ["--description", description] if description else []
    words += ["--memspec", f"file={memory},snapshot=external"] if memory else []
    for disk in disks:
        file = f",file={disk.file}" if disk.file else ""
        words += [
            "--diskspec",
            f"{disk.target},snapshot={'no' if disk.place is Place.NONE else disk.place.value}{file}",
        ]
    words += ["--disk-only"] if disks and not memory else []
    words += ["--live"] if live else []
    words += ["--quiesce"] if quiesce else []
    return (*words, *(("--atomic",) if disks else ()))


def _useless(facts: Facts, request: TakeRequest) -> tuple[Text, ...]:
    if facts.vm.state.active or (request.memory in {MemoryWish.AUTO, MemoryWish.NONE} and not request.quiesce):
        return ()
    return (QT_TRANSLATE_NOOP("plan", "The VM is off: there is no memory to save, and nothing to quiesce."),)


def _why(choice: Choice) -> Text:
    kinds = {
        Kind.INTERNAL: QT_TRANSLATE_NOOP("plan", "Internal, inside the image files: {why}"),
        Kind.EXTERNAL: QT_TRANSLATE_NOOP("plan", "External, in files of its own: {why}"),
    }
    return kinds[choice.kind].format(why=choice.why)


def _notes(facts: Facts, choice: Choice, step: Step) -> tuple[Text, ...]:
    notes = [QT_TRANSLATE_NOOP("plan", "New file: {path}").format(path=path) for path in _files(step)]
    if step.memory_file and facts.memory_format:
        text = QT_TRANSLATE_NOOP("plan", "Format of the memory file, by libvirt's setting: {format}, as the last time.")
        notes.append(text.format(format=facts.memory_format))
    if not choice.disk_only and choice.kind is Kind.INTERNAL:
        notes.append(QT_TRANSLATE_NOOP("plan", "An internal save cannot be cancelled once it has begun."))
    return tuple(notes)


def perform(step: Step, task: Task) -> None:
    """Take the snapshot of ``step``; on return it exists, was read back, and carries its mark."""
    picture = _picture(step, task)
    _check_files(step, task)
    if task.cancel.is_set():
        raise Cancelled(QT_TRANSLATE_NOOP("errors", "Cancelled before anything was changed."))
    expected = task.facts.resident
    try:
        with Meter(task, step, statistics.image_paths(task.facts.machine), expected) as meter:
            taken = _take(step, task)
    except Cancelled as error:
        raise _called_off(step, task) from error
    _count(step, task, meter.written)
    if picture is not None:
        thumbnails.store(task.vm_uuid, taken, picture)
    if (taken.title, taken.safety) != (step.title, step.safety):
        taken = mark(task, taken, title=step.title, safety=step.safety)
    task.taken = taken


def _called_off(step: Step, task: Task) -> SnapguiError:
    """Say what is true after a cancelled save: libvirt has undone it, but that is looked at, not believed."""
    left = [path for path in _files(step) if files.exists(task.connection, path)]
    if not left:
        return Cancelled(QT_TRANSLATE_NOOP("errors", "Cancelled. The guest runs on, and no file is left behind."))
    text = QT_TRANSLATE_NOOP("errors", "Cancelled. The guest runs on, but a file is left behind: {path}.")
    return Broken(text.format(path=left[0]))


def _take(step: Step, task: Task) -> Snapshot:
    description = step.description or ""
    if step.kind is Kind.INTERNAL:
        return snapshots.take_internal(task.connection, task.vm_uuid, step.snapshot, description)
    return snapshots.take_external(
        task.connection,
        task.vm_uuid,
        step.snapshot,
        description,
        step.memory_file,
        step.disks,
        live=step.live,
        quiesce=step.quiesce,
    )


def _check_files(step: Step, task: Task) -> None:
    """A last look: libvirt overwrites a memory file that exists without a word."""
    for path in _files(step):
        if files.exists(task.connection, path):
            text = QT_TRANSLATE_NOOP("errors", "The file {path} exists already; nothing was changed.")
            raise Refused(text.format(path=path))


def _files(step: Step) -> tuple[str, ...]:
    overlays = tuple(disk.file for disk in step.disks if disk.file)
    return (*overlays, step.memory_file) if step.memory_file else overlays


def _count(step: Step, task: Task, written: int | None) -> None:
    """Keep what was written: libvirt's own number for a memory file, else the growth of the images."""
    if step.memory_file:
        numbers = statistics.completed_numbers(task.connection, task.vm_uuid)
        written = written if numbers is None else numbers.processed
    if written is not None:
        task.saved_bytes = (task.saved_bytes or 0) + written
    task.files = (*task.files, *_files(step))


def mark(task: Task, snapshot: Snapshot, *, title: str | None, safety: bool) -> Snapshot:
    """Write title and safety mark; a snapshot may have inherited others from the VM's configuration."""
    snapshots.announce(task.connection, task.vm_uuid)
    written = snapshots.redefine(
        task.connection, task.vm_uuid, snapshot.name, title=title, safety=safety, description=snapshot.description
    )
    if (written.title, written.safety) != (title, safety):
        sentence = QT_TRANSLATE_NOOP("errors", "The snapshot “{name}” was taken, but could not be marked.")
        raise Broken(sentence.format(name=snapshot.name))
    return written


def _picture(step: Step, task: Task) -> bytes | None:
    if not task.facts.vm.state.active:
        return None
    task.report_phase(step, Phase.SCREEN)
    return screen.screenshot(task.connection, task.vm_uuid, twice=task.facts.machine.video == "qxl")
