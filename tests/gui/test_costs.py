"""What snapshots cost on real hypervisors, in the window: as the images say, after every change, nothing guessed."""

from pathlib import Path

import pytest
from PySide6.QtCore import QLocale
from PySide6.QtWidgets import QLabel

from snapgui.hypervisor.connection import Connection
from snapgui.model.storage import SnapshotCost
from snapgui.operations.vm_costs import VmCosts, read_vm_costs
from snapgui.ui.cost_words import own_words
from snapgui.ui.row_words import Column
from tests.gui.conftest import Open
from tests.gui.test_live import LONGEST_GAP_S, Ticks
from tests.gui.test_real_guest import LONG_MS, take
from tests.gui.user import CTRL, HERE, Key, User
from tests.images import qemu
from tests.stacks.machines import Machine, pool

MIB = 2**20


def truth(machine: Machine) -> VmCosts:
    with Connection(machine.uri) as other:
        return read_vm_costs(other, machine.uuid)


def badge(user: User, name: str) -> str:
    """What the card says."""
    return own_words(user.pane.model.cost(name))


def known(user: User, *names: str) -> bool:
    return all(badge(user, name) for name in names)


def row(user: User, name: str) -> QLabel:
    """The value beside a name in the details."""
    labels = user.window.details.findChildren(QLabel)
    names = [label.text() for label in labels]
    return labels[names.index(name) + 1]


def written(user: User, machine: Machine, number: int, mib: int) -> None:
    """Something writes to the disk of a VM that is off."""
    qemu.io(machine.directory / _current_image(machine), f"write -P {number} {100 + 40 * number}M {mib}M")
    user.key(Key.Key_F5)


def _current_image(machine: Machine) -> str:
    found: str = machine.domain.XMLDesc(0).partition("<source file='")[2].partition("'")[0]
    return found


def test_badges_come_change_and_go(open_window: Open, idle_guest: Machine) -> None:
    with pool(idle_guest) as name:
        user = open_window(idle_guest.uri, vm=idle_guest.uuid)
        take(user, "one")
        user.wait(lambda: known(user, "one"))
        before = user.pane.model.cost("one")
        written(user, idle_guest, 1, 8)
        take(user, "two")
        written(user, idle_guest, 2, 4)
        take(user, "three")
        user.wait(lambda: known(user, "one", "two", "three") and user.window.costs.costs == truth(idle_guest))
        assert not any(cost.at_least for cost in user.window.costs.costs.costs)
        user.see(f"3 snapshots · {_size(user.window.costs.costs.own)}", user.window.statusBar())

        user.click_node("two")
        cost = user.pane.model.cost("two")
        assert cost is not None
        assert before is not None
        for name_, size in (("Own", cost.own), ("Shared", cost.shared), ("Deleting frees", cost.freed)):
            assert row(user, name_).accessibleName() == _size(size)
            assert f"{QLocale().toString(size)} bytes" in row(user, name_).toolTip()
        user.key(Key.Key_Delete)
        dialog = user.dialog()
        assert user.sees("This frees", dialog) == bool(cost.freed)
        user.press("Delete")
        user.job("delete", LONG_MS)
        user.wait(lambda: [s.name for s in user.tree] == ["one", "three"])
        user.wait(lambda: user.window.costs.costs == truth(idle_guest))
        assert user.pane.model.cost("two") is None

        user.click_node(HERE)
        (share,) = user.window.costs.costs.pools
        assert share.pool == name
        assert row(user, "Files").accessibleName().startswith(f"{_size(share.allocated)} in pool {name}")
        assert row(user, "Snapshots").accessibleName() == f"{_size(user.window.costs.costs.own)} of their own"


def test_what_the_dialog_says_is_freed(open_window: Open, idle_guest: Machine) -> None:
    """The disk says the same afterwards."""
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    idle_guest.domain.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>", 0)
    qemu.io(idle_guest.disk, "write -P 7 100M 12M")
    idle_guest.domain.snapshotCreateXML("<domainsnapshot><name>two</name></domainsnapshot>", 0)
    qemu.io(idle_guest.disk, "write -P 8 100M 12M")
    user.wait(lambda: "two" in user.tree)
    user.key(Key.Key_F5)
    user.wait(lambda: (cost := user.pane.model.cost("two")) is not None and (cost.own or 0) > 12 * MIB)
    user.click_node("two")
    user.key(Key.Key_Delete)
    user.see("This frees 12.", user.dialog())
    before = idle_guest.disk.stat().st_blocks * 512
    user.press("Delete")
    user.job("delete", LONG_MS)
    assert before - idle_guest.disk.stat().st_blocks * 512 >= 12 * MIB


def test_what_nobody_can_read_has_no_badge(open_window: Open, idle_guest: Machine, tmp_path: Path) -> None:
    idle_guest.domain.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>", 0)
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    user.wait(lambda: known(user, "one"))
    elsewhere = idle_guest.disk.with_suffix(".away")
    idle_guest.disk.rename(elsewhere)
    user.key(Key.Key_F5)
    user.wait(lambda: not known(user, "one"))
    assert user.pane.model.index_of("one", Column.SIZE).data() == "–"
    user.see("1 snapshot", user.window.statusBar())
    assert "iB" not in "".join(user.texts(user.window.statusBar()))
    elsewhere.rename(idle_guest.disk)
    user.key(Key.Key_F5)
    user.wait(lambda: known(user, "one"))


def test_a_running_guest(open_window: Open, guest: Machine) -> None:
    user = open_window(guest.uri, vm=guest.uuid)
    take(user, "one")
    user.wait(lambda: badge(user, "one").startswith("≥"))
    cost = user.pane.model.cost("one")
    assert isinstance(cost, SnapshotCost)
    assert cost.memory > 0
    assert cost.own is not None
    assert cost.own >= cost.memory
    user.click_node("one")
    assert row(user, "Memory").accessibleName().startswith(f"{_size(cost.memory)}, saved")
    assert row(user, "Own").text().startswith("≥")
    guest.channel.run("dd if=/dev/zero of=/data/more bs=1M count=9; sync")
    beat = Ticks(user.window)
    user.key(Key.Key_F5)
    user.wait(lambda: (now := user.pane.model.cost("one")) is not None and (now.own or 0) > (cost.own or 0))
    assert beat.longest_s < LONGEST_GAP_S
    guest.domain.destroy()
    user.wait(lambda: badge(user, "one") and not badge(user, "one").startswith("≥"))
    user.wait(lambda: user.window.costs.costs == truth(guest))


@pytest.mark.parametrize("key", [Key.Key_1, Key.Key_2])
def test_both_views_say_the_same(open_window: Open, idle_guest: Machine, key: Key) -> None:
    idle_guest.domain.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>", 0)
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    user.key(key, CTRL)
    user.wait(lambda: known(user, "one"))
    assert user.pane.model.index_of("one", Column.SIZE).data() == badge(user, "one")


def _size(size: int | None) -> str:
    assert size is not None
    return QLocale().formattedDataSize(size, 1)
