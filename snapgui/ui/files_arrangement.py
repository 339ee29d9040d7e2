"""Puts the files that match in order, as a tree with sums or as a list. Runs in a worker, and knows nothing of Qt."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapgui.model.difference import Change
from snapgui.ui.files_batch import CHANGES
from snapgui.ui.files_filter import FilesFilter, Mask, Stop, matching
from snapgui.ui.files_table import TOP, Frame
from snapgui.ui.name_ranks import ranks

ADDED, REMOVED, OTHERS = range(3)
"""Columns of the sums of a directory."""
_COLUMN = np.array([{Change.ADDED: ADDED, Change.REMOVED: REMOVED}.get(change, OTHERS) for change in CHANGES], np.int64)


class Order(Enum):
    """What the files are sorted by."""

    NAME = "name"
    CHANGE = "change"
    SIZE = "size"
    ASPECTS = "aspects"
    MODIFIED = "modified"


@dataclass(frozen=True, slots=True)
class Wish:
    """How the user wants to see the files. ``place``: the number of a filesystem, or -1 for all."""

    filter: FilesFilter = field(default_factory=FilesFilter)
    order: Order = Order.NAME
    descending: bool = False
    flat: bool = False
    place: int = -1
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class NameOrder:
    """The order of all names, kept as long as no rows are added and the sides are not exchanged."""

    key: tuple[int, int, bool]
    rows: NDArray[np.int64]
    directories: NDArray[np.int64]
    paths: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What is shown. ``items`` are rows, or directories as -1 - number; those of directory d are from ``starts[d]`` to
    ``starts[d + 1]``, and d itself is the ``position[d]``-th in the one above.

    ``sums`` and ``growth`` (bytes) say what became of everything below each directory. In a list, all lies in the top.
    """

    wish: Wish
    frame: Frame
    items: NDArray[np.int64]
    starts: NDArray[np.int64]
    position: NDArray[np.int64]
    sums: NDArray[np.int64]
    growth: NDArray[np.int64]
    matching: int
    names: NameOrder

    def inside(self, directory: int) -> NDArray[np.int64]:
        """Return the items of a directory, in order."""
        return self.items[self.starts[directory] : self.starts[directory + 1]]


def arranged(frame: Frame, wish: Wish, known: NameOrder | None, stop: Stop) -> Arrangement:
    """Return what is to be shown. ``known``: an order from before. ``stop`` raises where nobody wants to know."""
    found = matching(frame, wish.filter, stop)
    if wish.place >= 0:
        found &= frame.place[frame.folder] == wish.place
    stop()
    names = _names(frame, known, stop)
    stop()
    sums, growth = _sums(frame, found)
    stop()
    keys = _keys(frame, wish, names, growth)
    if wish.flat:
        above, items = _listed(found)
    else:
        above, items = _in_tree(frame, found, sums)
    stop()
    row_keys = [_of_items(items, *pair) for pair in keys]
    order = np.lexsort((*row_keys, above))
    items, above = items[order], above[order]
    starts = np.searchsorted(above, np.arange(frame.directories + 1))
    position = np.zeros(frame.directories, np.int64)
    shown = items < 0
    position[-1 - items[shown]] = np.flatnonzero(shown) - starts[above[shown]]
    return Arrangement(wish, frame, items, starts, position, sums, growth, int(found.sum()), names)


def _names(frame: Frame, known: NameOrder | None, stop: Stop) -> NameOrder:
    key = (frame.rows, frame.directories, frame.mirrored)
    if known is not None and known.key == key:
        return known
    names = [frame.name(row) for row in range(frame.rows)] if frame.moved else frame.names[: frame.rows]
    names += [frame.directory_name(number) for number in range(frame.directories)]
    found = ranks(names, len(names), stop)
    return NameOrder(key, found[: frame.rows], found[frame.rows :], ranks(frame.paths, frame.directories, stop))


def _sums(frame: Frame, found: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Add up what matches, from the deepest directories upwards."""
    sums, growth = np.zeros((frame.directories, 3), np.int64), np.zeros(frame.directories, np.int64)
    folder, column = frame.folder[found], _COLUMN[frame.change[found]]
    np.add.at(sums, (folder, column), 1)
    np.add.at(growth, folder, frame.size[found, 1] - frame.size[found, 0])
    for level in reversed(frame.levels()):
        np.add.at(sums, frame.above[level], sums[level])
        np.add.at(growth, frame.above[level], growth[level])
    return sums, growth


def _listed(found: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    items = np.flatnonzero(found)
    return np.full(len(items), TOP), items


def _in_tree(frame: Frame, found: Mask, sums: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (directory, item) of all that is shown; rows that are directories are shown as these."""
    own = frame.own
    themselves = own >= 0
    leaves = found.copy()
    leaves[own[themselves]] = False
    shown = np.asarray(sums.any(axis=1))
    shown[themselves] |= found[own[themselves]]
    shown[TOP] = False
    rows, directories = np.flatnonzero(leaves), np.flatnonzero(shown)
    return np.r_[frame.folder[rows], frame.above[directories]].astype(np.int64), np.r_[rows, -1 - directories]


Pair = tuple[NDArray[np.int64], NDArray[np.int64]]
"""A key of rows, and one of directories."""


def _keys(frame: Frame, wish: Wish, names: NameOrder, growth: NDArray[np.int64]) -> list[Pair]:
    """Return what is sorted by, the most important last."""
    sign = -1 if wish.descending else 1
    by_name: list[Pair] = [(names.rows, names.directories)]
    if wish.flat:
        by_name.append((names.paths[frame.folder], names.paths))
    nothing = np.zeros(frame.directories, np.int64)
    if wish.order is Order.NAME:
        signed = [(sign * rows, sign * directories) for rows, directories in by_name]
        return [*signed, (np.ones(frame.rows, np.int64), nothing)]
    if wish.order is Order.CHANGE:
        own: Pair = (frame.change.astype(np.int64), _of_own(frame, frame.change, -1))
    elif wish.order is Order.SIZE:
        own = (np.abs(frame.size[:, 1] - frame.size[:, 0]), np.abs(growth))
    elif wish.order is Order.ASPECTS:
        own = (frame.aspects.astype(np.int64), _of_own(frame, frame.aspects, -1))
    else:
        latest = frame.modified.max(axis=1)
        own = (latest, _of_own(frame, latest, 0))
    return [*by_name, (sign * own[0], sign * own[1])]


def _of_own(frame: Frame, values: NDArray[Any], otherwise: int) -> NDArray[np.int64]:
    """Return for each directory what its own row has."""
    found = np.full(frame.directories, otherwise, np.int64)
    found[frame.own >= 0] = values[frame.own[frame.own >= 0]]
    return found


def _of_items(items: NDArray[np.int64], rows: NDArray[np.int64], directories: NDArray[np.int64]) -> NDArray[np.int64]:
    found = np.zeros(len(items), np.int64)
    is_row = items >= 0
    found[is_row] = rows[items[is_row]]
    found[~is_row] = directories[-1 - items[~is_row]]
    return found
