"""Reads what the snapshots of the shown VM cost, beside everything else, whenever that may have become another sum."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from PySide6.QtCore import QObject, QTimer, Signal

from snapgui.hypervisor.connection import Connection
from snapgui.model.records import VmState
from snapgui.operations.vm_costs import VmCosts, read_vm_costs
from snapgui.ui.bridge import Bridge
from snapgui.ui.host import Host
from snapgui.ui.lineage_loader import PRETENDED
from snapgui.ui.watcher import Watcher

SOON_MS = 300
"""One change of the hypervisor's is often several events."""
EVERY_MS = 60_000
"""What a running guest writes gives no sign."""
REST = 4
"""Times as long as a reading took nothing is read again: large and far images are not read all the time."""

Sight = tuple[frozenset[tuple[str, datetime]], str | None, VmState]
"""While the snapshots and the VM's state are the same, no snapshot's cost changes but by what the guest writes."""


@dataclass(slots=True)
class _Reading:
    """One that is under way."""

    sight: Sight
    cancel: threading.Event = field(default_factory=threading.Event)
    began: float = field(default_factory=time.monotonic)


class CostLoader(QObject):
    """``changed``: ``costs`` are others now; they are empty where nothing is known. ``busy``: a job works on a VM."""

    changed = Signal()

    def __init__(
        self, bridge: Bridge, watcher: Watcher, busy: Callable[[str, str], object], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.costs = VmCosts()
        self._bridge, self._watcher, self._busy = bridge, watcher, busy
        self._shown: tuple[Host | None, str] = (None, "")
        self._known: Sight | None = None
        self._reading: _Reading | None = None
        self._rest_until = 0.0
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._begin)
        self._every = QTimer(self)
        self._every.setInterval(EVERY_MS)
        self._every.timeout.connect(self._on_every)
        self._every.start()
        watcher.seen.connect(lambda _seen: self.look())

    def look(self, *, afresh: bool = False) -> None:
        """Read soon, if that can have changed; ``afresh`` reads in any case."""
        shown = (self._watcher.host, self._watcher.vm_uuid)
        if shown != self._shown:
            self.stop()
            self._shown, self._rest_until = shown, 0.0
            self._take_over(VmCosts())
        if afresh or self._works():
            self._known = None
            self._call_off()
        sight = self._sight()
        if sight is None or self._works() or sight == self._known:
            return
        if self._reading is not None and self._reading.sight != sight:
            self._call_off()
        if (self._reading is None or self._reading.cancel.is_set()) and not self._soon.isActive():
            self._soon.start(max(SOON_MS, round((self._rest_until - time.monotonic()) * 1000)))

    def stop(self) -> None:
        """Another VM is shown, or none any more."""
        self._soon.stop()
        self._known = None
        self._call_off()

    def _call_off(self) -> None:
        if self._reading is not None:
            self._reading.cancel.set()

    def _works(self) -> bool:
        """What a job does changes the sums, and libvirt answers no question about the VM meanwhile."""
        host, vm_uuid = self._shown
        return host is not None and bool(self._busy(host.uri, vm_uuid))

    def _sight(self) -> Sight | None:
        """Return what is seen of the VM now; None where nothing can be read."""
        host, known = self._watcher.host, self._watcher.known
        if host is None or known is None or not host.up or host.uri.startswith(PRETENDED):
            return None
        return frozenset(snapshot.key for snapshot in known.tree), known.tree.current, known.vm.state

    def _on_every(self) -> None:
        known = self._watcher.known
        if known is not None and known.vm.state.active and self._reading is None:
            self._known = None
        self.look()

    def _begin(self) -> None:
        host, vm_uuid = self._shown
        sight, connection = self._sight(), None if host is None else host.connection
        if host is None or sight is None or connection is None or self._works() or self._reading is not None:
            return  # whatever ends that looks again
        reading = self._reading = _Reading(sight)

        def work(_post: object) -> VmCosts:
            with connection.apart() as own:
                return _read(own, vm_uuid, reading)

        self._bridge.run(
            host.lanes.aside,
            work,
            self,
            lambda costs: self._ended(reading, costs),
            lambda _error: self._ended(reading, VmCosts()),
        )

    def _ended(self, reading: _Reading, costs: VmCosts) -> None:
        self._reading, now = None, time.monotonic()
        if not reading.cancel.is_set():
            self._known, self._rest_until = reading.sight, now + (now - reading.began) * REST
            self._take_over(costs)
        self.look()

    def _take_over(self, costs: VmCosts) -> None:
        if costs != self.costs:
            self.costs = costs
            self.changed.emit()


def _read(connection: Connection, vm_uuid: str, reading: _Reading) -> VmCosts:
    """Whoever waited for a thread may have been called off meanwhile."""
    return VmCosts() if reading.cancel.is_set() else read_vm_costs(connection, vm_uuid, reading.cancel)
