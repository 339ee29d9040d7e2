"""Names that people give: what they typed is what they see, and can be gone back to, on every libvirt."""

import pytest

from tests.qemu.commands import ok, refused, result
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack

HARD = "vor dem Update, äöü (1+1): 日本"


def _labels(machine: Machine) -> set[str]:
    return {s["title"] or s["name"] for s in result(machine.uri, "tree", machine.name)["snapshots"]}


def test_any_name_for_a_running_vm(guest: Machine) -> None:
    taken = result(guest.uri, "take", guest.name, HARD, "--kind", "internal")
    assert (taken["title"] or taken["name"]) == HARD
    guest.channel.run("echo changed >/data/mark; sync")
    ok(guest.uri, "revert", guest.name, taken["name"], "--safety", "vorher: ä")
    assert guest.channel.run("ls /data/mark 2>/dev/null; true") == ""
    assert _labels(guest) == {HARD, "vorher: ä"}
    for name in [s["name"] for s in result(guest.uri, "tree", guest.name)["snapshots"]]:
        ok(guest.uri, "delete", guest.name, name)
    assert guest.domain.snapshotNum() == 0


def test_a_name_that_qemu_does_not_take_is_deleted_while_off(stack: Stack, idle_guest: Machine) -> None:
    ok(idle_guest.uri, "take", idle_guest.name, HARD, "--kind", "internal")
    assert _labels(idle_guest) == {HARD}
    idle_guest.start()
    if stack.name == "libvirt-9.0":
        ok(idle_guest.uri, "delete", idle_guest.name, HARD)
    else:
        assert "while the VM runs" in refused(idle_guest.uri, "delete", idle_guest.name, HARD)
        assert _labels(idle_guest) == {HARD}
        idle_guest.domain.destroy()
        ok(idle_guest.uri, "delete", idle_guest.name, HARD)
    assert idle_guest.domain.snapshotNum() == 0


@pytest.mark.parametrize("name", ["--json", "日本", "..", "a" * 246])
def test_odd_names(guest: Machine, name: str) -> None:
    if name == "..":
        assert "begin with a dot" in refused(guest.uri, "take", guest.name, name)
        return
    taken = result(guest.uri, "take", guest.name, "--", name) if name.startswith("-") else None
    taken = taken or result(guest.uri, "take", guest.name, name)
    assert (taken["title"] or taken["name"]) == name
