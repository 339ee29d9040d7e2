"""A disk as one strip: which image of the chain answers a read of which part. Pointing at a place follows it."""

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QCursor, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QWidget

from snapgui.images.block_map import BlockMap
from snapgui.operations.block_following import follow
from snapgui.operations.stored import StoredDisk
from snapgui.ui.block_words import offset_words
from snapgui.ui.layer_look import fill_layer
from snapgui.ui.strip import BAR, Strip
from snapgui.ui.theme import Role, color
from snapgui.ui.viewport import Viewport
from snapgui.ui.wording import tr, words

LEAST = 0.06
"""However little of a column an image answers: so much of its height shows it."""


class ServingView(Viewport):
    """A disk that was mapped."""

    def __init__(self, disk: StoredDisk, blocks: BlockMap) -> None:
        super().__init__(blocks.capacity)
        self.disk, self.blocks = disk, blocks

    def next_stop(self, place: int, step: int) -> int | None:
        starts = self.blocks.starts
        if step > 0:
            number = int(np.searchsorted(starts, place, side="right"))
            return int(starts[number]) if number < len(starts) else None
        number = int(np.searchsorted(starts, place, side="left")) - 1
        return int(starts[number]) if number >= 0 else None


class ServingStrip(Strip[ServingView]):
    """``followed`` carries what happens at the place under the pointer or cursor; None for nothing."""

    followed = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.pinned = False
        self.pointed.connect(lambda _text: self._pin())

    def show_serving(self, disk: StoredDisk, summary: str) -> None:
        """Show a disk; one that was not mapped is an empty strip."""
        view = None if disk.blocks is None else ServingView(disk, disk.blocks)
        if view is not None and self.view is not None and view.capacity == self.view.capacity:
            view.start, view.span = self.view.start, self.view.span
        place, pinned = self.cursor_place, self.pinned
        self.show_disk(disk.target, view, summary)
        self.pinned = False
        if pinned and view is not None and place < view.capacity:
            self.follow_at(place)
        elif self.underMouse():
            self._follow_pointer(self.mapFromGlobal(QCursor.pos()).x())

    def follow_at(self, place: int) -> None:
        """Put the cursor at a byte and follow it."""
        self.go_to(place)

    def release(self) -> None:
        """Follow no place any more."""
        self.pinned = False
        self.followed.emit(None)
        self.update()

    def describe(self, place: int) -> str:
        found = None if self.view is None else follow(self.view.disk, place)
        if found is None:
            return ""
        return f"{offset_words(place)}: {' '.join(words(sentence) for sentence in found.sentences)}"

    def cursor_shown(self) -> bool:
        return self.pinned or self.hasFocus()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        if self._pressed is None and not self.pinned:
            self._follow_pointer(event.position().x())

    def leaveEvent(self, _event: QEvent) -> None:
        if not self.pinned:
            self.followed.emit(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.pinned:
            self.release()
            return
        super().keyPressEvent(event)

    def _follow_pointer(self, x: float) -> None:
        if self.view is not None:
            self.followed.emit(follow(self.view.disk, int(self._place(x))))

    def _pin(self) -> None:
        self.pinned = True
        self.followed.emit(None if self.view is None else follow(self.view.disk, self.cursor_place))

    def paint_columns(self, painter: QPainter, view: ServingView) -> None:
        ratio = self.devicePixelRatioF()
        columns = max(1, round(self.width() * ratio))
        shares = view.blocks.shares(view.start, view.start + view.span, columns)
        tall = np.where(shares > 0, np.maximum(shares, LEAST), 0.0)
        tall /= np.maximum(tall.sum(axis=1, keepdims=True), 1e-9)
        tops = np.cumsum(tall, axis=1) - tall
        width = self.width() / columns
        for number in np.flatnonzero(tall.any(axis=0)).tolist():
            rects = [
                QRectF(column * width, float(tops[column, number]) * BAR, width, float(tall[column, number]) * BAR)
                for column in np.flatnonzero(tall[:, number]).tolist()
            ]
            fill_layer(painter, number if number < view.blocks.layers else None, rects)

    def _paint_cursor(self, painter: QPainter) -> None:
        """The place that is followed has a mark that is seen on every colour."""
        if self.cursor_shown():
            x = round(self._x(self.cursor_place)) + 0.5
            painter.setPen(QPen(color(Role.CARD), 3))
            painter.drawLine(QPointF(x, 0), QPointF(x, BAR))
            painter.setPen(QPen(self.palette().text().color(), 1))
            painter.drawLine(QPointF(x, 0), QPointF(x, BAR))


def summary_of(disk: StoredDisk) -> str:
    """Return what a screen reader hears of a disk: how much each image answers."""
    parts = [
        tr("{file} answers {share}").format(
            file=image.path.rpartition("/")[2], share=share_words(image.serves_bytes, disk)
        )
        for image in disk.chain
        if image.serves_bytes is not None
    ]
    return ", ".join(parts)


def share_words(serves: int | None, disk: StoredDisk) -> str:
    """Return a share of a disk in per cent, and never a nought for something."""
    if serves is None or not disk.capacity:
        return ""
    share = 100 * serves / disk.capacity
    if 0 < share < 0.1:  # noqa: PLR2004 - per cent
        return tr("less than 0.1 %")
    return tr("{share} %").format(share=f"{share:.1f}" if share < 10 else f"{share:.0f}")  # noqa: PLR2004
