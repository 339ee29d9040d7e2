"""The current state of a running VM, blocks and files, as it was at one moment, while its guest goes on writing."""

import contextlib
import hashlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import libvirt
import pytest

from snapgui.hypervisor import pull_backup
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Busy
from snapgui.operations import live_view as live
from snapgui.operations import scratch_room
from snapgui.operations.compare_blocks import compare_blocks
from snapgui.operations.facts import Facts, read_facts
from snapgui.operations.history import History
from tests.faults.test_full_disk import on_a_small_file_system
from tests.qemu.commands import INTERNAL, ok, refused, result, snapgui, wait_until
from tests.qemu.test_compare_blocks import EXTERNAL, disk, holds
from tests.stacks.access import Access, access_to
from tests.stacks.machines import Machine, pool
from tests.stacks.stacks import Stack

WRITES_ON = (
    "touch /run/on; (i=0; while [ -e /run/on ]; do i=$((i+1)); echo $i >/data/turn; sync; done) >/dev/null 2>&1 &"
)
LONGEST_PAUSE_S = 5.0
"""On a machine that is busy with a lot else; by itself it is some 80 ms, which tests/bench measures."""


def strays(machine: Machine) -> list[str]:
    return [path.name for path in machine.directory.iterdir() if path.name.startswith("snapgui-")]


def untouched(machine: Machine) -> tuple[object, ...]:
    """What of a VM must be the same afterwards."""
    documents = machine.domain.XMLDesc(0), machine.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    return (
        *documents,
        machine.domain.state()[0],
        machine.domain.snapshotListNames(),
        machine.domain.listAllCheckpoints(),
    )


def idle(machine: Machine) -> bool:
    return bool(machine.domain.jobInfo()[0] == libvirt.VIR_DOMAIN_JOB_NONE)


def pause_of(said: str) -> float:
    (line,) = [line for line in said.splitlines() if line.startswith("The guest stood still for ")]
    return float(line.split()[-2]) / 1000


@pytest.mark.parametrize("kind", [INTERNAL, EXTERNAL], ids=["internal", "external"])
def test_files_while_the_guest_writes_on(guest: Machine, kind: tuple[str, ...]) -> None:
    """What was there before the pause is seen, what came later is not; afterwards everything goes on as ever."""
    vm = guest.name
    guest.channel.run("mkdir /data/d; echo old >/data/d/conf; echo x >/data/gone; sync")
    ok(guest.uri, "take", vm, "a", *kind)
    guest.channel.run(
        "echo newer >/data/d/conf; rm /data/gone; dd if=/dev/urandom of=/data/big bs=1M count=4 2>&1; sync"
    )
    known = guest.channel.run("sha256sum </data/big").split()[0]
    guest.channel.run(WRITES_ON)
    before = untouched(guest)
    said = ok(guest.uri, "diff", vm, "a", "--files")
    assert 0 < pause_of(said.out) < LONGEST_PAUSE_S
    files = result(guest.uri, "diff", vm, "a", "--files", "--content")["files"]["vda"]
    assert files["filesystem"] == "ext4"
    assert "problem" not in files
    changes = {change["path"].rpartition("/")[2]: change for change in files["changes"]}
    assert (changes["conf"]["change"], changes["gone"]["change"], changes["big"]["change"]) == (
        "changed",
        "removed",
        "added",
    )
    assert changes["big"]["after"]["sha256"] == known
    conf = changes["conf"]["path"]
    turn = int(ok(guest.uri, "cat", vm, "vda", conf.replace("d/conf", "turn")).out or 0)
    assert ok(guest.uri, "cat", vm, "vda", conf).out == "newer\n"
    assert ok(guest.uri, "cat", f"{vm}@a", "vda", conf).out == "old\n"
    wait_until(lambda: int(guest.channel.run("cat /data/turn") or 0) > turn, "the guest writes on")
    assert untouched(guest) == before
    assert (strays(guest), idle(guest)) == ([], True)
    guest.channel.run("rm /run/on; sleep 1; sync")
    ok(guest.uri, "take", vm, "b", *kind)
    changes = result(guest.uri, "diff", vm, "b", "--files", "--content")["files"]["vda"]["changes"]
    assert {change["path"] for change in changes} <= {"/journal.log"}, "which this guest writes all the time"
    ok(guest.uri, "delete", vm, "b")
    guest.channel.run("echo after >/data/after; sync")
    if kind is INTERNAL or guest.domain.connect().getLibVersion() >= 9_009_000:
        ok(guest.uri, "revert", vm, "a")
        guest.start()
        assert guest.channel.run("cat /data/d/conf") == "old\n"


