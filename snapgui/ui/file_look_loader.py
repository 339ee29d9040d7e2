"""What the details of one file show, read in a worker: both sides, and what differs in their text or pictures."""

import threading
import time
from dataclasses import dataclass, field

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QSize, Qt
from PySide6.QtGui import QImage, QImageReader

from snapgui.hypervisor.connection import Connection
from snapgui.images.filesystems.filesystem import Kind
from snapgui.operations.facts import read_facts
from snapgui.operations.file_look import FileLook, look_at_file
from snapgui.operations.history import History
from snapgui.ui.compare_look import REPORT_INTERVAL_S, Post
from snapgui.ui.file_words import count_words, safe
from snapgui.ui.line_difference import Row, Words, aligned, folded, words_of
from snapgui.ui.sides import Pair
from snapgui.ui.wording import tr

LONGEST_LINE = 2_000
"""Characters of a line that are shown: Qt takes very long for longer ones."""
MOST_LINES = 2_000
"""Lines of a text that are shown: more would hold up the window."""
MOST_COMPARED = 50_000
"""Lines of a text that are looked at."""
LARGEST_PICTURE = QSize(320, 240)
MOST_PIXELS = 40 * 10**6
"""Of a picture that is decoded; a crafted one claims any number."""


@dataclass(frozen=True, slots=True)
class FileWanted:
    """A file as both sides have it: its path on each, None where it is not there."""

    place: str
    before: str | None
    after: str | None
    directory: bool = False

    @property
    def paths(self) -> tuple[str | None, str | None]:
        """The path on both sides."""
        return self.before, self.after

    @property
    def path(self) -> str:
        """What it is called."""
        return self.after or self.before or ""


@dataclass(frozen=True, slots=True)
class FileReading:
    """How much of a file has been read, in bytes."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class PairLook:
    """Both sides, None where there is none; ``rows`` where there is text, ``pictures`` where one can be drawn."""

    before: FileLook | None
    after: FileLook | None
    rows: tuple[Row, ...] | None = None
    pictures: tuple[QImage, QImage] | None = None
    words: Words = field(default_factory=dict)

    @property
    def sides(self) -> tuple[FileLook | None, FileLook | None]:
        """Both sides."""
        return self.before, self.after


class Reports:
    """Tells how far a reading is, no more often than anybody can follow; short ones are not told at all."""

    def __init__(self, post: Post) -> None:
        self._post, self._told = post, time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._told >= REPORT_INTERVAL_S:
            self._told = time.monotonic()
            self._post(FileReading(done, total))


def look_at_pair(
    connection: Connection,
    history: History,
    pair: Pair,
    wanted: FileWanted,
    post: Post,
    cancel: threading.Event,
    *,
    whole: bool,
) -> PairLook:
    """Look at a file on both sides; ``post`` gets a ``FileReading`` now and then. Raises as ``look_at_file``."""
    facts, reports = read_facts(connection, pair.vm.uuid), Reports(post)
    names = (pair.before.name, pair.after.name)
    found: list[FileLook | None] = [None, None]
    for side, (name, path) in enumerate(zip(names, wanted.paths, strict=True)):
        if path is not None:
            found[side] = look_at_file(
                connection, facts, history, name, wanted.place, path, report=reports, cancel=cancel, whole=whole
            )
    one, other = found
    rows = shown_rows(one, other)
    return PairLook(one, other, rows, _pictures(one, other), words_of(rows or ()))


def shown_rows(before: FileLook | None, after: FileLook | None) -> tuple[Row, ...] | None:
    """Return as many lines of both texts as can be shown; None where there is no text."""
    rows = _rows(before, after)
    if rows is None:
        return None
    shown = folded(rows, MOST_LINES, _fold_words)
    sides = (any(row.before is not None for row in rows), any(row.after is not None for row in rows))
    return shown if all(sides) else tuple(_on_sides(row, *sides) for row in shown)


def _on_sides(row: Row, before: bool, after: bool) -> Row:
    """Return a row without what stands on a side that is not shown."""
    return Row(row.before if before else None, row.after if after else None, row.same)


def _fold_words(count: int) -> str:
    return tr("⋯ {count} lines are not shown ⋯").format(count=count_words(count))


def _rows(before: FileLook | None, after: FileLook | None) -> tuple[Row, ...] | None:
    """Return the text of both sides beside each other; of one alone where the other has no text or the same."""
    texts = [None if side is None or side.text is None else _lines(side.text) for side in (before, after)]
    there = [side for side in (before, after) if side is not None and side.node.kind is Kind.FILE]
    one, other = texts
    if one is not None and other is not None:
        if one == other:
            return tuple(Row(None, line, True) for line in other.split("\n"))
        return aligned(one, other)
    if len(there) > 1 or (one is None and other is None):
        return None
    if other is None:
        return tuple(Row(line, None, False) for line in (one or "").split("\n"))
    return tuple(Row(None, line, False) for line in other.split("\n"))


def _lines(text: str) -> str:
    """Return lines that can be shown: what has no shape is made visible, and none is too long."""
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if len(lines) > MOST_COMPARED:
        lines[MOST_COMPARED:] = [_fold_words(len(lines) - MOST_COMPARED)]
    return "\n".join(_line(line.expandtabs(8)) for line in lines)


def _line(line: str) -> str:
    shown = safe(line[:LONGEST_LINE])
    return shown if len(line) <= LONGEST_LINE else f"{shown}…"


def _pictures(before: FileLook | None, after: FileLook | None) -> tuple[QImage, QImage] | None:
    made = tuple(QImage() if side is None or not side.picture else _picture(side) for side in (before, after))
    return None if all(image.isNull() for image in made) else (made[0], made[1])


def _picture(side: FileLook) -> QImage:
    """Return a small picture; an empty one for what cannot be decoded, or claims to be too large."""
    content = QBuffer()
    content.setData(QByteArray(side.picture))
    content.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(content, QByteArray(side.picture_format.encode()))
    reader.setDecideFormatFromContent(False)
    size = reader.size()
    if not size.isValid() or size.width() * size.height() > MOST_PIXELS:
        return QImage()
    if size.width() > LARGEST_PICTURE.width() or size.height() > LARGEST_PICTURE.height():
        reader.setScaledSize(size.scaled(LARGEST_PICTURE, Qt.AspectRatioMode.KeepAspectRatio))
    return reader.read()
