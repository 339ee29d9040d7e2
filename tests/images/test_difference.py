"""Every byte that differs lies in what is said to differ; exactly looked at, nothing else does."""

import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapgui.images import difference as differing
from snapgui.images.difference import SECTOR, Difference, Window, difference, exact, windows
from snapgui.images.layers import Layers, layer
from snapgui.images.qcow2 import ImageError
from snapgui.images.source import LocalFile
from snapgui.images.writer import WriteCancelled
from tests.images import qemu
from tests.images.test_layers import LAYOUTS, WRITE, commands

MIB = 2**20
SIZE = 4 * MIB
View = tuple[tuple[tuple[Path, str], ...], str]
"""Images from top to base, each with its format, and the internal snapshot of the top one."""


class Views:
    """Opens disks; closed together."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def open(self, images: tuple[tuple[Path, str], ...], snapshot: str = "") -> Layers:
        found = []
        for number, (path, kind) in enumerate(images):
            source = self._stack.enter_context(LocalFile(path))
            found.append(layer(source, kind, "" if number else snapshot, str(path)))
        return Layers(found)


def compared(before: View, after: View) -> tuple[Difference, Difference]:
    with ExitStack() as stack:
        views = Views(stack)
        one, other = views.open(*before), views.open(*after)
        found = difference(one, other)
        return found, exact(one, other, found)


def truth(view: View) -> bytes:
    images, snapshot = view
    path, kind = images[0]
    return qemu.content(path, snapshot, kind)


def holds_the_truth(before: View, after: View, sizes: tuple[int, int] = (SIZE, SIZE)) -> None:
    one, other = truth(before)[: sizes[0]], truth(after)[: sizes[1]]
    capacity = max(len(one), len(other))
    bytes_of = [np.frombuffer(each.ljust(capacity, b"\0"), np.uint8) for each in (one, other)]
    differs = bytes_of[0] != bytes_of[1]
    found, finest = compared(before, after)
    assert found.capacity == finest.capacity == capacity
    for each in (found, finest):
        ends = each.extents[:, 0] + each.extents[:, 1]
        assert (each.extents[1:, 0] > ends[:-1]).all(), "sorted, merged"
        assert not len(ends) or ends[-1] <= capacity
        assert each.changed_bytes == int(covered(each, capacity).sum())
    assert not (differs & ~covered(found, capacity)).any(), "nothing is missed"
    sectors = -(-capacity // SECTOR)
    padded = np.zeros(sectors * SECTOR, np.bool_)
    padded[:capacity] = differs
    wanted = np.repeat(padded.reshape(-1, SECTOR).any(axis=1), SECTOR)[:capacity]
    assert (covered(finest, capacity) == wanted).all(), "looked at, it is exact"


def covered(found: Difference, capacity: int) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    mask = np.zeros(capacity, np.bool_)
    for start, length in found.extents.tolist():
        mask[start : start + length] = True
    return mask


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=st.tuples(*[st.lists(WRITE, max_size=5)] * 4))
def test_any_two_states(tmp_path: Path, layout: str, writes: tuple[list[tuple[str, int, int, int]], ...]) -> None:
    options = LAYOUTS[layout]
    base, top, side = (tmp_path / f"{name}.qcow2" for name in ("base", "top", "side"))
    for path in (base, top, side):
        path.unlink(missing_ok=True)
    lean = [option for option in options if "preallocation" not in option]
    qemu.create(base, SIZE, *options)
    qemu.io(base, *commands(writes[0], SIZE, fresh=layout != "preallocated"))
    qemu.snapshot(base, "low")
    qemu.io(base, *commands(writes[1], SIZE, fresh=False))
    qemu.create(top, SIZE, *lean, base=base)
    qemu.io(top, *commands(writes[2], SIZE))
    qemu.snapshot(top, "high")
    qemu.io(top, *commands(writes[3], SIZE, fresh=False))
    qemu.create(side, SIZE, "cluster_size=64k", base=base)
    qemu.io(side, *commands(writes[2], SIZE))
    below = ((base, "qcow2"),)
    low, frozen = (below, "low"), (below, "")
    now, high = (((top, "qcow2"), *below), ""), (((top, "qcow2"), *below), "high")
    branch = (((side, "qcow2"), *below), "")
    for before, after in ((low, frozen), (frozen, now), (high, now), (low, high), (branch, now), (now, now)):
        holds_the_truth(before, after)


def test_a_disk_that_was_resized(tmp_path: Path) -> None:
    path = qemu.create(tmp_path / "disk.qcow2", MIB)
    qemu.io(path, "write -P 1 0 1M")
    qemu.snapshot(path, "small")
    qemu.run("qemu-img", "resize", "-q", "-f", "qcow2", str(path), "5M")
    qemu.io(path, "write -P 2 3M 64k", "write -z 4M 64k")
    image = ((path, "qcow2"),)
    holds_the_truth((image, "small"), (image, ""), (MIB, 5 * MIB))
    holds_the_truth((image, ""), (image, "small"), (5 * MIB, MIB))


def test_a_raw_base_shorter_than_its_overlay(tmp_path: Path) -> None:
    base = tmp_path / "base.raw"
    base.write_bytes(b"x" * 1_000_000)
    top = qemu.create(tmp_path / "top.qcow2", SIZE, base=base, base_format="raw")
    qemu.io(top, "write -P 9 2M 100k", "write -P 120 0 64k")
    holds_the_truth((((base, "raw"),), ""), (((top, "qcow2"), (base, "raw")), ""), (1_000_000, SIZE))


def test_equal_tables_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = qemu.create(tmp_path / "disk.qcow2", 20 * 2**30)
    qemu.io(path, *(f"write -P 1 {place}G 64k" for place in range(20)))
    qemu.snapshot(path, "then")
    qemu.io(path, "write -P 2 7G 64k")
    with ExitStack() as stack:
        views = Views(stack)
        one, other = views.open(((path, "qcow2"),), "then"), views.open(((path, "qcow2"),))
        seen: list[Window] = list(windows(one, other, skip_equal=True))
        assert [window.start for window in seen] == [4 * 2**30]
        assert difference(one, other).extents.tolist() == [[7 * 2**30, 2**16]]
        assert len(list(windows(one, other, skip_equal=False))) == 5


def test_very_many_extents_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differing, "MOST_EXTENTS", 10)
    path = qemu.create(tmp_path / "disk.qcow2", SIZE, "cluster_size=4k")
    qemu.snapshot(path, "then")
    qemu.io(path, *(f"write -P 1 {place * 64}k 4k" for place in range(60)))
    with ExitStack() as stack:
        views = Views(stack)
        one, other = views.open(((path, "qcow2"),), "then"), views.open(((path, "qcow2"),))
        found = difference(one, other)
        assert len(found.extents) <= 20
        mask = covered(found, SIZE)
        assert all(mask[place * 65536 : place * 65536 + 4096].all() for place in range(60))
        assert exact(one, other, found).changed_bytes == 60 * 4096


def test_a_disk_larger_than_its_tables_is_refused(tmp_path: Path) -> None:
    path = qemu.create(tmp_path / "disk.qcow2", MIB)
    for size, reason in ((2**62, "larger"), (2**45, "too small")):
        with path.open("r+b") as file:
            file.seek(24)
            file.write(size.to_bytes(8, "big"))
        with pytest.raises(ImageError, match=reason):
            compared((((path, "qcow2"),), ""), (((path, "qcow2"),), ""))


def test_it_can_be_called_off(tmp_path: Path) -> None:
    path = qemu.create(tmp_path / "disk.qcow2", SIZE)
    qemu.snapshot(path, "then")
    qemu.io(path, "write -P 1 0 1M")
    cancel = threading.Event()
    with ExitStack() as stack:
        views = Views(stack)
        one, other = views.open(((path, "qcow2"),), "then"), views.open(((path, "qcow2"),))
        found = difference(one, other, cancel)
        cancel.set()
        with pytest.raises(WriteCancelled):
            difference(one, other, cancel)
        with pytest.raises(WriteCancelled):
            exact(one, other, found, cancel=cancel)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 300_000), content=st.binary(min_size=1, max_size=16), cut=st.integers(0, 400_000))
def test_damaged_images_give_an_answer_or_an_error(tmp_path: Path, place: int, content: bytes, cut: int) -> None:
    whole = tmp_path / "whole.qcow2"
    if not whole.exists():
        qemu.create(whole, SIZE)
        qemu.io(whole, "write -P 1 0 100k")
        qemu.snapshot(whole, "then")
        qemu.io(whole, "write -P 2 100k 100k")
    damaged = bytearray(whole.read_bytes())
    damaged[place : place + len(content)] = content
    path = tmp_path / "damaged.qcow2"
    path.write_bytes(damaged[: max(1, len(damaged) - cut)])
    try:
        found, finest = compared((((path, "qcow2"),), "then"), (((path, "qcow2"),), ""))
    except (ImageError, MemoryError):
        return
    assert finest.changed_bytes <= found.changed_bytes
