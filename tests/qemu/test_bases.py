"""What lies below other images is never written to, whoever uses it and however it is named."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import libvirt

from tests.qemu.commands import INTERNAL, ok, refused, result, snapgui
from tests.qemu.images import holds_pattern, write_pattern
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack

EXTERNAL = ("--kind", "external")
CLONE = """\
<domain type='qemu'><name>{name}</name><memory>65536</memory><os><type>hvm</type></os><devices>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='{file}'/><target dev='vda'/></disk>
</devices></domain>"""


@contextmanager
def clone_on(machine: Machine, base: Path) -> Iterator[Path]:
    """Define a VM whose disk is layered on an image; yield that disk."""
    file = machine.directory / "clone.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", file], check=True)
    domain = machine.connection.defineXML(CLONE.format(name=f"clone-of-{machine.name}", file=file))
    try:
        yield file
    finally:
        domain.undefine()


def overlay(machine: Machine) -> Path:
    """The image that the VM writes to now."""
    root = machine.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    return Path(root.partition("<source file='")[2].partition("'")[0])


def test_an_internal_revert_under_a_clone(idle_guest: Machine) -> None:
    uri, vm = idle_guest.uri, idle_guest.name
    write_pattern(idle_guest.disk, 1)
    ok(uri, "take", vm, "a", *INTERNAL)
    write_pattern(idle_guest.disk, 2)
    ok(uri, "take", vm, "b", *INTERNAL)
    with clone_on(idle_guest, idle_guest.disk) as clone:
        sentence = refused(uri, "revert", vm, "a")
        assert sentence == f"clone-of-{vm} is based on an image that would be changed: {idle_guest.disk}."
        assert holds_pattern(clone, 2)


def test_a_base_by_another_name(stack: Stack, idle_guest: Machine) -> None:
    uri, vm = idle_guest.uri, idle_guest.name
    ok(uri, "take", vm, "a", *EXTERNAL)
    frozen = overlay(idle_guest)
    write_pattern(frozen, 1)
    ok(uri, "take", vm, "b", *EXTERNAL)
    write_pattern(overlay(idle_guest), 2)
    link = idle_guest.directory / "link"
    link.symlink_to(idle_guest.directory)
    with clone_on(idle_guest, link / frozen.name) as clone:
        said = snapgui(uri, "delete", vm, "b")
        assert said.status == 1
        assert f"clone-of-{vm} is based on an image of “b”" in said.err or not stack.native_external
        assert holds_pattern(clone, 1)
    link.unlink()


def test_a_disk_that_the_snapshot_left_out_counts(stack: Stack, idle_guest: Machine) -> None:
    """And an image that somebody else put on top: what lies in between may hold anything."""
    uri, vm = idle_guest.uri, idle_guest.name
    ok(uri, "take", vm, "a", *EXTERNAL)
    assert result(uri, "tree", vm)["changed"] is False
    write_pattern(overlay(idle_guest), 2)
    top = idle_guest.directory / "top.qcow2"
    stack.virsh("snapshot-create-as", vm, "x", "--disk-only", "--no-metadata", "--diskspec", f"vda,file={top}")
    assert result(uri, "tree", vm)["changed"] is None
    plan = snapgui(uri, "revert", vm, "a", "--dry-run", "--json").json
    if stack.native_external:
        assert plan["steps"][0]["text"].startswith("Take “before-revert-")


def test_a_revert_that_fails_leaves_the_bases_alone(stack: Stack, guest: Machine) -> None:
    """libvirt 11.3 leaves a VM whose memory file is damaged on the image that all its snapshots lie on."""
    uri, vm = guest.uri, guest.name
    guest.channel.run("echo then >/data/mark; sync")
    record = result(uri, "take", vm, "a", *EXTERNAL)
    guest.channel.run("echo now >/data/mark; sync")
    if not stack.native_external:
        assert "cannot revert" in refused(uri, "revert", vm, "a")
        return
    memory = Path(next(path for path in record["files"] if path.endswith(".mem")))
    subprocess.run(["truncate", "-s", "100000", str(memory)], check=True)
    said = snapgui(uri, "revert", vm, "a", "--safety", "kept")
    assert said.status == 1
    assert "The VM is off now. Its state before is kept in “kept”." in said.err
    assert not guest.domain.isActive()
    assert overlay(guest) != guest.disk, "what the snapshots are layered on is not written to"
    assert not [f for f in result(uri, "doctor", vm)["findings"] if f["code"] == "own-base"]
    ok(uri, "undo", vm)
    assert guest.channel.read_file("/data/mark") == "now\n"


def test_a_vm_on_its_own_base_is_not_started(stack: Stack, idle_guest: Machine) -> None:
    uri, vm = idle_guest.uri, idle_guest.name
    ok(uri, "take", vm, "a", *EXTERNAL)
    xml = idle_guest.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    idle_guest.connection.defineXML(xml.replace(str(overlay(idle_guest)), str(idle_guest.disk)))
    sentence = f"Disk vda lies in {idle_guest.disk}, which holds “a”: to write to it would destroy that."
    for change in (("doctor", vm, "--fix", "start"), ("take", vm, "b"), ("delete", vm, "a")):
        assert refused(uri, *change) == sentence
    if stack.native_external:
        ok(uri, "revert", vm, "a", "--no-safety")
        assert overlay(idle_guest) != idle_guest.disk


def test_a_transient_vm_is_not_switched_off(stack: Stack, guest: Machine) -> None:
    uri, vm = guest.uri, guest.name
    xml = guest.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    ok(uri, "take", vm, "gone", *INTERNAL)
    ok(uri, "delete", vm, "gone")
    guest.domain.undefine()
    ok(uri, "take", vm, "a", *INTERNAL)
    codes = {finding["code"] for finding in result(uri, "doctor", vm)["findings"]}
    assert "transient-vm" in codes
    assert "switched off, it and all its snapshots would be gone" in refused(uri, "revert", vm, "a", "--then", "off")
    assert guest.domain.isActive()
    guest.connection.defineXML(xml)


def test_a_mark_belongs_to_the_snapshot_that_it_was_written_for(stack: Stack, idle_guest: Machine) -> None:
    """A revert copies it into the VM's configuration, and virsh from there into the next snapshot."""
    uri, vm = idle_guest.uri, idle_guest.name
    ok(uri, "take", vm, "a", *INTERNAL)
    write_pattern(idle_guest.disk, 1)
    ok(uri, "revert", vm, "a", "--safety", "kept")
    stack.virsh("snapshot-revert", vm, "kept")
    stack.virsh("snapshot-create-as", vm, "precious")
    stack.virsh("snapshot-revert", vm, "a")
    assert "safety" in next(line for line in ok(uri, "tree", vm).out.splitlines() if "kept" in line)
    assert "safety" not in next(line for line in ok(uri, "tree", vm).out.splitlines() if "precious" in line)
    assert refused(uri, "prune", vm, "--keep", "0").endswith("has no old safety snapshot that could be deleted.")


def test_files_of_disks_that_the_snapshot_does_not_hold(stack: Stack, guest: Machine) -> None:
    """libvirt wants them all, and finds out when the guest is off."""
    uri, vm = guest.uri, guest.name
    cd = guest.directory / "cd.iso"
    cd.write_bytes(b"\0" * 2**16)
    xml = guest.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    disc = f"<disk type='file' device='cdrom'><source file='{cd}'/><target dev='sda' bus='sata'/><readonly/></disk>"
    guest.domain.destroy()
    guest.connection.defineXML(xml.replace("</devices>", disc + "</devices>"))
    guest.start()
    ok(uri, "take", vm, "a", *EXTERNAL)
    cd.unlink()
    if stack.native_external:
        assert refused(uri, "revert", vm, "a") == f"A file that “a” needs is missing: {cd}."
    assert guest.domain.isActive()
