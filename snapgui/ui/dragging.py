"""Dragging a node of the tree or a VM of the list to where its clone shall be, or onto a node to compare both.

Only drags that began in this window count: what other programs drag here is none of ours, whatever it claims to be.
"""

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QDrag, QDragEnterEvent, QDropEvent, QGuiApplication, QPixmap
from PySide6.QtWidgets import QTreeView, QWidget

from snapgui.model.records import Capabilities, Kind, Snapshot, Vm
from snapgui.model.tree import SnapshotTree
from snapgui.ui.actions import Situation, stands_still_words
from snapgui.ui.drag_label import DragLabel, Look
from snapgui.ui.host import Host
from snapgui.ui.vm_list import host_title
from snapgui.ui.wording import tr

if TYPE_CHECKING:
    from snapgui.ui.main_window import MainWindow

MIME_TYPE = "application/x-snapgui-node+json"
SCROLL_EDGE, SCROLL_STEP, SCROLL_MS = 24, 12, 40
"""Near the ends of the list it scrolls: pixels from the end, pixels at a time, milliseconds between."""


@dataclass(frozen=True, slots=True)
class Dragged:
    """A VM at a snapshot (None: in its current state). ``linked`` is None where nobody knows the kind of clone yet.

    ``why_not``: why it cannot be cloned, empty where it can.
    """

    host: Host
    vm: Vm
    snapshot: Snapshot | None = None
    linked: bool | None = None
    why_not: str = ""

    @property
    def words(self) -> str:
        """What is dragged, as “web01 @ before-upgrade”."""
        text = self.vm.name if self.snapshot is None else f"{self.vm.name} @ {self.snapshot.label}"
        return " ".join(text.split())

    def mime(self) -> QMimeData:
        """Return it as data of a type of our own."""
        name = None if self.snapshot is None else self.snapshot.name
        made = QMimeData()
        made.setData(MIME_TYPE, json.dumps({"uri": self.host.uri, "vm": self.vm.uuid, "snapshot": name}).encode())
        return made


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a drop would do, or why nothing. ``target`` is the connection that the clone goes to, ``other`` the node
    that is compared with: (snapshot, or None for the current state)."""

    text: str
    target: Host | None = None
    look: Look = Look.REFUSED
    other: "tuple[Snapshot | None] | None" = None

    @property
    def possible(self) -> bool:
        """Whether a drop would do anything."""
        return self.target is not None or self.other is not None


class Dragging(QObject):
    """``dropped``: (Dragged, the connection that it was dropped on, whether Ctrl was held); ``told`` what was said.

    ``comparing``: (Host, Vm, snapshot, snapshot), where one was dropped on the other; None is the current state.
    """

    dropped = Signal(object, object, bool)
    comparing = Signal(object, object, object, object)
    told = Signal(str)

    def __init__(self, window: "MainWindow") -> None:
        super().__init__(window)
        self._window = window
        self._label = DragLabel(window)
        self._dragged: Dragged | None = None
        self._source: QWidget | None = None
        self._drop: tuple[Verdict, bool] | None = None
        self._scroll_by = 0
        self._scroll = QTimer(self)
        self._scroll.setInterval(SCROLL_MS)
        self._scroll.timeout.connect(self._on_scroll)
        pane, vms = window.pane, window.vms
        for view in (vms, pane.graph, pane.outline):
            view.drag_wanted.connect(lambda view=view: self._begin(view))
        self._views: dict[QWidget, QTreeView] = {view.viewport(): view for view in (pane.graph, pane.outline)}
        for place in (vms.viewport(), *self._views, pane.empty, window):
            place.setAcceptDrops(True)
            place.installEventFilter(self)

    # the source

    def _begin(self, view: QTreeView) -> None:
        dragged = self._picked_vm() if view is self._window.vms else self._picked_node(view)
        if dragged is None:
            return
        drag = QDrag(view)
        drag.setMimeData(dragged.mime())
        nothing = QPixmap(1, 1)  # else Qt shows the data; the label says more
        nothing.fill(Qt.GlobalColor.transparent)
        drag.setPixmap(nothing)
        self._dragged, self._source, self._drop = dragged, view, None
        drag.exec(Qt.DropAction.CopyAction)
        self._end()

    def _end(self) -> None:
        dragged, drop = self._dragged, self._drop
        self._dragged = self._source = self._drop = None
        self._scroll.stop()
        self._label.hide()
        if dragged is None or drop is None:
            return
        verdict, held = drop
        if verdict.other is not None:
            self.comparing.emit(dragged.host, dragged.vm, dragged.snapshot, verdict.other[0])
        else:
            self.dropped.emit(dragged, verdict.target, held)

    def _picked_vm(self) -> Dragged | None:
        model, index = self._window.vms_model, self._window.vms.currentIndex()
        host, vm = model.host_of(index), model.vm_of(index)
        if host is None or vm is None:
            return None
        known = self._window.watcher.known
        tree = known.tree if known is not None and known.vm.uuid == vm.uuid else None
        situation = Situation(host, vm, busy=self._window.jobs.busy(host.uri, vm.uuid))
        return self._made(situation, None, tree)

    def _picked_node(self, view: QTreeView) -> Dragged | None:
        index, model = view.currentIndex().siblingAtColumn(0), self._window.pane.model
        node = model.node(index)
        if not index.isValid() or (node.snapshot is None and not node.is_here):
            return None
        now = self._window.situation()
        held = bool(QGuiApplication.keyboardModifiers() & Qt.KeyboardModifier.ControlModifier)
        if held or not view.selectionModel().isSelected(index):  # Ctrl changed the selection with the same press
            chosen = () if node.snapshot is None else (node.snapshot,)
            now = replace(now, selected=chosen, here=node.is_here)
        return self._made(now, node.snapshot, now.tree)

    def _made(self, situation: Situation, snapshot: Snapshot | None, tree: SnapshotTree | None) -> Dragged | None:
        host, vm = situation.host, situation.vm
        if host is None or vm is None:
            return None
        linked = None if tree is None else can_be_layered_on(snapshot, tree, host.capabilities)
        why_not = self._window.actions_.why_not("clone", situation)
        return Dragged(host, vm, snapshot, linked, why_not)

    # the target

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QDropEvent) and isinstance(watched, QWidget):  # those of entering and moving are some, too
            if self._is_ours(event):
                self._over(watched, event)
            else:
                event.ignore()  # Qt's own views would let other programs write into the model
            return True
        if event.type() == QEvent.Type.DragLeave:
            self._scroll.stop()
            self._label.hide()
        return False

    def _is_ours(self, event: QDropEvent) -> bool:
        return self._dragged is not None and event.source() is self._source and event.mimeData().hasFormat(MIME_TYPE)

    def _over(self, place: QWidget, event: QDropEvent) -> None:
        point = event.position().toPoint()
        held = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        verdict = self._verdict(place, point, at_once=held or self._window.actions_["clone_at_once"].isChecked())
        if event.type() == QEvent.Type.Drop:
            self._drop = (verdict, held) if verdict.possible else None
        else:
            self._scroll_near_end(place, point)
            self._label.say(verdict.text, place.mapTo(self._window, point), verdict.look)
            self.told.emit(verdict.text)
        if not verdict.possible and not isinstance(event, QDragEnterEvent):  # who refuses to be entered hears no more
            event.ignore()
        else:
            event.acceptProposedAction()

    def _verdict(self, place: QWidget, point: QPoint, *, at_once: bool) -> Verdict:
        dragged = self._dragged
        if dragged is None or dragged.why_not:
            return Verdict("" if dragged is None else dragged.why_not)
        if (compared := self._compared(dragged, place, point)) is not None:
            return compared
        target = self._target(dragged, place, point)
        if target is None:
            text = tr("Drop it on the list of VMs, or on empty ground, to clone it; on another snapshot to compare.")
            return Verdict(text, look=Look.NOT_HERE)
        for host in (dragged.host, target):
            if not host.up:
                return Verdict(tr("There is no connection to {host}.").format(host=host_title(host)))
        text = _clone_words(dragged, target)
        return Verdict(tr("{clone}, at once").format(clone=text) if at_once else text, target, Look.POSSIBLE)

    def _compared(self, dragged: Dragged, place: QWidget, point: QPoint) -> Verdict | None:
        """Return what comes of a drop on another node of the same VM; None where there is none."""
        view = self._views.get(place)
        index = None if view is None else view.indexAt(point).siblingAtColumn(0)
        if index is None or not index.isValid() or dragged.vm.uuid != self._window.watcher.vm_uuid:
            return None
        node = self._window.pane.model.node(index)
        mine = None if dragged.snapshot is None else dragged.snapshot.name
        other = None if node.snapshot is None else node.snapshot.name
        if (node.snapshot is None and not node.is_here) or mine == other:
            return None
        if not dragged.host.up:
            return Verdict(tr("There is no connection to {host}.").format(host=host_title(dragged.host)))
        name = tr("current state") if node.snapshot is None else " ".join(node.snapshot.label.split())
        text = tr("Compare {what} with {other}").format(what=dragged.words, other=name)
        if None in {mine, other} and dragged.vm.state.active:
            text = f"{text}; {stands_still_words()}"
        return Verdict(text, look=Look.COMPARED, other=(node.snapshot,))

    def _target(self, dragged: Dragged, place: QWidget, point: QPoint) -> Host | None:
        """Return the connection that a place means. On a snapshot, and on the VM itself, a drop means nothing."""
        vms, model = self._window.vms, self._window.vms_model
        if place is vms.viewport():
            index = vms.indexAt(point)
            vm = model.vm_of(index)
            itself = self._source is vms and vm is not None and vm.uuid == dragged.vm.uuid
            return None if itself else model.host_of(index) or dragged.host
        view = self._views.get(place)
        on_ground = place is self._window.pane.empty if view is None else not view.indexAt(point).isValid()
        return dragged.host if on_ground else None

    # a long list

    def _scroll_near_end(self, place: QWidget, point: QPoint) -> None:
        vms = self._window.vms
        if place is vms.viewport() and point.y() < SCROLL_EDGE:
            self._scroll_by = -SCROLL_STEP
        elif place is vms.viewport() and point.y() > place.height() - SCROLL_EDGE:
            self._scroll_by = SCROLL_STEP
        else:
            self._scroll_by = 0
        if self._scroll_by and not self._scroll.isActive():
            self._scroll.start()

    def _on_scroll(self) -> None:
        bar = self._window.vms.verticalScrollBar()
        before = bar.value()
        bar.setValue(before + self._scroll_by)
        if bar.value() == before:
            self._scroll.stop()


def can_be_layered_on(snapshot: Snapshot | None, tree: SnapshotTree, capabilities: Capabilities) -> bool:
    """Whether a clone will be linked, as far as the window knows without asking: the plan has the last word."""
    if snapshot is not None:
        return snapshot.kind is Kind.EXTERNAL
    return not tree.kinds - {Kind.EXTERNAL} and not capabilities.is_test_driver


def _clone_words(dragged: Dragged, target: Host) -> str:
    """Images cannot be layered on those of another machine."""
    if target is not dragged.host:
        text = tr("Full clone of {what} on {host}")
        return text.format(what=dragged.words, host=host_title(target))
    text = {
        True: tr("Linked clone of {what}"),
        False: tr("Full clone of {what}"),
        None: tr("Clone of {what}"),
    }[dragged.linked]
    return text.format(what=dragged.words)
