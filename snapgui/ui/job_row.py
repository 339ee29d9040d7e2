"""One job as a row of a dialog that waits for it: what it does, how far it is, and a button that calls it off."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from snapgui.ui.elided_label import ElidedLabel
from snapgui.ui.jobs import Job
from snapgui.ui.wording import plain_label, tr


class JobRow(QWidget):
    """Hidden while there is no job. ``cancelled`` carries the job that the user wants to be off."""

    cancelled = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._job: Job | None = None
        self._title = ElidedLabel(self)
        self._status = plain_label("", self, "muted")
        self._stop = QPushButton(tr("Stop"), self)
        self._stop.setToolTip(tr("Call it off as soon as that can be done cleanly"))
        self._stop.clicked.connect(self._on_stop)
        box = QHBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(12)
        box.addWidget(self._title, 1)
        box.addWidget(self._status)
        box.addWidget(self._stop)
        self.hide()

    def show_job(self, job: Job) -> None:
        """Show how far a job is, and nothing any more when it is over."""
        self._job = job
        self._title.set_text(job.title)
        self._status.setText(tr("stopping") if job.cancel.is_set() else job.status())
        self._stop.setEnabled(job.plan is not None and job.plan.cancellable and not job.cancel.is_set())
        self.setVisible(not job.over)

    def _on_stop(self) -> None:
        if self._job is not None:
            self.cancelled.emit(self._job)
