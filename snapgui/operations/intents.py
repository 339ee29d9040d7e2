"""What a job is going to make, written into the history before it is made, and forgotten when nothing can be left.

A kill between any two lines leaves at most a name of something that was not made: never a file without a name.
"""

from snapgui.hypervisor.strays import born
from snapgui.model.errors import Refused, SnapguiError, Unavailable
from snapgui.model.plan import Operation, Plan, Step, Verb
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.history import History, Making
from snapgui.operations.stray_files import is_of
from snapgui.operations.task import Task


def before_step(history: History, job: int, task: Task, step: Step) -> None:
    """Write which snapshot or VM a step of a clone is going to make; files are written by :func:`of_files`.

    Raises Refused for a file to remove that is nobody's leftover any more.
    """
    plan = task.plan
    if step.verb is Verb.REMOVE_FILE:
        _refuse_foreign(history, task, step)
    if plan.operation is not Operation.CLONE:
        return
    if step.verb is Verb.TAKE:
        history.intend(job, task.connection.uri, Making.SNAPSHOT, step.snapshot)
    if step.verb is Verb.DEFINE and step.new_vm is not None:
        history.intend(job, _where(task), Making.VM, step.new_vm.uuid)


def _refuse_foreign(history: History, task: Task, step: Step) -> None:
    meant = [intent for intent in history.intents(task.plan.leftover) if intent.name == step.path]
    if not meant or not is_of(meant[0], born(task.connection, step.path)):
        text = QT_TRANSLATE_NOOP("errors", "What was left at {path} has been removed; a file there is somebody else's.")
        raise Refused(text.format(path=step.path))


def of_files(history: History, job: int, task: Task) -> None:
    """Let the task write down each file just before it makes it."""

    def intend(path: str, here: bool) -> None:
        history.intend(job, task.connection.uri if here else _where(task), Making.FILE, path)

    task.intend = intend


def after_step(history: History, plan: Plan, step: Step) -> None:
    """What was removed is forgotten."""
    if step.verb is Verb.REMOVE_FILE:
        history.settle(plan.leftover, step.path)


def after_success(history: History, job: int, plan: Plan) -> None:
    """Everything is in its place, or removed."""
    history.settle(job)
    if plan.leftover:
        history.settle(plan.leftover)


def after_failure(history: History, job: int, task: Task, error: SnapguiError) -> None:
    """Remember only what could not be taken back: a file that stood in the way is somebody else's."""
    if isinstance(error, Unavailable) and not task.defined:  # nobody knows what the hypervisor has done
        return
    kept = {*(() if task.defined else task.made), *task.scratch}
    names = [intent.name for intent in history.intents(job) if intent.name not in kept]
    if names:
        history.settle(job, *names)


def _where(task: Task) -> str:
    return task.plan.target_uri or task.connection.uri
