"""Lends the files of a partition as they were at a snapshot, or as they are in a VM that is off. Nothing is mounted."""

import contextlib
import threading
from collections.abc import Iterator

from snapgui.hypervisor.connection import Connection
from snapgui.images.filesystems.filesystem import FileSystem, FilesystemError, Node, lookup
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.filesystems.section import Readable, Section
from snapgui.images.partitions import partitions
from snapgui.images.qcow2 import ImageError
from snapgui.model.errors import Broken, Gone, Refused
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.compare_blocks import DiskState, states_of, why_no_content
from snapgui.operations.facts import Facts
from snapgui.operations.image_access import layers_of
from snapgui.operations.interruptible import Interruptible


@contextlib.contextmanager
def lent_filesystem(
    connection: Connection, facts: Facts, snapshot: str | None, place: str, cancel: threading.Event | None = None
) -> Iterator[FileSystem]:
    """Lend what lies on a disk (``vda``) or a partition of it (``vda1``).

    Raises Gone, Refused for the current state of a running VM, Broken where it cannot be read, and Cancelled.
    """
    if (why := why_no_content(facts, snapshot)) is not None:
        raise Refused(why)
    state, number = _state_at(states_of(connection, facts, snapshot), place)
    with _readable(place), layers_of(connection, state.path, state.format, state.inside) as layers:
        disk = Interruptible(layers, cancel or threading.Event())
        yield open_filesystem(_section(disk, number, place))
        if not layers.unchanged():
            raise ImageError("the snapshot was changed while it was read")


@contextlib.contextmanager
def lent_file(
    connection: Connection,
    facts: Facts,
    snapshot: str | None,
    place: str,
    path: str,
    cancel: threading.Event | None = None,
) -> Iterator[tuple[FileSystem, Node | None]]:
    """Lend a filesystem and what lies at a path of it, None where nothing does; symbolic links are not followed.

    ``path`` is text with surrogates for what is no UTF-8. Raises as ``lent_filesystem``.
    """
    with lent_filesystem(connection, facts, snapshot, place, cancel) as files:
        yield files, lookup(files, path.encode("utf-8", "surrogateescape"))


def _state_at(states: dict[str, DiskState], place: str) -> tuple[DiskState, int | None]:
    """Return the disk that a place belongs to, and the number of the partition; raise Gone where there is none."""
    target = max((name for name in states if place.startswith(name)), key=len, default="")
    number = place[len(target) :]
    if not target or (number and not number.isdecimal()):
        text = QT_TRANSLATE_NOOP("errors", "There is no disk or partition {place}; there are: {known}.")
        raise Gone(text.format(place=place, known=", ".join(sorted(states))))
    return states[target], int(number) if number else None


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
