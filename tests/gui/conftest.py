"""The real window on a screen of its own, driven as a user does; afterwards nothing of it may be left."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QSettings
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from snapgui.model.tree import SnapshotTree
from snapgui.ui.application import make_application
from snapgui.ui.main_window import MainWindow, make_window
from tests.driver.seed import write_seed
from tests.gui.hypervisors import Pretended, write_hypervisor
from tests.gui.screen import start_screen
from tests.gui.user import User
from tests.stacks.fixtures import guest, guest_files, idle_guest, stack, stack_files
from tests.unit.trees import tree

__all__ = ["guest", "guest_files", "idle_guest", "stack", "stack_files"]

SIZE = (1440, 900)
Open = Callable[..., User]


@pytest.fixture(scope="session")
def screen() -> None:
    start_screen()


@pytest.fixture(scope="session")
def qapp(screen: None, qapp: QApplication) -> QApplication:
    return make_application()


@pytest.fixture
def settings_of_this_test(tmp_path: Path, own_directories: None) -> None:
    """Qt looks at the environment only once in a process; this says it anew."""
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path / "config"))


@pytest.fixture
def open_window(qtbot: QtBot, settings_of_this_test: None) -> Iterator[Open]:
    """Return a function that opens the window on some connections, and waits until the first one has answered."""
    opened: list[MainWindow] = []

    def open_it(*uris: str, vm: str = "", size: tuple[int, int] = SIZE, answered: bool = True) -> User:
        window = make_window(vm)
        window.flows.grace_s = 0
        opened.append(window)
        window.resize(*size)
        window.show()
        user = User(window, qtbot)
        window.activateWindow()
        user.wait(window.isActiveWindow)
        for uri in uris:
            window.connections.open(uri)
        if answered:
            user.wait(lambda: all(host.up for host in window.vms_model.hosts))
            user.wait(lambda: window.watcher.known is not None or not any(h.vms for h in window.vms_model.hosts))
        return user

    before = set(QApplication.topLevelWidgets())
    yield open_it
    for window in opened:
        _close(window, qtbot)
    left = set(QApplication.topLevelWidgets()) - before
    assert [f"{type(shown).__name__} “{shown.windowTitle()}”" for shown in left] == []


def _close(window: MainWindow, bot: QtBot) -> None:
    """Close as a user does, then let Qt forget the window."""
    bot.waitUntil(lambda: not window.jobs.active(), timeout=20_000)
    for shown in QApplication.topLevelWidgets():
        if shown is not window and shown.isVisible():
            shown.close()
    window.close()
    assert not window.isVisible()
    window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QCoreApplication.processEvents()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def seeded(tmp_path: Path) -> str:
    """URI of a hypervisor with the VMs of tests/driver/seed.py."""
    return write_seed(tmp_path / "seed.xml")


@pytest.fixture
def pretend(tmp_path: Path) -> Callable[..., str]:
    """Return a function that makes a hypervisor with the given VMs, and returns its URI."""
    made = []

    def make(machines: dict[str, Pretended] | str) -> str:
        made.append(0)
        wanted = {"vm": Pretended(machines)} if isinstance(machines, str) else machines
        return write_hypervisor(tmp_path / f"hypervisor{len(made)}.xml", wanted)

    return make


@pytest.fixture
def web(open_window: Open, pretend: Callable[..., str]) -> User:
    """The window on the VM “web01”, which has three branches; there is “Empty one”, too."""
    return open_window(pretend(web_machines()), vm="web01")


def web_machines() -> dict[str, Pretended]:
    """What the fixture “web” shows."""
    return {"web01": Pretended(_web_tree()), "Empty one": Pretended()}


def _web_tree() -> SnapshotTree:
    drawn = tree("fresh_install>web_server>tls fresh_install>web_server>php*+ fresh_install>desktop")
    named = [replace(s, name=s.name.replace("_", " "), parent=s.parent and s.parent.replace("_", " ")) for s in drawn]
    return SnapshotTree([replace(named[0], description="as delivered\n<b>not bold</b>"), *named[1:]], drawn.current)
