"""The main window: puts the parts together and turns selections and actions into flows."""

from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QCloseEvent, QGuiApplication
from PySide6.QtWidgets import QLineEdit, QMainWindow, QMessageBox, QSplitter, QWidget

from snapgui import __version__
from snapgui.model.plan import Operation
from snapgui.model.records import Vm
from snapgui.operations.delete import DeleteRequest
from snapgui.operations.edit import EditRequest
from snapgui.operations.facts import Glance
from snapgui.operations.history import History
from snapgui.ui.actions import Actions, Situation
from snapgui.ui.appearance import Appearance
from snapgui.ui.bridge import Bridge
from snapgui.ui.clone_wishes import CloneWishes
from snapgui.ui.closing import Closing
from snapgui.ui.compare_wishes import CompareWishes
from snapgui.ui.connections import Connections
from snapgui.ui.cost_loader import CostLoader
from snapgui.ui.cost_words import total_words
from snapgui.ui.details import Details
from snapgui.ui.flows import GRACE_S, Deferred, Flows
from snapgui.ui.health_wishes import HealthWishes
from snapgui.ui.host import Host
from snapgui.ui.jobs import Job, JobsModel
from snapgui.ui.jobs_panel import JobsPanel
from snapgui.ui.learning import Learning
from snapgui.ui.lineage_loader import LineageLoader
from snapgui.ui.live_screen import LiveScreen
from snapgui.ui.menus import fill_menu_bar, make_toolbar, node_menu, relative_menu, vm_menu
from snapgui.ui.relatives import Relative, relatives
from snapgui.ui.safety_menu import kept_safety_menu
from snapgui.ui.settings import Settings
from snapgui.ui.snapshot_model import SnapshotModel
from snapgui.ui.storage_wishes import StorageWishes
from snapgui.ui.thumbnail_loader import ThumbnailLoader
from snapgui.ui.timers import once_after
from snapgui.ui.tree_pane import SEGMENTS, TreePane
from snapgui.ui.vm_list import VmList, VmListModel, host_title
from snapgui.ui.watcher import Watcher
from snapgui.ui.wording import plain_label, tr, words

SMALLEST = (1024, 640)
BANNERED = {Operation.TAKE, Operation.REVERT, Operation.UNDO}
"""What is shown over the graph while it happens; the rest is quick, and has its row in the list of activities."""


