"""``snapgui diff`` on real hypervisors: nothing that differs is missed, whoever asks, and nobody is disturbed."""

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snapgui.hypervisor.volumes import VolumeStream
from tests.images import qemu
from tests.qemu.commands import INTERNAL, ok, refused, result, wait_until
from tests.qemu.images import write_pattern
from tests.stacks.access import Access
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack

EXTERNAL = ("--kind", "external", "--memory", "none")
SECTOR = 512
CAPACITY = 100 * 2**30


def disk(image: Path, *inside: str) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    """The disk as a guest sees it."""
    raw = image.with_name(f"{image.name}.raw")
    command = ["qemu-img", "convert", "-U", "-f", "qcow2", *inside, "-O", "raw", str(image), str(raw)]
    subprocess.run(command, check=True)
    try:
        return np.fromfile(raw, np.uint8)
    finally:
        raw.unlink()


def holds(found: dict[str, Any], one: np.ndarray[Any, Any], other: np.ndarray[Any, Any], *, exact: bool) -> None:
    """Whether the extents cover all that differs; looked at, nothing else to the sector.

    Extents are of whole sectors, and so is what is compared here.
    """
    assert found["capacity"] == len(one) == len(other)
    mask = np.zeros(len(one) // SECTOR, np.bool_)
    for extent in found["extents"]:
        assert extent["start"] % SECTOR == extent["length"] % SECTOR == 0
        mask[extent["start"] // SECTOR : (extent["start"] + extent["length"]) // SECTOR] = True
    differs = (one.view(np.uint64) != other.view(np.uint64)).reshape(-1, SECTOR // 8).any(axis=1)
    assert not (differs & ~mask).any(), "nothing is missed"
    assert found["changed_bytes"] == int(mask.sum()) * SECTOR
    if exact:
        assert (differs == mask).all()


def sums(machine: Machine) -> dict[str, str]:
    images = machine.directory.glob("*.qcow2")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in images}


def test_two_snapshots_of_a_vm_that_is_off(access: Access, idle_guest: Machine) -> None:
    """Internal below external: every pair, by whoever may ask, through volumes where the images cannot be read."""
    machine, vm = idle_guest, idle_guest.name
    pool = machine.connection.storagePoolCreateXML(
        f"<pool type='dir'><name>{vm}</name><target><path>{machine.directory}</path></target></pool>", 0
    )
    try:
        write_pattern(machine.disk, 1)
        ok(machine.uri, "take", vm, "a", *INTERNAL)
        write_pattern(machine.disk, 2)
        ok(machine.uri, "take", vm, "b", *INTERNAL)
        ok(machine.uri, "delete", vm, "a")
        write_pattern(machine.disk, 3)
        ok(machine.uri, "take", vm, "c", *INTERNAL)
        write_pattern(machine.disk, 3)
        before = sums(machine)
        views = {name: disk(machine.disk, "-l", f"snapshot.name={name}") for name in ("b", "c")}
        views["now"] = disk(machine.disk)
        for names in (("b", "c"), ("c", "b"), ("b",), ("c",)):
            one, other = views[names[0]], views[names[-1] if len(names) > 1 else "now"]
            said = result(access, "diff", vm, *names, "--blocks")
            assert (said["vm"], said["from"], said["to"]) == (vm, names[0], names[1] if len(names) > 1 else None)
            assert said.keys() == {"vm", "from", "to", "blocks"}
            holds(said["blocks"]["vda"], one, other, exact=False)
            holds(result(access, "diff", vm, *names, "--content")["blocks"]["vda"], one, other, exact=True)
        assert result(access, "diff", vm, "c", "--content")["blocks"]["vda"]["extents"] == [], "written, but the same"
        assert result(access, "diff", vm, "b", "b")["blocks"]["vda"]["changed_bytes"] == 0
        assert refused(access, "diff", vm, "nothing") == f"There is no snapshot “nothing” of {vm}."
        assert sums(machine) == before
    finally:
        pool.destroy()


def test_a_running_vm_and_its_snapshots(guest: Machine) -> None:
    vm = guest.name
    guest.channel.run("dd if=/dev/urandom of=/data/one bs=64k count=8 2>/dev/null; sync")
    ok(guest.uri, "take", vm, "a", *EXTERNAL)
    guest.channel.run("dd if=/dev/urandom of=/data/two bs=64k count=8 2>/dev/null; sync")
    ok(guest.uri, "take", vm, "b", *EXTERNAL)
    frozen = {"a": disk(guest.disk), "b": disk(next(guest.directory.glob("*.a.qcow2")))}
    holds(result(guest.uri, "diff", vm, "a", "b", "--blocks")["blocks"]["vda"], frozen["a"], frozen["b"], exact=False)
    guest.channel.run("dd if=/dev/urandom of=/data/three bs=64k count=8 2>/dev/null; sync")
    counter = guest.channel.counter()
    said = ok(guest.uri, "diff", vm, "b")
    assert "The guest stood still for" in said.out
    wait_until(lambda: guest.channel.counter() > counter, "it runs on")
    found = result(guest.uri, "diff", vm, "b", "--blocks")["blocks"]["vda"]
    assert found["changed_bytes"] >= 8 * 2**16, "what a running guest has just written is seen"
    guest.domain.suspend()
    found = result(guest.uri, "diff", vm, "b", "--blocks")["blocks"]["vda"]
    holds(found, frozen["b"], disk(next(guest.directory.glob("*.b.qcow2"))), exact=False)
    assert guest.domain.info()[0] == 3, "who stood still before still does"
    guest.domain.resume()


def test_now_against_an_internal_snapshot_while_it_runs(guest: Machine) -> None:
    vm = guest.name
    ok(guest.uri, "take", vm, "a", *INTERNAL)
    then = disk(guest.disk, "-l", "snapshot.name=a")
    guest.channel.run("dd if=/dev/urandom of=/data/three bs=64k count=20 2>/dev/null; sync")
    guest.domain.suspend()
    found = result(guest.uri, "diff", vm, "a", "--blocks")["blocks"]["vda"]
    holds(found, then, disk(guest.disk), exact=False)
    assert found["changed_bytes"] >= 20 * 2**16
    guest.domain.resume()


def test_a_question_over_volumes_transfers_little(
    stack: Stack, idle_guest: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk of 100 GiB on another machine: less than a thousandth of it goes through streams, for all its tables."""
    vm, places = idle_guest.name, range(0, CAPACITY, CAPACITY // 400)
    subprocess.run(["qemu-img", "resize", "-q", "-f", "qcow2", idle_guest.disk, str(CAPACITY)], check=True)
    for name, written in (("a", places), ("b", places[::2])):
        qemu.io(idle_guest.disk, *(f"write -q -P {ord(name)} {place} 64k" for place in written))
        ok(idle_guest.uri, "take", vm, name, *INTERNAL)
    pool = idle_guest.connection.storagePoolCreateXML(
        f"<pool type='dir'><name>{vm}</name><target><path>{idle_guest.directory}</path></target></pool>", 0
    )
    transferred: list[int] = []
    read = VolumeStream.read

    def counted(volume: VolumeStream, offset: int, length: int) -> bytes:
        found = read(volume, offset, length)
        transferred.append(len(found))
        return found

    monkeypatch.setattr(VolumeStream, "read", counted)
    try:
        said = result(stack.remote_uri, "diff", vm, "a", "b", "--blocks")["blocks"]["vda"]
    finally:
        pool.destroy()
    assert said["capacity"] == CAPACITY
    assert said["extents"] == [{"start": place, "length": 64 * 2**10} for place in places[::2]]
    assert 0 < sum(transferred) < CAPACITY // 1000
