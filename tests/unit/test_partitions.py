"""Partition tables made by hand: whole, damaged and hostile ones."""

import struct
import zlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapgui.images.partitions import MOST, Partition, partitions
from snapgui.images.qcow2 import ImageError

MIB = 2**20
CAPACITY = 64 * MIB
LINUX, EFI = "0fc63daf-8483-4772-8e79-3d69d8477de4", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
Entry = tuple[int, int, int]
"""Type, first sector, sectors."""


def boot_record(*entries: Entry, status: int = 0) -> bytes:
    sector = bytearray(512)
    for number, (kind, start, count) in enumerate(entries):
        place = 446 + 16 * number
        sector[place], sector[place + 4] = status, kind
        sector[place + 8 : place + 16] = struct.pack("<II", start, count)
    sector[510:] = b"\x55\xaa"
    return bytes(sector)


def disk(*parts: tuple[int, bytes], capacity: int = CAPACITY) -> bytearray:
    """A disk with bytes at some sectors."""
    made = bytearray(capacity)
    for sector, content in parts:
        made[sector * 512 : sector * 512 + len(content)] = content
    return made


def read_from(content: bytes | bytearray) -> tuple[Partition, ...]:
    return partitions(lambda start, length: bytes(content[start : start + length]), len(content))


def told(content: bytes | bytearray) -> list[tuple[int, int, int, str]]:
    return [(found.number, found.start, found.length, str(found.kind)) for found in read_from(content)]


def gpt(
    *entries: tuple[str, int, int, str], sector: int = 512, here: int = 1, table: int = 2, size: int = 128
) -> bytes:
    """A header and, a sector later, its entries: (type, first, last, label)."""
    raw = b"".join(
        struct.pack("<16s16sQQQ72s", UUID(kind).bytes_le, bytes(16), first, last, 0, label.encode("utf-16-le")).ljust(
            size
        )
        for kind, first, last, label in entries
    ).ljust(size * 128, b"\0")
    shape = struct.Struct("<8sIIII4Q16sQIII")
    fields = (0, here, 0, 34, 1000, bytes(16), table, 128, size, zlib.crc32(raw))
    head = shape.pack(b"EFI PART", 0x10000, shape.size, 0, *fields)
    head = head[:16] + struct.pack("<I", zlib.crc32(head)) + head[20:]
    return head.ljust(sector, b"\0") + raw


PROTECTIVE = boot_record((0xEE, 1, 0xFFFFFFFF))


def test_a_disk_without_a_table_has_none() -> None:
    assert read_from(bytes(CAPACITY)) == ()
    assert read_from(b"") == ()
    assert read_from(b"\0" * 100) == ()
    assert read_from(disk((0, boot_record()))) == ()


def test_primary_partitions() -> None:
    table = boot_record((0x83, 2048, 2048), (0x82, 8192, 100), (0, 0, 0), (0x77, 4096, 4096), status=0x80)
    assert told(disk((0, table))) == [
        (1, MIB, MIB, "Linux filesystem"),
        (4, 2 * MIB, 2 * MIB, "type 0x77"),
        (2, 4 * MIB, 51200, "Linux swap"),
    ]


