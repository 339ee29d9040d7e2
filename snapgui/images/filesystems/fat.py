"""Reads FAT12, FAT16, FAT32 and exFAT filesystems. All directories are read when the first question is asked.

A file is known by its first cluster, which it keeps when it is moved; an empty one by where its entry stands.
"""

from collections.abc import Container, Iterator
from functools import cached_property

import numpy as np

from snapgui.images.filesystems.fat_entries import Listed, label
from snapgui.images.filesystems.fat_layout import Layout, is_fat, read_layout
from snapgui.images.filesystems.fat_table import Table
from snapgui.images.filesystems.fat_tree import ROOT, Contents, Tree
from snapgui.images.filesystems.filesystem import Disk, FileSystem, Kind, Link, Node, Numbers
from snapgui.images.filesystems.placed import read_placed
from snapgui.images.filesystems.ranges import Ranges
from snapgui.model.text import QT_TRANSLATE_NOOP

_IN_USE = QT_TRANSLATE_NOOP("FileSystem", "It was in use and has no log: changes of the last seconds may be missing.")
_LOCAL = QT_TRANSLATE_NOOP("FileSystem", "Its times have no time zone, and are shown as if they were UTC.")

recognises = is_fat


def open_fat(disk: Disk) -> "Fat":
    """Return the filesystem on a disk. Raises FilesystemError."""
    return Fat(disk, read_layout(disk))


class Fat:
    """One view; ``FileSystem`` says what its methods are for."""

    root = ROOT
    replayed = False

    def __init__(self, disk: Disk, layout: Layout) -> None:
        self._disk, self.layout = disk, layout
        self.table = Table(disk, layout)
        self.contents = Contents(disk, layout, self.table)
        self.name = layout.name
        self.uuid = f"{layout.serial >> 16:04X}-{layout.serial & 0xFFFF:04X}"
        self.unclean = layout.dirty or not self.table.clean
        self.rewritten = Ranges()
        self.remarks = (*((_IN_USE,) if self.unclean else ()), *(() if layout.exfat else (_LOCAL,)))
        self.label = label(self.contents.uppermost(), exfat=layout.exfat)
        self._kept: tuple[int, Numbers] | None = None

    @cached_property
    def tree(self) -> Tree:
        """All files."""
        return Tree(self.layout, self.contents.uppermost(), self.contents.directory)

    def node(self, number: int) -> Node | None:
        """Return what is kept under a number; None where nothing is."""
        if number == ROOT:
            return Node(ROOT, Kind.DIRECTORY)
        found = self.tree.files.get(number)
        if found is None:
            return None
        return Node(
            number=number,
            kind=Kind.DIRECTORY if found.directory else Kind.FILE,
            size=0 if found.directory else found.size,
            mtime_ns=found.mtime_ns,
            born_ns=found.born_ns,
            flags=found.flags,
        )

    def links(self, directory: int) -> Iterator[Link]:
        """Yield the names in a directory."""
        yield from self.tree.below.get(directory, ())

    def attributes(self, _number: int) -> dict[bytes, bytes]:
        """Return nothing: there are no extended attributes."""
        return {}

    def extents(self, number: int) -> Numbers | None:
        """Return where content lies; what was reserved and not written is zeros."""
        if self._kept is None or self._kept[0] != number:
            found = self.tree.files.get(number)
            self._kept = (number, np.empty((0, 3), np.int64) if found is None else self.contents.rows(found))
        return self._kept[1]

    def read(self, number: int, offset: int, length: int) -> bytes:
        """Return bytes of a file's content; fewer only at its end."""
        listed, rows = self.tree.files.get(number), self.extents(number)
        if listed is None or listed.directory or rows is None:
            return b""
        length = max(0, min(length, listed.size - offset))
        return read_placed(self._disk, rows, offset, length)

    def differing(self, older: FileSystem, changed: Ranges) -> Numbers | None:
        """Return the numbers of all files that may not be the same in an older view; None for other filesystems."""
        if not isinstance(older, Fat) or not self._laid_out_like(older):
            return None
        then, now = older.tree, self.tree
        told = {number for number, listed in now.files.items() if not _same_entry(then.files.get(number), listed)}
        told |= {number for number, links in now.below.items() if links != then.below.get(number)}
        told |= then.files.keys() - now.files.keys()
        told |= self._touched(older, changed, [number for number in now.files if number not in told])
        return np.array(sorted(told), np.int64)

    def leading(self, numbers: Numbers) -> Container[int]:
        """Return the directories that hold a name of one of these files, and all above them."""
        found: set[int] = set()
        for number in numbers.tolist():
            above = self.tree.above.get(number)
            while above is not None and above not in found:
                found.add(above)
                above = self.tree.above.get(above)
        return found

    def _laid_out_like(self, other: "Fat") -> bool:
        mine, its = self.layout, other.layout
        return (mine.name, mine.serial, mine.cluster_bytes, mine.heap_at, mine.clusters) == (
            its.name, its.serial, its.cluster_bytes, its.heap_at, its.clusters
        )  # fmt: skip

    def _touched(self, older: "Fat", changed: Ranges, numbers: list[int]) -> set[int]:
        """Return the files of which a cluster may differ, or which clusters they have."""
        files = [number for number in numbers if not self.tree.files[number].directory]
        rows = [self.contents.rows(self.tree.files[number]) for number in files]
        if not rows:
            return set()
        owners = np.repeat(np.array(files, np.int64), [len(each) for each in rows])
        places = np.concatenate(rows)
        begins, ends = places[:, 1], places[:, 1] + places[:, 2]
        moved = np.concatenate([[0], np.cumsum(self.table.next != older.table.next)])
        first, last = self.table.number_of(begins), self.table.number_of(ends - 1)
        found: set[int] = set(owners[changed.touched(begins, ends) | (moved[last + 1] > moved[first])].tolist())
        return found


def _same_entry(old: Listed | None, new: Listed) -> bool:
    """Whether nothing is known to differ; where an entry stands, and what it is called, is the directory's."""
    if old is None:
        return False
    return (old.flags, old.directory, old.first, old.size, old.stored, old.contiguous, old.born_ns, old.mtime_ns) == (
        new.flags, new.directory, new.first, new.size, new.stored, new.contiguous, new.born_ns, new.mtime_ns
    )  # fmt: skip
