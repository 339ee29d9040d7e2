"""Running guests: what is in their RAM and on their disk goes back, and what was promised to be kept is not lost."""

import re
import socket
import threading
import time
from pathlib import Path

import libvirt
import pytest

from snapgui.hypervisor.domain_xml import NAMESPACE
from tests.qemu.commands import INTERNAL, ok, result, wait_until
from tests.qemu.images import is_sound, names_inside
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack

TICKS = "i=0; while [ $i -lt 300 ]; do echo; usleep 10000; i=$((i+1)); done"
HOSTILE_TITLE = 'A <b>title</b> & "more" {name} \N{SNOWMAN}'


def let_time_pass(guest: Machine, since: int, ticks: int = 15) -> int:
    wait_until(lambda: guest.channel.counter() >= since + ticks, "the guest counts")
    return guest.channel.counter()


def has_file(guest: Machine, path: str) -> bool:
    return guest.channel.run(f"[ -e '{path}' ] && echo yes || echo no") == "yes\n"


def change_world(guest: Machine) -> None:
    """Lose a file, make another, break the application."""
    guest.channel.run("rm -r /data/app/data /data/before; echo hurt >/data/after; sync")


def journal_lines(guest: Machine) -> int:
    return int(guest.channel.run("wc -l </data/journal.log"))


def state(guest: Machine) -> int:
    return int(guest.domain.state()[0])


def test_the_guest_goes_back_in_time_and_forth_again(guest: Machine) -> None:
    uri, name = guest.uri, guest.name
    guest.channel.run("touch /data/before; sync")
    ok(uri, "take", name, "first", *INTERNAL, "--description", "still healthy")
    ok(uri, "edit", name, "first", f"--title={HOSTILE_TITLE}")
    at_first = guest.channel.counter()
    change_world(guest)
    later = let_time_pass(guest, at_first)
    lines_later = journal_lines(guest)

    reverted = result(uri, "revert", name, "first")
    back = guest.channel.counter()
    assert at_first - 15 <= back < later
    assert journal_lines(guest) <= lines_later
    assert (has_file(guest, "/data/before"), has_file(guest, "/data/after")) == (True, False)
    assert guest.channel.run("cd /data/app && sha256sum -c -s checksums && echo healthy") == "healthy\n"
    assert reverted["title"] == HOSTILE_TITLE
    assert reverted["guest_paused_s"] > 0

    safety = reverted["safety"]
    tree = result(uri, "tree", name)
    assert [(s["name"], s["parent"], s["state"]) for s in tree["snapshots"]] == [
        ("first", None, "running"),
        (safety, "first", "running"),
    ]
    assert (tree["current"], tree["changed"], tree["vm"]["state"]) == ("first", True, "running")
    for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE):
        assert NAMESPACE not in guest.domain.XMLDesc(flags), "the mark stays with the snapshot"
    assert 'safety="yes"' in guest.domain.snapshotLookupByName(safety).getXMLDesc()

    again = result(uri, "revert", name, safety, "--no-safety")
    assert again["safety"] is None
    assert guest.channel.counter() >= later
    assert (has_file(guest, "/data/before"), has_file(guest, "/data/after")) == (False, True)

    second = result(uri, "take", name, "second")
    assert (second["title"], second["parent"]) == (None, safety), "a title is not inherited"
    assert 'safety="yes"' not in guest.domain.snapshotLookupByName("second").getXMLDesc()
    assert result(uri, "tree", name)["snapshots"][0]["title"] == HOSTILE_TITLE
    ok(uri, "delete", name, "first", safety, "second")
    assert names_inside(guest.disk) == set()


class Ticks(threading.Thread):
    """Listens to a guest that says something every 10 ms, and notes the longest silence, in seconds."""

    def __init__(self, guest: Machine) -> None:
        super().__init__(name="ticks")
        self._guest = guest
        self.longest = 0.0
        self.begun = threading.Event()

    def run(self) -> None:
        self._guest.channel.close()
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(self._guest.channel.path))
            link.settimeout(30)
            link.sendall(f"\nrun tick {TICKS} tick\n".encode())
            last, heard = 0.0, b""
            while not re.search(rb"\ntick end \d+\n", heard):
                heard = heard[-100:] + link.recv(4096)
                now = time.monotonic()
                if last:
                    self.longest = max(self.longest, now - last)
                    self.begun.set()
                last = now


