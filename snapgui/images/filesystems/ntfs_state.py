"""Whether an NTFS filesystem was left as it should be: its mark, its log, and a Windows that only sleeps.

Format: the kernel's fs/ntfs3/fslog.c (RESTART_HDR, RESTART_AREA), and ntfs-3g for the file of a sleeping Windows.
The log is not replayed.
"""

import struct

from snapgui.images.filesystems.filesystem import FilesystemError
from snapgui.images.filesystems.ntfs_layout import mended
from snapgui.images.filesystems.ntfs_stream import Stream

SMALLEST_PAGE, LARGEST_PAGE = 512, 64 * 2**10
SLEEPING = (b"hibr", b"HIBR")
"""What the file of a sleeping Windows begins with; that of one that woke up begins with something else, or zeros."""
_PAGE = struct.Struct("<IIH")
_PAGE_AT = 16
"""Bytes of a system page, of a page of the log, place of the restart area."""
_AREA = struct.Struct("<QHHHH")
"""Newest sequence number, clients, first free one, first in use, flags."""
_NO_CLIENT, _CLEAN = 0xFFFF, 0x2


def log_is_clean(log: Stream) -> bool:
    """Whether nothing is left to be replayed: the log is empty, or its newer restart area says so."""
    begin = log.read(0, _PAGE_AT + _PAGE.size)
    if begin == b"\xff" * len(begin):
        return True
    size, _, _ = _PAGE.unpack_from(begin.ljust(_PAGE_AT + _PAGE.size, b"\0"), _PAGE_AT)
    if begin[:4] != b"RSTR" or not SMALLEST_PAGE <= size <= LARGEST_PAGE or size % SMALLEST_PAGE:
        return False
    areas = [area for at in (0, size) if (area := _area(log.read(at, size))) is not None]
    if not areas:
        return False
    _, _, _, in_use, flags = max(areas)
    return in_use == _NO_CLIENT or bool(flags & _CLEAN)


def _area(page: bytes) -> tuple[int, ...] | None:
    """Return the restart area in a page; None where there is none that was written whole."""
    try:
        page = mended(page, b"RSTR")
    except (FilesystemError, struct.error):
        return None
    at = _PAGE.unpack_from(page, _PAGE_AT)[2]
    return _AREA.unpack_from(page, at) if at + _AREA.size <= len(page) else None
