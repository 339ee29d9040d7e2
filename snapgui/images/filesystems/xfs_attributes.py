"""Extended attributes of an XFS filesystem: within the inode, or in blocks of their own, large values apart.

Format: "XFS Algorithms & Data Structures", chapter "Extended Attributes". Links to the directories above, which are
kept like attributes where the filesystem has them, are none that a user sees.
"""

from collections.abc import Callable, Iterator

from snapgui.images.filesystems.filesystem import FilesystemError
from snapgui.images.filesystems.xfs_layout import Superblock

LARGEST_VALUE = 64 * 2**10
MOST_BLOCKS = 65536
"""Of leaves, for one file."""
DEEPEST_TREE = 8
VALUE_HEADER = 56
"""Bytes at the beginning of each block of a large value, where the filesystem has checksums."""
_LOCAL, _ROOT, _SECURE, _PARENT, _INCOMPLETE = 0x1, 0x2, 0x4, 0x8, 0x80
_PREFIXES = {0: b"user.", _ROOT: b"trusted.", _SECURE: b"security."}
_KNOWN_AS = {
    b"trusted.SGI_ACL_FILE": b"system.posix_acl_access",
    b"trusted.SGI_ACL_DEFAULT": b"system.posix_acl_default",
}

ReadBlock = Callable[[int, int], bytes]
"""Returns blocks of the attributes of a file: by the number of the first, and how many. Raises FilesystemError."""


def within_inode(room: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names and values in an inode."""
    size, count = int.from_bytes(room[:2], "big"), room[2] if len(room) > 3 else 0  # noqa: PLR2004 - bytes of a header
    at = 4
    for _ in range(count):
        if at + 3 > min(size, len(room)):
            raise _damaged()
        length, value_length, flags = room[at : at + 3]
        name, behind = room[at + 3 : at + 3 + length], at + 3 + length + value_length
        if behind > len(room):
            raise _damaged()
        if not flags & (_PARENT | _INCOMPLETE):
            yield _full(name, flags), room[at + 3 + length : behind]
        at = behind


def within_blocks(read: ReadBlock, head: Superblock) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names and values in blocks of their own."""
    number, seen = _first_leaf(read, head), set[int]()
    while number or not seen:
        if number in seen or len(seen) > MOST_BLOCKS:
            raise _damaged()
        seen.add(number)
        block = read(number, 1)
        yield from _entries(block, read, head)
        number = int.from_bytes(block[:4], "big")


def _first_leaf(read: ReadBlock, head: Superblock) -> int:
    """Follow the tree of hashes to the first leaf; each leaf tells the next one."""
    number, magic = 0, b"\x3e\xbe" if head.checked else b"\xfe\xbe"
    first = 64 if head.checked else 16
    for _ in range(DEEPEST_TREE):
        block = read(number, 1)
        if block[8:10] != magic:
            return number
        number = int.from_bytes(block[first + 4 : first + 8], "big")
    raise _damaged()


def _entries(block: bytes, read: ReadBlock, head: Superblock) -> Iterator[tuple[bytes, bytes]]:
    magic, count_at, first = (b"\x3b\xee", 56, 80) if head.checked else (b"\xfb\xee", 12, 32)
    count = int.from_bytes(block[count_at : count_at + 2], "big")
    if block[8:10] != magic or first + 8 * count > len(block):
        raise _damaged()
    for at in range(first, first + 8 * count, 8):
        place, flags = int.from_bytes(block[at + 4 : at + 6], "big"), block[at + 6]
        if flags & (_PARENT | _INCOMPLETE):
            continue
        if place + 9 > len(block):
            raise _damaged()
        name, value = (_near if flags & _LOCAL else _far)(block, place, read, head)
        yield _full(name, flags), value


def _near(block: bytes, place: int, _read: ReadBlock, _head: Superblock) -> tuple[bytes, bytes]:
    size, length = int.from_bytes(block[place : place + 2], "big"), block[place + 2]
    begin = place + 3 + length
    if begin + size > len(block):
        raise _damaged()
    return block[place + 3 : begin], block[begin : begin + size]


def _far(block: bytes, place: int, read: ReadBlock, head: Superblock) -> tuple[bytes, bytes]:
    number, size = (int.from_bytes(block[at : at + 4], "big") for at in (place, place + 4))
    length = block[place + 8]
    name = block[place + 9 : place + 9 + length]
    if size > LARGEST_VALUE or len(name) != length:
        raise _damaged()
    header = VALUE_HEADER if head.checked else 0
    blocks = -(-size // (head.block_bytes - header))
    raw = read(number, blocks)
    pieces = (raw[at + header : at + head.block_bytes] for at in range(0, len(raw), head.block_bytes))
    return name, b"".join(pieces)[:size]


def _full(name: bytes, flags: int) -> bytes:
    found = _PREFIXES.get(flags & (_ROOT | _SECURE), b"%d." % flags) + name
    return _KNOWN_AS.get(found, found)


def _damaged() -> FilesystemError:
    return FilesystemError("the extended attributes of a file are damaged")
