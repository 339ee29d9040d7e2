"""Whole inode tables of an ext filesystem at once: what may differ between two views.

The rows of a table are the bytes of inodes (format: ext4_inode.py). A file is told to be possibly different where its
inode is, or where a block of its content, of its map or of its attributes lies in a changed place: times alone are too
coarse, and content may be written later than the inode.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.ext4_inode import EXTENTS, INLINE, MAP_AT
from snapgui.images.filesystems.ext4_layout import OLD_INODE_BYTES, Groups, Superblock
from snapgui.images.filesystems.ext4_tree import DIRECT, EXTENT_MAGIC, leaves
from snapgui.images.filesystems.filesystem import Disk, Numbers, read_exactly
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.filesystems.unlike import unlike

Table = NDArray[np.uint8]
Mask = NDArray[np.bool_]

CHUNK_BYTES = 4 * 2**20
DIRECTORY, _FILE, _SYMLINK = 0x4000, 0x8000, 0xA000
_IN_INODE = 4
"""Extents that fit into an inode."""
_FAST_TARGET = 60


class Piece(NamedTuple):
    """Rows that lie one behind the other: the index of the first, the index behind the last, the place of the first."""

    begin: int
    end: int
    place: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Inodes: their numbers, a row of bytes for each, and where on the disk they lie."""

    numbers: Numbers
    table: Table
    pieces: tuple[Piece, ...] = ()

    def words(self, at: int, count: int = 1) -> Numbers:
        """Return fields of 32 bits of all rows: one for each, or ``count`` for each."""
        raw = np.ascontiguousarray(self.table[:, at : at + 4 * count]).view("<u4").astype(np.int64)
        return raw[:, 0] if count == 1 else raw

    def halves(self, at: int) -> Numbers:
        """Return fields of 16 bits of all rows."""
        return np.ascontiguousarray(self.table[:, at : at + 2]).view("<u2").astype(np.int64)[:, 0]

    @property
    def in_use(self) -> Mask:
        """Which are files."""
        found: Mask = (self.halves(0) != 0) & (self.halves(0x1A) != 0)
        return found


