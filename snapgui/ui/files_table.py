"""All files that differ, held once and compactly: rows are only added. Both orders of the two sides can be read.

Knows nothing of Qt. The window's thread adds; workers read what was there when they were asked (``Frame``).
"""

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.filesystem import Kind
from snapgui.model.difference import Change
from snapgui.ui.files_batch import CHANGES, KINDS, RECORD, FilesBatch

TOP = 0
"""The directory above those of all places."""
_DIRECTORY = KINDS.index(Kind.DIRECTORY)
_MIRRORED = np.arange(len(CHANGES), dtype=np.uint8)
_MIRRORED[[CHANGES.index(Change.ADDED), CHANGES.index(Change.REMOVED)]] = [
    CHANGES.index(Change.REMOVED),
    CHANGES.index(Change.ADDED),
]


class Column:
    """A row of numbers that grows; what was read of it stays as it was."""

    def __init__(self, kind: Any) -> None:
        self._room: NDArray[Any] = np.empty(1024, kind)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, values: object, count: int) -> None:
        """Add some values, or ``count`` times one."""
        if self._length + count > len(self._room):
            wider = np.empty(2 * (self._length + count), self._room.dtype)
            wider[: self._length] = self._room[: self._length]
            self._room = wider
        self._room[self._length : self._length + count] = values
        self._length += count

    def __setitem__(self, number: int, value: object) -> None:
        self._room[number] = value

    def read(self) -> NDArray[Any]:
        """Return what is there now."""
        return self._room[: self._length]


@dataclass(frozen=True, slots=True)
class Frame:
    """The table as it was at one moment, seen from one side. Names of rows: ``moved`` wins over ``names``.

    ``folder``: the directory that each row lies in; ``own``: the row of each directory that differs itself, or -1.
    ``place``: the place of each directory.
    """

    rows: int
    directories: int
    mirrored: bool
    names: list[str]
    moved: dict[int, str]
    paths: list[str]
    folder: NDArray[np.int32]
    own: NDArray[np.int32]
    above: NDArray[np.int32]
    depth: NDArray[np.int32]
    place: NDArray[np.int32]
    change: NDArray[np.uint8]
    aspects: NDArray[np.uint16]
    kind: NDArray[np.uint8]
    size: NDArray[np.int64]
    modified: NDArray[np.int64]

    def levels(self) -> list[NDArray[np.int64]]:
        """Return the directories below the top, by how deep they lie."""
        order = np.argsort(self.depth, kind="stable")
        edges = np.searchsorted(self.depth[order], np.arange(1, int(self.depth.max()) + 2))
        return [order[begin:end] for begin, end in itertools.pairwise(edges)]

    def name(self, row: int) -> str:
        """Return the name of a row."""
        return self.moved.get(row) or self.names[row]

    def directory_name(self, directory: int) -> str:
        """Return the last part of a directory's path."""
        return self.paths[directory].rpartition("/")[2]

    def path(self, row: int) -> str:
        """Return the whole path of a row."""
        return f"{self.paths[self.folder[row]]}/{self.name(row)}"


