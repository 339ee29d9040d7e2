"""Bases are protected: nothing that others read is changed or removed, all of them are named, and flattening helps."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import libvirt
import pytest

from snapgui.hypervisor import snapshots
from snapgui.hypervisor.connection import Connection
from tests.qemu.commands import INTERNAL, ok, refused, result, running, snapgui, wait_for_report, wait_until
from tests.qemu.images import holds_pattern, is_sound, write_pattern
from tests.qemu.test_bases import CLONE, overlay
from tests.stacks.access import access_to
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack

BLOCK = 2**16
EXTERNAL = ("--kind", "external")
UNDEFINE = libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM


@dataclass
class Family:
    """A VM that is off, with two external snapshots, and what is based on its images; ``disks`` by name."""

    machine: Machine
    first: Path
    second: Path
    disks: dict[str, Path]

    def name(self, short: str) -> str:
        """The name of a clone, or what stands for an image that no VM uses."""
        return f"the image {self.disks[short]}" if short == "loose" else f"{short}-{self.machine.name}"

    def named(self, said: str) -> set[str]:
        """Which of all clones a sentence names."""
        before = said.partition(" based on ")[0]
        return {short for short in self.disks if self.name(short) in before}

    def contents(self) -> dict[str, str]:
        """What the clones' guests would see."""
        return {short: content(path) for short, path in self.disks.items()}


@pytest.fixture
def family(idle_guest: Machine) -> Iterator[Family]:
    """“linked” on the second snapshot by snapgui; by hand “first” on the first, “child” on a clone, “loose” no VM."""
    uri, vm = idle_guest.uri, idle_guest.name
    write_pattern(idle_guest.disk, 1)
    ok(uri, "take", vm, "a", *EXTERNAL)
    second = overlay(idle_guest)
    write_pattern(second, 2)
    ok(uri, "take", vm, "b", *EXTERNAL)
    write_pattern(overlay(idle_guest), 3)
    found = Family(idle_guest, idle_guest.disk, second, {})
    made = result(uri, "clone", f"{vm}@b", f"linked-{vm}", "--linked")
    found.disks["linked"] = Path(made["disks"][0]["file"])
    for short, base in (("first", idle_guest.disk), ("child", found.disks["linked"])):
        found.disks[short] = layered(idle_guest, short, base)
        idle_guest.connection.defineXML(CLONE.format(name=f"{short}-{vm}", file=found.disks[short]))
    found.disks["loose"] = layered(idle_guest, "loose", second)
    yield found
    for domain in idle_guest.connection.listAllDomains():
        if domain.name().endswith(f"-{vm}"):
            if domain.isActive():
                domain.destroy()
            domain.undefineFlags(UNDEFINE)


def content(image: Path) -> str:
    """A digest of what a guest would see on a disk: where there is data, and which."""
    raw = image.with_name(f"{image.name}.content")
    found = hashlib.sha256()
    try:
        subprocess.run(["qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", image, raw], check=True)
        with raw.open("rb") as file:
            place = 0
            while block := file.read(BLOCK):
                if block.count(0) != len(block):
                    found.update(b"%d:" % place + block)
                place += len(block)
                with contextlib.suppress(OSError):  # zeros to the end
                    data = os.lseek(file.fileno(), place, os.SEEK_DATA)
                    place = data - data % BLOCK
                    file.seek(place)
                    continue
                break
        return found.hexdigest()
    finally:
        raw.unlink(missing_ok=True)


def layered(machine: Machine, name: str, base: Path, base_format: str = "qcow2") -> Path:
    file = machine.directory / f"{name}.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", base_format, file], check=True)
    return file


def everything(stack: Stack, machine: Machine) -> tuple[dict[str, str], str, str]:
    """All that may not change: the bytes of every file, the snapshots, the VMs."""
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(machine.directory.iterdir())
        if path.is_file()
    }
    listed = stack.virsh("snapshot-list", machine.name, "--tree").stdout
    return files, listed, stack.virsh("list", "--all").stdout


def refusal(machine: Machine, *arguments: str) -> str:
    """What is said when a change is refused, in one sentence or as a finding of its plan, where others come first."""
    refused(machine.uri, *arguments)
    shown = snapgui(machine.uri, *arguments, "--dry-run", "--json")
    assert shown.status == 1, shown
    (finding,) = (f for f in shown.json["findings"] if f["code"] == "base-of-clone")
    assert finding["severity"] == "blocker"
    return str(finding["text"])