def facts_of(connection: Connection, machine: Machine) -> Facts:
    return read_facts(connection, machine.uuid)


def test_blocks_are_those_of_the_pause(guest: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image as it was in the pause is kept; QEMU's own view of that is what has to be found, to the sector."""
    vm = guest.name
    guest.channel.run("dd if=/dev/urandom of=/data/one bs=64k count=30 2>/dev/null; sync")
    ok(guest.uri, "take", vm, "a", *INTERNAL)
    then = disk(guest.disk, "-l", "snapshot.name=a")
    guest.channel.run("dd if=/dev/urandom of=/data/one bs=64k count=9 conv=notrunc 2>/dev/null; sync")
    guest.channel.run(WRITES_ON)
    copy = guest.directory / "copy.qcow2"

    def copied() -> None:
        """At the end of the pause: all tables have been read, and QEMU has written everything."""
        copy.write_bytes(guest.disk.read_bytes())

    hold_still = live.stopped

    class Stopped:
        def __init__(self, *arguments: Any) -> None:
            self.context = hold_still(*arguments)

        def __enter__(self) -> None:
            self.context.__enter__()

        def __exit__(self, *error: object) -> None:
            copied()
            self.context.__exit__(*error)

    monkeypatch.setattr(live, "stopped", Stopped)
    history = History()
    with Connection(guest.uri) as connection:
        facts = facts_of(connection, guest)
        rough = compare_blocks(connection, facts, history, "a", None, content=False).disks["vda"]
        found = compare_blocks(connection, facts, history, "a", None, content=True, draw=True)
    history.close()
    assert found.paused_s > 0
    assert 0 < found.disks["vda"].changed_bytes <= rough.changed_bytes + 2**22
    record = result(guest.uri, "diff", vm, "a", "--blocks")["blocks"]["vda"]
    exact = found.disks["vda"]
    record |= {
        "changed_bytes": exact.changed_bytes,
        "extents": [{"start": start, "length": length} for start, length in exact.extents.tolist()],
    }
    holds(record, then, disk(copy), exact=True)
    copy.unlink()
    assert strays(guest) == []


def test_the_image_is_not_written_by_it(guest: Machine) -> None:
    """A guest that stands still writes nothing: every byte is the same, and it goes on standing still."""
    vm = guest.name
    ok(guest.uri, "take", vm, "a", *EXTERNAL)
    guest.channel.run("echo here >/data/here; sync")
    guest.domain.suspend()
    images = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in guest.directory.glob("*.qcow2")}
    said = ok(guest.uri, "diff", vm, "a", "--files")
    assert "here" in said.out
    assert "stood still" not in said.out, "not for this"
    assert {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in images} == images
    assert guest.domain.info()[0] == libvirt.VIR_DOMAIN_PAUSED
    guest.domain.resume()


