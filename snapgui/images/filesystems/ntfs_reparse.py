"""Reparse points: symbolic links, junctions, the special files of WSL, and what other programs keep about a file.

Format: Microsoft's [MS-FSCC], section 2.1.2, and the kernel's fs/ntfs3/ntfs.h.
"""

import struct
from dataclasses import dataclass

from snapgui.images.filesystems.filesystem import FilesystemError, Kind
from snapgui.images.filesystems.ntfs_record import text

SYMLINK, JUNCTION, WSL_SYMLINK, WOF = 0xA000000C, 0xA0000003, 0xA000001D, 0x80000017
_SPECIAL = {0x80000023: Kind.SOCKET, 0x80000024: Kind.FIFO, 0x80000025: Kind.CHARACTER, 0x80000026: Kind.BLOCK}
_PATHS_AT = {SYMLINK: 20, JUNCTION: 16}
_NAMES = struct.Struct("<HHHH")
_HEAD_BYTES, _WSL_VERSION_BYTES = 8, 4
_NATIVE = b"\\??\\"
"""What stands before a full path within Windows."""


@dataclass(frozen=True, slots=True)
class Reparse:
    """What a reparse point makes of a file. ``kind`` is None where it stays what it is."""

    tag: int
    kind: Kind | None
    target: bytes
    raw: bytes


def reparse(raw: bytes) -> Reparse:
    """Return what a reparse point says. Raises FilesystemError."""
    if len(raw) < _HEAD_BYTES:
        raise _damaged()
    tag = int.from_bytes(raw[:4], "little")
    if tag in _PATHS_AT:
        return Reparse(tag, Kind.SYMLINK, _target(raw, _PATHS_AT[tag]), raw)
    if tag == WSL_SYMLINK:
        return Reparse(tag, Kind.SYMLINK, raw[_HEAD_BYTES + _WSL_VERSION_BYTES :], raw)
    return Reparse(tag, _SPECIAL.get(tag), b"", raw)


def _target(raw: bytes, paths_at: int) -> bytes:
    """Return where Windows goes; the second name, which is shown to people, may be missing or say something else."""
    if len(raw) < paths_at:
        raise _damaged()
    at, length, _, _ = _NAMES.unpack_from(raw, _HEAD_BYTES)
    found = raw[paths_at + at : paths_at + at + length]
    if len(found) != length:
        raise _damaged()
    return text(found).removeprefix(_NATIVE)


def _damaged() -> FilesystemError:
    return FilesystemError("a symbolic link or another reparse point is damaged")
