"""External snapshots on real hypervisors: live, paused, disks only, off; and files that are named."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Refused
from snapgui.model.progress import Phase, Progress
from snapgui.model.records import Kind, KindWish, MemoryWish, Place
from snapgui.operations import take
from snapgui.operations.facts import read_facts
from snapgui.operations.history import History
from snapgui.operations.outcome import Outcome
from snapgui.operations.pipeline import run
from snapgui.operations.take import TakeRequest
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack

FILL = "dd if=/dev/urandom of=/run/fill bs=1M count=80 2>/dev/null"


def _take(machine: Machine, request: TakeRequest) -> tuple[Outcome, list[Progress]]:
    seen: list[Progress] = []
    with Connection(machine.uri) as connection:
        facts = read_facts(connection, machine.uuid)
        outcome = run(take.plan(facts, request), facts, connection, History(), seen.append)
    return outcome, seen


@pytest.mark.parametrize("memory", [MemoryWish.LIVE, MemoryWish.PAUSED])
def test_memory_goes_into_a_file_of_its_own(guest: Machine, memory: MemoryWish) -> None:
    guest.channel.run(FILL)
    outcome, seen = _take(
        guest, TakeRequest("with, comma / no".replace("/ ", ""), kind=KindWish.EXTERNAL, memory=memory)
    )
    snapshot = outcome.snapshot
    assert snapshot is not None
    assert (snapshot.kind, snapshot.memory) == (Kind.EXTERNAL, Place.EXTERNAL)
    assert [Path(path).name for path in outcome.files] == [
        f"{guest.name}-vda.with_comma_no.qcow2",
        f"{guest.name}.with_comma_no.mem",
    ]
    assert all(Path(path).exists() for path in outcome.files)
    assert outcome.guest_paused_s is not None
    assert outcome.saved_bytes is not None
    assert outcome.saved_bytes > 80 * 2**20
    assert seen[-1].phase is Phase.RESUME
    assert guest.channel.counter() > 0


def test_disks_alone_are_frozen_without_a_pause(guest: Machine) -> None:
    outcome, _ = _take(guest, TakeRequest("disks", memory=MemoryWish.NONE))
    assert outcome.snapshot is not None
    assert outcome.snapshot.state == "disk-snapshot"
    assert outcome.guest_paused_s in {None, 0.0} or outcome.guest_paused_s < 2


def test_a_stopped_vm_gets_an_overlay(idle_guest: Machine) -> None:
    outcome, _ = _take(idle_guest, TakeRequest("off", kind=KindWish.EXTERNAL))
    assert outcome.snapshot is not None
    assert (outcome.snapshot.kind, outcome.snapshot.state) == (Kind.EXTERNAL, "shutoff")
    idle_guest.start()


def test_auto_takes_what_this_libvirt_can_revert(stack: Stack, guest: Machine) -> None:
    outcome, _ = _take(guest, TakeRequest("auto"))
    assert outcome.snapshot is not None
    assert outcome.snapshot.kind is (Kind.EXTERNAL if stack.native_external else Kind.INTERNAL)


def test_the_plan_names_every_file_before(guest: Machine) -> None:
    with Connection(guest.uri) as connection:
        facts = read_facts(connection, guest.uuid)
    (guest.directory / f"{guest.name}.x.mem").write_bytes(b"mine")
    with Connection(guest.uri) as connection:
        facts = read_facts(connection, guest.uuid)
    plan = take.plan(facts, TakeRequest("x", kind=KindWish.EXTERNAL))
    (step,) = plan.steps
    assert step.memory_file == str(guest.directory / f"{guest.name}.x-2.mem")
    assert step.memory_file in json.dumps([str(note) for note in plan.notes])


def test_a_paused_guest_is_saved_once(guest: Machine) -> None:
    """What QEMU refuses the second time leaves nothing behind, and running on for a moment helps."""
    guest.domain.suspend()
    once = TakeRequest("once", kind=KindWish.EXTERNAL)
    _take(guest, once)
    there = {path.name for path in guest.directory.iterdir()}
    with pytest.raises(Refused, match="Let it run for a moment first; nothing was changed"):
        _take(guest, replace(once, name="twice"))
    assert {path.name for path in guest.directory.iterdir()} == there
    assert guest.domain.snapshotListNames() == ["once"]
    guest.domain.resume()
    _take(guest, replace(once, name="thrice"))
