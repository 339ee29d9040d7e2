"""LVM groups of unusual make: as the real tools make them in a guest, and described by hand."""

import hashlib
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.lvm import PhysicalVolume, logical_volumes, physical_volume
from snapgui.images.lvm_volumes import Assembled, LogicalVolume, Segment
from snapgui.images.qcow2 import ImageError
from tests.images.ext import MIB, Memory
from tests.images.linux import run_in_linux
from tests.images.test_lvm import CONFIG, crc

SCRIPT = f"""
config='{CONFIG}'
lvm pvcreate -q --config "$config" /dev/vda
lvm pvcreate -q --config "$config" --pvmetadatacopies 0 /dev/vdb
lvm pvcreate -q --config "$config" --pvmetadatacopies 2 /dev/vdc
lvm pvcreate -q --config "$config" /dev/vdd
lvm vgcreate -q --config "$config" -s 1m group /dev/vda /dev/vdb /dev/vdc
lvm lvcreate -q --config "$config" -y -Wn -L 6m -n one group /dev/vdb
lvm lvcreate -q --config "$config" -y -Wn -L 12m -i 3 -I 4k -n three group
for volume in one three; do dd if=/dev/urandom of=/dev/group/$volume bs=64k 2>/dev/null || true; done
for volume in one three; do echo "is $volume $(sha256sum </dev/group/$volume)"; done
lvm vgchange -q --config "$config" -an group
"""


def test_members_without_a_description_and_such_of_no_group(tmp_path: Path) -> None:
    disks = [tmp_path / f"{name}.raw" for name in ("vda", "vdb", "vdc", "vdd")]
    for disk in disks:
        with disk.open("wb") as file:
            file.truncate(24 * MIB)
    said = run_in_linux(disks, SCRIPT, ["dm-mod"], ["/usr/sbin/lvm"])
    sums = {line.split()[1]: line.split()[2] for line in said.splitlines() if line.startswith("is ")}
    views = {disk.stem: Memory(disk.read_bytes()) for disk in disks}
    members = {name: found for name, view in views.items() if (found := physical_volume(view)) is not None}
    assert {name: member.group for name, member in members.items()} == {
        "vda": "group",
        "vdb": "",
        "vdc": "group",
        "vdd": "",
    }
    found = {volume.name: volume for volume in logical_volumes(members)}
    for name in ("one", "three"):
        whole = Assembled(found[f"group/{name}"], views)
        content = whole.read(0, whole.virtual_bytes)
        assert hashlib.sha256(content).hexdigest() == sums[name]
    del members["vdb"]
    assert {volume.problem for volume in logical_volumes(members)} == {
        "it lies in part on a physical volume of LVM that is not there"
    }


def dashed(uuid: str) -> str:
    return "-".join((uuid[:6], *(uuid[at : at + 4] for at in range(6, 26, 4)), uuid[26:]))


