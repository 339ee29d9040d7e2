"""Reads ext2, ext3 and ext4 filesystems; a journal that was not written back is replayed in memory.

Format: the kernel's Documentation/filesystems/ext4/. Directories that are encrypted are shown with what stands in them.
"""

from collections.abc import Container, Iterator

import numpy as np

from snapgui.images.filesystems import ext4_attributes as attributes
from snapgui.images.filesystems.ext4_directory import names
from snapgui.images.filesystems.ext4_inode import EA_INODE, ENCRYPTED, EXTENTS, Inode
from snapgui.images.filesystems.ext4_inode import INLINE as INLINE_FLAG
from snapgui.images.filesystems.ext4_layout import (
    ENCRYPT,
    FILETYPE,
    HAS_JOURNAL,
    RECOVER,
    ROOT,
    Groups,
    Superblock,
    is_ext,
    read_superblock,
)
from snapgui.images.filesystems.ext4_names import Directories
from snapgui.images.filesystems.ext4_tables import differing
from snapgui.images.filesystems.ext4_tree import extent_tree, indirect_map
from snapgui.images.filesystems.filesystem import (
    Disk,
    FileSystem,
    FilesystemError,
    Kind,
    Link,
    Node,
    Numbers,
    read_exactly,
)
from snapgui.images.filesystems.jbd2 import Journal
from snapgui.images.filesystems.placed import read_placed
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.filesystems.replayed import Replayed
from snapgui.model.text import QT_TRANSLATE_NOOP, Text

LONGEST_TARGET = 64 * 2**10
KEPT_BYTES = 2**20
"""Of inodes that are taken apart and held at once; some ten times as much with all that belongs to them."""
_NO_JOURNAL = QT_TRANSLATE_NOOP(
    "FileSystem", "It was in use and has no journal: changes of the last seconds may be missing."
)
_ELSEWHERE = QT_TRANSLATE_NOOP(
    "FileSystem", "Its journal lies on another disk and was not replayed: changes of the last seconds may be missing."
)
_UNREADABLE = QT_TRANSLATE_NOOP(
    "FileSystem", "Its journal could not be replayed ({why}): changes of the last seconds may be missing."
)
_CUT = QT_TRANSLATE_NOOP(
    "FileSystem", "Its journal is damaged and was replayed up to there: changes of the last seconds may be missing."
)
_FAST = QT_TRANSLATE_NOOP(
    "FileSystem",
    "Its journal ends with fast commits, which are not replayed: changes of the last seconds may be missing.",
)
_ENCRYPTED = QT_TRANSLATE_NOOP(
    "FileSystem", "Some of it may be encrypted: names are shown, and content is compared, as they are stored."
)

recognises = is_ext


def open_ext4(disk: Disk) -> "Ext4":
    """Return the filesystem on a disk. Raises FilesystemError."""
    plain = Ext4(disk, read_superblock(disk))
    if not plain.head.compatible & HAS_JOURNAL:
        return plain if plain.head.clean else Ext4(disk, plain.head, unclean=_NO_JOURNAL)
    if not plain.head.incompatible & RECOVER:
        return plain
    if not plain.head.journal_inode:
        return Ext4(disk, plain.head, unclean=_ELSEWHERE)
    try:
        replay = Journal(disk, plain.journal(), plain.head.block_bytes).replay(plain.head.blocks)
    except FilesystemError as error:
        return Ext4(disk, plain.head, unclean=_UNREADABLE.format(why=error))
    unclean = _CUT if replay.damaged else _FAST if replay.fast_commits else None
    view = Replayed(disk, replay, plain.head.block_bytes)
    return Ext4(view, read_superblock(view), unclean=unclean, rewritten=view.rewritten)


