"""``snapgui storage`` on real hypervisors: QEMU says the same of every place, and the figures are what is freed."""

import contextlib
import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from snapgui.hypervisor.connection import Connection
from snapgui.operations.block_following import follow
from snapgui.operations.facts import read_facts
from snapgui.operations.history import History
from snapgui.operations.lineage import read_lineage
from snapgui.operations.snapshot_costs import with_costs
from snapgui.operations.storage import read_storage
from snapgui.operations.stored import Storage
from tests.images import qemu
from tests.qemu.commands import INTERNAL, ok, result, wait_until
from tests.stacks.access import WAYS, Access, access_to
from tests.stacks.machines import Machine, pool
from tests.stacks.stacks import Stack

EXTERNAL = ("--kind", "external", "--memory", "none")
CLUSTER = 2**16
PLACES = 1000
MERGES_WHILE_OFF = 9_009_000
"""The first libvirt that deletes an external snapshot in the middle of a chain while the VM is off."""


def qemu_map(image: Path) -> list[dict[str, Any]]:
    command = ["qemu-img", "map", "-U", "-f", "qcow2", "--output=json", str(image)]
    found: list[dict[str, Any]] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def served(truth: list[dict[str, Any]], layers: int) -> list[int]:
    sums = [0] * layers
    for row in truth:
        if row["present"]:
            sums[row["depth"]] += row["length"]
    return sums


def figures(at: str | Access, machine: Machine, image: Path) -> dict[str, Any]:
    """Ask for the storage, and compare its images with what QEMU and the file system say."""
    settle(machine)
    found = result(at, "storage", machine.name)
    chain = found["disks"][0]["chain"]
    assert [each["serves_bytes"] for each in chain] == served(qemu_map(image), len(chain))
    for each in chain:
        assert each["allocated_bytes"] == Path(each["path"]).stat().st_blocks * 512
    return found


def settle(machine: Machine) -> None:
    """Have everything on the disk: a file system that writes late takes some room for itself only then."""
    for path in machine.directory.iterdir():
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file)


def overlay(machine: Machine, snapshot: str) -> Path:
    (found,) = machine.directory.glob(f"*.{snapshot}.qcow2")
    return found


def on_disk(machine: Machine) -> int:
    return sum(path.stat().st_blocks * 512 for path in machine.directory.iterdir() if path.is_file())


