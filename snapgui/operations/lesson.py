"""What happens to the user's own files while an operation runs, phase by phase, for people who want to understand.

Made from a plan and the facts that it was made from, and from nothing else: while the job runs nobody is asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from snapgui.model.plan import Operation, Plan, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.records import Kind, Place, VmState
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations import lesson_of_clone, lesson_of_delete, lesson_of_revert, lesson_of_take
from snapgui.operations.chain_then import known_disk
from snapgui.operations.facts import Facts
from snapgui.operations.scene import Scene, Stage
from snapgui.operations.sketch import Guest, Sketch, file_name

TAUGHT = {Operation.TAKE, Operation.REVERT, Operation.UNDO, Operation.DELETE, Operation.CLONE}
_SCREEN = QT_TRANSLATE_NOOP("lesson", "A picture of the guest's screen is made, by which the snapshot is recognized.")
_BEGINS = QT_TRANSLATE_NOOP("lesson", "Before anything is changed, everything is looked at once more.")
_ALONE = QT_TRANSLATE_NOOP("lesson", "{vm} reads and writes {top}.")
_WITH_ONE = QT_TRANSLATE_NOOP("lesson", "{vm} reads and writes {top}; “{name}” is kept inside it.")
_WITH_SEVERAL = QT_TRANSLATE_NOOP("lesson", "{vm} reads and writes {top}; {count} snapshots are kept inside it.")
_LAYERED = QT_TRANSLATE_NOOP("lesson", "{vm} writes to {top}; what was not written there, it reads from {below}.")
_GOES_ON = QT_TRANSLATE_NOOP("lesson", "{vm} stays as it is.")


@dataclass(frozen=True, slots=True)
class Lesson:
    """One stage for each step of a plan, and what is true when all of them are done.

    ``target`` is the disk of the pictures; with ``others`` further disks the same is done.
    """

    target: str
    others: int
    stages: tuple[Stage, ...]
    end: Scene

    def scene(self, step: int, phase: Phase) -> Scene:
        """Return what is shown in a phase of a step, which counts from 1."""
        stage = self.stages[step - 1]
        found = next((scene for scene in stage.scenes if scene.phase is phase), None)
        return found or Scene(phase, _SCREEN if phase is Phase.SCREEN else _BEGINS, stage.before)


def lesson(plan: Plan, facts: Facts) -> Lesson | None:
    """Return what there is to learn of a plan; None where that is nothing, or no disk has an image."""
    targets = tuple(dict.fromkeys(_targets(plan, facts))) if plan.operation in TAUGHT else ()
    disk = known_disk(facts, targets[0]) if targets else None
    if disk is None:
        return None
    sketch = Sketch(
        facts.vm.name,
        _guest(facts),
        disk.chain,
        tuple(image.path for image in disk.chain),
        branch=frozenset(facts.tree.path(facts.tree.current)),
    )
    stages: list[Stage] = []
    for step in plan.steps:
        stages.append(_stage(step, plan, facts, targets[0], sketch))
        sketch = stages[-1].after
    return Lesson(targets[0], len(targets) - 1, tuple(stages), Scene(None, _end(sketch), sketch))


def _stage(step: Step, plan: Plan, facts: Facts, target: str, sketch: Sketch) -> Stage:
    if step.verb is Verb.TAKE:
        return lesson_of_take.take(step, target, sketch)
    if step.verb is Verb.VERIFY:
        return lesson_of_take.verify(step, sketch)
    if step.verb is Verb.REVERT:
        return lesson_of_revert.revert(step, plan, facts, target, sketch)
    if step.verb is Verb.STOP:
        return lesson_of_revert.stop(step, sketch)
    if step.verb is Verb.DELETE:
        return lesson_of_delete.delete(step, facts, target, sketch)
    return lesson_of_clone.clone(step, facts, target, sketch)


def _targets(plan: Plan, facts: Facts) -> Iterator[str]:
    """Yield the disks that a plan is about: those of the snapshot it goes back to or deletes, and of what is copied."""
    there = {disk.target for disk in facts.machine.disks if disk.source}
    steps = sorted(plan.steps, key=lambda step: step.verb is Verb.TAKE)  # a safety snapshot is not what it is about
    for step in steps:
        yield from (target for target in _targets_of(step, facts) if target in there)


def _targets_of(step: Step, facts: Facts) -> Iterator[str]:
    if step.verb is Verb.TAKE and step.kind is Kind.EXTERNAL:
        yield from (disk.target for disk in step.disks if disk.place is Place.EXTERNAL)
    elif step.verb is Verb.TAKE:
        yield from (disk.target for disk in facts.machine.disks if disk.writable)
    elif step.verb in {Verb.REVERT, Verb.DELETE} and step.snapshot in facts.tree:
        yield from (disk.target for disk in facts.tree[step.snapshot].disks if disk.place is not Place.NONE)
    elif step.verb is Verb.COPY:
        yield from (copy.target for copy in step.copies)


def _guest(facts: Facts) -> Guest:
    if not facts.vm.state.active:
        return Guest.OFF
    return Guest.STANDS if facts.vm.state in {VmState.PAUSED, VmState.SUSPENDED} else Guest.RUNS


def _end(sketch: Sketch) -> Text:
    """What is true when all is done."""
    if sketch.clone:
        vm, top, below = sketch.clone, sketch.clone_image, sketch.clone_base
    else:
        vm, top, below = sketch.vm, sketch.top, next(iter(sketch.used[1:]), "")
    if not top:
        return _GOES_ON.format(vm=vm)
    named = sketch.named(top)
    if not below:
        inside = next((image.internal_snapshots for image in sketch.row if image.path == top), ())
        text = (_ALONE, _WITH_ONE, _WITH_SEVERAL)[min(2, len(inside))]
        return text.format(vm=vm, top=named, count=len(inside), name="".join(inside[:1]))
    return _LAYERED.format(vm=vm, top=named, below=file_name(below))
