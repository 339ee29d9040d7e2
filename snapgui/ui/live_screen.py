"""The guest's screen as it is now, in the details of "You are here": asked for every few seconds while it is seen."""

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QImage, QPixmap

from snapgui.hypervisor import screen
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import SnapguiError
from snapgui.ui.watcher import Watcher

LOOK_MS = 3_000


class LiveScreen(QObject):
    """``seen`` carries a picture. A VM without a screen is asked once, and not again until it is selected anew."""

    seen = Signal(QPixmap)

    def __init__(self, watcher: Watcher, parent: QObject) -> None:
        super().__init__(parent)
        self._watcher = watcher
        self._asking = ""
        self._vm_uuid = ""
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)

    def watch(self, vm_uuid: str) -> None:
        """Look at another VM's screen; an empty UUID looks at none."""
        if vm_uuid == self._vm_uuid:
            return
        self._vm_uuid = vm_uuid
        if vm_uuid:
            self._timer.start()
            self._look()
        else:
            self._timer.stop()

    def _look(self) -> None:
        watcher, vm_uuid = self._watcher, self._vm_uuid
        free = watcher.host is not None and not watcher.held and not self._asking
        if not free or watcher.host is None or watcher.vm_uuid != vm_uuid:
            return

        def question(connection: Connection) -> bytes | None:
            return screen.screenshot(connection, vm_uuid)

        self._asking = vm_uuid
        watcher.host.ask(question, self, lambda picture: self._arrived(vm_uuid, picture), self._failed)
        if not watcher.host.up:
            self._asking = ""

    def _arrived(self, vm_uuid: str, picture: bytes | None) -> None:
        self._asking = ""
        if vm_uuid != self._vm_uuid:
            return
        if picture is None:
            self._timer.stop()
            return
        image = QImage.fromData(picture)
        if not image.isNull():
            self.seen.emit(QPixmap.fromImage(image))

    def _failed(self, _error: SnapguiError) -> None:
        self._asking = ""
