"""The chain of a disk as a picture: guest, active image, and all that reads fall through to; arrows between them."""

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QWidget

from snapgui.operations.block_following import Followed
from snapgui.operations.stored import StoredDisk
from snapgui.ui.arrows import HEAD, draw_arrow, draw_head
from snapgui.ui.image_card import Card, FoldedCard, GuestCard, ImageCard
from snapgui.ui.picture_row import clear
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import tr

MOST_CARDS, SHOWN_FIRST, SHOWN_LAST = 8, 3, 2
"""Longer chains are folded in the middle."""
READ_Y, WRITE_Y = 24, 52
"""Pixels from the top of the cards to the arrows."""
COPY_ROOM = 34
"""Pixels below the cards for the arrow of a copy."""


@dataclass(frozen=True, slots=True)
class Light:
    """What of a picture is lit. ``reads``: up to the image of this number; ``copies``: from that image to the first.

    ``cards`` are numbers of images, or of the guest (-1).
    """

    cards: frozenset[int] = frozenset()
    reads: int | None = None
    writes: bool = False
    copies: int | None = None


GUEST = -1


def light_of(followed: Followed | None) -> Light | None:
    """Return what lights up when a block is followed."""
    if followed is None:
        return None
    cards = {GUEST}
    if followed.reads is not None:
        cards.add(followed.reads)
    if followed.writes is not None:
        cards.add(followed.writes)
    copies = followed.reads if followed.copies else None
    return Light(frozenset(cards), followed.reads, followed.writes is not None, copies)


class ChainPicture(QWidget):
    """``unfolded``: the user wants to see all images of a long chain."""

    unfolded = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.cards: list[Card] = []
        self.disk: StoredDisk | None = None
        self._lit: Light | None = None
        self._all = False
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, COPY_ROOM)
        self._row.setSpacing(self._gap())

    def show_chain(self, disk: StoredDisk, vm: str, snapshot: str | None, *, running: bool) -> None:
        """Show another chain, or the same with other figures."""
        clear(self._row, self.cards)
        self.disk, self._lit = disk, None
        self.cards = [GuestCard(vm, snapshot, running=running, parent=self), *self._images(disk)]
        for card in self.cards:
            self._row.addWidget(card, 0, Qt.AlignmentFlag.AlignTop)
            card.show()
        self._row.addStretch(1)
        self.updateGeometry()
        self.update()

    def light(self, light: Light | None) -> None:
        """Light up what is followed, or nothing."""
        if light == self._lit:
            return
        self._lit = light
        wanted = frozenset() if light is None else light.cards
        for card in self.cards:
            card.light(any(number in wanted for number in _numbers(card)))
        self.update()

    def card_of(self, number: int) -> Card | None:
        """Return the card that shows the image of this number, or into which it is folded."""
        return next((card for card in self.cards if number in _numbers(card)), None)

    def show_all(self) -> None:
        """Fold nothing."""
        self._all = True

    def _images(self, disk: StoredDisk) -> list[Card]:
        count = len(disk.chain)
        if self._all or count <= MOST_CARDS:
            return [ImageCard(disk, number, self) for number in range(count)]
        folded = FoldedCard(SHOWN_FIRST, count - SHOWN_LAST, disk, self)
        folded.unfolded.connect(self.unfolded)
        first = [ImageCard(disk, number, self) for number in range(SHOWN_FIRST)]
        return [*first, folded, *(ImageCard(disk, number, self) for number in range(count - SHOWN_LAST, count))]

    def _gap(self) -> int:
        return (
            max(self.fontMetrics().horizontalAdvance(text) for text in (tr("reads"), tr("writes"), tr("falls through")))
            + 28
        )

    # arrows

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        disk, lit = self.disk, self._lit
        for number, (left, right) in enumerate(zip(self.cards, self.cards[1:], strict=False)):
            nearest = min(_numbers(right))
            reads = lit is not None and lit.reads is not None and lit.reads >= nearest
            words = tr("reads") if number == 0 else tr("falls through")
            self._arrow(painter, left, right, READ_Y, words, lit=reads)
            if number == 0 and disk is not None and disk.written:
                self._arrow(painter, left, right, WRITE_Y, tr("writes"), lit=lit is not None and lit.writes)
        if lit is not None and lit.copies:
            self._copy(painter, lit.copies)
        painter.end()

    def _arrow(self, painter: QPainter, left: Card, right: Card, y: int, words: str, *, lit: bool) -> None:
        start, end = QPointF(left.geometry().right() + 4, y), QPointF(right.geometry().left() - 3, y)
        draw_arrow(painter, start, end, words, lit=lit)

    def _copy(self, painter: QPainter, number: int) -> None:
        """What a first write copies comes up from the image that has it: drawn below the cards."""
        top, source = self.card_of(0), self.card_of(number)
        if top is None or source is None:
            return
        begin = QPointF(source.geometry().center().x(), source.geometry().bottom() + 3)
        end = QPointF(top.geometry().center().x(), top.geometry().bottom() + 4)
        low = self.height() - 6
        path = QPainterPath(begin)
        path.cubicTo(QPointF(begin.x(), low), QPointF(begin.x(), low), QPointF(begin.x() - 24, low))
        path.lineTo(QPointF(end.x() + 24, low))
        path.cubicTo(QPointF(end.x(), low), QPointF(end.x(), low), end + QPointF(0, HEAD))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(color(Role.WAIT), 2.5, Qt.PenStyle.DashLine))
        painter.drawPath(path)
        draw_head(painter, end, QPointF(0, -1), Role.WAIT)
        painter.setPen(color(Role.WAIT))
        words = tr("first write copies the block")
        width = self.fontMetrics().horizontalAdvance(words) + 12
        room = QRectF(
            (begin.x() + end.x() - width) / 2, low - self.fontMetrics().height() - 4, width, self.fontMetrics().height()
        )
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, words)


def _numbers(card: Card) -> range:
    """Return which images a card stands for; the guest is the one before the first."""
    if isinstance(card, ImageCard):
        return range(card.number, card.number + 1)
    if isinstance(card, FoldedCard):
        return card.numbers
    return range(GUEST, GUEST + 1)