def disk(text: str | None, uuid: str = "A" * 32, *, spoilt_first: bool = False) -> Memory:
    """Return the label and two areas of metadata with a description; the first one with a wrong sum, if so wished."""
    raw = bytearray(3 * MIB)
    label = bytearray(512)
    label[:32] = struct.pack("<8sQII8s", b"LABELONE", 1, 0, 32, b"LVM2 001")
    label[32:64] = uuid.encode()
    struct.pack_into("<Q", label, 64, len(raw))
    struct.pack_into("<12Q", label, 72, 2 * MIB, 0, 0, 0, 4096, MIB // 2, MIB, MIB // 2, 0, 0, 0, 0)
    struct.pack_into("<I", label, 16, crc(label[20:]))
    raw[512:1024] = label
    for at in (4096, MIB):
        content = b"" if text is None else text.encode() + b"\0"
        head = bytearray(512)
        struct.pack_into("<16sIQQ", head, 4, b" LVM2 x[5A%r0N*>", 1, at, MIB // 2)
        if content:
            wrong = int(spoilt_first and at == 4096)
            struct.pack_into("<QQII", head, 40, 512, len(content), crc(content) ^ wrong, 0)
        struct.pack_into("<I", head, 0, crc(head[4:]))
        raw[at : at + 512], raw[at + 512 : at + 512 + len(content)] = head, content
    return Memory(bytes(raw))


def group(volumes: str, *, identity: str = "G" * 32, seqno: int = 3, uuid: str = "A" * 32, extent: int = 128) -> str:
    return f"""group {{ id = "{dashed(identity)}" seqno = {seqno} extent_size = {extent}
        physical_volumes {{ pv0 {{ id = "{dashed(uuid)}" pe_start = 4096 }} }} logical_volumes {{ {volumes} }} }}"""


def volume(name: str, *segments: str, count: int = -1) -> str:
    inner = " ".join(f"segment{number} {{ {each} }}" for number, each in enumerate(segments, 1))
    return f'{name} {{ status = ["READ", "VISIBLE"] segment_count = {len(segments) if count < 0 else count} {inner} }} '


def linear(begin: int, count: int, at: int) -> str:
    return f'start_extent = {begin} extent_count = {count} type = "striped" stripe_count = 1 stripes = ["pv0", {at}]'


def striped(count: int, size: int, *at: int) -> str:
    stripes = ", ".join(f'"pv0", {each}' for each in at)
    return f'start_extent = 0 extent_count = {count} type = "striped" stripe_size = {size} stripes = [{stripes}]'


def volumes_of(*disks: Memory) -> dict[str, LogicalVolume]:
    members = {str(at): found for at, each in enumerate(disks) if (found := physical_volume(each)) is not None}
    return {each.name: each for each in logical_volumes(members)}


DAMAGED = {
    "gap": volume("bad", linear(1, 1, 0)),
    "overlap": volume("bad", linear(0, 2, 0), linear(1, 2, 4)),
    "no place": volume("bad", linear(0, 1, 0).replace(", 0]", "]")),
    "no stripes": volume("bad", linear(0, 1, 0).replace('"pv0", 0', "")),
    "no size of stripes": volume("bad", striped(2, 0, 0, 1)),
    "uneven": volume("bad", striped(3, 128, 0, 2)),
    "nothing": volume("bad", linear(0, 0, 0)),
    "far": volume("bad", linear(0, 1, 2**61)),
    "large": volume("bad", linear(0, 2**61, 0)),
    "more segments": volume("bad", linear(0, 1, 0), count=4_000_000_000),
    "status": volume("bad", linear(0, 1, 0)).replace('["READ", "VISIBLE"]', "7"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_volume_spoils_no_other(damage: str) -> None:
    found = volumes_of(disk(group(DAMAGED[damage] + volume("good", linear(0, 2, 0)))))
    assert found["group/bad"].problem == "the description of its LVM volumes is damaged"
    assert (found["group/good"].problem, found["group/good"].virtual_bytes) == ("", 2 * 65536)


@pytest.mark.parametrize("kind", ["thin", "thin-pool", "cache", "raid1", "mirror", "snapshot", "vdo", "error", "zero"])
def test_other_types_are_named(kind: str) -> None:
    found = volumes_of(disk(group(volume("other", linear(0, 1, 0).replace('"striped"', f'"{kind}"')))))
    assert found["group/other"].problem == f"it is an LVM volume of the type “{kind}”, which is not read here"


def test_the_newest_sound_description_counts() -> None:
    text = group(volume("one", linear(0, 1, 0)))
    assert "group/one" in volumes_of(disk(text, spoilt_first=True))
    newer = group(volume("two", linear(0, 1, 0)), seqno=4)
    assert volumes_of(disk(text), disk(newer, "B" * 32)).keys() == {"group/two"}
    assert volumes_of(disk(newer), disk(text, "B" * 32)).keys() == {"group/two"}
    assert physical_volume(disk(None)) == PhysicalVolume("A" * 32)
    with pytest.raises(ImageError, match="damaged"):
        physical_volume(disk("group {"))


def test_groups_of_one_name_and_members_that_are_there_twice() -> None:
    text, other = group(volume("one", linear(0, 1, 0))), group(volume("one", linear(0, 1, 1)), identity="H" * 32)
    found = volumes_of(disk(text), disk(other.replace(dashed("A" * 32), dashed("B" * 32)), "B" * 32))
    assert found.keys() == {"group (GGGGGG)/one", "group (HHHHHH)/one"}
    assert not any(each.problem for each in found.values())
    (twice,) = volumes_of(disk(text), disk(text)).values()
    assert twice.problem == "it lies on a physical volume of LVM that is there twice"


def test_beyond_the_end_of_the_disk() -> None:
    one = disk(group(volume("far", linear(0, 4, 14))))
    (far,) = volumes_of(one).values()
    whole = Assembled(far, {"0": one})
    assert len(whole.read(0, 2 * 65536)) == 2 * 65536
    with pytest.raises(ImageError, match="beyond the end"):
        whole.read(0, 3 * 65536)


def test_stripes_of_a_large_volume_are_counted() -> None:
    (large,) = volumes_of(disk(group(volume("large", striped(2**24, 8, 0, 2**23))))).values()
    assert (large.virtual_bytes, len(large.segments)) == (2**40, 1)
    assert list(large.pieces(2**39 + 5000, 2**39 + 9000)) == [
        (2**39 + 5000, 0, 4096 * 512 + 2**39 + 2**38 + 904, 3192),
        (2**39 + 8192, 0, 4096 * 512 + 2**38 + 4096, 808),
    ]
    found = large.within({"0": Ranges([(0, 2**40)])})
    assert (found.starts.tolist(), found.ends.tolist()) == ([0], [2**40])


CHUNKS = st.sampled_from([1, 2, 3, 8])


@st.composite
def laid_out(draw: st.DrawFn) -> LogicalVolume:
    """Return a volume on two parts of 400 bytes."""
    segments, at = [], 0
    for _ in range(draw(st.integers(1, 3))):
        chunk, count, rows = draw(CHUNKS), draw(st.integers(1, 3)), draw(st.integers(1, 5))
        length = chunk * count * rows
        stripes = tuple((draw(st.integers(0, 1)), draw(st.integers(0, 100))) for _ in range(count))
        segments.append(Segment(at, length, length if count == 1 else chunk, stripes))
        at += length
    return LogicalVolume("volume", tuple(segments), ("a", "b"))


def naive(found: LogicalVolume) -> list[tuple[str, int]]:
    """Return the part and place of each byte."""
    places = []
    for segment in found.segments:
        for at in range(segment.length):
            number = at // segment.chunk
            part, place = segment.stripes[number % len(segment.stripes)]
            row = number // len(segment.stripes)
            places.append((found.parts[part], place + row * segment.chunk + at % segment.chunk))
    return places


@given(
    found=laid_out(),
    start=st.integers(0, 150),
    length=st.integers(0, 150),
    changed=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 140), st.integers(0, 30)), max_size=4),
)
@settings(max_examples=200)
def test_each_byte_is_where_it_lies(
    found: LogicalVolume, start: int, length: int, changed: list[tuple[str, int, int]]
) -> None:
    disks = {"a": Memory(bytes(range(200)) * 2), "b": Memory(bytes(range(200, 0, -1)) * 2)}
    places = naive(found)
    content = bytes(disks[part].content[place] for part, place in places)
    assert found.virtual_bytes == len(content)
    assert Assembled(found, disks).read(start, length) == content[start : start + length]
    ranges = {part: Ranges([(at, at + size) for each, at, size in changed if each == part]) for part in "ab"}
    told = found.within(ranges)
    wanted = {at for at, (part, place) in enumerate(places) if ranges[part].touches(place, place + 1)}
    assert {at for at in range(len(places)) if told.touches(at, at + 1)} == wanted


@given(one=laid_out(), other=laid_out())
@settings(max_examples=100)
def test_what_lies_alike(one: LogicalVolume, other: LogicalVolume) -> None:
    common = min(one.virtual_bytes, other.virtual_bytes)
    grown = LogicalVolume("grown", (*one.segments, Segment(one.virtual_bytes, 8, 8, ((1, 300),))), one.parts)
    assert one.lies_like(grown)
    assert grown.lies_like(one)
    if one.lies_like(other):
        assert naive(one)[:common] == naive(other)[:common]
    assert not one.lies_like(LogicalVolume("elsewhere", one.segments, ("a", "c")))


def test_a_volume_that_grew_in_place_is_still_known() -> None:
    one = LogicalVolume("x", (Segment(0, 100, 100, ((0, 50),)),), ("a",))
    joined = LogicalVolume("x", (Segment(0, 160, 160, ((0, 50),)),), ("a",))
    apart = LogicalVolume("x", (Segment(0, 100, 100, ((0, 50),)), Segment(100, 60, 60, ((0, 150),))), ("a",))
    assert one.lies_like(joined)
    assert joined.lies_like(apart)
    assert not one.lies_like(LogicalVolume("x", (Segment(0, 100, 100, ((0, 51),)),), ("a",)))
