"""The stacks themselves: the guest boots, obeys, is seen, and travels back in time."""

import os
import signal
import subprocess
import time

import pytest

from snapgui.demo.guest import GuestError
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.statistics import is_local
from tests.qemu.commands import ok, result
from tests.stacks.access import Access, as_ordinary_user
from tests.stacks.apt_sources import Source, parse_deb822, parse_one_line
from tests.stacks.machines import Machine, machine
from tests.stacks.stacks import BACKPORTS, Stack


def test_the_name_tells_the_version(stack: Stack) -> None:
    assert stack.name.removeprefix("libvirt-") in stack.virsh("version", "--daemon").stdout


def test_only_the_newer_one_reverts_to_external_snapshots(stack: Stack) -> None:
    assert stack.native_external == (stack.name == BACKPORTS)


def test_a_command_in_the_guest_gives_its_output(guest: Machine) -> None:
    text = "two lines,\n a \\ and “quotes”\n"
    guest.channel.run(f"printf %s '{text}' >/data/app/note")
    assert guest.channel.read_file("/data/app/note") == text
    with pytest.raises(GuestError, match="status 3"):
        guest.channel.run("echo no >&2; exit 3")


def test_the_channel_survives_a_command_that_takes_too_long(guest: Machine) -> None:
    with pytest.raises(GuestError, match="did not finish"):
        guest.channel.run("sleep 3", timeout=0.5)
    assert guest.channel.run("echo back") == "back\n"


def _screen(guest: Machine) -> bytes:
    stream = guest.connection.newStream()
    guest.domain.screenshot(stream, 0)
    picture = bytearray()
    stream.recvAll(lambda _, piece, out: out.extend(piece), picture)
    stream.finish()
    return bytes(picture)


def test_the_screen_shows_the_guest(guest: Machine) -> None:
    deadline = time.monotonic() + 20
    picture = _screen(guest)
    while len(set(picture)) <= 50:  # an empty screen has few different bytes; the guest paints once a second
        assert time.monotonic() < deadline, "the guest never painted its screen"
        time.sleep(0.2)
        picture = _screen(guest)
    assert picture.startswith((b"\x89PNG", b"P6"))


def test_an_internal_snapshot_takes_the_guest_back(stack: Stack, guest: Machine) -> None:
    stack.virsh("snapshot-create-as", guest.name, "before")
    at_snapshot = guest.channel.counter()
    guest.channel.run("rm -r /data/app; sync")
    while guest.channel.counter() < at_snapshot + 20:
        time.sleep(0.1)
    stack.virsh("snapshot-revert", guest.name, "before")
    assert at_snapshot - 5 <= guest.channel.counter() < at_snapshot + 20
    assert guest.channel.read_file("/data/app/version") == "1.0\n"


def test_the_power_button_switches_the_guest_off(guest: Machine) -> None:
    guest.domain.shutdown()
    deadline = time.monotonic() + 30
    while guest.domain.isActive():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_second_disk_is_mounted(stack: Stack, stack_files) -> None:
    with machine(stack, stack_files, extra_disks=1) as two_disks:
        two_disks.start()
        assert two_disks.channel.read_file("/data2/app/version") == "1.0\n"


def test_an_idle_guest_is_off_and_its_disk_is_its_own(idle_guest: Machine) -> None:
    assert not idle_guest.domain.isActive()
    assert idle_guest.disk.stat().st_uid == os.getuid()


def test_a_killed_qemu_leaves_no_process(stack: Stack, guest: Machine) -> None:
    stack.kill(stack.qemu_pid(guest.uuid))
    deadline = time.monotonic() + 10
    while guest.domain.isActive():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(ProcessLookupError):
        stack.qemu_pid(guest.uuid)


def test_a_killed_daemon_comes_back_to_its_guests(stack: Stack, guest: Machine) -> None:
    stack.kill(stack.daemon_pid(), signal.SIGKILL)
    stack.start_daemon()
    assert guest.name in stack.virsh("list", "--name").stdout.split()
    assert guest.channel.run("echo alive") == "alive\n"


def test_apt_sources_are_read_in_both_formats() -> None:
    assert parse_one_line("# deb http://a b c\ndeb [arch=amd64] http://mirror/debian bookworm main\n") == [
        Source("http://mirror/debian", ("bookworm",))
    ]
    deb822 = "Types: deb deb-src\n# a remark\nURIs: http://mirror/debian\nSuites: bookworm\n bookworm-updates\n"
    assert parse_deb822(deb822 + "\nTypes: deb\nEnabled: no\nURIs: http://off/\nSuites: x\n") == [
        Source("http://mirror/debian", ("bookworm", "bookworm-updates"))
    ]


def test_each_way_leads_to_the_same_vms(access: Access, idle_guest: Machine) -> None:
    assert idle_guest.name in {vm["name"] for vm in result(access, "list")["vms"]}
    ok(access, "take", idle_guest.name, "here")
    assert idle_guest.domain.snapshotListNames() == ["here"]


def test_an_ordinary_user_neither_reads_an_image_nor_finds_it(idle_guest: Machine) -> None:
    """What such a user can do, is done through libvirt alone."""
    for command in (["head", "-c4", str(idle_guest.disk)], ["ls", str(idle_guest.directory)]):
        done = subprocess.run(as_ordinary_user(*command), capture_output=True, text=True, check=False)
        assert "Permission denied" in done.stderr


def test_the_way_from_elsewhere_is_not_taken_for_local(access: Access) -> None:
    with Connection(access.uri) as connection:
        assert is_local(connection) is (access.way != "remote")


def test_a_second_daemon_knows_nothing_of_the_first(stack: Stack, second_stack: Stack, idle_guest: Machine) -> None:
    assert second_stack.name == stack.name
    assert idle_guest.name not in {vm["name"] for vm in result(second_stack.remote_uri, "list")["vms"]}
