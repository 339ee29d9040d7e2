"""The parts of a bar that filters: a text that Escape empties, and buttons with menus that say what was chosen."""

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QActionGroup, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QMenu, QToolButton, QWidget

from snapgui.images.filesystems.filesystem import Kind
from snapgui.model.difference import Change
from snapgui.ui.wording import size_words, tr

LEAST = (0, 4096, 2**20, 10 * 2**20, 100 * 2**20, 2**30)
"""Sizes that can be chosen, in bytes."""
Choice = Change | Kind


class FilterText(QLineEdit):
    """Escape takes the text away, if there is one, before it closes the window."""

    def event(self, event: QEvent) -> bool:
        escape = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if event.type() == QEvent.Type.ShortcutOverride and escape and self.text():
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        else:
            super().keyPressEvent(event)


class Choices(QToolButton):
    """A button with a menu of which several entries may be on; it says how many are."""

    changed = Signal()

    def __init__(self, title: str, choices: "dict[Change, str] | dict[Kind, str]", parent: QWidget) -> None:
        super().__init__(parent)
        self._title = title
        self.setObjectName("choices")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        self._actions = {}
        for each, text in choices.items():
            action = menu.addAction(text)
            action.setCheckable(True)
            action.setChecked(True)
            action.toggled.connect(lambda _on: self._on_toggled())
            self._actions[each] = action
        menu.addSeparator()
        menu.addAction(tr("All")).triggered.connect(lambda _checked=False: self.choose_all())
        self.setMenu(menu)
        self._say()

    @property
    def chosen(self) -> frozenset[Choice]:
        """The entries that are on."""
        return frozenset(each for each, action in self._actions.items() if action.isChecked())

    def choose_all(self) -> None:
        """Switch all on."""
        if len(self.chosen) < len(self._actions):
            for action in self._actions.values():
                action.blockSignals(True)
                action.setChecked(True)
                action.blockSignals(False)
            self._on_toggled()

    def _on_toggled(self) -> None:
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        count, all_ = len(self.chosen), len(self._actions)
        self.setText(
            tr("{title}: all").format(title=self._title)
            if count == all_
            else tr("{title}: {count} of {all}").format(title=self._title, count=count, all=all_)
        )


class SizeChoice(QToolButton):
    """A button with a menu of sizes, of which one is chosen."""

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.bytes = 0
        self.setObjectName("choices")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu, group = QMenu(self), QActionGroup(self)
        self._actions = {}
        for least in LEAST:
            action = menu.addAction(_size(least))
            action.setCheckable(True)
            action.setActionGroup(group)
            action.triggered.connect(lambda _checked=False, least=least: self.choose(least))
            self._actions[least] = action
        self.setMenu(menu)
        self.choose(0)

    def choose(self, least: int) -> None:
        """Choose a size in bytes; 0 for any."""
        different, self.bytes = least != self.bytes, least
        self._actions[least].setChecked(True)
        self.setText(_size(least))
        if different:
            self.changed.emit()


def _size(least: int) -> str:
    return tr("At least {size}").format(size=size_words(least)) if least else tr("Any size")
