"""No room for the memory: a clear sentence, no half a snapshot, and the guest runs on."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import libvirt

from tests.qemu.commands import INTERNAL, refused, result, wait_until
from tests.stacks.machines import Machine
from tests.stacks.privileges import as_root
from tests.stacks.stacks import Stack

ROOM = "40m"
"""Enough for the guest's disk, too little for its RAM."""
IN_THE_DAEMONS_VIEW = 'pid=$1 place=$2; shift 2; exec nsenter --target="$pid" --mount --pid --root "$@" "$place"'


def in_the_daemons_view(stack: Stack, place: Path, *command: str) -> None:
    """Run a command on a place as the daemon sees it: it has mounts, processes, perhaps a root directory of its own."""
    as_root("sh", "-c", IN_THE_DAEMONS_VIEW, "sh", str(stack.daemon_pid()), str(place), *command)


@contextlib.contextmanager
def on_a_small_file_system(stack: Stack, guest: Machine) -> Iterator[None]:
    """Move the VM's disk to a small tmpfs that only the hypervisor sees, as on another host."""
    small = guest.directory / "small"
    small.mkdir()
    in_the_daemons_view(stack, small, "mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=1777", "small")
    try:
        in_the_daemons_view(stack, small / "disk", "cp", "--preserve", "--no-target-directory", str(guest.disk))
        yield
    finally:
        in_the_daemons_view(stack, small, "umount", "--lazy")


def test_a_save_that_fills_the_disk(stack: Stack, idle_guest: Machine) -> None:
    with on_a_small_file_system(stack, idle_guest):
        xml = idle_guest.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        idle_guest.connection.defineXML(xml.replace(str(idle_guest.disk), str(idle_guest.directory / "small/disk")))
        idle_guest.start()
        idle_guest.channel.run("mount -o remount,ro /data")
        before = idle_guest.channel.counter()
        sentence = refused(idle_guest.uri, "take", idle_guest.name, "too-big", *INTERNAL)
        assert sentence.startswith("An image could not be written to; the file system that it lies on may be full: ")
        assert idle_guest.domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING
        wait_until(lambda: idle_guest.channel.counter() > before, "the guest runs on")
        assert idle_guest.domain.snapshotListNames() == []
        assert result(idle_guest.uri, "tree", idle_guest.name)["snapshots"] == []
        idle_guest.domain.destroy()
