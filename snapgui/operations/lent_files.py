"""Lends the files of a partition or an LVM volume as they were at a snapshot, or as they are now; mounts nothing."""

import contextlib
import threading
from collections.abc import Iterator, Mapping

from snapgui.hypervisor.connection import Connection
from snapgui.images.filesystems.filesystem import FileSystem, FilesystemError, Node, lookup
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.filesystems.section import Readable, Section
from snapgui.images.qcow2 import ImageError
from snapgui.model.errors import Broken, Gone, Refused
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.compare_blocks import DiskState, states_of, why_no_content
from snapgui.operations.facts import Facts
from snapgui.operations.file_places import sections_of, volume_at
from snapgui.operations.history import History
from snapgui.operations.image_access import layers_of
from snapgui.operations.interruptible import Interruptible
from snapgui.operations.live_view import live_view


@contextlib.contextmanager
def lent_filesystem(
    connection: Connection,
    facts: Facts,
    history: History,
    snapshot: str | None,
    place: str,
    cancel: threading.Event | None = None,
) -> Iterator[FileSystem]:
    """Lend what lies on a disk (``vda``), a partition of it (``vda1``) or an LVM volume (``group/volume``).

    Raises Gone, Broken where it cannot be read, Cancelled, and for the current state of a running VM Refused where that
    cannot be had, or Busy. A running VM does not stand still for it, but is held meanwhile.
    """
    if (why := why_no_content(facts, snapshot)) is not None:
        raise Refused(why)
    states = states_of(connection, facts, snapshot)
    wanted = states if "/" in place else _disk_of(states, place)
    with _readable(place), _lent(connection, facts, history, wanted) as disks:
        stoppable = {target: Interruptible(disk, cancel or threading.Event()) for target, disk in disks.items()}
        yield open_filesystem(_section(stoppable, place))


@contextlib.contextmanager
def lent_file(
    connection: Connection,
    facts: Facts,
    history: History,
    snapshot: str | None,
    place: str,
    path: str,
    cancel: threading.Event | None = None,
) -> Iterator[tuple[FileSystem, Node | None]]:
    """Lend a filesystem and what lies at a path of it, None where nothing does; symbolic links are not followed.

    ``path`` is text with surrogates for what is no UTF-8. Raises as ``lent_filesystem``.
    """
    with lent_filesystem(connection, facts, history, snapshot, place, cancel) as files:
        yield files, lookup(files, path.encode("utf-8", "surrogateescape"))


def _disk_of(states: Mapping[str, DiskState], place: str) -> dict[str, DiskState]:
    """Return the disk that a place belongs to; raise Gone where there is none."""
    target = max((name for name in states if place.startswith(name)), key=len, default="")
    number = place[len(target) :]
    if not target or (number and not number.isdecimal()):
        text = QT_TRANSLATE_NOOP("errors", "There is no disk or partition {place}; there are: {known}.")
        raise Gone(text.format(place=place, known=", ".join(sorted(states))))
    return {target: states[target]}


@contextlib.contextmanager
def _lent(
    connection: Connection, facts: Facts, history: History, states: Mapping[str, DiskState]
) -> Iterator[dict[str, Readable]]:
    live = {target: state.path for target, state in states.items() if state.live}
    if live:
        with live_view(connection, facts, history, live) as view:
            yield dict(view.disks)
        return
    with contextlib.ExitStack() as stack:
        found = {
            target: stack.enter_context(layers_of(connection, state.path, state.format, state.inside))
            for target, state in states.items()
        }
        yield dict(found)
        if not all(layers.unchanged() for layers in found.values()):
            raise ImageError("the snapshot was changed while it was read")


@contextlib.contextmanager
def _readable(place: str) -> Iterator[None]:
    try:
        yield
    except (FilesystemError, ImageError, OSError) as error:
        text = QT_TRANSLATE_NOOP("errors", "{place} could not be read: {reason}.")
        raise Broken(text.format(place=place, reason=str(error))) from error


def _section(disks: Mapping[str, Readable], place: str) -> Section:
    if place in disks:
        return Section(disks[place])
    sections = {name: found for target, disk in disks.items() for name, found in sections_of(target, disk).items()}
    found = volume_at(sections, place) if "/" in place else sections.get(place)
    if found is None:
        raise Gone(QT_TRANSLATE_NOOP("errors", "There is no partition {place}.").format(place=place))
    return found
