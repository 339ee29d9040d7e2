"""What can be asked of the files that differ: a part of the path, what became of them, what they are, their size."""

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from snapgui.images.filesystems.filesystem import Kind
from snapgui.model.difference import Change
from snapgui.ui.compare_page import row
from snapgui.ui.file_words import change_sign, change_words, kind_words
from snapgui.ui.files_filter import FilesFilter
from snapgui.ui.wording import size_words, tr

TYPING_MS = 200
"""Nothing is looked for before the user stops typing for so long."""
LEAST = (0, 4096, 2**20, 10 * 2**20, 100 * 2**20, 2**30)
"""Sizes that can be chosen, in bytes."""
Choice = Change | Kind


class FilesFilterBar(QWidget):
    """``changed``: another filter; ``flat_toggled``: as a tree or as a list."""

    changed = Signal()
    flat_toggled = Signal(bool)

    def __init__(self, parent: QWidget, *, flat: bool) -> None:
        super().__init__(parent)
        self.text = FilterText(self)
        self.text.setPlaceholderText(tr("Filter by name or path, or a pattern with * and ?"))
        self.text.setAccessibleName(tr("Filter by path"))
        self.text.setToolTip(tr("Ctrl+F"))
        self.text.setClearButtonEnabled(True)
        self.changes = _Choices(
            tr("Changes"), {each: f"{change_sign(each)[0]} {change_words(each)}" for each in Change}, self
        )
        self.kinds = _Choices(tr("Kinds"), {each: kind_words(each) for each in Kind}, self)
        self.least = QComboBox(self)
        self.least.setAccessibleName(tr("Least size"))
        for least in LEAST:
            self.least.addItem(tr("At least {size}").format(size=size_words(least)) if least else tr("Any size"), least)
        self.substance = QCheckBox(tr("Hide metadata-only"), self)
        self.substance.setToolTip(tr("Hide files of which only mode, owner, time, attributes or flags differ"))
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(TYPING_MS)
        self._typing.timeout.connect(self.changed)
        self.text.textChanged.connect(lambda _text: self._typing.start())
        self.changes.changed.connect(self.changed)
        self.kinds.changed.connect(self.changed)
        self.least.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self.substance.toggled.connect(lambda _on: self.changed.emit())
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        first = QHBoxLayout()
        first.setSpacing(8)
        first.addLayout(self._make_segments(flat))
        first.addWidget(self.text, 1)
        box.addLayout(first)
        box.addLayout(row(self.changes, self.kinds, self.least, self.substance, 1))

    @property
    def filter(self) -> FilesFilter:
        """What is asked for."""
        return FilesFilter(
            text=self.text.text(),
            changes=frozenset(each for each in self.changes.chosen if isinstance(each, Change)),
            kinds=frozenset(each for each in self.kinds.chosen if isinstance(each, Kind)),
            least=int(self.least.currentData()),
            substance=self.substance.isChecked(),
        )

    def reset(self) -> None:
        """Ask for everything."""
        self.text.clear()
        self.changes.choose_all()
        self.kinds.choose_all()
        self.least.setCurrentIndex(0)
        self.substance.setChecked(False)
        self._typing.stop()
        self.changed.emit()

    def _make_segments(self, flat: bool) -> QHBoxLayout:
        self._shapes = QButtonGroup(self)
        for number, (text, tip) in enumerate(
            ((tr("Tree"), tr("By directory, with sums")), (tr("List"), tr("All files in one list")))
        ):
            button = QToolButton(self)
            button.setObjectName("segment")
            button.setProperty("place", "last" if number else "first")
            button.setText(text)
            button.setToolTip(tip)
            button.setCheckable(True)
            self._shapes.addButton(button, number)
        self._shapes.button(int(flat)).setChecked(True)
        self._shapes.idToggled.connect(self._on_shape)
        box = row(*self._shapes.buttons())
        box.setSpacing(0)
        return box

    def _on_shape(self, number: int, on: bool) -> None:
        if on:
            self.flat_toggled.emit(bool(number))


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


class _Choices(QToolButton):
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
