"""A save of memory into a file is called off at its beginning, in the middle and near its end, live and paused."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import libvirt
import pytest

from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Cancelled
from snapgui.model.progress import Progress
from snapgui.model.records import KindWish, MemoryWish
from snapgui.operations import take
from snapgui.operations.facts import read_facts
from snapgui.operations.history import History
from snapgui.operations.pipeline import run
from snapgui.operations.take import TakeRequest
from tests.qemu.commands import PATIENCE_S, wait_until
from tests.stacks.machines import Machine

FILL = (
    "mount -o remount,size=95% /run && head -c 1048576 /dev/urandom >/run/part && "
    "n=0; while [ $n -lt 184 ]; do cat /run/part >>/run/fill || exit; n=$((n + 1)); done"
)
"""Nearly all that the guest of 256 MiB has: pages that nobody wrote to cost a save nothing, and it would leap."""
SPEED_MIB_S = 32
"""About 3 % of the RAM from one report to the next; QEMU alone would be at the end before the first."""


def _start_filled(machine: Machine) -> None:
    """Start the VM with RAM that has to be written up to its end; that of the screen comes last, and is empty."""
    xml = machine.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    machine.connection.defineXML(xml.replace("vram='16384'", "vram='1024'"))
    machine.start()
    machine.channel.run(FILL)


@contextmanager
def _slow_save(machine: Machine) -> Iterator[None]:
    """Let a save be slow as soon as it has begun; what was set before, libvirt would lift for it."""
    begun = threading.Event()
    limited: list[int] = []

    def limit() -> None:
        if begun.wait(PATIENCE_S):
            limited.append(machine.domain.migrateSetMaxSpeed(SPEED_MIB_S))

    kind = libvirt.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION
    number = machine.connection.domainEventRegisterAny(machine.domain, kind, lambda *_: begun.set(), None)
    limiter = threading.Thread(target=limit)
    limiter.start()
    try:
        yield
    finally:
        limiter.join()
        machine.connection.domainEventDeregisterAny(number)
    assert limited == [0]


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("memory", [MemoryWish.LIVE, MemoryWish.PAUSED])
def test_a_save_is_cancelled_and_leaves_nothing(idle_guest: Machine, memory: MemoryWish, at: float) -> None:
    guest = idle_guest
    _start_filled(guest)
    files = set(guest.directory.iterdir())
    cancel = threading.Event()
    cancelled_at: list[float] = []

    def report(progress: Progress) -> None:
        if progress.fraction is not None and progress.fraction >= at and not cancel.is_set():
            cancelled_at.append(progress.fraction)
            cancel.set()

    with Connection(guest.uri) as connection, _slow_save(guest):
        facts = read_facts(connection, guest.uuid)
        plan = take.plan(facts, TakeRequest("never", kind=KindWish.EXTERNAL, memory=memory))
        with pytest.raises(Cancelled, match="The guest runs on, and no file is left behind"):
            run(plan, facts, connection, History(), report, cancel)
    assert at <= cancelled_at[0] < 1
    assert guest.domain.snapshotNum() == 0
    assert set(guest.directory.iterdir()) == files
    assert guest.domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING
    counter = guest.channel.counter()
    wait_until(lambda: guest.channel.counter() > counter, "the guest counts on")
