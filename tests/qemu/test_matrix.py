"""take × revert × delete over {kinds} × {disks}: no operation ever changes the content of another snapshot."""

import fcntl
import math
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from unittest import mock

import pytest

from snapgui.demo import initramfs
from snapgui.demo.guest import GuestFiles, build_guest
from snapgui.demo.hypervisor import demo_directory
from snapgui.model.errors import Refused
from snapgui.model.records import KindWish, MemoryWish
from snapgui.operations.delete import DeleteRequest
from snapgui.operations.revert import RevertRequest
from snapgui.operations.take import TakeRequest
from tests.qemu.commands import wait_until
from tests.qemu.images import is_sound, names_inside
from tests.qemu.matrix import (
    CD,
    CD_CONTENT,
    COUNTS_PER_S,
    RAW,
    Cell,
    Content,
    Kept,
    Request,
    Seen,
    add_device,
    make_template,
    raw_copy,
)
from tests.stacks.fixtures import STACKS
from tests.stacks.machines import machine
from tests.stacks.stacks import BACKPORTS, Stack

BACK = 25
"""So many counts of the guest's lie at least between a snapshot and the moment it is gone back from."""
LAYOUTS = ("one disk", "two disks", "raw second disk", "read-only CD")


@dataclass(frozen=True)
class Way:
    """A way to take snapshots: the request, whether the guest runs meanwhile, and whether its RAM is saved."""

    name: str
    request: TakeRequest
    running: bool = True
    memory: bool = True

    @property
    def internal(self) -> bool:
        return self.request.kind is KindWish.INTERNAL


_INTERNAL, _EXTERNAL = TakeRequest(kind=KindWish.INTERNAL), TakeRequest(kind=KindWish.EXTERNAL)
WAYS = (
    Way("internal", _INTERNAL),
    Way("external, memory live", replace(_EXTERNAL, memory=MemoryWish.LIVE)),
    Way("external, memory paused", replace(_EXTERNAL, memory=MemoryWish.PAUSED)),
    Way("disk-only", replace(_EXTERNAL, memory=MemoryWish.NONE), memory=False),
    Way("off, external", _EXTERNAL, running=False, memory=False),
    Way("off, internal", _INTERNAL, running=False, memory=False),
)
COMBINATIONS = [
    pytest.param(*stack.values, way, layout, id=f"{stack.id}-{way.name}-{layout}", marks=stack.marks)
    for (s, stack), (w, way), (k, layout) in product(*map(enumerate, (STACKS, WAYS, LAYOUTS)))
    if (s + w + k) % 2 == 0 or (stack.id == BACKPORTS and not way.internal and not way.memory)
]
"""Every way with every layout, all of both on each stack.

Where external ones can be reverted to: all of those without memory, and one with memory, live or paused, per layout.
"""


@dataclass(frozen=True)
class Taken:
    """A snapshot at the moment it was taken: as the guest saw it then, until when it counted, as it is held."""

    name: str
    seen: Seen
    counter_after: int
    kept: Kept


