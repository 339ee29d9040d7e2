"""Reads btrfs filesystems that are whole on one device; subvolumes and snapshots are shown where they stand.

Format: "On-disk Format" of btrfs.readthedocs.io. Logs are not replayed: what was synchronised file by file since the
last commit (every 30 seconds, as a rule) is not seen.
"""

from collections.abc import Container, Iterator
from dataclasses import replace

from snapgui.images.filesystems.btrfs_content import Content
from snapgui.images.filesystems.btrfs_differing import differing
from snapgui.images.filesystems.btrfs_items import (
    ATTRIBUTE,
    DIRECTORY_INDEX,
    INODE,
    ROOT,
    Entry,
    entries,
)
from snapgui.images.filesystems.btrfs_items import node as told_node
from snapgui.images.filesystems.btrfs_layout import is_btrfs
from snapgui.images.filesystems.btrfs_leading import leading
from snapgui.images.filesystems.btrfs_subvolumes import (
    UPPERMOST,
    number_of_none,
    numbered,
    taken_apart,
)
from snapgui.images.filesystems.btrfs_tree import Tree
from snapgui.images.filesystems.btrfs_view import View
from snapgui.images.filesystems.filesystem import Disk, FileSystem, FilesystemError, Kind, Link, Node, Numbers
from snapgui.images.filesystems.ranges import Ranges
from snapgui.model.text import QT_TRANSLATE_NOOP

LONGEST_TARGET = 64 * 2**10
_IN_USE = QT_TRANSLATE_NOOP(
    "FileSystem", "It was in use, and its log is not replayed: changes of the last seconds may be missing."
)
_COPY = QT_TRANSLATE_NOOP("FileSystem", "Its superblock is damaged; the newest copy of it was used.")

recognises = is_btrfs


def open_btrfs(disk: Disk) -> "Btrfs":
    """Return the filesystem on a disk. Raises FilesystemError."""
    return Btrfs(View.of(disk))


class Btrfs:
    """One view; ``FileSystem`` says what its methods are for."""

    name = "btrfs"
    replayed = False

    def __init__(self, view: View) -> None:
        self.view, self.label, self.uuid = view, view.head.label, view.head.uuid
        self.unclean = view.head.log_root != 0
        self.remarks = (*((_IN_USE,) if self.unclean else ()), *((_COPY,) if view.head.copy else ()))
        self.rewritten = Ranges()
        self._content = Content(view.disk, view.chunks, view.head.sector_bytes)

    @property
    def root(self) -> int:
        """The uppermost directory of the uppermost subvolume, whichever one is mounted by default."""
        found = self._uppermost(UPPERMOST)
        if found is None:
            raise FilesystemError("the uppermost subvolume is missing")
        return found

    def node(self, number: int) -> Node | None:
        """Return what is kept under a number; None where nothing is."""
        if number < 0:
            return Node(number, Kind.DIRECTORY, mode=0o755)
        subvolume, within = taken_apart(number)
        tree = self.view.subvolumes.tree(subvolume)
        item = None if tree is None else tree.find((within, INODE, 0))
        if tree is None or item is None:
            return None
        found = told_node(number, item)
        return replace(found, target=self._target(tree, within, found.size)) if found.kind is Kind.SYMLINK else found

    def links(self, directory: int) -> Iterator[Link]:
        """Yield the names in a directory."""
        if directory < 0:
            return
        subvolume, within = taken_apart(directory)
        for _, content in self._tree(directory).of(within, DIRECTORY_INDEX):
            for entry in entries(content):
                if not entry.name or b"/" in entry.name or b"\0" in entry.name or entry.name in (b".", b".."):
                    raise FilesystemError("a directory is damaged")
                yield Link(entry.name, self._meant(subvolume, within, entry))

    def attributes(self, number: int) -> dict[bytes, bytes]:
        """Return the extended attributes of a node."""
        if number < 0:
            return {}
        items = self._tree(number).of(taken_apart(number)[1], ATTRIBUTE)
        return {entry.name: entry.value for item in items for entry in entries(item.content)}

    def extents(self, number: int) -> Numbers | None:
        """Return where content lies, as rows of bytes; None where it is short and lies in the tree."""
        tree, within = self._tree(number), taken_apart(number)[1]
        return self._content.extents(tree, within, self._size(tree, within))

    def read(self, number: int, offset: int, length: int) -> bytes:
        """Return bytes of a file's content; fewer only at its end."""
        tree, within = self._tree(number), taken_apart(number)[1]
        return self._content.read(tree, within, offset, max(0, min(length, self._size(tree, within) - offset)))

    def differing(self, older: FileSystem, changed: Ranges) -> Numbers | None:
        """Return the numbers of all nodes that may not be the same in an older view; None for other filesystems."""
        if not isinstance(older, Btrfs) or not self.view.laid_out_like(older.view):
            return None
        return differing(self.view, older.view, changed)

    def leading(self, numbers: Numbers) -> Container[int]:
        """Return the directories that hold a name of one of these nodes, and all above them."""
        return leading(self.view.subvolumes, numbers) | {self.root}

    def _tree(self, number: int) -> Tree:
        tree = self.view.subvolumes.tree(taken_apart(number)[0]) if number > 0 else None
        if tree is None:
            raise FilesystemError("a subvolume is missing")
        return tree

    def _uppermost(self, subvolume: int) -> int | None:
        found = self.view.subvolumes.get(subvolume)
        return None if found is None else numbered(subvolume, found.directory)

    def _meant(self, subvolume: int, directory: int, entry: Entry) -> int:
        """Return the number of what a name stands for."""
        if entry.kind == INODE:
            return numbered(subvolume, entry.number)
        if entry.kind != ROOT:
            raise FilesystemError("a directory is damaged")
        found = self._uppermost(entry.number) if self.view.subvolumes.stands(subvolume, directory, entry) else None
        return number_of_none(subvolume, directory, entry) if found is None else found

    def _size(self, tree: Tree, within: int) -> int:
        item = tree.find((within, INODE, 0))
        return 0 if item is None else told_node(within, item).size

    def _target(self, tree: Tree, within: int, size: int) -> bytes:
        if size > LONGEST_TARGET:
            raise FilesystemError("a symbolic link is damaged")
        return self._content.read(tree, within, 0, size)
