"""The storage picture of one disk while something happens to it: small cards, and arrows that light up."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QWidget

from snapgui.operations.sketch import Arrow, Being, Flow, Picture, Sort
from snapgui.ui.arrows import HEAD, draw_arrow, draw_head
from snapgui.ui.lesson_card import LessonCard
from snapgui.ui.picture_row import clear
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import words

UPPER_Y, LOWER_Y = 20, 44
"""Pixels from the top of the cards to the arrows: reads, and all else."""
GAP, CURVE_ROOM, CURVE_IN = 14, 24, 24
"""Pixels beside the words of an arrow, below the cards for a curve, and of its bend."""


class LessonPicture(QWidget):
    """Cards keep their places while the same parts are shown, so that what is new comes between them."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.cards: list[LessonCard] = []
        self.picture = Picture((), ())
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, CURVE_ROOM)
        self._room = 0

    def show_picture(self, picture: Picture) -> None:
        """Show another picture, or the same at another time."""
        if picture == self.picture:
            return
        if [(piece.key, piece.sort) for piece in picture.pieces] != [(c.piece.key, c.piece.sort) for c in self.cards]:
            self._build(picture)
        for card, piece in zip(self.cards, picture.pieces, strict=True):
            card.show_piece(piece)
        self.picture = picture
        self.update()

    def fit(self, room: int) -> None:
        """Be no wider than so many pixels, if that can be: with shorter arrows, of which only some have words."""
        if room != self._room:
            self._room = room
            self._arrange()

    @property
    def lit_cards(self) -> list[LessonCard]:
        """The cards of what is worked on."""
        return [card for card in self.cards if card.piece.lit]

    def _build(self, picture: Picture) -> None:
        clear(self._row, self.cards)
        self.cards = [LessonCard(piece, self) for piece in picture.pieces]
        for card in self.cards:
            self._row.addWidget(card, 0, Qt.AlignmentFlag.AlignTop)
        self._row.addStretch(1)
        self._arrange()

    def _arrange(self) -> None:
        for tight in (False, True):
            flows = (Flow.READS, Flow.WRITES) if tight else tuple(Flow)
            self._row.setSpacing(max(self.fontMetrics().horizontalAdvance(words(flow.text)) for flow in flows) + GAP)
            for card in self.cards:
                card.tighten(tight)
            if self.sizeHint().width() <= self._room:
                break
        self.adjustSize()  # arrows are drawn between places that are known
        self._row.activate()

    # arrows

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for arrow in sorted(self.picture.arrows, key=lambda arrow: arrow.lit):
            start, end = self._card(arrow.start), self._card(arrow.end)
            if arrow.flow is Flow.MERGES or self._between(start, end):
                self._curve(painter, start, end, arrow)
            else:
                self._level(painter, start, end, arrow)
        painter.end()

    def _card(self, key: str) -> LessonCard:
        return next(card for card in self.cards if card.piece.key == key)

    def _between(self, one: LessonCard, other: LessonCard) -> bool:
        """Whether there is a card between two others."""
        first, last = sorted((self.cards.index(one), self.cards.index(other)))
        return any(card.piece.being is not Being.COMING for card in self.cards[first + 1 : last])

    def _level(self, painter: QPainter, start: LessonCard, end: LessonCard, arrow: Arrow) -> None:
        guest = Sort.GUEST in {start.piece.sort, end.piece.sort}
        y = LOWER_Y if guest and arrow.flow is not Flow.READS else UPPER_Y
        left, right = (start, end) if start.x() < end.x() else (end, start)
        points = QPointF(left.geometry().right() + 4, y), QPointF(right.geometry().left() - 3, y)
        begin, tip = points if left is start else points[::-1]
        draw_arrow(painter, begin, tip, words(arrow.flow.text), lit=arrow.lit)

    def _curve(self, painter: QPainter, start: LessonCard, end: LessonCard, arrow: Arrow) -> None:
        role = Role.ACCENT if arrow.lit else Role.EDGE
        begin = QPointF(start.geometry().center().x(), start.geometry().bottom() + 3)
        tip = QPointF(end.geometry().center().x(), end.geometry().bottom() + 4)
        bend = CURVE_IN if tip.x() > begin.x() else -CURVE_IN
        low = float(start.geometry().bottom() + CURVE_ROOM - 4)
        path = QPainterPath(begin)
        path.cubicTo(QPointF(begin.x(), low), QPointF(begin.x(), low), QPointF(begin.x() + bend, low))
        path.lineTo(QPointF(tip.x() - bend, low))
        path.cubicTo(QPointF(tip.x(), low), QPointF(tip.x(), low), tip + QPointF(0, HEAD))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(color(role), 2.5 if arrow.lit else 1.5))
        painter.drawPath(path)
        draw_head(painter, tip, QPointF(0, -1), role)
        painter.setPen(color(Role.ACCENT if arrow.lit else Role.MUTED))
        height = painter.fontMetrics().height()
        room = QRectF(min(begin.x(), tip.x()), low - height - 1, abs(tip.x() - begin.x()), height)
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, words(arrow.flow.text))
