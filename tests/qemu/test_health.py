"""Damage that was made by hand is found, by everybody alike, and mended; where all is as it should be, nothing is."""

import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from snapgui.demo.guest import GuestFiles
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.inventory import read_current_machine
from snapgui.model.errors import Refused
from snapgui.model.health import Ail
from snapgui.operations.facts import read_facts
from snapgui.operations.health import examine_host
from snapgui.operations.health_mending import plan
from snapgui.operations.history import History
from snapgui.operations.pipeline import run
from tests.qemu.commands import INTERNAL, ok, refused, result
from tests.qemu.images import holds_pattern, is_sound, names_inside, write_pattern
from tests.qemu.matrix import RAW, add_device
from tests.stacks.access import WAYS, Access, access_to
from tests.stacks.machines import Machine, machine, pool
from tests.stacks.stacks import Stack

METADATA = libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY
CDROM = "<disk type='file' device='cdrom'><source file='{}'/><target dev='hdc' bus='ide'/><readonly/></disk>"
EXTENSION = struct.Struct(">II")


@pytest.fixture
def ways(stack: Stack, user_home: Path) -> dict[str, Access]:
    return {way: access_to(stack, way, user_home) for way in WAYS}


@pytest.fixture
def two_disks(stack: Stack, stack_files: GuestFiles) -> Iterator[Machine]:
    with machine(stack, stack_files, extra_disks=1) as made:
        yield made


def findings(at: str | Access, *vm: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = result(at, "check", *vm)["findings"]
    return found


def codes(at: str | Access, *vm: str) -> list[tuple[str, str | None]]:
    """Return (code, file) of all findings, sorted."""
    named = ((found["code"], found["path"] and Path(found["path"]).name) for found in findings(at, *vm))
    return sorted(named, key=str)


def all_find(ways: dict[str, Access], vm: str, *wanted: tuple[str, str]) -> None:
    """Whoever looks, and wherever from, finds the same."""
    for way, access in ways.items():
        assert codes(access, vm) == sorted(wanted), way


def create(image: Path, *options: str | Path, size: str = "") -> Path:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, image, *([size] if size else [])], check=True)
    image.chmod(0o600)
    return image


def layered(image: Path, base: Path, base_format: str = "qcow2") -> Path:
    return create(image, "-b", base, "-F", base_format)


def inside(image: Path, *options: str) -> None:
    subprocess.run(["qemu-img", "snapshot", *options, image], check=True)


def use(vm: Machine, image: Path) -> None:
    """Let the VM have another image."""
    old = vm.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    (now,) = [line for line in old.splitlines() if "<source file=" in line and ".qcow2" in line]
    vm.connection.defineXML(old.replace(now, f"<source file='{image}'/>"))


def disk_of(vm: Machine) -> Path:
    with Connection(vm.uri) as connection:
        return Path(read_current_machine(connection, vm.uuid).disks[0].source)


def starts(vm: Machine) -> None:
    vm.domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    vm.domain.destroy()


def external(vm: Machine, name: str, overlay: Path, memory: Path | None = None) -> None:
    ram = "" if memory is None else f"<memory snapshot='external' file='{memory}'/>"
    disk = f"<disk name='vda' snapshot='external'><source file='{overlay}'/></disk>"
    only = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY if memory is None else 0
    vm.domain.snapshotCreateXML(f"<domainsnapshot><name>{name}</name>{ram}<disks>{disk}</disks></domainsnapshot>", only)


def forget(vm: Machine, name: str) -> None:
    vm.domain.snapshotLookupByName(name).delete(METADATA)


# what is no damage


def test_a_healthy_host_gives_no_finding(
    stack: Stack, idle_guest: Machine, two_disks: Machine, ways: dict[str, Access]
) -> None:
    """Trees of both kinds, clones, templates, a managed save, CD-ROMs, and whatever else lies in a pool."""
    uri, vm, directory = idle_guest.uri, idle_guest.name, idle_guest.directory
    (directory / "medium.iso").write_bytes(b"CD001" * 1000)
    (directory / "notes.raw").write_bytes(b"\1" * 4096)
    os.mkfifo(directory / "pipe")
    create(directory / "crafted.img", "-u", "-b", directory / "pipe", "-F", "raw", size="1M")
    add_device(idle_guest, CDROM.format(directory / "medium.iso"))
    add_device(idle_guest, RAW.format(path=directory / "crafted.img"))
    template = create(stack.images / "template.qcow2", size="64M")
    with pool(idle_guest):
        for name in ("a", "b"):
            ok(uri, "take", two_disks.name, name, *INTERNAL)
            ok(uri, "take", vm, name, "--kind", "external")
        if stack.native_external:
            ok(uri, "revert", vm, "a", "--no-safety")
            ok(uri, "take", vm, "c")
        said = result(uri, "clone", f"{vm}@a", f"{vm}-clone", "--linked")
        clone = stack_domain(idle_guest, said)
        two_disks.domain.create()
        two_disks.domain.managedSave()
        own = layered(two_disks.directory / "more.qcow2", template)
        add_device(two_disks, f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{own}'/>"
                   "<target dev='vdc' bus='virtio'/></disk>")  # fmt: skip
        try:
            for way, access in ways.items():
                assert findings(access) == [], way
            idle_guest.domain.create()
            assert findings(ways["remote"], vm) == []
            assert ok(uri, "check", vm).out == "Everything is as it should be.\n"
        finally:
            clone.undefine()
            template.unlink()


