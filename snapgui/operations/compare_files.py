"""Which files of a VM differ between two snapshots, or a snapshot and now: by partition and filesystem.

Only what snapshots froze, or what a VM that is off has, can be read: a running guest writes on while it is looked at.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from snapgui.hypervisor.connection import Connection
from snapgui.images.difference import Extents
from snapgui.images.filesystems.changes import FileChange
from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.filesystem import FilesystemError
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.filesystems.section import Section
from snapgui.images.partitions import Partition, partitions
from snapgui.images.qcow2 import ImageError
from snapgui.model.errors import Cancelled, Refused
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.compare_blocks import Pair, broken, opened_pairs, states_of, why_no_content
from snapgui.operations.facts import Facts


@dataclass(frozen=True, slots=True)
class FilesystemDifference:
    """What became of the files of one filesystem. ``unclean``: changes of the last seconds may be missing.

    ``problem`` says why its files could not be compared; then there are no changes.
    """

    filesystem: str = ""
    unclean: bool = False
    remarks: tuple[Text, ...] = ()
    changes: tuple[FileChange, ...] = ()
    problem: str = ""


def compare_files(
    connection: Connection, facts: Facts, before: str, after: str | None, cancel: threading.Event | None = None
) -> dict[str, FilesystemDifference]:
    """Return the difference by partition (``vda1``), or by disk where that has none.

    Raises Gone, Cancelled, Broken where an image cannot be read, and Refused for the current state of a running VM.
    """
    one, other = states_of(connection, facts, before), states_of(connection, facts, after)
    if (why := why_no_content(facts, after)) is not None:
        raise Refused(why)
    found: dict[str, FilesystemDifference] = {}
    with opened_pairs(connection, one, other) as pairs:
        for pair in pairs:
            changed = pair.compared(content=False, report=_nobody, cancel=cancel).extents
            for name, start, length in _places(pair):
                if cancel is not None and cancel.is_set():
                    raise Cancelled(QT_TRANSLATE_NOOP("errors", "Cancelled."))
                found[name] = _compared(pair, changed, start, length)
            with broken(pair.state.target):
                pair.refuse_changed()
    return found


def _nobody(_target: str, _done: int, _total: int) -> None:
    """Report to nobody."""


def _places(pair: Pair) -> Iterator[tuple[str, int, int | None]]:
    """Yield (name, start, length) of each partition; a disk without any is one place."""
    target = pair.state.target
    listed = [_partitions(pair, later=later) for later in (True, False)]
    known: dict[int, Partition] = {}
    for each in (*listed[0], *listed[1]):
        known.setdefault(each.number, each)
    if not known:
        yield target, 0, None
    for number, each in sorted(known.items()):
        yield f"{target}{number}", each.start, each.length


def _partitions(pair: Pair, *, later: bool) -> tuple[Partition, ...]:
    view = pair.after if later else pair.before
    try:
        return partitions(view.read, view.virtual_bytes)
    except (ImageError, OSError):
        return ()


def _compared(pair: Pair, changed: Extents, start: int, length: int | None) -> FilesystemDifference:
    try:
        views = [open_filesystem(Section(view, start, length)) for view in (pair.before, pair.after)]
        size = Section(pair.after, start, length).size
        changes = tuple(compare(views[0], views[1], _within(changed, start, size)))
    except (FilesystemError, ImageError, OSError) as error:
        return FilesystemDifference(problem=str(error))
    return FilesystemDifference(
        views[1].name,
        any(view.unclean for view in views),
        tuple(dict.fromkeys(remark for view in views for remark in view.remarks)),
        changes,
    )


def _within(changed: Extents, start: int, size: int) -> Ranges:
    """Return what may differ as places of a partition."""
    first, last = changed[:, 0] - start, changed[:, 0] + changed[:, 1] - start
    pairs = changed.copy()
    pairs[:, 0], pairs[:, 1] = first.clip(0, size), last.clip(0, size)
    return Ranges(pairs[pairs[:, 0] < pairs[:, 1]])