def test_every_attempt_is_refused_with_all_names_and_changes_nothing(stack: Stack, family: Family) -> None:
    machine = family.machine
    vm = machine.name
    top = layered(machine, "top", overlay(machine))
    machine.connection.defineXML(CLONE.format(name=f"top-{vm}", file=top))
    family.disks["top"] = top
    before, seen = everything(stack, machine), family.contents()
    for arguments, named in (
        (("delete", vm, "b"), {"linked", "child", "loose", "top"}),
        (("delete", vm, "a"), {"linked", "first", "child", "loose", "top"}),
        (("delete", vm, "a", "--with-children"), {"linked", "first", "child", "loose", "top"}),
        (("delete", vm, "a", "--children-only"), {"linked", "child", "loose", "top"}),
        (("remove", vm, "--with-storage"), {"linked", "first", "child", "loose", "top"}),
        (("remove", f"linked-{vm}", "--with-storage"), {"child"}),
        (("revert", vm, "a"), {"top"}),
        (("revert", vm, "b", "--no-safety"), {"top"}),
        (("doctor", vm, "--fix", "start"), {"top"}),
    ):
        assert family.named(refusal(machine, *arguments)) == named, arguments
    hint = snapgui(machine.uri, "delete", vm, "b").err
    assert f"snapgui flatten linked-{vm} && snapgui flatten top-{vm}" in hint
    assert f"qemu-img rebase -f qcow2 -b '' {family.disks['loose']}" in hint
    for flags in ((), ("--dry-run",)):
        assert family.name("loose") in refused(machine.uri, "delete", vm, "b", "--flatten-clones", *flags)
    assert everything(stack, machine) == before
    assert family.contents() == seen


def test_after_flattening_it_goes_through_and_the_clones_read_the_same(stack: Stack, family: Family) -> None:
    machine = family.machine
    uri, vm = machine.uri, machine.name
    seen = family.contents()
    subprocess.run(["qemu-img", "rebase", "-f", "qcow2", "-b", "", family.disks["loose"]], check=True)
    plan = snapgui(uri, "delete", vm, "a", "--with-children", "--flatten-clones", "--dry-run", "--json").json
    assert [first["vm"]["name"].partition("-")[0] for first in plan["first"]] == ["child", "first", "linked"]
    assert not plan["findings"]
    ok(uri, "flatten", f"linked-{vm}")
    assert family.contents() == seen, "what is based on a clone that became independent reads the same"
    assert is_sound(family.disks["child"])
    assert refused(uri, "delete", vm, "b", "--children-only").startswith("No snapshot lies below")
    ok(uri, "delete", vm, "a", "--with-children", "--flatten-clones")
    assert stack.virsh("snapshot-list", vm, "--name").stdout.strip() == ""
    assert holds_pattern(overlay(machine), 3)
    assert family.contents() == seen
    gone = result(uri, "remove", vm, "--with-storage")
    assert gone["removed"] == [str(machine.disk)]
    assert not machine.disk.exists()
    assert vm not in stack.virsh("list", "--all", "--name").stdout.split()
    assert family.contents() == seen


@pytest.mark.parametrize("way", ["user", "remote"])
def test_who_cannot_see_the_images_is_told_the_same(stack: Stack, family: Family, user_home: Path, way: str) -> None:
    """By libvirt's own look into a directory that nobody made a pool of."""
    machine = family.machine
    vm, access = machine.name, access_to(stack, way, user_home)
    seen = family.contents()
    for path in machine.directory.iterdir():
        path.chmod(0o600)
    machine.directory.chmod(0o711)
    before = everything(stack, machine)
    for arguments, named in (
        (("delete", vm, "a"), {"linked", "first", "child", "loose"}),
        (("remove", vm, "--with-storage"), {"linked", "first", "child", "loose"}),
    ):
        said = snapgui(access, *arguments)
        assert said.status == 1, said
        assert family.named(said.err.splitlines()[-1]) == named, said.err
    assert everything(stack, machine) == before
    done = snapgui(access, "flatten", f"first-{vm}")
    assert done.status == 0, done.err
    assert family.contents() == seen
    done = snapgui(access, "remove", f"first-{vm}", "--with-storage", "--json")
    assert done.status == 0, done.err
    assert done.json["removed"] == [str(family.disks["first"])]
    assert not family.disks["first"].exists()


