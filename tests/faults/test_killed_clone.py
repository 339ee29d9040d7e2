"""snapgui is killed while it clones: what is left is named, and that alone can be removed; the source is as it was."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import libvirt
import pytest

from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Refused
from snapgui.operations import leftover_removal
from snapgui.operations.history import History
from snapgui.operations.leftovers import find_leftovers, look_again
from snapgui.operations.pipeline import run
from tests.faults import killing
from tests.qemu.commands import ok, result, wait_until
from tests.qemu.images import write_pattern
from tests.stacks.access import ORDINARY, PROGRAM, access_to
from tests.stacks.machines import Machine
from tests.stacks.privileges import as_root
from tests.stacks.stacks import Stack

LARGE = "write -P 7 0 256M"
"""Enough that a copy takes a while; the guest's file system is lost by it."""


def killed(machine: Machine, moment: str, *arguments: str) -> None:
    """Clone in a process that kills itself at a moment that tests/faults/killing.py knows."""
    command = [sys.executable, str(Path(killing.__file__)), "", moment, "-c", machine.uri, "clone", *arguments]
    root = str(Path(__file__).parents[2])
    died = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env=os.environ | {"PYTHONPATH": root}
    )
    assert died.returncode == -signal.SIGKILL, died.stderr


def leftovers(machine: Machine) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = result(machine.uri, "leftovers")["leftovers"]
    return found


def named(machine: Machine) -> list[str]:
    return [file["path"] for leftover in leftovers(machine) for file in leftover["files"]]


def there(machine: Machine) -> dict[str, str]:
    """Every regular file beside the images, with its content's SHA-256."""
    found = {}
    for path in machine.directory.iterdir():
        if path.is_file():
            with path.open("rb") as file:
                found[str(path)] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def snapshots(machine: Machine) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = result(machine.uri, "tree", machine.name)["snapshots"]
    return found


def removable(machine: Machine) -> bool:
    """Whether nothing stands in the way: a program that the killed process had started ends a moment later."""
    plans = result(machine.uri, "leftovers", "--remove", "--dry-run")["plans"]
    return bool(plans) and not any(finding["severity"] == "blocker" for plan in plans for finding in plan["findings"])


@pytest.mark.parametrize("moment", ["while_copying", "before_define"])
def test_in_full(idle_guest: Machine, moment: str) -> None:
    write_pattern(idle_guest.disk, 1)
    ok(idle_guest.uri, "take", idle_guest.name, "kept", "--kind", "internal")
    (idle_guest.directory / "x-vdb.qcow2").write_bytes(b"somebody else's")
    files, tree = there(idle_guest), snapshots(idle_guest)
    killed(idle_guest, moment, idle_guest.name, "x", "--full")
    made = str(idle_guest.directory / "x-vda.qcow2")
    assert set(there(idle_guest)) - set(files) == {made}
    for _ in range(2):  # to look changes nothing
        (leftover,) = leftovers(idle_guest)
        assert leftover["vm"] == {"name": idle_guest.name, "uuid": idle_guest.uuid}
        assert [file["path"] for file in leftover["files"]] == [made]
        assert leftover["files"][0]["bytes"] == Path(made).stat().st_blocks * 512
        assert made in leftover["text"]
        assert leftover["title"].startswith("Full clone of ")
    wait_until(lambda: removable(idle_guest), "nobody writes to it any more")
    assert Path(made).exists(), "a dry run removes nothing"
    assert result(idle_guest.uri, "leftovers", "--remove") == {"removed": [made]}
    assert there(idle_guest) == files
    assert snapshots(idle_guest) == tree
    assert leftovers(idle_guest) == []
    assert result(idle_guest.uri, "leftovers", "--remove") == {"removed": []}
    result(idle_guest.uri, "clone", idle_guest.name, "x", "--full")
    undefine(idle_guest, "x")


def undefine(machine: Machine, name: str) -> None:
    machine.connection.lookupByName(name).undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)


