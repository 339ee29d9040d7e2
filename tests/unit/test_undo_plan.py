"""What undoing the latest revert means: back to its safety snapshot, which then goes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from snapgui.model.errors import Refused
from snapgui.model.plan import Operation, Verb
from snapgui.model.tree import SnapshotTree
from snapgui.operations.facts import Facts
from snapgui.operations.history import History, Past
from snapgui.operations.revert import RevertRequest
from snapgui.operations.revert import plan as plan_revert
from snapgui.operations.undo import plan, undoable
from tests.unit.facts import OFF, RUNNING, facts

WHEN = datetime(2026, 1, 31, 13, tzinfo=UTC)
PAST = Past("Revert to “base”", WHEN, "kept")


def reverted(line: str = "base*>a>kept", *, changed: bool | None = True, safety: bool = True) -> Facts:
    """Return facts after a revert whose safety snapshot is called “kept”."""
    known = facts(line, OFF, changed=changed)
    marked = (replace(snapshot, safety=safety and snapshot.name == "kept") for snapshot in known.tree)
    return replace(known, tree=SnapshotTree(marked, known.tree.current))


def test_the_title_names_the_revert_that_is_undone() -> None:
    made = plan(reverted(), PAST)
    assert (made.operation, str(made.title)) == (Operation.UNDO, "Undo: Revert to “base”")


def test_the_safety_snapshot_is_gone_back_to_and_then_deleted() -> None:
    steps = plan(reverted(), PAST).steps
    assert [(step.verb, step.snapshot) for step in steps] == [(Verb.REVERT, "kept"), (Verb.DELETE, "kept")]


def test_a_safety_snapshot_with_others_below_is_kept() -> None:
    assert [step.verb for step in plan(reverted("base*>a>kept>child"), PAST).steps] == [Verb.REVERT]


@pytest.mark.parametrize("changed", [True, None])
def test_what_was_done_since_is_lost(changed: bool | None) -> None:
    (loss,) = plan(reverted(changed=changed), PAST).losses
    when = f"{WHEN.astimezone():%Y-%m-%d %H:%M}"
    assert str(loss) == f"Everything that the VM did since the revert of {when} will be lost."


def test_where_nothing_was_done_since_nothing_is_lost() -> None:
    assert plan(reverted(changed=False), PAST).losses == ()


@pytest.mark.parametrize("past", [None, replace(PAST, safety=None), replace(PAST, safety="gone")])
def test_without_a_safety_snapshot_nothing_can_be_undone(past: Past | None) -> None:
    with pytest.raises(Refused, match="There is no revert of web01"):
        plan(reverted(), past)


def remembered(known: Facts, safety: str) -> History:
    history = History()
    job = history.begin("qemu:///system", plan_revert(known, RevertRequest("base", safety=True, safety_name="other")))
    history.keep_safety(job, safety)
    return history


def test_a_revert_whose_safety_snapshot_is_there_can_be_undone() -> None:
    history = remembered(reverted(), "kept")
    past = undoable(reverted(), history)
    history.close()
    assert past is not None
    assert (past.title, past.safety) == ("Revert to “base”", "kept")


@pytest.mark.parametrize("there", [reverted(safety=False), reverted("base*>a")])
def test_another_snapshot_of_that_name_is_none_to_undo_with(there: Facts) -> None:
    history = remembered(reverted(), "kept")
    past = undoable(there, history)
    history.close()
    assert past is None


def test_the_revert_of_another_vm_is_not_undone() -> None:
    history = remembered(reverted(), "kept")
    other = replace(reverted(), vm=replace(RUNNING, uuid="another"))
    past = undoable(other, history)
    history.close()
    assert past is None