def stack_domain(vm: Machine, said: Any) -> libvirt.virDomain:
    return vm.connection.lookupByUUIDString(said["vm"]["uuid"])


# files that nothing refers to


def test_files_that_nothing_refers_to(stack: Stack, idle_guest: Machine, ways: dict[str, Access]) -> None:
    uri, vm, directory = idle_guest.uri, idle_guest.name, idle_guest.directory
    write_pattern(idle_guest.disk, 7)
    lower = layered(directory / "lower.qcow2", idle_guest.disk)
    upper = layered(directory / "upper.qcow2", lower)
    create(directory / "loose.qcow2", size="16M")
    memory = directory / "saved.mem"
    idle_guest.domain.create()
    idle_guest.domain.save(str(memory))
    orphans = [("orphan-overlay", "lower.qcow2"), ("orphan-overlay", "upper.qcow2"), ("orphan-image", "loose.qcow2"),
               ("orphan-memory", "saved.mem")]  # fmt: skip
    all_find(ways, vm, *orphans)
    assert findings(uri, vm)[0]["severity"] == "warning"
    assert "upper.qcow2" in next(f["fix"] for f in findings(uri, vm) if f["path"] == str(lower))
    assert "cannot be mended" in refused(uri, "mend", vm, "orphan-overlay", "--path", str(lower))
    planned = result(uri, "mend", vm, "orphan-memory", "--dry-run")
    assert planned["losses"] == [f"What is in {memory} will be lost."]
    assert abs(planned["freed_bytes"] - memory.stat().st_blocks * 512) <= 2**14, "what it takes may settle meanwhile"
    assert memory.exists(), "a dry run changes nothing"
    assert result(ways["user"], "mend", vm, "orphan-memory")["removed"] == [str(memory)]
    ok(ways["remote"], "mend", vm, "orphan-overlay", "--path", str(upper))
    ok(uri, "mend", vm, "orphan-overlay")
    ok(ways["user"], "mend", vm, "orphan-image", "--how", "remove")
    assert sorted(path.name for path in directory.iterdir() if path.suffix) == ["disk0.qcow2"]
    assert findings(uri, vm) == []
    assert "nothing of that sort" in refused(uri, "mend", vm, "orphan-image")
    assert holds_pattern(idle_guest.disk, 7)
    assert is_sound(idle_guest.disk)
    starts(idle_guest)


# snapshots inside images


def test_snapshots_inside_images(two_disks: Machine, ways: dict[str, Access]) -> None:
    uri, vm, first, second = two_disks.uri, two_disks.name, two_disks.disk, two_disks.directory / "disk1.qcow2"
    write_pattern(first, 1)
    for image in (first, second):
        inside(image, "-c", "both")
    write_pattern(first, 2)
    inside(first, "-c", "half")
    inside(second, "-c", "rest")
    for name in ("lost", "torn"):
        ok(uri, "take", vm, name, *INTERNAL)
    inside(second, "-d", "torn")
    for image in (first, second):
        inside(image, "-d", "lost")
    all_find(
        ways,
        vm,
        ("snapshot-incomplete", "disk1.qcow2"),
        ("snapshot-lost", "disk0.qcow2"),
        *[("unknown-snapshot", name) for name in ("disk0.qcow2", "disk0.qcow2", "disk1.qcow2")],
    )
    by_code = {found["code"]: found for found in findings(uri, vm)}
    assert by_code["snapshot-lost"]["mendings"] == ["remove"]
    ok(ways["remote"], "mend", vm, "snapshot-lost")
    ok(ways["user"], "mend", vm, "snapshot-incomplete")
    ok(ways["user"], "mend", vm, "unknown-snapshot", "--path", str(second))
    assert names_inside(second) == {"both"}
    ok(uri, "mend", vm, "unknown-snapshot")
    assert {s["name"]: s["state"] for s in result(uri, "tree", vm)["snapshots"]} == {"both": "shutoff"}
    assert names_inside(first) == {"both"}
    assert findings(uri, vm) == []
    ok(uri, "revert", vm, "both", "--no-safety")
    assert holds_pattern(first, 1)
    ok(uri, "delete", vm, "both")
    assert (names_inside(first), is_sound(first), is_sound(second)) == (set(), True, True)
    starts(two_disks)


