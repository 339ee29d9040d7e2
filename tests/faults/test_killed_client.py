"""snapgui is killed at some moment of its work: the hypervisor's truth is whole, and the history knows."""

import signal
import subprocess

import libvirt
import pytest

from snapgui.operations.history import Entry, History
from snapgui.operations.lanes import is_held
from tests.qemu.commands import INTERNAL, ok, result, running, wait_for_report, wait_until
from tests.qemu.images import is_sound, names_inside, write_pattern
from tests.stacks.machines import Machine


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def the_unfinished_job() -> Entry:
    history = History()
    (entry,) = history.unfinished()
    assert entry.outcome is None
    assert history.commands(entry.job)
    history.close()
    return entry


def snapshots(machine: Machine) -> set[str]:
    return {snapshot["name"] for snapshot in result(machine.uri, "tree", machine.name)["snapshots"]}


def settled(machine: Machine) -> bool:
    """Whether the hypervisor has finished what the killed process asked for."""
    busy = int(machine.domain.jobInfo()[0]) != libvirt.VIR_DOMAIN_JOB_NONE
    saving = machine.domain.state() == [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_SAVE]
    return not (busy or saving)


def in_agreement(machine: Machine) -> bool:
    """Whether libvirt's metadata and the image hold the same snapshots."""
    return set(machine.domain.snapshotListNames()) == names_inside(machine.disk)


@pytest.mark.parametrize("phase", ["screen", "pause", "create", "memory"])
def test_killed_while_a_snapshot_is_taken(guest: Machine, phase: str) -> None:
    before = guest.channel.counter()
    with running(guest.uri, "take", guest.name, "lost", *INTERNAL) as process:
        wait_for_report(process, phase, "resume")
        kill(process)
    entry = the_unfinished_job()
    assert (entry.vm_uuid, entry.snapshot) == (guest.uuid, "lost")
    assert not is_held(guest.uuid)
    wait_until(lambda: settled(guest), "libvirt ends the save")
    wait_until(lambda: guest.domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING, "the guest runs on")
    wait_until(lambda: in_agreement(guest), "the snapshot is whole or not there")
    wait_until(lambda: guest.channel.counter() > before, "the guest runs on")
    assert snapshots(guest) <= {"lost"}
    result(guest.uri, "take", guest.name, "next")
    assert snapshots(guest) >= {"next"}


@pytest.mark.parametrize(("step", "phase"), [(1, "screen"), (1, "memory"), (2, "check"), (3, "stop"), (3, "load")])
def test_killed_while_reverting(guest: Machine, step: int, phase: str) -> None:
    ok(guest.uri, "take", guest.name, "a", *INTERNAL)
    guest.channel.run("touch /data/after; sync")
    with running(guest.uri, "revert", guest.name, "a", "--safety", "kept") as process:
        wait_for_report(process, phase, "resume", "start", step=step)
        kill(process)
    assert the_unfinished_job().snapshot == "a"
    wait_until(lambda: settled(guest), "libvirt ends what it does")
    wait_until(lambda: guest.domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING, "the guest runs on")
    wait_until(lambda: in_agreement(guest), "the snapshots are whole or not there")
    if step == 1:
        assert guest.channel.run("ls /data/after") == "/data/after\n", "the revert did not begin"
    else:
        assert snapshots(guest) == {"a", "kept"}, "the safety snapshot was there before the revert began"
        ok(guest.uri, "revert", guest.name, "kept", "--no-safety")
        assert guest.channel.run("ls /data/after") == "/data/after\n", "nothing is lost"


def test_killed_while_deleting_many(idle_guest: Machine) -> None:
    names = [f"s{number}" for number in range(8)]
    for number, name in enumerate(names):
        write_pattern(idle_guest.disk, number)
        ok(idle_guest.uri, "take", idle_guest.name, name, *INTERNAL)
    with running(idle_guest.uri, "delete", idle_guest.name, "s0", "--with-children") as process:
        wait_for_report(process, "delete", step=3)
        kill(process)
    assert the_unfinished_job().vm_uuid == idle_guest.uuid
    wait_until(lambda: in_agreement(idle_guest), "metadata and image agree")
    left = snapshots(idle_guest)
    assert left == set(names[: len(left)]), "children went before their parents"
    assert len(left) < len(names) - 1
    if left:
        ok(idle_guest.uri, "delete", idle_guest.name, "s0", "--with-children")
    assert names_inside(idle_guest.disk) == set()
    assert is_sound(idle_guest.disk)
