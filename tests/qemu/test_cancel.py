"""A save of memory into a file is called off at its beginning, in the middle and near its end, live and paused."""

import threading
from collections.abc import Iterator

import libvirt
import pytest

from snapgui.demo.guest import GuestFiles
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.inventory import longest_downtime
from snapgui.model.errors import Cancelled
from snapgui.model.progress import Progress
from snapgui.model.records import KindWish, MemoryWish
from snapgui.operations import take
from snapgui.operations.facts import read_facts
from snapgui.operations.history import History
from snapgui.operations.pipeline import run
from snapgui.operations.short_pause import SHORT_MS
from snapgui.operations.take import TakeRequest
from tests.qemu.commands import wait_until
from tests.qemu.slow_saves import slow_save
from tests.stacks.machines import Machine, machine
from tests.stacks.stacks import Stack

FILL = (
    "mount -o remount,size=95% /run && head -c 1048576 /dev/urandom >/run/part && "
    "n=0; while [ $n -lt 184 ]; do cat /run/part >>/run/fill || exit; n=$((n + 1)); done"
)
"""Nearly all that the guest of 256 MiB has: pages that nobody wrote to cost a save nothing, and it would leap."""

NEAR, NEAR_MIB_S = 0.1, 8
"""How near to the wanted share the save becomes slower still, so that it is not over before it can be cancelled."""


@pytest.fixture(scope="module")
def filled(stack: Stack, stack_files: GuestFiles) -> Iterator[Machine]:
    """A VM whose RAM has to be written up to its end; that of the screen comes last, and is empty.

    It is filled once: all that is called off leaves it as it was.
    """
    with machine(stack, stack_files) as made:
        xml = made.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        made.connection.defineXML(xml.replace("vram='16384'", "vram='1024'"))
        made.start()
        made.channel.run(FILL)
        yield made


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("memory", [MemoryWish.LIVE, MemoryWish.PAUSED])
def test_a_save_is_cancelled_and_leaves_nothing(filled: Machine, memory: MemoryWish, at: float) -> None:
    guest = filled
    files = set(guest.directory.iterdir())
    cancel = threading.Event()
    cancelled_at: list[float] = []
    limits: list[int | None] = []
    usual = guest.domain.migrateGetMaxDowntime()

    def report(progress: Progress) -> None:
        if progress.fraction is None or cancel.is_set():
            return
        if progress.fraction >= at - NEAR:
            aside.domain(guest.uuid).migrateSetMaxSpeed(NEAR_MIB_S)
        if progress.fraction >= at:
            cancelled_at.append(progress.fraction)
            limits.append(longest_downtime(aside, guest.uuid))
            cancel.set()

    with Connection(guest.uri) as connection, Connection(guest.uri) as aside, slow_save(guest):
        facts = read_facts(connection, guest.uuid)
        plan = take.plan(facts, TakeRequest("never", kind=KindWish.EXTERNAL, memory=memory))
        with pytest.raises(Cancelled, match="The guest runs on, and no file is left behind"):
            run(plan, facts, connection, History(), report, cancel)
    assert at <= cancelled_at[0] < 1
    assert limits == [SHORT_MS if memory is MemoryWish.LIVE else usual]
    assert guest.domain.migrateGetMaxDowntime() == usual
    assert guest.domain.snapshotNum() == 0
    assert set(guest.directory.iterdir()) == files
    assert guest.domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING
    counter = guest.channel.counter()
    wait_until(lambda: guest.channel.counter() > counter, "the guest counts on")
