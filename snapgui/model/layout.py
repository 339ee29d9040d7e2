"""Tidy placement of a forest: parents centred over their children, subtrees packed close, nothing overlaps.

After Reingold and Tilford, "Tidier Drawings of Trees" (1981), written without recursion so that a chain of 10,000
nodes is no different from any other tree.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from operator import sub
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def tidy(roots: Sequence[Node], children: Callable[[Node], Sequence[Node]]) -> Mapping[Node, tuple[float, int]]:
    """Return ``{node: (column, row)}``; columns are at least 1 apart in a row, the leftmost column is 0.

    Siblings keep the given order from left to right. O(nodes): two contours are joined in the depth of the
    shallower one, and shifted without touching their columns.
    """
    offsets: dict[Node, float] = {}
    outlines: dict[Node, _Outline] = {}
    order = _parents_first(roots, children)
    for node, below in reversed(order):
        outline, starts = _pack([outlines.pop(child) for child in below])
        middle = (starts[0] + starts[-1]) / 2 if starts else 0.0
        for child, start in zip(below, starts, strict=True):
            offsets[child] = start - middle
        outline.shift(-middle)
        outline.crown()
        outlines[node] = outline
    _, starts = _pack([outlines.pop(root) for root in roots])
    return _columns(dict(zip(roots, starts, strict=True)), order, offsets)


@dataclass(slots=True)
class _Contour:
    """One side of a subtree: a column per row, deepest row first, all to be read plus ``moved``."""

    columns: list[float]
    moved: float = 0.0

    def lay_over(self, upper: "_Contour") -> None:
        """Replace the uppermost rows by those of ``upper``, which is no deeper than this one."""
        change = upper.moved - self.moved
        self.columns[len(self.columns) - len(upper.columns) :] = [column + change for column in upper.columns]


@dataclass(slots=True)
class _Outline:
    left: _Contour
    right: _Contour

    def shift(self, by: float) -> None:
        self.left.moved += by
        self.right.moved += by

    def crown(self) -> None:
        """Add the node itself, at column 0, as a new uppermost row."""
        self.left.columns.append(-self.left.moved)
        self.right.columns.append(-self.right.moved)

    def start_of(self, other: "_Outline") -> float:
        """Return how far right ``other`` must go so that it stands beside this one."""
        mine, theirs = self.right.columns, other.left.columns
        gap = self.right.moved - other.left.moved + 1.0
        common = min(len(mine), len(theirs))
        widest: float = max(map(sub, mine[-common:], theirs[-common:]))
        return widest + gap

    def join(self, other: "_Outline") -> None:
        """Take ``other``, already shifted to stand beside this one, in."""
        if len(other.left.columns) > len(self.left.columns):
            other.left.lay_over(self.left)
            self.left = other.left
        if len(other.right.columns) >= len(self.right.columns):
            self.right = other.right
        else:
            self.right.lay_over(other.right)


def _pack(outlines: Sequence[_Outline]) -> tuple[_Outline, list[float]]:
    """Push subtrees together from left to right; return the joint outline and each one's start."""
    if not outlines:
        return _Outline(_Contour([]), _Contour([])), []
    joint, starts = outlines[0], [0.0]
    for outline in outlines[1:]:
        starts.append(joint.start_of(outline))
        outline.shift(starts[-1])
        joint.join(outline)
    return joint, starts


def _parents_first(
    roots: Sequence[Node], children: Callable[[Node], Sequence[Node]]
) -> list[tuple[Node, Sequence[Node]]]:
    """Return every node with its children; a parent before them."""
    order, waiting = [], list(roots)
    while waiting:
        node = waiting.pop()
        below = children(node)
        order.append((node, below))
        waiting.extend(below)
    return order


def _columns(
    starts: Mapping[Node, float], order: Sequence[tuple[Node, Sequence[Node]]], offsets: Mapping[Node, float]
) -> dict[Node, tuple[float, int]]:
    places = {root: (start, 0) for root, start in starts.items()}
    for node, below in order:
        column, row = places[node]
        for child in below:
            places[child] = (column + offsets[child], row + 1)
    leftmost = min((column for column, _ in places.values()), default=0.0)
    return {node: (column - leftmost, row) for node, (column, row) in places.items()}
