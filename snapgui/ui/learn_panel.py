"""“What is happening?”: what a job does to the files of the VM, phase by phase, on the picture of its own disk."""

from PySide6.QtCore import QRectF, Signal
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from snapgui.model.progress import Phase
from snapgui.operations.lesson import Lesson
from snapgui.operations.scene import Scene
from snapgui.ui.elided_lines import ElidedLines
from snapgui.ui.jobs import Job, JobState
from snapgui.ui.lesson_picture import LessonPicture
from snapgui.ui.lesson_steps import ACTIVE, BROKEN, DONE, TO_COME, LessonSteps
from snapgui.ui.pause_banner import STAYS_MS
from snapgui.ui.picture_row import sideways
from snapgui.ui.theme import Role, color
from snapgui.ui.timers import once_after
from snapgui.ui.wording import plain_label, tr, words

LEAST_HEIGHT = 520
"""Pixels of the pane under which there is no room for the picture."""
EDGE, LINES = 12, 2
"""Pixels at both sides; lines that a sentence may take."""


class LearnPanel(QWidget):
    """Shows one job; stays a few seconds after its end. ``closed`` when the user does not want to see it any more."""

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job: Job | None = None
        self._roomy = True
        self.setAccessibleName(tr("What is happening?"))
        title = plain_label(tr("What is happening?"), self)
        font = QFont(title.font())
        font.setBold(True)
        title.setFont(font)
        self._disk = plain_label("", self, "muted")
        self.close_button = QPushButton(tr("Do Not Show This"), self)
        self.close_button.setFlat(True)
        self.close_button.setToolTip(tr("It comes back with “What Is Happening?” in the View menu"))
        self.close_button.clicked.connect(self.closed)
        self.steps = LessonSteps(self)
        self.picture = LessonPicture(self)
        self._frame = sideways(self.picture, self)
        self.sentence = ElidedLines(LINES, self)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(title)
        top.addWidget(self._disk, 1)
        top.addWidget(self.close_button)
        box = QVBoxLayout(self)
        box.setContentsMargins(EDGE, 6, EDGE, 8)
        box.setSpacing(4)
        box.addLayout(top)
        for part in (self.steps, self._frame, self.sentence):
            box.addWidget(part)
        self._leave = once_after(STAYS_MS, self.dismiss, self)
        self.hide()

    @property
    def job(self) -> Job | None:
        """The job that is shown."""
        return self._job

    def show_job(self, job: Job) -> None:
        """Show what a job is doing; a job that ended before it told anything, or teaches nothing, is not shown."""
        lesson, progress = job.lesson, job.progress
        if lesson is None or progress is None:
            return
        if not job.over:
            self._leave.stop()
        elif self._job is not job or not self._leave.isActive():
            self._leave.start()
        self._job = job
        scene = _scene(job, lesson, progress.step, progress.phase)
        stage = lesson.stages[progress.step - 1]
        several = len(lesson.stages) > 1
        count = tr("Step {number} of {count}").format(number=progress.step, count=len(lesson.stages))
        self.steps.show_phases(_marks(job, stage.step.phases, progress.phase), count if several else "")
        self._disk.setText(_disk_words(lesson))
        self._show_scene(scene, job)
        self.show()

    def dismiss(self) -> None:
        """Go away."""
        self._leave.stop()
        self._job = None
        self.hide()

    def fit(self, height: int) -> None:
        """Leave the picture away where the pane of this height has no room for it beside the tree."""
        self._roomy = height >= LEAST_HEIGHT
        self._frame.setVisible(self._roomy and (self._job is None or _went_well(self._job)))

    def _show_scene(self, scene: Scene, job: Job) -> None:
        self._frame.setVisible(self._roomy and _went_well(job))  # nobody drew what is there after a failure
        self.picture.show_picture(scene.picture)
        self._measure()
        for card in reversed(self.picture.lit_cards):
            self._frame.ensureWidgetVisible(card, 8, 0)
        said = words(scene.sentence) if _went_well(job) else _not_well(job)
        self.sentence.set_text(said)
        self.setAccessibleDescription(said)

    def _measure(self) -> None:
        """A bar takes room only where the picture is wider than there is."""
        room = self.width() - 2 * EDGE
        self.picture.fit(room)
        wanted = self.picture.sizeHint()
        bar = self._frame.horizontalScrollBar().sizeHint().height() if wanted.width() > room else 0
        self._frame.setFixedHeight(wanted.height() + bar)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._measure()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(color(Role.CARD_BORDER), 1))
        painter.setBrush(color(Role.GROUND))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 10, 10)
        painter.end()


def _scene(job: Job, lesson: Lesson, step: int, phase: Phase) -> Scene:
    return lesson.end if job.state is JobState.DONE else lesson.scene(step, phase)


def _marks(job: Job, phases: tuple[Phase, ...], now: Phase) -> tuple[tuple[Phase, str], ...]:
    active = phases.index(now) if now in phases else -1
    marks = []
    for number, phase in enumerate(phases):
        if job.state is JobState.DONE or number < active:
            marks.append((phase, DONE))
        elif number == active:
            marks.append((phase, BROKEN if job.over else ACTIVE))
        else:
            marks.append((phase, TO_COME))
    return tuple(marks)


def _went_well(job: Job) -> bool:
    return not job.over or job.state is JobState.DONE


def _not_well(job: Job) -> str:
    if job.state is JobState.CANCELLED:
        return job.truth()
    return tr("This did not come to its end: {truth}").format(truth=job.truth())


def _disk_words(lesson: Lesson) -> str:
    if not lesson.others:
        return tr("on disk {target}").format(target=lesson.target)
    text = tr("on disk {target}; the same on {count} more")
    return text.format(target=lesson.target, count=lesson.others)