def test_of_a_running_vm(idle_guest: Machine) -> None:
    """libvirt goes on with the copy; removing calls it off, and the VM runs on."""
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", LARGE, str(idle_guest.disk)], check=True, capture_output=True)
    idle_guest.domain.create()
    made = str(idle_guest.directory / "x-vda.qcow2")
    pid = killing.process_of(idle_guest.uuid)
    try:
        killed(idle_guest, "while_libvirt_copies", idle_guest.name, "x", "--full")
        (leftover,) = leftovers(idle_guest)
        assert [file["path"] for file in leftover["files"]] == [made]
        assert leftover["copying"]
        assert "libvirt still copies into it" in leftover["text"]
        (plan,) = result(idle_guest.uri, "leftovers", "--remove", "--dry-run")["plans"]
        assert [step["virsh"][1] for step in plan["steps"]] == ["domjobabort", "vol-delete"]
    finally:
        as_root("kill", "-CONT", pid)
    assert result(idle_guest.uri, "leftovers", "--remove") == {"removed": [made]}
    assert not copies(idle_guest)
    assert idle_guest.domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING
    assert not Path(made).exists()
    assert leftovers(idle_guest) == []


def copies(machine: Machine) -> bool:
    try:
        return bool(machine.domain.backupGetXMLDesc(0))
    except libvirt.libvirtError:
        return False


def test_of_another_machine(idle_guest: Machine) -> None:
    """Where paths are not those of this machine, everything goes through libvirt's storage pools."""
    there_uri = idle_guest.uri.replace("qemu://", "qemu+unix://")
    elsewhere = replace(idle_guest, uri=there_uri)
    files, pools = there(idle_guest), set(idle_guest.connection.listStoragePools())
    killed(elsewhere, "before_define", idle_guest.name, "x", "--full")
    (made,) = map(str, idle_guest.directory.glob("x-vda.*.qcow2"))
    assert named(elsewhere) == [made]
    with a_vm_with(idle_guest, Path(made)):
        assert named(elsewhere) == []
    overlay = idle_guest.directory / "y.qcow2"
    lay(Path(made), overlay)
    with a_vm_with(idle_guest, overlay):
        assert named(elsewhere) == [], "what lies below a VM's disk is needed, too"
    overlay.unlink()
    assert result(there_uri, "leftovers", "--remove") == {"removed": [made]}
    assert there(idle_guest) == files
    assert set(idle_guest.connection.listStoragePools()) == pools
    assert leftovers(elsewhere) == []


@pytest.mark.parametrize("way", ["user", "remote"])
def test_by_who_cannot_see_the_images(stack: Stack, idle_guest: Machine, user_home: Path, way: str) -> None:
    access = access_to(stack, way, user_home)
    files = there(idle_guest)
    plain = access.command("clone", idle_guest.name, f"x-{way}", "--full")
    place = plain.index(str(PROGRAM))
    command = [*plain[:place], str(Path(killing.__file__)), str(ORDINARY), "before_define", *plain[place + 2 :]]
    died = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert died.returncode == -signal.SIGKILL, died.stderr
    (made,) = set(there(idle_guest)) - set(files)
    (leftover,) = result(access, "leftovers")["leftovers"]
    assert [file["path"] for file in leftover["files"]] == [made]
    assert result(access, "leftovers", "--remove") == {"removed": [made]}
    assert there(idle_guest) == files
    assert result(access, "leftovers")["leftovers"] == []
    assert idle_guest.connection.listStoragePools() == []


def test_linked(idle_guest: Machine) -> None:
    files = there(idle_guest)
    killed(idle_guest, "before_define", idle_guest.name, "x", "--linked")
    made = str(idle_guest.directory / "x-vda.qcow2")
    (leftover,) = leftovers(idle_guest)
    assert [file["path"] for file in leftover["files"]] == [made]
    assert leftover["snapshot"] == "base-of-x"
    assert "The snapshot “base-of-x” was taken for it" in leftover["text"]
    frozen, tree = there(idle_guest), snapshots(idle_guest)
    assert result(idle_guest.uri, "leftovers", "--remove") == {"removed": [made]}
    del frozen[made]
    assert there(idle_guest) == frozen
    assert files.items() <= frozen.items()
    assert snapshots(idle_guest) == tree
    assert leftovers(idle_guest) == []


