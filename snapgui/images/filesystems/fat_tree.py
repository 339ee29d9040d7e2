"""All files of a FAT or exFAT filesystem as columns: what each entry says, where it lies, the number it is known by."""

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.fat_directories import Directories, Level, runs
from snapgui.images.filesystems.fat_layout import FIRST, Layout
from snapgui.images.filesystems.fat_names import exfat_moment, exfat_name, long_name, moment, short_name
from snapgui.images.filesystems.fat_slots import (
    DIRECTORY,
    Found,
    Slots,
    exfat_files,
    fat_files,
    halves,
    label,
    words,
)
from snapgui.images.filesystems.fat_table import Table
from snapgui.images.filesystems.filesystem import DEEPEST, Disk, FilesystemError, Numbers

ROOT = 1
"""The number of the uppermost directory; clusters begin with 2."""
ENTRIES_FROM = 2**40
"""Numbers of files that have no cluster of their own: by where on the disk their entry stands."""
USERS_FLAGS = 0x27
"""Read only, hidden, system, to be archived."""
_TOP = -1
_CONTIGUOUS = 2


class Tree:
    """Columns have a row for each file; those of one directory follow each other, and ``above`` is the row of that.

    ``rows`` are (offset in the file, place on the disk, length), and those of file ``n`` begin with ``row_at[n]``.
    Files that are longer than their clusters are as long as those. ``damaged``: that, or something like it, was found.
    """

    def __init__(self, disk: Disk, layout: Layout, table: Table) -> None:
        self.layout = layout
        self.damaged = False
        directories = Directories(disk, layout, table)
        level = directories.uppermost()
        self.label = label(level.slots, exfat=layout.exfat) or layout.label
        levels, above = [level], [np.full(1, _TOP)]
        found = [self._found(level)]
        files = len(found[0].at)
        while len(entered := self._directories(levels[-1], found[-1])):
            if len(levels) > DEEPEST:
                raise FilesystemError("directories lie too deep within one another")
            above.append(files - len(found[-1].at) + entered)
            levels.append(self._read(directories, levels[-1].slots, found[-1].at[entered]))
            found.append(self._found(levels[-1]))
            files += len(found[-1].at)
        self._join(levels, found, above)
        self.numbers = self._numbers()
        self._order = np.argsort(self.numbers, kind="stable")
        self._sorted = self.numbers[self._order]
        self._lay_out(table)

    def index(self, number: int) -> int | None:
        """Return the row of a number; None where there is none."""
        at = int(np.searchsorted(self._sorted, number))
        return int(self._order[at]) if at < len(self._sorted) and self._sorted[at] == number else None

    def below(self, row: int) -> range:
        """Return the rows of what lies in a directory; in the uppermost one for -1."""
        return range(int(np.searchsorted(self.above, row)), int(np.searchsorted(self.above, row, "right")))

    def number_above(self, rows: Numbers) -> Numbers:
        """Return the numbers of the directories that files lie in."""
        return np.where(rows < 0, ROOT, self.numbers[rows]) if len(self.numbers) else np.full(len(rows), ROOT)

    def name(self, row: int) -> bytes:
        """Return the name of a file. Raises FilesystemError where that cannot be one."""
        at, count = int(self.at[row]), int(self.long[row])
        if self.layout.exfat:
            return exfat_name(self.slots[at + 2 : at + 2 + count].tobytes(), int(self.slots[at + 1, 3]))
        long = long_name(self.slots[at - count : at][::-1].tobytes()) if count else b""
        return long or short_name(self.slots[at].tobytes())

    def times(self, row: int) -> tuple[int, int]:
        """Return when a file was made (0 where that is not known), and when it was modified."""
        slot = self.slots[self.at[row]].tobytes()
        if self.layout.exfat:
            made, modified = (int.from_bytes(slot[at : at + 4], "little") for at in (8, 12))
            return exfat_moment(made, slot[20], slot[22]), exfat_moment(modified, slot[21], slot[23])
        time, day, mtime, mday = (int.from_bytes(slot[at : at + 2], "little") for at in (14, 16, 22, 24))
        return moment(day, time, slot[13]), moment(mday, mtime)

    def _found(self, level: Level) -> Found:
        if self.layout.exfat:
            found = exfat_files(level.slots, np.searchsorted(level.homes, level.homes, "right"))
        else:
            found = fat_files(level.slots, np.searchsorted(level.homes, level.homes))
        self.damaged |= found.damaged
        return found

    def _directories(self, level: Level, found: Found) -> Numbers:
        """Return which of the files on a level are directories that have something in them."""
        slots = level.slots[found.at]
        is_directory = slots[:, self._flags_at] & DIRECTORY != 0
        firsts = self._firsts(level.slots, found.at)
        empty = firsts == 0 if self.layout.exfat else np.zeros(len(firsts), dtype=bool)
        there = (firsts >= FIRST) & (firsts < self.layout.clusters + FIRST)
        self.damaged |= bool(np.any(is_directory & ~there & ~empty))
        return np.flatnonzero(is_directory & there)

    def _read(self, directories: Directories, slots: Slots, at: Numbers) -> Level:
        firsts = self._firsts(slots, at)
        if not self.layout.exfat:
            return directories.read(firsts, np.full(len(at), 2**62), np.zeros(len(at), dtype=bool))
        return directories.read(firsts, _longs(slots[at + 1], 24), slots[at + 1, 1] & _CONTIGUOUS != 0)

    def _firsts(self, slots: Slots, at: Numbers) -> Numbers:
        if self.layout.exfat:
            return words(slots[at + 1], 20)
        upper = halves(slots[at], 20) << 16 if self.layout.bits == 32 else 0  # noqa: PLR2004 - others have no such
        return halves(slots[at], 26) | upper

    @property
    def _flags_at(self) -> int:
        return 4 if self.layout.exfat else 11

    def _join(self, levels: list[Level], found: list[Found], above: list[Numbers]) -> None:
        """Put the columns of all levels one behind the other."""
        begins = np.cumsum([0, *(len(level.slots) for level in levels[:-1])])
        self.slots = np.concatenate([level.slots for level in levels])
        self.at = np.concatenate([each.at + begin for each, begin in zip(found, begins, strict=True)])
        self.long = np.concatenate([each.long for each in found])
        self.above = np.concatenate(
            [rows[level.homes[each.at]] for level, each, rows in zip(levels, found, above, strict=True)]
        )
        self._places = np.concatenate([level.places[each.at] for level, each in zip(levels, found, strict=True)])
        flags = self.slots[self.at, self._flags_at]
        self.is_directory: NDArray[np.bool_] = flags & DIRECTORY != 0
        self.flags = flags & USERS_FLAGS
        self.firsts = self._firsts(self.slots, self.at)
        streams = self.slots[self.at + 1] if self.layout.exfat else self.slots[:0]
        self.contiguous = streams[:, 1] & _CONTIGUOUS != 0 if self.layout.exfat else np.zeros(len(self.at), dtype=bool)
        self.sizes = np.where(
            self.is_directory, 0, _longs(streams, 24) if self.layout.exfat else words(self.slots[self.at], 28)
        )
        self.stored = np.minimum(self.sizes, _longs(streams, 8)) if self.layout.exfat else self.sizes

    def _numbers(self) -> Numbers:
        """Return the first clusters of the files that have one for themselves, and places of entries for the others."""
        _, which, counts = np.unique(self.firsts, return_inverse=True, return_counts=True)
        own = (counts[which] == 1) & (self.firsts != self.layout.root)
        own &= (self.firsts >= FIRST) & (self.firsts < self.layout.clusters + FIRST)
        return np.where(own, self.firsts, ENTRIES_FROM + self._places // 32)

    def _lay_out(self, table: Table) -> None:
        """Find where all files lie, and cut off what lies nowhere."""
        step, heap = self.layout.cluster_bytes, self.layout.heap_at - FIRST * self.layout.cluster_bytes
        rows = runs(table, self.firsts, -(-self.sizes // step), self.contiguous)
        room = np.zeros(len(self.at), np.int64)
        np.add.at(room, rows.owners, rows.counts * step)
        self.damaged |= bool(np.any(room < self.sizes))
        self.sizes = np.minimum(self.sizes, room)
        self.stored = np.minimum(self.stored, room)
        offsets = rows.offsets * step
        lengths = np.minimum(rows.counts * step, self.stored[rows.owners] - offsets)
        kept = lengths > 0
        self.rows = np.stack([offsets, heap + rows.begins * step, lengths], axis=1)[kept]
        self.owners = rows.owners[kept]
        self.row_at = np.searchsorted(self.owners, np.arange(len(self.at) + 1))


def _longs(slots: Slots, at: int) -> Numbers:
    """Return a field of 64 bits of all slots; what is too large for any disk is cut."""
    found = np.ascontiguousarray(slots[:, at : at + 8]).view("<u8")[:, 0]
    cut: Numbers = np.minimum(found, np.uint64(2**62)).astype(np.int64)
    return cut
