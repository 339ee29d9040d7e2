"""A user of the window: sees visible texts, presses keys, clicks, and waits for what the window shows."""

from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QDialog, QLabel, QMenu, QTreeView, QWidget
from pytestqt.qtbot import QtBot

from snapgui.hypervisor.connection import Connection
from snapgui.model.tree import SnapshotTree
from snapgui.ui.jobs import Job, JobState
from snapgui.ui.main_window import MainWindow

Result = TypeVar("Result")
Key = Qt.Key
NONE = Qt.KeyboardModifier.NoModifier
CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton
PATIENCE_MS = 15_000
HERE = "You are here"


class User:
    """Every function returns when the window has followed."""

    def __init__(self, window: MainWindow, bot: QtBot) -> None:
        self.window, self.bot = window, bot
        self.pane, self.graph, self.outline = window.pane, window.pane.graph, window.pane.outline

    def wait(self, condition: Callable[[], object], patience_ms: int = PATIENCE_MS) -> None:
        """Wait until the window shows something; an assertion in the condition says why not."""

        def holds() -> bool:
            try:
                return bool(condition())
            except AssertionError:
                return False

        self.bot.waitUntil(holds, timeout=patience_ms)

    # keys

    def key(self, key: Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
        """Press a key in whatever has the focus."""
        QTest.keyClick(self.focus(), key, modifiers)

    def type(self, text: str) -> None:
        """Type into whatever has the focus."""
        for line, words in enumerate(text.split("\n")):
            if line:
                self.key(Key.Key_Return)
            QTest.keyClicks(self.focus(), words)

    def focus(self) -> QWidget:
        """What keys go to."""
        shown = QApplication.activePopupWidget()
        if shown is not None:
            return shown
        if QApplication.activeWindow() is None:  # no window manager passes the focus on when a dialog goes
            (self.dialogs() or [self.window])[0].activateWindow()
        self.wait(lambda: QApplication.focusWidget() is not None)
        found = QApplication.focusWidget()
        assert found is not None
        return found

    # mouse

    def click(
        self, widget: QWidget, at: QPoint | None = None, modifiers: Qt.KeyboardModifier = NONE,
        button: Qt.MouseButton = LEFT,
    ) -> None:  # fmt: skip
        """Click on a widget, in its middle by default."""
        QTest.mouseClick(widget, button, modifiers, at or widget.rect().center())

    def click_node(self, name: str, modifiers: Qt.KeyboardModifier = NONE) -> None:
        """Click on a node of the tree that is shown."""
        place = self.place(name)
        self.click(self.view.viewport(), place, modifiers)

    def place(self, name: str) -> QPoint:
        """Scroll to a node; return the middle of its card or line."""
        index = self.pane.model.index_of(None if name == HERE else name)
        assert index.isValid(), f"there is no node {name}"
        self.view.scrollTo(index)
        return self.view.visualRect(index).center()

    @property
    def view(self) -> QTreeView:
        """The tree view that is on the screen."""
        return self.outline if self.outline.isVisible() else self.graph

    # what is there

    @property
    def tree(self) -> SnapshotTree:
        return self.pane.model.tree

    def selected(self) -> list[str]:
        """The names of the selected nodes, in the order of the tree."""
        rows = self.graph.selectionModel().selectedRows()
        return sorted(str(index.data()) for index in rows)

    def current(self) -> str:
        """The text of the node that has the keyboard's focus."""
        return str(self.view.currentIndex().siblingAtColumn(0).data())

    def texts(self, widget: QWidget | None = None) -> list[str]:
        """Every text that labels and buttons show."""
        parts = (widget or self.window).findChildren(QWidget)
        shown = [part for part in parts if isinstance(part, QLabel | QAbstractButton) and part.isVisible()]
        return [text.replace("&", "") for part in shown if (text := part.text())]

    def sees(self, text: str, widget: QWidget | None = None) -> bool:
        """Whether some visible text contains this one."""
        return any(text in shown.replace("\u200b", "") for shown in self.texts(widget))

    def see(self, text: str, widget: QWidget | None = None) -> None:
        """Wait until some visible text contains this one."""
        self.wait(lambda: self.sees(text, widget), 5_000)

    # menus and dialogs

    def menu(self) -> QMenu:
        """Wait for an open menu."""
        self.wait(lambda: isinstance(QApplication.activePopupWidget(), QMenu))
        found = QApplication.activePopupWidget()
        assert isinstance(found, QMenu)
        return found

    def choose(self, *path: str) -> None:
        """Click on an entry of the menu bar by its words, menu by menu."""
        bar = self.window.menuBar()
        entry = entry_of(bar.actions(), path[0])
        self.click(bar, bar.actionGeometry(entry).center())
        menu = self.menu()
        for words in path[1:]:
            menu = self.choose_in(menu, words)

    def choose_in(self, menu: QMenu, words: str) -> QMenu:
        """Click on an entry of an open menu; return the menu that is open then, if the entry leads to one."""
        entry = entry_of(menu.actions(), words)
        self.click(menu, menu.actionGeometry(entry).center())
        below = entry.menu()
        if not isinstance(below, QMenu):
            return menu
        self.wait(below.isVisible)
        return below

    def context_menu(self, name: str) -> QMenu:
        """Open the menu of a node with the mouse."""
        viewport, place = self.view.viewport(), self.place(name)
        self.click(viewport, place, button=Qt.MouseButton.RightButton)
        self.view.customContextMenuRequested.emit(place)  # the platform makes this from the click
        return self.menu()

    def dialog(self) -> Any:
        """Wait for a dialog that has the focus."""
        self.wait(lambda: self.dialogs() and self.dialogs()[0].isActiveWindow())
        return self.dialogs()[0]

    @staticmethod
    def dialogs() -> list[QDialog]:
        return [w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible()]

    def press(self, words: str, widget: QWidget | None = None) -> None:
        """Click on a button by its words, of a dialog or of the window."""
        inside = widget or next(iter(self.dialogs()), None) or self.window
        buttons = [b for b in inside.findChildren(QAbstractButton) if b.isVisible()]
        found = [button for button in buttons if button.text().replace("&", "") == words]
        assert found, f"no button “{words}”, only {[button.text() for button in buttons]}"
        self.click(found[0])

    def action(self, words: str) -> QAction:
        """Return an action by its words."""
        return entry_of(list(self.window.actions_.all()), words)

    # hypervisor and jobs

    def elsewhere(self, change: Callable[[Connection], Result]) -> Result:
        """Do something to the hypervisor that the window did not ask for; the test driver has only one connection."""
        host = self.window.connections.current()
        assert host is not None
        connection = host.connection
        assert connection is not None
        future = host.lanes.read(lambda: change(connection))
        self.wait(future.done)
        return future.result()

    def job(self, operation: str, patience_ms: int = PATIENCE_MS) -> Job:
        """Wait until the newest job of a sort is over; it has to be done."""
        jobs = self.window.jobs
        self.wait(lambda: (job := jobs.newest(operation)) is not None and job.over, patience_ms)
        job = jobs.newest(operation)
        assert job is not None
        assert job.state is JobState.DONE, job.status()
        return job


def entry_of(actions: list[QAction], words: str) -> QAction:
    """Return the action with these words."""
    found = [action for action in actions if action.text().replace("&", "") == words]
    assert found, f"no “{words}” among {[action.text() for action in actions]}"
    return found[0]
