"""Which safety snapshots are more than the user wants to keep."""

from dataclasses import replace

import pytest

from snapgui.model.errors import Refused
from snapgui.model.tree import SnapshotTree
from snapgui.operations.facts import Facts
from snapgui.operations.safety import prune_request, surplus
from tests.unit.facts import facts


def with_safety(line: str) -> Facts:
    """Return facts in whose tree the names that begin with “s” are safety snapshots."""
    known = facts(line)
    marked = (replace(snapshot, safety=snapshot.name.startswith("s")) for snapshot in known.tree)
    return replace(known, tree=SnapshotTree(marked, known.tree.current))


@pytest.mark.parametrize(
    ("line", "keep", "expected"),
    [
        ("base>s1 base>s2 base>s3 base>here*", 1, ("s1", "s2")),
        ("base>s1 base>s2 base>s3 base>here*", 2, ("s1",)),
        ("base>s1 base>s2 base>s3 base>here*", 0, ("s1", "s2", "s3")),
        ("base>s1 base>s2 base>here*", 2, ()),
        ("base>s1 base>s2 base>here*", 99, ()),
        ("base*", 0, ()),
        ("base>s1>child base>s2 base>s3 base*", 1, ("s2",)),
        ("base>s1>s2>s3 base*", 0, ("s3",)),
        ("base>s1 base>s2* base>s3", 1, ("s1",)),
        ("", 0, ()),
    ],
)
def test_the_oldest_go_but_for_those_that_something_hangs_off(line: str, keep: int, expected: tuple[str, ...]) -> None:
    assert surplus(with_safety(line), keep) == expected


def test_age_decides_and_not_the_name() -> None:
    assert surplus(with_safety("base>s9 base>s1 base>s5 base*"), 1) == ("s9", "s1")


def test_what_the_user_took_himself_stays() -> None:
    assert surplus(with_safety("base>mine base>s1 base>yours base*"), 0) == ("s1",)


def test_pruning_asks_for_exactly_the_surplus() -> None:
    request = prune_request(with_safety("base>s1 base>s2 base>s3 base*"), 1)
    assert (request.names, request.with_children, request.children_only) == (("s1", "s2"), False, False)


def test_nothing_to_prune_is_said() -> None:
    with pytest.raises(Refused, match="web01 has no old safety snapshot that could be deleted"):
        prune_request(with_safety("base>s1>child base>s2 base*"), 1)
