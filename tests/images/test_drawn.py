"""What a picture of a disk gets: partitions of the newer state that nobody writes to, or why there are none."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from snapgui.images.layers import Layers, layer
from snapgui.images.source import LocalFile
from snapgui.operations.block_difference import BlockDifference, Drawn
from snapgui.operations.compare_blocks import DiskState, Pair
from tests.unit.test_partitions import CAPACITY, PROTECTIVE, boot_record, disk

OLD = disk((0, boot_record((0x83, 2048, 2048))))
NEW = disk((0, boot_record((0x83, 2048, 4096), (0x82, 8192, 100))))
DAMAGED = disk((0, PROTECTIVE))


def drawn(directory: Path, before: bytes, after: bytes, *, live: bool = False) -> Drawn:
    with ExitStack() as stack:
        views = []
        for name, content in (("before", before), ("after", after)):
            path = directory / name
            path.write_bytes(content)
            views.append(Layers([layer(stack.enter_context(LocalFile(path)), "raw", identity=name)]))
        return Pair(DiskState("vda", "", "raw", live=live), *views).drawn(None, None)


@pytest.mark.parametrize(
    ("before", "after", "live", "numbers"),
    [
        (OLD, NEW, False, [1, 2]),
        (OLD, NEW, True, [1]),
        (OLD, DAMAGED, False, [1]),
        (bytes(CAPACITY), NEW, False, [1, 2]),
        (bytes(CAPACITY), bytes(CAPACITY), False, []),
    ],
    ids=["newer", "running", "damaged", "new", "none"],
)
def test_partitions(tmp_path: Path, before: bytes, after: bytes, live: bool, numbers: list[int]) -> None:
    found = drawn(tmp_path, before, after, live=live)
    assert [partition.number for partition in found.partitions] == numbers
    assert sum(found.map.totals()) == found.map.capacity == CAPACITY
    if numbers:
        assert not found.why_no_partitions


def test_why_there_are_none(tmp_path: Path) -> None:
    found = drawn(tmp_path, DAMAGED, DAMAGED)
    assert found.partitions == ()
    assert found.why_no_partitions == "the partition table is damaged"


def test_seen_from_the_other_side(tmp_path: Path) -> None:
    found = BlockDifference({}, ("vdb",), ("vdc",), 0.5, {"vda": drawn(tmp_path, OLD, NEW)})
    turned = found.mirrored()
    assert (turned.only_before, turned.only_after, turned.paused_s) == (("vdc",), ("vdb",), 0.5)
    assert turned.mirrored().drawn["vda"].map.totals() == found.drawn["vda"].map.totals()
