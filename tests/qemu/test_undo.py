"""Undoing the latest revert, and plans that the world has outrun."""

import pytest

from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Refused
from snapgui.operations import revert
from snapgui.operations.facts import read_facts
from snapgui.operations.history import History
from snapgui.operations.pipeline import run
from tests.qemu.commands import ok, refused
from tests.stacks.machines import Machine


def _take(guest: Machine, name: str) -> None:
    ok(guest.uri, "take", guest.name, name, "--kind", "internal")


def _mark(guest: Machine, text: str) -> None:
    guest.channel.run(f"echo {text} >/data/mark; sync")


def test_the_latest_revert_is_undone(guest: Machine) -> None:
    _mark(guest, "before")
    _take(guest, "a")
    _mark(guest, "after")
    ok(guest.uri, "revert", guest.name, "a")
    assert guest.channel.read_file("/data/mark") == "before\n"
    ok(guest.uri, "undo", guest.name)
    assert guest.channel.read_file("/data/mark") == "after\n"
    assert guest.domain.snapshotNum() == 1
    assert "no revert" in refused(guest.uri, "undo", guest.name)


def test_an_older_revert_is_not_undone_in_its_place(guest: Machine) -> None:
    _take(guest, "a")
    ok(guest.uri, "revert", guest.name, "a")
    ok(guest.uri, "revert", guest.name, "a", "--no-safety")
    _mark(guest, "since")
    assert "no revert" in refused(guest.uri, "undo", guest.name)
    assert guest.channel.read_file("/data/mark") == "since\n"


def test_a_plan_for_a_stopped_vm_is_not_run_on_a_running_one(idle_guest: Machine) -> None:
    _take(idle_guest, "a")
    with Connection(idle_guest.uri) as connection:
        facts = read_facts(connection, idle_guest.uuid)
        plan = revert.plan(facts, revert.RevertRequest("a", safety=True))
        idle_guest.start()
        counter = idle_guest.channel.counter()
        with pytest.raises(Refused, match="since the plan was made"):
            run(plan, facts, connection, History())
    assert idle_guest.channel.counter() >= counter
    assert idle_guest.domain.snapshotNum() == 1
