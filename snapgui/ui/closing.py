"""Closing the window while work goes on: ask first, and close by itself when it has ended."""

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from snapgui.ui.jobs import JobsModel
from snapgui.ui.wording import tr


class Closing(QObject):
    """Knows whether the window may close now."""

    def __init__(self, jobs: JobsModel, window: QWidget) -> None:
        super().__init__(window)
        self._jobs, self._window = jobs, window
        self._wanted = False
        jobs.running_changed.connect(self._on_jobs)

    def may_close(self) -> bool:
        """Whether nothing is running; else ask whether to close later."""
        if not self._jobs.active():
            return True
        if not self._wanted:
            self._ask()
        return False

    def _on_jobs(self) -> None:
        if self._wanted and not self._jobs.active():
            self._window.window().close()

    def _ask(self) -> None:
        box = QMessageBox(self._window)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setWindowTitle(tr("Work is going on"))
        box.setText(tr("A snapshot operation has not ended yet."))
        box.setInformativeText(tr("The window can close by itself when it has."))
        wait = box.addButton(tr("Close When Done"), QMessageBox.ButtonRole.AcceptRole)
        stay = box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(wait)
        box.setEscapeButton(stay)
        wait.clicked.connect(self._close_later)
        box.open()

    def _close_later(self) -> None:
        self._wanted = True
        self._on_jobs()
