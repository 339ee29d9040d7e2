"""The difference of two trees, applied one step after another, gives the new tree."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapgui.model.changes import Changes, diff
from snapgui.model.tree import SnapshotTree
from tests.unit.trees import snapshot, tree

NAMES = "abcdefgh"


@st.composite
def trees(draw: st.DrawFn) -> SnapshotTree:
    """Any tree of up to eight names; creation times and descriptions vary, so that names are reused and edited."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(0, len(NAMES)))]
    found = []
    for number, name in enumerate(names):
        parent = draw(st.none() | st.sampled_from(names[:number])) if number else None
        made = snapshot(name, parent, number=draw(st.integers(0, 3)))
        found.append(replace(made, description=draw(st.sampled_from(("", "edited")))))
    return SnapshotTree(found, draw(st.none() | st.sampled_from(names)) if names else None)


@given(trees(), trees())
def test_applying_the_steps_in_their_order_gives_the_new_tree(old: SnapshotTree, new: SnapshotTree) -> None:
    changes = diff(old, new)
    parents = {name: old.parent(name) for name in old.snapshots}
    facts = dict(old.snapshots)
    below = {name: set(old.children(name)) for name in old.snapshots}
    for name in changes.removed:
        kept = below.pop(name) & parents.keys()
        assert kept.isdisjoint(changes.removed), "a parent was removed before its child"
        del parents[name], facts[name]
    for name in changes.added:
        parent = new.parent(name)
        assert parent is None or parent in parents, "a child was added before its parent"
        parents[name], facts[name] = parent, new[name]
    lost = {name for name, parent in parents.items() if parent in changes.removed and name not in changes.added}
    assert lost <= set(changes.moved), "a snapshot was left below a parent that went"
    for name in changes.moved:
        assert parents[name] != new.parent(name) or name in lost
        parents[name] = new.parent(name)
    for name in changes.edited:
        assert facts[name] != new[name]
        facts[name] = new[name]
    assert parents == {name: new.parent(name) for name in new.snapshots}
    assert facts == dict(new.snapshots)
    assert changes.current == (old.current != new.current)


@given(trees())
def test_a_tree_does_not_differ_from_itself(same: SnapshotTree) -> None:
    changes = diff(same, same)
    assert changes == Changes()
    assert not changes


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "a>b", Changes(added=("a", "b"))),
        ("a>b>c", "", Changes(removed=("c", "b", "a"))),
        ("a*", "a", Changes(current=True)),
        ("a>b>c*", "a>b>c* a>d", Changes(added=("d",))),
    ],
)
def test_what_happened(old: str, new: str, expected: Changes) -> None:
    assert diff(tree(old), tree(new)) == expected


def test_children_of_a_deleted_snapshot_move_up() -> None:
    old = tree("a>b>c>d")
    new = SnapshotTree([old["a"], replace(old["c"], parent="a"), old["d"]])
    assert diff(old, new) == Changes(removed=("b",), moved=("c",), edited=("c",))


def test_a_name_that_was_taken_again_is_another_snapshot() -> None:
    assert diff(SnapshotTree([snapshot("a")]), SnapshotTree([snapshot("a", number=1)])) == Changes(
        removed=("a",), added=("a",)
    )
