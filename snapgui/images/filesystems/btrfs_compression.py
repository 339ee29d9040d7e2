"""Decompresses a piece of content of a btrfs filesystem: zlib, LZO or Zstandard, never into more than it may be.

Format: btrfs.readthedocs.io, "Compression"; the frame around LZO is told in the kernel's fs/btrfs/lzo.c.
"""

import zlib

import zstandard

from snapgui.images.filesystems import lzo
from snapgui.images.filesystems.btrfs_items import LZO, ZLIB
from snapgui.images.filesystems.filesystem import FilesystemError

LARGEST_BYTES = 128 * 2**10
"""A compressed piece is never longer, stored or decompressed (BTRFS_MAX_COMPRESSED, BTRFS_MAX_UNCOMPRESSED)."""
_LARGEST_WINDOW = 2**23
_WORD_BYTES = 4


def decompress(kind: int, stored: bytes, length: int, sector_bytes: int) -> bytes:
    """Return ``length`` bytes; what is missing at the end is zeros. Raises FilesystemError where it is damaged."""
    if max(length, len(stored)) > LARGEST_BYTES:
        raise _damaged()
    try:
        found = _expanded(kind, stored, length, sector_bytes)
    except (zlib.error, zstandard.ZstdError) as error:
        raise _damaged() from error
    return found[:length].ljust(length, b"\0")


def _expanded(kind: int, stored: bytes, length: int, sector_bytes: int) -> bytes:
    if kind == ZLIB:
        return zlib.decompressobj().decompress(stored, max(1, length))
    if kind == LZO:
        return _segments(stored, length, sector_bytes)
    expanding = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
    with expanding.stream_reader(stored) as reader:
        return reader.read(length)


def _segments(stored: bytes, length: int, sector_bytes: int) -> bytes:
    """Return what LZO segments, one for each sector, become; the length of one never lies across two sectors."""
    end = min(_word(stored, 0), len(stored))
    at, found = _WORD_BYTES, bytearray()
    while at + _WORD_BYTES <= end and len(found) < length:
        if sector_bytes - at % sector_bytes < _WORD_BYTES:
            at = -(-at // sector_bytes) * sector_bytes
        size = _word(stored, at)
        at += _WORD_BYTES
        if at + size > end or not size:
            raise _damaged()
        found += lzo.decompress(stored[at : at + size], sector_bytes)
        at += size
    return bytes(found)


def _word(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + _WORD_BYTES], "little")


def _damaged() -> FilesystemError:
    return FilesystemError("compressed content is damaged")
