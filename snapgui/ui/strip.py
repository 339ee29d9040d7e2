"""A disk as one strip, zoomed and moved like a map; what it shows of the disk is up to those that are made of it."""

from typing import Generic, TypeVar

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from snapgui.ui.theme import Role, color
from snapgui.ui.viewport import Viewport
from snapgui.ui.wording import plain_tip, size_words, tr

BAR, GAP = 56, 4
"""Pixels: height of the strip, distance to what lies below it."""
ZOOM_STEP = 1.5
PAN_SHARE = 0.02
"""Of what is shown, per press of an arrow key."""
View = TypeVar("View", bound=Viewport)


class Strip(QWidget, Generic[View]):
    """``pointed``: a sentence about the place under the cursor, which the arrow keys move, too."""

    pointed = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.view: View | None = None
        self.target = ""
        self.cursor_place = 0
        self._pressed: tuple[float, float] | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(400, round(self.below()) + self.fontMetrics().height() + 4)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, self.sizeHint().height())

    def show_disk(self, target: str, view: View | None, summary: str) -> None:
        """Show another disk; ``summary`` is what a screen reader hears of it."""
        self.target, self.view, self.cursor_place = target, view, 0
        self.setAccessibleName(tr("Map of disk {disk}").format(disk=target))
        self.setAccessibleDescription(summary)
        self.update()

    def go_to(self, place: int, length: int = 0) -> None:
        """Move the cursor, and show what lies around it."""
        if self.view is None:
            return
        self.cursor_place = min(max(0, place), self.view.capacity - 1)
        if length:
            self.view.show(place, length)
        else:
            self.view.reveal(self.cursor_place)
        self._tell()

    def zoom(self, factor: float, place: float | None = None) -> None:
        """Show more or less around a byte, by default that of the cursor."""
        if self.view is not None:
            self.view.zoom(factor, self.cursor_place if place is None else place)
            self.update()

    def whole(self) -> None:
        """Show the whole disk."""
        if self.view is not None:
            self.view.whole()
            self.update()

    # for those that are made of it

    def describe(self, place: int) -> str:
        """Return what lies at a byte of the disk, as a sentence."""
        raise NotImplementedError

    def below(self) -> float:
        """Return where the scale is drawn: pixels from the top."""
        return BAR + GAP

    def paint_columns(self, painter: QPainter, view: View) -> None:
        """Paint what is shown of the disk."""
        raise NotImplementedError

    # what users do

    def wheelEvent(self, event: QWheelEvent) -> None:
        steps = event.angleDelta().y() / 120
        if self.view is None or not steps:
            event.ignore()
            return
        self.zoom(ZOOM_STEP**steps, self._place(event.position().x()))
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.view is not None and event.button() is Qt.MouseButton.LeftButton:
            self._pressed = (event.position().x(), self.view.start)
            self.go_to(int(self._place(event.position().x())))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.view is None:
            return
        if self._pressed is not None:
            x, start = self._pressed
            self.view.move_to(start - (event.position().x() - x) * self.view.span / max(1, self.width()))
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self.update()

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._pressed = None
        self.unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.zoom(ZOOM_STEP**3, self._place(event.position().x()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        view, keys = self.view, Qt.Key
        if view is None:
            return
        jump = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        key = event.key()
        if key in {keys.Key_Left, keys.Key_Right}:
            self._step(1 if key == keys.Key_Right else -1, jump=jump)
        elif key in {keys.Key_Plus, keys.Key_Equal}:
            self.zoom(ZOOM_STEP)
        elif key == keys.Key_Minus:
            self.zoom(1 / ZOOM_STEP)
        elif key == keys.Key_0:
            self.whole()
        elif key in {keys.Key_Home, keys.Key_End}:
            self.go_to(0 if key == keys.Key_Home else view.capacity - 1)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self.view is not None:
            text = self.describe(int(self._place(event.pos().x())))
            QToolTip.showText(event.globalPos(), plain_tip(text), self)
            return True
        return super().event(event)

    def _step(self, direction: int, *, jump: bool) -> None:
        if self.view is None:
            return
        if jump:
            place = self.view.next_stop(self.cursor_place, direction)
            if place is not None:
                self.go_to(place)
            return
        self.go_to(int(self.cursor_place + direction * max(512.0, self.view.span * PAN_SHARE)))

    def _tell(self) -> None:
        text = self.describe(self.cursor_place)
        self.pointed.emit(text)
        self.setAccessibleDescription(text)
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))
        self.update()

    def _place(self, x: float) -> float:
        view = self.view
        return 0.0 if view is None else view.start + view.span * min(max(0.0, x / max(1, self.width())), 1.0)

    def _x(self, place: float) -> float:
        view = self.view
        return 0.0 if view is None else (place - view.start) / view.span * self.width()

    # the picture

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        bar = QRectF(0, 0, self.width(), BAR)
        painter.fillRect(bar, color(Role.HAIRLINE))
        if self.view is not None:
            self.paint_columns(painter, self.view)
            self._paint_cursor(painter)
            self._paint_scale(painter, self.view)
        if self.hasFocus():
            painter.setPen(QPen(color(Role.ACCENT), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(bar.adjusted(1, 1, -1, -1))
        painter.end()

    def cursor_shown(self) -> bool:
        """Return whether the cursor is to be seen."""
        return self.hasFocus()

    def _paint_cursor(self, painter: QPainter) -> None:
        if self.cursor_shown():
            x = round(self._x(self.cursor_place)) + 0.5
            painter.setPen(QPen(self.palette().text().color(), 1))
            painter.drawLine(QPointF(x, 0), QPointF(x, BAR))

    def _paint_scale(self, painter: QPainter, view: Viewport) -> None:
        room = QRectF(0, self.below(), self.width(), self.fontMetrics().height())
        painter.setPen(color(Role.MUTED))
        end = int(view.start + view.span)
        for text, side in (
            (_scale_words(int(view.start)), Qt.AlignmentFlag.AlignLeft),
            (_scale_words(end), Qt.AlignmentFlag.AlignRight),
        ):
            painter.drawText(room, side | Qt.AlignmentFlag.AlignTop, text)
        if view.span < view.capacity:
            shown = tr("{size} of {capacity} shown").format(
                size=size_words(int(view.span)), capacity=size_words(view.capacity)
            )
            painter.drawText(room, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, shown)


def _scale_words(place: int) -> str:
    return size_words(place) if place else "0"


def point_of(strip: Strip[View], place: int) -> QPoint:
    """Return where a byte of the disk is drawn."""
    return QPoint(round(strip._x(place)), BAR // 2)  # noqa: SLF001 - of this file