def test_after_only_the_current_state_was_frozen(idle_guest: Machine) -> None:
    killed(idle_guest, "before_copy", idle_guest.name, "x", "--linked")
    (leftover,) = leftovers(idle_guest)
    assert (leftover["files"], leftover["snapshot"]) == ([], "base-of-x")
    assert result(idle_guest.uri, "leftovers", "--remove") == {"removed": []}
    assert leftovers(idle_guest) == []
    assert [snapshot["name"] for snapshot in snapshots(idle_guest)] == ["base-of-x"]


def test_a_passing_pool(idle_guest: Machine) -> None:
    pools = set(idle_guest.connection.listStoragePools())
    killed(idle_guest, "in_a_pool", idle_guest.name, "x", "--linked")
    (left,) = set(idle_guest.connection.listStoragePools()) - pools
    (leftover,) = leftovers(idle_guest)
    assert (leftover["files"], leftover["pools"]) == ([], [left])
    assert result(idle_guest.uri, "leftovers", "--remove") == {"removed": []}
    assert set(idle_guest.connection.listStoragePools()) == pools
    assert leftovers(idle_guest) == []


def test_when_the_clone_is_there_nothing_is_left(idle_guest: Machine) -> None:
    killed(idle_guest, "after_define", idle_guest.name, "x", "--full")
    try:
        (leftover,) = leftovers(idle_guest)
        assert (leftover["files"], leftover["text"]) == ([], "interrupted, but the clone “x” exists")
        assert result(idle_guest.uri, "leftovers", "--remove") == {"removed": []}
        assert leftovers(idle_guest) == []
    finally:
        undefine(idle_guest, "x")
    assert leftovers(idle_guest) == [], "whoever keeps the image of a VM that he undefines wants to keep it"
    assert (idle_guest.directory / "x-vda.qcow2").exists()


def test_somebody_elses_file_is_never_named(idle_guest: Machine) -> None:
    killed(idle_guest, "after_intent", idle_guest.name, "x", "--full")
    place = idle_guest.directory / "x-vda.qcow2"
    assert not place.exists()
    assert named(idle_guest) == []
    killed(idle_guest, "before_define", idle_guest.name, "x", "--full")
    assert str(place) in named(idle_guest)
    place.unlink()
    place.symlink_to(idle_guest.disk)
    assert named(idle_guest) == []
    assert result(idle_guest.uri, "leftovers", "--remove") == {"removed": []}
    assert place.is_symlink()


@pytest.mark.parametrize("layered", [False, True], ids=["its-disk", "below-its-disk"])
def test_what_a_vm_uses_meanwhile_is_kept(idle_guest: Machine, layered: bool) -> None:
    killed(idle_guest, "before_define", idle_guest.name, "x", "--full")
    made = idle_guest.directory / "x-vda.qcow2"
    image = idle_guest.directory / "other.qcow2" if layered else made
    history = History()
    try:
        with Connection(idle_guest.uri) as connection:
            (leftover,) = find_leftovers(connection, history)
            plan = leftover_removal.plan(leftover)
            facts = leftover_removal.facts(connection, leftover)
            if layered:
                lay(made, image)
                assert named(idle_guest) == [], "an image that no VM has yet needs its base, too"
            with a_vm_with(idle_guest, image):
                assert named(idle_guest) == []
                now = leftover_removal.plan(look_again(connection, history, leftover))
                assert [finding.code for finding in now.blockers] == ["file-in-use"]
                with pytest.raises(Refused, match="is used by other"):
                    run(plan, facts, connection, history)
                assert made.exists()
            if layered:
                image.unlink()
            run(plan, facts, connection, history)
            assert not made.exists()
            with pytest.raises(Refused, match="somebody else's"):
                run(plan, facts, connection, history)
    finally:
        history.close()


def lay(base: Path, image: Path) -> None:
    """Make an image on top of another one."""
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(image)]
    subprocess.run(command, check=True)


@contextmanager
def a_vm_with(machine: Machine, image: Path) -> Iterator[None]:
    xml = f"""<domain type="qemu"><name>other</name><memory>16384</memory><os><type>hvm</type></os><devices>
      <disk type="file"><driver name="qemu" type="qcow2"/><source file="{image}"/><target dev="vda"/></disk>
      </devices></domain>"""
    domain = machine.connection.defineXML(xml)
    try:
        yield
    finally:
        domain.undefine()
