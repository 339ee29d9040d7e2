"""Whole pieces of the master file table at once: its records put right, their attributes, and where those lie.

A record that cannot be so is marked ``odd`` rather than refused: whoever reads it alone is told.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.filesystem import Numbers
from snapgui.images.filesystems.ntfs_layout import STRIDE
from snapgui.images.filesystems.ntfs_mft import MasterTable
from snapgui.images.filesystems.ntfs_record import END, FILE_NAME, IN_USE, IS_DIRECTORY

Table = NDArray[np.uint8]
Mask = NDArray[np.bool_]

CHUNK_BYTES = 4 * 2**20
_FILE = int.from_bytes(b"FILE", "little")
_SHORTEST_ATTRIBUTE, _SHORTEST_ELSEWHERE = 24, 64
_WIDEST = 8
"""Bytes of a number in mapping pairs."""
_LARGEST = 2**40
"""Clusters of a run, and of what lies before it; more are odd."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """Attributes of many records: index of the row, place in it, kind, length, whether content is outside."""

    rows: Numbers
    places: Numbers
    kinds: Numbers
    lengths: Numbers
    outside: Mask

    @classmethod
    def together(cls, pieces: list["Attributes"]) -> "Attributes":
        """Return those of all pieces."""
        if not pieces:
            none = np.empty(0, np.int64)
            return cls(none, none, none, none, none.astype(bool))
        return cls(
            np.concatenate([each.rows for each in pieces]),
            np.concatenate([each.places for each in pieces]),
            np.concatenate([each.kinds for each in pieces]),
            np.concatenate([each.lengths for each in pieces]),
            np.concatenate([each.outside for each in pieces]),
        )

    def chosen(self, mask: Mask) -> "Attributes":
        """Return some of them."""
        return Attributes(self.rows[mask], self.places[mask], self.kinds[mask], self.lengths[mask], self.outside[mask])


class Rows:
    """Records ``first`` and those behind it; ``raw`` are their bytes as they lie on the disk."""

    def __init__(self, first: int, raw: bytes, record_bytes: int) -> None:
        self.first = first
        self.table: Table = np.frombuffer(raw, np.uint8).reshape(-1, record_bytes).copy()
        self.indexes: Numbers = np.arange(len(self.table), dtype=np.int64)
        self.records: Mask = self._words(0) == _FILE
        self.odd: Mask = self.records & ~self._mended()

    @cached_property
    def in_use(self) -> Mask:
        """Which are in use."""
        found: Mask = self.records & (self.halves(0x16) & IN_USE != 0)
        return found

    @cached_property
    def numbers(self) -> Numbers:
        """The numbers of records, by row and sequence number."""
        return (self.first + self.indexes) << 16 | self.halves(0x10)

    @cached_property
    def bases(self) -> Numbers:
        """The numbers of the records that they go on with, 0 for none."""
        row = self._words(0x20) | self.halves(0x24) << 32
        return row << 16 | self.halves(0x26)

    @cached_property
    def owners(self) -> Numbers:
        """The numbers of the files that they belong to."""
        return np.where(self.bases == 0, self.numbers, self.bases)

    @cached_property
    def directories(self) -> Mask:
        """Which are directories."""
        found: Mask = self.in_use & (self.bases == 0) & (self.halves(0x16) & IS_DIRECTORY != 0)
        return found

    @cached_property
    def attributes(self) -> Attributes:
        """All attributes of records in use."""
        words = self.table.view("<u4")
        width, places = self.table.shape[1], self.halves(0x14)
        active, found = self.indexes[self.in_use], []
        while len(active):
            at = places[active]
            fits = (at % 8 == 0) & (at + 4 <= width)
            self.odd[active[~fits]] = True
            active, at = active[fits], at[fits]
            kinds = words[active, at // 4].astype(np.int64)
            active, at, kinds = active[kinds != END], at[kinds != END], kinds[kinds != END]
            lengths = words[active, np.minimum(at // 4 + 1, width // 4 - 1)].astype(np.int64)
            fits = (lengths >= _SHORTEST_ATTRIBUTE) & (at + lengths <= width)
            self.odd[active[~fits]] = True
            active, at, kinds, lengths = active[fits], at[fits], kinds[fits], lengths[fits]
            outside = self.table[active, at + 8] != 0
            self.odd[active[outside & (lengths < _SHORTEST_ELSEWHERE)]] = True
            found.append(Attributes(active, at, kinds, lengths, outside & (lengths >= _SHORTEST_ELSEWHERE)))
            places[active] = at + lengths
        return Attributes.together(found)

    def within(self, directory: int) -> Mask:
        """Which records have a name in one directory, by the row of that."""
        names = self.attributes.chosen((self.attributes.kinds == FILE_NAME) & ~self.attributes.outside)
        value_at = np.minimum(names.places + 0x18, self.table.shape[1] - 8)
        parents = self.table.view("<u4")[names.rows, value_at // 4].astype(np.int64)
        found = np.zeros(len(self.table), dtype=bool)
        found[names.rows[parents == directory]] = True
        return found

    def runs(self, chosen: Attributes) -> Numbers:
        """Return rows (index of the attribute, cluster of the disk, count) of attributes that lie outside."""
        at = chosen.places + self._halves_at(chosen.rows, chosen.places + 32)
        ends = chosen.places + chosen.lengths
        active, place = np.arange(len(at), dtype=np.int64), np.zeros(len(at), np.int64)
        flat, width = np.append(self.table.ravel(), np.zeros(16, np.uint8)), self.table.shape[1]
        found = [np.empty((0, 3), np.int64)]
        while len(active):
            here = at[active]
            heads = np.where(
                here < ends[active], flat[np.minimum(chosen.rows[active] * width + here, flat.size - 1)], 0
            )
            active, here, heads = active[heads != 0], here[heads != 0], heads[heads != 0].astype(np.int64)
            counted, placed = heads & 15, heads >> 4
            begin = chosen.rows[active] * width + here + 1
            counts = _signed(flat, begin, counted)
            place[active] += _signed(flat, begin + counted, placed)
            fits = (
                (counted > 0)
                & (counted <= _WIDEST)
                & (placed <= _WIDEST)
                & (here + 1 + counted + placed <= ends[active])
            )
            fits &= (counts > 0) & (counts < _LARGEST) & (place[active] >= 0) & (place[active] < _LARGEST)
            self.odd[chosen.rows[active[~fits]]] = True
            there = active[fits & (placed > 0)]
            found.append(np.stack([there, place[there], counts[fits & (placed > 0)]], axis=1))
            at[active] = here + 1 + counted + placed
            active = active[fits]
        return np.concatenate(found)

    def halves(self, at: int) -> Numbers:
        """Return fields of 16 bits of all rows."""
        return self.table.view("<u2")[:, at // 2].astype(np.int64)

    def _words(self, at: int) -> Numbers:
        return self.table.view("<u4")[:, at // 4].astype(np.int64)

    def _halves_at(self, rows: Numbers, places: Numbers) -> Numbers:
        return self.table[rows, places].astype(np.int64) | self.table[rows, places + 1].astype(np.int64) << 8

    def _mended(self) -> Mask:
        """Put back the words that protect records, clear them where they stood; tell which were written whole."""
        words_at, strides = self.halves(4), self.table.shape[1] // STRIDE
        fits: Mask = (words_at + 2 * (strides + 1) <= STRIDE - 2) & (words_at % 2 == 0) & self.records
        fits &= self.halves(6) == strides + 1
        halves = self.table.view("<u2")
        rows, first = self.indexes[fits], words_at[fits] // 2
        whole = np.ones(len(rows), dtype=bool)
        for number in range(1, strides + 1):
            end = number * STRIDE // 2 - 1
            whole &= halves[rows, end] == halves[rows, first]
            halves[rows, end] = halves[rows, first + number]
        for number in range(strides + 1):
            halves[rows, first + number] = 0
        fits[rows[~whole]] = False
        return fits


def rows_of(table: MasterTable, begin: int = 0) -> Iterator[Rows]:
    """Yield all records from one on, some thousands at a time."""
    size = table.layout.record_bytes
    at_once = CHUNK_BYTES // size
    for first in range(begin, table.records, at_once):
        yield Rows(first, table.read(first, min(at_once, table.records - first)), size)


def _signed(flat: Table, at: Numbers, width: Numbers) -> Numbers:
    """Return numbers of 0 to 8 bytes at places of a row of bytes; 0 for wider ones."""
    places = np.minimum(at[:, None] + np.arange(8), flat.size - 1)
    there = np.arange(8) < np.where(width <= _WIDEST, width, 0)[:, None]
    raw = np.where(there, flat[places], 0).astype(np.uint8)
    found = np.ascontiguousarray(raw).view("<i8")[:, 0]
    shift = 64 - 8 * np.clip(width, 1, 8)
    result: Numbers = (found << shift) >> shift
    return np.where(width <= _WIDEST, result, 0)
