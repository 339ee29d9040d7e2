"""A label of a few lines whose text may be of any length."""

from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent, QTextLayout, QTextOption
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from snapgui.ui.wording import plain_tip


class ElidedLines(QLabel):
    """Breaks anywhere if it must; what does not fit in so many lines is in the tooltip, and told to screen readers."""

    def __init__(self, lines: int, parent: QWidget) -> None:
        super().__init__(parent)
        self._lines, self._whole = lines, ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(lines * self.fontMetrics().lineSpacing())

    def set_text(self, text: str) -> None:
        """Show another text."""
        self._whole = " ".join(text.split())
        self.setAccessibleName(text)
        self.setToolTip(plain_tip(text))
        self._break()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._break()

    def _break(self) -> None:
        layout = QTextLayout(self._whole, self.font())
        option = layout.textOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        starts: list[int] = []
        layout.beginLayout()
        while len(starts) < self._lines and (line := layout.createLine()).isValid():
            line.setLineWidth(max(1, self.width() - 2))
            starts.append(line.textStart())
        layout.endLayout()
        shown = [self._whole[start:end].strip() for start, end in pairwise(starts)]
        if starts:
            last = self._whole[starts[-1] :]
            shown.append(self.fontMetrics().elidedText(last, Qt.TextElideMode.ElideRight, max(1, self.width() - 2)))
        self.setText("\n".join(shown))
