"""The partitions of a disk: MBR and GPT, read through whatever reads its bytes. Never written, never trusted.

Sources: UEFI specification 2.10, chapter 5 (GPT) and section 5.2 (MBR); for extended partitions the layout that
Linux reads (a chain of boot records, each with one partition and a link to the next).
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from snapgui.images.qcow2 import ImageError
from snapgui.model.text import QT_TRANSLATE_NOOP, Text

SECTOR = 512
SECTORS = (512, 4096)
"""Sizes of sectors, in bytes, in which a GPT may count."""
MOST = 1024
"""Partitions of one disk; a table with more is none."""
MOST_LOGICAL = 128
_ENTRY_SIZES = (128, 4096)
_HEADER = struct.Struct("<8sIIII4Q16sQIII")
_GPT_ENTRY = struct.Struct("<16s16sQQQ72s")
_PROTECTIVE, _EXTENDED = 0xEE, {0x05, 0x0F, 0x85}

Read = Callable[[int, int], bytes]

_LINUX = QT_TRANSLATE_NOOP("partition", "Linux filesystem")
_SWAP = QT_TRANSLATE_NOOP("partition", "Linux swap")
_LVM = QT_TRANSLATE_NOOP("partition", "Linux LVM")
_RAID = QT_TRANSLATE_NOOP("partition", "Linux RAID")
_EFI = QT_TRANSLATE_NOOP("partition", "EFI system")
_FAT = QT_TRANSLATE_NOOP("partition", "FAT")
_WINDOWS = QT_TRANSLATE_NOOP("partition", "Windows data")
_RECOVERY = QT_TRANSLATE_NOOP("partition", "Windows recovery")
_BSD = QT_TRANSLATE_NOOP("partition", "BSD")
_OTHER = QT_TRANSLATE_NOOP("partition", "type {code}")
_MBR_KINDS = {
    **dict.fromkeys((0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E), _FAT),
    0x07: QT_TRANSLATE_NOOP("partition", "NTFS or exFAT"),
    0x27: _RECOVERY,
    0x82: _SWAP,
    0x83: _LINUX,
    0x8E: _LVM,
    0xA5: _BSD,
    0xA6: _BSD,
    0xA9: _BSD,
    0xEF: _EFI,
    0xFD: _RAID,
}
_GPT_KINDS = {
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": _EFI,
    "21686148-6449-6e6f-744e-656564454649": QT_TRANSLATE_NOOP("partition", "BIOS boot"),
    "0fc63daf-8483-4772-8e79-3d69d8477de4": _LINUX,
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": _LINUX,
    "bc13c2ff-59e6-4262-a352-b275fd6f7172": _LINUX,
    "933ac7e1-2eb4-4f13-b844-0e14e2aef915": _LINUX,
    "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f": _SWAP,
    "e6d6d379-f507-44c2-a23c-238f2a3df928": _LVM,
    "a19d880f-05fc-4d3b-a006-743f0f84911e": _RAID,
    "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": _WINDOWS,
    "e3c9e316-0b5c-4db8-817d-f92df00215ae": QT_TRANSLATE_NOOP("partition", "Windows reserved"),
    "de94bba4-06d1-4d40-a16a-bfd50179d6ac": _RECOVERY,
}


@dataclass(frozen=True, slots=True)
class Partition:
    """``number`` as the guest counts (vda1 is 1); ``start`` and ``length`` in bytes; ``label`` may hold anything."""

    number: int
    start: int
    length: int
    kind: Text
    label: str = ""

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.start + self.length


def partitions(read: Read, capacity: int) -> tuple[Partition, ...]:
    """Return the partitions of a disk of ``capacity`` bytes, by their place; none where there is no table.

    ``read(start, length)`` gives bytes of the disk. Raises ImageError for a table that is damaged or senseless.
    """
    first = read(0, SECTOR)
    if len(first) < SECTOR or first[510:512] != b"\x55\xaa":
        return ()
    entries = list(_mbr_entries(first))
    if any(kind == _PROTECTIVE for kind, _, _ in entries):
        return _gpt(read, capacity)
    if not _sensible(first, entries, capacity):
        return ()  # the boot sector of a filesystem that has the whole disk looks much the same
    found: list[Partition] = []
    for number, (kind, start, count) in enumerate(entries, start=1):
        if kind in _EXTENDED:
            found += _logical(read, capacity, start, count)
        elif kind:
            found.append(Partition(number, start * SECTOR, count * SECTOR, _mbr_kind(kind)))
    return tuple(sorted(found, key=lambda each: (each.start, each.number)))


def _mbr_entries(sector: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (type, first sector, sectors)."""
    for place in range(446, 510, 16):
        kind = sector[place + 4]
        start, count = struct.unpack_from("<II", sector, place + 8)
        yield kind, start, count


