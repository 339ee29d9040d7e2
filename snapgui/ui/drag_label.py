"""A label that follows the pointer while something is dragged, and says what a drop would do."""

from enum import Enum

from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from snapgui.ui.assets import pixmap
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import elided_middle, plain_label

WIDEST = 420
AWAY = QPoint(16, 20)
"""From the pointer, in pixels: what lies under it stays visible."""


class Look(Enum):
    """How a sentence looks: icon and colour."""

    POSSIBLE = ("clone", Role.ACCENT)
    COMPARED = ("compare", Role.ACCENT)
    NOT_HERE = ("info", Role.MUTED)
    REFUSED = ("error", Role.LOSS)


class DragLabel(QWidget):
    """Lies over the whole window, so that it is seen where windows cannot place others (Wayland), too."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._window = window
        self._look = Look.NOT_HERE
        self._mark = QLabel(self)
        self._text = plain_label("", self)
        box = QHBoxLayout(self)
        box.setContentsMargins(10, 6, 12, 6)
        box.setSpacing(8)
        box.addWidget(self._mark)
        box.addWidget(self._text)
        self.hide()

    @property
    def text(self) -> str:
        """What is said, whole."""
        return self.accessibleName()

    def say(self, text: str, place: QPoint, look: Look) -> None:
        """Show a sentence beside a point of the window."""
        if (text, look) != (self.text, self._look) or not self.isVisible():
            self._look = look
            self.setAccessibleName(text)
            icon, role = look.value
            self._mark.setPixmap(pixmap(icon, 16, color(role), self.devicePixelRatioF()))
            self._text.setText(elided_middle(text, self._text, WIDEST))
            self.adjustSize()
            self.show()
            self.raise_()
            self.update()
        self.move(self._beside(place))

    def _beside(self, place: QPoint) -> QPoint:
        """At the lower right of the pointer, or at its other side where the window ends."""
        room, there = self._window.rect(), place + AWAY
        if there.x() + self.width() > room.right():
            there.setX(max(0, place.x() - AWAY.x() - self.width()))
        if there.y() + self.height() > room.bottom():
            there.setY(max(0, place.y() - AWAY.y() - self.height()))
        return there

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(color(self._look.value[1]), 1))
        painter.setBrush(color(Role.CARD))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.end()