@dataclass(slots=True)
class FilesTable:
    """Rows are numbered as they come, directories, too; a directory comes after the one above it."""

    places: list[str] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    """The uppermost directory of each place."""
    _names: list[str] = field(default_factory=list)
    _elsewhere: dict[int, tuple[int, str]] = field(default_factory=dict)
    """(directory, name) of rows whose older path is another one."""
    _moved: dict[int, str] = field(default_factory=dict)
    _paths: list[str] = field(default_factory=lambda: [""])
    _place_of: Column = field(default_factory=lambda: Column(np.int32))
    _known: list[dict[str, int]] = field(default_factory=list)
    _records: Column = field(default_factory=lambda: Column(RECORD))
    _folder: tuple[Column, Column] = field(default_factory=lambda: (Column(np.int32), Column(np.int32)))
    _own: tuple[Column, Column] = field(default_factory=lambda: (Column(np.int32), Column(np.int32)))
    _above: Column = field(default_factory=lambda: Column(np.int32))
    _depth: Column = field(default_factory=lambda: Column(np.int32))

    def __post_init__(self) -> None:
        self._add_directory(-1, 0, -1)

    def __len__(self) -> int:
        return len(self._names)

    def place(self, name: str) -> int:
        """Return the number of a place, a new one where it was not known."""
        if name not in self.places:
            self.places.append(name)
            self._known.append({})
            self._paths.append("")
            self.roots.append(self._add_directory(TOP, 1, len(self.places) - 1))
            self._known[-1][""] = self.roots[-1]
        return self.places.index(name)

    def add(self, batch: FilesBatch) -> None:
        """Take some more rows."""
        place, first = self.place(batch.place), len(self)
        folders = np.array([self._directory(place, path) for path in batch.folders], np.int32)
        within = folders[batch.folder]
        self._names.extend(batch.names)
        self._records.add(batch.records, len(batch.names))
        self._folder[1].add(within, len(batch.names))
        self._folder[0].add(within, len(batch.names))
        for number, (above, name) in batch.elsewhere.items():
            self._folder[0][first + number] = self._directory(place, above)
            self._moved[first + number] = name
        self._note_directories(place, first, batch)

    def directory_at(self, place: int, path: str) -> int | None:
        """Return the number of a directory by its path, without a slash at its end."""
        return self._known[place].get(path)

    def place_of(self, directory: int) -> int:
        """Return the number of the place that a directory belongs to; -1 for the one above all."""
        return int(self._place_of.read()[directory])

    def other_path(self, row: int, *, mirrored: bool) -> str | None:
        """Return where a row was on the other side, if elsewhere."""
        if row not in self._moved:
            return None
        one, other = (self.frame(mirrored=each).path(row) for each in (mirrored, not mirrored))
        return None if one == other else other

    def frame(self, *, mirrored: bool) -> Frame:
        """Return what is there now; ``mirrored``: with the sides exchanged."""
        records = self._records.read()
        change = records["change"]
        sides = slice(None, None, -1) if mirrored else slice(None)
        return Frame(
            rows=len(self._names),
            directories=len(self._paths),
            mirrored=mirrored,
            names=self._names,
            moved=self._moved if mirrored else {},
            paths=self._paths,
            folder=self._folder[not mirrored].read(),
            own=self._own[not mirrored].read(),
            above=self._above.read(),
            depth=self._depth.read(),
            place=self._place_of.read(),
            change=_MIRRORED[change] if mirrored else change,
            aspects=records["aspects"],
            kind=records["kind"][:, sides],
            size=records["size"][:, sides],
            modified=records["modified"][:, sides],
        )

    def _note_directories(self, place: int, first: int, batch: FilesBatch) -> None:
        """Rows of directories stand for these themselves."""
        for number in np.flatnonzero((batch.records["kind"] == _DIRECTORY).any(axis=1)).tolist():
            row, newer = first + number, batch.folders[batch.folder[number]]
            above, name = batch.elsewhere.get(number, (newer, batch.names[number]))
            for own, folder, last in ((self._own[0], above, name), (self._own[1], newer, batch.names[number])):
                directory = self._directory(place, f"{folder}/{last}" if folder or last else "")
                if own.read()[directory] < 0:
                    own[directory] = row

    def _directory(self, place: int, path: str) -> int:
        known = self._known[place]
        missing = []
        while path not in known:
            missing.append(path)
            path = path.rpartition("/")[0]
        directory = known[path]
        for new in reversed(missing):
            self._paths.append(new)
            directory = known[new] = self._add_directory(directory, int(self._depth.read()[directory]) + 1, place)
        return directory

    def _add_directory(self, above: int, depth: int, place: int) -> int:
        for column, value in ((self._above, above), (self._depth, depth), (self._place_of, place)):
            column.add(value, 1)
        for own in self._own:
            own.add(-1, 1)
        return len(self._above) - 1
