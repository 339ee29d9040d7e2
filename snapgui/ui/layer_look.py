"""How the images of a chain are told apart, the same in cards and strips: colour, pattern, number; and their lock."""

from collections.abc import Iterable

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from snapgui.ui.assets import pixmap
from snapgui.ui.theme import Role, color

_ROLES = (Role.LAYER_1, Role.LAYER_2, Role.LAYER_3, Role.LAYER_4, Role.LAYER_5)
_PATTERNS = (
    Qt.BrushStyle.SolidPattern,
    Qt.BrushStyle.BDiagPattern,
    Qt.BrushStyle.FDiagPattern,
    Qt.BrushStyle.DiagCrossPattern,
)
"""The first five images are plain, the next five hatched one way, and so on."""


def fill_layer(painter: QPainter, number: int | None, rects: Iterable[QRectF]) -> None:
    """Paint pieces that the image of this number answers, counted from the top; None: nobody does."""
    found = list(rects)
    painter.setPen(Qt.PenStyle.NoPen)
    if number is None:
        painter.setBrush(color(Role.HAIRLINE))
        painter.drawRects(found)
        return
    painter.setBrush(color(_ROLES[number % len(_ROLES)]))
    painter.drawRects(found)
    pattern = _PATTERNS[number // len(_ROLES) % len(_PATTERNS)]
    if pattern is not Qt.BrushStyle.SolidPattern:
        painter.setBrush(QBrush(color(Role.CARD), pattern))
        painter.drawRects(found)


class LayerSwatch(QWidget):
    """A little piece of the strip beside an image's name, with the image's number for those who see no colours."""

    def __init__(self, number: int, parent: QWidget) -> None:
        super().__init__(parent)
        self._number = number
        side = self.fontMetrics().height() + 2
        self.setFixedSize(max(side, self.fontMetrics().horizontalAdvance(str(number + 1)) + 18), side)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        fill_layer(painter, self._number, [box])
        label = QRectF(0, 0, self.fontMetrics().horizontalAdvance(str(self._number + 1)) + 6, self.height() - 4)
        label.moveCenter(box.center())
        painter.setBrush(color(Role.CARD))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawRoundedRect(label, 2, 2)
        painter.setPen(QPen(self.palette().text().color()))
        painter.drawText(label, Qt.AlignmentFlag.AlignCenter, str(self._number + 1))
        painter.end()


class Lock(QWidget):
    """What it stands at cannot be changed; the text beside it says why. ``size``: pixels."""

    def __init__(self, size: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFixedSize(size, size)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.drawPixmap(0, 0, pixmap("lock", self.width(), color(Role.WAIT), self.devicePixelRatioF()))
        painter.end()
