"""What can be asked of the files that differ: a part of the path, what became of them, what they are, their size."""

from PySide6.QtCore import QSize, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QButtonGroup,
    QCheckBox,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QWidget,
)

from snapgui.images.filesystems.filesystem import Kind
from snapgui.model.difference import Change
from snapgui.ui.assets import icon
from snapgui.ui.compare_page import row
from snapgui.ui.file_words import change_sign, change_words, kind_words, safe
from snapgui.ui.files_filter import FilesFilter
from snapgui.ui.filter_parts import Choices, FilterText, SizeChoice
from snapgui.ui.wording import elided_middle, tr

TYPING_MS = 200
"""Nothing is looked for before the user stops typing for so long."""
ROOM = 160
"""Pixels that there have to be for what is typed, for all to stand on one line."""
WIDEST = 240
"""Pixels of a path on a button."""


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
        self.changes = Choices(
            tr("Changes"), {each: f"{change_sign(each)[0]} {change_words(each)}" for each in Change}, self
        )
        self.kinds = Choices(tr("Kinds"), {each: kind_words(each) for each in Kind}, self)
        self.least = SizeChoice(self)
        self.folder = -1
        self.where = QPushButton(self)
        self.where.setToolTip(tr("Show all folders again"))
        self.where.clicked.connect(lambda _checked=False: self.look_in(-1, ""))
        self.where.hide()
        self.substance = QCheckBox(tr("Hide metadata-only"), self)
        self.substance.setToolTip(tr("Hide files of which only mode, owner, time, attributes or flags differ"))
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(TYPING_MS)
        self._typing.timeout.connect(self.changed)
        self.text.textChanged.connect(lambda _text: self._typing.start())
        self.changes.changed.connect(self.changed)
        self.kinds.changed.connect(self.changed)
        self.least.changed.connect(self.changed)
        self.substance.toggled.connect(lambda _on: self.changed.emit())
        self._first, self._second = QWidget(self), QWidget(self)
        first, second = QHBoxLayout(self._first), QHBoxLayout(self._second)
        first.addLayout(self._make_segments(flat))
        first.addWidget(self.text, 1)
        for part in (self.changes, self.kinds, self.least, self.substance):
            second.addWidget(part)
        second.addStretch(1)
        self._lines = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._lines.addWidget(self._first, 1)
        self._lines.addWidget(self._second)
        for layout in (first, second, self._lines):
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(8)

    def minimumSizeHint(self) -> QSize:
        """Return the width of one part: where there is no more, they stand below each other."""
        parts = (self._first.minimumSizeHint(), self._second.minimumSizeHint())
        return QSize(max(part.width() for part in parts), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        needed = self._first.minimumSizeHint().width() + self._second.minimumSizeHint().width() + ROOM
        narrow = needed > self.width()
        directions = QBoxLayout.Direction
        self._lines.setDirection(directions.TopToBottom if narrow else directions.LeftToRight)

    @property
    def filter(self) -> FilesFilter:
        """What is asked for."""
        return FilesFilter(
            text=self.text.text(),
            changes=frozenset(each for each in self.changes.chosen if isinstance(each, Change)),
            kinds=frozenset(each for each in self.kinds.chosen if isinstance(each, Kind)),
            least=self.least.bytes,
            substance=self.substance.isChecked(),
            folder=self.folder,
        )

    def look_in(self, folder: int, path: str) -> None:
        """Look for nothing but what lies in a directory, by its number and path; -1 for anywhere."""
        self.folder = folder
        self.where.setText(tr("Only in {path}").format(path=elided_middle(safe(path), self, WIDEST)).replace("&", "&&"))
        self.where.setAccessibleName(tr("Only in {path}, press to show all").format(path=safe(path)))
        self.where.setIcon(icon("cancel"))
        self.where.setVisible(folder >= 0)
        self.changed.emit()

    def reset(self) -> None:
        """Ask for everything."""
        self.text.clear()
        self.changes.choose_all()
        self.kinds.choose_all()
        self.least.choose(0)
        self.substance.setChecked(False)
        self._typing.stop()
        self.look_in(-1, "")

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
