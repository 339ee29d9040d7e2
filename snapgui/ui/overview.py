"""The overview map in the corner of the graph: all cards as dots, the visible part as a frame to drag."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from snapgui.ui.theme import Role, color

if TYPE_CHECKING:
    from snapgui.ui.graph_view import GraphView

SIZE = QSize(152, 104)
"""The largest it gets; its shape is the tree's."""
MARGIN = 16
INSET = 6.0
ROOMY = 3.5
"""How many times larger than the map the view must be: a map that hides the tree is no help."""


class Overview(QWidget):
    """Shown while the tree is larger than the view, unless the user switched it off."""

    def __init__(self, view: "GraphView") -> None:
        super().__init__(view.viewport())
        self._view = view
        self._picture: QPixmap | None = None
        self.wanted = True
        self.setAccessibleName(view.tr("Overview map"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.hide()

    def place(self) -> None:
        """Go to the corner and decide whether there is anything to oversee."""
        view = self._view
        room, tree = view.viewport().size(), view.geometry_of.size
        scale = self._scale()
        self.setFixedSize(round(tree.width() * scale + 2 * INSET) + 1, round(tree.height() * scale + 2 * INSET) + 1)
        larger = view.horizontalScrollBar().maximum() > 0 or view.verticalScrollBar().maximum() > 0
        roomy = room.width() > self.width() * ROOMY and room.height() > self.height() * ROOMY
        self.setVisible(larger and roomy and self.wanted)
        self.move(room.width() - self.width() - MARGIN, room.height() - self.height() - MARGIN)
        self.update()

    def forget(self) -> None:
        """The tree has changed: draw it anew."""
        self._picture = None
        self.place()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(color(Role.CARD_BORDER), 1))
        painter.setBrush(color(Role.CARD))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        if self._picture is None:
            self._picture = self._draw()
        painter.drawPixmap(0, 0, self._picture)
        frame = self._view.visible_region().intersected(self._view.geometry_of.size)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(color(Role.ACCENT), 1.2))
        painter.drawRect(self._scaled(frame))
        painter.end()

    def _draw(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(self.size() * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color(Role.EDGE))
        painter.drawRects(list(map(self._dots(), (rect for _, rect in self._view.geometry_of.rects()))))
        painter.setBrush(color(Role.GOOD))
        painter.drawRect(self._dots()(self._view.geometry_of.rect(self._view.here())))
        painter.end()
        return picture

    def _dots(self) -> Callable[[QRectF], QRectF]:
        """Return what makes a card a dot; there may be ten thousand of them."""
        scale, metrics = self._scale(), self._view.geometry_of.metrics
        width, height = max(1.5, metrics.width * scale), max(1.5, metrics.height * scale)
        return lambda rect: QRectF(rect.x() * scale + INSET, rect.y() * scale + INSET, width, height)

    def _scale(self) -> float:
        size = self._view.geometry_of.size
        width, height = SIZE.width() - 2 * INSET, SIZE.height() - 2 * INSET
        return min(width / max(1.0, size.width()), height / max(1.0, size.height()))

    def _scaled(self, rect: QRectF) -> QRectF:
        scale = self._scale()
        return QRectF(rect.x() * scale + INSET, rect.y() * scale + INSET, rect.width() * scale, rect.height() * scale)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._go(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event.position())

    def _go(self, point: QPointF) -> None:
        """Centre the view on a point of the map."""
        view, scale = self._view, self._scale()
        there = view.from_graph(QPointF((point.x() - INSET) / scale, (point.y() - INSET) / scale))
        room = view.viewport().size()
        view.horizontalScrollBar().setValue(round(view.horizontalScrollBar().value() + there.x() - room.width() / 2))
        view.verticalScrollBar().setValue(round(view.verticalScrollBar().value() + there.y() - room.height() / 2))
