"""Two texts line by line beside each other: which lines are the same, and which stand against nothing."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

MOST_LINES = 20_000
"""Beyond that nothing is aligned: it would take too long, and nobody reads it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of each text, None where the other one has no counterpart. ``same``: whether they are equal."""

    before: str | None
    after: str | None
    same: bool

    @property
    def sign(self) -> str:
        """What the row says: nothing, +, −, or ±."""
        if self.same:
            return ""
        if self.before is None:
            return "+"
        return "−" if self.after is None else "±"


def aligned(before: str, after: str) -> tuple[Row, ...]:
    """Return all lines of both texts as rows, in order."""
    one, other = before.splitlines(), after.splitlines()
    if one == other:
        return tuple(Row(line, line, True) for line in one)
    if max(len(one), len(other)) > MOST_LINES:
        return tuple(_beside(one, other))
    return tuple(_rows(one, other))


def _rows(one: list[str], other: list[str]) -> Iterator[Row]:
    for tag, a, b, c, d in difflib.SequenceMatcher(None, one, other).get_opcodes():
        if tag == "equal":
            yield from (Row(line, line, True) for line in one[a:b])
        else:
            yield from _beside(one[a:b], other[c:d])


def _beside(one: list[str], other: list[str]) -> Iterator[Row]:
    for number in range(max(len(one), len(other))):
        left = one[number] if number < len(one) else None
        right = other[number] if number < len(other) else None
        yield Row(left, right, left == right)
