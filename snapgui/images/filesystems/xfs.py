"""Reads XFS filesystems of versions 4 and 5. Their log is not replayed: whether it would have to be is told.

Format: "XFS Algorithms & Data Structures" and the kernel's fs/xfs/libxfs/. Content on a realtime device is not read.
"""

import contextlib
from collections.abc import Container, Iterator
from functools import cached_property

import numpy as np

from snapgui.images.filesystems import xfs_attributes as attributes
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
from snapgui.images.filesystems.placed import read_placed
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.filesystems.xfs_chunks import Chunks, place_of, read_chunks
from snapgui.images.filesystems.xfs_directory import names_in_block, names_within
from snapgui.images.filesystems.xfs_inode import LOCAL, Fork, Inode
from snapgui.images.filesystems.xfs_layout import LEAF_BYTES, NEEDS_REPAIR, Superblock, is_xfs, read_superblock
from snapgui.images.filesystems.xfs_log import Log
from snapgui.images.filesystems.xfs_names import Directories
from snapgui.images.filesystems.xfs_tables import differing
from snapgui.images.filesystems.xfs_tree import Map
from snapgui.model.text import QT_TRANSLATE_NOOP, Text

LONGEST_TARGET = 1024
STEP_BYTES = 2**20
KEPT_INODES = 4096
_TARGET_MAGIC, _TARGET_HEADER = b"XSLM", 56
_IN_USE = QT_TRANSLATE_NOOP(
    "FileSystem", "It was in use, and its log is not replayed: changes of the last seconds may be missing."
)
_ELSEWHERE = QT_TRANSLATE_NOOP(
    "FileSystem", "Its log lies on another disk and is not replayed: changes of the last seconds may be missing."
)
_REALTIME = QT_TRANSLATE_NOOP(
    "FileSystem", "It has a realtime device: the content of files that lies there is not compared."
)
_DAMAGED = QT_TRANSLATE_NOOP("FileSystem", "It is marked to be in need of repair: what is said of it may be wrong.")

recognises = is_xfs


def open_xfs(disk: Disk) -> "Xfs":
    """Return the filesystem on a disk. Raises FilesystemError."""
    head = read_superblock(disk)
    if not head.log_block:
        return Xfs(disk, head, unclean=_ELSEWHERE)
    return Xfs(disk, head, unclean=None if Log(disk, head).is_clean() else _IN_USE)


