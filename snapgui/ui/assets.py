"""The project's icons, recoloured from the palette."""

from functools import cache
from importlib.resources import files

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer

SIZES = (16, 20, 24, 32, 40)
"""Pixels; twice 16 and 20 for screens of 200 %."""


def icon(name: str, tint: QColor | None = None) -> QIcon:
    """Return an icon in the colour of the text, or in ``tint``; disabled ones are paler by themselves."""
    palette = QGuiApplication.palette()
    normal = tint or palette.color(QPalette.ColorRole.ButtonText)
    pale = palette.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.ButtonText)
    return _icon(name, normal.name(), pale.name())


def pixmap(name: str, size: int, tint: QColor, ratio: float = 1.0) -> QPixmap:
    """Return one icon as a picture of ``size`` device-independent pixels."""
    return _pixmap(name, round(size * ratio), tint.name(), ratio)


def application_icon() -> QIcon:
    """Return the application's own icon, in its own colours."""
    made = QIcon()
    for size in (16, 24, 32, 48, 64, 128):
        made.addPixmap(_render(_drawing("app", "#000000"), size, 1.0))
    return made


@cache
def _icon(name: str, normal: str, pale: str) -> QIcon:
    made = QIcon()
    for size in SIZES:
        made.addPixmap(_pixmap(name, size, normal, 1.0), QIcon.Mode.Normal)
        made.addPixmap(_pixmap(name, size, pale, 1.0), QIcon.Mode.Disabled)
    return made


@cache
def _pixmap(name: str, size: int, tint: str, ratio: float) -> QPixmap:
    return _render(_drawing(name, tint), size, ratio)


@cache
def _drawing(name: str, tint: str) -> QSvgRenderer:
    return QSvgRenderer(QByteArray(_source(name).replace("#000000", tint).encode()))


@cache
def _source(name: str) -> str:
    return (files("snapgui.resources") / "icons" / f"{name}.svg").read_text(encoding="utf-8")


def _render(drawing: QSvgRenderer, size: int, ratio: float) -> QPixmap:
    made = QPixmap(QSize(size, size))
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    drawing.render(painter, QRectF(0, 0, size, size))
    painter.end()
    made.setDevicePixelRatio(ratio)
    return made
