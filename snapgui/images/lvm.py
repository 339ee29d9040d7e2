"""Logical volumes of LVM2 that lie on partitions: found by the labels, read through whatever reads the partitions.

Format: lvm2's lib/format_text/layout.h and label.h. Linear and striped volumes are put together; of the others it is
said what they are. Nothing is written, and nothing is trusted.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from snapgui.images.filesystems.filesystem import Disk, Numbers
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.lvm_text import MOST_BYTES, Tree, number, parse, section, several, word
from snapgui.images.qcow2 import ImageError

SECTOR = 512
MOST_ROWS = 2**20
"""Pieces of one volume; striped ones have many."""
_LABEL_SECTORS = 4
_LABEL = struct.Struct("<8sQII8s")
_AREA = struct.Struct("<QQ")
_METADATA = struct.Struct("<I16sIQQ")
_PLACE = struct.Struct("<QQII")
_MAGIC, _CRC_BEGIN = b" LVM2 x[5A%r0N*>", 0xF597A6CF
_MOST_AREAS = 8


@dataclass(frozen=True, slots=True)
class PhysicalVolume:
    """A partition that LVM uses: its identity without dashes, and the newest description of its group."""

    uuid: str
    group: str
    description: Tree


@dataclass(frozen=True, slots=True)
class LogicalVolume:
    """A disk put together from others. ``rows``: (first byte, number of the part, first byte there, length), sorted.

    ``parts`` are the places that it lies on. ``problem`` says why it cannot be read; then it has no rows.
    """

    name: str
    virtual_bytes: int
    rows: Numbers
    parts: tuple[str, ...]
    problem: str = ""

    def within(self, changed: Mapping[str, Ranges]) -> Ranges:
        """Return what may differ of it, from what may differ of its parts."""
        found = []
        for begin, part, place, length in self.rows.tolist():
            for low, high in changed[self.parts[part]].within(place, place + length):
                found.append((begin + low - place, begin + high - place))
        return Ranges(found)


class Assembled:
    """The bytes of a logical volume."""

    def __init__(self, volume: LogicalVolume, disks: Mapping[str, Disk]) -> None:
        self._rows, self.virtual_bytes = volume.rows, volume.virtual_bytes
        self._disks = [disks[part] for part in volume.parts]

    def read(self, start: int, length: int) -> bytes:
        """Return bytes of the volume; fewer only at its end. What no part holds is zeros."""
        length = max(0, min(length, self.virtual_bytes - start))
        found = bytearray(length)
        first = int(np.searchsorted(self._rows[:, 0] + self._rows[:, 3], start, "right"))
        behind = int(np.searchsorted(self._rows[:, 0], start + length, "left"))
        for begin, part, place, count in self._rows[first:behind].tolist():
            low, high = max(begin, start), min(begin + count, start + length)
            piece = self._disks[part].read(place + low - begin, high - low)
            found[low - start : low - start + len(piece)] = piece
        return bytes(found)


def physical_volume(disk: Disk) -> PhysicalVolume | None:
    """Return what LVM keeps on a partition; None where it is none of its. Raises ImageError where that is damaged."""
    label = _label(disk)
    if label is None:
        return None
    uuid, areas = label
    texts = [text for at, size in areas if (text := _newest(disk, at, size)) is not None]
    if not texts:
        raise ImageError("it is a physical volume of LVM without a description of its volumes")
    groups = [(name, found) for name, found in parse(texts[0]).items() if isinstance(found, dict)]
    if len(groups) != 1:
        raise ImageError("the description of its LVM volumes is damaged")
    return PhysicalVolume(uuid, *groups[0])


def logical_volumes(members: Mapping[str, PhysicalVolume]) -> Iterator[LogicalVolume]:
    """Yield the volumes of all groups that the places ``members`` belong to. Raises ImageError."""
    groups: dict[str, dict[str, str]] = {}
    for place, member in members.items():
        groups.setdefault(word(member.description, "id"), {})[member.uuid] = place
    for identity, places in groups.items():
        known = [member for member in members.values() if word(member.description, "id") == identity]
        newest = max(known, key=lambda member: number(member.description, "seqno"))
        yield from _volumes(newest, places)


def _label(disk: Disk) -> tuple[str, list[tuple[int, int]]] | None:
    for sector in range(_LABEL_SECTORS):
        raw = disk.read(sector * SECTOR, SECTOR)
        if len(raw) < SECTOR or raw[:8] != b"LABELONE":
            continue
        _, here, check, offset, kind = _LABEL.unpack_from(raw)
        if kind != b"LVM2 001" or here != sector or check != _crc(raw[20:]) or offset > SECTOR - 40:
            raise ImageError("the label of an LVM volume is damaged")
        uuid = raw[offset : offset + 32].decode("ascii", "replace")
        data_areas = list(_areas(raw, offset + 40))
        return uuid, list(_areas(raw, offset + 40 + (len(data_areas) + 1) * _AREA.size))
    return None


def _areas(raw: bytes, at: int) -> Iterator[tuple[int, int]]:
    for _ in range(_MOST_AREAS):
        if at + _AREA.size > len(raw):
            return
        begin, size = _AREA.unpack_from(raw, at)
        if not begin:
            return
        yield begin, size
        at += _AREA.size
    raise ImageError("the label of an LVM volume is damaged")


def _newest(disk: Disk, at: int, size: int) -> str | None:
    """Return the text of a metadata area; it is a ring behind its first sector. None for an area without any."""
    raw = disk.read(at, SECTOR)
    if len(raw) < SECTOR:
        raise ImageError("the LVM volume is truncated")
    check, magic, _, start, length = _METADATA.unpack_from(raw)
    if magic != _MAGIC or check != _crc(raw[4:]) or start != at or length != size or length <= SECTOR:
        raise ImageError("the description of its LVM volumes is damaged")
    offset, count, text_check, _ = _PLACE.unpack_from(raw, _METADATA.size)
    if not offset:
        return None
    if not SECTOR <= offset < size or not 0 < count <= min(MOST_BYTES, size - SECTOR):
        raise ImageError("the description of its LVM volumes is damaged")
    first = disk.read(at + offset, min(count, size - offset))
    text = first + disk.read(at + SECTOR, count - len(first))
    if _crc(text) != text_check:
        raise ImageError("the description of its LVM volumes is damaged")
    return text.rstrip(b"\0").decode("utf-8", "replace")


def _crc(content: bytes) -> int:
    """Return LVM's checksum: CRC-32 with a beginning of its own, and not inverted at the end."""
    return zlib.crc32(content, _CRC_BEGIN ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def _volumes(member: PhysicalVolume, places: Mapping[str, str]) -> Iterator[LogicalVolume]:
    group = member.description
    extent = number(group, "extent_size") * SECTOR
    parts: dict[str, tuple[str, int]] = {}
    for name, found in section(group, "physical_volumes").items():
        if isinstance(found, dict) and (place := places.get(word(found, "id").replace("-", ""))) is not None:
            parts[name] = (place, number(found, "pe_start") * SECTOR)
    for name, found in section(group, "logical_volumes").items():
        if isinstance(found, dict) and "VISIBLE" in several(found, "status"):
            yield _volume(f"{member.group}/{name}", found, extent, parts)


def _volume(name: str, volume: Tree, extent: int, parts: Mapping[str, tuple[str, int]]) -> LogicalVolume:
    names = tuple(dict.fromkeys(place for place, _ in parts.values()))
    pieces: list[Numbers] = []
    size = 0
    for count in range(number(volume, "segment_count")):
        segment = section(volume, f"segment{count + 1}")
        if (problem := _why_not(segment, parts)) is not None:
            return LogicalVolume(name, 0, np.empty((0, 4), np.int64), (), problem)
        pieces.append(_rows(segment, extent, parts, names))
        size = max(size, (number(segment, "start_extent") + number(segment, "extent_count")) * extent)
    rows = np.concatenate(pieces) if pieces else np.empty((0, 4), np.int64)
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    if len(rows) > MOST_ROWS or np.any(rows[1:, 0] < rows[:-1, 0] + rows[:-1, 3]):
        raise ImageError("the description of its LVM volumes is damaged")
    return LogicalVolume(name, size, rows, names)


def _why_not(segment: Tree, parts: Mapping[str, tuple[str, int]]) -> str | None:
    kind = word(segment, "type")
    if kind not in {"striped", "linear"}:
        return f"it is an LVM volume of the type “{kind}”, which is not read here"
    stripes = several(segment, "stripes")
    if any(name not in parts for name in stripes[::2]):
        return "it lies in part on a physical volume of LVM that is not there"
    return None


def _rows(segment: Tree, extent: int, parts: Mapping[str, tuple[str, int]], names: tuple[str, ...]) -> Numbers:
    stripes = several(segment, "stripes")
    begin, length = number(segment, "start_extent") * extent, number(segment, "extent_count") * extent
    count = len(stripes) // 2
    if len(stripes) != 2 * count or not 0 < count <= length or max(begin, length) >= 2**62:
        raise ImageError("the description of its LVM volumes is damaged")
    chunk = length if count == 1 else number(segment, "stripe_size") * SECTOR
    if not chunk or length % count or -(-length // chunk) > MOST_ROWS:
        raise ImageError("the description of its LVM volumes is damaged")
    chunks = np.arange(-(-length // chunk), dtype=np.int64)
    rows = np.empty((len(chunks), 4), np.int64)
    rows[:, 0] = begin + chunks * chunk
    rows[:, 3] = np.minimum(chunk, begin + length - rows[:, 0])
    for stripe in range(count):
        where, at = stripes[2 * stripe], stripes[2 * stripe + 1]
        if not isinstance(where, str) or not isinstance(at, int) or not 0 <= at < 2**62 // max(1, extent):
            raise ImageError("the description of its LVM volumes is damaged")
        place, data_begin = parts[where]
        mine = rows[stripe::count]
        mine[:, 1] = names.index(place)
        mine[:, 2] = data_begin + at * extent + np.arange(len(mine), dtype=np.int64) * chunk
    return rows
