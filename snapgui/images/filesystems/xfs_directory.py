"""The names in a directory of an XFS filesystem: within its inode, or in one of its blocks of names.

Format: "XFS Algorithms & Data Structures", chapter "Directories". What hashes of names a directory has besides is not
read: names stand in blocks of names, whatever form the directory has.
"""

import struct

from snapgui.images.filesystems.filesystem import FilesystemError, Link
from snapgui.images.filesystems.xfs_layout import Superblock

ONE_BLOCK, ONE_OF_SEVERAL = {True: b"XDB3", False: b"XD2B"}, {True: b"XDD3", False: b"XD2D"}
"""How blocks of names begin, with checksums and without: the only block (with hashes at its end), and others."""
_UNUSED = 0xFFFF << 48
"""Where such a number or a larger one stands, is no entry: its second half is the length of what is unused."""
_STEP = 8
_ENTRY_BYTES = 11
"""Of each entry, beside its name and kind: the number, the length of the name, the place of the entry."""
_ITSELF, _ITSELF_BYTES = (b".", b".."), 2
_unpack = struct.Struct(">QB").unpack_from


def first_entry(head: Superblock) -> int:
    """Return where in a block of names the first entry is."""
    return 64 if head.checked else 16


def names_within(room: bytes, head: Superblock) -> list[Link]:
    """Return the links in an inode."""
    count, width = room[0], 8 if room[1] else 4
    names, numbers, at = list[bytes](), list[int](), 2 + width
    for _ in range(count):
        if at + 3 > len(room):
            raise _damaged()
        end = at + 3 + room[at]
        names.append(room[at + 3 : end])
        at = end + head.typed + width
        numbers.append(int.from_bytes(room[at - width : at], "big"))
    if at > len(room):
        raise _damaged()
    return _links(names, numbers, head)


def names_in_block(block: bytes, head: Superblock) -> list[Link]:
    """Return the links in a block of names, without ``.`` and ``..``."""
    at, end, more = first_entry(head), _end(block, head), _ENTRY_BYTES + head.typed + 7
    names, numbers = list[bytes](), list[int]()
    while at + _STEP < end:
        number, length = _unpack(block, at)
        if number >= _UNUSED:
            step = number >> 32 & 0xFFFF
            if step < _STEP or step % _STEP:
                raise _damaged()
            at += step
            continue
        name = block[at + 9 : at + 9 + length]
        if length > _ITSELF_BYTES or name not in _ITSELF:
            names.append(name)
            numbers.append(number)
        at += (more + length) & ~7
    if at > end:
        raise _damaged()
    return _links(names, numbers, head)


def _end(block: bytes, head: Superblock) -> int:
    """Return where the names in a block end. Raises FilesystemError where it is no block of names."""
    if block[:4] == ONE_OF_SEVERAL[head.checked]:
        return len(block)
    hashes = int.from_bytes(block[-8:-4], "big")
    end = len(block) - 8 - 8 * hashes
    if block[:4] != ONE_BLOCK[head.checked] or end < first_entry(head):
        raise _damaged()
    return end


def _links(names: list[bytes], numbers: list[int], head: Superblock) -> list[Link]:
    """Return names with their numbers, all checked at once."""
    together = b"".join(names)
    if b"/" in together or b"\0" in together or b"" in names:
        raise _damaged()
    if numbers and not (min(numbers) > 0 and max(numbers) < head.most):
        raise _damaged()
    return list(map(Link, names, numbers))


def _damaged() -> FilesystemError:
    return FilesystemError("a directory is damaged")
