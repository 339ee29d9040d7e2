"""Logical volumes of LVM2 that lie on partitions: found by the labels, and by what the members of a group describe.

Format: lvm2's lib/format_text/layout.h and label.h. Linear and striped volumes are put together; of the others it is
said what they are. Nothing is written, and nothing is trusted.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from snapgui.images.filesystems.filesystem import Disk
from snapgui.images.lvm_text import MOST_BYTES, Tree, number, parse, section, several, word
from snapgui.images.lvm_volumes import LogicalVolume, Segment
from snapgui.images.qcow2 import ImageError

SECTOR = 512
LARGEST = 2**62
"""Bytes."""
_LABEL_SECTORS = 4
_LABEL = struct.Struct("<8sQII8s")
_AREA = struct.Struct("<QQ")
_METADATA = struct.Struct("<I16sIQQ")
_PLACE = struct.Struct("<QQII")
_MAGIC, _CRC_BEGIN = b" LVM2 x[5A%r0N*>", 0xF597A6CF
_MOST_AREAS = 8
_TWICE = "it lies on a physical volume of LVM that is there twice"
_MISSING = "it lies in part on a physical volume of LVM that is not there"


@dataclass(frozen=True, slots=True)
class PhysicalVolume:
    """A partition that LVM uses: its identity without dashes, and the newest description of its group.

    Members need not keep a description, and what is in no group has none: then both others are empty.
    """

    uuid: str
    group: str = ""
    description: Tree | None = None


def physical_volume(disk: Disk) -> PhysicalVolume | None:
    """Return what LVM keeps on a partition; None where it is none of its. Raises ImageError where that is damaged."""
    label = _label(disk)
    if label is None:
        return None
    uuid, areas = label
    found: list[tuple[str, Tree]] = []
    damage: ImageError | None = None
    for at, size in areas:
        try:
            text = _newest(disk, at, size)
            found += [] if text is None else [_group(text)]
        except ImageError as error:
            damage = error
    if not found:
        if damage is not None:
            raise damage
        return PhysicalVolume(uuid)
    return PhysicalVolume(uuid, *max(found, key=lambda each: number(each[1], "seqno")))


def logical_volumes(members: Mapping[str, PhysicalVolume]) -> Iterator[LogicalVolume]:
    """Yield the volumes of all groups that the places ``members`` describe."""
    newest: dict[str, PhysicalVolume] = {}
    for member in sorted(members.values(), key=_age):
        if member.description is not None:
            newest[word(member.description, "id")] = member
    named = Counter(member.group for member in newest.values())
    for identity, member in newest.items():
        name = member.group if named[member.group] == 1 else f"{member.group} ({identity[:6]})"
        yield from _volumes(name, member, members)


def _age(member: PhysicalVolume) -> int:
    return 0 if member.description is None else number(member.description, "seqno")


def _group(text: str) -> tuple[str, Tree]:
    """Return the only group in a description, with what is asked of each."""
    groups = [(name, found) for name, found in parse(text).items() if isinstance(found, dict)]
    if len(groups) != 1:
        raise _damaged()
    word(groups[0][1], "id")
    number(groups[0][1], "seqno")
    return groups[0]


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
        raise _damaged()
    offset, count, text_check, _ = _PLACE.unpack_from(raw, _METADATA.size)
    if not offset:
        return None
    if not SECTOR <= offset < size or not 0 < count <= min(MOST_BYTES, size - SECTOR):
        raise _damaged()
    first = disk.read(at + offset, min(count, size - offset))
    text = first + disk.read(at + SECTOR, count - len(first))
    if _crc(text) != text_check:
        raise _damaged()
    return text.rstrip(b"\0").decode("utf-8", "replace")


def _crc(content: bytes) -> int:
    """Return LVM's checksum: CRC-32 with a beginning of its own, and not inverted at the end."""
    return zlib.crc32(content, _CRC_BEGIN ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def _volumes(name: str, member: PhysicalVolume, members: Mapping[str, PhysicalVolume]) -> Iterator[LogicalVolume]:
    """Yield the volumes of one group; each that cannot be read says why."""
    group = member.description or {}
    places: dict[str, list[str]] = {}
    for place, each in members.items():
        places.setdefault(each.uuid, []).append(place)
    try:
        parts, extent = _parts(group, places), number(group, "extent_size") * SECTOR
        volumes = section(group, "logical_volumes").items()
    except ImageError as error:
        yield LogicalVolume(name, problem=str(error))
        return
    for own, found in volumes:
        try:
            if isinstance(found, dict) and "VISIBLE" in several(found, "status"):
                yield _volume(f"{name}/{own}", found, extent, parts)
        except ImageError as error:
            yield LogicalVolume(f"{name}/{own}", problem=str(error))


Parts = dict[str, tuple[tuple[str, ...], int]]
"""By the name that the group gives them: the places on which they are (one, if all is well), and where they begin."""


def _parts(group: Tree, places: Mapping[str, list[str]]) -> Parts:
    return {
        name: (tuple(places.get(word(found, "id").replace("-", ""), ())), number(found, "pe_start") * SECTOR)
        for name, found in section(group, "physical_volumes").items()
        if isinstance(found, dict)
    }


def _volume(name: str, volume: Tree, extent: int, parts: Parts) -> LogicalVolume:
    names = tuple(dict.fromkeys(place for where, _ in parts.values() for place in where[:1]))
    segments: list[Segment] = []
    for count in range(number(volume, "segment_count")):
        segment = section(volume, f"segment{count + 1}")
        if (problem := _why_not(segment, parts)) is not None:
            return LogicalVolume(name, problem=problem)
        segments.append(_segment(segment, extent, parts, names))
    segments.sort(key=lambda segment: segment.begin)
    ends = [0, *(segment.end for segment in segments)]
    if any(segment.begin != end for segment, end in zip(segments, ends, strict=False)):
        raise _damaged()
    return LogicalVolume(name, tuple(segments), names)


def _why_not(segment: Tree, parts: Parts) -> str | None:
    kind = word(segment, "type")
    if kind not in {"striped", "linear"}:
        return f"it is an LVM volume of the type “{kind}”, which is not read here"
    counts = {len(parts[name][0]) if isinstance(name, str) and name in parts else 0 for name in _stripes(segment)[::2]}
    return _MISSING if 0 in counts else _TWICE if counts - {1} else None


def _stripes(segment: Tree) -> list[str | int]:
    found = several(segment, "stripes")
    if not found or len(found) % 2:
        raise _damaged()
    return found


def _segment(segment: Tree, extent: int, parts: Parts, names: tuple[str, ...]) -> Segment:
    stripes = _stripes(segment)
    begin, length = number(segment, "start_extent") * extent, number(segment, "extent_count") * extent
    count = len(stripes) // 2
    chunk = length if count == 1 else number(segment, "stripe_size") * SECTOR
    if not 0 < length < LARGEST or begin >= LARGEST or not chunk or length % (count * chunk):
        raise _damaged()
    found = tuple(
        _stripe(where, at, extent, parts, names) for where, at in zip(stripes[::2], stripes[1::2], strict=True)
    )
    return Segment(begin, length, chunk, found)


def _stripe(where: str | int, at: str | int, extent: int, parts: Parts, names: tuple[str, ...]) -> tuple[int, int]:
    """Return the number of the part that a stripe lies on, and its first byte there."""
    if not isinstance(where, str) or not isinstance(at, int) or not 0 <= at < LARGEST // max(1, extent):
        raise _damaged()
    places, begin = parts[where]
    return names.index(places[0]), begin + at * extent


def _damaged() -> ImageError:
    return ImageError("the description of its LVM volumes is damaged")
