"""Drives the real window from a thread of its own: clicks, types, waits, looks, takes pictures."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QDialog, QToolButton, QWidget

from snapgui.demo.errors import GuestError
from snapgui.demo.picture import paint
from snapgui.demo.pointer import dragged
from snapgui.ui.drag_label import DragLabel
from snapgui.ui.main_window import MainWindow

Result = TypeVar("Result")
Dialog = TypeVar("Dialog", bound=QDialog)
PATIENCE_S = 60.0
LOOK_S = 0.03
BEAT_MS = 10
NOTHING = Qt.KeyboardModifier.NoModifier


class Pilot(QObject):
    """Every call is made on another thread than the window's, and waits for the window."""

    _wanted = Signal(object)

    def __init__(self, window: MainWindow, pictures: Path) -> None:
        super().__init__(window)
        self.window = window
        self._pictures = pictures
        self._number = 0
        self.longest_gap_s = 0.0
        self._beat_at = time.monotonic()
        self._measuring = False
        self._wanted.connect(self._serve, Qt.ConnectionType.QueuedConnection)
        beat = QTimer(self)
        beat.setTimerType(Qt.TimerType.PreciseTimer)
        beat.timeout.connect(self._on_beat)
        beat.start(BEAT_MS)

    def do(self, work: Callable[[], Result]) -> Result:
        """Run something in the window's thread and return what it returns."""
        future: Future[Result] = Future()
        self._wanted.emit((future, work))
        return future.result(PATIENCE_S)

    def wait(self, what: str, condition: Callable[[], bool], patience: float = PATIENCE_S) -> None:
        """Wait until a condition holds in the window; raise GuestError with ``what`` where it never does."""
        deadline = time.monotonic() + patience
        while not self.do(condition):
            if time.monotonic() > deadline:
                raise GuestError(f"The window never showed: {what}.")
            time.sleep(LOOK_S)

    def picture(self, name: str, *, pointer: bool = False) -> Path:
        """Save what the screen shows as the next numbered picture, if wanted with the pointer."""
        image = self.do(lambda: paint(self.window, self._dialogs(), QCursor.pos() if pointer else None))
        self._number += 1
        path = self._pictures / f"{self._number:02d}-{name}.png"
        image.save(str(path))
        return path

    def picture_of(self, window: QWidget, name: str) -> Path:
        """Save what another window shows as the next numbered picture."""
        image = self.do(lambda: window.grab().toImage())
        self._number += 1
        path = self._pictures / f"{self._number:02d}-{name}.png"
        image.save(str(path))
        return path

    def measure(self, on: bool) -> None:
        """Begin or end to look for gaps in the window's beat."""
        self.do(lambda: self._measure(on))

    def trigger(self, name: str) -> None:
        """Use an action as a user does: by its toolbar button where it has one, else by its shortcut or menu."""
        action = self.window.actions_[name]
        buttons = [button for button in self.do(self._tool_buttons) if button.defaultAction() is action]
        if buttons:
            self.click(buttons[0])
        else:
            self.do(action.trigger)

    def click(self, widget: QWidget, at: QPoint | None = None, modifiers: Qt.KeyboardModifier = NOTHING) -> None:
        """Press and release the left button on a widget."""
        left = Qt.MouseButton.LeftButton
        self.do(lambda: QTest.mouseClick(widget, left, modifiers, at or widget.rect().center()))

    def click_node(self, name: str | None, modifiers: Qt.KeyboardModifier = NOTHING) -> None:
        """Click on a card of the graph (None: "You are here")."""
        place = self.do(lambda: self._place_of(name))
        self.click(self.window.pane.graph.viewport(), place, modifiers)

    def write(self, text: str) -> None:
        """Type into whatever has the focus."""
        for number, line in enumerate(text.split("\n")):
            if number:
                self.key(Qt.Key.Key_Return)
            self.do(lambda line=line: QTest.keyClicks(self._focus(), line))  # type: ignore[misc]

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NOTHING) -> None:
        """Press one key in whatever has the focus."""
        self.do(lambda: QTest.keyClick(self._focus(), key, modifiers))

    def dialog(self) -> QDialog:
        """Wait for a dialog and return it."""
        return self.dialog_of(QDialog)

    def dialog_of(self, kind: type[Dialog]) -> Dialog:
        """Wait for a dialog of a kind and return it."""
        self.wait("a dialog", lambda: isinstance(self._dialog(), kind))
        found = self.do(self._dialog)
        if not isinstance(found, kind):
            raise GuestError("The dialog went away.")
        return found

    def drag_node(self, name: str, target: QWidget, at: QPoint, words: str, picture: str) -> None:
        """Drag a card with the real pointer to a point of a widget, and take a picture when the label says ``words``.

        Raises GuestError where it never does.
        """
        start = self.do(lambda: self._global(self.window.pane.graph.viewport(), self._place_of(name)))
        end = self.do(lambda: self._global(target, at))
        with dragged(start, end, lambda: self.do(self._drag_words) == words):
            self.picture(picture, pointer=True)

    def press(self, dialog: QWidget, text: str) -> None:
        """Click a button of a dialog, or of another window, by its words."""
        buttons = self.do(lambda: dialog.findChildren(QAbstractButton))
        found = [button for button in buttons if button.text().replace("&", "") == text]
        if not found:
            raise GuestError(f"The dialog has no button “{text}”.")
        self.click(found[0])

    def _place_of(self, name: str | None) -> QPoint:
        graph, index = self.window.pane.graph, self.window.pane.model.index_of(name)
        graph.scrollTo(index)
        return graph.visualRect(index).center()

    def _drag_words(self) -> str:
        label = self.window.findChild(DragLabel)
        return label.text if label is not None and label.isVisible() else ""

    def _global(self, widget: QWidget, at: QPoint) -> QPoint:
        return widget.mapToGlobal(at)

    def _tool_buttons(self) -> list[QToolButton]:
        return [button for button in self.window.findChildren(QToolButton) if button.isVisible()]

    def _dialog(self) -> QDialog | None:
        """The uppermost."""
        return next(reversed(self._dialogs()), None)

    def _dialogs(self) -> list[QDialog]:
        """From the lowest to the uppermost: the modal one."""
        shown = [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, QDialog)]
        modal = QApplication.activeModalWidget()
        return sorted((widget for widget in shown if widget.isVisible()), key=lambda widget: widget is modal)

    def _focus(self) -> QWidget:
        """A dialog that was shown just now may not have it yet: the keys are meant for it all the same."""
        shown, focus = self._dialog() or self.window, QApplication.focusWidget()
        return focus if focus is not None and focus.window() is shown else shown.focusWidget() or shown

    def _serve(self, wanted: tuple["Future[object]", Callable[[], object]]) -> None:
        future, work = wanted
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - it is raised again in the thread that asked
            future.set_exception(error)

    def _measure(self, on: bool) -> None:
        self._measuring, self._beat_at = on, time.monotonic()

    def _on_beat(self) -> None:
        now = time.monotonic()
        if self._measuring:
            self.longest_gap_s = max(self.longest_gap_s, now - self._beat_at)
        self._beat_at = now
