"""When the panel “What is happening?” is to be seen: while a job of the shown VM runs, and the user wants it."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from snapgui.ui.jobs import Job
from snapgui.ui.learn_panel import LearnPanel

if TYPE_CHECKING:
    from snapgui.ui.main_window import MainWindow

FLAG = "learn"


class Learning(QObject):
    """On until the user turns it off, which is remembered."""

    def __init__(self, window: "MainWindow") -> None:
        super().__init__(window)
        self._window = window
        self._action = window.actions_["learn"]
        self._action.setChecked(window.settings.flag(FLAG, default=True))
        self._action.toggled.connect(self._on_toggled)
        self.panel.closed.connect(lambda: self._action.setChecked(False))
        window.flows.progressed.connect(self._on_progress)
        window.vms.chosen.connect(lambda *_: self._follow())
        window.watcher.gone.connect(self._follow)

    @property
    def panel(self) -> LearnPanel:
        """The panel itself."""
        return self._window.pane.learn

    def _on_toggled(self, wanted: bool) -> None:
        self._window.settings.set_flag(FLAG, wanted)
        self._follow()

    def _on_progress(self, job: Job) -> None:
        if self._action.isChecked() and self._is_shown(job):
            self.panel.show_job(job)

    def _follow(self) -> None:
        """Another VM may be shown now, or the panel is not wanted any more."""
        host, shown = self._window.watcher.host, self.panel.job
        if shown is not None and not (self._action.isChecked() and self._is_shown(shown)):
            self.panel.dismiss()
        busy = None if host is None else self._window.jobs.busy(host.uri, self._window.watcher.vm_uuid)
        if busy is not None:
            self._on_progress(busy)

    def _is_shown(self, job: Job) -> bool:
        host = self._window.watcher.host
        return host is not None and (job.uri, job.vm_uuid) == (host.uri, self._window.watcher.vm_uuid)
