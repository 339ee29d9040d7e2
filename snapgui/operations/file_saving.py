"""Save a copy of a file, or of a whole directory, as it was at a snapshot: how one gets back what is lost.

What is written appears under its name only when it is whole. It is never executable, and nothing of the disk decides
where it lies.
"""

import contextlib
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from snapgui.hypervisor.connection import Connection
from snapgui.images.filesystems.filesystem import FileSystem, FilesystemError, Kind, Node, enter
from snapgui.model.errors import Broken, Cancelled, Gone, Refused
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.facts import Facts
from snapgui.operations.file_look import reported
from snapgui.operations.history import History
from snapgui.operations.lent_files import lent_file

DEEPEST = 200
"""Directories within one another that are saved; paths of this machine end at 4096 bytes."""
NAME_BYTES = 200
"""Of a name that is kept: there has to be room for a number."""
Report = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Saved:
    """What was written; ``left_out`` counts links, devices and what is encrypted."""

    path: Path
    files: int
    bytes: int
    left_out: int = 0


def save_copy(
    connection: Connection,
    facts: Facts,
    history: History,
    snapshot: str | None,
    place: str,
    path: str,
    target: Path,
    *,
    report: Report,
    cancel: threading.Event,
) -> Saved:
    """Write what lies at a path of a disk to ``target``; a file that is there already is replaced at the end.

    ``report`` gets the bytes that are written. Raises Gone, Refused, Broken and Cancelled, with nothing left behind.
    """
    with lent_file(connection, facts, history, snapshot, place, path, cancel) as (files, node):
        if node is None:
            raise Gone(QT_TRANSLATE_NOOP("errors", "There is no file {path}.").format(path=path))
        copy = _Copy(files, report, cancel)
        if node.kind is Kind.DIRECTORY:
            with _written(target), _directory_beside(target) as beside:
                copy.directory(node, beside)
        elif node.kind is Kind.FILE and not node.encrypted:
            with _written(target), _file_beside(target) as beside:
                copy.file(node, beside)
        else:
            raise Refused(QT_TRANSLATE_NOOP("errors", "{path} is no file with content.").format(path=path))
        return Saved(target, copy.files, copy.bytes, copy.left_out)


def safe_name(name: bytes, number: int = 1) -> str:
    """Return a name that a file of this machine may have: of one part, neither hidden nor a way up."""
    text = name[:NAME_BYTES].decode("utf-8", "replace")
    text = "".join("_" if letter == "/" or not letter.isprintable() else letter for letter in text)
    text = text.lstrip(". ").rstrip() or "unnamed"
    return text if number == 1 else f"{text} ({number})"


def free_path(directory: Path, name: bytes) -> Path:
    """Return a path in a directory under which nothing lies yet."""
    number = 1
    while os.path.lexists(path := directory / safe_name(name, number)):
        number += 1
    return path


class _NotWritten(Exception):
    """This machine could not write; what it says about it is the cause."""


class _Copy:
    def __init__(self, files: FileSystem, report: Report, cancel: threading.Event) -> None:
        self._source, self._report, self._cancel = files, report, cancel
        self.files = self.bytes = self.left_out = 0

    def file(self, node: Node, target: Path) -> None:
        """Write a file that does not exist yet; holes stay holes."""
        done = self.bytes
        with _writing():
            file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            for piece in reported(self._source, node, lambda read, _all: self._report(done + read)):
                self._stop()
                with _writing():
                    _put(file, piece)
            with _writing():
                os.ftruncate(file, node.size)
                os.fsync(file)
        finally:
            os.close(file)
        self.files += 1
        self.bytes += node.size

    def directory(self, node: Node, target: Path) -> None:
        """Fill a directory that exists and is empty."""
        seen: set[int] = set()
        waiting = [(node, target, 0)]
        while waiting:
            node, target, depth = waiting.pop()
            enter(seen, node.number, depth)
            if depth > DEEPEST:
                raise FilesystemError("directories lie too deep within one another to be saved")
            for link in self._source.links(node.number):
                self._stop()
                below = self._source.node(link.number)
                if below is not None and below.kind is Kind.DIRECTORY:
                    path = free_path(target, link.name)
                    with _writing():
                        path.mkdir()
                    waiting.append((below, path, depth + 1))
                elif below is not None and below.kind is Kind.FILE and not below.encrypted:
                    self.file(below, free_path(target, link.name))
                else:
                    self.left_out += 1

    def _stop(self) -> None:
        if self._cancel.is_set():
            raise Cancelled(QT_TRANSLATE_NOOP("errors", "Cancelled."))


def _put(file: int, piece: bytes) -> None:
    if piece.count(0) == len(piece):
        os.lseek(file, len(piece), os.SEEK_CUR)
        return
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(file, rest) :]


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Tell errors of this machine from those of the disk that is read."""
    try:
        yield
    except OSError as error:
        raise _NotWritten from error


@contextlib.contextmanager
def _written(target: Path) -> Iterator[None]:
    try:
        yield
    except _NotWritten as error:
        cause = error.__cause__
        reason = (cause.strerror if isinstance(cause, OSError) else None) or str(cause)
        text = QT_TRANSLATE_NOOP("errors", "{path} could not be written: {reason}. Nothing was left there.")
        raise Broken(text.format(path=target, reason=reason)) from error


def _beside(target: Path) -> Path:
    return target.with_name(f".snapgui-{secrets.token_hex(8)}")


@contextlib.contextmanager
def _file_beside(target: Path) -> Iterator[Path]:
    """Lend a name for a file that takes the place of another when it is whole."""
    path = _beside(target)
    try:
        yield path
        with _writing():
            path.replace(target)
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _directory_beside(target: Path) -> Iterator[Path]:
    path = _beside(target)
    with _writing():
        path.mkdir()
    try:
        yield path
        with _writing():
            path.rename(target)
    finally:
        shutil.rmtree(path, ignore_errors=True)
