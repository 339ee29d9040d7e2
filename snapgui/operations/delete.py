"""Delete snapshots: one (its children move up), with children, or several."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from snapgui.hypervisor import files, snapshots
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Refused
from snapgui.model.plan import Operation, Plan, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.records import DiskRequest, Kind, Place, Snapshot
from snapgui.model.storage import SnapshotCost
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations import thumbnails
from snapgui.operations.dangers import base_findings, delete_findings, own_delete_findings
from snapgui.operations.doctor import refuse
from snapgui.operations.facts import Facts, read_facts, snapshot_of
from snapgui.operations.meter import Meter
from snapgui.operations.outcome import binary_size
from snapgui.operations.snapshot_costs import with_costs
from snapgui.operations.task import Task


@dataclass(frozen=True, slots=True)
class DeleteRequest:
    """Which snapshots."""

    names: tuple[str, ...]
    with_children: bool = False
    children_only: bool = False


def read_delete_facts(connection: Connection, vm_uuid: str, choose: Callable[[Facts], DeleteRequest]) -> Facts:
    """Read everything about one VM, and what the snapshots cost that ``choose`` names; raises Gone or Refused."""
    facts = read_facts(connection, vm_uuid)
    return with_costs(connection, facts, chosen_by(facts, choose(facts)))


def plan(facts: Facts, request: DeleteRequest) -> Plan:
    """Return one step per snapshot, children before their parents."""
    chosen = chosen_by(facts, request)
    bases = base_findings(facts, (facts.tree[name] for name in chosen))
    each = (
        finding
        for number, name in enumerate(chosen)
        for finding in own_delete_findings(facts, facts.tree[name], chosen[:number])
    )
    findings = {(finding.code, str(finding.text)): finding for finding in (*bases, *each)}
    return Plan(
        operation=Operation.DELETE,
        vm_uuid=facts.vm.uuid,
        vm_name=facts.vm.name,
        title=_title(facts, chosen),
        steps=tuple(_step(facts, name) for name in chosen),
        losses=tuple(_loss(facts, name) for name in chosen),
        findings=tuple(findings.values()),
        notes=(*_freed(facts, chosen), *_notes(facts, chosen)),
        freed=_total(facts, chosen),
    )


def chosen_by(facts: Facts, request: DeleteRequest) -> tuple[str, ...]:
    """Return which snapshots a request is about, children before their parents; raises Gone or Refused."""
    for name in request.names:
        snapshot_of(facts, name)
    wanted = {} if request.children_only else dict.fromkeys(request.names)
    if request.with_children or request.children_only:
        wanted |= dict.fromkeys(child for name in request.names for child in facts.tree.descendants(name))
    if not wanted:
        raise Refused(QT_TRANSLATE_NOOP("errors", "No snapshot lies below; there is nothing to delete."))
    if len(wanted) == 1:
        return tuple(wanted)
    return facts.tree.leaves_first(wanted)


def _title(facts: Facts, chosen: tuple[str, ...]) -> Text:
    if len(chosen) == 1:
        return QT_TRANSLATE_NOOP("plan", "Delete “{name}”").format(name=facts.tree[chosen[0]].label)
    return QT_TRANSLATE_NOOP("plan", "Delete {count} snapshots").format(count=len(chosen))


def _step(facts: Facts, name: str) -> Step:
    return Step(
        Verb.DELETE,
        QT_TRANSLATE_NOOP("plan", "Delete “{name}”").format(name=facts.tree[name].label),
        name,
        facts.tree[name].created,
        phases=(Phase.DELETE,),
        virsh=("snapshot-delete", facts.vm.name, name),
        kind=facts.tree[name].kind,
        disks=tuple(
            DiskRequest(disk.target, disk.place) for disk in facts.tree[name].disks if disk.place is Place.EXTERNAL
        ),
    )


def _loss(facts: Facts, name: str) -> Text:
    text = QT_TRANSLATE_NOOP("plan", "The state of the VM at “{name}” will be lost.")
    return text.format(name=facts.tree[name].label)


def freed_by(facts: Facts, snapshot: Snapshot) -> int | None:
    """Return how many bytes deleting a snapshot gives back, None where nobody can tell."""
    cost = _cost(facts, snapshot.name)
    return None if cost is None else cost.freed


def _cost(facts: Facts, name: str) -> SnapshotCost | None:
    return next((cost for cost in facts.costs if cost.name == name), None)


def _total(facts: Facts, chosen: Iterable[str]) -> int | None:
    known = [size for name in chosen if (size := freed_by(facts, facts.tree[name])) is not None]
    return sum(known) if known else None


def _freed(facts: Facts, chosen: tuple[str, ...]) -> tuple[Text, ...]:
    """Several overlays may hold the same places, and be merged into each other: then nobody can add that up."""
    total = _total(facts, chosen)
    if not total:
        return ()
    text = QT_TRANSLATE_NOOP("plan", "This frees {size}.")
    if any(facts.tree[name].kind is not Kind.INTERNAL for name in chosen) and len(chosen) > 1:
        text = QT_TRANSLATE_NOOP("plan", "This frees about {size}.")
    elif len(chosen) > 1 or any(cost.at_least for name in chosen if (cost := _cost(facts, name)) is not None):
        text = QT_TRANSLATE_NOOP("plan", "This frees at least {size}.")
    return (text.format(size=binary_size(total)),)


def _notes(facts: Facts, chosen: Iterable[str]) -> tuple[Text, ...]:
    gone = set(chosen)
    orphans = [child for name in gone for child in facts.tree.children(name)]
    kept = [child for child in orphans if child not in gone]
    notes = [QT_TRANSLATE_NOOP("plan", "The current state of the VM does not change.")]
    if any(facts.tree[name].kind is not Kind.INTERNAL for name in gone):
        notes.append(QT_TRANSLATE_NOOP("plan", "Merging images cannot be cancelled once it has begun."))
    if kept:
        text = QT_TRANSLATE_NOOP("plan", "{count} snapshots below are kept; they move up in the tree.")
        one = QT_TRANSLATE_NOOP("plan", "The snapshot below is kept; it moves up in the tree.")
        notes.append(one if len(kept) == 1 else text.format(count=len(kept)))
    return tuple(notes)


def perform(step: Step, task: Task) -> None:
    """Delete the snapshot of ``step``, if it still is the one that was planned for."""
    found = snapshots.read_one(task.connection, task.vm_uuid, step.snapshot)
    if found.created != step.created:
        sentence = QT_TRANSLATE_NOOP(
            "errors", "“{name}” was replaced by another snapshot meanwhile; it was not deleted."
        )
        raise Refused(sentence.format(name=step.snapshot))
    refuse(delete_findings(read_facts(task.connection, task.vm_uuid), found))
    with Meter(task, step, (), None):
        snapshots.delete(task.connection, task.vm_uuid, step.snapshot)
    _remove_memory(task, found)
    thumbnails.forget(task.vm_uuid, found)
    task.deleted.append(step.snapshot)


def _remove_memory(task: Task, snapshot: Snapshot) -> None:
    """libvirt before 9.1 leaves the memory file behind."""
    if snapshot.memory_file and files.exists(task.connection, snapshot.memory_file):
        files.remove(task.connection, snapshot.memory_file)
