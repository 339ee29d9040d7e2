"""What the doctor can do itself: wake or discard a saved state, and move the UEFI variables into a qcow2 file."""

import subprocess

import libvirt

from tests.qemu.commands import INTERNAL, ok, refused, result, wait_until
from tests.qemu.images import names_inside
from tests.qemu.test_operations_refused import FIRMWARE, redefine
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack


def test_a_saved_state_is_discarded(guest: Machine) -> None:
    uri, vm = guest.uri, guest.name
    ok(uri, "take", vm, "a", *INTERNAL)
    guest.domain.managedSave()
    assert refused(uri, "revert", vm, "a", "--no-safety").startswith("The VM sleeps in a saved state.")
    plan = result(uri, "doctor", vm, "--fix", "discard-saved-state", "--dry-run")
    assert plan["losses"] == ["The memory of the sleeping guest will be lost, as by a power cut."]
    assert guest.domain.hasManagedSaveImage(), "a dry run changes nothing"
    assert result(uri, "doctor", vm, "--fix", "discard-saved-state")["fixed"] == "discard-saved-state"
    assert not guest.domain.hasManagedSaveImage()
    assert "has no saved state" in refused(uri, "doctor", vm, "--fix", "discard-saved-state")
    ok(uri, "revert", vm, "a", "--no-safety")
    guest.channel.wait_until_up(60)


def test_a_saved_state_is_woken(guest: Machine) -> None:
    counted = guest.channel.counter()
    guest.domain.managedSave()
    codes = [finding["code"] for finding in result(guest.uri, "doctor", guest.name)["findings"]]
    assert "managed-save" in codes
    ok(guest.uri, "doctor", guest.name, "--fix", "start")
    assert guest.domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING
    assert guest.channel.counter() >= counted, "it goes on where it slept in"
    assert refused(guest.uri, "doctor", guest.name, "--fix", "start").startswith(f"{guest.name} is running;")


def test_uefi_variables_move_into_a_qcow2_file(stack: Stack, idle_guest: Machine) -> None:
    uri, vm = idle_guest.uri, idle_guest.name
    code, variables = idle_guest.directory / "code.fd", idle_guest.directory / "variables.fd"
    code.write_bytes(b"\0" * 2**18)
    variables.write_bytes(b"variables" + b"\0" * (2**18 - 9))
    redefine(idle_guest, "<kernel>", FIRMWARE.format(code=code, variables=variables) + "<kernel>")
    if not stack.native_external:
        sentence = "This libvirt cannot use UEFI variables in a qcow2 file for snapshots."
        assert refused(uri, "doctor", vm, "--fix", "nvram-to-qcow2") == sentence
        assert sorted(path.name for path in idle_guest.directory.glob("variables*")) == ["variables.fd"]
        return
    ok(uri, "doctor", vm, "--fix", "nvram-to-qcow2")
    moved = idle_guest.directory / "variables.qcow2"
    raw = idle_guest.directory / "read-back"
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", moved, raw], check=True)
    assert raw.read_bytes() == variables.read_bytes(), "the copy is whole, and the old file is still there"
    idle_guest.domain.create()
    wait_until(idle_guest.domain.isActive, "it starts with the new file")
    ok(uri, "take", vm, "running", *INTERNAL)
    assert names_inside(idle_guest.disk) == {"running"}
    ok(uri, "delete", vm, "running")
    idle_guest.domain.destroy()
    assert "qcow2 file already" in refused(uri, "doctor", vm, "--fix", "nvram-to-qcow2")


def test_nothing_is_overwritten_when_variables_move(stack: Stack, idle_guest: Machine) -> None:
    if not stack.native_external:
        return
    code, variables = idle_guest.directory / "code.fd", idle_guest.directory / "variables.fd"
    there = idle_guest.directory / "variables.qcow2"
    for path in (code, variables, there):
        path.write_bytes(b"precious" + b"\0" * (2**18 - 8))
    redefine(idle_guest, "<kernel>", FIRMWARE.format(code=code, variables=variables) + "<kernel>")
    sentence = refused(idle_guest.uri, "doctor", idle_guest.name, "--fix", "nvram-to-qcow2")
    assert sentence == "The file variables.qcow2 exists already; nothing was changed."
    assert there.read_bytes().startswith(b"precious")
    assert str(variables) in idle_guest.domain.XMLDesc(0)
