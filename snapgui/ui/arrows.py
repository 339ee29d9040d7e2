"""The arrows of storage pictures: who reads from whom, and where writes and copies go."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QPolygonF

from snapgui.ui.theme import Role, color

HEAD = 7
"""Pixels."""


def draw_arrow(painter: QPainter, start: QPointF, end: QPointF, words: str, *, lit: bool) -> None:
    """Draw a level arrow, to either side, with words above it where there is room for them."""
    role = Role.ACCENT if lit else Role.EDGE
    along = QPointF(1, 0) if end.x() > start.x() else QPointF(-1, 0)
    painter.setPen(QPen(color(role), 2.5 if lit else 1.5))
    painter.drawLine(start, end - along * HEAD)
    draw_head(painter, end, along, role)
    if painter.fontMetrics().horizontalAdvance(words) > abs(end.x() - start.x()):
        return
    painter.setPen(color(Role.ACCENT if lit else Role.MUTED))
    height = painter.fontMetrics().height()
    room = QRectF(min(start.x(), end.x()), start.y() - height - 3, abs(end.x() - start.x()), height)
    painter.drawText(room, Qt.AlignmentFlag.AlignCenter, words)


def draw_head(painter: QPainter, tip: QPointF, along: QPointF, role: Role) -> None:
    """Draw the head of an arrow; ``along`` is its direction, of length 1."""
    across = QPointF(-along.y(), along.x())
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color(role))
    back = tip - along * HEAD * 1.3
    painter.drawPolygon(QPolygonF([tip, back + across * HEAD * 0.7, back - across * HEAD * 0.7]))
