"""Reads FAT12, FAT16, FAT32 and exFAT filesystems: the table and all directories when they are opened.

A file is known by its first cluster, which it keeps when it is moved; an empty one by where its entry stands.
"""

from collections.abc import Container, Iterator

import numpy as np

from snapgui.images.filesystems.fat_differing import differing, leading
from snapgui.images.filesystems.fat_layout import Layout, is_fat, read_layout
from snapgui.images.filesystems.fat_slots import words
from snapgui.images.filesystems.fat_table import Table, tables_agree
from snapgui.images.filesystems.fat_tree import ROOT, Tree
from snapgui.images.filesystems.filesystem import Disk, FileSystem, Kind, Link, Node, Numbers
from snapgui.images.filesystems.placed import read_placed
from snapgui.images.filesystems.ranges import Ranges
from snapgui.model.text import QT_TRANSLATE_NOOP, Text

_IN_USE = QT_TRANSLATE_NOOP("FileSystem", "It was in use and has no log: changes of the last seconds may be missing.")
_LOCAL = QT_TRANSLATE_NOOP("FileSystem", "Its times have no time zone, and are shown as if they were UTC.")
_TWO_TABLES = QT_TRANSLATE_NOOP(
    "FileSystem", "Its two tables of clusters are not the same: what the first one says is shown."
)
_DAMAGED = QT_TRANSLATE_NOOP("FileSystem", "Some of it is damaged, and shown as far as it can be read.")
_ZONE_KNOWN = 0x80

recognises = is_fat


def open_fat(disk: Disk) -> "Fat":
    """Return the filesystem on a disk. Raises FilesystemError."""
    return Fat(disk, read_layout(disk))


class Fat:
    """One view; ``FileSystem`` says what its methods are for."""

    root = ROOT
    replayed = False

    def __init__(self, disk: Disk, layout: Layout) -> None:
        self.disk, self.layout = disk, layout
        table = Table(disk, layout)
        self.tree = Tree(disk, layout, table)
        self.name, self.label = layout.name, self.tree.label
        self.uuid = f"{layout.serial >> 16:04X}-{layout.serial & 0xFFFF:04X}"
        self.unclean = layout.dirty or not table.clean
        self.rewritten = Ranges()
        self.remarks = tuple(self._remarks())

    def node(self, number: int) -> Node | None:
        """Return what is kept under a number; None where nothing is."""
        if number == ROOT:
            return Node(ROOT, Kind.DIRECTORY)
        row = self.tree.index(number)
        if row is None:
            return None
        born, modified = self.tree.times(row)
        return Node(
            number=number,
            kind=Kind.DIRECTORY if self.tree.is_directory[row] else Kind.FILE,
            generation=0 if born else modified,
            size=int(self.tree.sizes[row]),
            mtime_ns=modified,
            born_ns=born,
            flags=int(self.tree.flags[row]),
        )

    def links(self, directory: int) -> Iterator[Link]:
        """Yield the names in a directory."""
        row = -1 if directory == ROOT else self.tree.index(directory)
        for below in self.tree.below(row) if row is not None else ():
            yield Link(self.tree.name(below), int(self.tree.numbers[below]))

    def attributes(self, _number: int) -> dict[bytes, bytes]:
        """Return nothing: there are no extended attributes."""
        return {}

    def extents(self, number: int) -> Numbers | None:
        """Return where content lies; what was reserved and not written is zeros."""
        row = self.tree.index(number)
        begin, end = (0, 0) if row is None else self.tree.row_at[row : row + 2].tolist()
        return self.tree.rows[begin:end]

    def read(self, number: int, offset: int, length: int) -> bytes:
        """Return bytes of a file's content; fewer only at its end."""
        row, rows = self.tree.index(number), self.extents(number)
        if row is None or rows is None:
            return b""
        length = max(0, min(length, int(self.tree.sizes[row]) - offset))
        return read_placed(self.disk, rows, offset, length)

    def differing(self, older: FileSystem, changed: Ranges) -> Numbers | None:
        """Return the numbers of all files that may not be the same in an older view; None for other filesystems."""
        if not isinstance(older, Fat) or not self._laid_out_like(older):
            return None
        return differing(older.tree, self.tree, older.disk, self.disk, changed)

    def leading(self, numbers: Numbers) -> Container[int]:
        """Return the directories that hold a name of one of these files, and all above them."""
        return leading(self.tree, numbers)

    def _laid_out_like(self, other: "Fat") -> bool:
        mine, its = self.layout, other.layout
        return (mine.name, mine.serial, mine.cluster_bytes, mine.heap_at, mine.clusters) == (
            its.name, its.serial, its.cluster_bytes, its.heap_at, its.clusters
        )  # fmt: skip

    def _remarks(self) -> Iterator[Text]:
        if self.unclean:
            yield _IN_USE
        if not tables_agree(self.disk, self.layout):
            yield _TWO_TABLES
        if self.tree.damaged:
            yield _DAMAGED
        if not self.layout.exfat or not self._all_zones_known():
            yield _LOCAL

    def _all_zones_known(self) -> bool:
        zones = words(self.tree.slots[self.tree.at], 20) >> 24
        return bool(np.all(zones & _ZONE_KNOWN))
