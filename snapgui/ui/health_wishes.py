"""What the window does about checking the storage: a dialog beside it, filled by a worker, and plans that mend."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Unavailable
from snapgui.model.health import Ailment, Mending
from snapgui.model.plan import Operation
from snapgui.model.records import Vm
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.health import examine_host
from snapgui.operations.history import History
from snapgui.ui.health_dialog import HealingDialog, HealthDialog
from snapgui.ui.host import Host
from snapgui.ui.jobs import Job
from snapgui.ui.plan_dialogs import short
from snapgui.ui.vm_list import host_title
from snapgui.ui.wording import tr

if TYPE_CHECKING:
    from snapgui.ui.main_window import MainWindow


class HealthWishes(QObject):
    """Knows the dialogs that are open; they do not block the window, and look again after each mending."""

    def __init__(self, window: "MainWindow", history: History) -> None:
        super().__init__(window)
        self._window, self._history = window, history
        self._open: list[tuple[HealthDialog, Host, str | None]] = []
        window.flows.ended.connect(self._on_ended)

    def check_vm(self) -> None:
        """Check the storage of the VM that is shown."""
        situation = self._window.situation()
        if situation.host is not None and situation.vm is not None:
            self._check(situation.host, situation.vm)

    def check_host(self) -> None:
        """Check the storage of all VMs of the current connection."""
        host = self._window.connections.current()
        if host is not None:
            self._check(host, None)

    def _check(self, host: Host, vm: Vm | None) -> None:
        name = host_title(host) if vm is None else vm.name
        dialog = HealthDialog(tr("Storage of {name}").format(name=short(name)), self._window)
        vm_uuid = None if vm is None else vm.uuid
        self._open.append((dialog, host, vm_uuid))
        dialog.look_wanted.connect(lambda: self._look(dialog, host, vm_uuid))
        dialog.mend_wanted.connect(lambda ailment, way: self._mend(dialog, host, ailment, way))
        dialog.show()
        dialog.activateWindow()
        self._look(dialog, host, vm_uuid)

    def _look(self, dialog: HealthDialog, host: Host, vm_uuid: str | None) -> None:
        history = self._history

        def examine(connection: Connection) -> tuple[Ailment, ...]:
            with connection.apart() as own:
                return examine_host(own, vm_uuid, history)

        if host.connection is None or not host.up:
            dialog.show_error(Unavailable(QT_TRANSLATE_NOOP("errors", "There is no connection to the hypervisor.")))
            return
        dialog.show_looking()
        host.ask(examine, dialog, dialog.show_found, dialog.show_error)

    def _mend(self, dialog: HealthDialog, host: Host, ailment: Ailment, way: Mending) -> None:
        def parent() -> QWidget:
            return dialog if isValid(dialog) else self._window

        self._window.flows.ask(host, ailment.vm_uuid, lambda facts: HealingDialog(facts, ailment, way, parent()))

    def _on_ended(self, job: Job) -> None:
        self._open = [(dialog, host, uuid) for dialog, host, uuid in self._open if isValid(dialog)]
        if job.plan is None or job.plan.operation is not Operation.MEND:
            return
        for dialog, host, vm_uuid in self._open:
            if host.uri == job.uri:
                self._look(dialog, host, vm_uuid)
