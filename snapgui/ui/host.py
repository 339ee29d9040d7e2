"""One hypervisor connection as the window sees it: its state, its VMs, and the lanes that work on it."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from snapgui.hypervisor import inventory
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import SnapguiError, Unavailable
from snapgui.model.events import Event, EventKind
from snapgui.model.records import Capabilities, Vm
from snapgui.operations.facts import Glance, glance
from snapgui.operations.lanes import Lanes
from snapgui.ui.bridge import Bridge

RETRY_FIRST_MS, RETRY_LONGEST_MS = 2_000, 30_000


class Link(StrEnum):
    """How the connection stands."""

    CONNECTING = "connecting"
    UP = "up"
    LOST = "lost"
    FAILED = "failed"


class Host(QObject):
    """Opens and reopens by itself. ``changed``: state or list of VMs; ``happened``: an event of libvirt's."""

    changed = Signal(object)
    happened = Signal(object, object)

    def __init__(self, uri: str | None, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.asked_uri = uri
        self.uri = uri or ""
        self.link = Link.CONNECTING
        self.error: SnapguiError | None = None
        self.vms: tuple[Vm, ...] = ()
        self.capabilities = Capabilities()
        self.lanes = Lanes()
        self.connection: Connection | None = None
        self.greeted = False
        self._bridge = bridge
        self._listing = self._listing_again = False
        self._retry_ms = RETRY_FIRST_MS
        self._retry = QTimer(self)
        self._retry.setSingleShot(True)
        self._retry.timeout.connect(self.open)

    @property
    def up(self) -> bool:
        """Whether it can be worked with."""
        return self.link is Link.UP

    def open(self) -> None:
        """Connect, or try again; the answer comes by ``changed``."""
        self._retry.stop()
        if self.link is not Link.LOST:
            self.link = Link.CONNECTING
        uri, events = self.uri or self.asked_uri, self._bridge.channel(self, self._on_event)
        self._bridge.run(self.lanes.control, lambda _post: _open(uri, events), self, self._opened, self._not_opened)
        self.changed.emit(self)

    def close(self) -> None:
        """Disconnect for good."""
        self._retry.stop()
        self._bridge.drop(self)
        connection, self.connection = self.connection, None
        if connection is not None:
            self.lanes.control(connection.close)
        self.lanes.close()

    def refresh(self) -> None:
        """List the VMs again; many wishes while one listing runs make one more."""
        if self.connection is None or not self.up:
            return
        if self._listing:
            self._listing_again = True
            return
        self._listing = True
        connection = self.connection
        self._bridge.run(
            self.lanes.read, lambda _post: inventory.list_vms(connection), self, self._listed, self._not_listed
        )

    def look(
        self,
        vm_uuid: str,
        known: Glance | None,
        owner: QObject,
        done: Callable[[Glance], None],
        failed: Callable[[SnapguiError], None],
    ) -> None:
        """Read one VM's tree in a worker."""
        self.ask(lambda connection: glance(connection, vm_uuid, known), owner, done, failed)

    def ask(
        self,
        question: Callable[[Connection], Any],
        owner: QObject,
        done: Callable[[Any], None],
        failed: Callable[[SnapguiError], None],
    ) -> None:
        """Put a question to the hypervisor in a worker."""
        connection = self.connection
        if connection is not None and self.up:
            self._bridge.run(self.lanes.read, lambda _post: question(connection), owner, done, failed)

    def vm(self, vm_uuid: str) -> Vm | None:
        """Return a VM of the last listing."""
        return next((vm for vm in self.vms if vm.uuid == vm_uuid), None)

    def lost(self, error: SnapguiError) -> None:
        """The connection does not answer any more: show it, drop it, try again."""
        if self.link is Link.LOST:
            return
        self.link, self.error = Link.LOST, error
        connection, self.connection = self.connection, None
        if connection is not None:
            self.lanes.read(connection.close)
        self._schedule_retry()
        self.changed.emit(self)

    def _opened(self, opened: tuple[Connection, Capabilities, tuple[Vm, ...]]) -> None:
        self.connection, self.capabilities, self.vms = opened
        self.uri = self.connection.uri
        self.link, self.error = Link.UP, None
        self._retry_ms = RETRY_FIRST_MS
        self._listing = self._listing_again = False
        self.changed.emit(self)

    def _not_opened(self, error: SnapguiError) -> None:
        self.error = error
        if self.link is not Link.LOST:
            self.link = Link.FAILED
        self._schedule_retry()
        self.changed.emit(self)

    def _schedule_retry(self) -> None:
        self._retry.start(self._retry_ms)
        self._retry_ms = min(RETRY_LONGEST_MS, self._retry_ms * 2)

    def _listed(self, vms: tuple[Vm, ...]) -> None:
        self._listing = False
        if vms != self.vms:
            self.vms = vms
            self.changed.emit(self)
        if self._listing_again:
            self._listing_again = False
            self.refresh()

    def _not_listed(self, error: SnapguiError) -> None:
        self._listing = False
        if isinstance(error, Unavailable):
            self.lost(error)

    def _on_event(self, event: Event) -> None:
        if event.kind is EventKind.LOST:
            connection = self.connection
            self._bridge.run(self.lanes.read, lambda _post: _still_there(connection), self, _ignore, self.lost)
            return
        self.happened.emit(self, event)


def _open(uri: str | None, events: Callable[[object], None]) -> tuple[Connection, Capabilities, tuple[Vm, ...]]:
    connection = Connection(uri)
    try:
        connection.subscribe(events)
        return connection, connection.capabilities(), inventory.list_vms(connection)
    except SnapguiError:
        connection.close()
        raise


def _still_there(connection: Connection | None) -> None:
    if connection is not None:
        inventory.list_vms(connection)


def _ignore(_nothing: object) -> None:
    """The connection still stands."""
