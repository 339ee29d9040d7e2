"""The guest's screens of two snapshots side by side."""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from snapgui.ui.compare_page import MARGIN
from snapgui.ui.elided_label import ElidedLabel
from snapgui.ui.sides import Pair
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import tr


class ScreensPage(QWidget):
    """Two pictures, as large as there is room, both in the same scale."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.pictures = (Picture(self), Picture(self))
        self._captions = (ElidedLabel(self), ElidedLabel(self))
        box = QHBoxLayout(self)
        box.setContentsMargins(MARGIN, 12, MARGIN, MARGIN)
        box.setSpacing(12)
        for picture, caption in zip(self.pictures, self._captions, strict=True):
            column = QVBoxLayout()
            column.addWidget(caption)
            column.addWidget(picture, 1)
            box.addLayout(column, 1)

    def show_screens(self, pair: Pair, images: tuple[QImage, QImage]) -> None:
        """Show the two pictures of a pair."""
        sides = (pair.before, pair.after)
        for picture, caption, side, image in zip(self.pictures, self._captions, sides, images, strict=True):
            caption.set_text(side.words)
            picture.set_image(image, tr("Screen at {snapshot}").format(snapshot=side.words))


class Picture(QWidget):
    """One picture, never larger than it is."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.image = QImage()

    def set_image(self, image: QImage, spoken: str) -> None:
        """Show another picture."""
        self.image = image
        self.setAccessibleName(spoken)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(400, 300)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), color(Role.SCREEN))
        if not self.image.isNull():
            size = self.image.size()
            if size.width() > self.width() or size.height() > self.height():
                size = size.scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
            left, top = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
            painter.drawImage(QRectF(left, top, size.width(), size.height()), self.image)
        painter.end()
