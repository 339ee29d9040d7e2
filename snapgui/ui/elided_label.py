"""A label on one line whose text may be of any length."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from snapgui.ui.wording import plain_tip

NARROWEST = 40


class ElidedLabel(QLabel):
    """A bold text, elided in its middle by default, whole in the tooltip and to screen readers.

    ``scale``: of the font.
    """

    def __init__(
        self, parent: QWidget, scale: float = 1.0, *, mode: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle
    ) -> None:
        super().__init__(parent)
        self._whole, self._mode = "", mode
        font = QFont(self.font())
        font.setBold(True)
        font.setPointSizeF(font.pointSizeF() * scale)
        self.setFont(font)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def set_text(self, text: str) -> None:
        """Show another text."""
        self._whole = text
        self.setAccessibleName(text)
        self.setToolTip(plain_tip(text))
        self._elide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        one_line = " ".join(self._whole.split())
        self.setText(self.fontMetrics().elidedText(one_line, self._mode, max(NARROWEST, self.width())))