@pytest.fixture(scope="module")
def files(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> GuestFiles:
    """The guest with a driver for CDs, and the template of its disks."""
    built = _build_guest_with_cd(demo_directory() / "matrix")
    kernel = Path(shutil.copyfile(built.kernel, stack.images / "matrix-kernel"))
    initial = Path(shutil.copyfile(built.initramfs, stack.images / "matrix-initramfs"))
    return GuestFiles(kernel, initial, make_template(stack.images / "matrix.qcow2", tmp_path_factory.mktemp("matrix")))


def _build_guest_with_cd(directory: Path) -> GuestFiles:
    directory.mkdir(parents=True, exist_ok=True)
    modules = (*initramfs.MODULES, "virtio_scsi", "sr_mod")
    with (directory / "build-lock").open("w") as lock, mock.patch.object(initramfs, "MODULES", modules):
        fcntl.flock(lock, fcntl.LOCK_EX)
        return build_guest(directory, print)


@contextmanager
def _cell(stack: Stack, files: GuestFiles, layout: str) -> Iterator[Cell]:
    with machine(stack, files, extra_disks=int(layout == "two disks")) as made:
        cd = None
        if layout == "raw second disk":
            add_device(made, RAW.format(path=raw_copy(files.disk, made.directory / "disk1.img")))
        if layout == "read-only CD":
            cd = made.directory / "cd.iso"
            cd.write_bytes(CD_CONTENT)
            add_device(made, CD.format(path=cd))
        disks = ("vda", "vdb") if layout in {"two disks", "raw second disk"} else ("vda",)
        yield Cell(made, disks, cd)


@pytest.mark.parametrize(("stack", "way", "layout"), COMBINATIONS, indirect=["stack"])
def test_no_operation_changes_another_snapshot(stack: Stack, files: GuestFiles, way: Way, layout: str) -> None:
    with _cell(stack, files, layout) as cell:
        before = cell.files()
        cell.start()
        if way.internal and layout == "raw second disk":
            _refuses_to_take(cell, way)
            return
        a = _take(cell, way, "a")
        b = _take(cell, way, "b")
        assert cell.kept("a") == a.kept
        if stack.native_external or way.internal:
            _travel_and_delete(cell, way, a, b)
        else:
            _delete_where_nothing_can_be_reverted(cell, way, a, b)
        assert len(cell.facts().tree) == 0
        assert cell.files() == before
        _is_sound(cell)


def _travel_and_delete(cell: Cell, way: Way, a: Taken, b: Taken) -> None:
    _revert(cell, way, a, b)
    _revert(cell, way, b, a, back=False)
    if way.memory:
        _write(cell, "lost")
    _delete(cell, a, b)
    _revert(cell, way, b)
    c = _take(cell, way, "c")
    assert cell.kept("b") == b.kept
    if way.running:
        _write(cell, "now")
    _delete(cell, c, b)
    _delete(cell, b)


def _delete_where_nothing_can_be_reverted(cell: Cell, way: Way, a: Taken, b: Taken) -> None:
    c = _take(cell, way, "c")
    if way.running:
        _write(cell, "now")
    for name in ("a", "b", "c"):
        sentence = f"“{name}” is an external snapshot; this libvirt (9.0.0) cannot revert to one."
        assert _refused(cell, RevertRequest(name, safety=False)) == sentence
    if way.running:
        _delete(cell, a, b, c)
        _delete(cell, c, b)
        _delete(cell, b)
        return
    for name in ("a", "b"):
        sentence = f"“{name}” cannot be deleted: this libvirt deletes it only while the VM runs."
        assert _refused(cell, DeleteRequest((name,))) == sentence
    _delete(cell, c, a, b)
    _delete(cell, b, a)
    _delete(cell, a)


def _refuses_to_take(cell: Cell, way: Way) -> None:
    _write(cell, "now")
    if not way.running:
        cell.machine.domain.destroy()
    sentence = "Disk vdb is of format raw; internal snapshots need qcow2 for every writable disk."
    assert _refused(cell, replace(way.request, name="a")) == sentence


def _refused(cell: Cell, request: Request) -> str:
    """Return the sentence of the refusal, after a look at whether anything was changed."""
    world, present = cell.world(), _present(cell)
    with pytest.raises(Refused) as caught:
        cell.do(request)
    assert cell.world() == world
    assert _present(cell) == present
    return str(caught.value)


def _take(cell: Cell, way: Way, name: str) -> Taken:
    """Let the guest write a marker, take a snapshot, and compare what it holds with what the guest saw."""
    _write(cell, name)
    seen = cell.look()
    assert seen.marks == dict.fromkeys(cell.disks, name)
    if not way.running:
        cell.machine.domain.destroy()
    cell.do(replace(way.request, name=name))
    counter, pulse = cell.numbers() if way.running else (seen.counter, math.inf)
    kept = cell.kept(name)
    assert {disk: content.mark for disk, content in kept.disks.items()} == dict.fromkeys(cell.disks, name)
    assert {disk: content.quiet for disk, content in kept.disks.items()} == seen.hashes
    pulses = [content.pulse for content in kept.disks.values()]
    assert seen.pulse - 1 <= min(pulses) <= max(pulses) <= pulse
    assert pulses[0] - pulses[-1] in {0, 1}, "all disks are of one moment"
    if way.running:
        cell.thaw()
    return Taken(name, seen, counter, kept)


def _write(cell: Cell, mark: str) -> None:
    """Boot the guest if it is off, and let it write a marker; its file systems are frozen then."""
    if not cell.running:
        cell.start()
    cell.write_mark(mark)
    cell.freeze()


def _revert(cell: Cell, way: Way, to: Taken, *others: Taken, back: bool = True) -> None:
    """Revert, and look at all that is to be as it was then; `back` if the guest lives on after that snapshot."""
    if way.memory and back:
        wait_until(lambda: cell.numbers()[0] >= to.counter_after + BACK, "the guest counts")
    begun = time.monotonic()
    before = cell.numbers()[0] if cell.running else 0
    cell.do(RevertRequest(to.name, safety=False))
    if way.memory:
        counter = _guest_is_as_it_was(cell, to, begun)
        assert not back or counter < before
    else:
        assert cell.current() == to.kept.disks
    for taken in (to, *others):
        assert cell.kept(taken.name) == taken.kept
    if way.memory:
        cell.thaw()


def _guest_is_as_it_was(cell: Cell, to: Taken, begun: float) -> int:
    """It sees what it saw, and has counted since no longer than the revert has taken; return its counter."""
    counter, _ = cell.numbers()
    latest = to.counter_after + (time.monotonic() - begun) * COUNTS_PER_S + 1
    assert to.seen.counter <= counter <= latest
    seen = cell.look()
    assert (seen.marks, seen.hashes) == (to.seen.marks, to.seen.hashes)
    return counter


def _delete(cell: Cell, gone: Taken, *others: Taken) -> None:
    """Delete a snapshot; neither the others nor the current state may notice."""
    if cell.running:
        cell.freeze()
    present = _present(cell)
    counter = cell.numbers()[0] if cell.running else 0
    cell.do(DeleteRequest((gone.name,)))
    assert gone.name not in cell.facts().tree
    assert _present(cell) == present
    for other in others:
        assert cell.kept(other.name) == other.kept
    if cell.running:
        assert cell.numbers()[0] > counter
        cell.thaw()


def _present(cell: Cell) -> Mapping[str, Content | tuple[str, str]]:
    """The disks as they are now: the quiet part where the guest writes to the rest, all where the VM is off."""
    if not cell.running:
        return cell.current()
    seen = cell.look()
    return {disk: (seen.marks[disk], seen.hashes[disk]) for disk in cell.disks}


def _is_sound(cell: Cell) -> None:
    if cell.running:
        cell.machine.domain.destroy()
    for path in cell.machine.directory.glob("*.qcow2"):
        assert is_sound(path)
        assert names_inside(path) == set()