class Xfs:
    """One view; ``FileSystem`` says what its methods are for. ``unclean`` says why something may be missing.

    What an unclean one has of a directory, a target or attributes need not be whole: what cannot be read of it is then
    left out.
    """

    name = "xfs"
    replayed = False

    def __init__(self, disk: Disk, head: Superblock, unclean: Text | None = None) -> None:
        self.disk, self.head = disk, head
        self.label, self.uuid, self.root = head.label, head.uuid, head.root
        self.unclean = unclean is not None
        self.rewritten = Ranges()
        realtime = (_REALTIME,) if head.realtime_blocks else ()
        damaged = (_DAMAGED,) if head.incompatible & NEEDS_REPAIR else ()
        self.remarks: tuple[Text, ...] = (*((unclean,) if unclean else ()), *realtime, *damaged)
        self._inodes: dict[int, Inode] = {}
        self._kept: tuple[int, Numbers] | None = None

    @cached_property
    def chunks(self) -> Chunks:
        """Where its inodes are."""
        return read_chunks(self.disk, self.head)

    def node(self, number: int) -> Node | None:
        """Return what is kept under a number; None where nothing is."""
        inode = self.inode(number)
        return inode.node(self._target(inode)) if inode is not None and inode.used else None

    def links(self, directory: int) -> Iterator[Link]:
        """Yield the names in a directory."""
        inode = self._used(directory)
        if inode.content.format == LOCAL:
            with self._as_far_as_readable():
                yield from names_within(inode.content.room, self.head)
            return
        with self._as_far_as_readable():
            for block in self._directory_blocks(inode):
                with self._as_far_as_readable():
                    yield from names_in_block(block, self.head)

    def attributes(self, number: int) -> dict[bytes, bytes]:
        """Return the extended attributes of a node."""
        fork = self._used(number).attributes
        found: dict[bytes, bytes] = {}
        with self._as_far_as_readable():
            if fork.format == LOCAL:
                found.update(attributes.within_inode(fork.room))
            elif fork.extents:
                blocks = _Blocks(self.disk, self.head, fork)
                found.update(attributes.within_blocks(blocks.read, self.head))
        return found

    def extents(self, number: int) -> Numbers | None:
        """Return where content lies, as rows of bytes; None where it lies in the inode."""
        inode = self._used(number)
        if inode.content.format == LOCAL or inode.kind is Kind.SYMLINK:
            return None
        return np.empty((0, 3), np.int64) if inode.realtime else self._extents(inode)

    def read(self, number: int, offset: int, length: int) -> bytes:
        """Return bytes of a file's content; fewer only at its end."""
        inode = self._used(number)
        length = max(0, min(length, inode.size - offset))
        if inode.kind is Kind.SYMLINK or inode.content.format == LOCAL:
            return self._short(inode)[offset : offset + length]
        if inode.realtime and inode.content.extents:
            raise FilesystemError("the content lies on a realtime device, which is not read here")
        return read_placed(self.disk, self._extents(inode), offset, length)

    def differing(self, older: FileSystem, changed: Ranges) -> Numbers | None:
        """Return the numbers of all inodes that may not be the same in an older view; None for other filesystems."""
        if not isinstance(older, Xfs) or not self._laid_out_like(older):
            return None
        return differing(self.disk, older.disk, self.head, (self.chunks, older.chunks), changed, self._belonging)

    def leading(self, numbers: Numbers) -> Container[int]:
        """Return the directories that hold a name of one of these inodes, and all above them."""
        return Directories(self.disk, self.head, self.chunks, self._content_map).leading(numbers)

    def inode(self, number: int) -> Inode | None:
        """Return an inode, in use or not; None where there is none."""
        found = self._inodes.get(number)
        if found is None and self.chunks.holds(number):
            if len(self._inodes) >= KEPT_INODES:
                self._inodes.clear()
            raw = read_exactly(self.disk, place_of(self.head, number), self.head.inode_bytes)
            found = self._inodes[number] = Inode(number, raw, self.head.core_bytes)
        return found

    def _used(self, number: int) -> Inode:
        found = self.inode(number)
        if found is None or not found.used:
            raise FilesystemError("a directory names a file that cannot be")
        return found

    def _as_far_as_readable(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.suppress(FilesystemError) if self.unclean else contextlib.nullcontext()

    def _laid_out_like(self, other: "Xfs") -> bool:
        def layout(head: Superblock) -> tuple[object, ...]:
            numbers = (head.block_bytes, head.inode_bytes, head.group_blocks, head.group_bits, head.directory_bytes)
            return (head.uuid, head.checked, head.typed, head.root, *numbers)

        return layout(self.head) == layout(other.head)

    def _map(self, fork: Fork) -> Map:
        return Map(self.disk, self.head, fork)

    def _content_map(self, number: int) -> Numbers:
        """Return the extents of a directory that seems to be one; none where they are damaged."""
        inode = self.inode(number)
        with contextlib.suppress(FilesystemError):
            if inode is not None:
                return self._map(inode.content).rows
        return np.empty((0, 3), np.int64)

    def _belonging(self, number: int) -> Numbers | None:
        """Return rows (block of the disk, count) of all that belongs to a file; None where that is damaged."""
        inode = self.inode(number)
        if inode is None:
            return None
        try:
            maps = [self._map(fork) for fork in (inode.content, inode.attributes)]
        except FilesystemError:
            return None
        visited = [(block, 1) for each in maps for block in each.visited]
        return np.concatenate([*(each.rows[:, 1:] for each in maps), np.array(visited, np.int64).reshape(-1, 2)])

    def _extents(self, inode: Inode) -> Numbers:
        if self._kept is not None and self._kept[0] == inode.number:
            return self._kept[1]
        rows: Numbers = self._map(inode.content).rows * self.head.block_bytes
        rows = rows[rows[:, 0] < inode.size]
        if len(rows):
            rows[-1, 2] = min(int(rows[-1, 2]), inode.size - int(rows[-1, 0]))
        self._kept = (inode.number, rows)
        return rows

    def _directory_blocks(self, inode: Inode) -> Iterator[bytes]:
        """Yield the blocks of names: what there is of them is whole, each may consist of several blocks of the disk."""
        size, whole = self.head.block_bytes, self.head.directory_bytes
        held = b""
        for row in _names_of(self._map(inode.content).rows, self.head):
            for at, length in _steps(int(row[2]) * size):
                held += read_exactly(self.disk, int(row[1]) * size + at, length)
                end = len(held) // whole * whole
                yield from (held[begin : begin + whole] for begin in range(0, end, whole))
                held = held[end:]

    def _target(self, inode: Inode) -> bytes:
        if inode.kind is not Kind.SYMLINK:
            return b""
        with self._as_far_as_readable():
            return self._short(inode)
        return b""

    def _short(self, inode: Inode) -> bytes:
        """Return a target, or other content that lies within the inode."""
        if inode.content.format == LOCAL:
            return inode.content.room[: inode.size]
        if inode.size > LONGEST_TARGET:
            raise FilesystemError("a symbolic link is damaged")
        target = b"".join(self._pieces_of_target(inode))[: inode.size]
        if len(target) != inode.size:
            raise FilesystemError("a symbolic link is damaged")
        return target

    def _pieces_of_target(self, inode: Inode) -> Iterator[bytes]:
        """Yield what each extent has of a target; where there are checksums, each extent begins with a header."""
        header = _TARGET_HEADER if self.head.checked else 0
        for _, block, count in self._map(inode.content).rows.tolist():
            length = min(count * self.head.block_bytes, header + LONGEST_TARGET)
            raw = read_exactly(self.disk, block * self.head.block_bytes, length)
            if header and raw[:4] != _TARGET_MAGIC:
                raise FilesystemError("a symbolic link is damaged")
            yield raw[header:]


class _Blocks:
    """The blocks of the attributes of a file."""

    def __init__(self, disk: Disk, head: Superblock, fork: Fork) -> None:
        self._disk, self._size = disk, head.block_bytes
        self._rows = Map(disk, head, fork).rows

    def read(self, first: int, count: int) -> bytes:
        """Return blocks. Raises FilesystemError where one of them lies nowhere."""
        return b"".join(self._one(number) for number in range(first, first + count))

    def _one(self, number: int) -> bytes:
        at = int(np.searchsorted(self._rows[:, 0], number, "right")) - 1
        if at < 0 or number >= int(self._rows[at, 0] + self._rows[at, 2]):
            raise FilesystemError("the extended attributes of a file are damaged")
        place = int(self._rows[at, 1]) + number - int(self._rows[at, 0])
        return read_exactly(self._disk, place * self._size, self._size)


def _names_of(rows: Numbers, head: Superblock) -> Numbers:
    """Return the extents of a directory that have names. Raises FilesystemError where it has more than the disk."""
    found = rows[rows[:, 0] < LEAF_BYTES // head.block_bytes]
    if int(found[:, 2].sum()) > head.blocks:
        raise FilesystemError("a directory is damaged")
    return found


def _steps(length: int) -> Iterator[tuple[int, int]]:
    for at in range(0, length, STEP_BYTES):
        yield at, min(STEP_BYTES, length - at)
