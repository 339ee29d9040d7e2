"""Sixty external snapshots one on the other, and fifty children of one: taken, gone back to, and deleted."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Broken
from snapgui.model.plan import Plan
from snapgui.model.records import KindWish
from snapgui.model.tree import SnapshotTree
from snapgui.operations import delete, revert, take
from snapgui.operations.delete import DeleteRequest
from snapgui.operations.facts import Facts, read_facts
from snapgui.operations.history import History
from snapgui.operations.outcome import Outcome
from snapgui.operations.pipeline import run
from snapgui.operations.revert import RevertRequest
from snapgui.operations.take import TakeRequest
from tests.qemu.images import holds_pattern, is_sound, names_inside, write_pattern
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack

LEVELS, CHILDREN = 60, 50
MARKED = (1, 30, 60)
"""Levels before which something was written to the disk: their own number."""


class Hand:
    """Changes a VM that is off by the project's own operations, over one connection."""

    def __init__(self, machine: Machine, connection: Connection, history: History) -> None:
        self.machine, self._connection, self._history = machine, connection, history

    @property
    def facts(self) -> Facts:
        return read_facts(self._connection, self.machine.uuid)

    @property
    def tree(self) -> SnapshotTree:
        return self.facts.tree

    @property
    def disk(self) -> Path:
        """The image that the VM writes to now."""
        return Path(self.facts.machine.disks[0].source)

    def take(self, name: str, kind: KindWish) -> Outcome:
        facts = self.facts
        return self._run(take.plan(facts, TakeRequest(name, kind=kind)), facts)

    def revert(self, name: str) -> Outcome:
        facts = self.facts
        return self._run(revert.plan(facts, RevertRequest(name, safety=False)), facts)

    def delete(self, name: str, *, children_only: bool = False) -> Outcome:
        facts = self.facts
        return self._run(delete.plan(facts, DeleteRequest((name,), not children_only, children_only)), facts)

    def _run(self, plan: Plan, facts: Facts) -> Outcome:
        return run(plan, facts, self._connection, self._history)


@pytest.fixture
def hand(idle_guest: Machine) -> Iterator[Hand]:
    history = History()
    with Connection(idle_guest.uri) as connection:
        yield Hand(idle_guest, connection, history)
    history.close()


def _level(number: int) -> str:
    return f"level-{number}"


def _chain(image: Path) -> list[Path]:
    """Return an image and all its bases, as qemu-img sees them."""
    command = ["qemu-img", "info", "--backing-chain", "--output=json", str(image)]
    said = subprocess.run(command, check=True, capture_output=True).stdout
    return [Path(one["filename"]) for one in json.loads(said)]


def test_sixty_external_levels(stack: Stack, hand: Hand) -> None:
    overlays = [hand.machine.disk]
    for number in range(1, LEVELS + 1):
        if number in MARKED:
            write_pattern(overlays[-1], number)
        hand.take(_level(number), KindWish.EXTERNAL)
        overlays.append(hand.disk)
    tree = hand.tree
    assert tree.path(_level(LEVELS)) == tuple(_level(number) for number in range(1, LEVELS + 1))
    assert tree.current == _level(LEVELS)
    assert _chain(hand.disk) == overlays[::-1]
    for number in MARKED:
        assert holds_pattern(Path(tree[_level(number)].disks[0].source), number)
    if stack.native_external:
        _back_and_delete_the_branch(hand, overlays)
    else:
        _delete_the_end(hand, overlays)


def _back_and_delete_the_branch(hand: Hand, overlays: list[Path]) -> None:
    """This libvirt cannot start a VM on so many images, and so not merge the last one; elsewhere it need not merge."""
    with pytest.raises(Broken, match="cannot start a VM on so many external snapshots"):
        hand.delete(_level(LEVELS))
    assert len(hand.tree.snapshots) == LEVELS
    assert _chain(hand.disk) == overlays[::-1]
    hand.revert(_level(30))
    assert holds_pattern(hand.disk, 30)
    hand.revert(_level(1))
    assert _chain(hand.disk)[1:] == overlays[:1]
    assert len(hand.delete(_level(2)).deleted) == LEVELS - 1
    assert [snapshot.name for snapshot in hand.tree] == [_level(1)]
    assert not [path for path in overlays[2:] if path.exists()]
    assert holds_pattern(hand.disk, 1)
    hand.machine.start()


def _delete_the_end(hand: Hand, overlays: list[Path]) -> None:
    """This libvirt merges each image in a VM that it starts for that: three will do."""
    assert hand.delete(_level(LEVELS - 2)).deleted == tuple(_level(LEVELS - back) for back in range(3))
    assert hand.tree.current == _level(LEVELS - 3)
    assert _chain(hand.disk) == overlays[LEVELS - 3 :: -1]
    assert holds_pattern(hand.disk, LEVELS)
    hand.machine.start()


def test_fifty_children(hand: Hand) -> None:
    disk = hand.machine.disk
    write_pattern(disk, 99)
    hand.take("root", KindWish.INTERNAL)
    names = [f"child-{number}" for number in range(1, CHILDREN + 1)]
    for number, name in enumerate(names, start=1):
        write_pattern(disk, number)
        hand.take(name, KindWish.INTERNAL)
        hand.revert("root")
    tree = hand.tree
    assert set(tree.children("root")) == set(names)
    assert names_inside(disk) == {"root", *names}
    for number in (7, CHILDREN):
        hand.revert(names[number - 1])
        assert holds_pattern(disk, number)
    hand.delete("child-7")
    assert set(hand.tree.children("root")) == set(names) - {"child-7"}
    assert set(hand.delete("root", children_only=True).deleted) == set(names) - {"child-7"}
    assert names_inside(disk) == {"root"}
    assert holds_pattern(disk, CHILDREN), "the current state does not change"
    hand.revert("root")
    assert holds_pattern(disk, 99)
    assert is_sound(disk)
