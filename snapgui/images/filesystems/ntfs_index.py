"""An index of an NTFS filesystem: the names in a directory, and some tables that it keeps for itself.

Format: the kernel's fs/ntfs3/index.c. An index is a tree whose root lies in the record; its other nodes are blocks of
an attribute. What a directory holds is what its index says, as for any system that mounts it.
"""

import struct
from collections.abc import Iterator

from snapgui.images.filesystems.filesystem import FilesystemError, Link
from snapgui.images.filesystems.ntfs_layout import LARGEST_INDEX_BLOCK, STRIDE, mended
from snapgui.images.filesystems.ntfs_record import numbered, text
from snapgui.images.filesystems.ntfs_stream import Stream

FIRST_OF_USERS = 24
"""Records below belong to the filesystem itself, but for the uppermost directory."""
_ROOT_BYTES, _BLOCK_HEAD = 16, 24
_HEAD = struct.Struct("<II")
_ENTRY = struct.Struct("<QHHH")
"""Reference, length, length of the key, flags."""
_KEY_AT, _NAME_AT = 16, 66
_NODE_BELOW, _LAST = 1, 2
_DOS = 2
"""The kind of a name that is only the short one of another."""


class Index:
    """A tree of names: ``root`` is the content of its root, ``blocks`` the other nodes. Raises FilesystemError."""

    def __init__(self, root: bytes, blocks: Stream | None, cluster_bytes: int) -> None:
        if len(root) < _ROOT_BYTES + _HEAD.size:
            raise _damaged()
        self._root, self._blocks = root[_ROOT_BYTES:], blocks
        self._size = int.from_bytes(root[8:12], "little")
        if not STRIDE <= self._size <= LARGEST_INDEX_BLOCK or self._size % STRIDE:
            raise _damaged()
        self._unit = cluster_bytes if cluster_bytes <= self._size else STRIDE

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """Yield references and names (or other keys), in order. Raises FilesystemError."""
        visited: set[int] = set()
        stack = [_entries(self._root)]
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
                continue
            reference, key, below = entry
            if below is not None:
                stack.append(self._below(below, visited, reference, key))
            elif key:
                yield reference, key

    def _below(
        self, block: int, visited: set[int], reference: int, key: bytes
    ) -> Iterator[tuple[int, bytes, int | None]]:
        """Yield what is in a node, and the entry that it hangs on behind it."""
        if block in visited or self._blocks is None:
            raise _damaged()
        visited.add(block)
        raw = self._blocks.read(block * self._unit, self._size)
        if len(raw) != self._size:
            raise _damaged()
        yield from _entries(mended(raw, b"INDX")[_BLOCK_HEAD:])
        yield reference, key, None


def names(index: Index) -> Iterator[Link]:
    """Yield the names in a directory, but for short ones and the files of the filesystem itself."""
    for reference, key in index.entries():
        if len(key) < _NAME_AT or len(key) < _NAME_AT + 2 * key[64]:
            raise _damaged()
        number = numbered(reference)
        if key[65] == _DOS or number >> 16 < FIRST_OF_USERS:
            continue
        name = text(key[_NAME_AT : _NAME_AT + 2 * key[64]])
        if not name or b"/" in name or b"\0" in name:
            raise _damaged()
        yield Link(name, number)


def _entries(node: bytes) -> Iterator[tuple[int, bytes, int | None]]:
    """Yield reference, key and the node below (which comes before the key) of each entry in a node."""
    at, end = _HEAD.unpack_from(node)
    if at % 8 or end > len(node):
        raise _damaged()
    while at + _KEY_AT <= end:
        reference, length, key_length, flags = _ENTRY.unpack_from(node, at)
        room = length - _KEY_AT - (8 if flags & _NODE_BELOW else 0)
        if length % 8 or room < 0 or at + length > end or (key_length > room and not flags & _LAST):
            raise _damaged()
        key = b"" if flags & _LAST else node[at + _KEY_AT : at + _KEY_AT + key_length]
        below = int.from_bytes(node[at + length - 8 : at + length], "little") if flags & _NODE_BELOW else None
        yield reference, key, below
        if flags & _LAST:
            return
        at += length
    raise _damaged()


def _damaged() -> FilesystemError:
    return FilesystemError("a directory is damaged")
