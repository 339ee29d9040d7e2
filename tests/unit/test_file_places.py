"""Where the partitions of a disk lie in two states, and what is said where that cannot be known."""

import numpy as np

from snapgui.images.qcow2 import ImageError
from snapgui.operations.file_places import DiskPair, places_of, sections_of

MIB = 2**20
CHANGED = np.array([[3 * MIB, 4096], [9 * MIB, MIB]], np.int64)


class Disk:
    """A disk with an MBR, of 16 MiB: partitions as (start, length) in MiB; ``damaged``: it cannot be read."""

    virtual_bytes = 16 * MIB

    def __init__(self, *partitions: tuple[int, int], damaged: bool = False) -> None:
        self._damaged = damaged
        entries = b"".join(
            bytes([0, 0, 0, 0, 0x83, 0, 0, 0])
            + (start * 2048).to_bytes(4, "little")
            + (size * 2048).to_bytes(4, "little")
            for start, size in partitions
        )
        self._first = bytes(446) + entries.ljust(64, b"\0") + (b"\x55\xaa" if partitions else b"\0\0")

    def read(self, start: int, length: int) -> bytes:
        if self._damaged:
            raise ImageError("the image is truncated or damaged")
        length = max(0, min(length, self.virtual_bytes - start))
        return (self._first[start:] if start < len(self._first) else b"").ljust(length, b"\0")[:length]


def told(before: Disk, after: Disk) -> list[tuple[str, bool, bool, list[tuple[int, int]] | None, str]]:
    return [
        (
            place.name,
            place.before is not None,
            place.after is not None,
            None
            if place.changed is None
            else list(zip(place.changed.starts.tolist(), place.changed.ends.tolist(), strict=True)),
            place.problem,
        )
        for place in places_of(DiskPair("vda", before, after, CHANGED))
    ]


def test_what_may_differ_is_told_from_the_start_of_each_partition() -> None:
    disk = Disk((1, 4), (8, 8))
    assert told(disk, disk) == [
        ("vda1", True, True, [(2 * MIB, 2 * MIB + 4096)], ""),
        ("vda2", True, True, [(MIB, 2 * MIB)], ""),
    ]


def test_a_partition_that_grew_keeps_its_place_and_one_that_moved_does_not() -> None:
    assert told(Disk((1, 4), (8, 2)), Disk((1, 6), (9, 2))) == [
        ("vda1", True, True, [(2 * MIB, 2 * MIB + 4096)], ""),
        ("vda2", True, True, None, ""),
    ]


def test_a_partition_that_one_state_has() -> None:
    assert [each[:3] for each in told(Disk((1, 4)), Disk((1, 4), (8, 2)))] == [
        ("vda1", True, True),
        ("vda2", False, True),
    ]


def test_a_disk_without_a_table_is_one_place() -> None:
    assert told(Disk(), Disk()) == [("vda", True, True, [(3 * MIB, 3 * MIB + 4096), (9 * MIB, 10 * MIB)], "")]


def test_damage_is_not_taken_for_a_missing_partition() -> None:
    for pair in ((Disk((1, 4)), Disk(damaged=True)), (Disk(damaged=True), Disk((1, 4)))):
        assert told(*pair) == [("vda", False, False, None, "the image is truncated or damaged")]


def test_the_partitions_of_one_state() -> None:
    assert [(name, found.size) for name, found in sections_of("vdb", Disk((1, 4), (8, 8))).items()] == [
        ("vdb1", 4 * MIB),
        ("vdb2", 8 * MIB),
    ]
    assert list(sections_of("vdb", Disk())) == ["vdb"]