@pytest.mark.parametrize("way", ["root", "user", "remote"])
def test_a_clone_that_reads_by_another_path_is_named(
    stack: Stack, idle_guest: Machine, user_home: Path, way: str
) -> None:
    """Through a directory that is a link; a VM of its own with a disk of the same name stands in nobody's way."""
    machine, access = idle_guest, access_to(stack, way, user_home)
    link, apart = stack.images / f"link-{machine.name}", stack.images / f"apart-{machine.name}"
    link.symlink_to(machine.directory)
    apart.mkdir()
    names = (f"linked-{machine.name}", f"apart-{machine.name}")
    try:
        result(machine.uri, "take", machine.name, "s", "--kind", "external", "--memory", "none")
        clone = layered(machine, names[0], link / machine.disk.name)
        machine.connection.defineXML(CLONE.format(name=names[0], file=clone))
        shutil.copyfile(machine.disk, apart / machine.disk.name)
        machine.connection.defineXML(CLONE.format(name=names[1], file=apart / machine.disk.name))
        said = snapgui(access, "delete", machine.name, "s")
        assert said.status == 1
        assert names[0] in said.err
        assert names[1] not in said.err
    finally:
        for name in names:
            with contextlib.suppress(libvirt.libvirtError):
                machine.connection.lookupByName(name).undefine()
        link.unlink()
        shutil.rmtree(apart)


def test_a_running_clone_is_named_and_flattened_while_it_runs(stack: Stack, family: Family) -> None:
    machine = family.machine
    uri, vm = machine.uri, machine.name
    seen = family.contents()
    first = machine.connection.lookupByName(f"first-{vm}")
    first.create()
    before = everything(stack, machine)[0]
    assert "first" in family.named(refusal(machine, "delete", vm, "a"))
    assert everything(stack, machine)[0] == before
    ok(uri, "flatten", f"first-{vm}")
    assert first.isActive()
    first.destroy()
    assert content(family.disks["first"]) == seen["first"]
    assert "first" not in family.named(refusal(machine, "delete", vm, "a"))


def test_snapshots_inside_a_base_are_deleted_while_nobody_reads_it(stack: Stack, idle_guest: Machine) -> None:
    """What else lies in the image stays as it is; going back would change it."""
    uri, vm = idle_guest.uri, idle_guest.name
    write_pattern(idle_guest.disk, 1)
    ok(uri, "take", vm, "a", *INTERNAL)
    write_pattern(idle_guest.disk, 2)
    ok(uri, "take", vm, "b", *INTERNAL)
    clone = layered(idle_guest, "clone", idle_guest.disk)
    domain = idle_guest.connection.defineXML(CLONE.format(name=f"clone-{vm}", file=clone))
    try:
        seen = content(clone)
        assert f"clone-{vm} is based on" in refused(uri, "revert", vm, "a")
        domain.create()
        assert refused(uri, "delete", vm, "a").startswith(f"clone-{vm} runs on the image that holds “a”")
        domain.destroy()
        ok(uri, "delete", vm, "a")
        assert content(clone) == seen
        assert is_sound(idle_guest.disk)
        ok(uri, "revert", vm, "b", "--flatten-clones")
        assert content(clone) == seen
    finally:
        domain.undefine()


def test_what_cannot_be_flattened_says_why(stack: Stack, idle_guest: Machine) -> None:
    """libvirt takes the base away even from snapshots inside the image that read it."""
    uri, vm = idle_guest.uri, idle_guest.name
    raw = idle_guest.directory / "base.raw"
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", idle_guest.disk, raw], check=True)
    clone = layered(idle_guest, "clone", raw, "raw")
    domain = idle_guest.connection.defineXML(CLONE.format(name=f"clone-{vm}", file=clone))
    try:
        seen = content(clone)
        ok(uri, "take", f"clone-{vm}", "inside", *INTERNAL)
        assert "has snapshots inside its image" in refused(uri, "flatten", f"clone-{vm}")
        domain.snapshotLookupByName("inside").delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
        assert "has snapshots inside its image" in refused(uri, "flatten", f"clone-{vm}")
        assert not domain.isActive()
        subprocess.run(["qemu-img", "snapshot", "-d", "inside", clone], check=True)
        ok(uri, "flatten", f"clone-{vm}")
        raw.unlink()
        assert content(clone) == seen
    finally:
        domain.undefine()


