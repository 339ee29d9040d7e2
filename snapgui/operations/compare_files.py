"""Which files of a VM differ between two snapshots, or a snapshot and now: by partition and filesystem.

What snapshots froze, and what a VM that is off has, is read as it lies there; a running VM has QEMU lend its disks.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from snapgui.hypervisor.connection import Connection
from snapgui.images.filesystems.changes import FileChange
from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.filesystem import FileSystem, FilesystemError
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.qcow2 import ImageError
from snapgui.model.errors import Refused
from snapgui.operations import frozen, result_cache
from snapgui.operations.compare_blocks import Pair, broken, opened_pairs, states_of, steady, why_no_content
from snapgui.operations.facts import Facts
from snapgui.operations.file_hashes import Hashes
from snapgui.operations.file_news import FilesDiffer, FilesystemDone, FilesystemFound, Tell
from snapgui.operations.file_places import DiskPair, FilePlace, places_of, volumes_of
from snapgui.operations.history import History
from snapgui.operations.interruptible import Interruptible
from snapgui.operations.kept_files import Recording, packed, unpacked

MOST_CHANGES = 2**20
"""Of one filesystem that are told; each takes some 600 bytes."""
BATCH, BATCH_S = 1000, 0.1
"""Changes are told together, but not later than this."""
Item = TypeVar("Item")


def compare_files(
    connection: Connection,
    facts: Facts,
    history: History,
    before: str,
    after: str | None,
    tell: Tell,
    *,
    content: bool = False,
    cancel: threading.Event | None = None,
) -> float:
    """Tell what differs, place by place, while it is found; return for how many seconds the guest stood still for it.

    ``content``: with the SHA-256 of each file. Raises Gone, Cancelled, Broken where an image cannot be read, and for
    the current state of a running VM Busy, or Refused where it cannot be had.
    """
    one, other = states_of(connection, facts, before), states_of(connection, facts, after)
    if (why := why_no_content(facts, after)) is not None:
        raise Refused(why)
    cancel = cancel or threading.Event()
    with (
        opened_pairs(connection, one, other) as opened,
        steady(connection, facts, history, opened, content=True) as (pairs, paused),
    ):
        for target in sorted(one.keys() ^ other.keys()):
            tell(FilesystemDone(target, "the disk is only there " + ("before" if target in one else "after")))
        key = _key(connection, facts, pairs, content=content) if after is not None else None
        known = None if key is None else result_cache.load(key)
        if known is not None and (kept := unpacked(known)) is not None:
            for news in kept:
                tell(news)
            return paused
        recording = Recording(tell)
        for place in _places(pairs, cancel):
            _compare_place(place, recording, content=content)
        for pair in pairs:
            with broken(pair.state.target):
                pair.refuse_changed()
    if key is not None and recording.news is not None:
        result_cache.store(key, packed(recording.news))
    return paused


def _key(connection: Connection, facts: Facts, pairs: Iterable[Pair], *, content: bool) -> str | None:
    """Return the name that the result for frozen states has in the cache; None where they cannot be told."""
    views = [view for pair in pairs for view in (pair.before, pair.after)]
    known = frozen.marks(connection, views)
    targets = [pair.state.target for pair in pairs]
    about = (connection.uri, facts.vm.uuid, str(content), *targets)
    return None if known is None else result_cache.key_of("files", (*about, *known))


def _places(pairs: Iterable[Pair], cancel: threading.Event) -> Iterator[FilePlace]:
    found: list[FilePlace] = []
    for pair in pairs:
        changed = pair.compared(content=False, report=_nobody, cancel=cancel).extents
        views = [Interruptible(view, cancel) for view in (pair.before, pair.content)]
        for place in places_of(DiskPair(pair.state.target, views[0], views[1], changed)):
            found.append(place)
            yield place
    yield from volumes_of(found)


def _nobody(_target: str, _done: int, _total: int) -> None:
    """Report to nobody."""


def _compare_place(place: FilePlace, tell: Recording, *, content: bool) -> None:
    problem = ""
    try:
        before, after = _opened(place)
        tell(_head(place.name, before, after))
        changes = _bounded(compare(before, after, place.changed))
        if content:
            changes = Hashes(place.name, before, after, tell).added(changes)
        for batch in _batches(changes):
            tell(FilesDiffer(place.name, batch))
    except FilesystemError as error:
        problem = str(error)
    except (ImageError, OSError) as error:
        problem = str(error)
        tell.forget()
    tell(FilesystemDone(place.name, problem))


def _opened(place: FilePlace) -> tuple[FileSystem, FileSystem]:
    """Return both views. Raises FilesystemError that says in which one something is wrong, if not in both."""
    if place.problem:
        raise FilesystemError(place.problem)
    if place.before is None or place.after is None:
        raise FilesystemError("the partition is only there " + ("before" if place.after is None else "after"))
    problems: dict[str, str] = {}
    found: list[FileSystem] = []
    for when, section in (("before", place.before), ("after", place.after)):
        try:
            found.append(open_filesystem(section))
        except (FilesystemError, ImageError, OSError) as error:
            problems[when] = str(error)
    if not problems:
        return found[0], found[1]
    if len(problems) == 2 and problems["before"] == problems["after"]:  # noqa: PLR2004
        raise FilesystemError(problems["before"])
    raise FilesystemError("; ".join(f"{when}: {problem}" for when, problem in problems.items()))


def _head(place: str, before: FileSystem, after: FileSystem) -> FilesystemFound:
    return FilesystemFound(
        place,
        after.name,
        after.label or before.label,
        before.unclean or after.unclean,
        tuple(dict.fromkeys((*before.remarks, *after.remarks))),
    )


def _bounded(changes: Iterable[FileChange]) -> Iterator[FileChange]:
    for count, change in enumerate(changes):
        if count >= MOST_CHANGES:
            raise FilesystemError(f"more than {MOST_CHANGES:,} files differ; the others are not told")
        yield change


def _batches(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    """Yield items together, as many as come in a moment. What came before an error is yielded before it is raised."""
    waiting: list[Item] = []
    began = time.monotonic()
    try:
        for item in items:
            waiting.append(item)
            if len(waiting) >= BATCH or time.monotonic() - began > BATCH_S:
                yield tuple(waiting)
                waiting, began = [], time.monotonic()
    except (FilesystemError, ImageError, OSError):
        if waiting:
            yield tuple(waiting)
        raise
    if waiting:
        yield tuple(waiting)
