"""Remove a VM that is off: its configuration and snapshots' descriptions, and, where that is wanted, its own images.

The configuration goes first, the images after it, uppermost first: who is killed in between leaves images that no VM
has, each valid and named in the history's step, and never a VM whose disks are missing.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from snapgui.hypervisor import inventory, pools
from snapgui.model.errors import Broken, Gone, Refused
from snapgui.model.plan import Finding, Operation, Plan, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.records import Place
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations import thumbnails
from snapgui.operations.bases import images_of_others
from snapgui.operations.doctor import blocker, refuse
from snapgui.operations.facts import Facts, is_missing, read_facts
from snapgui.operations.outcome import binary_size
from snapgui.operations.protection import clone_findings
from snapgui.operations.task import Task

DEVICES = "/dev/"


@dataclass(frozen=True, slots=True)
class RemoveRequest:
    """``with_storage``: whether the VM's own images go, too."""

    with_storage: bool = False


def plan(facts: Facts, request: RemoveRequest) -> Plan:
    """Return what removing means here, with every file that goes and every image that stays."""
    files = own_files(facts) if request.with_storage else ()
    real = dict(facts.real)
    sizes = {real.get(path, path): size for path, size in (*facts.allocated, *facts.sizes)}
    return Plan(
        operation=Operation.REMOVE,
        vm_uuid=facts.vm.uuid,
        vm_name=facts.vm.name,
        title=QT_TRANSLATE_NOOP("plan", "Remove {vm}").format(vm=facts.vm.name),
        steps=(_step(facts, files),),
        losses=tuple(_losses(facts, files)),
        findings=tuple(remove_findings(facts, files)),
        notes=(*_file_notes(facts, files, sizes), *_stay_notes(facts, files)),
        freed=sum(sizes[path] for path in files if path in sizes) if files else None,
    )


def own_files(facts: Facts) -> tuple[str, ...]:
    """Return the files that belong to the VM alone by its own configuration and snapshots, overlays before bases.

    Images that its own are layered on without being frozen by one of its snapshots are another's, or a template.
    """
    real = dict(facts.real)
    named = [disk.source for disk in facts.machine.disks if disk.writable and not disk.shareable]
    for snapshot in facts.tree:
        for disk in snapshot.disks:
            if disk.place is Place.EXTERNAL:
                named += [disk.source, disk.overlay]
        named.append(snapshot.memory_file)
    files = dict.fromkeys(real.get(path, path) for path in named if path.startswith("/"))
    stays = {real.get(disk.source, disk.source) for disk in facts.machine.disks if not disk.writable or disk.shareable}
    depth = {real.get(path, path): len(chain) for path, chain in facts.chains}
    there = [p for p in files if not p.startswith(DEVICES) and p not in stays and not is_missing(facts, p)]
    return tuple(sorted(there, key=lambda path: -depth.get(path, len(files) + 1)))


def remove_findings(facts: Facts, files: tuple[str, ...]) -> Iterator[Finding]:
    """Return what stands in the way of removing the VM, and these files of it."""
    if facts.vm.state.active:
        text = QT_TRANSLATE_NOOP("doctor", "{vm} is running; only a VM that is off can be removed.")
        fix = QT_TRANSLATE_NOOP("doctor", "Shut the VM down first.")
        yield blocker("running", text.format(vm=facts.vm.name), fix)
    yield from clone_findings(
        facts,
        files,
        QT_TRANSLATE_NOOP(
            "doctor", "{clones} is based on an image of {name}: {path}. Removing it would destroy {clones}."
        ),
        QT_TRANSLATE_NOOP(
            "doctor", "{clones} are based on images of {name}: {path}. Removing these would destroy all of them."
        ),
        name=facts.vm.name,
    )


def _step(facts: Facts, files: tuple[str, ...]) -> Step:
    alone = QT_TRANSLATE_NOOP("plan", "Remove the VM “{vm}”")
    both = QT_TRANSLATE_NOOP("plan", "Remove the VM “{vm}”, then its files: {files}")
    storage = ("--storage", ",".join(files)) if files else ()
    return Step(
        Verb.REMOVE,
        (both if files else alone).format(vm=facts.vm.name, files=", ".join(files)),
        phases=(Phase.RECORD, *((Phase.DELETE,) if files else ())),
        virsh=("undefine", facts.vm.name, "--managed-save", "--snapshots-metadata", "--nvram", *storage),
        paths=files,
    )


