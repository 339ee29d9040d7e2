"""A revert that fails on the way says what has become of the VM, and where its state is."""

from datetime import UTC, datetime
from typing import Any

import pytest

from snapgui.hypervisor import inventory
from snapgui.model.errors import Broken, Risky, SnapguiError, Unavailable
from snapgui.model.records import Snapshot, Vm
from snapgui.model.text import Text
from snapgui.operations import pipeline
from snapgui.operations.revert import RevertRequest, plan
from snapgui.operations.task import Task
from tests.unit.facts import OFF, PAUSED, RUNNING, facts

NOBODY: Any = None
SAFETY = Snapshot("kept", datetime(2026, 1, 31, tzinfo=UTC), safety=True)
FAILED = Broken(Text("errors", "libvirt reported: {reason}", (("reason", "no"),)), "libvirt error 1")
KEPT = "libvirt reported: no. Its state before is kept in “kept”."
OFF_NOW = "libvirt reported: no. The VM is off now. Its state before is kept in “kept”."


def sentence(monkeypatch: pytest.MonkeyPatch, before: Vm, after: Vm | SnapguiError) -> str:
    """Return what is said about a VM that was in one state before, and is in another after the failure."""

    def read_vm(_connection: object, _uuid: str) -> Vm:
        if isinstance(after, SnapguiError):
            raise after
        return after

    monkeypatch.setattr(inventory, "read_vm", read_vm)
    known = facts("base>a+*", before)
    task = Task(NOBODY, known, plan(known, RevertRequest("base")), lambda _progress: None)
    task.safety = SAFETY
    said = pipeline._with_truth(FAILED, task)
    assert (type(said), said.detail) == (Broken, "libvirt error 1")
    return str(said.text)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (RUNNING, RUNNING, KEPT),
        (RUNNING, PAUSED, KEPT),
        (PAUSED, OFF, OFF_NOW),
        (RUNNING, OFF, OFF_NOW),
        (OFF, OFF, KEPT),
        (OFF, RUNNING, KEPT),
    ],
)
def test_only_a_vm_that_was_switched_off_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch, before: Vm, after: Vm, expected: str
) -> None:
    assert sentence(monkeypatch, before, after) == expected


def test_nothing_is_said_about_a_vm_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sentence(monkeypatch, RUNNING, Unavailable(Text("errors", "gone"))) == KEPT


def test_a_risky_revert_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "read_vm", lambda _connection, _uuid: RUNNING)
    known = facts("base>a+*")
    task = Task(NOBODY, known, plan(known, RevertRequest("base")), lambda _progress: None)
    assert isinstance(pipeline._with_truth(Risky(Text("errors", "risky")), task), Risky)
