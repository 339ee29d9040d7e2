"""What the window wants to know of how disks are stored: read in a worker while the storage view is to be seen."""

import threading
from typing import TYPE_CHECKING

from PySide6.QtCore import QLocale, QObject, QTime

from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Cancelled, Refused, SnapguiError, Unavailable
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.facts import Glance, read_facts
from snapgui.operations.history import History
from snapgui.operations.lineage import read_lineage
from snapgui.operations.storage import read_storage
from snapgui.operations.stored import Storage
from snapgui.ui.bridge import Bridge
from snapgui.ui.compare_page import ComparePage
from snapgui.ui.host import Host
from snapgui.ui.storage_page import StoragePage

if TYPE_CHECKING:
    from snapgui.ui.main_window import MainWindow

Key = tuple[object, ...]


class StorageWishes(QObject):
    """Reads again when the tree, the VM's state or the chosen node is another one; once at a time."""

    def __init__(self, window: "MainWindow", bridge: Bridge, history: History) -> None:
        super().__init__(window)
        self._window, self._bridge, self._history = window, bridge, history
        self._key: Key | None = None
        self._cancel = threading.Event()
        self.page.state_chosen.connect(window.pane.select)
        self.page.look_wanted.connect(lambda: self._ask(still=True))
        self.frame.again.connect(lambda: self._ask(still=False))
        self.frame.cancelled.connect(self._give_up)

    @property
    def page(self) -> StoragePage:
        """The view itself."""
        return self._window.pane.storage

    @property
    def frame(self) -> ComparePage:
        """What shows the view, or that it is waited for."""
        return self._window.pane.storage_frame

    def update(self) -> None:
        """Look whether something else is to be shown than what is."""
        host, seen = self._window.watcher.host, self._window.watcher.known
        if host is None or seen is None or not self._window.pane.storage_shown:
            return
        chosen = self._chosen(seen)
        self.page.show_states(seen.tree, chosen)
        key = (host, seen.vm.uuid, chosen, seen.fingerprint, seen.vm.state)
        if key == self._key or self._window.watcher.held:
            return
        other = self._key is None or self._key[:3] != key[:3]
        self._key = key
        self._ask(still=False, waiting=other)

    def forget(self) -> None:
        """Another VM is shown, or none: what is still being read is not waited for."""
        self._cancel.set()
        self._key = None
        self.page.look.setEnabled(True)

    def look_again(self) -> None:
        """Read everything anew: the user asked for it, or a job has changed something."""
        self._key = None
        self.update()

    def close(self) -> None:
        """The window is closed."""
        self._cancel.set()
        self._bridge.drop(self)

    def _chosen(self, seen: Glance) -> str | None:
        chosen = self._window.pane.selected()
        return chosen[0].name if len(chosen) == 1 and chosen[0].name in seen.tree else None

    def _ask(self, *, still: bool, waiting: bool = True) -> None:
        host, seen = self._window.watcher.host, self._window.watcher.known
        if host is None or seen is None:
            return
        self._cancel.set()
        if waiting and not still:
            self.frame.show_waiting()
        if host.capabilities.is_test_driver:
            self.frame.show_error(Refused(QT_TRANSLATE_NOOP("errors", "This hypervisor has no disks to look at.")))
        elif host.connection is None:
            self._fail(host, host.error or Unavailable(QT_TRANSLATE_NOOP("errors", "There is no connection.")))
        else:
            self._read(host, host.connection, seen, still=still)

    def _read(self, host: Host, connection: Connection, seen: Glance, *, still: bool) -> None:
        cancel = self._cancel = threading.Event()
        chosen, history, vm_uuid = self._chosen(seen), self._history, seen.vm.uuid

        def work(_post: object) -> Storage:
            with connection.apart() as own:
                facts, lineage = read_facts(own, vm_uuid), read_lineage(own)
                return read_storage(own, facts, lineage, history, chosen, still=still, cancel=cancel)

        def done(storage: Storage) -> None:
            if not cancel.is_set():
                self.page.look.setEnabled(True)
                at = QLocale().toString(QTime.currentTime(), "HH:mm:ss")
                self.page.show_storage(storage, seen.vm.name, running=seen.vm.state.active, at=at)
                self.frame.show_content()

        def failed(error: SnapguiError) -> None:
            if not cancel.is_set():
                self.page.look.setEnabled(True)
                self._fail(host, error)

        self.page.look.setEnabled(False)
        self._bridge.run(host.lanes.aside, work, self, done, failed)

    def _fail(self, host: Host, error: SnapguiError) -> None:
        if isinstance(error, Unavailable) and host.up:
            host.lost(error)
        self.frame.show_error(error)

    def _give_up(self) -> None:
        self._cancel.set()
        self.page.look.setEnabled(True)
        self.frame.show_error(Cancelled(QT_TRANSLATE_NOOP("errors", "Cancelled.")))
