"""LZNT1, with which NTFS compresses units of a file.

Format: Microsoft's [MS-XCA], section "LZNT1 Algorithm Details": chunks of 4096 bytes, in each of which groups of eight
tokens are literals, or pairs of distance and length whose widths depend on how much of the chunk there is already.
"""

from snapgui.images.filesystems.filesystem import FilesystemError

CHUNK_BYTES = 4096
_COMPRESSED, _LENGTH = 0x8000, 0x0FFF
_SHORTEST = 3
_SHIFTS = [12 - max(0, (have - 1).bit_length() - 4) for have in range(CHUNK_BYTES + 1)]
"""Bits of a length, by how many bytes of the chunk there are."""


def decompressed(packed: bytes, size: int) -> bytes:
    """Return a unit of ``size`` bytes; what no chunk is left for is zeros. Raises FilesystemError."""
    found, at = bytearray(), 0
    while len(found) < size and at + 2 <= len(packed):
        header = packed[at] | packed[at + 1] << 8
        if header == 0:
            break
        begin, at = at + 2, at + 3 + (header & _LENGTH)
        if at > len(packed):
            raise _damaged()
        chunk = _chunk(packed, begin, at) if header & _COMPRESSED else packed[begin:at]
        found += chunk[:CHUNK_BYTES]
        if len(chunk) < CHUNK_BYTES and len(found) < size:
            found += bytes(CHUNK_BYTES - len(chunk))
    return bytes(found[:size].ljust(size, b"\0"))


def _chunk(packed: bytes, at: int, end: int) -> bytearray:
    out = bytearray()
    while at < end:
        kinds, at = packed[at], at + 1
        if kinds == 0:
            out += packed[at : min(at + 8, end)]
            at += 8
            continue
        for bit in range(8):
            if at >= end:
                break
            if not kinds >> bit & 1:
                out.append(packed[at])
                at += 1
                continue
            if at + 2 > end:
                raise _damaged()
            _copy(out, packed[at] | packed[at + 1] << 8)
            at += 2
        if len(out) > CHUNK_BYTES:
            raise _damaged()
    return out


def _copy(out: bytearray, pair: int) -> None:
    have = len(out)
    if not 0 < have < CHUNK_BYTES:
        raise _damaged()
    shift = _SHIFTS[have]
    back, length = (pair >> shift) + 1, (pair & (1 << shift) - 1) + _SHORTEST
    if back > have or have + length > CHUNK_BYTES:
        raise _damaged()
    if back >= length:
        out += out[have - back : have - back + length]
    else:
        out += (out[have - back :] * (length // back + 1))[:length]


def _damaged() -> FilesystemError:
    return FilesystemError("a compressed file is damaged")
