"""The map of a disk: the sums of its pieces are the disk, and each byte is counted as what it is."""

import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapgui.images.difference import Difference, difference, exact
from snapgui.images.disk_map import MOST_BUCKETS, Covered, DiskMap, Part, disk_map
from snapgui.images.layers import Layers, layer
from snapgui.images.source import LocalFile
from snapgui.images.writer import WriteCancelled
from tests.images import qemu

KIB, MIB = 2**10, 2**20
CLUSTER = 64 * KIB


def mapped(path: Path, before: str, after: str = "", *, look: bool = False) -> tuple[DiskMap, Difference]:
    with ExitStack() as stack:
        views = [
            Layers([layer(stack.enter_context(LocalFile(path)), "qcow2", name, str(path))]) for name in (before, after)
        ]
        found = difference(*views)
        finest = exact(*views, found) if look else None
        return disk_map(*views, finest), finest or found


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Eight MiB: two clusters rewritten (one of them with the same), one new, one gone, one unchanged."""
    path = qemu.create(tmp_path / "disk.qcow2", 8 * MIB)
    qemu.io(path, "write -P 1 0 256k", "write -P 1 2M 64k", "write -P 1 4M 64k")
    qemu.snapshot(path, "a")
    qemu.io(path, "write -P 2 64k 512", "write -P 1 128k 64k", "write -P 3 3M 64k", "write -z 4M 64k")
    return path


def parts_at(found: DiskMap, place: int) -> dict[Part, int]:
    return {
        part: int(found.counts[place // found.bucket, part])
        for part in Part
        if found.counts[place // found.bucket, part]
    }


def test_each_byte_is_counted_as_what_it_is(image: Path) -> None:
    found, differs = mapped(image, "a")
    assert (found.capacity, found.bucket) == (8 * MIB, CLUSTER)
    assert parts_at(found, 0) == {Part.UNCHANGED: CLUSTER}
    assert parts_at(found, 64 * KIB) == {Part.CHANGED: CLUSTER}
    assert parts_at(found, 128 * KIB) == {Part.CHANGED: CLUSTER}
    assert parts_at(found, 2 * MIB) == {Part.UNCHANGED: CLUSTER}
    assert parts_at(found, 3 * MIB) == {Part.ONLY_AFTER: CLUSTER}
    assert parts_at(found, 4 * MIB) == {Part.ONLY_BEFORE: CLUSTER}
    assert parts_at(found, 5 * MIB) == {Part.NEVER: CLUSTER}
    assert sum(found.totals()) == 8 * MIB
    assert (
        sum(found.totals()[part] for part in (Part.ONLY_BEFORE, Part.ONLY_AFTER, Part.CHANGED)) == differs.changed_bytes
    )


def test_looked_at_the_same_is_unchanged(image: Path) -> None:
    found, differs = mapped(image, "a", look=True)
    assert parts_at(found, 64 * KIB) == {Part.UNCHANGED: CLUSTER - 512, Part.CHANGED: 512}
    assert parts_at(found, 128 * KIB) == {Part.UNCHANGED: CLUSTER}
    assert parts_at(found, 3 * MIB) == {Part.ONLY_AFTER: CLUSTER}
    assert sum(found.totals()) == 8 * MIB
    assert differs.changed_bytes == 512 + 2 * CLUSTER


def test_from_the_other_side(image: Path) -> None:
    found, other = mapped(image, "a")[0], mapped(image, "", "a")[0]
    assert (found.mirrored().counts == other.counts).all()
    assert (found.counts != other.counts).any()


def test_a_large_disk_has_no_more_pieces(tmp_path: Path) -> None:
    path = qemu.create(tmp_path / "disk.qcow2", 3 * 2**40 + 512)
    qemu.io(path, "write -P 1 1T 64k")
    qemu.snapshot(path, "a")
    qemu.io(path, "write -P 2 2T 64k")
    found, _ = mapped(path, "a")
    assert len(found.counts) <= MOST_BUCKETS
    assert found.bucket % CLUSTER == 0
    assert found.totals() == (CLUSTER, 0, CLUSTER, 0, 3 * 2**40 + 512 - 2 * CLUSTER)


def test_calling_it_off(image: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    with LocalFile(image) as one, LocalFile(image) as other, pytest.raises(WriteCancelled):
        disk_map(Layers([layer(one, "qcow2", "a")]), Layers([layer(other, "qcow2")]), None, cancel)


@given(st.sets(st.integers(0, 60)), st.lists(st.tuples(st.integers(0, 70), st.integers(0, 70)), min_size=1))
def test_covered_counts_what_lies_between(places: set[int], asked: list[tuple[int, int]]) -> None:
    extents = np.array([(place, 1) for place in sorted(places)], np.int64).reshape(-1, 2)
    starts = np.array([min(pair) for pair in asked], np.int64)
    ends = np.array([max(pair) for pair in asked], np.int64)
    truth = [sum(low <= place < high for place in places) for low, high in zip(starts, ends, strict=True)]
    assert Covered(extents).between(starts, ends).tolist() == truth
