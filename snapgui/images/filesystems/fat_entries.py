"""The entries of FAT and exFAT directories. Times are local to whoever wrote them; they are taken for UTC.

Formats: as in ``fat_layout``; long names of FAT as in its section 7, sets of entries of exFAT as in its section 7.4.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

ENTRY_BYTES = 32
DIRECTORY, LABEL, LONG_NAME = 0x10, 0x08, 0x0F
USERS_FLAGS = 0x27
"""Read only, hidden, system, to be archived."""
_SHORT = struct.Struct("<8s3sBBBHHHHHHHI")
_FILE, _STREAM, _NAME, _LABEL = 0x85, 0xC0, 0xC1, 0x83
_SECOND_NS = 10**9


@dataclass(frozen=True, slots=True)
class Listed:
    """One name in a directory. ``first`` is the first cluster, 0 for none; ``stored`` bytes are written, others zeros.

    ``contiguous``: the table says nothing of it, its clusters follow each other. ``place``: which entry it is.
    """

    name: bytes
    flags: int
    directory: bool
    first: int
    size: int
    stored: int
    contiguous: bool
    born_ns: int
    mtime_ns: int
    place: int


def label(content: bytes, *, exfat: bool) -> str:
    """Return the name of the volume, which stands in its uppermost directory; empty for none."""
    for at in range(0, len(content) - ENTRY_BYTES + 1, ENTRY_BYTES):
        kind, flags = content[at], content[at + 11]
        if kind == 0:
            break
        if exfat and kind == _LABEL:
            return content[at + 2 : at + 2 + 2 * min(11, content[at + 1])].decode("utf-16-le", "replace")
        if not exfat and kind != 0xE5 and flags & 0x3F == LABEL:  # noqa: PLR2004 - the mark of a deleted entry
            return _decoded(content[at : at + 11])
    return ""


def fat_entries(content: bytes) -> Iterator[Listed]:
    """Yield what a FAT directory holds, without itself and the one above."""
    long: dict[int, bytes] = {}
    check = -1
    for at in range(0, len(content) - ENTRY_BYTES + 1, ENTRY_BYTES):
        kind = content[at]
        if kind == 0:
            return
        if kind == 0xE5:  # noqa: PLR2004 - deleted
            long = {}
        elif content[at + 11] & 0x3F == LONG_NAME:
            if kind & 0x40:
                long = {}
            check = content[at + 13]
            long[kind & 0x1F] = content[at + 1 : at + 11] + content[at + 14 : at + 26] + content[at + 28 : at + 32]
        else:
            raw = content[at : at + ENTRY_BYTES]
            if not raw[11] & LABEL and raw[:11] not in {b".          ", b"..         "}:
                yield _short(raw, _long_name(long, check, raw), at // ENTRY_BYTES)
            long = {}


def exfat_entries(content: bytes) -> Iterator[Listed]:
    """Yield what an exFAT directory holds. Sets that are not whole are left out, as by every driver."""
    at = 0
    while at + ENTRY_BYTES <= len(content) and content[at]:
        count = content[at + 1] if content[at] == _FILE else 0
        raw = content[at : at + ENTRY_BYTES * (count + 1)]
        if count >= len(("stream", "name")) and raw[ENTRY_BYTES] == _STREAM and _sum(raw) == raw[2] | raw[3] << 8:
            yield _set(raw, at // ENTRY_BYTES)
            at += len(raw)
        else:
            at += ENTRY_BYTES


def _short(raw: bytes, name: bytes, place: int) -> Listed:
    base, extension, flags, case, hundredths, time, day, _, high, mtime, mday, low, size = _SHORT.unpack(raw)
    directory = bool(flags & DIRECTORY)
    length = 0 if directory else size
    return Listed(
        name=name or _short_name(base, extension, case),
        flags=flags & USERS_FLAGS,
        directory=directory,
        first=high << 16 | low,
        size=length,
        stored=length,
        contiguous=False,
        born_ns=_moment(day, time) + hundredths * 10**7 if day else 0,
        mtime_ns=_moment(mday, mtime),
        place=place,
    )


def _short_name(base: bytes, extension: bytes, case: int) -> bytes:
    if base[0] == 0x05:  # noqa: PLR2004 - stands for the first byte of deleted entries
        base = b"\xe5" + base[1:]
    name, ending = _decoded(base), _decoded(extension)
    name = name.lower() if case & 8 else name
    ending = ending.lower() if case & 16 else ending
    return (f"{name}.{ending}" if ending else name).encode()


def _decoded(name: bytes) -> str:
    return name.decode("cp437").rstrip(" ")


def _long_name(parts: dict[int, bytes], check: int, short: bytes) -> bytes:
    """Return the long name that stands before a short one, if it belongs to that."""
    if not parts or sorted(parts) != list(range(1, len(parts) + 1)) or check != _checksum(short[:11]):
        return b""
    name = b"".join(parts[number] for number in range(1, len(parts) + 1)).decode("utf-16-le", "surrogatepass")
    return name.partition("\0")[0].encode("utf-8", "surrogatepass")


def _checksum(name: bytes) -> int:
    found = 0
    for byte in name:
        found = ((found & 1) << 7) + (found >> 1) + byte & 0xFF
    return found


def _set(raw: bytes, place: int) -> Listed:
    (flags,) = struct.unpack_from("<H", raw, 4)
    born, mtime = struct.unpack_from("<II", raw, 8)
    stream = raw[ENTRY_BYTES : 2 * ENTRY_BYTES]
    stored, _, first, size = struct.unpack_from("<QIIQ", stream, 8)
    characters = b"".join(
        raw[at + 2 : at + ENTRY_BYTES] for at in range(2 * ENTRY_BYTES, len(raw), ENTRY_BYTES) if raw[at] == _NAME
    )
    directory = bool(flags & DIRECTORY)
    return Listed(
        name=characters[: 2 * stream[3]].decode("utf-16-le", "surrogatepass").encode("utf-8", "surrogatepass"),
        flags=flags & USERS_FLAGS,
        directory=directory,
        first=first,
        size=size,
        stored=min(stored, size),
        contiguous=bool(stream[1] & 2),
        born_ns=_exfat_moment(born, raw[20], raw[22]),
        mtime_ns=_exfat_moment(mtime, raw[21], raw[23]),
        place=place,
    )


def _sum(raw: bytes) -> int:
    found = 0
    for at, byte in enumerate(raw):
        if at not in {2, 3}:
            found = ((found & 1) << 15) + (found >> 1) + byte & 0xFFFF
    return found


def _exfat_moment(stamp: int, hundredths: int, zone: int) -> int:
    quarters = zone & 0x7F
    quarters -= 128 if quarters > 63 else 0  # noqa: PLR2004 - a signed number of 7 bits
    away = quarters * 15 * 60 if zone & 0x80 else 0
    return _moment(stamp >> 16, stamp & 0xFFFF) + hundredths * 10**7 - away * _SECOND_NS


@lru_cache(maxsize=4096)
def _moment(day: int, time: int) -> int:
    """Return nanoseconds since 1970; 0 for what is no time."""
    try:
        when = datetime(
            1980 + (day >> 9), day >> 5 & 15, day & 31, time >> 11, time >> 5 & 63, 2 * (time & 31), tzinfo=UTC
        )
    except ValueError:
        return 0
    return int(when.timestamp()) * _SECOND_NS
