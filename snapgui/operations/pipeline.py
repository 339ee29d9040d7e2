"""Run a plan: facts → plan → (the user agrees) → run → read again. Every step goes into the history."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from snapgui.hypervisor import inventory
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Broken, Cancelled, Refused, SnapguiError, Unavailable
from snapgui.model.plan import Operation, Plan, Step, Verb
from snapgui.model.progress import Progress
from snapgui.model.records import VmState
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations import (
    clone_copy,
    clone_define,
    clone_tree,
    delete,
    edit,
    flatten,
    health_repairs,
    intents,
    leftover_removal,
    mend,
    remove,
    revert,
    take,
)
from snapgui.operations.clone_checks import CANCELLED
from snapgui.operations.facts import Facts
from snapgui.operations.history import History
from snapgui.operations.lanes import only_one
from snapgui.operations.outcome import Outcome
from snapgui.operations.task import Report, Task

_PERFORM: dict[Verb, Callable[[Step, Task], None]] = {
    Verb.TAKE: take.perform,
    Verb.VERIFY: revert.verify,
    Verb.REVERT: revert.perform,
    Verb.STOP: revert.stop,
    Verb.DELETE: delete.perform,
    Verb.EDIT: edit.perform,
    Verb.START: mend.start,
    Verb.DISCARD: mend.discard,
    Verb.CONVERT_NVRAM: mend.convert_nvram,
    Verb.COPY: clone_copy.copy,
    Verb.DEFINE: clone_define.define,
    Verb.CARRY: clone_tree.carry,
    Verb.START_CLONE: clone_define.start,
    Verb.FLATTEN: flatten.perform,
    Verb.ABORT_COPY: leftover_removal.abort_copy,
    Verb.REMOVE_FILE: leftover_removal.remove_file,
    Verb.REMOVE_POOL: leftover_removal.remove_pool,
    Verb.REMOVE: remove.perform,
    Verb.ADOPT: health_repairs.adopt,
    Verb.FORGET: health_repairs.forget,
    Verb.REMOVE_ORPHAN: health_repairs.remove_orphan,
    Verb.SET_BASE: health_repairs.write_head,
    Verb.SET_FORMAT: health_repairs.write_head,
}


def _ignore(_progress: Progress) -> None:
    """Report to nobody."""


def run(
    plan: Plan,
    facts: Facts,
    connection: Connection,
    history: History,
    report: Report = _ignore,
    cancel: threading.Event | None = None,
    finish: threading.Event | None = None,
) -> Outcome:
    """Do what the plan says; raise one of the project's errors where a step fails, with what was done before it.

    A plan with a blocker raises Refused and changes nothing. Cancelling takes effect between steps, and within a
    step that says it can be cancelled. ``finish`` brings a live save to its end by letting the guest stand still.
    """
    if plan.blockers:
        finding = plan.blockers[0]
        raise Refused(finding.text, detail=str(finding.fix or ""))
    with only_one(plan.vm_uuid), _elsewhere(plan) as elsewhere:
        task = Task(connection, facts, plan, report, cancel or threading.Event(), finish or threading.Event())
        task.elsewhere = elsewhere
        task.typical_s = history.typical_seconds(plan.vm_uuid, plan.operation)
        job = history.begin(connection.uri, plan)
        intents.of_files(history, job, task)
        try:
            _look_again(task)
            for position, step in enumerate(plan.steps, start=1):
                task.position = position
                _run_step(step, task, history, job)
        except SnapguiError as error:
            clone_copy.roll_back(task)
            intents.after_failure(history, job, task, error)
            error = _with_base(_of_target(error, task), task)
            outcome = "cancelled" if isinstance(error, Cancelled) else "failed"
            history.end(job, outcome, str(error.text), error.detail, seconds=task.elapsed_s)
            raise error from error.__cause__
        except BaseException:
            clone_copy.roll_back(task)
            raise
        result = _outcome(task)
        history.remember(job, sort=_sort(plan), paused=result.guest_paused_s)
        history.end(job, "done", str(result.text), seconds=result.elapsed_s, size=result.saved_bytes)
        intents.after_success(history, job, plan)
        return result


@contextlib.contextmanager
def _elsewhere(plan: Plan) -> Iterator[Connection | None]:
    """Open the hypervisor that a clone goes to, where that is another one."""
    if not plan.target_uri:
        yield None
        return
    try:
        target = Connection(plan.target_uri)
    except Unavailable as error:
        raise Broken(error.text, error.detail) from error
    with target:
        yield target


def _look_again(task: Task) -> None:
    """A plan is made for a VM that runs, stands still or is off: somebody may have started it since."""
    if task.plan.operation in {Operation.EDIT, Operation.REMOVE_LEFTOVERS}:
        return
    then, now = task.facts.vm.state, inventory.read_vm(task.connection, task.vm_uuid)
    if (then.active, then is VmState.PAUSED) != (now.state.active, now.state is VmState.PAUSED):
        text = QT_TRANSLATE_NOOP(
            "errors",
            "{vm} was started, stopped or paused since the plan was made; nothing was changed. Look at it again.",
        )
        raise Refused(text.format(vm=now.name))


def _sort(plan: Plan) -> str:
    """Return what sort of save a plan makes, for estimates of later ones."""
    taken = next((step for step in plan.steps if step.verb is Verb.TAKE), None)
    if taken is None:
        return ""
    return "live" if taken.live else taken.kind.value


def _run_step(step: Step, task: Task, history: History, job: int) -> None:
    if task.cancel.is_set() and step.verb is not Verb.STOP:  # a revert that began is brought to its end
        raise Cancelled(_cancelled_text(task))
    intents.before_step(history, job, task, step)
    history.begin_step(job, task.position, step)
    try:
        _PERFORM[step.verb](step, task)
    except SnapguiError as error:
        history.end_step(job, task.position, "failed")
        if step.verb is Verb.REVERT:
            raise _with_truth(error, task) from error
        raise
    history.end_step(job, task.position, "done")
    intents.after_step(history, task.plan, step)
    if task.safety is not None and step.verb is Verb.VERIFY:
        history.keep_safety(job, task.safety.name)


def _with_truth(error: SnapguiError, task: Task) -> SnapguiError:
    """Say what has become of the VM and where its state is, after a revert that failed on the way."""
    stopped = False
    if task.facts.vm.state.active:
        with contextlib.suppress(SnapguiError):
            stopped = not inventory.read_vm(task.connection, task.vm_uuid).state.active
    text = _sentence(error)
    if stopped:
        text = QT_TRANSLATE_NOOP("errors", "{error} The VM is off now.").format(error=text)
    if task.safety is not None:
        kept = QT_TRANSLATE_NOOP("errors", "{error} Its state before is kept in “{name}”.")
        text = kept.format(error=text, name=task.safety.name)
    return type(error)(text, error.detail)


def _of_target(error: SnapguiError, task: Task) -> SnapguiError:
    """Where the other hypervisor is lost, that of the source is not."""
    if isinstance(error, Unavailable) and task.elsewhere is not None and task.connection.alive:
        return Broken(error.text, error.detail)
    return error


def _with_base(error: SnapguiError, task: Task) -> SnapguiError:
    """Say what is there of a clone where not all went well: the VM, or the snapshot that froze its base."""
    if task.plan.operation is not Operation.CLONE:
        return error
    if task.defined:
        made = QT_TRANSLATE_NOOP("errors", "“{name}” was made, but is not started: {error}")
        new_vm = task.plan.steps[-1].new_vm
        return type(error)(made.format(name="" if new_vm is None else new_vm.name, error=error.text), error.detail)
    if task.taken is None:
        return error
    kept = QT_TRANSLATE_NOOP("errors", "{error} The snapshot “{name}” of {vm} was taken before, and is kept.")
    text = kept.format(error=_sentence(error), name=task.taken.name, vm=task.facts.vm.name)
    return type(error)(text, error.detail)


def _sentence(error: SnapguiError) -> Text:
    end = "" if str(error.text).endswith((".", "!", "?")) else "."
    return QT_TRANSLATE_NOOP("errors", "{error}{end}").format(error=error.text, end=end)


def _cancelled_text(task: Task) -> Text:
    if task.taken is not None and task.plan.operation is not Operation.CLONE:
        text = QT_TRANSLATE_NOOP("errors", "Cancelled before the revert. The snapshot “{name}” was taken and is kept.")
        return text.format(name=task.taken.name)
    if task.deleted:
        text = QT_TRANSLATE_NOOP("errors", "Cancelled after {count} snapshots were deleted; the others are kept.")
        return text.format(count=len(task.deleted))
    if task.plan.operation is Operation.CLONE and task.position > 1:
        return CANCELLED
    return QT_TRANSLATE_NOOP("errors", "Cancelled before anything was changed.")


def _outcome(task: Task) -> Outcome:
    reverted = task.plan.operation is Operation.REVERT
    return Outcome(
        operation=task.plan.operation,
        vm_uuid=task.vm_uuid,
        elapsed_s=task.elapsed_s,
        snapshot=task.taken,
        safety=task.safety if reverted else None,
        guest_paused_s=task.paused_s,
        saved_bytes=task.saved_bytes,
        deleted=tuple(task.deleted),
        files=(*task.files, *task.made),
        clone_uuid=task.defined,
        removed=tuple(task.removed),
    )
