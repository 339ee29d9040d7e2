"""Read one file of a VM's disk as it was at a snapshot, or as it is now. Nothing is mounted."""

import contextlib
from collections.abc import Iterator

from snapgui.hypervisor.connection import Connection
from snapgui.images.filesystems.filesystem import FileSystem, FilesystemError, Kind, Node
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.filesystems.section import Readable, Section
from snapgui.images.partitions import partitions
from snapgui.images.qcow2 import ImageError
from snapgui.model.errors import Broken, Gone, Refused
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.compare_blocks import DiskState, states_of, why_no_content
from snapgui.operations.facts import Facts
from snapgui.operations.history import History
from snapgui.operations.image_access import layers_of
from snapgui.operations.live_view import live_view

PIECE = 2**20
MOST_LINKS = 40
"""Symbolic links that are followed on the way to a file, as the kernel counts them; more go round in circles."""


def read_file(
    connection: Connection, facts: Facts, history: History, snapshot: str | None, place: str, path: str
) -> Iterator[bytes]:
    """Yield the content of a file in pieces; ``place`` is a disk (``vda``) or a partition of it (``vda1``).

    Symbolic links are followed within the filesystem. Raises Gone, Refused, or Broken where it cannot be read.
    A running VM does not stand still for it, but is held meanwhile: raises Busy where it cannot be.
    """
    if (why := why_no_content(facts, snapshot)) is not None:
        raise Refused(why)
    states = states_of(connection, facts, snapshot)
    target = max((name for name in states if place.startswith(name)), key=len, default="")
    number = place[len(target) :]
    if not target or (number and not number.isdecimal()):
        text = QT_TRANSLATE_NOOP("errors", "There is no disk or partition {place}; there are: {known}.")
        raise Gone(text.format(place=place, known=", ".join(sorted(states))))
    with _readable(place), _opened(connection, facts, history, states[target]) as disk:
        files = open_filesystem(_section(disk, int(number) if number else None, place))
        node = _found(files, path)
        for offset in range(0, node.size, PIECE):
            yield files.read(node.number, offset, min(PIECE, node.size - offset))


@contextlib.contextmanager
def _opened(connection: Connection, facts: Facts, history: History, state: DiskState) -> Iterator[Readable]:
    if state.live:
        with live_view(connection, facts, history, {state.target: state.path}) as view:
            yield view.disks[state.target]
        return
    with layers_of(connection, state.path, state.format, state.inside) as layers:
        yield layers
        if not layers.unchanged():
            raise ImageError("the snapshot was changed while it was read")


@contextlib.contextmanager
def _readable(place: str) -> Iterator[None]:
    try:
        yield
    except (FilesystemError, ImageError, OSError) as error:
        text = QT_TRANSLATE_NOOP("errors", "{place} could not be read: {reason}.")
        raise Broken(text.format(place=place, reason=str(error))) from error


def _section(disk: Readable, number: int | None, place: str) -> Section:
    if number is None:
        return Section(disk)
    found = next((each for each in partitions(disk.read, disk.virtual_bytes) if each.number == number), None)
    if found is None:
        raise Gone(QT_TRANSLATE_NOOP("errors", "There is no partition {place}.").format(place=place))
    return Section(disk, found.start, found.length)


def _found(files: FileSystem, path: str) -> Node:
    """Walk down from the root; raise Gone, or Refused for what has no content."""
    missing = QT_TRANSLATE_NOOP("errors", "There is no file {path}.").format(path=path)
    waiting = [
        part for part in reversed(path.encode("utf-8", "surrogateescape").split(b"/")) if part not in {b"", b"."}
    ]
    way = [files.root]
    links = 0
    while waiting:
        part = waiting.pop()
        if part == b"..":
            way = way[:-1] or [files.root]
            continue
        number = next((link.number for link in files.links(way[-1]) if link.name == part), None)
        node = None if number is None else files.node(number)
        if node is None:
            raise Gone(missing)
        if node.kind is Kind.SYMLINK:
            links += 1
            if links > MOST_LINKS:
                raise Gone(missing)
            way = [files.root] if node.target.startswith(b"/") else way
            waiting += _parts(node.target)
            continue
        if waiting and node.kind is not Kind.DIRECTORY:
            raise Gone(missing)
        way.append(node.number)
    node = files.node(way[-1])
    if node is None or node.kind is not Kind.FILE:
        raise Refused(QT_TRANSLATE_NOOP("errors", "{path} is no file with content.").format(path=path))
    return node


def _parts(path: bytes) -> list[bytes]:
    """Return the parts of a path, the last one first."""
    return [part for part in reversed(path.split(b"/")) if part not in {b"", b"."}]
