"""What the window does about clones: from the action or a drop to the flow, and what it says when one was made."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from snapgui.model.plan import Operation
from snapgui.ui.dragging import Dragged, Dragging
from snapgui.ui.host import Host
from snapgui.ui.jobs import Job
from snapgui.ui.wording import tr

if TYPE_CHECKING:
    from snapgui.ui.main_window import MainWindow


class CloneWishes(QObject):
    """Begins clones, and shows the new VM when the user wants to see it."""

    def __init__(self, window: "MainWindow") -> None:
        super().__init__(window)
        self._window = window
        self._wanted: tuple[Host, str] | None = None
        self.dragging = Dragging(window)
        self.dragging.dropped.connect(self._on_dropped)
        self._switch = window.actions_["clone_at_once"]
        self._switch.setChecked(window.settings.flag("clone_at_once", default=False))
        self._switch.toggled.connect(lambda on: window.settings.set_flag("clone_at_once", on))
        window.flows.ended.connect(self._on_ended)

    def clone(self) -> None:
        """Clone the selected snapshot, else the current state."""
        window = self._window
        host, vm_uuid = window.watcher.host, window.watcher.vm_uuid
        chosen = window.pane.selected()
        if host is not None and vm_uuid and len(chosen) < 2:  # noqa: PLR2004 - one or none
            window.flows.clone(host, vm_uuid, chosen[0].name if chosen else None)

    def _on_dropped(self, dragged: Dragged, target: Host, at_once: bool) -> None:
        name = None if dragged.snapshot is None else dragged.snapshot.name
        self._window.flows.clone(
            dragged.host,
            dragged.vm.uuid,
            name,
            None if target is dragged.host else target,
            at_once=at_once or self._switch.isChecked(),
        )

    def _on_ended(self, job: Job) -> None:
        plan, outcome = job.plan, job.outcome
        if plan is None or plan.operation is not Operation.CLONE or outcome is None:
            return
        uri = plan.target_uri or job.uri
        host = next((host for host in self._window.vms_model.hosts if host.uri == uri), None)
        name = next((step.new_vm.name for step in plan.steps if step.new_vm is not None), "")
        if host is None:
            return
        host.refresh()
        text = tr(
            "“{name}” was made. Inside, it is the same machine as {vm}: "
            "give it a new machine-id and new SSH host keys where that matters."
        ).format(name=name, vm=plan.vm_name)
        spoken = tr("Show “{name}”").format(name=name)
        self._window.pane.messages.offer(text, tr("Show"), spoken, lambda: self._show(host, outcome.clone_uuid))

    def _show(self, host: Host, vm_uuid: str) -> None:
        """Select the new VM, as soon as the list knows it."""
        if self._wanted is not None:
            self._wanted[0].changed.disconnect(self._on_host)
        self._wanted = (host, vm_uuid)
        host.changed.connect(self._on_host)
        host.refresh()
        self._on_host(host)

    def _on_host(self, host: Host) -> None:
        if self._wanted is None or self._wanted[0] is not host or host.vm(self._wanted[1]) is None:
            return
        wanted, self._wanted = self._wanted, None
        host.changed.disconnect(self._on_host)
        self._window.vms.choose(*wanted)
