"""The phases of a step side by side: done, active, or to come, each with a mark and its word."""

from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from snapgui.model.progress import Phase
from snapgui.ui.wording import plain_label, tr, words

DONE, ACTIVE, TO_COME, BROKEN = "✓", "●", "○", "✗"
SPACING = 16


class LessonSteps(QWidget):
    """Where there is no room for all words, only the active phase has one; the others keep theirs as tooltips."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._count = plain_label("", self, "muted")
        self.labels: list[QLabel] = []
        self._phases: tuple[tuple[Phase, str], ...] = ()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(SPACING)
        self._row.addWidget(self._count)
        self._row.addStretch(1)

    def show_phases(self, phases: tuple[tuple[Phase, str], ...], count: str) -> None:
        """Show phases with their marks; ``count`` says which step of several this is."""
        self._phases = phases
        self._count.setText(count)
        self._count.setVisible(bool(count))
        while len(self.labels) > len(phases):
            self.labels.pop().deleteLater()
        while len(self.labels) < len(phases):
            label = plain_label("", self)
            self.labels.append(label)
            self._row.insertWidget(self._row.count() - 1, label)
        self._update()

    def _update(self) -> None:
        wide = self._width() <= self.width()
        for label, (phase, mark) in zip(self.labels, self._phases, strict=True):
            word = words(phase.text)
            active = mark in {ACTIVE, BROKEN}
            label.setText(f"{mark} {word}" if wide or active else mark)
            label.setToolTip(word)
            label.setAccessibleName(f"{word}: {_mark_words(mark)}")
            label.setObjectName({DONE: "good", ACTIVE: "", BROKEN: "loss"}.get(mark, "muted"))
            label.style().polish(label)  # which puts back the font
            font = self.font()
            font.setBold(active)
            label.setFont(font)

    def _width(self) -> int:
        font = self.font()
        font.setBold(True)
        metrics = QFontMetrics(font)
        texts = [f"{mark} {words(phase.text)}" for phase, mark in self._phases]
        return sum(metrics.horizontalAdvance(text) + SPACING for text in (*texts, self._count.text()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._update()


def _mark_words(mark: str) -> str:
    return {DONE: tr("done"), ACTIVE: tr("happens now"), BROKEN: tr("did not come to its end")}.get(mark, tr("to come"))
