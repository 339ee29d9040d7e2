"""The tidy layout: nothing overlaps, parents stand in the middle of their children, any shape and size."""

import time
from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapgui.model.layout import tidy
from tests.unit.trees import tree

Children = Mapping[int | None, list[int]]
ROUNDING = 1e-6


@st.composite
def forests(draw: st.DrawFn) -> Children:
    """Nodes 0, 1, 2, …, each below an earlier one or a root (below None)."""
    count = draw(st.integers(0, 60))
    below: dict[int | None, list[int]] = defaultdict(list)
    for node in range(count):
        below[draw(st.none() | st.integers(0, node - 1)) if node else None].append(node)
    return below


def placed(below: Children) -> Mapping[int, tuple[float, int]]:
    return tidy(below.get(None, []), lambda node: below.get(node, []))


@given(forests())
def test_nodes_of_a_row_are_apart_and_in_order(below: Children) -> None:
    places = placed(below)
    rows: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for node, (column, row) in places.items():
        rows[row].append((column, node))
    for found in rows.values():
        columns = sorted(column for column, _ in found)
        assert all(right - left >= 1 - ROUNDING for left, right in pairwise(columns))
    for siblings in below.values():
        columns = [places[node][0] for node in siblings]
        assert columns == sorted(columns)


@given(forests())
def test_parents_stand_over_the_middle_of_their_children(below: Children) -> None:
    places = placed(below)
    for parent, children in below.items():
        if parent is not None and children:
            middle = (places[children[0]][0] + places[children[-1]][0]) / 2
            assert places[parent][0] == pytest.approx(middle, abs=ROUNDING)
            assert {places[child][1] for child in children} == {places[parent][1] + 1}


@given(forests())
def test_the_leftmost_column_and_the_upmost_row_are_zero(below: Children) -> None:
    places = placed(below)
    assert len(places) == sum(len(children) for children in below.values())
    assert min((column for column, _ in places.values()), default=0) == 0
    assert all(places[root][1] == 0 for root in below.get(None, []))


@given(forests())
def test_equal_subtrees_are_drawn_alike(below: Children) -> None:
    """A forest twice, side by side: the copy is the original, moved to the right."""
    count = sum(len(children) for children in below.values())
    twice: dict[int | None, list[int]] = defaultdict(list)
    for parent, children in below.items():
        copies = [child + count for child in children]
        if parent is None:
            twice[2 * count], twice[2 * count + 1] = children, copies
        else:
            twice[parent], twice[parent + count] = children, copies
    twice[None] = [2 * count, 2 * count + 1]
    places = placed(twice)
    shifts = {round(places[node + count][0] - places[node][0], 6) for node in range(count)}
    assert len(shifts) <= 1


def test_one_small_tree_exactly() -> None:
    family = tree("base>a>b base>c>d base>c>e")
    assert tidy(family.roots, family.children) == {
        "base": (0.75, 0),
        "a": (0.0, 1),
        "b": (0.0, 2),
        "c": (1.5, 1),
        "d": (1.0, 2),
        "e": (2.0, 2),
    }


def test_a_chain_of_ten_thousand_is_a_straight_line() -> None:
    count = 10_000
    began = time.thread_time()
    places = tidy([0], lambda node: [node + 1] if node < count - 1 else [])
    assert places == {node: (0.0, node) for node in range(count)}
    assert time.thread_time() - began < 2


@pytest.mark.parametrize("first", [True, False], ids=["leaf-first", "chain-first"])
def test_a_caterpillar_of_ten_thousand_takes_linear_time(first: bool) -> None:
    """Each node of a long chain has a leaf beside it: the worst case for joining contours."""
    count = 10_000

    def children(node: int) -> list[int]:
        if node >= count - 1:
            return []
        pair = [count + node, node + 1]
        return pair if first else pair[::-1]

    began = time.thread_time()
    places = tidy([0], children)
    assert time.thread_time() - began < 2
    assert len(places) == 2 * count - 1
    assert len(set(places.values())) == len(places)


def test_a_star_is_one_row() -> None:
    places = tidy([0], lambda node: range(1, 5001) if node == 0 else [])
    assert [places[node] for node in range(1, 5001)] == [(float(node - 1), 1) for node in range(1, 5001)]
    assert places[0] == (2499.5, 0)
