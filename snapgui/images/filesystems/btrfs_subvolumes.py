"""The subvolumes of a btrfs filesystem: a tree for each, and the directories in which they stand.

Files have numbers of their own in each subvolume: a node's number here is made of both. A snapshot has the names of the
subvolumes in what it was taken of, but not these: there the kernel shows directories without anything in them.
"""

import hashlib
import struct
from collections.abc import Iterator
from typing import NamedTuple

from snapgui.images.filesystems.btrfs_items import (
    FIRST_FREE,
    ROOT,
    ROOT_BACK_REF,
    ROOT_REF,
    Above,
    Entry,
    root_name,
)
from snapgui.images.filesystems.btrfs_node import Nodes
from snapgui.images.filesystems.btrfs_tree import BEHIND, FIRST, Pointer, Tree
from snapgui.images.filesystems.filesystem import FilesystemError

UPPERMOST = 5
"""The subvolume in which all others stand."""
FILE_BITS = 39
MOST_SUBVOLUMES = 2 ** (63 - FILE_BITS)
_KEPT = 512
_ROOT = struct.Struct("<160xQQQ32xI18xB")
"""Behind an inode: generation, uppermost directory, place of the uppermost node; references; level."""


class Subvolume(NamedTuple):
    """A tree of files, and the number of its uppermost directory."""

    root: Pointer
    directory: int


def numbered(subvolume: int, number: int) -> int:
    """Return the number of a node. Raises FilesystemError where there are more than can be told apart."""
    if not (0 < subvolume < MOST_SUBVOLUMES and 0 < number < 1 << FILE_BITS):
        raise FilesystemError("it has more files, or more subvolumes, than can be told apart here")
    return subvolume << FILE_BITS | number


def taken_apart(number: int) -> tuple[int, int]:
    """Return subvolume and number within it."""
    return number >> FILE_BITS, number & (1 << FILE_BITS) - 1


def number_of_none(subvolume: int, directory: int, entry: Entry) -> int:
    """Return the number, below zero, of the empty directory that is shown for a subvolume that stands elsewhere."""
    told = struct.pack("<QQQ", subvolume, directory, entry.number) + entry.name
    return -1 - (int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "little") >> 1)


class Subvolumes:
    """All subvolumes of a view."""

    def __init__(self, nodes: Nodes, root: Pointer) -> None:
        self._nodes, self.trees = nodes, Tree(nodes, root)
        self._kept: dict[int, Subvolume | None] = {}

    def get(self, number: int) -> Subvolume | None:
        """Return a subvolume; None where there is none."""
        if number not in self._kept:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            item = self.trees.last((number, ROOT + 1, 0))
            there = item is not None and item.key[:2] == (number, ROOT)
            self._kept[number] = subvolume(item.content) if item is not None and there else None
        return self._kept[number]

    def tree(self, number: int) -> Tree | None:
        """Return the tree of a subvolume."""
        found = self.get(number)
        return None if found is None else Tree(self._nodes, found.root)

    def all(self) -> Iterator[tuple[int, Subvolume]]:
        """Yield each subvolume and its number, in order."""
        for key, content in self.trees.items():
            if key[1] == ROOT and (key[0] == UPPERMOST or FIRST_FREE <= key[0] < MOST_SUBVOLUMES):
                yield key[0], subvolume(content)

    def names(self) -> Iterator[tuple[int, Above, int]]:
        """Yield each place where a subvolume stands: the subvolume above, the name in it, and which one it is."""
        for key, content in self.trees.items(FIRST, BEHIND):
            if key[1] == ROOT_REF:
                yield key[0], root_name(content), key[2]

    def stands(self, above: int, directory: int, entry: Entry) -> bool:
        """Whether a subvolume stands where a name of it is found."""
        content = self.trees.find((above, ROOT_REF, entry.number))
        return content is not None and root_name(content) == (directory, entry.name)

    def above(self, number: int) -> Iterator[tuple[int, int]]:
        """Yield the subvolume and the directory in which one stands."""
        for key, content in self.trees.of(number, ROOT_BACK_REF):
            yield key[2], root_name(content).directory


def subvolume(item: bytes) -> Subvolume:
    """Return a subvolume from the item ROOT_ITEM."""
    if len(item) < _ROOT.size:
        raise FilesystemError("a subvolume is damaged")
    generation, directory, place, _, level = _ROOT.unpack_from(item)
    return Subvolume(Pointer(place, generation, level), directory)
