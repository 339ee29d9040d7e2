"""Which of very many files match what the user asks for. Runs in a worker, and knows nothing of Qt."""

import fnmatch
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.filesystem import Kind
from snapgui.model.difference import Change
from snapgui.ui.files_batch import CHANGES, KINDS, NOTHING
from snapgui.ui.files_table import Frame

STEP = 4096
"""Names that are looked at before it is asked whether anybody still wants to know."""
_METADATA = CHANGES.index(Change.METADATA)
Stop = Callable[[], None]
"""Raises where the answer is not wanted any more."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FilesFilter:
    """``text``: a part of the path, or a pattern where it has * or ?. ``least`` bytes on either side.

    ``folder``: the directory that they lie in, at any depth; -1 for anywhere.
    """

    text: str = ""
    changes: frozenset[Change] = frozenset(Change)
    kinds: frozenset[Kind] = frozenset(Kind)
    least: int = 0
    substance: bool = False
    """Leave out what differs in nothing but what is known about a file."""
    folder: int = -1


def matching(frame: Frame, wanted: FilesFilter, stop: Stop) -> Mask:
    """Return for each row whether it matches."""
    found = np.array([change in wanted.changes for change in CHANGES])[frame.change]
    found &= _of_kinds(frame, wanted.kinds)
    if wanted.least:
        found &= frame.size.max(axis=1) >= wanted.least
    if wanted.substance:
        found &= frame.change != _METADATA
    if 0 <= wanted.folder < frame.directories:
        found &= _below(frame, wanted.folder)[frame.folder]
    text = wanted.text.casefold()
    if text:
        rows = np.flatnonzero(found)
        found[rows[~_of_text(frame, rows, text, stop)]] = False
    return found


def _of_kinds(frame: Frame, kinds: frozenset[Kind]) -> Mask:
    allowed = np.zeros(256, bool)
    allowed[[KINDS.index(kind) for kind in kinds]] = True
    allowed[NOTHING] = False
    return np.asarray(allowed[frame.kind].any(axis=1))


def _below(frame: Frame, folder: int) -> Mask:
    """Return for each directory whether it is this one, or lies in it."""
    inside = np.zeros(frame.directories, bool)
    inside[folder] = True
    for level in frame.levels():
        inside[level] |= inside[frame.above[level]]
    return inside


def _of_text(frame: Frame, rows: NDArray[np.int64], text: str, stop: Stop) -> Mask:
    if "*" in text or "?" in text:
        return _of_pattern(frame, rows, text, stop)
    head, slash, tail = text.rpartition("/")
    inside = np.array([False] * frame.directories)
    before = np.array([not slash] * frame.directories)
    for numbers in _steps(np.arange(frame.directories), stop):
        for number in numbers:
            path = frame.paths[number].casefold() + "/"
            inside[number] = text in path
            before[number] = not slash or path.endswith(f"{head}/")
    folder = frame.folder[rows]
    found = np.asarray(inside[folder])
    rest = np.flatnonzero(~found & before[folder])
    for numbers in _steps(rest, stop):
        for number, row in zip(numbers, rows[numbers].tolist(), strict=True):
            name = frame.name(row).casefold()
            found[number] = name.startswith(tail) if slash else tail in name
    return found


def _of_pattern(frame: Frame, rows: NDArray[np.int64], text: str, stop: Stop) -> Mask:
    """A pattern without a slash is one for names, and one with a slash for whole paths."""
    matches = re.compile(fnmatch.translate(_plain(text))).match
    by_path = "/" in text
    found = np.zeros(len(rows), bool)
    for numbers in _steps(np.arange(len(rows)), stop):
        for number, row in zip(numbers, rows[numbers].tolist(), strict=True):
            name = frame.path(row) if by_path else frame.name(row)
            found[number] = matches(name.casefold()) is not None
    return found


def _plain(pattern: str) -> str:
    """Return a pattern in which nothing but * and ? means anything, and stars beside each other are one."""
    return re.sub(r"\*+", "*", pattern.replace("[", "[[]"))


def _steps(numbers: NDArray[np.int64], stop: Stop) -> Iterator[list[int]]:
    for at in range(0, len(numbers), STEP):
        stop()
        yield numbers[at : at + STEP].tolist()
