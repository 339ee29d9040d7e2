"""The command line as a process of its own: Ctrl-C, and what is printed where."""

import contextlib
import signal
from collections.abc import Iterator

import libvirt

from snapgui.operations.history import History
from tests.qemu.commands import INTERNAL, ok, result, running, wait_for_line, wait_for_report
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack

WAITS = "snapgui: this step cannot be cancelled; waiting for it to end safely."


@contextlib.contextmanager
def frozen(stack: Stack, number: int) -> Iterator[None]:
    """Stop QEMU itself, so that what the hypervisor is doing takes as long as the test wants."""
    stack.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        stack.kill(number, signal.SIGCONT)


def names(guest: Machine) -> list[str]:
    return [snapshot["name"] for snapshot in result(guest.uri, "tree", guest.name)["snapshots"]]


def test_ctrl_c_during_a_save_waits_for_its_end_and_says_so(stack: Stack, guest: Machine) -> None:
    number = stack.qemu_pid(guest.uuid)
    with running(guest.uri, "take", guest.name, "whole", *INTERNAL) as process:
        wait_for_report(process, "pause")
        with frozen(stack, number):
            for _ in range(2):
                process.send_signal(signal.SIGINT)
                wait_for_line(process, WAITS)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert out.startswith("Took “whole”")
    assert guest.domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING
    assert names(guest) == ["whole"]


def test_ctrl_c_before_the_revert_keeps_the_safety_snapshot_and_the_guest(stack: Stack, guest: Machine) -> None:
    ok(guest.uri, "take", guest.name, "a", *INTERNAL)
    guest.channel.run("touch /data/after; sync")
    qemu, number = guest.domain.ID(), stack.qemu_pid(guest.uuid)
    with running(guest.uri, "revert", guest.name, "a", "--safety", "kept") as process:
        wait_for_report(process, "pause")
        with frozen(stack, number):
            process.send_signal(signal.SIGINT)
            wait_for_line(process, WAITS)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "snapgui: Cancelled before the revert. The snapshot “kept” was taken and is kept."
    assert names(guest) == ["a", "kept"]
    assert guest.domain.ID() == qemu, "the guest was not restarted"
    assert guest.channel.run("ls /data/after") == "/data/after\n"
    history = History()
    assert history.recent(1)[0].outcome == "cancelled"
    history.close()
    ok(guest.uri, "revert", guest.name, "kept", "--no-safety")
    assert guest.channel.run("ls /data/after") == "/data/after\n"


def test_ctrl_c_in_the_middle_of_a_revert_brings_it_to_its_end(guest: Machine) -> None:
    ok(guest.uri, "take", guest.name, "a", *INTERNAL)
    with running(guest.uri, "revert", guest.name, "a", "--no-safety", "--then", "off") as process:
        wait_for_report(process, "stop", "load")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert WAITS in err.splitlines()
    assert guest.domain.state()[0] == libvirt.VIR_DOMAIN_SHUTOFF


def test_the_result_is_on_standard_output_and_nothing_else(guest: Machine) -> None:
    said = ok(guest.uri, "take", guest.name, "a")
    assert said.err == ""
    assert said.out.startswith("Took “a” of ")
    assert "guest paused" in said.out
    assert said.out.count("\n") == 1
    plain = ok(guest.uri, "revert", guest.name, "a", "--progress", "plain")
    assert "[1/3] Take “before-revert-" in plain.err
    assert "[3/3] Go back to “a”" in plain.err
    assert "The state before is kept in “before-revert-" in plain.out
