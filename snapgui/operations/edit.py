"""Edit a snapshot's title and description. libvirt cannot rename: the title is kept with the snapshot instead."""

from dataclasses import dataclass

from snapgui.hypervisor import snapshots
from snapgui.model import names
from snapgui.model.errors import Broken, Refused
from snapgui.model.plan import Operation, Plan, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.facts import Facts, snapshot_of
from snapgui.operations.task import Task


@dataclass(frozen=True, slots=True)
class EditRequest:
    """What to change; None leaves it, an empty title shows the name again."""

    name: str
    title: str | None = None
    description: str | None = None


def plan(facts: Facts, request: EditRequest) -> Plan:
    """Return the one step; raise Gone or Refused for a snapshot or text that cannot be."""
    snapshot = snapshot_of(facts, request.name)
    title = None if request.title is None else names.check_title(request.title)
    description = None if request.description is None else names.check_description(request.description)
    what = QT_TRANSLATE_NOOP("plan", "Edit “{name}”").format(name=snapshot.label)
    step = Step(
        Verb.EDIT,
        what,
        snapshot.name,
        snapshot.created,
        phases=(Phase.RECORD,),
        virsh=("snapshot-edit", facts.vm.name, snapshot.name),
        title=title,
        description=description,
    )
    return Plan(Operation.EDIT, facts.vm.uuid, facts.vm.name, what, (step,))


def perform(step: Step, task: Task) -> None:
    """Write what ``step`` says, keep the rest as it is now, and read it back."""
    task.report_phase(step, Phase.RECORD)
    now = snapshots.read_one(task.connection, task.vm_uuid, step.snapshot)
    if now.created != step.created:
        sentence = QT_TRANSLATE_NOOP(
            "errors", "“{name}” was replaced by another snapshot meanwhile; it was not edited."
        )
        raise Refused(sentence.format(name=step.snapshot))
    title = now.title if step.title is None else step.title or None
    description = now.description if step.description is None else step.description
    written = snapshots.redefine(
        task.connection, task.vm_uuid, step.snapshot, title=title, safety=now.safety, description=description
    )
    snapshots.announce(task.connection, task.vm_uuid)
    if (written.title, written.description) != (title, description):
        raise Broken(QT_TRANSLATE_NOOP("errors", "libvirt did not keep the edited text as it was written."))
    task.taken = written
