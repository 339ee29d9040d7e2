"""Whether two files have the same content, read only where the places that they lie in leave a doubt."""

from collections.abc import Iterator

import numpy as np

from snapgui.images.filesystems.filesystem import FileSystem, Numbers
from snapgui.images.filesystems.ranges import Ranges

STEP_BYTES = 2**20
NOWHERE = -1
"""The place of zeros that are not stored; below it are no places either, but content that has to be read."""


def same_content(before: FileSystem, number_before: int, after: FileSystem, number_after: int, changed: Ranges) -> bool:
    """Whether two files of the same size have the same bytes. ``changed`` are places of the disk that may differ."""
    old, new = before.extents(number_before), after.extents(number_after)
    if old is None or new is None:
        return _same_throughout(before, number_before, after, number_after)
    return all(
        before.read(number_before, at, length) == after.read(number_after, at, length)
        for begin, end in doubtful(old, new, changed)
        for at, length in _steps(begin, end)
    )


def pieces(files: FileSystem, number: int, size: int) -> Iterator[bytes]:
    """Yield the content of a file of so many bytes."""
    for offset, length in _steps(0, size):
        yield files.read(number, offset, length)


def _same_throughout(before: FileSystem, number_before: int, after: FileSystem, number_after: int) -> bool:
    at = 0
    while True:
        old, new = before.read(number_before, at, STEP_BYTES), after.read(number_after, at, STEP_BYTES)
        if old != new:
            return False
        if not old:
            return True
        at += len(old)


def doubtful(old: Numbers, new: Numbers, changed: Ranges) -> Iterator[tuple[int, int]]:
    """Yield the ranges of the files that do not lie in the same unchanged place, and are not zeros in both."""
    edges = np.unique(np.concatenate([old[:, 0], old[:, 0] + old[:, 2], new[:, 0], new[:, 0] + new[:, 2]]))
    begins, lengths = edges[:-1], np.diff(edges)
    places, places_now = _places(old, begins), _places(new, begins)
    moved = (places != places_now) | (places < NOWHERE) | (places_now < NOWHERE)
    for index in np.flatnonzero(moved | changed.touched(places, places + lengths)).tolist():
        begin, place, length = int(begins[index]), int(places[index]), int(lengths[index])
        if moved[index]:
            yield begin, begin + length
        elif place >= 0:
            for low, high in changed.within(place, place + length):
                yield begin + low - place, begin + high - place


def _places(extents: Numbers, begins: Numbers) -> Numbers:
    """Return where on the disk some bytes of a file lie; -1 for those that lie nowhere and are zeros."""
    if len(extents) == 0:
        return np.full(len(begins), NOWHERE, dtype=np.int64)
    at = np.searchsorted(extents[:, 0], begins, "right") - 1
    into = begins - extents[at, 0]
    return np.where((at >= 0) & (into < extents[at, 2]), extents[at, 1] + into, NOWHERE)


def _steps(begin: int, end: int) -> Iterator[tuple[int, int]]:
    for at in range(begin, end, STEP_BYTES):
        yield at, min(STEP_BYTES, end - at)