def deleting_frees(machine: Machine, name: str) -> None:
    """Within a hundredth, or a cluster for each table."""
    cost = next(cost for cost in result(machine.uri, "storage", machine.name)["snapshots"] if cost["name"] == name)
    plan = result(machine.uri, "delete", machine.name, name, "--dry-run")
    assert plan["freed_bytes"] == cost["freed_bytes"]
    before = on_disk(machine)
    ok(machine.uri, "delete", machine.name, name)
    freed = before - on_disk(machine)
    assert abs(freed - cost["freed_bytes"]) <= max(3 * CLUSTER, cost["freed_bytes"] // 100), (freed, cost)


def test_ten_internal_snapshots(access: Access, idle_guest: Machine) -> None:
    """Whoever asks, the figures are the same; through volumes where the images cannot be read."""
    for number in range(10):
        qemu.io(idle_guest.disk, f"write -P {number + 1} {100 + 8 * number}M 12M")
        qemu.snapshot(idle_guest.disk, f"unknown{number}")
        qemu.run("qemu-img", "snapshot", "-d", f"unknown{number}", str(idle_guest.disk))
        idle_guest.domain.snapshotCreateXML(f"<domainsnapshot><name>s{number}</name></domainsnapshot>", 0)
    with pool(idle_guest) as name:
        found = figures(access, idle_guest, idle_guest.disk)
        assert found["disks"][0]["chain"][0]["internal_snapshots"] == [f"s{number}" for number in range(10)]
        assert {share["pool"] for share in found["pools"]} == {name}
    assert [cost["name"] for cost in found["snapshots"]] == [f"s{number}" for number in range(10)]
    assert all(cost["own_bytes"] and cost["shared_bytes"] for cost in found["snapshots"])
    if access.way == "root":
        for gone in ("s4", "s0", "s9"):
            deleting_frees(idle_guest, gone)


def test_a_chain_of_external_snapshots(access: Access, idle_guest: Machine) -> None:
    images = [idle_guest.disk]
    figures(access, idle_guest, images[-1])
    for number in range(2):
        qemu.io(images[-1], f"write -P {number + 1} {100 + 3 * number}M 8M")
        ok(idle_guest.uri, "take", idle_guest.name, f"s{number}", *EXTERNAL)
        images.append(overlay(idle_guest, f"s{number}"))
    qemu.io(images[-1], "write -P 9 101M 3M", "write -P 9 300M 5M")
    with pool(idle_guest):
        found = figures(access, idle_guest, images[-1])
    chain = found["disks"][0]["chain"]
    assert [each["path"] for each in chain] == [str(path) for path in reversed(images)]
    assert [each["frozen_by"] for each in chain] == [[], ["s1"], ["s0"]]
    assert [each["backing_format"] for each in chain] == ["qcow2", "qcow2", None]
    if access.way == "root":
        middle_first = idle_guest.connection.getLibVersion() >= MERGES_WHILE_OFF
        for name in ("s0", "s1") if middle_first else ("s1", "s0"):
            deleting_frees(idle_guest, name)


def test_branches_of_external_snapshots(stack: Stack, idle_guest: Machine) -> None:
    """After going back, a leaf alone needs the image that it froze; zeros in the middle come down as data."""
    if not stack.native_external:
        return
    image = idle_guest.disk
    for number in range(3):
        place = 100 + 2 * number
        qemu.io(image, f"write -P 7 {place}M 6M", f"write -z {place + 1}M 1M", f"discard {place + 5}M 1M")
        ok(idle_guest.uri, "take", idle_guest.name, f"s{number}", *EXTERNAL)
        image = overlay(idle_guest, f"s{number}")
    ok(idle_guest.uri, "revert", idle_guest.name, "s1", "--no-safety")
    for name in ("s2", "s0", "s1"):
        deleting_frees(idle_guest, name)


def test_clusters_that_take_no_room(access: Access, idle_guest: Machine) -> None:
    """Of an image with preallocated metadata the counts do not tell what is freed: the file does, where it is seen."""
    image = qemu.create(idle_guest.directory / "hollow.qcow2", 256 * 2**20, "preallocation=metadata")
    image.chmod(0o600)
    xml = idle_guest.domain.XMLDesc(0).replace(str(idle_guest.disk), str(image))
    idle_guest.connection.defineXML(xml)
    qemu.io(image, "write -P 2 0 20M")
    ok(idle_guest.uri, "take", idle_guest.name, "a", *INTERNAL)
    qemu.io(image, "write -P 3 0 200M")
    with pool(idle_guest):
        (cost,) = result(access, "storage", idle_guest.name)["snapshots"]
    assert cost["shared_bytes"] is None
    if access.way != "root":
        assert (cost["own_bytes"], cost["freed_bytes"]) == (None, None)
        return
    assert 20 * 2**20 <= cost["own_bytes"] < 21 * 2**20
    deleting_frees(idle_guest, "a")


def test_sixty_images(idle_guest: Machine) -> None:
    below, made = idle_guest.disk, []
    for number in range(59):
        qemu.io(below, f"write -P {number + 1} {100 + number}M 1M")
        below = qemu.create(idle_guest.directory / f"{number}.qcow2", 512 * 2**20, base=below)
        made.append(below)
    xml = idle_guest.domain.XMLDesc(0).replace(str(idle_guest.disk), str(below))
    idle_guest.connection.defineXML(xml)
    assert len(figures(idle_guest.uri, idle_guest, below)["disks"][0]["chain"]) == 60


def looked_at(machine: Machine, tmp_path: Path, snapshot: str | None = None) -> Storage:
    history = History(tmp_path / "history.sqlite3")
    try:
        with Connection(machine.uri) as connection:
            facts = read_facts(connection, machine.uuid)
            return read_storage(connection, facts, read_lineage(connection), history, snapshot)
    finally:
        history.close()


def agrees(found: Storage, truth: list[dict[str, Any]]) -> None:
    """A thousand random places of the disk, and the first and last byte of every stretch."""
    disk = found.disks[0]
    chance = random.Random(4711)
    places = [chance.randrange(disk.capacity) for _ in range(PLACES)]
    rows = {row["start"]: row for row in truth}
    starts = sorted(rows)
    for place in [*places, *starts, *(start - 1 for start in starts[1:])]:
        row = rows[max(start for start in starts if start <= place)]
        followed = follow(disk, place)
        assert followed is not None
        assert followed.reads == (row["depth"] if row["present"] else None)
        if row["data"]:
            assert followed.place == row["offset"] + place - row["start"]
        assert followed.writes == 0


def test_a_running_vm(guest: Machine, tmp_path: Path) -> None:
    """The guest stands still for a moment; what it has just written is seen."""
    ok(guest.uri, "take", guest.name, "a", *INTERNAL)
    guest.channel.run("dd if=/dev/urandom of=/data/one bs=64k count=30 2>/dev/null; sync")
    counter = guest.channel.counter()
    said = looked_at(guest, tmp_path)
    assert 0 < said.paused_s < 5
    wait_until(lambda: guest.channel.counter() > counter, "it runs on")
    guest.domain.suspend()
    agrees(looked_at(guest, tmp_path), qemu_map(guest.disk))
    stretch = next(r for r in qemu_map(guest.disk) if r["data"])
    at = result(guest.uri, "storage", guest.name, "--at", f"vda:{stretch['start']}")["followed"]
    assert (at["read"], at["read_offset"]) == (str(guest.disk), stretch["offset"])
    assert at["write"] == str(guest.disk)
    guest.domain.resume()
    cost = result(guest.uri, "storage", guest.name)["snapshots"][0]
    assert cost["memory_bytes"] > 2**20
    assert cost["own_bytes"] >= cost["memory_bytes"]


def test_what_qemu_has_not_written_down_yet(guest: Machine, tmp_path: Path) -> None:
    """Of a guest that runs, the last writes are in no table on the disk: they are seen, at a thousand places."""
    ok(guest.uri, "take", guest.name, "a", *INTERNAL)
    guest.channel.run("sync; mount -o remount,ro /data")  # nothing else is written from now on
    before = qemu_map(guest.disk)
    guest.channel.run("dd if=/dev/urandom of=/dev/vda bs=64k seek=6400 count=40 oflag=direct 2>/dev/null")
    assert qemu_map(guest.disk) == before, "the tables on the disk are late"
    found = looked_at(guest, tmp_path)
    assert found.paused_s > 0
    guest.domain.suspend()
    truth = qemu_map(guest.disk)
    assert truth != before
    agrees(found, truth)


def test_deleting_while_it_runs_frees_what_was_said(guest: Machine, tmp_path: Path) -> None:
    """Internal, and external in the middle and at the end: within a hundredth."""
    for kind in (INTERNAL, ("--kind", "external")):
        for name in ("a", "b"):
            ok(guest.uri, "take", guest.name, name, *kind)
            guest.channel.run("dd if=/dev/urandom of=/data/one bs=64k count=60 2>/dev/null; sync")
        for name in ("a", "b"):
            cost = looked_at(guest, tmp_path).cost(name)
            assert cost is not None
            assert cost.freed is not None
            before = on_disk(guest)
            ok(guest.uri, "delete", guest.name, name)
            assert abs(before - on_disk(guest) - cost.freed) <= max(3 * CLUSTER, cost.freed // 100)


def test_who_asks_makes_no_difference(stack: Stack, idle_guest: Machine, user_home: Path) -> None:
    """To the byte: root, an ordinary user and another machine, with a pool and without one."""
    ok(idle_guest.uri, "take", idle_guest.name, "a", *INTERNAL)
    qemu.io(idle_guest.disk, "write -P 1 100M 8M")
    ok(idle_guest.uri, "take", idle_guest.name, "b", *EXTERNAL)
    qemu.io(overlay(idle_guest, "b"), "write -P 2 104M 9M")
    settle(idle_guest)
    ways = [access_to(stack, way, user_home) for way in WAYS]
    for around in (contextlib.nullcontext(), pool(idle_guest)):
        with around:
            said = [result(access, "storage", idle_guest.name) for access in ways]
        assert said[0] == said[1] == said[2]
        assert said[0]["snapshots"][0]["own_bytes"] > 0
        assert said[0]["snapshots"][1]["freed_bytes"] > 0


def test_a_running_vm_on_overlays(guest: Machine, tmp_path: Path) -> None:
    ok(guest.uri, "take", guest.name, "a", *EXTERNAL)
    guest.channel.run("dd if=/dev/urandom of=/data/one bs=64k count=30 2>/dev/null; sync")
    guest.domain.suspend()
    found = looked_at(guest, tmp_path)
    agrees(found, qemu_map(overlay(guest, "a")))
    then = looked_at(guest, tmp_path, "a")
    assert [image.path for image in then.disks[0].chain] == [str(guest.disk)]
    assert not then.disks[0].written
    guest.domain.resume()


@pytest.mark.parametrize("wrong", ["vda", "vda:x", "vda:1X", ":5"])
def test_places_that_are_none(idle_guest: Machine, wrong: str) -> None:
    said = subprocess.run(
        Access("root", idle_guest.uri).command("storage", idle_guest.name, "--at", wrong),
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 2
    assert "is not DISK:BYTE" in said.stderr


def test_what_is_said_of_a_running_vm_is_never_too_much(guest: Machine, tmp_path: Path) -> None:
    """Without stopping the guest it is "at least"; after a revert the current state has the memory, too."""
    ok(guest.uri, "take", guest.name, "a", *INTERNAL)
    for _ in range(2):
        with Connection(guest.uri) as connection:
            facts = with_costs(connection, read_facts(connection, guest.uuid))
        said, truth = facts.costs[0], looked_at(guest, tmp_path).costs[0]
        assert said.at_least
        assert not truth.at_least
        assert said.own is not None
        assert truth.own is not None
        assert said.own <= truth.own
        ok(guest.uri, "revert", guest.name, "a", "--no-safety")


def test_all_vms(access: Access, idle_guest: Machine) -> None:
    """Sums of every VM and every pool; who may see which files makes no difference."""
    with pool(idle_guest) as name:
        ok(idle_guest.uri, "take", idle_guest.name, "a", *EXTERNAL)
        settle(idle_guest)
        found = result(access, "storage")
        (mine,) = [vm for vm in found["vms"] if vm["name"] == idle_guest.name]
        assert [share["pool"] for share in mine["pools"]] == [name]
        assert mine["pools"][0]["allocated_bytes"] == on_disk(idle_guest)
        assert mine["snapshots_bytes"] == overlay(idle_guest, "a").stat().st_blocks * 512
        assert name in [share["pool"] for share in found["pools"]]


def test_an_overlay_that_is_written_to_frees_at_least_the_memory(guest: Machine) -> None:
    ok(guest.uri, "take", guest.name, "a", "--kind", "external")
    settle(guest)
    said = result(guest.uri, "delete", guest.name, "a", "--dry-run")
    (memory,) = guest.directory.glob("*.mem")
    assert said["freed_bytes"] == memory.stat().st_blocks * 512
    assert any("This frees at least" in note for note in said["notes"])
    deleted = on_disk(guest)
    ok(guest.uri, "delete", guest.name, "a")
    assert deleted - on_disk(guest) >= said["freed_bytes"] - CLUSTER


def test_a_guest_that_stands_still_for_a_save_is_not_at_rest(guest: Machine) -> None:
    """It may run on at any moment, and what is on the disk is late all the same."""
    ok(guest.uri, "take", guest.name, "a", *INTERNAL)
    guest.domain.suspend()
    with Connection(guest.uri) as connection:
        facts = with_costs(connection, read_facts(connection, guest.uuid))
    guest.domain.resume()
    assert facts.costs[0].at_least
