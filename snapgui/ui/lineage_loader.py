"""Reads the lineage of hosts in their workers, a piece at a time, and tells when it is another one than before."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, QTimer, Signal

from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import SnapguiError
from snapgui.model.lineage import Kinship, Lineage
from snapgui.operations.lineage import Pieces, Remembered, advance, in_pieces
from snapgui.ui.host import Host

SOON_MS = 300
"""One change of the hypervisor's is often several events."""
EVERY_MS = 60_000
"""Images without a VM come and go without any event."""
PIECE_S = 0.03
"""For so long other questions wait."""
REST = 8
"""Times as long as a reading took nothing is read again: a large host is not kept busy."""
PRETENDED = "test:"
"""libvirt's test driver has no images, and its paths mean nothing."""


@dataclass(slots=True)
class _Host:
    lineage: Lineage = field(default_factory=Lineage)
    remembered: Remembered = field(default_factory=Remembered)
    connection: Connection | None = None
    pieces: Pieces | None = None
    wanted: bool = False
    began: float = 0.0
    rest_until: float = 0.0


class LineageLoader(QObject):
    """``changed`` carries the host whose lineage is another one now. ``busy``: whether a job works on a host."""

    changed = Signal(object)

    def __init__(self, busy: Callable[[Host], bool], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._busy = busy
        self._hosts: dict[Host, _Host] = {}
        self._shown: Host | None = None
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._on_soon)
        self._every = QTimer(self)
        self._every.setInterval(EVERY_MS)
        self._every.timeout.connect(lambda: self.read(self._shown))
        self._every.start()

    def kinship(self, host: Host, vm_uuid: str) -> Kinship:
        """Return where a VM stands, as far as it is known already."""
        known = self._hosts.get(host)
        return Kinship() if known is None else known.lineage.kinship(vm_uuid)

    def show(self, host: Host | None) -> None:
        """A VM of this host is shown now: only that host's lineage is read."""
        self._shown = host
        self.read(host)

    def read(self, host: Host | None, *, afresh: bool = False) -> None:
        """Read soon; ``afresh`` believes nothing that was read before."""
        if host is None or host is not self._shown or host.uri.startswith(PRETENDED):
            return
        known = self._hosts.setdefault(host, _Host())
        known.wanted = True
        if afresh:
            known.remembered, known.pieces = Remembered(), None
        if not self._soon.isActive():
            self._soon.start(max(SOON_MS, round((known.rest_until - time.monotonic()) * 1000)))

    def take_over(self, host: Host, lineage: Lineage) -> None:
        """Show a lineage that was read."""
        known = self._hosts.setdefault(host, _Host())
        if lineage.images != known.lineage.images:
            known.lineage = lineage
            self.changed.emit(host)

    def forget(self, host: Host) -> None:
        """The connection was taken out of the window."""
        self._hosts.pop(host, None)
        if self._shown is host:
            self._shown = None

    def _on_soon(self) -> None:
        host = self._shown
        known = self._hosts.get(host) if host is not None else None
        if host is None or known is None or not host.up or host.connection is None or self._busy(host):
            return  # whatever ends that asks to read again
        if known.pieces is not None and known.connection is host.connection:
            return  # it is being read; what is wanted meanwhile is read afterwards
        known.wanted, known.began = False, time.monotonic()
        known.connection, known.pieces = host.connection, in_pieces(host.connection, host.vms, known.remembered)
        self._go_on(host, known, known.pieces)

    def _go_on(self, host: Host, known: _Host, pieces: Pieces) -> None:
        def done(lineage: Lineage | None) -> None:
            if known.pieces is not pieces:
                return
            if lineage is None and host.connection is known.connection and not self._busy(host):
                self._go_on(host, known, pieces)
            else:
                self._ended(host, known, lineage)

        def failed(_error: SnapguiError) -> None:
            if known.pieces is pieces:
                self._ended(host, known, None)

        if host.up and host is self._shown:
            host.ask(lambda _connection: advance(pieces, PIECE_S), self, done, failed)
        else:
            self._ended(host, known, None)

    def _ended(self, host: Host, known: _Host, lineage: Lineage | None) -> None:
        known.pieces, now = None, time.monotonic()
        known.rest_until = now + (now - known.began) * REST
        if lineage is not None:
            self.take_over(host, lineage)
        if known.wanted:
            self.read(host)
