"""One level of a comparison: waiting for its result, or the result, or what went wrong and a way to try again."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from snapgui.model.errors import SnapguiError
from snapgui.ui.assets import pixmap
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import plain_label, plain_tip, tr, words

MARGIN = 16
NARROW = 320


class ComparePage(QStackedWidget):
    """``again``: the user wants to try once more; ``cancelled``: wants to wait no longer."""

    again = Signal()
    cancelled = Signal()

    def __init__(self, content: QWidget, waiting: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._content = content
        self._waiting = self._make_waiting(waiting)
        self._failed = self._make_failed()
        for part in (self._waiting, self._failed, content):
            self.addWidget(part)
        self.show_waiting()

    @property
    def settled(self) -> bool:
        """Whether a result is shown."""
        return self.currentWidget() is self._content

    @property
    def error(self) -> str:
        """The error that is shown; empty for none."""
        return self._sentence.text() if self.currentWidget() is self._failed else ""

    def show_waiting(self) -> None:
        """Nothing is known yet."""
        self.setCurrentWidget(self._waiting)

    def show_content(self) -> None:
        """The result is there."""
        self.setCurrentWidget(self._content)

    def show_error(self, error: SnapguiError) -> None:
        """Say what went wrong."""
        self._mark.setPixmap(pixmap("error", 20, color(Role.LOSS), self.devicePixelRatioF()))
        self._title.setText(words(error.title))
        self._sentence.setText(words(error.text))
        self._sentence.setToolTip(plain_tip(error.detail) if error.detail else "")
        self.setCurrentWidget(self._failed)

    def _make_waiting(self, text: str) -> QWidget:
        page = QWidget(self)
        bar = QProgressBar(page)
        bar.setRange(0, 0)
        bar.setTextVisible(False)
        bar.setFixedWidth(NARROW)
        bar.setAccessibleName(text)
        cancel = QPushButton(tr("Cancel"), page)
        cancel.clicked.connect(self.cancelled)
        _middle(page, plain_label(text, page, "muted"), bar, cancel)
        return page

    def _make_failed(self) -> QWidget:
        page = QWidget(self)
        self._mark = QLabel(page)
        self._title = plain_label("", page, "loss")
        self._sentence = plain_label("", page)
        self._sentence.setWordWrap(True)
        self._sentence.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._sentence.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self._sentence.setMinimumWidth(NARROW)
        button = QPushButton(tr("Try Again"), page)
        button.clicked.connect(self.again)
        _middle(page, self._mark, self._title, self._sentence, button)
        return page


def _middle(page: QWidget, *parts: QWidget) -> None:
    box = QVBoxLayout(page)
    box.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
    box.setSpacing(12)
    box.addStretch(2)
    for part in parts:
        if isinstance(part, QLabel) and part.wordWrap():
            box.addWidget(part)  # else its height is that of one narrow column
        else:
            box.addWidget(part, 0, Qt.AlignmentFlag.AlignHCenter)
    box.addStretch(3)


def row(*parts: QWidget | int) -> QHBoxLayout:
    """Return parts beside each other; a number stands for a stretch."""
    box = QHBoxLayout()
    box.setSpacing(8)
    for part in parts:
        if isinstance(part, int):
            box.addStretch(part)
        else:
            box.addWidget(part)
    return box
