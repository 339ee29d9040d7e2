"""The hypervisor dies under a running operation: snapgui says so quickly, and the VM can be used again."""

import signal
import time
from collections.abc import Iterator

import libvirt
import pytest

from snapgui.operations.history import History
from tests.qemu.commands import INTERNAL, ok, result, running, wait_for_report, wait_until
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack

QUICK_S = 15.0


@pytest.fixture
def mended(stack: Stack, guest: Machine) -> Iterator[Stack]:
    """The stack, whose daemon is started again after the test if it does not run."""
    yield stack
    try:
        libvirt.open(stack.uri).close()
    except libvirt.libvirtError:
        stack.start_daemon()


def runs_for_a_while(domain: libvirt.virDomain) -> bool:
    """Whether the guest runs and goes on running; one that a killed daemon left standing still is let run on."""
    if domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED:
        domain.resume()
    time.sleep(1.0)
    return bool(domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING)


@pytest.mark.parametrize("phase", ["screen", "pause"])
def test_the_daemon_is_killed_during_a_save(mended: Stack, guest: Machine, phase: str) -> None:
    with running(guest.uri, "take", guest.name, "lost", *INTERNAL) as process:
        wait_for_report(process, phase)
        mended.kill(mended.daemon_pid())
        began = time.monotonic()
        out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < QUICK_S
    assert (process.returncode, out) == (1, "")
    assert err.splitlines()[-1].startswith("snapgui: The hypervisor cannot be reached: ")
    assert "Traceback" not in err
    history = History()
    (entry,) = history.recent()
    assert entry.outcome == "failed"
    history.close()
    mended.start_daemon()
    tree = result(guest.uri, "tree", guest.name)
    assert tree["vm"]["state"] in {"running", "paused"}, "the guest outlives its daemon"
    connection = libvirt.open(guest.uri)
    domain = connection.lookupByUUIDString(guest.uuid)
    wait_until(lambda: runs_for_a_while(domain), "the guest runs on")
    connection.close()
    assert guest.channel.counter() > 0
    result(guest.uri, "take", guest.name, "next")


def test_qemu_is_killed_during_a_save(stack: Stack, guest: Machine) -> None:
    with running(guest.uri, "take", guest.name, "lost", *INTERNAL) as process:
        wait_for_report(process, "screen", "pause", "create")
        stack.kill(stack.qemu_pid(guest.uuid))
        out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    if process.returncode:
        assert out == ""
        assert err.splitlines()[-1].startswith("snapgui: ")
    wait_until(lambda: not guest.domain.isActive(), "libvirt notices")
    tree = result(guest.uri, "tree", guest.name)
    assert tree["vm"]["state"] == "shutoff"
    assert [s["name"] for s in tree["snapshots"]] == (["lost"] if process.returncode == 0 else [])
    guest.start()
    result(guest.uri, "take", guest.name, "next")


def test_the_daemon_stops_answering(mended: Stack, guest: Machine) -> None:
    """Frozen, not dead: the keepalive of the connection notices."""
    daemon = mended.daemon_pid()
    with running(guest.uri, "take", guest.name, "late", *INTERNAL) as process:
        wait_for_report(process, "screen")
        mended.kill(daemon, signal.SIGSTOP)
        began = time.monotonic()
        out, err = process.communicate(timeout=60)
        mended.kill(daemon, signal.SIGCONT)
    assert time.monotonic() - began < QUICK_S
    assert (process.returncode, out) == (1, "")
    assert err.splitlines()[-1].startswith("snapgui: The hypervisor cannot be reached: ")
    wait_until(lambda: guest.domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING, "the daemon ends what it began")
    ok(guest.uri, "tree", guest.name)