def test_an_unknown_snapshot_with_memory(guest: Machine, ways: dict[str, Access]) -> None:
    uri, vm = guest.uri, guest.name
    guest.channel.run("echo then >/data/mark; sync")
    ok(uri, "take", vm, "ram", *INTERNAL)
    guest.channel.run("echo now >/data/mark; sync")
    forget(guest, "ram")
    all_find(ways, vm, ("unknown-snapshot", "disk0.qcow2"))
    ok(ways["user"], "mend", vm, "unknown-snapshot", "--how", "adopt")
    ok(uri, "revert", vm, "ram", "--no-safety")
    assert guest.channel.read_file("/data/mark") == "then\n"
    forget(guest, "ram")
    ok(ways["remote"], "mend", vm, "unknown-snapshot", "--how", "remove")
    assert (names_inside(guest.disk), findings(uri, vm)) == (set(), [])


# layers and memory of external snapshots


def test_external_snapshots_without_description_or_memory(
    stack: Stack, guest: Machine, ways: dict[str, Access]
) -> None:
    uri, vm, directory = guest.uri, guest.name, guest.directory
    layers = {name: (directory / f"{name}.qcow2", directory / f"{name}.mem") for name in ("one", "two")}
    for name, (overlay, memory) in layers.items():
        guest.channel.run(f"echo {name} >/data/mark; sync")
        external(guest, name, overlay, memory)
    guest.channel.run("echo now >/data/mark; sync")
    forget(guest, "one")
    all_find(ways, vm, ("layer-unknown", "disk0.qcow2"), ("orphan-memory", "one.mem"))
    ok(ways["user"], "mend", vm, "layer-unknown")
    tree = {s["name"]: (s["parent"], s["memory"], s["current"]) for s in result(uri, "tree", vm)["snapshots"]}
    assert sorted(tree.values(), key=str) == [("adopted", "external", True), (None, "external", False)]
    assert findings(uri, vm) == []
    layers["two"][1].unlink()
    all_find(ways, vm, ("memory-missing", "two.mem"))
    ok(ways["remote"], "mend", vm, "memory-missing")
    assert findings(uri, vm) == []
    if stack.native_external:
        ok(uri, "revert", vm, "adopted", "--no-safety")
        assert guest.channel.read_file("/data/mark") == "one\n"
        ok(uri, "revert", vm, "two", "--no-safety", "--then", "running")
        guest.channel.wait_until_up(60)
        assert guest.channel.read_file("/data/mark") == "two\n"
    ok(uri, "delete", vm, "two")
    ok(uri, "delete", vm, "adopted")
    assert findings(uri, vm) == []
    assert not list(directory.glob("*.mem"))


# bases


def without_format(image: Path) -> None:
    """Take out of the header which format the base has, as old versions of qemu-img left it out."""
    with image.open("r+b") as file:
        head = file.read(512)
        place = head.index(EXTENSION.pack(0xE2792ACA, 5))
        file.seek(place)
        file.write(bytes(16))


def test_bases(stack: Stack, idle_guest: Machine, ways: dict[str, Access]) -> None:
    uri, vm, directory = idle_guest.uri, idle_guest.name, idle_guest.directory
    write_pattern(idle_guest.disk, 9)
    base = idle_guest.disk.rename(directory / "base.qcow2")
    assert codes(ways["user"], vm) == [("image-missing", "disk0.qcow2"), ("orphan-image", "base.qcow2")]
    top = layered(directory / f"{vm}-vda.top.qcow2", base)
    use(idle_guest, top)
    without_format(top)
    expected = [("format-missing", top.name), ("layer-unknown", "base.qcow2")]
    all_find(ways, vm, *expected)
    ok(ways["user"], "mend", vm, "format-missing")
    assert codes(ways["remote"], vm) == expected[1:]
    elsewhere = stack.images / f"{vm}-elsewhere"
    elsewhere.mkdir()
    moved = base.rename(elsewhere / base.name)
    assert codes(ways["user"], vm) == [("base-missing", "base.qcow2")]
    assert "cannot be mended" in refused(uri, "mend", vm, "base-missing")
    moved.rename(base)
    ok(uri, "mend", vm, "layer-unknown")
    moved = base.rename(stack.images / "base.qcow2")
    with_pool = stack.virsh("pool-create-as", "moved", "dir", "--target", str(stack.images))
    assert with_pool.returncode == 0
    try:
        all_find(ways, vm, ("base-moved", "base.qcow2"))
        ok(ways["remote"], "mend", vm, "base-moved")
        assert findings(uri, vm) == []
        assert holds_pattern(top, 9)
        assert is_sound(top)
        starts(idle_guest)
        if stack.native_external:
            write_pattern(top, 8)
            ok(uri, "revert", vm, "top", "--no-safety")
            assert holds_pattern(disk_of(idle_guest), 9)
    finally:
        stack.virsh("pool-destroy", "moved")
        moved.unlink()
        elsewhere.rmdir()


