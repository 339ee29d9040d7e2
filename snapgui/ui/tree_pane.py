"""The middle of the window: the VM's name, messages, the banner, and its tree as graph or outline."""

from collections.abc import Callable

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QFont, QGuiApplication, QPixmap, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QToolButton, QTreeView, QVBoxLayout, QWidget

from snapgui.model.records import Snapshot
from snapgui.operations.facts import Glance
from snapgui.ui.actions import Actions
from snapgui.ui.compare_page import ComparePage
from snapgui.ui.empty_state import EmptyState
from snapgui.ui.graph_view import GraphView
from snapgui.ui.host import Host
from snapgui.ui.learn_panel import LearnPanel
from snapgui.ui.messages import MessageBar
from snapgui.ui.outline_view import OutlineView
from snapgui.ui.pause_banner import PauseBanner
from snapgui.ui.relatives import Relative
from snapgui.ui.snapshot_model import SnapshotModel
from snapgui.ui.storage_page import StoragePage
from snapgui.ui.tree_node import Node
from snapgui.ui.wording import elided_middle, plain_label, tr

EDGE = 16
MOST_FOUND = 10_000
SEGMENTS = ("graph", "outline", "storage")
Thumbnail = Callable[[str], QPixmap | None]


class TreePane(QWidget):
    """``selection_changed``; ``menu_wanted`` carries a global point; ``details_wanted`` on double click or Enter.

    ``relative_wanted`` carries the clone or origin that the user goes to, by a click on its card or by Enter.
    """

    selection_changed = Signal()
    menu_wanted = Signal(QPoint)
    details_wanted = Signal()
    relative_wanted = Signal(object)

    def __init__(self, model: SnapshotModel, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pane")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.model = model
        self._name = ""
        self._select_first: str | None = None
        self.graph = GraphView(model, self)
        self.outline = OutlineView(model, self)
        self.outline.setSelectionModel(self.graph.selectionModel())
        self.empty = EmptyState(self)
        self.messages = MessageBar(self)
        self.banner = PauseBanner(self)
        self.learn = LearnPanel(self)
        self._title = plain_label("", self)
        font = QFont(self._title.font())
        font.setBold(True)
        font.setPointSizeF(font.pointSizeF() * 1.3)
        self._title.setFont(font)
        self._title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.storage = StoragePage(self)
        self.storage_frame = ComparePage(self.storage, tr("Reading the tables of the images …"), self)
        self._stack = QStackedWidget(self)
        for page in (self.empty, self.graph, self.outline, self.storage_frame):
            self._stack.addWidget(page)
        head = QHBoxLayout()
        head.setContentsMargins(EDGE, 8, EDGE, 0)
        head.setSpacing(0)
        head.addWidget(self._title, 1)
        for name in SEGMENTS:
            head.addWidget(self._switch(actions, name))
        bars = QVBoxLayout()
        bars.setContentsMargins(EDGE, 0, EDGE, 0)
        bars.setSpacing(8)
        bars.addWidget(self.messages)
        bars.addWidget(self.banner)
        bars.addWidget(self.learn)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        box.addLayout(head)
        box.addLayout(bars)
        box.addWidget(self._stack, 1)
        self._outline_wanted = self._storage_wanted = False
        for view in (self.graph, self.outline):
            self._connect(view)

    def _switch(self, actions: Actions, name: str) -> QToolButton:
        button = QToolButton(self)
        button.setDefaultAction(actions[name])
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setIconSize(QSize(16, 16))
        button.setObjectName("segment")
        place = "first" if name == SEGMENTS[0] else "last" if name == SEGMENTS[-1] else "middle"
        button.setProperty("place", place)
        return button

    def _connect(self, view: QTreeView) -> None:
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(lambda point: self._on_menu(view, point))
        view.doubleClicked.connect(lambda index: self._on_activated(index, by_key=False))
        view.activated.connect(lambda index: self._on_activated(index, by_key=True))
        if view is self.graph:
            view.clicked.connect(self._on_clicked)
            view.selectionModel().selectionChanged.connect(lambda _new, _old: self.selection_changed.emit())

    # what is shown

    @property
    def graph_shown(self) -> bool:
        """Whether the graph was chosen rather than the outline, or the disks."""
        return not (self._outline_wanted or self._storage_wanted)

    @property
    def view(self) -> QTreeView:
        """The chosen view of the tree."""
        return self.outline if self._outline_wanted else self.graph

    @property
    def storage_shown(self) -> bool:
        """Whether the disks are shown rather than the tree."""
        return self._storage_wanted

    def choose_storage(self) -> None:
        """Show how the disks are stored, instead of the tree."""
        self._storage_wanted = True
        if self.model.vm is not None:
            self._choose_page()

    def choose_view(self, *, outline: bool) -> None:
        """Show the graph or the outline."""
        current = self.view.currentIndex()
        self._share_branches(to_outline=outline)
        self._outline_wanted, self._storage_wanted = outline, False
        if self.model.vm is not None:
            self._choose_page()
        if current.isValid():
            self.view.scrollTo(current)

    def _share_branches(self, *, to_outline: bool) -> None:
        """Branches collapsed in one view are collapsed in the other."""
        for view in (self.graph, self.outline):
            view.unfolding.finish()
        waiting = list(self.model.root.children)
        while waiting:
            node = waiting.pop()
            waiting.extend(node.children)
            if not node.children or (node.relative is not None and node.relative.leads_here):
                continue
            index = self.model.index_of_node(node)
            if to_outline:
                self.outline.setExpanded(index, not self.graph.is_collapsed(index))
            elif self.outline.isExpanded(index) == self.graph.is_collapsed(index):
                self.graph.set_collapsed(index, not self.outline.isExpanded(index))

    def show_host(self, host: Host | None) -> None:
        """Show that no VM of a connection is selected."""
        self.model.clear()
        self._set_title("")
        self.empty.show_host(host)
        self._stack.setCurrentWidget(self.empty)

    def show_vm(self, name: str) -> None:
        """A VM was selected whose tree has not been read yet."""
        self.model.clear()
        self._select_first = None
        self._set_title(name)
        self.storage_frame.show_waiting()
        self._stack.setCurrentWidget(self.storage_frame if self._storage_wanted else self.view)

    def show_glance(self, seen: Glance) -> None:
        """Take over what is true now; a first look selects the current state and shows it."""
        first = self.model.vm is None
        bare = not self.model.tree.snapshots
        self._set_title(seen.vm.name)
        self.model.show(seen.vm, seen.tree, seen.changed)
        self._choose_page()
        if (first or bare) and seen.tree.snapshots:
            self.select(self._select_first if self._select_first in seen.tree else None)
            self.view.scrollTo(self.view.currentIndex())
        self._select_first = None

    def show_relatives(self, origin: Relative | None, below: tuple[Relative, ...]) -> None:
        """Show what the VM is a clone of, and what hangs off it."""
        bare = self._stack.currentWidget() is self.empty
        self.model.show_relatives(origin, below)
        if self.model.vm is not None:
            self._choose_page()
            if bare and self._stack.currentWidget() is not self.empty:
                self.select(None)

    def select_at_first(self, name: str | None) -> None:
        """Select a snapshot as soon as the tree of the VM that was just chosen is there."""
        self._select_first = name

    def _choose_page(self) -> None:
        if self._storage_wanted:
            self._stack.setCurrentWidget(self.storage_frame)
        elif self.model.tree.snapshots or self.model.has_relatives:
            self._stack.setCurrentWidget(self.view)
        else:
            self.empty.show_no_snapshots()
            self._stack.setCurrentWidget(self.empty)

    # selection

    def selected(self) -> tuple[Snapshot, ...]:
        """Return the selected snapshots."""
        rows = self.graph.selectionModel().selectedRows()
        chosen = (self.model.snapshot(index) for index in rows)
        # Rows go one after another: while they do, one may stand for a snapshot that does not exist any more.
        return tuple(found for found in chosen if found is not None and found.name in self.model.tree)

    def here_selected(self) -> bool:
        """Whether "You are here" is selected."""
        rows = self.graph.selectionModel().selectedRows()
        return any(self.model.node(index).is_here for index in rows)

    def relative_selected(self) -> Relative | None:
        """Return the clone, image or origin that is selected, if nothing else is."""
        rows = self.graph.selectionModel().selectedRows()
        return self.model.relative(rows[0]) if len(rows) == 1 else None

    def select(self, name: str | None) -> None:
        """Select a snapshot, or the current state for None."""
        index = self.model.index_of(name)
        if index.isValid():
            flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
            self._reveal(self.model.node(index))
            self.graph.selectionModel().setCurrentIndex(index, flags)
            self.view.scrollTo(index)

    def _reveal(self, node: Node) -> None:
        """Open the branches that hide a node; the outline may show no branches."""
        while (node := node.parent) is not self.model.root:
            above = self.model.index_of_node(node)
            if self.graph.is_collapsed(above):
                self.graph.set_collapsed(above, False)
            self.outline.expand(above)

    def search(self, text: str) -> list[str]:
        """Fade what does not match; return the names that do, oldest first."""
        wanted = text.strip().casefold()
        if not wanted:
            self.graph.show_matches(None)
            return []
        found = [s.name for s in self.model.tree if wanted in f"{s.label}\n{s.name}\n{s.description}".casefold()]
        self.graph.show_matches(set(found))
        return found[:MOST_FOUND]

    def rename(self) -> None:
        """Edit the title of the selected snapshot in place."""
        index = self.view.currentIndex().siblingAtColumn(0)
        if index.isValid():
            self.view.scrollTo(index)
            if not self._outline_wanted and self.graph.zoom < 0.6:  # noqa: PLR2004 - a title could not be read
                self.graph.set_zoom(1.0)
                self.graph.scrollTo(index)
            self.view.edit(index)

    def collapse_current(self, collapsed: bool) -> None:
        """Hide or show the branch below the selected node."""
        index = self.view.currentIndex().siblingAtColumn(0)
        if index.isValid():
            self.outline.unfolding.finish()
            self.graph.set_collapsed(index, collapsed)
            self.outline.setExpanded(index, not collapsed)

    def _on_activated(self, index: QModelIndex, *, by_key: bool) -> None:
        relative = self.model.relative(index)
        if relative is None:
            self.details_wanted.emit()
        elif by_key:  # the first click of two has gone there already
            self.relative_wanted.emit(relative)

    def _on_clicked(self, index: QModelIndex) -> None:
        relative, modifiers = self.model.relative(index), QGuiApplication.keyboardModifiers()
        if relative is not None and modifiers == Qt.KeyboardModifier.NoModifier:
            self.relative_wanted.emit(relative)

    def _on_menu(self, view: QTreeView, point: QPoint) -> None:
        index = view.indexAt(point)
        if point.x() < 0 or not view.viewport().rect().contains(point):  # by keyboard
            index = view.currentIndex()
        if not index.isValid():
            return
        if not view.selectionModel().isSelected(index):
            flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
            view.selectionModel().setCurrentIndex(index, flags)
        self.menu_wanted.emit(
            view.viewport().mapToGlobal(view.visualRect(index).center() if index.isValid() else point)
        )

    def _set_title(self, name: str) -> None:
        self._name = name
        self._title.setAccessibleName(name)
        self._title.setText(elided_middle(name, self._title, max(60, self._title.width())))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.learn.fit(self.height())
        self._set_title(self._name)
