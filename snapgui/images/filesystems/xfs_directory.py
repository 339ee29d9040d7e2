"""The names in a directory of an XFS filesystem: within its inode, or in one of its blocks of names.

Format: "XFS Algorithms & Data Structures", chapter "Directories". What hashes of names a directory has besides is not
read: names stand in blocks of names, whatever form the directory has.
"""

from snapgui.images.filesystems.filesystem import FilesystemError, Link
from snapgui.images.filesystems.xfs_layout import Superblock

ONE_BLOCK, ONE_OF_SEVERAL = {True: b"XDB3", False: b"XD2B"}, {True: b"XDD3", False: b"XD2D"}
"""How blocks of names begin, with checksums and without: the only block (with hashes at its end), and others."""
_UNUSED = b"\xff\xff"
_STEP = 8
_ITSELF = (b".", b"..")


def first_entry(head: Superblock) -> int:
    """Return where in a block of names the first entry is."""
    return 64 if head.checked else 16


def names_within(room: bytes, head: Superblock) -> list[Link]:
    """Return the links in an inode."""
    count, wide = room[0], room[1]
    width = 8 if wide else 4
    found, at = [], 2 + width
    for _ in range(count):
        begin = at + 3
        end = begin + room[at] if at < len(room) else begin
        at = end + head.typed + width
        if at > len(room) or begin == end:
            raise _damaged()
        found.append(_link(room[begin:end], int.from_bytes(room[at - width : at], "big"), head))
    return found


def names_in_block(block: bytes, head: Superblock) -> list[Link]:
    """Return the links in a block of names, without ``.`` and ``..``."""
    end = _end(block, head)
    found, at = [], first_entry(head)
    while at + _STEP <= end:
        if block[at : at + 2] == _UNUSED:
            step = int.from_bytes(block[at + 2 : at + 4], "big")
        else:
            length = block[at + 8]
            name = block[at + 9 : at + 9 + length]
            step = (8 + 1 + length + head.typed + 2 + 7) // 8 * 8
            if name not in _ITSELF:
                found.append(_link(name, int.from_bytes(block[at : at + 8], "big"), head))
        if step < _STEP or step % _STEP or at + step > end:
            raise _damaged()
        at += step
    return found


def _end(block: bytes, head: Superblock) -> int:
    """Return where the names in a block end. Raises FilesystemError where it is no block of names."""
    if block[:4] == ONE_OF_SEVERAL[head.checked]:
        return len(block)
    hashes = int.from_bytes(block[-8:-4], "big")
    end = len(block) - 8 - 8 * hashes
    if block[:4] != ONE_BLOCK[head.checked] or end < first_entry(head):
        raise _damaged()
    return end


def _link(name: bytes, number: int, head: Superblock) -> Link:
    if not name or b"/" in name or b"\0" in name or not 0 < number < head.most:
        raise _damaged()
    return Link(name, number)


def _damaged() -> FilesystemError:
    return FilesystemError("a directory is damaged")
