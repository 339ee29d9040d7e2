"""A compared disk as one strip, coloured by what became of its blocks, partitions below."""

from collections.abc import Iterable

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from snapgui.images.disk_map import Part
from snapgui.ui.block_words import offset_words, part_words, place_words
from snapgui.ui.disk_view import ALIKE, DIFFERING, DiskView
from snapgui.ui.strip import BAR, GAP, Strip
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import size_words, tr

SEEN = 0.35
"""However little of a column differs: so much of its height shows it."""
NARROWEST_NAME = 32
_LOOKS = {
    Part.UNCHANGED: (Role.EDGE, Qt.BrushStyle.SolidPattern),
    Part.NEVER: (Role.HAIRLINE, Qt.BrushStyle.SolidPattern),
    Part.ONLY_BEFORE: (Role.LOSS, Qt.BrushStyle.BDiagPattern),
    Part.ONLY_AFTER: (Role.GOOD, Qt.BrushStyle.FDiagPattern),
    Part.CHANGED: (Role.ACCENT, Qt.BrushStyle.SolidPattern),
}
"""Colours, and for those that are hard to tell apart a pattern."""


class DiskStrip(Strip[DiskView]):
    """What differs between two states of a disk."""

    def describe(self, place: int) -> str:
        """Return what lies at a byte of the disk, as a sentence."""
        if self.view is None:
            return ""
        found = self.view.found_at(place)
        text = tr("{place}: {state}, {size} alike from {start}").format(
            place=offset_words(place),
            state=part_words(found.part),
            size=size_words(found.end - found.start),
            start=offset_words(found.start),
        )
        return text if found.partition is None else f"{text} · {place_words(self.target, found.partition)}"

    def below(self) -> float:
        height = self.fontMetrics().height()
        return BAR + GAP + (height + GAP + 2 if self.view is None or self.view.partitions else 0)

    def paint_columns(self, painter: QPainter, view: DiskView) -> None:
        """Paint what became of the blocks, and the partitions."""
        self._paint_partitions(painter, view)
        ratio = self.devicePixelRatioF()
        columns = max(1, round(self.width() * ratio))
        shares, width = view.shares(columns), self.width() / columns
        differs = shares[:, list(DIFFERING)].sum(axis=1)
        shown = [SEEN + (1 - SEEN) * share if share > 0 else 0.0 for share in differs.tolist()]
        rows = shares.tolist()
        for parts, from_top in ((ALIKE, True), (DIFFERING, False)):
            rects: dict[Part, list[QRectF]] = {part: [] for part in parts}
            for column, (share, height) in enumerate(zip(rows, shown, strict=True)):
                room = (1.0 - height if from_top else height) * BAR
                total = sum(share[part] for part in parts)
                top = 0.0 if from_top else BAR - room
                for part in parts:
                    if share[part] > 0:
                        size = room * share[part] / total
                        rects[part].append(QRectF(column * width, top, width, size))
                        top += size
            for part, found in rects.items():
                _fill(painter, part, found)

    def _paint_partitions(self, painter: QPainter, view: DiskView) -> None:
        height = self.fontMetrics().height()
        top = BAR + GAP
        for partition in view.partitions:
            left, right = self._x(partition.start), self._x(partition.end)
            if right < 0 or left > self.width():
                continue
            left, right = max(-2.0, left), min(self.width() + 2.0, right)
            box = QRectF(left + 0.5, top, max(1.0, right - left - 1.5), height + 2)
            painter.setPen(QPen(color(Role.EDGE), 1))
            painter.setBrush(color(Role.CARD))
            painter.drawRect(box)
            if box.width() >= NARROWEST_NAME:
                text = place_words(self.target, partition)
                room = box.adjusted(4, 0, -4, 0)
                painter.setPen(self.palette().text().color())
                shown = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(room.width()))
                painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)


class Swatch(QWidget):
    """A little piece of the strip, for the legend."""

    def __init__(self, part: Part, parent: QWidget) -> None:
        super().__init__(parent)
        self._part = part
        self.setFixedSize(16, 12)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        _fill(painter, self._part, [QRectF(self.rect())])
        painter.setPen(QPen(color(Role.CARD_BORDER), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()


def _fill(painter: QPainter, part: Part, rects: Iterable[QRectF]) -> None:
    role, pattern = _LOOKS[part]
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color(role))
    found = list(rects)
    painter.drawRects(found)
    if pattern is not Qt.BrushStyle.SolidPattern:
        painter.setBrush(QBrush(color(Role.CARD), pattern))
        painter.drawRects(found)
