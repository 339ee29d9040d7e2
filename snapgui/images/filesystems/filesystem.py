"""What every reader of a filesystem offers: the same records and questions, whatever the disk holds.

Disks may be crafted: a reader checks each size and place before it uses it, and raises FilesystemError where
something cannot be so. Errors of the disk itself (OSError, ImageError) pass through, and so does whatever a disk raises
to stop a long reading. Names and paths are bytes: they need not be text.
"""

import stat
from collections.abc import Container, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.ranges import Ranges
from snapgui.model.text import Text

Numbers = NDArray[np.int64]
"""A row of numbers, or a table of them."""

DEEPEST = 4096
"""Directories within one another; paths that a kernel can be asked for end at 2048."""


class FilesystemError(Exception):
    """The filesystem is damaged, or of a sort that is not read here."""


class Disk(Protocol):
    """The bytes of one partition, or of a disk without partitions."""

    @property
    def size(self) -> int:
        """Bytes in it."""

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``; fewer only at the end."""


class Kind(Enum):
    """What a name stands for."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symbolic link"
    CHARACTER = "character device"
    BLOCK = "block device"
    FIFO = "fifo"
    SOCKET = "socket"
    UNKNOWN = "unknown"


_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFCHR: Kind.CHARACTER,
    stat.S_IFBLK: Kind.BLOCK,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFSOCK: Kind.SOCKET,
}


def kind_of(mode: int) -> Kind:
    """Return what the upper bits of a Unix mode say."""
    return _KINDS.get(stat.S_IFMT(mode), Kind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Node:
    """What a filesystem keeps about one file, under however many names. Times are nanoseconds since 1970, UTC.

    ``number`` is the reader's own for it: the inode, the record, or where it stands. ``generation`` and
    ``born_ns`` tell one that was made anew under an old number. ``mode`` has the 12 permission bits alone.
    ``flags`` are those that a user sets (immutable, append only, …), as the filesystem numbers them. ``target`` is
    where a symbolic link leads; ``attributed``: there may be extended attributes.
    """

    number: int
    kind: Kind
    generation: int = 0
    size: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    born_ns: int = 0
    links: int = 1
    device: tuple[int, int] | None = None
    target: bytes = b""
    flags: int = 0
    encrypted: bool = False
    attributed: bool = False

    def is_still(self, other: "Node") -> bool:
        """Whether the other is the same file in another view, and not a new one that was given its number."""
        mine = (self.number, self.kind, self.generation, self.born_ns)
        return mine == (other.number, other.kind, other.generation, other.born_ns)


class Link(NamedTuple):
    """A name in a directory, and the number of the node that it stands for."""

    name: bytes
    number: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One path, from the slash of the uppermost directory on, and what lies there."""

    path: bytes
    node: Node

    @property
    def shown(self) -> str:
        """The path as text; bytes that are no UTF-8 are kept as surrogates."""
        return self.path.decode("utf-8", "surrogateescape")


class FileSystem(Protocol):
    """One view of a filesystem.

    Two views of the same one are compared without a walk: ``differing`` says which nodes may differ, from the places
    of the disk that may; ``leading`` says which directories lead to them. Both work on whole tables at once.
    """

    @property
    def name(self) -> str:
        """Its sort: ``ext4``, ``ntfs``, …"""

    @property
    def label(self) -> str:
        """The name that its owner gave it, empty for none."""

    @property
    def uuid(self) -> str:
        """What tells it from others of its sort; the same in all views of it."""

    @property
    def unclean(self) -> bool:
        """Whether changes of the last seconds may be missing: it was in use, and its log could not be replayed."""

    @property
    def replayed(self) -> bool:
        """Whether a log was replayed in memory."""

    @property
    def remarks(self) -> tuple[Text, ...]:
        """Sentences that belong next to whatever is said about its files."""

    @property
    def rewritten(self) -> Ranges:
        """Places that the replayed log gave other bytes than the disk has."""

    @property
    def root(self) -> int:
        """The number of the uppermost directory."""

    def node(self, number: int) -> Node | None:
        """Return what is kept under a number; None where nothing is."""

    def links(self, directory: int) -> Iterator[Link]:
        """Yield the names in a directory, as they stand there, without those of itself and of the one above."""

    def attributes(self, number: int) -> dict[bytes, bytes]:
        """Return the extended attributes of a node with their full names (``user.…``); access lists are among them."""

    def extents(self, number: int) -> Numbers | None:
        """Return where content lies: rows of (offset in the file, place on the disk, length), sorted, in bytes.

        What they leave out is zeros. None where it lies in no place of its own (and is short): ``read`` it. So too
        for a row whose place is far below zero: what is compressed.
        """

    def read(self, number: int, offset: int, length: int) -> bytes:
        """Return bytes of a file's content; fewer only at its end."""

    def differing(self, older: "FileSystem", changed: Ranges) -> Numbers | None:
        """Return the numbers, sorted, of all nodes that may not be the same in an older view.

        ``changed`` are the places of the disk that may differ. None where the two views cannot be compared so.
        """

    def leading(self, numbers: Numbers) -> Container[int]:
        """Return the directories that hold a name of one of these nodes, and all above them. There may be more."""


def entries(filesystem: FileSystem) -> Iterator[Entry]:
    """Yield all that can be reached from the uppermost directory, directories before what is in them.

    Raises FilesystemError where a directory is found a second time, or lies too deep.
    """
    seen = {filesystem.root}
    stack = [(b"/", filesystem.links(filesystem.root))]
    while stack:
        above, links = stack[-1]
        link = next(links, None)
        if link is None:
            stack.pop()
            continue
        node = filesystem.node(link.number)
        if node is None:
            continue
        path = above + link.name
        yield Entry(path, node)
        if node.kind is Kind.DIRECTORY:
            enter(seen, node.number, len(stack))
            stack.append((path + b"/", filesystem.links(node.number)))


def enter(seen: set[int], directory: int, depth: int) -> None:
    """Note that a walk goes into a directory. Raises FilesystemError where it was there before, or too deep."""
    if directory in seen:
        raise FilesystemError("a directory lies in two places, or within itself")
    if depth > DEEPEST:
        raise FilesystemError("directories lie too deep within one another")
    seen.add(directory)


def lookup(filesystem: FileSystem, path: bytes) -> Node | None:
    """Return what lies at a path; None where nothing does. Symbolic links are not followed."""
    node = filesystem.node(filesystem.root)
    for part in (part for part in path.split(b"/") if part):
        if node is None or node.kind is not Kind.DIRECTORY:
            return None
        number = next((link.number for link in filesystem.links(node.number) if link.name == part), None)
        node = None if number is None else filesystem.node(number)
    return node


def read_exactly(disk: Disk, offset: int, length: int) -> bytes:
    """Return bytes of a disk. Raises FilesystemError where they lie beyond its end."""
    if offset < 0 or length < 0 or offset + length > disk.size:
        raise FilesystemError("the filesystem is truncated or damaged: it refers to places beyond its end")
    found = disk.read(offset, length)
    if len(found) != length:
        raise FilesystemError("the disk became shorter while it was read")
    return found
