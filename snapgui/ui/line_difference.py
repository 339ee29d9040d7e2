"""Two texts line by line beside each other: which lines are the same, which stand against nothing, and which words of
a line that was changed are others.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

MOST_CHANGED_LINES = 3_000
"""Lines that differ, after what is the same at both ends was left out; to align more of them would take too long."""
LONGEST_LINE = 500
"""Characters of a line whose words are compared."""
CONTEXT = 20
"""Lines that are the same and are shown before and after what differs, where not all can be shown."""
MOST_WORDS = 100
"""Lines that were changed whose words are compared."""
_WORD = re.compile(r"\w+|\s+|.", re.DOTALL)
Spans = tuple[tuple[int, int], ...]
Words = dict[int, tuple[Spans, Spans]]
"""By the number of a row: where words of either side are others."""


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
    return tuple(_rows(one, other))


def folded(rows: Sequence[Row], most: int, fold: Callable[[int], str]) -> tuple[Row, ...]:
    """Return at most so many rows, and lines that say how many are left out: first such that are the same.

    ``fold`` returns the words for a number of lines.
    """
    if len(rows) <= most:
        return tuple(rows)
    near = bytearray(len(rows))
    for number in (number for number, row in enumerate(rows) if not row.same):
        begin = max(0, number - CONTEXT)
        near[begin : number + CONTEXT + 1] = b"\1" * (min(len(rows), number + CONTEXT + 1) - begin)
    kept: list[Row] = []
    missing = 0
    for number, row in enumerate(rows):
        if not near[number] or len(kept) >= most:
            missing += 1
            continue
        if missing:
            kept.append(_fold(fold(missing)))
            missing = 0
        kept.append(row)
    return (*kept, *([_fold(fold(missing))] if missing else []))


def _fold(words: str) -> Row:
    return Row(words, words, True)


def words_of(rows: Sequence[Row]) -> Words:
    """Return which words are others, of the first lines that were changed."""
    changed = [number for number, row in enumerate(rows) if row.sign == "±"][:MOST_WORDS]
    return {number: changed_words(rows[number].before or "", rows[number].after or "") for number in changed}


def changed_words(before: str, after: str) -> tuple[Spans, Spans]:
    """Return where in two lines words are others, as (begin, end) of each; nothing where the lines have little in
    common, or are very long.
    """
    if max(len(before), len(after)) > LONGEST_LINE:
        return (), ()
    one, other = _WORD.findall(before), _WORD.findall(after)
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    if matcher.quick_ratio() < 0.3:  # noqa: PLR2004 - another line, not the same one changed
        return (), ()
    codes = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    return _spans(one, [(code[1], code[2]) for code in codes]), _spans(other, [(code[3], code[4]) for code in codes])


def _spans(words: list[str], places: list[tuple[int, int]]) -> Spans:
    ends = [0]
    for word in words:
        ends.append(ends[-1] + len(word))
    return tuple((ends[begin], ends[end]) for begin, end in places if end > begin)


def _rows(one: list[str], other: list[str]) -> Iterator[Row]:
    """Leave out what is the same at both ends, and align the rest."""
    most = min(len(one), len(other))
    head = next((number for number in range(most) if one[number] != other[number]), most)
    most -= head
    tail = next((number for number in range(most) if one[-1 - number] != other[-1 - number]), most)
    middle = one[head : len(one) - tail], other[head : len(other) - tail]
    yield from (Row(line, line, True) for line in one[:head])
    yield from (_beside if max(map(len, middle)) > MOST_CHANGED_LINES else _compared)(*middle)
    yield from (Row(line, line, True) for line in one[len(one) - tail :])


def _compared(one: list[str], other: list[str]) -> Iterator[Row]:
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
