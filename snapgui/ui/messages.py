"""The one road for messages to the user: a bar over the tree that stays until it is closed or replaced."""

from collections.abc import Callable

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from snapgui.model.errors import Cancelled, SnapguiError
from snapgui.ui.assets import icon, pixmap
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import plain_label, tr, words


class MessageBar(QWidget):
    """What happened, in plain text; the technical detail is in the tooltip."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ground = Role.WAIT_SOFT
        self._mark = QLabel(self)
        self._text = plain_label("", self)
        self._text.setWordWrap(True)
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
        self._close = QToolButton(self)
        self._close.setAutoRaise(True)
        self._close.setAccessibleName(tr("Close message"))
        self._close.clicked.connect(self._on_close)
        self._undo = QPushButton(self)
        self._undo.clicked.connect(self._on_undo)
        self._wait = QTimer(self)
        self._wait.setInterval(1000)
        self._wait.timeout.connect(self._on_second)
        self._left = 0
        self._sentence = ""
        self._begin: Callable[[], object] | None = None
        box = QHBoxLayout(self)
        box.setContentsMargins(12, 8, 8, 8)
        box.setSpacing(8)
        box.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        box.addWidget(self._text, 1)
        box.addWidget(self._undo, 0, Qt.AlignmentFlag.AlignTop)
        box.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        self._offer = QPushButton(self)
        self._offer.clicked.connect(self._on_offer)
        self._offered: Callable[[], object] | None = None
        box.insertWidget(2, self._offer, 0, Qt.AlignmentFlag.AlignTop)
        self._undo.hide()
        self._offer.hide()
        self.hide()

    def _on_close(self) -> None:
        self.settle()
        self.hide()

    def error(self, error: SnapguiError) -> None:
        """Show an error; something that the user called off is no error."""
        self.settle()
        calm = isinstance(error, Cancelled)
        self._show(
            "info" if calm else "error", Role.MUTED if calm else Role.LOSS, words(error.title), words(error.text)
        )
        self._ground = Role.WAIT_SOFT if calm else Role.LOSS_SOFT

    def say(self, text: str) -> None:
        """Show a sentence."""
        self.settle()
        self._ground = Role.ACCENT_SOFT
        self._show("info", Role.ACCENT, "", text)

    def offer(self, text: str, button: str, spoken: str, act: Callable[[], object]) -> None:
        """Show a sentence with a button beside it; ``spoken`` is what the button is called to screen readers."""
        self.say(text)
        self._offered = act
        self._offer.setText(button)
        self._offer.setAccessibleName(spoken)
        self._offer.show()

    def announce(self, sentence: str, seconds: int, begin: Callable[[], object]) -> None:
        """Say what will be done in some seconds, with a button that takes it back; then do it."""
        self.settle()
        self._sentence, self._left, self._begin = sentence, seconds, begin
        self._undo.setText(tr("Undo"))
        self._undo.show()
        self._ground = Role.WAIT_SOFT
        self._show("warning", Role.WAIT, "", self._countdown())
        self._wait.start()

    def settle(self) -> None:
        """Do at once what was announced."""
        begin, self._begin = self._begin, None
        self._wait.stop()
        self._undo.hide()
        self._offer.hide()
        if begin is not None:
            self.hide()
            begin()

    @property
    def waiting(self) -> bool:
        """Whether something was announced that has not begun."""
        return self._begin is not None

    def _countdown(self) -> str:
        return tr("{what} in {seconds} s").format(what=self._sentence, seconds=self._left)

    def _on_second(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self.settle()
        else:
            self._text.setText(self._countdown())

    def _on_offer(self) -> None:
        act, self._offered = self._offered, None
        self.hide()
        if act is not None:
            act()

    def _on_undo(self) -> None:
        self._begin = None
        self.settle()
        self.hide()

    @property
    def text(self) -> str:
        """What is shown."""
        return self._text.text()

    def _show(self, mark: str, role: Role, title: str, text: str) -> None:
        self._mark.setPixmap(pixmap(mark, 16, color(role), self.devicePixelRatioF()))
        self._close.setIcon(icon("cancel"))
        whole = f"{title}. {text}" if title else text
        self._text.setText(" ".join(whole.split()))
        self._text.setAccessibleName(whole)
        self.show()
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color(self._ground))
        painter.drawRoundedRect(QRectF(self.rect()), 8, 8)
        painter.end()
