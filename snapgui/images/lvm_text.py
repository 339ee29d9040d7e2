"""The text in which LVM keeps what it knows of a volume group: sections, and names with values. Never trusted.

Format: lvm2's man page lvm.conf(5), "SYNTAX"; its metadata uses the same.
"""

import re
from collections.abc import Iterator

from snapgui.images.qcow2 import ImageError

MOST_BYTES = 4 * 2**20
DEEPEST = 16
_TOKEN = re.compile(
    r"""\s+ | \#[^\n]*
    | (?P<string>"(?:[^"\\]|\\.)*") | (?P<number>-?\d+(?:\.\d+)?(?![\w.])) | (?P<name>[\w.+/-]+) | (?P<sign>[{}=\[\],])
    """,
    re.VERBOSE | re.ASCII,
)
Value = str | int | list[str | int]
Tree = dict[str, "Value | Tree"]


def parse(text: str) -> Tree:
    """Return sections and values by name. Raises ImageError for what is no such text."""
    if len(text) > MOST_BYTES:
        raise _damaged()
    root: Tree = {}
    stack, name = [root], ""
    tokens = _tokens(text)
    for kind, piece in tokens:
        if kind == "name" and not name:
            name = piece
        elif piece == "{" and name and len(stack) < DEEPEST:
            inner: Tree = {}
            stack[-1][name], name = inner, ""
            stack.append(inner)
        elif piece == "=" and name:
            stack[-1][name], name = _value(tokens), ""
        elif piece == "}" and not name and len(stack) > 1:
            stack.pop()
        else:
            raise _damaged()
    if len(stack) > 1 or name:
        raise _damaged()
    return root


def section(tree: Tree, name: str) -> Tree:
    """Return a section; an empty one where there is none."""
    found = tree.get(name, {})
    if not isinstance(found, dict):
        raise _damaged()
    return found


def number(tree: Tree, name: str) -> int:
    """Return a number that is not negative. Raises ImageError where there is none."""
    found = tree.get(name)
    if not isinstance(found, int) or not 0 <= found < 2**62:
        raise _damaged()
    return found


def word(tree: Tree, name: str) -> str:
    """Return a text. Raises ImageError where there is none."""
    found = tree.get(name)
    if not isinstance(found, str):
        raise _damaged()
    return found


def several(tree: Tree, name: str) -> list[str | int]:
    """Return an array; an empty one where there is none. Raises ImageError for anything else."""
    found = tree.get(name, [])
    if not isinstance(found, list):
        raise _damaged()
    return found


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _damaged()
        at = found.end()
        if found.lastgroup is not None:
            yield found.lastgroup, found[0]


def _value(tokens: Iterator[tuple[str, str]]) -> Value:
    kind, piece = next(tokens, ("", ""))
    if piece != "[":
        return _single(kind, piece)
    values: list[str | int] = []
    for kind, piece in tokens:
        if piece == "]":
            return values
        if piece != ",":
            values.append(_single(kind, piece))
    raise _damaged()


def _single(kind: str, piece: str) -> str | int:
    if kind == "string":
        return re.sub(r"\\(.)", r"\1", piece[1:-1], flags=re.DOTALL)
    if kind == "number" and len(piece) < len(str(2**64)):
        return int(piece.partition(".")[0])
    raise _damaged()


def _damaged() -> ImageError:
    return ImageError("the description of its LVM volumes is damaged")