def _losses(facts: Facts, files: tuple[str, ...]) -> Iterator[Text]:
    if files:
        text = QT_TRANSLATE_NOOP("plan", "Everything on the disks of {vm} will be lost.")
        yield text.format(vm=facts.vm.name)
    text = QT_TRANSLATE_NOOP("plan", "The configuration of {vm} will be lost.")
    yield text.format(vm=facts.vm.name)
    if count := len(facts.tree.snapshots):
        one = QT_TRANSLATE_NOOP("plan", "Its snapshot will be lost.")
        many = QT_TRANSLATE_NOOP("plan", "Its {count} snapshots will be lost.")
        yield one if count == 1 else many.format(count=count)
    if facts.managed_save:
        yield QT_TRANSLATE_NOOP("plan", "The memory of the sleeping guest will be lost.")


def _file_notes(facts: Facts, files: tuple[str, ...], sizes: dict[str, int]) -> Iterator[Text]:
    for path in files:
        known = QT_TRANSLATE_NOOP("plan", "Goes: {path} ({size})")
        unknown = QT_TRANSLATE_NOOP("plan", "Goes: {path}")
        yield known.format(path=path, size=binary_size(sizes[path])) if path in sizes else unknown.format(path=path)
    if facts.machine.nvram:
        yield QT_TRANSLATE_NOOP("plan", "Goes: {path}").format(path=facts.machine.nvram)


def _stay_notes(facts: Facts, files: tuple[str, ...]) -> Iterator[Text]:
    """Every image and memory file that the VM uses and that is left alone."""
    real = dict(facts.real)
    used = [disk.source for disk in facts.machine.disks if disk.source]
    used += [path for _, chain in facts.chains for path in chain]
    used += [snapshot.memory_file for snapshot in facts.tree if snapshot.memory_file]
    text = QT_TRANSLATE_NOOP("plan", "Stays: {path}")
    for path in dict.fromkeys(real.get(path, path) for path in used):
        if path not in files:
            yield text.format(path=path)


def perform(step: Step, task: Task) -> None:
    """Look again, then remove the VM and the files of ``step``, each only if nothing has come to need it."""
    facts = read_facts(task.connection, task.vm_uuid)
    files = own_files(facts)
    if step.paths and set(step.paths) != set(files):
        text = QT_TRANSLATE_NOOP("errors", "{vm} has other files now than when the plan was made; nothing was changed.")
        raise Refused(text.format(vm=facts.vm.name))
    refuse(remove_findings(facts, step.paths))
    task.report_phase(step, Phase.RECORD)
    _undefine(task, facts)
    for snapshot in facts.tree:
        thumbnails.forget(task.vm_uuid, snapshot)
    kept = [path for number, path in enumerate(step.paths) if not _remove(step, task, number, path)]
    if kept:
        text = QT_TRANSLATE_NOOP("errors", "{vm} was removed, but files of it are left: {files}.")
        raise Broken(text.format(vm=facts.vm.name, files=", ".join(kept)))


def _undefine(task: Task, facts: Facts) -> None:
    """libvirt forgets a VM that was started a moment ago, too, and it runs on: then it gets its configuration back."""
    text = inventory.secure_xml(task.connection, task.vm_uuid)
    inventory.undefine(task.connection, task.vm_uuid)
    with contextlib.suppress(Gone):
        inventory.read_vm(task.connection, task.vm_uuid)
        inventory.define(task.connection, text)
        started = QT_TRANSLATE_NOOP("errors", "{vm} was started since the plan was made; look at it again.")
        raise Refused(started.format(vm=facts.vm.name))


def _remove(step: Step, task: Task, number: int, path: str) -> bool:
    task.report_share(step, number / len(step.paths), phase=Phase.DELETE)
    others = images_of_others(task.connection, task.vm_uuid, step.paths)
    if any(lent.path == path for lent in others) or not pools.remove(task.connection, path):
        return False
    task.files = (*task.files, path)
    return True
