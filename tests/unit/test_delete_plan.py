"""What a plan to delete does: exactly the chosen snapshots, children first, and never under an overlay."""

from dataclasses import replace

import pytest

from snapgui.model.errors import Gone
from snapgui.model.plan import Operation, Plan, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.storage import SnapshotCost
from snapgui.model.text import Text
from snapgui.operations.delete import DeleteRequest, plan
from snapgui.operations.edit import EditRequest
from snapgui.operations.edit import plan as plan_edit
from tests.unit.facts import DISK, MACHINE, MIB, OFF, RUNNING, facts

UNCHANGED = Text("plan", "The current state of the VM does not change.")


def test_one_snapshot_whose_child_is_kept() -> None:
    known = facts("base>a>b*")
    text = Text("plan", "Delete “{name}”", (("name", "a"),))
    assert plan(known, DeleteRequest(("a",))) == Plan(
        Operation.DELETE,
        RUNNING.uuid,
        "web01",
        text,
        steps=(
            Step(
                Verb.DELETE,
                text,
                "a",
                known.tree["a"].created,
                phases=(Phase.DELETE,),
                virsh=("snapshot-delete", "web01", "a"),
            ),
        ),
        losses=(Text("plan", "The state of the VM at “{name}” will be lost.", (("name", "a"),)),),
        notes=(UNCHANGED, Text("plan", "The snapshot below is kept; it moves up in the tree.")),
    )


@pytest.mark.parametrize(
    ("names", "with_children", "order", "kept"),
    [
        (("base",), False, ["base"], 2),
        (("base",), True, ["b", "c", "a", "d", "base"], 0),
        (("a",), True, ["b", "c", "a"], 0),
        (("b", "d"), False, ["b", "d"], 0),
        (("base", "b", "a"), False, ["b", "a", "base"], 2),
        (("b", "b"), False, ["b"], 0),
        (("a", "b"), True, ["b", "c", "a"], 0),
    ],
)
def test_which_and_in_what_order(names: tuple[str, ...], with_children: bool, order: list[str], kept: int) -> None:
    made = plan(facts("base>a>b base>a>c* base>d"), DeleteRequest(names, with_children))
    assert [step.snapshot for step in made.steps] == order
    assert len(made.losses) == len(order)
    if kept > 1:
        assert str(made.notes[-1]) == f"{kept} snapshots below are kept; they move up in the tree."
    else:
        assert made.notes == (UNCHANGED,)


@pytest.mark.parametrize(
    ("line", "names", "at_least", "said"),
    [
        ("base>a>b*", ("a",), False, "This frees 3.0 MiB."),
        ("base>a>b*", ("a",), True, "This frees at least 3.0 MiB."),
        ("base>a>b*", ("a", "b"), False, "This frees at least 6.0 MiB."),
        ("base!>a!*", ("base", "a"), False, "This frees about 6.0 MiB."),
    ],
)
def test_what_it_frees(line: str, names: tuple[str, ...], at_least: bool, said: str) -> None:
    costs = tuple(SnapshotCost(name, 5 * MIB, 0, 0, 3 * MIB, at_least) for name in ("base", "a", "b"))
    made = plan(replace(facts(line, OFF), costs=costs), DeleteRequest(names))
    assert said in [str(note) for note in made.notes]
    assert made.freed == 3 * MIB * len(names)


def test_nobody_guesses_what_it_frees() -> None:
    made = plan(facts("base>a>b*"), DeleteRequest(("a",)))
    assert made.freed is None
    assert not any("frees" in str(note) for note in made.notes)


def test_unknown_names_delete_nothing_at_all() -> None:
    with pytest.raises(Gone, match="“nowhere”"):
        plan(facts(), DeleteRequest(("a", "nowhere")))


def test_what_lies_under_an_overlay_is_not_touched() -> None:
    assert [finding.code for finding in plan(facts("base>ext!*", OFF), DeleteRequest(("base",))).blockers] == [
        "under-overlay"
    ]
    both = plan(facts("base>ext!*", OFF), DeleteRequest(("base",), with_children=True))
    assert {finding.code for finding in both.blockers} == {"under-overlay", "external-delete"}
    overlay = replace(MACHINE, disks=(replace(DISK, source="/images/overlay.qcow2"),))
    assert plan(facts("base>a*", machine=overlay), DeleteRequest(("a",))).blockers


def test_an_edit_changes_only_what_was_given() -> None:
    step = plan_edit(facts(), EditRequest("base", title="  New title ")).steps[0]
    assert (step.verb, step.title, step.description) == (Verb.EDIT, "New title", None)
    step = plan_edit(facts(), EditRequest("base", description="")).steps[0]
    assert (step.title, step.description) == (None, "")
    with pytest.raises(Gone, match="no snapshot “x”"):
        plan_edit(facts(), EditRequest("x", title="t"))