def rows_of(disk: Disk, head: Superblock, groups: Groups) -> Iterator[Rows]:
    """Yield all inodes that may be in use, in order and in pieces; several groups together where they have few."""
    at_once = max(1, CHUNK_BYTES // head.inode_bytes)
    taken: list[tuple[int, int, int]] = []
    room = at_once
    for group in np.flatnonzero(groups.used).tolist():
        first, place, used = group * head.inodes_per_group + 1, int(groups.tables[group]), int(groups.used[group])
        for begin in range(0, used, at_once):
            count = min(at_once, used - begin)
            if count > room:
                yield _rows(disk, head, taken)
                taken, room = [], at_once
            taken.append((first + begin, place + begin * head.inode_bytes, count))
            room -= count
    if taken:
        yield _rows(disk, head, taken)


def _rows(disk: Disk, head: Superblock, taken: list[tuple[int, int, int]]) -> Rows:
    raw = b"".join(read_exactly(disk, place, count * head.inode_bytes) for _, place, count in taken)
    numbers = np.concatenate([np.arange(first, first + count, dtype=np.int64) for first, _, count in taken])
    ends = np.cumsum([count for _, _, count in taken]).tolist()
    pieces = tuple(Piece(end - count, end, place) for end, (_, place, count) in zip(ends, taken, strict=True))
    return Rows(numbers, np.frombuffer(raw, np.uint8).reshape(-1, head.inode_bytes), pieces)


def differing(
    disk: Disk,
    older: Disk,
    head: Superblock,
    groups: Groups,
    used_before: Numbers,
    changed: Ranges,
    deep: Callable[[int], Numbers],
) -> Numbers:
    """Return the numbers of inodes that may not be the same in an older view with the same layout.

    ``used_before`` are the inodes in use in the groups then; ``deep`` returns rows (block of the disk, count) of all
    that belongs to a file with a map outside of its inode.
    """
    found, doubts = [np.empty(0, np.int64)], [np.empty((0, 3), np.int64)]
    for rows in rows_of(disk, head, groups):
        rewritten = _rewritten(rows, older, head, changed)
        found.append(rows.numbers[rewritten])
        doubts.append(_touched(rows, head, changed, rows.in_use & ~rewritten, deep))
    for group in np.flatnonzero(groups.used != used_before).tolist():
        low, high = sorted((int(groups.used[group]), int(used_before[group])))
        found.append(group * head.inodes_per_group + 1 + np.arange(low, high))
    numbers, starts, ends = np.concatenate(doubts).T
    certain = unlike(older, disk, starts, ends, changed)
    return np.unique(np.concatenate([*found, numbers[certain]]))


def _rewritten(rows: Rows, older: Disk, head: Superblock, changed: Ranges) -> Mask:
    """Which rows are not the same in the older view, apart from the time of the last access and the checksum."""
    marked = np.zeros(len(rows.table), dtype=bool)
    for piece in rows.pieces:
        places = piece.place + np.arange(piece.end - piece.begin, dtype=np.int64) * head.inode_bytes
        there = np.flatnonzero(changed.touched(places, places + head.inode_bytes))
        if len(there):
            low, high = int(there[0]), int(there[-1]) + 1
            raw = read_exactly(older, int(places[low]), (high - low) * head.inode_bytes)
            before = np.frombuffer(raw, np.uint8).reshape(-1, head.inode_bytes)
            now = rows.table[piece.begin + low : piece.begin + high]
            marked[piece.begin + low : piece.begin + high] = _unlike(before, now)
    return marked


def _unlike(before: Table, now: Table) -> Mask:
    differs = now != before
    differs[:, 0x8:0xC] = False
    differs[:, 0x7C:0x7E] = False
    if now.shape[1] > OLD_INODE_BYTES:
        extra = Rows(np.empty(0, np.int64), now).halves(0x80)
        differs[extra >= 0x84 - OLD_INODE_BYTES, 0x82:0x84] = False
        differs[extra >= 0x90 - OLD_INODE_BYTES, 0x8C:0x90] = False
    marked: Mask = differs.any(axis=1)
    return marked


def kinds(rows: Rows) -> Numbers:
    """Return the upper bits of the modes."""
    return rows.halves(0) & 0xF000


def _mapped(rows: Rows) -> Mask:
    """Which rows have places of content behind their fields, rather than a device, a target or content itself."""
    sorts, flags = kinds(rows), rows.words(0x20)
    links = (sorts == _SYMLINK) & ((rows.words(0x4) >= _FAST_TARGET) | (flags & EXTENTS != 0))
    found: Mask = ((sorts == _FILE) | (sorts == DIRECTORY) | links) & (flags & INLINE == 0)
    return found


def is_deep(rows: Rows) -> Mask:
    """Which rows have a map that goes on outside of the inode."""
    trees = rows.words(0x20) & EXTENTS != 0
    depth = rows.halves(MAP_AT + 6)
    indirect = (rows.words(MAP_AT + 4 * DIRECT, 3) != 0).any(axis=1)
    found: Mask = _mapped(rows) & np.where(trees, depth != 0, indirect)
    return found


def shallow(rows: Rows) -> tuple[Numbers, Numbers, Numbers]:
    """Return some places of content in each row: blocks of the disk, counts (0 for none), blocks of the file."""
    mapped, trees = _mapped(rows), rows.words(0x20) & EXTENTS != 0
    flat = mapped & trees & (rows.halves(MAP_AT) == EXTENT_MAGIC) & (rows.halves(MAP_AT + 6) == 0)
    direct = mapped & ~trees
    width = DIRECT if direct.any() else _IN_INODE
    shape = (len(rows.table), width)
    starts, counts = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    begins = np.tile(np.arange(width, dtype=np.int64), (shape[0], 1))
    entries = leaves(Rows(rows.numbers, rows.table[flat]).words(MAP_AT + 12, 3 * _IN_INODE).reshape(-1, _IN_INODE, 3))
    there = np.arange(_IN_INODE) < rows.halves(MAP_AT + 2)[flat, None]
    begins[flat, :_IN_INODE], starts[flat, :_IN_INODE] = entries[:, :, 0], entries[:, :, 1]
    counts[flat, :_IN_INODE] = np.where(there, np.clip(entries[:, :, 2], 0, None), 0)
    if width == DIRECT:
        starts[direct] = Rows(rows.numbers, rows.table[direct]).words(MAP_AT, DIRECT)
        counts[direct] = starts[direct] != 0
    return starts, counts, begins


def _touched(rows: Rows, head: Superblock, changed: Ranges, chosen: Mask, deep: Callable[[int], Numbers]) -> Numbers:
    """Return rows (number, first byte on the disk, byte behind the last): content of inodes in changed places."""
    starts, counts, _ = shallow(rows)
    attributes = rows.words(0x68) | rows.halves(0x76) << 32
    starts = np.concatenate([starts, attributes[:, None]], axis=1)
    counts = np.concatenate([counts, (attributes != 0)[:, None].astype(np.int64)], axis=1)
    row, column = np.nonzero(counts * chosen[:, None])
    places = [np.stack([rows.numbers[row], starts[row, column], counts[row, column]], axis=1)]
    for number in rows.numbers[chosen & is_deep(rows)].tolist():
        found = deep(number)
        places.append(np.concatenate([np.full((len(found), 1), number), found], axis=1))
    whole = np.concatenate(places)
    whole[:, 1:] *= head.block_bytes
    whole[:, 2] += whole[:, 1]
    touched: Numbers = whole[changed.touched(whole[:, 1], whole[:, 2])]
    return touched
