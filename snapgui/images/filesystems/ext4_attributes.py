"""Extended attributes of an ext filesystem: behind the fields of an inode, in a block, or in inodes of their own.

Format: the kernel's Documentation/filesystems/ext4/attributes.rst.
"""

import struct
from collections.abc import Callable, Iterator

from snapgui.images.filesystems.filesystem import FilesystemError

MAGIC = b"\x00\x00\x02\xea"
INLINE_CONTENT = b"system.data"
"""The attribute that holds what does not fit of content kept in the inode: not one that a user sees."""
LARGEST_VALUE = 64 * 2**10
_WITHIN_HEADER, _BLOCK_HEADER = 4, 32
_ENTRY = struct.Struct("<BBHIII")
_PREFIXES = {
    0: b"",
    1: b"user.",
    2: b"system.posix_acl_access",
    3: b"system.posix_acl_default",
    4: b"trusted.",
    6: b"security.",
    7: b"system.",
    8: b"system.richacl",
    9: b"encryption.",
}

ReadValue = Callable[[int, int], bytes]
"""Returns the value in an inode of its own, by number and length."""


def within_inode(room: bytes, read: ReadValue) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names and values behind the fields of an inode."""
    if room.startswith(MAGIC):
        yield from _entries(room[_WITHIN_HEADER:], 0, read)


def within_block(block: bytes, read: ReadValue) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names and values in a block."""
    if not block.startswith(MAGIC):
        raise _damaged()
    yield from _entries(block, _BLOCK_HEADER, read)


def _entries(room: bytes, at: int, read: ReadValue) -> Iterator[tuple[bytes, bytes]]:
    while at + 4 <= len(room) and room[at : at + 4] != bytes(4):
        if at + _ENTRY.size > len(room):
            raise _damaged()
        length, prefix, value_at, inode, size, _ = _ENTRY.unpack_from(room, at)
        name = room[at + _ENTRY.size : at + _ENTRY.size + length]
        if len(name) != length or size > LARGEST_VALUE:
            raise _damaged()
        value = read(inode, size) if inode else room[value_at : value_at + size]
        if len(value) != size:
            raise _damaged()
        yield _PREFIXES.get(prefix, b"%d." % prefix) + name, value
        at += -(-(_ENTRY.size + length) // 4) * 4


def _damaged() -> FilesystemError:
    return FilesystemError("the extended attributes of a file are damaged")