def test_damaged_images(idle_guest: Machine, ways: dict[str, Access]) -> None:
    vm, disk = idle_guest.name, idle_guest.disk
    whole = disk.read_bytes()
    top = layered(idle_guest.directory / f"{vm}-vda.top.qcow2", disk)
    use(idle_guest, top)
    for harm in (whole[:4096], whole[:72] + struct.pack(">Q", 2) + whole[80:]):
        disk.write_bytes(harm)
        assert codes(idle_guest.uri, vm) == [("image-damaged", "disk0.qcow2")]
    disk.write_bytes(whole[:300_000])
    all_find(ways, vm, ("image-damaged", "disk0.qcow2"))
    disk.write_bytes(whole)
    assert codes(ways["user"], vm) == [("layer-unknown", "disk0.qcow2")]


def test_a_deep_chain_and_a_wrong_format(
    stack: Stack, idle_guest: Machine, two_disks: Machine, ways: dict[str, Access]
) -> None:
    uri, vm, base = idle_guest.uri, idle_guest.name, two_disks.disk
    write_pattern(base, 5)
    image = base
    for number in range(21):
        image = layered(stack.images / f"{vm}-layer{number}.qcow2", image)
    layers = [stack.images / f"{vm}-layer{number}.qcow2" for number in range(21)]
    use(idle_guest, image)
    try:
        assert codes(uri, vm)[0] == ("deep-chain", image.name)
        ok(ways["user"], "mend", vm, "deep-chain")
        assert (holds_pattern(image, 5), is_sound(image)) == (True, True)
        use(idle_guest, layers[0])
        for layer in layers[1:]:
            layer.unlink()
        subprocess.run(["qemu-img", "rebase", "-u", "-f", "qcow2", "-b", base, "-F", "raw", layers[0]], check=True)
        all_find(ways, vm, ("base-format-wrong", layers[0].name))
        ok(ways["user"], "mend", vm, "base-format-wrong")
        assert (holds_pattern(layers[0], 5), is_sound(layers[0])) == (True, True)
        starts(idle_guest)
    finally:
        for layer in layers:
            layer.unlink(missing_ok=True)


# between the plan and the deed


def test_what_has_changed_since_the_plan_is_left_alone(idle_guest: Machine) -> None:
    vm, directory, disk = idle_guest.name, idle_guest.directory, idle_guest.disk
    overlay = layered(directory / "left.qcow2", disk)
    inside(disk, "-c", "x")
    history = History()
    with Connection(idle_guest.uri) as connection:
        facts = read_facts(connection, idle_guest.uuid)
        found = examine_host(connection, idle_guest.uuid, history)
        removal, adoption = (plan(facts, tuple(one for one in found if one.code == code)) for code in (
            Ail.ORPHAN_OVERLAY, Ail.UNKNOWN_SNAPSHOT))  # fmt: skip
        use(idle_guest, overlay)
        inside(disk, "-d", "x")
        for planned in (removal, adoption):
            with pytest.raises(Refused, match="not as it was found any more; nothing was changed"):
                run(planned, facts, connection, history)
        assert overlay.exists()
        idle_guest.domain.create()
        with pytest.raises(Refused, match="was started, stopped or paused since the plan was made"):
            run(removal, facts, connection, history)
        idle_guest.domain.destroy()
        without_format(overlay)
        (found_now,) = [one for one in examine_host(connection, idle_guest.uuid) if one.code is Ail.FORMAT_MISSING]
        writing = plan(facts, (found_now,))
        use_again(idle_guest, overlay, disk)
        with pytest.raises(Refused, match="not as it was found any more"):
            run(writing, facts, connection, history)
    assert [entry.outcome for entry in history.recent(4)] == ["failed"] * 4
    history.close()
    assert idle_guest.domain.snapshotNum() == 0
    assert [code for code, _ in codes(idle_guest.uri, vm)] == ["orphan-overlay"]


def use_again(vm: Machine, now: Path, then: Path) -> None:
    old = vm.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    vm.connection.defineXML(old.replace(str(now), str(then)))
