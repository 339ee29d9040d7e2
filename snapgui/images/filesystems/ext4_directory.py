"""The names in one block of a directory of an ext filesystem.

Format: the kernel's Documentation/filesystems/ext4/directory.rst. The inner blocks of a hashed directory look like one
unused entry; a checksum at the end of a block like another.
"""

import struct

from snapgui.images.filesystems.filesystem import FilesystemError, Link

_unpack = struct.Struct("<IHBB").unpack_from
_HEAD_BYTES = 8
_LARGE = 65536
"""Bytes of the block in which two bits of a length have moved, for it would not fit otherwise."""
_ITSELF, _ITSELF_BYTES = (b".", b".."), 2


def names(block: bytes, inodes: int, *, typed: bool, encrypted: bool) -> list[Link]:
    """Return the links in a block (or what stands for one in an inode), without ``.`` and ``..``.

    Names in an encrypted directory are unreadable bytes, and given as ``encrypted:`` and digits. ``typed``: the
    upper half of the length of a name tells its kind.
    """
    found = []
    at, end, large = 0, len(block), len(block) >= _LARGE
    while at + _HEAD_BYTES <= end:
        number, step, length, upper = _unpack(block, at)
        if large:
            step = _large_step(step)
        if not typed:
            length |= upper << 8
        if step < _HEAD_BYTES or step % 4 or at + step > end:
            raise _damaged()
        if number and length:
            if length + _HEAD_BYTES > step or number > inodes:
                raise _damaged()
            name = block[at + _HEAD_BYTES : at + _HEAD_BYTES + length]
            if encrypted:
                name = _shown(name)
            elif b"/" in name or b"\0" in name:
                raise _damaged()
            if length > _ITSELF_BYTES or name not in _ITSELF:
                found.append(Link(name, number))
        at += step
    return found


def _large_step(step: int) -> int:
    if step in (0, _LARGE - 1):
        return _LARGE
    return step & ~3 | (step & 3) << 16


def _shown(name: bytes) -> bytes:
    return name if name in _ITSELF else b"encrypted:" + name.hex().encode()


def _damaged() -> FilesystemError:
    return FilesystemError("a directory is damaged")
