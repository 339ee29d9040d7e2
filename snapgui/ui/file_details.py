"""The file that is chosen: what is known about it, what is in it, and the way to get it back."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from snapgui.model.errors import SnapguiError
from snapgui.ui.assets import icon
from snapgui.ui.elided_label import ElidedLabel
from snapgui.ui.file_content_view import FileContentView
from snapgui.ui.file_facts_view import FileFactsView
from snapgui.ui.file_look_loader import FileWanted, PairLook
from snapgui.ui.file_words import safe_short
from snapgui.ui.files_menu import why_no_copy
from snapgui.ui.wording import plain_label, tr

LONGEST_PATH = 1000


class FileDetails(QWidget):
    """``save_wanted``: a copy of the side with that number (0: before, 1: after)."""

    save_wanted = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.path = ElidedLabel(self)
        self.facts = FileFactsView(self)
        self.content = FileContentView(self)
        self.saves = (
            QPushButton(tr("Save a Copy from Before…"), self),
            QPushButton(tr("Save a Copy from After…"), self),
        )
        for number, button in enumerate(self.saves):
            button.clicked.connect(lambda _checked=False, number=number: self.save_wanted.emit(number))
        self._nothing = plain_label(tr("Select a file to see what differs in it."), self, "muted")
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._parts = QStackedWidget(self)
        self._parts.addWidget(self._nothing)
        self._parts.addWidget(self._make_page())
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self._parts)
        self.recolour()

    def show_wanted(self, wanted: FileWanted | None, below: str = "") -> None:
        """Another file is chosen, of which no more is known yet. ``below``: what became of all in a directory."""
        self._parts.setCurrentIndex(int(wanted is not None))
        self.facts.clear()
        self.content.say(below)
        if wanted is None:
            return
        text = safe_short(wanted.path, LONGEST_PATH)
        if wanted.before is not None and wanted.before != wanted.path:
            text = f"{safe_short(wanted.before, LONGEST_PATH)} → {text}"
        self.path.set_text(text)
        for side, (button, path) in enumerate(zip(self.saves, wanted.paths, strict=True)):
            button.setEnabled(path is not None)
            button.setToolTip(why_no_copy(side) if path is None else tr("Write it to this computer, as it was then"))

    def show_look(self, look: PairLook, below: str = "") -> None:
        """Show what was found out."""
        self.facts.show_look(look)
        self.content.show_look(look)
        if below:
            self.content.say(below)

    def show_error(self, error: SnapguiError) -> None:
        """It could not be looked at."""
        self.content.show_error(error)

    def recolour(self) -> None:
        """The scheme was changed."""
        self.content.recolour()
        for button in self.saves:
            button.setIcon(icon("save"))
            button.setIconSize(QSize(16, 16))

    def _make_page(self) -> QWidget:
        page = QWidget(self)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.path, 1)
        for button in self.saves:
            head.addWidget(button)
        parts = QSplitter(Qt.Orientation.Horizontal, page)
        parts.setChildrenCollapsible(False)
        parts.setHandleWidth(1)
        parts.addWidget(self.facts)
        parts.addWidget(self.content)
        parts.setStretchFactor(1, 1)
        parts.setSizes([430, 490])
        self.content.setContentsMargins(8, 0, 0, 0)
        box = QVBoxLayout(page)
        box.setContentsMargins(0, 8, 0, 0)
        box.setSpacing(8)
        box.addLayout(head)
        box.addWidget(parts, 1)
        return page
