"""The snapshot tree: always a forest in which every snapshot can be reached, whatever libvirt's metadata says."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapgui.model.records import Kind, Place, Snapshot, SnapshotDisk
from snapgui.model.tree import SnapshotTree
from tests.unit.trees import BEGIN, drawn, snapshot, tree

NAMES = "abcdefgh"


@pytest.mark.parametrize(
    "line",
    ["", "a", "a*", "a b c", "a>b>c", "base>a>b base>c*", "base>a>b* base>c>d base>c>e x>y+ x>z!", "a+!>b*+!"],
)
def test_a_line_draws_the_tree_that_it_was_made_of(line: str) -> None:
    assert drawn(tree(line)) == line


def test_children_are_ordered_by_age_and_not_by_name() -> None:
    family = tree("z>y z>b z>x")
    assert family.children("z") == ("y", "b", "x")
    assert family.children(None) == ("z",)
    assert [found.name for found in family] == ["z", "y", "b", "x"]


def test_snapshots_of_one_second_are_ordered_by_name() -> None:
    assert list(SnapshotTree([snapshot("b"), snapshot("a"), snapshot("c")]).snapshots) == ["a", "b", "c"]


def test_of_one_second_a_parent_comes_before_its_children() -> None:
    family = SnapshotTree([snapshot("a", "b"), snapshot("b", "d"), snapshot("c"), snapshot("d"), snapshot("e", "e")])
    assert list(family.snapshots) == ["d", "b", "a", "c", "e"]
    ring = SnapshotTree([snapshot("a", "b"), snapshot("b", "a")])
    assert set(ring.snapshots) == {"a", "b"}
    names = [f"s{number:05}" for number in range(10_000)]
    line = SnapshotTree(snapshot(name, above) for name, above in zip(names, [*names[1:], None], strict=True))
    assert list(line.snapshots) == names[::-1]


def test_a_parent_younger_than_its_child_stays_its_parent() -> None:
    family = SnapshotTree([snapshot("child", "parent", number=0), snapshot("parent", number=1)])
    assert drawn(family) == "parent>child"


def test_a_missing_parent_makes_a_root() -> None:
    assert drawn(SnapshotTree([snapshot("a", "nowhere"), snapshot("b", "a", number=1)])) == "a>b"


@pytest.mark.parametrize("ring", ["a", "ab", "abc", "abcdefgh"])
def test_a_ring_is_opened_and_keeps_every_snapshot(ring: str) -> None:
    family = SnapshotTree(snapshot(name, ring[number - 1], number=number) for number, name in enumerate(ring))
    assert len(family.roots) == 1
    assert {*family.roots, *family.descendants(family.roots[0])} == set(ring)


def test_an_unknown_current_snapshot_is_none() -> None:
    assert SnapshotTree([snapshot("a")], "b").current is None


def test_path_descendants_and_leaves_first() -> None:
    family = tree("base>a>b>c base>a>d base>e")
    assert family.path("c") == ("base", "a", "b", "c")
    assert family.path(None) == ()
    assert family.descendants("a") == ("b", "c", "d")
    assert family.leaves_first(["base", "b", "c", "e", "a"]) == ("c", "b", "a", "e", "base")


def test_kinds_tell_internal_external_and_mixed() -> None:
    disks = (SnapshotDisk("vda", Place.INTERNAL), SnapshotDisk("vdb", Place.EXTERNAL))
    mixed = Snapshot("m", BEGIN, disks=disks)
    none = Snapshot("n", BEGIN, disks=(SnapshotDisk("sda", Place.NONE),))
    assert [found.kind for found in (mixed, none, snapshot("i"), snapshot("e", marks="!+"))] == [
        Kind.MIXED,
        Kind.INTERNAL,
        Kind.INTERNAL,
        Kind.EXTERNAL,
    ]
    assert tree("a b!").kinds == {Kind.INTERNAL, Kind.EXTERNAL}


def test_equal_trees_are_equal_and_hash_alike() -> None:
    line = "base>a>b base>c*"
    assert tree(line) == tree(line)
    assert hash(tree(line)) == hash(tree(line))
    assert tree(line) != tree("base>a>b base>c")
    assert tree(line) != line


def test_a_tree_cannot_be_changed() -> None:
    family = tree("a>b")
    with pytest.raises(TypeError):
        family.snapshots["c"] = snapshot("c")  # type: ignore[index]
    with pytest.raises(Exception, match=r"[Ff]rozen"):
        family.graph.add_node("c")


def test_a_chain_of_ten_thousand_needs_no_recursion_and_little_time() -> None:
    began = time.thread_time()
    names = [f"s{number}" for number in range(10_000)]
    family = SnapshotTree(
        Snapshot(name, datetime.fromtimestamp(number, UTC), names[number - 1] if number else None)
        for number, name in enumerate(names)
    )
    assert family.path(names[-1]) == tuple(names)
    assert family.descendants(names[0]) == tuple(names[1:])
    assert family.leaves_first(names) == tuple(reversed(names))
    assert time.thread_time() - began < 5


@given(st.dictionaries(st.sampled_from(NAMES), st.none() | st.sampled_from(NAMES)))
def test_every_snapshot_hangs_below_exactly_one_root(parents: dict[str, str | None]) -> None:
    family = SnapshotTree(snapshot(name, parent) for name, parent in parents.items())
    reached = [name for root in family.roots for name in (root, *family.descendants(root))]
    assert sorted(reached) == sorted(parents)
    for name, parent in parents.items():
        assert family.path(name)[0] in family.roots
        assert family.parent(name) in {None, parent}
