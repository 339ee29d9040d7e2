"""Pictures of the window with its dialogs. The tour's screen has no desktop: frames and the pointer are painted."""

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPolygon
from PySide6.QtWidgets import QDialog, QWidget

TITLE_HEIGHT = 30
FRAME, TITLE, WORDS = QColor("#8a919c"), QColor("#e4e7ec"), QColor("#1f2430")
POINTER = ((0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12))
"""Corners of the arrow, in pixels from its tip."""


def paint(window: QWidget, dialogs: Sequence[QDialog], pointer: QPoint | None = None) -> QImage:
    """Return a picture of the window and its dialogs, from the lowest to the uppermost; ``pointer`` on the screen."""
    picture = window.grab()
    painter = QPainter(picture)
    origin = window.mapToGlobal(QPoint(0, 0))
    for dialog in dialogs:
        place = dialog.mapToGlobal(QPoint(0, 0)) - origin
        _frame(painter, QRect(place, dialog.size()), dialog)
        painter.drawPixmap(place, dialog.grab())
    if pointer is not None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.GlobalColor.white)
        painter.setBrush(Qt.GlobalColor.black)
        painter.drawPolygon(QPolygon([pointer - origin + QPoint(x, y) for x, y in POINTER]))
    painter.end()
    return picture.toImage()


def _frame(painter: QPainter, inside: QRect, dialog: QDialog) -> None:
    bar = QRect(inside.left(), inside.top() - TITLE_HEIGHT, inside.width(), TITLE_HEIGHT)
    painter.fillRect(bar, TITLE)
    painter.setPen(FRAME)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(inside.united(bar).adjusted(-1, -1, 0, 0))
    font = QFont(dialog.font())
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(WORDS)
    painter.drawText(bar, Qt.AlignmentFlag.AlignCenter, dialog.windowTitle())
