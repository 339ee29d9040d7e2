"""Which files of an NTFS filesystem may differ between two views.

A file may where one of its records does, apart from what every reading and every write changes, or where anything of
it that lies outside of its records is in a changed place: times alone are too coarse, and content may be written later.
"""

import numpy as np

from snapgui.images.filesystems.content import doubtful
from snapgui.images.filesystems.filesystem import Numbers
from snapgui.images.filesystems.ntfs_index import FIRST_OF_USERS
from snapgui.images.filesystems.ntfs_mft import MasterTable
from snapgui.images.filesystems.ntfs_record import STANDARD_INFORMATION
from snapgui.images.filesystems.ntfs_tables import Mask, Rows, Table, rows_of
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.filesystems.unlike import unlike

ROOT_ROW, EXTEND_ROW = 5, 11
MOST_DOUBTS = 1_000_000
"""Places of files that are compared; files that more would be needed for are told to differ."""
_SEQUENCE_AT, _READ_AT, _JOURNAL_AT = 8, 0x18, 0x40
"""What changes with any write or reading: number in the log; time of the last access, number in the journal of changes.
"""
_VALUE_AT = 0x18
"""Where the content of an attribute begins, mostly."""


def differing(table: MasterTable, older: MasterTable, changed: Ranges) -> Numbers:
    """Return the numbers, sorted, of all files that may not be the same in an older view with the same layout."""
    rewritten = Ranges(list(doubtful(older.extents, table.extents, changed)))
    found, doubts, room = [np.empty(0, np.int64)], [np.empty((0, 3), np.int64)], MOST_DOUBTS
    for rows in rows_of(table):
        differs, numbers = _rewritten(rows, older, rewritten)
        places = _touched(rows, table.layout.cluster_bytes, changed, rows.in_use & ~differs)
        room -= len(places)
        found += [numbers, rows.owners[rows.in_use & rows.odd], places[:0, 0] if room >= 0 else places[:, 0]]
        doubts.append(places if room >= 0 else places[:0])
    found += [rows.owners[rows.in_use] for rows in rows_of(older, table.records)]
    numbers, starts, ends = np.concatenate(doubts).T
    certain = unlike(older.disk, table.disk, starts, ends, changed)
    return _of_users(np.unique(np.concatenate([*found, numbers[certain]])))


def _of_users(numbers: Numbers) -> Numbers:
    rows = numbers >> 16
    found: Numbers = numbers[(rows >= FIRST_OF_USERS) | (rows == ROOT_ROW)]
    return found


def _rewritten(rows: Rows, older: MasterTable, rewritten: Ranges) -> tuple[Mask, Numbers]:
    """Return which records are not the same in the older view, and the numbers of their files in both."""
    differs, size = np.zeros(len(rows.table), dtype=bool), rows.table.shape[1]
    starts = (rows.first + rows.indexes) * size
    there = np.flatnonzero(rewritten.touched(starts, starts + size))
    if len(there) == 0:
        return differs, there
    low, high = int(there[0]), int(there[-1]) + 1
    raw = older.read(rows.first + low, high - low)
    before, now = Rows(rows.first + low, raw.ljust((high - low) * size, b"\0"), size), slice(low, high)
    differs[now] = (_steady(before) != _steady(rows)[now]).any(axis=1)
    return differs, np.concatenate([before.owners[before.in_use & differs[now]], rows.owners[rows.in_use & differs]])


def _steady(rows: Rows) -> Table:
    """Return the bytes of records without what says nothing about a file."""
    table = rows.table.copy()
    table[:, _SEQUENCE_AT : _SEQUENCE_AT + 8] = 0
    own = rows.attributes.chosen((rows.attributes.kinds == STANDARD_INFORMATION) & ~rows.attributes.outside)
    for at in (_READ_AT, _JOURNAL_AT):
        places = own.places + _VALUE_AT + at
        fits = (own.lengths >= _VALUE_AT + at + 8) & (rows.table[own.rows, own.places + 0x14] == _VALUE_AT)
        table[own.rows[fits][:, None], places[fits][:, None] + np.arange(8)] = 0
    return table


def _touched(rows: Rows, cluster: int, changed: Ranges, chosen: Mask) -> Numbers:
    """Return rows (number, first byte on the disk, byte behind the last): what lies outside, in changed places."""
    hidden = (rows.owners >> 16 < FIRST_OF_USERS) & (rows.owners >> 16 != ROOT_ROW)
    chosen = chosen & ~hidden & ~rows.within(EXTEND_ROW)
    outside = rows.attributes.chosen(rows.attributes.outside & chosen[rows.attributes.rows])
    runs = rows.runs(outside)
    starts, ends = runs[:, 1] * cluster, (runs[:, 1] + runs[:, 2]) * cluster
    there = changed.touched(starts, ends)
    numbers = rows.owners[outside.rows[runs[there, 0]]]
    return np.stack([numbers, starts[there], ends[there]], axis=1)
