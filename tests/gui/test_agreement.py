"""The command line, virsh and the window tell the same about the same VM."""

import pytest
from PySide6.QtCore import QModelIndex

from snapgui.ui.snapshot_model import SnapshotModel
from tests.gui.conftest import Open
from tests.gui.user import HERE, User
from tests.qemu.commands import result
from tests.qemu.test_agreement import BRANCHES, THOUSAND, Parents, parents_by_virsh_tree, redefine
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack


def parents_by_window(model: SnapshotModel) -> tuple[Parents, str | None]:
    """What the views are told by the model: each node's parent, and whose child "You are here" is."""
    found: Parents = {}
    current = None
    waiting = [QModelIndex()]
    while waiting:
        parent = waiting.pop()
        for row in range(model.rowCount(parent)):
            index = model.index(row, 0, parent)
            snapshot = model.snapshot(index)
            above = None if model.snapshot(parent) is None else str(parent.data())
            if snapshot is None:
                assert index.data() == HERE
                current = above
            else:
                found[snapshot.name] = above
            waiting.append(index)
    return found, current


def shown(user: User) -> set[str]:
    """The names of the cards that the graph places and of the lines of the outline."""
    placed = {node.snapshot.name for node, _ in user.graph.geometry_of.rects() if node.snapshot is not None}
    listed = set()
    index = user.outline.model().index(0, 0)
    while index.isValid():
        snapshot = user.pane.model.snapshot(index)
        listed |= set() if snapshot is None else {snapshot.name}
        index = user.outline.indexBelow(index)
    assert placed == listed
    return placed


@pytest.mark.parametrize(("tree", "current"), [(BRANCHES, "b1"), (THOUSAND, "s500")], ids=["branches", "thousand"])
def test_real_libvirt(
    open_window: Open, stack: Stack, idle_guest: Machine, tree: list[tuple[str, str | None]], current: str
) -> None:
    redefine(idle_guest, tree, current=current)
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    by_command = result(idle_guest.uri, "tree", idle_guest.name)
    by_virsh = parents_by_virsh_tree(stack.virsh("snapshot-list", idle_guest.name, "--tree").stdout)
    parents, here = parents_by_window(user.pane.model)
    assert parents == dict(tree) == by_virsh
    assert parents == {snapshot["name"]: snapshot["parent"] for snapshot in by_command["snapshots"]}
    assert here == current == by_command["current"]
    assert shown(user) == set(parents)


def test_the_test_driver_seeded_from_a_file(open_window: Open, seeded: str) -> None:
    user = open_window(seeded, vm="web01")
    by_command = result(seeded, "tree", "web01")
    parents, here = parents_by_window(user.pane.model)
    assert parents == {snapshot["name"]: snapshot["parent"] for snapshot in by_command["snapshots"]}
    assert here == by_command["current"] == "php"
    assert shown(user) == set(parents) == {"fresh install", "web server", "tls", "php", "desktop"}