def _sensible(sector: bytes, entries: list[tuple[int, int, int]], capacity: int) -> bool:
    if any(sector[place] not in {0, 0x80} for place in range(446, 510, 16)):
        return False
    used = [(start, count) for kind, start, count in entries if kind]
    return bool(used) and all(start and count and (start + count) * SECTOR <= capacity for start, count in used)


def _logical(read: Read, capacity: int, first: int, count: int) -> Iterator[Partition]:
    """Yield the partitions of an extended one; their records link to each other, and must not do so in a circle."""
    here, number = first, 5
    seen: set[int] = set()
    while True:
        if here in seen or len(seen) >= MOST_LOGICAL:
            raise ImageError("the extended partition links to itself")
        seen.add(here)
        sector = read(here * SECTOR, SECTOR)
        if len(sector) < SECTOR or sector[510:512] != b"\x55\xaa":
            raise ImageError("the extended partition is damaged")
        (kind, start, length), (link, offset, _) = list(_mbr_entries(sector))[:2]
        if kind and length:
            end = here + start + length
            if end > first + count or end * SECTOR > capacity:
                raise ImageError("a logical partition reaches beyond its extended one")
            yield Partition(number, (here + start) * SECTOR, length * SECTOR, _mbr_kind(kind))
            number += 1
        if link not in _EXTENDED or not offset:
            return
        here = first + offset
        if offset >= count:
            raise ImageError("the extended partition links to a place outside of it")


def _mbr_kind(kind: int) -> Text:
    return _MBR_KINDS.get(kind) or _OTHER.format(code=f"0x{kind:02x}")


def _gpt(read: Read, capacity: int) -> tuple[Partition, ...]:
    """Read the first table, else its copy at the disk's end."""
    for sector in SECTORS:
        for place in (sector, capacity // sector * sector - sector):
            found = _gpt_at(read, capacity, sector, place)
            if found is not None:
                return found
    raise ImageError("the partition table is damaged")


def _gpt_at(read: Read, capacity: int, sector: int, place: int) -> tuple[Partition, ...] | None:
    raw = read(place, sector) if place > 0 else b""
    if len(raw) < _HEADER.size or raw[:8] != b"EFI PART":
        return None
    _, _, size, check, _, here, _, _, _, _, table, count, entry_size, entries_check = _HEADER.unpack_from(raw)
    if not _HEADER.size <= size <= sector or here * sector != place:
        return None
    if zlib.crc32(raw[:16] + bytes(4) + raw[20:size]) != check:
        return None
    least, most = _ENTRY_SIZES
    if not (0 < count <= MOST and least <= entry_size <= most and entry_size % least == 0):
        return None
    entries = read(table * sector, count * entry_size) if table * sector < capacity else b""
    if len(entries) != count * entry_size or zlib.crc32(entries) != entries_check:
        return None
    return tuple(sorted(_gpt_entries(entries, entry_size, sector, capacity), key=lambda each: each.start))


def _gpt_entries(entries: bytes, entry_size: int, sector: int, capacity: int) -> Iterator[Partition]:
    for number, place in enumerate(range(0, len(entries), entry_size), start=1):
        kind, _, first, last, _, name = _GPT_ENTRY.unpack_from(entries, place)
        if not any(kind):
            continue
        if not 0 < first <= last or (last + 1) * sector > capacity:
            raise ImageError("a partition reaches beyond the disk")
        label = name.decode("utf-16-le", "replace").partition("\0")[0]
        code = str(UUID(bytes_le=kind))
        known = _GPT_KINDS.get(code) or _OTHER.format(code=code)
        yield Partition(number, first * sector, (last + 1 - first) * sector, known, label)
