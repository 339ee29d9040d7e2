"""Files that differ, packed by the worker that finds them: columns instead of objects. Knows nothing of Qt."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.changes import Aspect, FileChange, FileFacts
from snapgui.images.filesystems.filesystem import Kind
from snapgui.model.difference import Change
from snapgui.operations.file_news import FilesDiffer

CHANGES = tuple(Change)
KINDS = tuple(Kind)
ASPECTS = tuple(Aspect)
"""What the numbers in the columns stand for."""
NOTHING = 255
"""The kind of a side that does not have the file."""
_CHANGE = {change: number for number, change in enumerate(CHANGES)}
_KIND = {kind: number for number, kind in enumerate(KINDS)}
_ASPECT = {aspect: 1 << number for number, aspect in enumerate(ASPECTS)}
RECORD = np.dtype(
    [
        ("change", np.uint8),
        ("aspects", np.uint16),
        ("kind", np.uint8, 2),
        ("size", np.int64, 2),
        ("modified", np.int64, 2),
    ]
)
"""One file; pairs are (before, after). Sizes in bytes, times in nanoseconds since 1970."""
LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class FilesBatch:
    """Some files of one place. ``folders``: the directories that they lie in; ``folder``: which of them each lies in.

    ``elsewhere`` has, by place in the batch, the (directory, name) of those that lay elsewhere before.
    """

    place: str
    names: tuple[str, ...]
    folder: NDArray[np.int32]
    folders: tuple[str, ...]
    records: NDArray[np.void]
    elsewhere: dict[int, tuple[str, str]]


def packed(news: FilesDiffer) -> FilesBatch:
    """Return some news in columns."""
    folders: dict[str, int] = {}
    names, folder, elsewhere = [], [], {}
    records = np.zeros(len(news.changes), RECORD)
    for number, change in enumerate(news.changes):
        above, name = _split(change.path)
        names.append(name)
        folder.append(folders.setdefault(above, len(folders)))
        if change.path_before is not None:
            elsewhere[number] = _split(change.path_before)
        records[number] = _record(change)
    return FilesBatch(news.place, tuple(names), np.array(folder, np.int32), tuple(folders), records, elsewhere)


def _split(path: str) -> tuple[str, str]:
    """Return (directory, name); the uppermost directory is the empty text, and its name is empty, too."""
    above, _, name = path.rpartition("/")
    return above, name


def _record(change: FileChange) -> tuple[object, ...]:
    sides = (change.before, change.after)
    return (
        _CHANGE[change.change],
        sum(_ASPECT[aspect] for aspect in change.aspects),
        tuple(NOTHING if side is None else _KIND[side.kind] for side in sides),
        tuple(map(_size, sides)),
        tuple(0 if side is None else max(-LARGEST, min(LARGEST, side.mtime_ns)) for side in sides),
    )


def _size(file: FileFacts | None) -> int:
    """Return the size of what has content; directories and devices have none that means anything."""
    counts = file is not None and file.kind in {Kind.FILE, Kind.SYMLINK}
    return max(0, min(LARGEST // 2**20, file.size)) if counts and file is not None else 0
