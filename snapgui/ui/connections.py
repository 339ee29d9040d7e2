"""The connections of the window: opened, chosen from, added and taken out."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from snapgui.hypervisor.connection import default_uri
from snapgui.model.events import Event, EventKind
from snapgui.ui.bridge import Bridge
from snapgui.ui.connection_dialog import ConnectionDialog
from snapgui.ui.host import Host
from snapgui.ui.wording import tr

if TYPE_CHECKING:
    from snapgui.ui.main_window import MainWindow

_ABOUT_IMAGES = {EventKind.DEFINED, EventKind.UNDEFINED, EventKind.OTHER}
"""What may have moved a disk to another image or given an image another base; the last are jobs on disks, too."""


class Connections(QObject):
    """``wanted_vm``: name or UUID of the VM to select as soon as a connection has it."""

    def __init__(self, window: "MainWindow", bridge: Bridge, wanted_vm: str) -> None:
        super().__init__(window)
        self._window, self._bridge, self._wanted_vm = window, bridge, wanted_vm

    def open_all(self, uri: str | None) -> None:
        """Open what the command line asks for, else the default and what the user added."""
        self.open(uri or default_uri())
        if uri is None:
            for known in self._window.settings.connections:
                if known != default_uri():
                    self.open(known)

    def open(self, uri: str | None) -> Host:
        """Open another connection and show it; None is libvirt's default."""
        window = self._window
        host = Host(uri, self._bridge, window)
        window.vms_model.add_host(host)
        window.watcher.add_host(host)
        host.changed.connect(self._on_host)
        host.happened.connect(self._on_happened)
        host.open()
        return host

    def current(self) -> Host | None:
        """Return the connection that is selected or holds the selected VM; else the first."""
        window = self._window
        index = window.vms.currentIndex()
        hosts = window.vms_model.hosts
        return window.vms_model.host_of(index) if index.isValid() else (hosts[0] if hosts else None)

    def ask(self) -> None:
        """Let the user add one."""
        known = [host.uri or host.asked_uri or "" for host in self._window.vms_model.hosts]
        dialog = ConnectionDialog(known, self._window)
        dialog.chosen.connect(self._on_asked)
        dialog.open()

    def remove(self) -> None:
        """Take the current one out of the window."""
        host, window = self.current(), self._window
        if host is None:
            return
        settings = window.settings
        settings.connections = [uri for uri in settings.connections if uri not in {host.uri, host.asked_uri}]
        window.watcher.remove_host(host)
        window.lineage.forget(host)
        window.vms_model.remove_host(host)
        host.changed.disconnect(self._on_host)
        host.close()
        window.pane.show_host(self.current())
        window.update_actions()

    def reconnect(self) -> None:
        """Try the current one again at once."""
        if (host := self.current()) is not None and not host.up:
            host.open()

    def _on_asked(self, uri: str) -> None:
        self._window.settings.connections = [*self._window.settings.connections, uri]
        self.open(uri)

    def _on_happened(self, host: Host, event: Event) -> None:
        if event.kind in _ABOUT_IMAGES:
            self._window.lineage.read(host)

    def _on_host(self, host: Host) -> None:
        window, watcher = self._window, self._window.watcher
        if host.up and not host.greeted:  # later nobody's choice is changed, not even that of no VM
            host.greeted = True
            window.flows.look_for_leftovers(host)
            if watcher.host is None:
                self._choose_first(host)
        if host is watcher.host and host.up and watcher.known is None:
            watcher.look(full=True)
        if watcher.host is None and self.current() is host:
            window.pane.show_host(host)
        if host is watcher.host and not host.up and host.error is not None:
            window.pane.messages.error(host.error)
        window.on_listed(host)
        window.update_actions()

    def _choose_first(self, host: Host) -> None:
        """Select the VM that was asked for; else the one selected last; else the first."""
        window, only = self._window, len(self._window.vms_model.hosts) == 1
        last_uri, last_uuid = window.settings.last_vm
        asked = [vm for vm in host.vms if self._wanted_vm in {vm.name, vm.uuid}]
        last = [vm for vm in host.vms if (host.uri, vm.uuid) == (last_uri, last_uuid)]
        found = asked or (last or list(host.vms) if not self._wanted_vm or only else [])
        if found:
            window.vms.choose(host, found[0].uuid)
        if self._wanted_vm and not asked and only and host.vms:
            window.pane.messages.say(tr("There is no VM “{name}” here.").format(name=self._wanted_vm))
        if found:
            self._wanted_vm = ""