class MainWindow(QMainWindow):
    """Everything in one window. ``wanted_vm`` (name or UUID) is selected as soon as it is known."""

    def __init__(self, bridge: Bridge, history: History, settings: Settings, wanted_vm: str = "") -> None:
        super().__init__()
        self.setWindowTitle("snapgui")
        self.resize(1440, 900)
        self.settings = settings
        self._bridge = bridge
        self.actions_ = Actions(self)
        self.jobs = JobsModel(self)
        self.vms_model = VmListModel(self)
        self.vms = VmList(self.vms_model, self)
        self.pane = TreePane(SnapshotModel(self), self.actions_, self)
        self.details = Details(self)
        self.jobs_panel = JobsPanel(self.jobs, self)
        self.search = QLineEdit(self)
        self.watcher = Watcher(self)
        self.flows = Flows(bridge, self.jobs, history, self)
        self.connections = Connections(self, bridge, wanted_vm)
        self.clone_wishes = CloneWishes(self)
        self.compare_wishes = CompareWishes(self, bridge, history)
        self.storage_wishes = StorageWishes(self, bridge, history)
        self.health_wishes = HealthWishes(self, history)
        self.clone_wishes.dragging.comparing.connect(self.compare_wishes.open)
        self._thumbnails = ThumbnailLoader(bridge, self.pane.model, self)
        self.lineage = LineageLoader(self._works_on, self)
        self.costs = CostLoader(bridge, self.watcher, self.jobs.busy, self)
        self._live_screen = LiveScreen(self.watcher, self)
        self._live_screen.seen.connect(self.details.set_picture)
        self._closing = Closing(self.jobs, self)
        self.appearance = Appearance(settings, self)
        self.appearance.changed.connect(self._recolour)
        self._status = plain_label("", self, "muted")
        self.statusBar().addWidget(self._status, 1)
        self._total = plain_label("", self, "muted")
        self.statusBar().addPermanentWidget(self._total)
        self._selection_again = once_after(0, self._on_selection, self)  # many rows change at once
        self._build()
        self._connect()
        self._learning = Learning(self)
        self._restore()
        self.pane.show_host(None)
        self.update_actions()

    # building

    def _build(self) -> None:
        fill_menu_bar(self, self.actions_, self.appearance.menu, kept_safety_menu(self.settings, self))
        self.addToolBar(make_toolbar(self, self.actions_, self.search))
        for action in self.actions_.all():
            self.addAction(action)
        self._middle = _splitter(Qt.Orientation.Vertical, self, self.pane, self.jobs_panel)
        self._parts = _splitter(Qt.Orientation.Horizontal, self, self.vms, self._middle, self.details)
        self._middle.setStretchFactor(0, 1)
        self._parts.setStretchFactor(1, 1)
        self._parts.setSizes([240, 900, 290])
        self._middle.setSizes([720, 152])
        self.setCentralWidget(self._parts)
        self.setMinimumSize(*SMALLEST)

    def _connect(self) -> None:
        pane, actions = self.pane, self.actions_
        self.vms.chosen.connect(self._on_chosen)
        self.vms.customContextMenuRequested.connect(self._on_vm_menu)
        pane.selection_changed.connect(self._on_selection)
        pane.menu_wanted.connect(self._on_node_menu)
        pane.details_wanted.connect(lambda: self._show_details(True))
        pane.relative_wanted.connect(self._go_to)
        self.lineage.changed.connect(self._show_relatives)
        pane.empty.wanted.connect(lambda name: actions[name].trigger())
        pane.model.edited.connect(lambda name, title: self._edit(EditRequest(name, title=title)))
        self.details.described.connect(lambda name, text: self._edit(EditRequest(name, description=text)))
        self.details.wanted.connect(lambda name: actions[name].trigger())
        pane.banner.cancelled.connect(self.flows.cancel)
        pane.model.dataChanged.connect(lambda *_: self._selection_again.start())
        self.costs.changed.connect(self._show_costs)
        self.watcher.seen.connect(self._on_seen)
        self.watcher.gone.connect(self._on_gone)
        self.vms.gone.connect(self._on_gone)
        self.flows.failed.connect(pane.messages.error)
        self.flows.deferred.connect(self._on_deferred)
        self.flows.progressed.connect(self._on_progress)
        self.flows.ended.connect(self._on_ended)
        self.jobs.running_changed.connect(self.update_actions)
        self.jobs.running_changed.connect(self.costs.look)
        self.jobs_panel.asked.connect(self._on_job_asked)
        self.search.textChanged.connect(self._on_search)
        self.search.returnPressed.connect(self._on_search_next)
        for name, slot in self._slots().items():
            actions[name].triggered.connect(lambda _checked=False, slot=slot: slot())

    def _slots(self) -> dict[str, Callable[[], object]]:
        pane = self.pane
        return {
            "take": self._take,
            "revert": self._revert,
            "clone": self.clone_wishes.clone,
            "compare": self.compare_wishes.compare,
            "flatten": lambda: self._with_vm(self.flows.flatten),
            "check": self.health_wishes.check_vm,
            "check_all": self.health_wishes.check_host,
            "undo_revert": lambda: self._with_vm(self.flows.undo),
            "remove": lambda: self._with_vm(self.flows.remove),
            "prune": lambda: self._with_vm(lambda host, uuid: self.flows.prune(host, uuid, 1)),
            "grace": lambda: self._set_grace(self.actions_["grace"].isChecked()),
            "delete": lambda: self._delete(with_children=False),
            "delete_children": lambda: self._delete(with_children=True),
            "rename": pane.rename,
            "describe": self._describe,
            "copy_name": self._copy_name,
            "details": lambda: self._show_details(self.actions_["details"].isChecked()),
            "activity": lambda: self.jobs_panel.set_folded(not self.actions_["activity"].isChecked()),
            "refresh": self._refresh,
            "find": self._find,
            "zoom_in": pane.graph.zoom_in,
            "zoom_out": pane.graph.zoom_out,
            "zoom_reset": lambda: pane.graph.set_zoom(1.0),
            "zoom_fit": pane.graph.fit,
            "show_here": lambda: pane.select(None),
            "collapse": lambda: pane.collapse_current(True),
            "expand": lambda: pane.collapse_current(False),
            "overview": lambda: pane.graph.show_overview(self.actions_["overview"].isChecked()),
            "graph": lambda: self._choose_view("graph"),
            "outline": lambda: self._choose_view("outline"),
            "storage": lambda: self._choose_view("storage"),
            "add_connection": self.connections.ask,
            "remove_connection": self.connections.remove,
            "reconnect": self.connections.reconnect,
            "quit": lambda: self.window().close(),
            "about": self._about,
        }

    def _restore(self) -> None:
        settings, actions = self.settings, self.actions_
        self.restoreGeometry(settings.layout("window"))
        self._parts.restoreState(settings.layout("parts"))
        self._middle.restoreState(settings.layout("middle"))
        actions["overview"].setChecked(settings.flag("overview", default=True))
        self.pane.graph.show_overview(actions["overview"].isChecked())
        self._show_details(settings.flag("details", default=True))
        self._set_grace(settings.flag("grace", default=True))
        actions["activity"].setChecked(settings.flag("activity", default=True))
        self.jobs_panel.set_folded(not actions["activity"].isChecked())
        self._choose_view(settings.view)

    # what is shown

    def _on_chosen(self, host: Host, vm_uuid: str) -> None:
        if (host, vm_uuid) == (self.watcher.host, self.watcher.vm_uuid):
            return
        self._thumbnails.forget()
        self.storage_wishes.forget()
        if self.watcher.host is not None:
            self.pane.messages.hide()
        self.details.show_nothing()
        vm = host.vm(vm_uuid)
        if vm is None:
            self.watcher.watch(None, "")
            self.pane.show_host(host)
        else:
            self.settings.last_vm = (host.uri, vm_uuid)
            self.pane.show_vm(vm.name)
            self._hold()
            self.watcher.watch(host, vm_uuid)
        self.lineage.show(self.watcher.host)
        self.costs.look()
        self._show_banner()
        self.update_actions()

    def _on_seen(self, seen: Glance) -> None:
        self.pane.show_glance(seen)
        if self.watcher.host is not None:
            self._thumbnails.load(self.watcher.host, seen.vm.uuid)
            self._show_relatives(self.watcher.host)
        self._on_selection()
        self.update_actions()

    def on_listed(self, host: Host) -> None:
        """VMs came, went or changed, or a connection stands again: clones may have."""
        self._show_relatives(host)
        self.lineage.read(host)
        self.costs.look()

    def _show_costs(self) -> None:
        self.pane.model.set_costs({cost.name: cost for cost in self.costs.costs.costs})
        self._on_selection()

    def _show_relatives(self, host: Host) -> None:
        if host is self.watcher.host and self.watcher.known is not None:
            kinship = self.lineage.kinship(host, self.watcher.vm_uuid)
            self.pane.show_relatives(*relatives(kinship, host.vm))

    def _go_to(self, relative: Relative) -> None:
        """Show another VM; coming back to what the shown one is a clone of, the snapshot that it hangs off."""
        host = self.watcher.host
        if host is not None and relative.vm is not None:
            self.vms.choose(host, relative.vm.uuid)
            if relative.leads_here:
                self.pane.select_at_first(relative.snapshot)

    def _works_on(self, host: Host) -> bool:
        """While a job works on a VM, libvirt answers no question about it, and all others wait behind that."""
        return any(job.uri == host.uri for job in self.jobs.active())

    def _on_gone(self) -> None:
        host = self.watcher.host
        self.watcher.watch(None, "")
        self.vms.clearSelection()
        self.vms.setCurrentIndex(self.vms_model.index(-1, 0))
        self.pane.show_host(host)
        self.pane.messages.say(tr("The virtual machine does not exist any more."))
        if host is not None:
            host.refresh()

    # selection and actions

    def situation(self) -> Situation:
        """Return what is selected and what is going on."""
        host = self.watcher.host or self.connections.current()
        vm = self._vm()
        busy = None if host is None or vm is None else self.jobs.busy(host.uri, vm.uuid)
        pane = self.pane
        relative = pane.relative_selected() is not None
        selected, here = pane.selected(), pane.here_selected()
        return Situation(host, vm, pane.model.tree, selected, here, busy, relative, graph=pane.graph_shown)

    def update_actions(self) -> None:
        """Enable what is possible now."""
        situation = self.situation()
        self.actions_.update(situation)
        host = situation.host
        version = "" if host is None or not host.up else f" · libvirt {_dotted(host.capabilities.libvirt)}"
        self._status.setText("" if host is None else host_title(host) + version)
        self._total.setText(total_words(len(situation.tree.snapshots), self.costs.costs))

    def _vm(self) -> Vm | None:
        known = self.watcher.known
        if known is not None:
            return known.vm
        return None if self.watcher.host is None else self.watcher.host.vm(self.watcher.vm_uuid)

    def _on_selection(self) -> None:
        known, chosen = self.watcher.known, self.pane.selected()
        here = not chosen and self.pane.relative_selected() is None
        live = known is not None and here and known.vm.state.active and self.details.isVisible()
        self._live_screen.watch(self.watcher.vm_uuid if live else "")
        if known is None:
            self.details.show_nothing()
        elif len(chosen) == 1:
            picture = self.pane.model.thumbnail(chosen[0].name)
            cost = self.pane.model.cost(chosen[0].name)
            self.details.show_snapshot(chosen[0], known.tree, picture, cost)
        elif (relative := self.pane.relative_selected()) is not None:
            self.details.show_relative(relative)
        elif self.pane.here_selected() or not known.tree.snapshots:
            self.details.show_current(known.vm, known.machine, known.tree, known.changed, self.costs.costs)
        else:
            self.details.show_nothing()
        self.storage_wishes.update()
        self.update_actions()

    def _on_node_menu(self, point: QPoint) -> None:
        relative = self.pane.relative_selected()
        if relative is not None:
            relative_menu(self, relative, lambda: self._go_to(relative)).popup(point)
            return
        menu = node_menu(self, self.actions_, here=self.pane.here_selected() and not self.pane.selected())
        self.compare_wishes.add_to(menu)
        menu.popup(point)

    def _on_vm_menu(self, point: QPoint) -> None:
        index = self.vms.indexAt(point)
        if index.isValid():
            is_vm = self.vms_model.vm_of(index) is not None
            if is_vm:  # the menu is about the VM as it is now
                self.pane.select(None)
            menu = vm_menu(self, self.actions_, is_vm=is_vm)
            menu.popup(self.vms.viewport().mapToGlobal(point))

    # what actions do

    def _with_vm(self, wanted: Callable[[Host, str], None]) -> None:
        if self.watcher.host is not None and self.watcher.vm_uuid:
            wanted(self.watcher.host, self.watcher.vm_uuid)

    def _take(self) -> None:
        self._with_vm(self.flows.take)

    def _revert(self) -> None:
        chosen = self.pane.selected()
        if len(chosen) == 1:
            self._with_vm(lambda host, uuid: self.flows.revert(host, uuid, chosen[0].name))

    def _delete(self, *, with_children: bool) -> None:
        request = DeleteRequest(tuple(snapshot.name for snapshot in self.pane.selected()), with_children)
        if request.names:
            self._with_vm(lambda host, uuid: self.flows.delete(host, uuid, request))

    def _edit(self, request: EditRequest) -> None:
        self._with_vm(lambda host, uuid: self.flows.edit(host, uuid, request))

    def _set_grace(self, wanted: bool) -> None:
        self.actions_["grace"].setChecked(wanted)
        self.settings.set_flag("grace", wanted)
        self.flows.grace_s = GRACE_S if wanted else 0

    def _describe(self) -> None:
        self._show_details(True)
        self.details.edit_description()

    def _copy_name(self) -> None:
        QGuiApplication.clipboard().setText("\n".join(snapshot.name for snapshot in self.pane.selected()))

    def _show_details(self, shown: bool) -> None:
        self.details.setVisible(shown)
        self.actions_["details"].setChecked(shown)

    def _choose_view(self, name: str) -> None:
        if name == "storage":
            self.pane.choose_storage()
        else:
            self.pane.choose_view(outline=name == "outline")
        for each in SEGMENTS:
            self.actions_[each].setChecked(each == name)
        self.settings.view = name
        self.storage_wishes.update()
        self.update_actions()

    def _refresh(self) -> None:
        for host in self.vms_model.hosts:
            if host.up:
                host.refresh()
            else:
                host.open()
        self.watcher.look(full=True)
        self.lineage.read(self.watcher.host, afresh=True)
        self.costs.look(afresh=True)
        self.storage_wishes.look_again()

    def _find(self) -> None:
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def _on_search(self, text: str) -> None:
        found = self.pane.search(text)
        if found:
            self.pane.select(found[0])

    def _on_search_next(self) -> None:
        found = self.pane.search(self.search.text())
        now = [snapshot.name for snapshot in self.pane.selected()]
        if found:
            place = found.index(now[0]) + 1 if now and now[0] in found else 0
            self.pane.select(found[place % len(found)])
            return
        wanted = self.search.text().strip().casefold()
        for host in self.vms_model.hosts:
            for vm in host.vms:
                if wanted and wanted in vm.name.casefold():
                    self.vms.choose(host, vm.uuid)
                    return

    def _recolour(self) -> None:
        self.actions_.recolour()
        self.jobs_panel.recolour()
        self.pane.graph.relayout()

    def _about(self) -> None:
        box = QMessageBox(self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle(tr("About snapgui"))
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(f"snapgui {__version__}")
        box.setInformativeText(tr("Snapshots of libvirt virtual machines, as a tree.\nGPL-3.0-or-later"))
        box.open()

    # jobs

    def _on_progress(self, job: Job) -> None:
        self._hold()
        host = self.watcher.host
        shown = host is not None and (job.uri, job.vm_uuid) == (host.uri, self.watcher.vm_uuid)
        if shown and job.plan is not None and job.plan.operation in BANNERED:
            self.pane.banner.show_job(job)

    def _on_deferred(self, deferred: Deferred) -> None:
        self.pane.messages.announce(words(deferred.plan.title), deferred.seconds, deferred.begin)

    def _show_banner(self) -> None:
        host = self.watcher.host
        job = None if host is None else self.jobs.busy(host.uri, self.watcher.vm_uuid)
        if job is None or job.plan is None or job.plan.operation not in BANNERED:
            self.pane.banner.dismiss()
        else:
            self.pane.banner.show_job(job)

    def _hold(self) -> None:
        """While a job works on the VM, libvirt answers no question about it: do not ask."""
        host = self.watcher.host
        self.watcher.held = host is not None and self.jobs.busy(host.uri, self.watcher.vm_uuid) is not None

    def _on_ended(self, job: Job) -> None:
        self._hold()
        for host in self.vms_model.hosts:
            if host.uri == job.uri:
                host.refresh()
                self.lineage.read(host)
                if job.reverted and self.settings.kept_safety:
                    self.flows.prune(host, job.vm_uuid, self.settings.kept_safety, by_itself=True)
        self.watcher.look(full=True)
        self.storage_wishes.look_again()
        self.update_actions()

    def _on_job_asked(self, job: Job, what: str) -> None:
        host = next((host for host in self.vms_model.hosts if host.uri == job.uri), None)
        if what == "copy":
            self.flows.copy_commands(job)
        elif what == "cancel":
            self.flows.cancel(job)
        elif what == "undo" and host is not None:
            self.flows.undo(host, job.vm_uuid)
        elif what == "resume" and host is not None:
            self.flows.resume(host, job)
        elif what == "remove" and host is not None:
            self.flows.remove_leftovers(host, job)
        elif what == "details":
            self._show_job(job)

    def _show_job(self, job: Job) -> None:
        box = QMessageBox(self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setWindowTitle(tr("Activity"))
        box.setText(f"{job.title} · {job.vm_name}")
        detail = "" if job.error is None else job.error.detail
        box.setInformativeText(job.status())
        box.setDetailedText("\n".join((*job.commands, detail)).strip())
        box.open()

    # the end

    def closeEvent(self, event: QCloseEvent) -> None:
        self.pane.messages.settle()
        if not self._closing.may_close():
            event.ignore()
            return
        settings, actions = self.settings, self.actions_
        settings.remember_layout("window", self.window().saveGeometry())
        settings.remember_layout("parts", self._parts.saveState())
        settings.remember_layout("middle", self._middle.saveState())
        for name in ("overview", "details", "activity"):
            settings.set_flag(name, actions[name].isChecked())
        self.compare_wishes.close()
        self.costs.stop()
        self.storage_wishes.close()
        self._bridge.close()
        for host in self.vms_model.hosts:
            host.close()
        event.accept()


def make_window(wanted_vm: str = "") -> MainWindow:
    """Return a window with no connection yet, in the light or dark that is wanted."""
    window = MainWindow(Bridge(), History(), Settings(), wanted_vm)
    window.appearance.apply()
    return window


def _splitter(orientation: Qt.Orientation, parent: QWidget, *parts: QWidget) -> QSplitter:
    splitter = QSplitter(orientation, parent)
    splitter.setHandleWidth(1)
    splitter.setChildrenCollapsible(False)
    for part in parts:
        splitter.addWidget(part)
    return splitter


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(str(part) for part in version)
