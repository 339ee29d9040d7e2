"""Names and times as FAT and exFAT write them. Names become UTF-8; of half surrogates what stands there is kept.

Short names are bytes of some code page, which the disk does not tell: code page 437 has a character for each.
"""

from datetime import UTC, datetime
from functools import lru_cache

from snapgui.images.filesystems.filesystem import FilesystemError

_SMALL_NAME, _SMALL_ENDING = 8, 16
_STANDS_FOR_E5 = b"\x05"
_SECOND_NS, _HUNDREDTH_NS = 10**9, 10**7
_ZONE_KNOWN, _QUARTER_S = 0x80, 15 * 60


def short_name(slot: bytes) -> bytes:
    """Return the name of eight and three characters; bits tell which of both are in small letters."""
    base = b"\xe5" + slot[1:8] if slot[:1] == _STANDS_FOR_E5 else slot[:8]
    name, ending, case = _decoded(base), _decoded(slot[8:11]), slot[12]
    name = _small(name) if case & _SMALL_NAME else name
    ending = _small(ending) if case & _SMALL_ENDING else ending
    return _checked(f"{name}.{ending}" if ending else name)


def long_name(slots: bytes) -> bytes:
    """Return the name in slots before a file's, the nearest first; empty where they hold none."""
    parts = (slots[at + 1 : at + 11] + slots[at + 14 : at + 26] + slots[at + 28 : at + 32] for at in _steps(slots))
    name = _units(b"".join(parts)).partition("\0")[0]
    return _checked(name) if name else b""


def exfat_name(slots: bytes, units: int) -> bytes:
    """Return the name in slots behind a file's, of so many units of 16 bits."""
    return _checked(_units(b"".join(slots[at + 2 : at + 32] for at in _steps(slots))[: 2 * units]))


def _steps(slots: bytes) -> range:
    return range(0, len(slots), 32)


def _units(raw: bytes) -> str:
    return raw.decode("utf-16-le", "surrogatepass")


def _checked(name: str) -> bytes:
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise FilesystemError("a directory of the FAT filesystem is damaged: it has a name that cannot be one")
    return name.encode("utf-8", "surrogatepass")


def _decoded(name: bytes) -> str:
    return name.decode("cp437").rstrip(" ")


def _small(name: str) -> str:
    """Return small letters, one for each character whatever stands beside it."""
    return "".join(map(str.lower, name))


def exfat_moment(stamp: int, hundredths: int, zone: int) -> int:
    """Return nanoseconds since 1970, UTC as far as the zone is known."""
    quarters = (zone & 0x7F ^ 0x40) - 0x40
    away = quarters * _QUARTER_S if zone & _ZONE_KNOWN else 0
    found = moment(stamp >> 16, stamp & 0xFFFF, hundredths)
    return found - away * _SECOND_NS if found else 0


@lru_cache(maxsize=4096)
def moment(day: int, time: int, hundredths: int = 0) -> int:
    """Return nanoseconds since 1970 of a time without zone; 0 for what is no time."""
    try:
        when = datetime(
            1980 + (day >> 9), day >> 5 & 15, day & 31, time >> 11, time >> 5 & 63, 2 * (time & 31), tzinfo=UTC
        )
    except ValueError:
        return 0
    return int(when.timestamp()) * _SECOND_NS + hundredths * _HUNDREDTH_NS
