"""Keeps what is shown true: a cheap look every two seconds, and at once when libvirt tells something."""

from PySide6.QtCore import QObject, QTimer, Signal

from snapgui.model.errors import Gone, SnapguiError, Unavailable
from snapgui.model.events import Event, EventKind
from snapgui.operations.facts import Glance
from snapgui.ui.host import Host

LOOK_MS = 2_000
LIST_EVERY, FULL_EVERY = 2, 30
"""In looks: the list of VMs every 4 s, everything anew every minute (edits elsewhere give no sign)."""
SOON_MS = 80

_REREAD = {EventKind.METADATA, EventKind.DEFINED, EventKind.STARTED, EventKind.STOPPED}
"""After these a cheap look could be deceived: same names, same state, other facts."""


class Watcher(QObject):
    """Looks at one VM: ``seen`` carries what is true now, ``gone`` that it does not exist any more."""

    seen = Signal(object)
    gone = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.host: Host | None = None
        self.vm_uuid = ""
        self.known: Glance | None = None
        self.held = False
        self._hosts: list[Host] = []
        self._looking = self._again = self._full = False
        self._count = 0
        self._tick = QTimer(self)
        self._tick.setInterval(LOOK_MS)
        self._tick.timeout.connect(self._on_tick)
        self._tick.start()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(SOON_MS)
        self._soon.timeout.connect(self._on_soon)

    def add_host(self, host: Host) -> None:
        """Keep the list of VMs of a connection true."""
        self._hosts.append(host)
        host.happened.connect(self._on_event)

    def remove_host(self, host: Host) -> None:
        """The connection was taken out of the window."""
        self._hosts.remove(host)
        host.happened.disconnect(self._on_event)
        if self.host is host:
            self.watch(None, "")

    def watch(self, host: Host | None, vm_uuid: str) -> None:
        """Look at another VM (or at none)."""
        if (host, vm_uuid) != (self.host, self.vm_uuid):
            self.host, self.vm_uuid, self.known = host, vm_uuid, None
            self._looking = self._again = False
        self.look(full=True)

    def look(self, *, full: bool = False) -> None:
        """Look now. ``full`` reads every snapshot again."""
        self._full = self._full or full
        if self.host is None or not self.host.up or self.held:
            return
        if self._looking:
            self._again = True
            return
        self._looking = True
        known, self._full = (None if self._full else self.known), False
        host, vm_uuid = self.host, self.vm_uuid

        def done(found: Glance) -> None:
            if (host, vm_uuid) == (self.host, self.vm_uuid):
                self._arrived(found)

        def failed(error: SnapguiError) -> None:
            if (host, vm_uuid) == (self.host, self.vm_uuid):
                self._failed(error)

        host.look(vm_uuid, known, self, done, failed)

    def _arrived(self, found: Glance) -> None:
        self._looking = False
        if found != self.known:
            self.known = found
            self.seen.emit(found)
        if self._again:
            self._again = False
            self.look()

    def _failed(self, error: SnapguiError) -> None:
        self._looking = False
        if isinstance(error, Gone):
            self.gone.emit()
        elif isinstance(error, Unavailable) and self.host is not None:
            self.host.lost(error)

    def _on_tick(self) -> None:
        self._count += 1
        self.look(full=self._count % FULL_EVERY == 0)
        if self._count % LIST_EVERY == 0:
            for host in self._hosts:
                host.refresh()

    def _on_event(self, host: Host, event: Event) -> None:
        if host is self.host and event.vm_uuid == self.vm_uuid and event.kind in _REREAD:
            self._full = True
        if not self._soon.isActive():
            self._soon.start()

    def _on_soon(self) -> None:
        for host in self._hosts:
            host.refresh()
        self.look(full=self._full)