def test_the_pause_that_is_told_is_the_pause_that_the_guest_made(guest: Machine) -> None:
    ticks = Ticks(guest)
    ticks.start()
    assert ticks.begun.wait(30)
    said = ok(guest.uri, "take", guest.name, "measured", *INTERNAL, "--json", "--progress", "json")
    ticks.join()
    told = said.json["guest_paused_s"]
    assert told > 0.02
    assert told - 0.25 <= ticks.longest <= told + 1.0, "heard by somebody outside, on a busy machine"
    reports = [report for report in said.reports if report["phase"] != "screen"]
    phases = [report["phase"] for report in reports]
    order = ["pause", "create", "memory", "protect", "resume"]
    assert list(dict.fromkeys(phases)) == order, "each of the five, once begun never again"
    assert (reports[0]["step"], reports[0]["of"]) == (1, 1)
    assert not any(report["cancellable"] for report in reports), "an internal save cannot be cancelled"
    done = [report["bytes_done"] for report in reports if report["bytes_done"] is not None]
    assert done[-1] > 5 * 2**20, "RAM was written into the image"
    assert all(report["estimated"] for report in reports if report["fraction"] not in {None, 1.0})
    paused = [report["guest_paused_s"] for report in reports if report["guest_paused_s"] is not None]
    assert paused == sorted(paused)
    assert paused[-1] == pytest.approx(told, abs=0.01)


def test_a_picture_of_the_screen_is_kept_until_the_snapshot_goes(guest: Machine, tmp_path: Path) -> None:
    ok(guest.uri, "take", guest.name, "seen")
    (picture,) = tmp_path.glob("cache/snapgui/thumbnails/*/*.png")
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) > 500, "not an empty screen"
    ok(guest.uri, "delete", guest.name, "seen")
    assert not picture.exists()


def test_every_state_after_a_revert_from_every_state_before(guest: Machine) -> None:
    uri, name = guest.uri, guest.name
    ok(uri, "take", name, "live", *INTERNAL)
    for before in ("running", "off"):
        for then, expected in (
            ("as-taken", libvirt.VIR_DOMAIN_RUNNING),
            ("running", libvirt.VIR_DOMAIN_RUNNING),
            ("paused", libvirt.VIR_DOMAIN_PAUSED),
            ("off", libvirt.VIR_DOMAIN_SHUTOFF),
        ):
            if before == "running" and state(guest) != libvirt.VIR_DOMAIN_RUNNING:
                ok(uri, "revert", name, "live", "--no-safety", "--then", "running")
            if before == "off" and guest.domain.isActive():
                guest.domain.destroy()
            ok(uri, "revert", name, "live", "--no-safety", "--then", then)
            assert state(guest) == expected, (before, then)
    guest.domain.create()
    guest.channel.wait_until_up()
    guest.domain.destroy()
    ok(uri, "take", name, "stopped")
    ok(uri, "revert", name, "stopped", "--no-safety", "--then", "running")
    assert state(guest) == libvirt.VIR_DOMAIN_RUNNING
    ok(uri, "revert", name, "stopped", "--no-safety")
    assert state(guest) == libvirt.VIR_DOMAIN_SHUTOFF
    assert is_sound(guest.disk)


def test_a_paused_guest_stays_paused_and_is_unchanged_after_a_paused_revert(guest: Machine) -> None:
    uri, name = guest.uri, guest.name
    guest.domain.suspend()
    taken = result(uri, "take", name, "while-paused", *INTERNAL)
    assert (taken["state"], taken["memory"], taken["guest_paused_s"]) == ("paused", "internal", None)
    assert state(guest) == libvirt.VIR_DOMAIN_PAUSED
    guest.domain.resume()
    ok(uri, "revert", name, "while-paused", "--no-safety")
    assert state(guest) == libvirt.VIR_DOMAIN_PAUSED
    assert result(uri, "tree", name)["changed"] is False
    plan = result(uri, "revert", name, "while-paused", "--dry-run")
    assert [step["virsh"][1] for step in plan["steps"]] == ["snapshot-revert"], "nothing to keep, no safety snapshot"
    guest.domain.resume()
    assert result(uri, "tree", name)["changed"] is True


def test_what_libvirt_did_by_itself_is_in_the_tree(stack: Stack, guest: Machine) -> None:
    ok(guest.uri, "take", guest.name, "ours", *INTERNAL)
    stack.virsh("snapshot-create-as", guest.name, "theirs", "by virsh")
    tree = result(guest.uri, "tree", guest.name)
    assert [(s["name"], s["description"], s["current"]) for s in tree["snapshots"]] == [
        ("ours", "", False),
        ("theirs", "by virsh", True),
    ]
    assert {s["kind"] for s in tree["snapshots"]} == {"internal"}
    assert tree["snapshots"][0]["disks"] == [{"target": "vda", "kind": "internal", "source": str(guest.disk)}]
