"""A clone that carries its snapshots along: every image and memory file is copied as it is, under a new name.

The images keep what lies inside them and what they are layered on, each on the copy of its base; the snapshots'
documents are then defined anew for the clone. Needs a VM that is off: only then do all its files stand still.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from snapgui.hypervisor import carried_xml, snapshots
from snapgui.hypervisor.clone_xml import new_mac
from snapgui.hypervisor.stamps import stamps
from snapgui.images.memory import head_with_document
from snapgui.images.rebase import head_with_base
from snapgui.images.source import ByteSource
from snapgui.model.errors import Broken, Refused
from snapgui.model.plan import Finding, Road, Severity, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.records import FileCopy, ImageCopy, NewVm, Place, Snapshot
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.clone_checks import as_broken, intend, refuse_running
from snapgui.operations.clone_define import define_step, identity_of
from snapgui.operations.doctor import blocker
from snapgui.operations.facts import Facts
from snapgui.operations.file_copy import Head, copy_file
from snapgui.operations.file_names import harmless
from snapgui.operations.image_access import lent_image
from snapgui.operations.new_files import FreeNames
from snapgui.operations.surroundings import Surroundings
from snapgui.operations.task import Task


def steps(
    facts: Facts, around: Surroundings, snapshot: Snapshot | None, new_vm: NewVm
) -> tuple[tuple[Step, ...], tuple[Finding, ...]]:
    """Return the steps of a clone with the whole tree, and what stands in their way."""
    new_vm = replace(new_vm, past_macs=_past_macs(facts, new_vm))
    copies = _file_copies(facts, around, new_vm.name)
    renamed = {file.source: file for file in copies}
    disks = tuple(
        ImageCopy(disk.target, path, disk.format, renamed[path].file, made=disk.format)
        for disk in facts.machine.disks
        if disk.writable and (path := around.path_of(disk)) in renamed
    )
    copying = Step(
        Verb.COPY,
        QT_TRANSLATE_NOOP("plan", "Copy {count} files as they are").format(count=len(copies)),
        phases=(Phase.COPY,),
        cancellable=True,
        road=Road.FILES,
        copies=disks,
        files=copies,
        new_vm=new_vm,
    )
    count = len(facts.tree.snapshots)
    carrying = Step(
        Verb.CARRY,
        QT_TRANSLATE_NOOP("plan", "Give the clone the {count} snapshots").format(count=count),
        phases=(Phase.RECORD,),
        virsh=("snapshot-create", new_vm.name, "FILE", "--redefine"),
        files=copies,
        new_vm=new_vm,
    )
    return (copying, define_step(None, new_vm, disks), carrying), tuple(_findings(facts, around, snapshot))


def _past_macs(facts: Facts, new_vm: NewVm) -> tuple[tuple[str, str], ...]:
    """One that the VM has now is the same in the past; all others are new ones, too."""
    now = {old.mac: new for old, new in zip(facts.machine.interfaces, new_vm.macs, strict=True)}
    past = {each.mac for snapshot in facts.tree for each in snapshot.machine.interfaces}
    return tuple((mac, now.get(mac) or new_mac()) for mac in sorted({"", *past, *now}))


def _file_copies(facts: Facts, around: Surroundings, name: str) -> tuple[FileCopy, ...]:
    """Bases before what is layered on them."""
    names = FreeNames(facts, around)
    found: dict[str, FileCopy] = {}
    for _, chain in facts.chains:
        below = dict(zip(chain, (*chain[1:], ""), strict=True))
        for path in reversed(chain):
            if path not in found:
                base = below[path]
                stem = f"{harmless(name)}-{_own_part(path, facts.vm.name)}"
                new = names.free(path, stem, PurePosixPath(path).suffix)
                found[path] = FileCopy(path, new, found[base].file if base else "")
    for each in facts.tree:
        if each.memory_file:
            new = names.free(each.memory_file, f"{harmless(name)}.{harmless(each.name)}", ".mem")
            found[each.memory_file] = FileCopy(each.memory_file, new, memory=True)
    return tuple(found.values())


def _own_part(path: str, vm: str) -> str:
    """Return what a file is called beside the name of its VM."""
    stem = PurePosixPath(path).stem
    return harmless(stem.removeprefix(harmless(vm)).lstrip("-.") or stem)


def _findings(facts: Facts, around: Surroundings, snapshot: Snapshot | None) -> Iterator[Finding]:
    if snapshot is not None:
        text = QT_TRANSLATE_NOOP(
            "doctor", "The snapshots come along only with the VM as it is now, not with one of them."
        )
        yield blocker("with-snapshots", text)
    if facts.vm.state.active:
        text = QT_TRANSLATE_NOOP("doctor", "The files that hold the snapshots stand still only while {vm} is off.")
        fix = QT_TRANSLATE_NOOP("doctor", "Shut it down first, or clone it without its snapshots.")
        yield blocker("with-snapshots-running", text.format(vm=facts.vm.name), fix)
    held = {path for path, _ in facts.chains}
    for disk in facts.machine.disks:
        if disk.writable and disk.source and around.path_of(disk) not in held:
            text = QT_TRANSLATE_NOOP("doctor", "What disk {target} is layered on cannot be seen.")
            yield blocker("chain-unknown", text.format(target=disk.target))
    if any(each.memory is not Place.NONE for each in facts.tree):
        text = QT_TRANSLATE_NOOP(
            "doctor",
            "Memory that was saved knows the network addresses of {vm}: after going back to it, the clone has them, "
            "too, until its guest is started anew.",
        )
        yield Finding("memory-has-addresses", Severity.WARNING, text.format(vm=facts.vm.name))


# doing it


def copy_files(step: Step, task: Task) -> None:
    """Copy every file; each image gets the copy of its base below it."""
    refuse_running(step, task)
    carried = _carried(step, task)
    sources = tuple(file.source for file in step.files)
    sizes, before = [_size(task, source) for source in sources], stamps(task.connection, sources)
    for number, file in enumerate(step.files):
        intend(task, file.file)

        def report(here: int, before: int = sum(sizes[:number]), path: str = file.source) -> None:
            done, total = before + here, sum(sizes)
            task.report_share(step, min(1.0, done / max(1, total)), PurePosixPath(path).name, done, total)

        if not copy_file(task, file.source, file.file, _head(file, carried), report):
            text = QT_TRANSLATE_NOOP("errors", "The file {path} does not exist any more.")
            raise Refused(text.format(path=file.source))
        task.made.append(file.file)
    refuse_running(step, task)
    if stamps(task.connection, sources) != before:
        raise Broken(QT_TRANSLATE_NOOP("errors", "A file was changed while it was copied; there is no clone."))


def _size(task: Task, path: str) -> int:
    with as_broken(path), lent_image(task.connection, path) as image:
        return image.size


def _head(file: FileCopy, carried: carried_xml.Carried) -> Head:
    def head(source: ByteSource) -> bytes:
        if file.memory:
            return head_with_document(source, lambda text: carried_xml.carried_domain(text, carried))
        return head_with_base(source, file.base) if file.base else b""

    return head


def carry(step: Step, task: Task) -> None:
    """Define the snapshots for the clone, parents first; the current one of the source is that of the clone."""
    task.report_phase(step, Phase.RECORD)
    carried = _carried(step, task)
    tree = snapshots.read_tree(task.connection, task.vm_uuid)
    for name in reversed(tree.leaves_first(dict.fromkeys(tree.snapshots))):
        text = snapshots.secure_xml(task.connection, task.vm_uuid, name)
        snapshots.define(
            task.target, task.defined, carried_xml.carried_snapshot(text, carried), current=name == tree.current
        )


def _carried(step: Step, task: Task) -> carried_xml.Carried:
    new_vm = step.new_vm or NewVm("", "")
    identity = identity_of(new_vm, {}, new_vm.nvram, elsewhere=task.elsewhere is not None)
    return carried_xml.Carried(identity, {file.source: file.file for file in step.files}, dict(new_vm.past_macs))
