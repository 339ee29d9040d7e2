"""The lineage of a large host is read beside everything else: looks go on, jobs go first, nothing is read twice."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest

from snapgui.hypervisor.connection import Connection
from snapgui.model.lineage import Image, Lineage, Use
from snapgui.model.records import Vm
from snapgui.operations.lineage import Pieces, Remembered
from snapgui.ui import lineage_loader
from tests.gui.conftest import Open
from tests.gui.hypervisors import Pretended, uuid_of
from tests.gui.user import Key, User

PIECE_S = 0.01


@dataclass
class Readings:
    """A pretended reading of images, that takes as many pieces as it is told to."""

    pieces: int = 1
    begun: list[Remembered] = field(default_factory=list)
    ended: int = 0
    threads: set[str] = field(default_factory=set)

    def read(self, _connection: Connection, _vms: Iterable[Vm], remembered: Remembered) -> Pieces:
        self.begun.append(remembered)
        left = self.pieces
        while left > 0:
            self.threads.add(threading.current_thread().name)
            time.sleep(PIECE_S)
            left -= 1
            yield
        self.ended += 1
        use, clone = (Use(vm, uuid_of(vm), "vda", name) for vm, name in (("vm", "a"), ("clone", None)))
        return Lineage((Image("/a", used_by=(use,)), Image("/b", base="/a", used_by=(clone,))))


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Readings:
    made = Readings()
    monkeypatch.setattr(lineage_loader, "in_pieces", made.read)
    monkeypatch.setattr(lineage_loader, "PRETENDED", "none of them:")
    return made


@pytest.fixture
def user(readings: Readings, open_window: Open, pretend: Callable[..., str]) -> User:
    return open_window(pretend({"vm": Pretended("a>b*"), "clone": Pretended(), "other": Pretended()}), vm="vm")


def test_looks_are_answered_while_a_lineage_is_read(readings: Readings, user: User) -> None:
    user.wait(lambda: user.pane.model.has_relatives)
    readings.pieces = 1_000
    user.key(Key.Key_F5)
    user.wait(lambda: len(readings.begun) == 2)
    seen = []
    host = user.window.watcher.host
    assert host is not None
    host.look(uuid_of("vm"), None, user.window, seen.append, pytest.fail)
    user.wait(lambda: seen)
    assert readings.ended == 1, "the look came in between"
    assert not any("MainThread" in name for name in readings.threads)
    readings.pieces = 1
    user.window.lineage.read(host, afresh=True)
    user.wait(lambda: readings.ended == 2)


def test_what_was_read_is_remembered_until_f5(readings: Readings, user: User) -> None:
    user.wait(lambda: readings.ended == 1)
    host = user.window.watcher.host
    user.window.lineage.read(host)
    user.wait(lambda: readings.ended == 2)
    user.key(Key.Key_F5)
    user.wait(lambda: readings.ended == 3)
    first, second, afresh = readings.begun
    assert first is second
    assert afresh is not first


def test_while_a_job_works_nothing_is_read(readings: Readings, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    user.wait(lambda: readings.ended == 1)
    working = True
    monkeypatch.setattr(user.window.lineage, "_busy", lambda _host: working)
    host = user.window.watcher.host
    user.window.lineage.read(host)
    user.wait(lambda: not user.window.lineage._soon.isActive())
    assert len(readings.begun) == 1
    working = False
    user.window.lineage.read(host)
    user.wait(lambda: readings.ended == 2)


def test_many_changes_make_one_reading_more(readings: Readings, user: User) -> None:
    user.wait(lambda: readings.ended == 1)
    readings.pieces = 20
    host = user.window.watcher.host
    user.window.lineage.read(host)
    user.wait(lambda: len(readings.begun) == 2)
    for _ in range(20):
        user.window.lineage.read(host)
    user.wait(lambda: readings.ended == 3)
    assert len(readings.begun) == 3
