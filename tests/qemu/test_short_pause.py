"""The pause at the end of a live save: short where the guest allows it, and an end also where it does not."""

import pytest

from snapgui.hypervisor import files
from snapgui.hypervisor.connection import Connection
from snapgui.model.progress import Progress
from snapgui.model.records import KindWish, MemoryWish
from snapgui.operations import take
from snapgui.operations.facts import read_facts
from snapgui.operations.history import History
from snapgui.operations.pipeline import run
from snapgui.operations.short_pause import MOST_PASSES
from snapgui.operations.take import TakeRequest
from tests.qemu.slow_saves import slow_save
from tests.stacks.machines import Machine

WRITE = (
    "head -c 4194304 /dev/urandom >/run/part;"
    " (while :; do dd if=/run/part of=/run/hot bs=1M conv=notrunc; done >/dev/null 2>&1 &)"
)
"""At the speed of a slow save more than the short pause has room for, and less than the usual one."""


def test_a_guest_that_never_stops_writing(guest: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    guest.channel.run(WRITE)
    usual = guest.domain.migrateGetMaxDowntime()
    flushed: list[tuple[str, bool]] = []
    flush = files.flush

    def note(path: str) -> bool:
        done = flush(path)
        flushed.append((path, done))
        return done

    monkeypatch.setattr(files, "flush", note)
    seen: list[Progress] = []
    with Connection(guest.uri) as connection, slow_save(guest):
        facts = read_facts(connection, guest.uuid)
        plan = take.plan(facts, TakeRequest("one", kind=KindWish.EXTERNAL, memory=MemoryWish.LIVE))
        outcome = run(plan, facts, connection, History(), seen.append)
    assert outcome.snapshot is not None
    assert max(progress.passes or 0 for progress in seen) > MOST_PASSES
    assert guest.domain.migrateGetMaxDowntime() == usual
    assert set(flushed) == {(plan.steps[0].memory_file, True)}
