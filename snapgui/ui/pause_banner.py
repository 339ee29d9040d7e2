"""The banner over the graph: the phases of a take or revert as one line, and the guest-pause clock."""

import time

from PySide6.QtCore import QElapsedTimer, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFont, QFontMetricsF, QGuiApplication, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from snapgui.model.progress import LIVE_PHASES, Phase, Progress
from snapgui.ui.elided_label import ElidedLabel
from snapgui.ui.jobs import Job, JobState
from snapgui.ui.theme import Role, color
from snapgui.ui.timers import once_after
from snapgui.ui.wording import plain_label, plain_tip, size_words, tr, words

STAYS_MS = 5_000
CLOCK_MS = 100
TRACK = 4.0
WANDER_S = 1.6
GAP = 8.0
TRUTH_SHARE, LEAST_TRUTH = 0.6, 200
"""How much of the width (pixels at least) an error may take from the title; the list of jobs has more of it."""
ACTIVE_SHARE = 2
"""The active phase is twice as wide: it has numbers to show."""


class PauseBanner(QWidget):
    """Shows one job; stays a few seconds after its end with the truth. ``cancelled`` when the user wants it off."""

    cancelled = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job: Job | None = None
        self._reported = QElapsedTimer()
        self._title = ElidedLabel(self)
        font = self._title.font()
        self._clock = plain_label("", self, "wait")
        large = QFont(font)
        large.setPointSizeF(font.pointSizeF() * 1.15)
        self._clock.setFont(large)
        self._clock.setAccessibleName(tr("Guest pause"))
        self._cancel = QPushButton(tr("Cancel"), self)
        self._cancel.clicked.connect(self._on_cancel)
        self._finish = QPushButton(tr("Finish Now"), self)
        self._finish.setToolTip(tr("Let the guest stand still, so that the save comes to its end"))
        self._finish.clicked.connect(self._on_finish)
        self._note = plain_label("", self, "muted")
        self._phases = _PhaseLine(self)
        top = QHBoxLayout()
        top.setSpacing(16)
        top.addWidget(self._title, 1)
        top.addWidget(self._clock)
        top.addWidget(self._note)
        top.addWidget(self._finish)
        top.addWidget(self._cancel)
        box = QVBoxLayout(self)
        box.setContentsMargins(16, 12, 16, 12)
        box.setSpacing(8)
        box.addLayout(top)
        box.addWidget(self._phases)
        self._tick = QTimer(self)
        self._tick.setInterval(CLOCK_MS)
        self._tick.timeout.connect(self._show_clock)
        self._leave = once_after(STAYS_MS, self.dismiss, self)
        self.hide()

    @property
    def job(self) -> Job | None:
        """The job that is shown."""
        return self._job

    def show_job(self, job: Job) -> None:
        """Show a job, or what has become of it."""
        new = self._job is not job
        self._job = job
        self._reported.restart()
        if job.over:
            self._tick.stop()
            if new or not self._leave.isActive():
                self._leave.start()
        else:
            self._leave.stop()
            self._tick.start()
        self._update(job)
        self.show()

    def dismiss(self) -> None:
        """Go away."""
        self._tick.stop()
        self._leave.stop()
        self._job = None
        self.hide()

    def _update(self, job: Job) -> None:
        self._title.set_text(f"{job.title} · {job.vm_name}")
        self._cancel.setVisible(not job.over)
        self._cancel.setEnabled(not job.cancel.is_set() and self._can_stop(job))
        progress = job.progress
        live = progress is not None and progress.phase is Phase.MEMORY and progress.phases == LIVE_PHASES
        self._finish.setVisible(live and not job.over)
        self._finish.setEnabled(not job.finish.is_set())
        self._note.setText(self._note_of(job))
        self._note.setVisible(bool(self._note.text()))
        self._phases.show_progress(job)
        self._show_clock()
        self.setAccessibleDescription(job.status())
        self.update()

    @staticmethod
    def _can_stop(job: Job) -> bool:
        """Whether cancelling can still keep something from happening."""
        progress = job.progress
        return progress is None or progress.cancellable or progress.step < progress.of

    def _note_of(self, job: Job) -> str:
        if job.over:
            return ""
        if job.cancel.is_set():
            return tr("Stops after this step")
        if job.progress is not None and not job.progress.cancellable and not self._can_stop(job):
            return tr("This step cannot be cancelled")
        return ""

    def _show_clock(self) -> None:
        job = self._job
        if job is None:
            return
        self._phases.update()
        text = ""
        if job.over:
            text = job.truth()
            text = text[:1].upper() + text[1:]
            look = {JobState.DONE: "good", JobState.CANCELLED: "muted"}.get(job.state, "loss")
            self._clock.setObjectName(look)
        elif job.progress is not None:
            text, role = self._running_clock(job.progress)
            self._clock.setObjectName(role)
        self._clock.style().unpolish(self._clock)
        self._clock.style().polish(self._clock)
        self._clock.setToolTip(plain_tip(text))
        room = max(LEAST_TRUTH, int(self.width() * TRUTH_SHARE))
        self._clock.setText(self._clock.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room))

    def _running_clock(self, progress: Progress) -> tuple[str, str]:
        since = self._reported.elapsed() / 1000 if self._reported.isValid() else 0.0
        if progress.guest_is_paused and progress.guest_paused_s is not None:
            seconds = progress.guest_paused_s + since
            return tr("Guest paused {seconds} s").format(seconds=f"{seconds:.1f}"), "wait"
        if Phase.PAUSE in progress.phases or Phase.PROTECT in progress.phases:
            return tr("Guest runs"), "good"
        return tr("{seconds} s").format(seconds=f"{progress.elapsed_s + since:.1f}"), "muted"

    def _on_finish(self) -> None:
        if self._job is not None:
            self._job.finish.set()
            self._update(self._job)

    def _on_cancel(self) -> None:
        if self._job is not None:
            self.cancelled.emit(self._job)
            self._update(self._job)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color(self._ground()))
        painter.drawRoundedRect(QRectF(self.rect()), 10, 10)
        painter.end()

    def _ground(self) -> Role:
        state = JobState.RUNNING if self._job is None else self._job.state
        return {JobState.DONE: Role.GOOD_SOFT, JobState.FAILED: Role.LOSS_SOFT}.get(state, Role.WAIT_SOFT)