@pytest.mark.parametrize("way", ["user", "remote"])
def test_who_cannot_reach_it_is_told_before(stack: Stack, guest: Machine, user_home: Path, way: str) -> None:
    access: Access = access_to(stack, way, user_home)
    vm = guest.name
    ok(guest.uri, "take", vm, "a", *EXTERNAL)
    events: list[int] = []
    listening = guest.connection.domainEventRegisterAny(
        guest.domain, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda *event: events.append(event[2]), None
    )
    reason = {
        "user": "What QEMU lends of its current state only root may reach here.",
        "remote": "What QEMU lends of its current state is to be had on its own machine only.",
    }[way]
    sentence = f"{vm} runs, and writes into what would be read. {reason} Take a snapshot first, and compare with that."
    with pool(guest):
        for words in (("diff", vm, "a", "--files"), ("diff", vm, "a", "--content"), ("cat", vm, "vda", "/turn")):
            assert refused(access, *words) == sentence
    guest.connection.domainEventDeregisterAny(listening)
    assert libvirt.VIR_DOMAIN_EVENT_SUSPENDED not in events


def test_what_is_in_the_way_is_said_while_the_guest_runs(guest: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    vm = guest.name
    ok(guest.uri, "take", vm, "a", *EXTERNAL)
    before = untouched(guest)
    paused: list[object] = []
    hold_still = live.stopped
    monkeypatch.setattr(live, "stopped", lambda *all_: paused.append(all_) or hold_still(*all_))
    with monkeypatch.context() as patch:
        patch.setattr(live, "_socket_directory", lambda *_: "/nowhere/at/all")
        assert "Failed to bind socket" in refused(guest.uri, "diff", vm, "a", "--files")
    with monkeypatch.context() as patch:
        patch.setattr(scratch_room, "LEAST_FREE", 2**60)
        assert refused(guest.uri, "diff", vm, "a", "--files").startswith("There is no room beside the images")
    guest.domain.backupBegin(backup_of(guest), None, 0)
    assert refused(guest.uri, "diff", vm, "a", "--files").startswith(f"libvirt is busy with {vm}: a backup")
    assert guest.domain.backupGetXMLDesc(0), "somebody else's goes on"
    guest.domain.abortJob()
    wait_until(lambda: idle(guest), "the backup has ended")
    assert paused == []
    assert untouched(guest) == before
    assert strays(guest) == []
    assert result(guest.uri, "leftovers") == {"leftovers": []}


def test_libvirts_own_directory(stack: Stack, guest: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it can be seen the socket is made there: QEMU may write to it, whatever confines it."""
    monkeypatch.setattr(pull_backup, "LIBRARY", stack.directory / "lib/qemu")
    ok(guest.uri, "take", guest.name, "a", *EXTERNAL)
    history = History()
    with Connection(guest.uri) as connection:
        facts = facts_of(connection, guest)
        with live.live_view(connection, facts, history, {"vda": facts.machine.disks[0].source}) as view:
            (socket,) = (stack.directory / "lib/qemu").glob(f"domain-{guest.domain.ID()}-*/snapgui-*.socket")
            assert socket.is_socket()
            assert [Path(name).suffix for name in strays(guest)] == [".scratch"]
            assert view.disks["vda"].read(1024 + 56, 2) == b"\x53\xef", "ext4's mark"
        assert pull_backup.own_directory(connection, replace(facts.vm, name="another")) is None
        guest.domain.destroy()
        assert pull_backup.own_directory(connection, facts.vm) is None
    history.close()
    assert (strays(guest), socket.exists()) == ([], False)


def test_somebody_else_was_faster(guest: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the rehearsal and the pause: the guest does not stand still for as long as libvirt would wait."""
    vm = guest.name
    ok(guest.uri, "take", vm, "a", *EXTERNAL)
    hold_still = live.stopped

    def faster(*arguments: Any) -> contextlib.AbstractContextManager[None]:
        guest.domain.backupBegin(backup_of(guest), None, 0)
        return hold_still(*arguments)

    monkeypatch.setattr(live, "stopped", faster)
    began = time.monotonic()
    assert refused(guest.uri, "diff", vm, "a", "--files").startswith(f"libvirt is busy with {vm}: a backup")
    assert time.monotonic() - began < 10
    assert guest.domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING
    assert guest.domain.backupGetXMLDesc(0), "theirs goes on"
    guest.domain.abortJob()
    wait_until(lambda: idle(guest), "the backup has ended")
    assert strays(guest) == []


def backup_of(machine: Machine) -> str:
    return f"""<domainbackup mode="pull"><server transport="unix" socket="{machine.directory}/other.socket"/><disks>
      <disk name="vda" backup="yes" type="file"><driver type="qcow2"/><scratch file="{machine.directory}/other"/></disk>
      </disks></domainbackup>"""


def test_checkpoints_of_others_are_left_alone(guest: Machine) -> None:
    vm = guest.name
    ok(guest.uri, "take", vm, "a", *EXTERNAL)
    guest.domain.checkpointCreateXML("<domaincheckpoint><name>theirs</name></domaincheckpoint>", 0)
    assert "It has checkpoints for another program’s backups" in refused(guest.uri, "diff", vm, "a", "--content")
    assert [checkpoint.getName() for checkpoint in guest.domain.listAllCheckpoints()] == ["theirs"]


def test_nobody_changes_the_vm_meanwhile(guest: Machine) -> None:
    """libvirt would let others wait for half a minute, and then fail; they are told at once."""
    ok(guest.uri, "take", guest.name, "a", *EXTERNAL)
    history = History()
    with Connection(guest.uri) as connection:
        facts = facts_of(connection, guest)
        images = {"vda": facts.machine.disks[0].source}
        with live.live_view(connection, facts, history, images) as view:
            assert view.paused_s == 0
            began = time.monotonic()
            said = snapgui(guest.uri, "take", guest.name, "b", *EXTERNAL)
            assert said.status != 0
            assert "right now" in said.err
            assert time.monotonic() - began < 10
            with pytest.raises(Busy), live.live_view(connection, facts, history, images):
                pass
            assert result(guest.uri, "leftovers") == {"leftovers": []}, "nobody has left it"
            assert len(view.disks["vda"].read(0, 4096)) == 4096
    history.close()
    ok(guest.uri, "take", guest.name, "b", *EXTERNAL)


def test_a_guest_that_finds_no_room_runs_on(stack: Stack, idle_guest: Machine) -> None:
    """Only the hypervisor sees that nothing more fits: QEMU has stopped the guest, and it is let run on at once."""
    with on_a_small_file_system(stack, idle_guest):
        idle_guest.start()
        idle_guest.channel.run("dd if=/dev/zero of=/data/big bs=1M count=60 2>/dev/null; sync")
        history = History()
        with Connection(idle_guest.uri) as connection:
            facts = facts_of(connection, idle_guest)
            images = {"vda": str(idle_guest.directory / "small/disk")}
            lending = live._lending
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(live, "_lending", lambda *asked: onto_small(lending(*asked), idle_guest))
                with live.live_view(connection, facts, history, images) as view:
                    idle_guest.channel.run("dd if=/dev/urandom of=/data/big bs=1M count=60 conv=notrunc 2>&1; sync")
                    with pytest.raises(OSError, match="found no room beside the images"):
                        view.disks["vda"].read(0, 512)
        history.close()
        assert idle_guest.domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING
        assert idle_guest.channel.run("sync; echo well").strip() == "well"
        idle_guest.domain.destroy()


def onto_small(lending: live.Lending, machine: Machine) -> live.Lending:
    scratch = {target: f"{machine.directory}/small/{Path(path).name}" for target, path in lending.scratch.items()}
    return live.Lending(f"{machine.directory}/{Path(lending.socket).name}", scratch)


def test_switched_off_meanwhile(guest: Machine) -> None:
    ok(guest.uri, "take", guest.name, "a", *EXTERNAL)
    history = History()
    with Connection(guest.uri) as connection:
        facts = facts_of(connection, guest)
        with live.live_view(connection, facts, history, {"vda": facts.machine.disks[0].source}) as view:
            guest.domain.destroy()
            with pytest.raises(OSError, match="ended the connection"):
                view.disks["vda"].read(2**20, 512)
    history.close()
    assert strays(guest) == []
    assert result(guest.uri, "leftovers") == {"leftovers": []}
