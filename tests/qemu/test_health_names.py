"""Images are known by more than their paths: nobody is told to remove what a VM needs, whoever looks, from wherever."""

import os
import subprocess

import libvirt

from tests.qemu.commands import ok
from tests.qemu.matrix import add_device
from tests.qemu.test_health import codes, create, layered, use, ways
from tests.stacks.access import Access
from tests.stacks.machines import Machine, pool
from tests.stacks.stacks import Stack

__all__ = ["ways"]
QEMU = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
ARGUMENTS = "<qemu:commandline><qemu:arg value='-drive'/><qemu:arg value='file={},if=none'/></qemu:commandline>"
DISK = "<disk type='file'><driver name='qemu' type='qcow2'/><source file='{}'/><target dev='vdb' bus='virtio'/></disk>"


def all_is_well(ways: dict[str, Access], vm: str) -> None:
    for way, access in ways.items():
        assert codes(access, vm) == [], way


def test_a_directory_behind_a_link(stack: Stack, idle_guest: Machine, ways: dict[str, Access]) -> None:
    """From another machine nobody sees that both are one."""
    link = stack.images / f"{idle_guest.name}-link"
    link.symlink_to(idle_guest.directory)
    use(idle_guest, link / idle_guest.disk.name)
    ok(idle_guest.uri, "take", idle_guest.name, "a", "--kind", "external", "--memory", "none")
    with pool(idle_guest):
        all_is_well(ways, idle_guest.name)
    link.unlink()


def test_a_directory_that_is_there_twice(stack: Stack, idle_guest: Machine, ways: dict[str, Access]) -> None:
    ok(idle_guest.uri, "take", idle_guest.name, "a", "--kind", "external", "--memory", "none")
    twice = stack.images / f"{idle_guest.name}-twice"
    twice.mkdir()
    for image in idle_guest.directory.glob("*.qcow2"):
        os.link(image, twice / image.name)
    assert stack.virsh("pool-create-as", "twice", "dir", "--target", str(twice)).returncode == 0
    try:
        all_is_well(ways, idle_guest.name)
    finally:
        stack.virsh("pool-destroy", "twice")
        for image in twice.iterdir():
            image.unlink()
        twice.rmdir()


def test_a_pool_that_is_not_active(stack: Stack, idle_guest: Machine, ways: dict[str, Access]) -> None:
    add_device(idle_guest, DISK.format(create(idle_guest.directory / "second.qcow2", size="8M")))
    name = f"own-{idle_guest.name}"
    stack.virsh("pool-define-as", name, "dir", "--target", str(idle_guest.directory))
    xml = idle_guest.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    xml = xml.replace("<disk type='file'", "<disk type='volume'", 1)
    volume = f"<source pool='{name}' volume='{idle_guest.disk.name}'/>"
    idle_guest.connection.defineXML(xml.replace(f"<source file='{idle_guest.disk}'/>", volume))
    try:
        all_is_well(ways, idle_guest.name)
    finally:
        stack.virsh("pool-undefine", name)


def test_disks_that_qemu_is_told_of(idle_guest: Machine, ways: dict[str, Access]) -> None:
    """What nobody but QEMU understands names images, too."""
    more = layered(idle_guest.directory / "more.qcow2", idle_guest.disk)
    xml = idle_guest.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE).replace("<domain ", f"<domain {QEMU} ", 1)
    idle_guest.connection.defineXML(xml.replace("</domain>", f"{ARGUMENTS.format(more)}</domain>"))
    all_is_well(ways, idle_guest.name)


def test_names_that_are_no_text(idle_guest: Machine, ways: dict[str, Access]) -> None:
    """Of an old Latin-1 system; libvirt's own binding fails at them."""
    base = os.fsencode(idle_guest.directory) + b"/b\xe4se.qcow2"
    idle_guest.disk.rename(os.fsdecode(base))
    top = create(idle_guest.directory / "top.qcow2", size="512M")
    subprocess.run(["qemu-img", "rebase", "-u", "-F", "qcow2", "-b", base, top], check=True)
    use(idle_guest, top)
    with pool(idle_guest):
        all_is_well(ways, idle_guest.name)
