"""Costs are read beside everything else: once for each change, one at a time, and never while a job works on the VM."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Refused
from snapgui.model.storage import SnapshotCost
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.vm_costs import VmCosts
from snapgui.ui import cost_loader
from snapgui.ui.row_words import Column
from tests.gui.conftest import Open
from tests.gui.hypervisors import Pretended, uuid_of
from tests.gui.test_live import LONGEST_GAP_S, Ticks
from tests.gui.user import CTRL, SHIFT, Key, User

MIB = 2**20
STEP_S = 0.005


@dataclass
class Readings:
    """A pretended reading of images; with ``held`` it goes on until it is called off or let go."""

    held: bool = False
    fails: bool = False
    begun: list[str] = field(default_factory=list)
    called_off: list[str] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    under_way: int = 0
    most_at_once: int = 0

    def read(self, _connection: Connection, vm_uuid: str, cancel: threading.Event) -> VmCosts:
        self.begun.append(vm_uuid)
        self.threads.add(threading.current_thread().name)
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        while self.held and not cancel.wait(STEP_S):
            pass
        self.under_way -= 1
        if cancel.is_set():
            self.called_off.append(vm_uuid)
        if self.fails:
            raise Refused(QT_TRANSLATE_NOOP("errors", "Nobody may read it."))
        costs = [SnapshotCost(name, len(self.begun) * MIB, 0, 0, 0) for name in ("a", "b")]
        return VmCosts(tuple(costs))


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Readings:
    made = Readings()
    monkeypatch.setattr(cost_loader, "read_vm_costs", made.read)
    monkeypatch.setattr(cost_loader, "PRETENDED", "none of them:")
    return made


@pytest.fixture
def user(readings: Readings, open_window: Open, pretend: Callable[..., str]) -> User:
    return open_window(pretend({"vm": Pretended("a>b*"), "other": Pretended("c")}), vm="vm")


def own(user: User, name: str) -> int | None:
    cost = user.pane.model.cost(name)
    return None if cost is None else cost.own


def still(user: User) -> bool:
    """Whether nothing is read, and nothing is going to be."""
    loader = user.window.costs
    return loader._reading is None and not loader._soon.isActive()


def test_nothing_is_read_of_the_test_driver(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend("a>b*"))
    user.wait(lambda: "a" in user.tree)
    user.key(Key.Key_F5)
    user.window.costs.look(afresh=True)
    assert still(user)
    assert user.window.costs.costs == VmCosts()
    assert not any("bytes" in text or "iB" in text for text in user.texts(user.window.statusBar()))


def test_once_for_each_change(readings: Readings, user: User) -> None:
    user.wait(lambda: own(user, "a") == MIB)
    for _ in range(20):
        user.window.costs.look()
    assert still(user), "nothing has changed"
    for _ in range(20):
        user.window.costs.look(afresh=True)
    user.wait(lambda: own(user, "a") == 2 * MIB)
    assert len(readings.begun) == 2
    assert not any("MainThread" in name for name in readings.threads)


def test_a_title_changes_nothing(readings: Readings, user: User) -> None:
    user.wait(lambda: own(user, "a") == MIB)
    user.click_node("b")
    user.key(Key.Key_F2)
    user.type("other words")
    user.key(Key.Key_Return)
    user.job("edit")
    user.wait(lambda: user.tree["b"].title == "other words")
    user.wait(lambda: still(user))
    assert own(user, "b") is not None


def test_another_vm_calls_it_off(readings: Readings, user: User) -> None:
    readings.held = True
    user.window.costs.look(afresh=True)
    user.wait(lambda: readings.under_way == 1)
    host = user.window.watcher.host
    assert host is not None
    user.window.vms.choose(host, uuid_of("other"))
    user.wait(lambda: readings.called_off == [uuid_of("vm")])
    user.wait(lambda: readings.begun[-1] == uuid_of("other"))
    readings.held = False
    user.wait(lambda: still(user))
    assert readings.most_at_once == 1


def test_the_window_beats_on(readings: Readings, user: User) -> None:
    user.wait(lambda: own(user, "a") == MIB)
    readings.held = True
    user.window.costs.look(afresh=True)
    user.wait(lambda: readings.under_way == 1)
    beat, seen = Ticks(user.window), []
    host = user.window.watcher.host
    assert host is not None
    host.look(uuid_of("vm"), None, user.window, seen.append, pytest.fail)
    user.wait(lambda: seen)
    assert beat.longest_s < LONGEST_GAP_S
    assert readings.under_way == 1, "a look was answered meanwhile"
    assert own(user, "a") == MIB, "what is known stays until something else is"
    readings.held = False
    user.wait(lambda: own(user, "a") == 2 * MIB)


def test_never_while_a_job_works(readings: Readings, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    user.wait(lambda: own(user, "a") == MIB)
    readings.held = True
    user.window.costs.look(afresh=True)
    user.wait(lambda: readings.under_way == 1)
    working = True
    monkeypatch.setattr(user.window.costs, "_busy", lambda _uri, _uuid: working)
    user.window.jobs.running_changed.emit()
    user.wait(lambda: readings.under_way == 0)
    user.wait(lambda: still(user))
    assert len(readings.begun) == 2
    assert own(user, "a") == MIB, "what was called off is not believed"
    working, readings.held = False, False
    user.window.jobs.running_changed.emit()
    user.wait(lambda: own(user, "a") == 3 * MIB)


def test_after_a_job_they_are_read_again(readings: Readings, user: User) -> None:
    user.wait(lambda: own(user, "a") == MIB)
    user.key(Key.Key_T, CTRL | SHIFT)
    user.dialog()
    user.type("c")
    user.key(Key.Key_Return)
    user.job("take")
    user.wait(lambda: "c" in user.tree and own(user, "a") != MIB)
    assert own(user, "c") is None
    user.wait(lambda: still(user))


def test_a_failure_shows_nothing(readings: Readings, user: User) -> None:
    user.wait(lambda: own(user, "a") == MIB)
    readings.fails = True
    user.key(Key.Key_F5)
    user.wait(lambda: own(user, "a") is None)
    user.wait(lambda: still(user))
    begun = len(readings.begun)
    user.window.costs.look()
    assert still(user), "it is not tried again and again"
    assert len(readings.begun) == begun


def test_a_reading_is_followed_by_a_rest(readings: Readings, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    user.wait(lambda: own(user, "a") == MIB)
    monkeypatch.setattr(cost_loader, "REST", 1_000_000)
    user.window.costs.look(afresh=True)
    user.wait(lambda: own(user, "a") == 2 * MIB)
    user.window.costs.look(afresh=True)
    assert user.window.costs._soon.interval() > cost_loader.SOON_MS
    host = user.window.watcher.host
    assert host is not None
    user.window.vms.choose(host, uuid_of("other"))
    user.wait(lambda: readings.begun[-1] == uuid_of("other"))


def test_costs_may_be_known_before_the_snapshot_is_shown(readings: Readings, user: User) -> None:
    user.wait(lambda: own(user, "a") == MIB)
    model = user.pane.model
    model.set_costs({"c": SnapshotCost("c", 7, 0, 0, 7)})
    user.key(Key.Key_T, CTRL | SHIFT)
    user.dialog()
    shown: list[object] = []
    model.rowsInserted.connect(lambda parent, row, _last: shown.append(model.index(row, Column.SIZE, parent).data()))
    user.type("c")
    user.key(Key.Key_Return)
    user.job("take")
    user.wait(lambda: "7 bytes" in shown)
