"""Going back to external snapshots: the guest really travels, or is told why it cannot."""

from pathlib import Path

import pytest

from tests.qemu.commands import ok, refused, result
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack


def _take(guest: Machine, name: str, *options: str) -> dict[str, object]:
    record: dict[str, object] = result(guest.uri, "take", guest.name, name, "--kind", "external", *options)
    return record


def _mark(guest: Machine, text: str) -> None:
    guest.channel.run(f"echo {text} >/data/mark; sync")


def test_memory_and_disk_go_back_or_the_reason_is_given(stack: Stack, guest: Machine) -> None:
    _mark(guest, "before")
    _take(guest, "one")
    counter = guest.channel.counter()
    _mark(guest, "after")
    if not stack.native_external:
        before = set(guest.directory.iterdir())
        assert "cannot revert to one" in refused(guest.uri, "revert", guest.name, "one")
        assert guest.channel.read_file("/data/mark") == "after\n"
        assert set(guest.directory.iterdir()) == before
        return
    record = result(guest.uri, "revert", guest.name, "one")
    assert guest.channel.read_file("/data/mark") == "before\n"
    assert guest.channel.counter() < counter + 30
    safety = record["safety"]
    assert safety is not None
    result(guest.uri, "revert", guest.name, safety, "--no-safety")
    assert guest.channel.read_file("/data/mark") == "after\n"


def test_a_missing_memory_file_is_found_before_the_guest_is_switched_off(stack: Stack, guest: Machine) -> None:
    record = _take(guest, "one")
    memory = next(Path(str(path)) for path in record["files"] if str(path).endswith(".mem"))  # type: ignore[attr-defined]
    memory.rename(memory.with_suffix(".hidden"))
    counter = guest.channel.counter()
    sentence = refused(guest.uri, "revert", guest.name, "one", "--no-safety")
    assert ("missing" if stack.native_external else "cannot revert") in sentence
    assert guest.channel.counter() >= counter


@pytest.mark.parametrize("then", ["as-taken", "running", "off"])
def test_a_snapshot_of_the_disks_alone(stack: Stack, guest: Machine, then: str) -> None:
    if not stack.native_external:
        _take(guest, "disks", "--memory", "none")
        assert "cannot revert to one" in refused(guest.uri, "revert", guest.name, "disks", "--then", then)
        assert guest.domain.isActive()
        return
    _mark(guest, "before")
    _take(guest, "disks", "--memory", "none")
    _mark(guest, "after")
    ok(guest.uri, "revert", guest.name, "disks", "--then", then)
    assert bool(guest.domain.isActive()) == (then == "running")
    guest.start()
    assert guest.channel.read_file("/data/mark") == "before\n"


def test_two_reverts_within_a_second(stack: Stack, idle_guest: Machine) -> None:
    _take(idle_guest, "off")
    if stack.native_external:
        for _ in range(3):
            ok(idle_guest.uri, "revert", idle_guest.name, "off", "--no-safety")
    else:
        assert "cannot revert" in refused(idle_guest.uri, "revert", idle_guest.name, "off")