def test_logical_partitions() -> None:
    content = disk(
        (0, boot_record((0x83, 2048, 2048), (0x05, 4096, 20000))),
        (4096, boot_record((0x07, 64, 1000), (0x05, 8000, 2000))),
        (12096, boot_record((0x8E, 32, 900))),
    )
    assert [(number, start // 512, kind) for number, start, _, kind in told(content)] == [
        (1, 2048, "Linux filesystem"),
        (5, 4160, "NTFS or exFAT"),
        (6, 12128, "Linux LVM"),
    ]


@pytest.mark.parametrize(
    ("second", "complaint"),
    [
        (boot_record((0x83, 64, 100), (0x05, 1, 100)), "links to itself"),
        (boot_record((0x83, 64, 100), (0x05, 30000, 100)), "outside of it"),
        (boot_record((0x83, 64, 300000)), "beyond its extended one"),
        (bytes(512), "damaged"),
    ],
    ids=["circle", "outside", "too-long", "damaged"],
)
def test_hostile_extended_partitions_are_refused(second: bytes, complaint: str) -> None:
    content = disk((0, boot_record((0x05, 4096, 20000))), (4096, second), (4097, second))
    with pytest.raises(ImageError, match=complaint):
        read_from(content)


def test_a_long_chain_of_extended_partitions_ends() -> None:
    links = [(4096 + n, boot_record((0, 0, 0), (0x05, n + 1, 1))) for n in range(1000)]
    with pytest.raises(ImageError, match="links to itself"):
        read_from(disk((0, boot_record((0x05, 4096, 20000))), *links))


def test_a_boot_sector_of_a_filesystem_is_no_table() -> None:
    assert read_from(disk((0, boot_record((0x65, 0x6E20, 0x73657270), status=0x6B)))) == ()
    assert read_from(disk((0, boot_record((0x83, 2048, 0x7FFFFFFF))))) == ()


@pytest.mark.parametrize("sector", [512, 4096])
def test_gpt(sector: int) -> None:
    table = gpt((EFI, 100, 199, "boot"), ("1" * 8 + LINUX[8:], 300, 399, ""), (LINUX, 200, 299, "<b>ü"), sector=sector)
    found = read_from(disk((0, PROTECTIVE), (sector // 512, table)))
    assert [(each.number, each.start // sector, each.length // sector) for each in found] == [
        (1, 100, 100),
        (3, 200, 100),
        (2, 300, 100),
    ]
    assert [str(each.kind) for each in found[:2]] == ["EFI system", "Linux filesystem"]
    assert str(found[2].kind).startswith("type 11111111-")
    assert [each.label for each in found] == ["boot", "<b>ü", ""]


def test_the_copy_at_the_end_of_a_gpt() -> None:
    last = CAPACITY // 512 - 1
    copy = gpt((LINUX, 100, 199, ""), here=last, table=last - 32)
    content = disk((0, PROTECTIVE), (last, copy[:512]), (last - 32, copy[512:]))
    assert told(content) == [(1, 51200, 51200, "Linux filesystem")]


@pytest.mark.parametrize("damage", [8, 16, 40, 72, 80, 84, 88, 600])
def test_a_damaged_gpt_is_told(damage: int) -> None:
    table = bytearray(gpt((LINUX, 100, 199, "")))
    table[damage] ^= 0xFF
    with pytest.raises(ImageError, match="the partition table is damaged"):
        read_from(disk((0, PROTECTIVE), (1, bytes(table))))


def test_a_gpt_whose_partitions_lie_beyond_the_disk() -> None:
    for first, last in ((100, 2**63), (0, 5), (200, 100)):
        with pytest.raises(ImageError, match="beyond the disk"):
            read_from(disk((0, PROTECTIVE), (1, gpt((LINUX, first, last, "")))))


@given(
    st.binary(min_size=64, max_size=64), st.lists(st.tuples(st.integers(0, 40), st.binary(max_size=600)), max_size=6)
)
def test_nothing_hangs_or_lies_outside(entries: bytes, parts: list[tuple[int, bytes]]) -> None:
    """Whatever the sectors hold: an error of ours, or partitions within the disk, after few reads."""
    small = 64 * 1024
    content = disk(*((sector, part) for sector, part in parts), capacity=small * 2)
    content[446:512] = entries + b"\x55\xaa"
    reads = []

    def read(start: int, length: int) -> bytes:
        reads.append(length)
        return bytes(content[start : start + length])

    try:
        found = partitions(read, len(content))
    except ImageError:
        found = ()
    assert len(reads) < 4 * 200
    assert max(reads) <= MOST * 4096
    assert all(each.length > 0 and 0 <= each.start < each.end <= len(content) for each in found)