class _PhaseLine(QWidget):
    """The phases side by side: done, active (filling where the fraction is known), to come."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._job: Job | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(400, self.fontMetrics().height() + 12)

    def show_progress(self, job: Job) -> None:
        self._job = job
        progress = job.progress
        self.setVisible(progress is not None and len(progress.phases) > 1)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._job is None or self._job.progress is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        progress = self._job.progress
        active = progress.phases.index(progress.phase) if progress.phase in progress.phases else -1
        shares = [
            ACTIVE_SHARE if number == active and not self._job.over else 1 for number in range(len(progress.phases))
        ]
        unit = (self.width() - GAP * (len(shares) - 1)) / sum(shares)
        left = 0.0
        for number, phase in enumerate(progress.phases):
            cell = QRectF(left, 0, unit * shares[number], self.height())
            left += cell.width() + GAP
            done = self._job.state is JobState.DONE or number < active
            self._cell(painter, cell, phase, progress, done=done, active=number == active and not self._job.over)
        painter.end()

    def _cell(
        self, painter: QPainter, cell: QRectF, phase: Phase, progress: Progress, *, done: bool, active: bool
    ) -> None:
        track = QRectF(cell.x(), cell.y(), cell.width(), TRACK)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color(Role.GOOD if done else Role.EDGE))
        painter.drawRoundedRect(track, 2, 2)
        if active:
            painter.setBrush(color(Role.WAIT))
            painter.drawRoundedRect(_filled(track, progress), 2, 2)
        font = QFont(self.font())
        font.setBold(active)
        painter.setFont(font)
        painter.setPen(QGuiApplication.palette().color(QPalette.ColorRole.Text) if active else color(Role.MUTED))
        text = cell.adjusted(0, TRACK + 4, 0, 0)
        shown = QFontMetricsF(font).elidedText(
            self._words(phase, progress, done, active), Qt.TextElideMode.ElideRight, text.width()
        )
        painter.drawText(text, int(Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextSingleLine), shown)

    @staticmethod
    def _words(phase: Phase, progress: Progress, done: bool, active: bool) -> str:
        name = words(phase.text)
        if done:
            return f"✓ {name}"
        if active and phase is Phase.MEMORY and progress.bytes_done is not None:
            size = size_words(progress.bytes_done)
            if progress.rate and not progress.estimated and progress.fraction is not None:
                speed = tr("{size}/s").format(size=size_words(progress.rate))
                return f"{name}  {progress.fraction:.0%} · {size} · {speed}"
            if progress.bytes_total and progress.estimated:
                return tr("{phase}  {size} of about {total}").format(
                    phase=name, size=size, total=size_words(progress.bytes_total)
                )
            return f"{name}  {size}"
        return name


def _filled(track: QRectF, progress: Progress) -> QRectF:
    """The known share of the track; where nobody knows it, a piece that wanders, which claims nothing."""
    if progress.fraction is not None:
        return QRectF(track.x(), track.y(), track.width() * progress.fraction, track.height())
    place = time.monotonic() % WANDER_S / WANDER_S
    width = track.width() / 4
    return QRectF(track.x() + (track.width() - width) * place, track.y(), width, track.height())