class Ext4:
    """One view; ``FileSystem`` says what its methods are for. ``unclean`` says why something may be missing."""

    root = ROOT

    def __init__(
        self, disk: Disk, head: Superblock, unclean: Text | None = None, rewritten: Ranges | None = None
    ) -> None:
        self.disk, self.head = disk, head
        self.groups = Groups(disk, head)
        self.name, self.label, self.uuid = head.name, head.label, head.uuid
        self.unclean = unclean is not None
        self.replayed = rewritten is not None
        self.rewritten = rewritten or Ranges()
        encrypted = (_ENCRYPTED,) if head.incompatible & ENCRYPT else ()
        self.remarks = (*((unclean,) if unclean else ()), *encrypted)
        self._inodes: dict[int, Inode] = {}
        self._kept: tuple[int, Numbers] | None = None

    def node(self, number: int) -> Node | None:
        """Return what is kept under a number; None where nothing is."""
        inode = self.inode(number)
        return inode.node(self._target(inode)) if inode.used else None

    def links(self, directory: int) -> Iterator[Link]:
        """Yield the names in a directory."""
        inode = self.inode(directory)
        encrypted, typed = bool(inode.flags & ENCRYPTED), bool(self.head.incompatible & FILETYPE)
        for block in self._directory_blocks(inode):
            yield from names(block, self.head.inodes, typed=typed, encrypted=encrypted)

    def attributes(self, number: int) -> dict[bytes, bytes]:
        """Return the extended attributes of a node."""
        found = self._attributes(self.inode(number))
        found.pop(attributes.INLINE_CONTENT, None)
        return found

    def extents(self, number: int) -> Numbers | None:
        """Return where content lies, as rows of bytes; None where it lies in the inode."""
        inode = self.inode(number)
        return None if inode.flags & INLINE_FLAG or inode.fast_target else self._extents(inode)

    def read(self, number: int, offset: int, length: int) -> bytes:
        """Return bytes of a file's content; fewer only at its end."""
        inode = self.inode(number)
        length = max(0, min(length, inode.size - offset))
        if inode.flags & INLINE_FLAG or inode.fast_target:
            return self._inline(inode)[offset : offset + length]
        return read_placed(self.disk, self._extents(inode), offset, length)

    def differing(self, older: FileSystem, changed: Ranges) -> Numbers | None:
        """Return the numbers of all inodes that may not be the same in an older view; None for other filesystems."""
        if not isinstance(older, Ext4) or not self._laid_out_like(older):
            return None

        def deep(number: int) -> Numbers:
            rows, visited = self._map(self.inode(number))
            return np.concatenate([rows[:, 1:], [[block, 1] for block in visited]])

        return differing(self.disk, older.disk, self.head, self.groups, older.groups.used, changed, deep)

    def leading(self, numbers: Numbers) -> Container[int]:
        """Return the directories that hold a name of one of these inodes, and all above them."""
        found = Directories(self.disk, self.head, self.groups, lambda number: self._map(self.inode(number))[0])
        return found.leading(numbers, self.links)

    def inode(self, number: int) -> Inode:
        """Return an inode, in use or not. Raises FilesystemError for numbers that there are not."""
        found = self._inodes.get(number)
        if found is None:
            if len(self._inodes) >= KEPT_BYTES // self.head.inode_bytes:
                self._inodes.clear()
            found = Inode(number, read_exactly(self.disk, self.groups.place(number), self.head.inode_bytes))
            self._inodes[number] = found
        return found

    def journal(self) -> Numbers:
        """Return where the journal lies, as ``extents``."""
        inode = self.inode(self.head.journal_inode)
        if inode.kind is not Kind.FILE:
            raise FilesystemError("the journal is no file")
        return self._extents(inode)

    def _laid_out_like(self, other: "Ext4") -> bool:
        mine, its = self.head, other.head
        same = (mine.uuid, mine.block_bytes, mine.inode_bytes, mine.inodes, mine.inodes_per_group) == (
            its.uuid, its.block_bytes, its.inode_bytes, its.inodes, its.inodes_per_group
        )  # fmt: skip
        return same and np.array_equal(self.groups.tables, other.groups.tables)

    def _extents(self, inode: Inode) -> Numbers:
        if self._kept is not None and self._kept[0] == inode.number:
            return self._kept[1]
        rows: Numbers = self._map(inode)[0] * self.head.block_bytes
        rows = rows[rows[:, 0] < inode.size]
        if len(rows):
            rows[-1, 2] = min(int(rows[-1, 2]), inode.size - int(rows[-1, 0]))
        self._kept = (inode.number, rows)
        return rows

    def _map(self, inode: Inode) -> tuple[Numbers, list[int]]:
        """Return rows of (block of the file, block of the disk, count), and the blocks of the map itself."""
        if not inode.has_map:
            return np.empty((0, 3), np.int64), []
        if inode.flags & EXTENTS:
            return extent_tree(inode.map, self._block, self.head.blocks)
        blocks = -(-inode.size // self.head.block_bytes)
        return indirect_map(inode.map, blocks, self._block, self.head.blocks)

    def _block(self, number: int) -> bytes:
        return read_exactly(self.disk, number * self.head.block_bytes, self.head.block_bytes)

    def _directory_blocks(self, inode: Inode) -> Iterator[bytes]:
        if inode.flags & INLINE_FLAG:
            content = self._inline(inode)
            yield content[4 : len(inode.map)]
            yield content[len(inode.map) :]
            return
        end = -(-inode.size // self.head.block_bytes)
        for begin, place, count in self._map(inode)[0].tolist():
            for number in range(place, place + min(count, end - begin)):
                yield self._block(number)

    def _inline(self, inode: Inode) -> bytes:
        """Return content that is kept in the inode, and what of it goes on as an attribute."""
        if inode.size <= len(inode.map):
            return inode.map[: inode.size]
        more = self._attributes(inode).get(attributes.INLINE_CONTENT, b"")
        return (inode.map + more)[: inode.size]

    def _target(self, inode: Inode) -> bytes:
        if inode.kind is not Kind.SYMLINK:
            return b""
        if inode.size > LONGEST_TARGET:
            raise FilesystemError("a symbolic link is damaged")
        target = self.read(inode.number, 0, inode.size)
        return b"encrypted:" + target.hex().encode() if inode.flags & ENCRYPTED else target

    def _attributes(self, inode: Inode) -> dict[bytes, bytes]:
        found = dict(attributes.within_inode(inode.attributes_within, self._value))
        if inode.attribute_block:
            found.update(attributes.within_block(self._block(inode.attribute_block), self._value))
        return found

    def _value(self, number: int, length: int) -> bytes:
        """Return the value of an attribute that has an inode of its own."""
        if not self.inode(number).flags & EA_INODE:
            raise FilesystemError("the extended attributes of a file are damaged")
        return self.read(number, 0, length)
