"""What pictures of a row of cards have in common: a frame in which they scroll sideways, and cards that go away."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QWidget


def sideways(picture: QWidget, parent: QWidget) -> QScrollArea:
    """Return a frame around a picture that may be too wide, and is never too high."""
    frame = QScrollArea(parent)
    frame.setFrameShape(QFrame.Shape.NoFrame)
    frame.setWidgetResizable(True)
    frame.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    frame.setWidget(picture)
    frame.viewport().setAutoFillBackground(False)
    picture.setAutoFillBackground(False)
    return frame


def clear(row: QHBoxLayout, cards: Sequence[QWidget]) -> None:
    """Take cards out of a row, and what else stands in it."""
    for card in cards:
        row.removeWidget(card)
        card.setParent(None)
        card.deleteLater()
    while row.takeAt(0) is not None:
        pass
