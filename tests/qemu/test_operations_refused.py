"""What libvirt would refuse late, or do and destroy: refused before anything is changed, with the reason."""

import subprocess

import libvirt

from tests.qemu.commands import INTERNAL, ok, refused, result, snapgui
from tests.qemu.images import holds_pattern, names_inside, write_pattern
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack

RAW_DISK = """\
<disk type='file' device='disk'>
  <driver name='qemu' type='raw'/><source file='{path}'/><target dev='vdb' bus='virtio'/>
</disk>"""
FIRMWARE = """\
<loader readonly='yes' type='pflash'>{code}</loader>
<nvram>{variables}</nvram>"""


def redefine(machine: Machine, old: str, new: str) -> None:
    xml = machine.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
    assert old in xml
    machine.connection.defineXML(xml.replace(old, new))


def test_a_raw_disk(idle_guest: Machine) -> None:
    uri, vm = idle_guest.uri, idle_guest.name
    ok(uri, "take", vm, "before", *INTERNAL)
    write_pattern(idle_guest.disk, 7)
    raw = idle_guest.directory / "second.img"
    raw.write_bytes(b"\0" * 2**20)
    redefine(idle_guest, "</devices>", RAW_DISK.format(path=raw) + "</devices>")
    sentence = "Disk vdb is of format raw; internal snapshots need qcow2 for every writable disk."
    assert refused(uri, "take", vm, "a") == sentence
    assert refused(uri, "revert", vm, "before") == sentence, "no safety snapshot is possible, so there is no revert"
    dry = snapgui(uri, "take", vm, "a", "--dry-run", "--json")
    assert dry.status == 1
    assert [finding["code"] for finding in dry.json["findings"]] == ["raw-disk"]
    assert names_inside(idle_guest.disk) == {"before"}
    assert holds_pattern(idle_guest.disk, 7)


def test_uefi_variables_in_a_raw_file(stack: Stack, idle_guest: Machine) -> None:
    uri, vm = idle_guest.uri, idle_guest.name
    code, variables = idle_guest.directory / "code.fd", idle_guest.directory / "variables.fd"
    for path in (code, variables):
        path.write_bytes(b"\0" * 2**16)
    redefine(idle_guest, "<kernel>", FIRMWARE.format(code=code, variables=variables) + "<kernel>")
    if stack.native_external:
        said = ok(uri, "take", vm, "a", *INTERNAL)
        assert "snapgui: warning: The UEFI variables (NVRAM) lie in a raw file" in said.err
        assert names_inside(idle_guest.disk) == {"a"}
        ok(uri, "delete", vm, "a")
    else:
        assert "cannot take internal snapshots of it" in refused(uri, "take", vm, "a", *INTERNAL)
    assert names_inside(idle_guest.disk) == set()
    said = ok(uri, "take", vm, "a", "--json")
    assert said.json["kind"] == "external", "what neither libvirt does whole inside the image goes beside it"
    assert "snapgui: warning: The UEFI variables (NVRAM) are not part of an external snapshot." in said.err


def test_an_image_below_external_overlays_is_left_alone(stack: Stack, idle_guest: Machine) -> None:
    """Both libvirts revert here without a word, and the overlay is garbage afterwards."""
    uri, vm = idle_guest.uri, idle_guest.name
    write_pattern(idle_guest.disk, 1)
    ok(uri, "take", vm, "internal", *INTERNAL)
    write_pattern(idle_guest.disk, 2)
    overlay = idle_guest.directory / "overlay.qcow2"
    stack.virsh("snapshot-create-as", vm, "external", "--disk-only", "--diskspec", f"vda,file={overlay}")
    before = idle_guest.disk.read_bytes()
    tree = result(uri, "tree", vm)
    assert [(s["name"], s["kind"]) for s in tree["snapshots"]] == [("internal", "internal"), ("external", "external")]
    for verb in (("revert", vm, "internal"), ("revert", vm, "internal", "--no-safety", "--force")):
        assert "has become the base of later external overlays" in refused(uri, *verb)
    assert "has become the base" in refused(uri, "delete", vm, "internal")
    assert "its parent is an internal snapshot" in refused(uri, "delete", vm, "external")
    assert "its parent is an internal snapshot" in refused(uri, "delete", vm, "internal", "--with-children")
    assert idle_guest.disk.read_bytes() == before
    assert holds_pattern(overlay, 2)
    assert tree["changed"] is False
    write_pattern(overlay, 3)
    assert result(uri, "tree", vm)["changed"] is True
    if stack.native_external:
        ok(uri, "revert", vm, "external", "--no-safety")
    else:
        assert "this libvirt (9.0.0) cannot revert to one" in refused(uri, "revert", vm, "external", "--no-safety")
        assert holds_pattern(overlay, 3)
    assert idle_guest.disk.read_bytes() == before


def test_kinds_are_mixed_only_behind_a_warning(idle_guest: Machine) -> None:
    uri, vm = idle_guest.uri, idle_guest.name
    ok(uri, "take", vm, "inside", *INTERNAL)
    assert result(uri, "take", vm, "by-itself")["kind"] == "internal"
    said = ok(uri, "take", vm, "beside", "--kind", "external")
    assert "snapgui: warning: The VM has internal snapshots. Under an external one" in said.err
    said = ok(uri, "take", vm, "beside-again", "--json")
    assert said.json["kind"] == "external"
    assert names_inside(idle_guest.disk) == {"inside", "by-itself"}


def test_a_vm_that_sleeps_in_a_saved_state_is_not_reverted(guest: Machine) -> None:
    uri, vm = guest.uri, guest.name
    ok(uri, "take", vm, "a", *INTERNAL)
    guest.domain.managedSave(0)
    assert "sleeps in a saved state" in refused(uri, "revert", vm, "a", "--no-safety")
    said = ok(uri, "take", vm, "disks-only")
    assert "warning: The VM sleeps in a saved state" in said.err
    assert guest.domain.hasManagedSaveImage(0) == 1
    guest.domain.create()
    assert guest.channel.counter() > 0


def test_a_backing_chain_of_the_users_own_is_fine(idle_guest: Machine) -> None:
    """An image that was made as an overlay by hand holds internal snapshots like any other."""
    overlay = idle_guest.directory / "by-hand.qcow2"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(idle_guest.disk), "-F", "qcow2", str(overlay)], check=True
    )
    redefine(idle_guest, str(idle_guest.disk), str(overlay))
    ok(idle_guest.uri, "take", idle_guest.name, "a", *INTERNAL)
    write_pattern(overlay, 4)
    ok(idle_guest.uri, "revert", idle_guest.name, "a")
    assert names_inside(overlay) >= {"a"}
    assert not holds_pattern(overlay, 4)