def test_undo_leaves_a_safety_snapshot_that_a_clone_needs(stack: Stack, idle_guest: Machine) -> None:
    uri, vm = idle_guest.uri, idle_guest.name
    ok(uri, "take", vm, "a", *EXTERNAL)
    if not stack.native_external:
        assert "cannot revert" in refused(uri, "revert", vm, "a")
        return
    write_pattern(overlay(idle_guest), 2)
    ok(uri, "revert", vm, "a", "--safety", "kept")
    clone = Path(result(uri, "clone", f"{vm}@kept", f"clone-{vm}", "--linked")["disks"][0]["file"])
    try:
        before = everything(stack, idle_guest)
        assert f"clone-{vm}" in refusal(idle_guest, "prune", vm, "--keep", "0")
        assert everything(stack, idle_guest) == before
        plan = snapgui(uri, "undo", vm, "--dry-run", "--json").json
        assert any(f"“kept” stays: clone-{vm} is based on" in note for note in plan["notes"])
        ok(uri, "undo", vm)
        with Connection(uri) as connection:
            assert "kept" in snapshots.read_tree(connection, idle_guest.uuid)
        assert holds_pattern(clone, 2)
    finally:
        idle_guest.connection.lookupByName(f"clone-{vm}").undefineFlags(UNDEFINE)


def test_removing_lists_what_goes_and_what_stays(stack: Stack, idle_guest: Machine) -> None:
    uri, vm = idle_guest.uri, idle_guest.name
    template = idle_guest.directory / "template.qcow2"
    idle_guest.disk.rename(template)
    layered(idle_guest, "disk0", template)
    ok(uri, "take", vm, "a", *EXTERNAL)
    top = overlay(idle_guest)
    plan = snapgui(uri, "remove", vm, "--with-storage", "--dry-run", "--json").json
    goes = [note for note in plan["notes"] if note.startswith("Goes: ")]
    assert [note.split()[1] for note in goes] == [str(top), str(idle_guest.disk)]
    assert f"Stays: {template}" in plan["notes"]
    idle_guest.domain.create()
    assert refused(uri, "remove", vm) == f"{vm} is running; only a VM that is off can be removed."
    idle_guest.domain.destroy()
    assert result(uri, "remove", vm)["removed"] == []
    assert top.exists()
    assert idle_guest.disk.exists()
    assert vm not in stack.virsh("list", "--all", "--name").stdout.split()


def _slowed_down(domain: libvirt.virDomain) -> bool:
    try:
        domain.blockJobSetSpeed("vda", 10)  # MiB/s
    except libvirt.libvirtError:
        return False
    return True


@contextlib.contextmanager
def slow_flatten(machine: Machine) -> Iterator[tuple[libvirt.virDomain, Path, subprocess.Popen[str]]]:
    """Begin to flatten a clone that is off, and slow that down to a few MiB a second; yield it when data flows."""
    vm = machine.name
    write = ["qemu-io", "-f", "qcow2", "-c", "write -P 5 1M 200M", str(machine.disk)]
    subprocess.run(write, check=True, capture_output=True)
    file = layered(machine, "clone", machine.disk)
    domain = machine.connection.defineXML(CLONE.format(name=f"clone-{vm}", file=file))
    try:
        with running(machine.uri, "flatten", f"clone-{vm}") as process:
            wait_until(lambda: _slowed_down(domain), "the copying has begun", every_s=0.003)
            wait_for_report(process, "copy")
            yield domain, file, process
    finally:
        if domain.isActive():
            domain.destroy()
        domain.undefine()


@pytest.mark.parametrize("end", ["cancelled", "killed", "resumed"])
def test_a_flattening_that_does_not_come_to_its_end(stack: Stack, idle_guest: Machine, end: str) -> None:
    """The chain is valid all the time; a guest that somebody else let run on meanwhile is not switched off."""
    with slow_flatten(idle_guest) as (domain, file, process):
        if end == "cancelled":
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
            assert not domain.isActive()
        elif end == "killed":
            process.kill()
            process.wait(60)
            assert domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED
            domain.destroy()
        else:
            domain.resume()
            domain.blockJobSetSpeed("vda", 0)
            process.wait(120)
            assert domain.isActive()
            domain.destroy()
        assert is_sound(file)
        assert content(file) == content(idle_guest.disk)
        if end != "resumed":
            ok(idle_guest.uri, "flatten", domain.name())
            assert content(file) == content(idle_guest.disk)
