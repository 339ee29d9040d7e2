"""What is remembered of a job that failed: only what could not be taken back, or what nobody can know."""

from types import SimpleNamespace
from typing import Any

import pytest

from snapgui.model.errors import Broken, SnapguiError, Unavailable
from snapgui.model.plan import Operation, Plan, Step, Verb
from snapgui.model.records import NewVm
from snapgui.model.text import Text
from snapgui.operations import intents
from snapgui.operations.history import History, Making
from snapgui.operations.task import Task
from tests.unit.facts import facts

TEXT = Text("test", "text")
URI, TARGET = "qemu:///system", "qemu+ssh://other/system"
A, B = "/images/x-vda.qcow2", "/images/x-vdb.qcow2"


def begun(history: History, target_uri: str = "") -> tuple[int, Task]:
    """Begin to clone into two files; both are written down, and none is made."""
    plan = Plan(Operation.CLONE, "uuid", "web01", TEXT, target_uri=target_uri)
    connection: Any = SimpleNamespace(uri=URI)
    task = Task(connection, facts(), plan, lambda _: None)
    job = history.begin(URI, plan)
    intents.of_files(history, job, task)
    for path in (A, B):
        task.intend(path, False)
    return job, task


def remembered(history: History, job: int) -> list[str]:
    found = [intent.name for intent in history.intents(job)]
    history.close()
    return found


@pytest.mark.parametrize(
    ("error", "made", "defined", "kept"),
    [
        (Broken(TEXT), [], "", []),
        (Broken(TEXT), [B], "", [B]),
        (Broken(TEXT), [A, B], "new-uuid", []),
        (Unavailable(TEXT), [], "", [A, B]),
        (Unavailable(TEXT), [A, B], "new-uuid", []),
    ],
    ids=["taken back", "not to be removed", "only the start failed", "connection lost", "lost after all was done"],
)
def test_after_a_failure(error: SnapguiError, made: list[str], defined: str, kept: list[str]) -> None:
    history = History()
    job, task = begun(history)
    task.made, task.defined = made, defined
    intents.after_failure(history, job, task, error)
    assert remembered(history, job) == kept


def test_after_success() -> None:
    history = History()
    job, task = begun(history)
    intents.after_success(history, job, task.plan)
    assert remembered(history, job) == []


def test_snapshot_on_the_source_and_files_and_vm_where_the_clone_goes() -> None:
    history = History()
    job, task = begun(history, TARGET)
    intents.before_step(history, job, task, Step(Verb.TAKE, TEXT, "base-of-x"))
    intents.before_step(history, job, task, Step(Verb.COPY, TEXT))
    intents.before_step(history, job, task, Step(Verb.DEFINE, TEXT, new_vm=NewVm("x", "new-uuid")))
    assert [(found.kind, found.name, found.uri) for found in history.intents(job)] == [
        (Making.FILE, A, TARGET),
        (Making.FILE, B, TARGET),
        (Making.SNAPSHOT, "base-of-x", URI),
        (Making.VM, "new-uuid", TARGET),
    ]
    history.close()
