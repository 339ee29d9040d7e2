"""The snapshot tree as a graph: a QTreeView whose geometry and painting are replaced.

Selection, in-place editing, expanding and accessibility come from Qt's item views: every node is a tree cell to a
screen reader (docs/decisions/0006-graph-is-a-qtreeview.md).
"""

from PySide6.QtCore import (
    QEasingCurve,
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    Qt,
    QVariantAnimation,
    Signal,
)
from PySide6.QtGui import (
    QFontMetrics,
    QGuiApplication,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QRegion,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QStyle, QTreeView, QWidget

from snapgui.ui.card_painter import DOTS_BELOW, CardPainter
from snapgui.ui.graph_geometry import CardMetrics, GraphGeometry
from snapgui.ui.graph_navigation import GraphNavigation
from snapgui.ui.overview import Overview
from snapgui.ui.snapshot_model import SnapshotModel
from snapgui.ui.theme import Role, color
from snapgui.ui.tree_node import Node
from snapgui.ui.unfolding import Unfolding

SMALLEST, LARGEST, ZOOM_STEP = 0.08, 2.0, 1.2
MARGIN = 32
GLIDE_MS = 150
AnyIndex = QModelIndex | QPersistentModelIndex
Hint = QAbstractItemView.ScrollHint


class GraphView(QTreeView):
    """Cards joined by edges; zoom, pan, collapse, walk. ``zoomed`` carries the new scale.

    ``drag_wanted``: the pointer pulls at the current card.
    """

    zoomed = Signal(float)
    drag_wanted = Signal()

    def __init__(self, model: SnapshotModel, parent: QWidget | None = None) -> None:
        # Before the base class: Qt asks for geometry while it is being built, and an exception that leaves an
        # overridden virtual function corrupts memory in PySide6 6.11.
        self._tree_model = model
        self._collapsed: set[int] = set()
        self._matches: set[str] | None = None
        self._zoom = 1.0
        self._overview: Overview | None = None
        metrics = CardMetrics.of(QFontMetrics(QGuiApplication.font()))
        self.geometry_of = GraphGeometry(model.root, self._collapsed, metrics)
        super().__init__(parent)
        self._glide = QVariantAnimation(self)
        self._glide.setDuration(GLIDE_MS)
        self._glide.setStartValue(0.0)
        self._glide.setEndValue(1.0)
        self._glide.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._glide.valueChanged.connect(lambda _value: self.viewport().update())
        self._glide_from = QPointF()
        self.setAccessibleName(self.tr("Snapshot tree"))
        self.setHeaderHidden(True)
        self.setItemsExpandable(False)
        self.setExpandsOnDoubleClick(False)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAutoScroll(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setMouseTracking(True)
        self.setDragEnabled(True)
        self._painter = CardPainter(model, self)
        self.setItemDelegate(self._painter)
        self._overview = Overview(self)
        self.setModel(model)
        model.modelReset.connect(self._after_reset)
        model.rowsAboutToBeMoved.connect(self._remember_here)
        model.rowsInserted.connect(self._open_branch)
        model.rowsMoved.connect(self._open_moved)
        model.restructured.connect(self.relayout)
        model.surrounded.connect(self._relayout_in_place)
        self._navigation = GraphNavigation(self)
        self.unfolding = Unfolding(self)

    # what the window may ask

    @property
    def zoom(self) -> float:
        """The scale: 1.0 shows cards at the font's size."""
        return self._zoom

    def set_zoom(self, zoom: float, anchor: QPointF | None = None) -> None:
        """Scale; the point ``anchor`` of the viewport (its centre by default) stays where it is."""
        zoom = min(LARGEST, max(SMALLEST, zoom))
        anchor = anchor or QPointF(self.viewport().rect().center())
        there = self.to_graph(anchor)
        self._zoom = self._painter.zoom = zoom
        self.updateGeometries()
        moved = self.from_graph(there) - anchor
        self.horizontalScrollBar().setValue(round(self.horizontalScrollBar().value() + moved.x()))
        self.verticalScrollBar().setValue(round(self.verticalScrollBar().value() + moved.y()))
        self.viewport().update()
        self.zoomed.emit(zoom)

    def zoom_in(self) -> None:
        """One step larger."""
        self.set_zoom(self._zoom * ZOOM_STEP)

    def zoom_out(self) -> None:
        """One step smaller."""
        self.set_zoom(self._zoom / ZOOM_STEP)

    def fit(self) -> None:
        """Show the whole tree, at most at its natural size."""
        size, room = self.geometry_of.size, self.viewport().size()
        if size.isEmpty():
            return
        self.set_zoom(
            min(1.0, (room.width() - 2 * MARGIN) / size.width(), (room.height() - 2 * MARGIN) / size.height())
        )

    def is_collapsed(self, index: AnyIndex) -> bool:
        """Whether the branch below a node is hidden."""
        return self._tree_model.node(index).number in self._collapsed

    def set_collapsed(self, index: AnyIndex, collapsed: bool) -> None:
        """Hide or show the branch below a node."""
        node = self._tree_model.node(index)
        if not node.children or not index.isValid() or (node.relative is not None and node.relative.leads_here):
            return
        self.unfolding.finish()
        (self._collapsed.add if collapsed else self._collapsed.discard)(node.number)
        self.setExpanded(self.index_of(node), not collapsed)
        self.relayout()
        self._navigation.leave_hidden(node)

    def show_matches(self, names: set[str] | None) -> None:
        """Fade every snapshot that is not in ``names``; None fades nothing."""
        self._matches = names
        self.viewport().update()

    def show_overview(self, wanted: bool) -> None:
        """Show the overview map whenever the tree is larger than the view, or never."""
        if self._overview is not None:
            self._overview.wanted = wanted
            self._overview.place()

    def relayout(self) -> None:
        """Place all cards anew, keeping what is under the viewport's corner where it is."""
        self.geometry_of = GraphGeometry(self._tree_model.root, self._collapsed, CardMetrics.of(self.fontMetrics()))
        self.updateGeometries()
        if self._overview is not None:
            self._overview.forget()
        self._glide_here()
        self.viewport().update()

    def _relayout_in_place(self) -> None:
        """Place all cards anew, keeping the current one where it is on the screen; nothing glides."""
        before = self.visualRect(self.currentIndex())
        self._glide_from = QPointF()
        self.relayout()
        if before.intersects(self.viewport().rect()):
            moved = self.visualRect(self.currentIndex()).topLeft() - before.topLeft()
            for bar, by in ((self.horizontalScrollBar(), moved.x()), (self.verticalScrollBar(), moved.y())):
                bar.setValue(bar.value() + by)

    # geometry

    def offset(self) -> QPointF:
        """Return where the graph's origin lies in the viewport; small trees are centred."""
        size, room = self.geometry_of.size, self.viewport().size()
        width, height = size.width() * self._zoom, size.height() * self._zoom
        x = (
            (room.width() - width) / 2
            if width + 2 * MARGIN <= room.width()
            else MARGIN - self.horizontalScrollBar().value()
        )
        y = MARGIN if height + 2 * MARGIN <= room.height() else MARGIN - self.verticalScrollBar().value()
        return QPointF(x, y)

    def to_graph(self, point: QPointF) -> QPointF:
        """Turn a point of the viewport into one of the graph."""
        return (point - self.offset()) / self._zoom

    def from_graph(self, point: QPointF) -> QPointF:
        """Turn a point of the graph into one of the viewport."""
        return point * self._zoom + self.offset()

    def visible_region(self) -> QRectF:
        """Return the part of the graph that is on screen."""
        room = self.viewport().size()
        return QRectF(self.to_graph(QPointF(0, 0)), self.to_graph(QPointF(room.width(), room.height())))

    def updateGeometries(self) -> None:
        if self._overview is None:
            return
        size, room = self.geometry_of.size, self.viewport().size()
        for bar, length, page in (
            (self.horizontalScrollBar(), size.width() * self._zoom + 2 * MARGIN, room.width()),
            (self.verticalScrollBar(), size.height() * self._zoom + 2 * MARGIN, room.height()),
        ):
            bar.setRange(0, max(0, round(length) - page))
            bar.setPageStep(page)
            bar.setSingleStep(round(self.geometry_of.metrics.line * 2))
        self._overview.place()
        self.updateEditorGeometries()

    def verticalScrollbarValueChanged(self, _value: int) -> None:
        """Do not, as QTreeView does at the end, ask the last row and all above it whether there is more to fetch."""

    def horizontalOffset(self) -> int:
        return round(-self.offset().x())

    def verticalOffset(self) -> int:
        return round(-self.offset().y())

    def visualRect(self, index: AnyIndex) -> QRect:
        if not index.isValid():
            return QRect()
        rect = self.geometry_of.rect(self._tree_model.node(index))
        if rect.isNull():
            return QRect()
        return QRectF(self.from_graph(rect.topLeft()), rect.size() * self._zoom).toAlignedRect()

    def indexAt(self, point: QPoint) -> QModelIndex:
        node = self.geometry_of.at(self.to_graph(QPointF(point)))
        return QModelIndex() if node is None else self.index_of(node)

    def index_of(self, node: Node) -> QModelIndex:
        """Return the model's index of a node."""
        return self._tree_model.index_of_node(node)

    def node_of(self, index: AnyIndex) -> Node:
        """Return the node behind an index."""
        return self._tree_model.node(index)

    def on_path(self, node: Node) -> bool:
        """Whether a node lies on the way from the root to "You are here"."""
        return self._tree_model.on_path(node)

    def isIndexHidden(self, index: AnyIndex) -> bool:
        return not self.geometry_of.shows(self._tree_model.node(index))

    def scrollTo(self, index: AnyIndex, hint: Hint = Hint.EnsureVisible) -> None:
        rect, room = self.visualRect(index), self.viewport().rect()
        if rect.isNull():
            return
        if hint == Hint.EnsureVisible and room.adjusted(4, 4, -4, -4).contains(rect):
            return
        centre = hint != Hint.EnsureVisible
        for bar, low, high, size in (
            (self.horizontalScrollBar(), rect.left(), rect.right(), room.width()),
            (self.verticalScrollBar(), rect.top(), rect.bottom(), room.height()),
        ):
            bar.setValue(bar.value() + _scroll_by(low, high, size, centre=centre))

    def setSelection(self, rect: QRect, command: QItemSelectionModel.SelectionFlag) -> None:
        region = QRectF(self.to_graph(QPointF(rect.topLeft())), self.to_graph(QPointF(rect.bottomRight())))
        chosen = QItemSelection()
        for node in self.geometry_of.within(region.normalized()):
            if self.geometry_of.rect(node).intersects(region.normalized().adjusted(0, 0, 1, 1)):
                index = self.index_of(node)
                chosen.select(index, index)
        self.selectionModel().select(chosen, command | QItemSelectionModel.SelectionFlag.Rows)

    def visualRegionForSelection(self, selection: QItemSelection) -> QRegion:
        region = QRegion()
        for index in selection.indexes():
            region = region.united(self.visualRect(index).adjusted(-6, -6, 6, 6))
        return region

    def moveCursor(self, action: QAbstractItemView.CursorAction, _modifiers: Qt.KeyboardModifier) -> QModelIndex:
        index = self._navigation.move(action)
        self.scrollTo(index)
        return index

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """QTreeView looks whether one of its lines is there; here a card may be."""
        index = self.indexAt(event.position().toPoint())
        if index.isValid() and event.button() == Qt.MouseButton.LeftButton:
            self.doubleClicked.emit(index)

    def startDrag(self, _actions: Qt.DropAction) -> None:
        self.drag_wanted.emit()

    def keyboardSearch(self, search: str) -> None:
        super().keyboardSearch(search)
        self.scrollTo(self.currentIndex())

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), color(Role.GROUND))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.font())
        painter.translate(self.offset())
        painter.scale(self._zoom, self._zoom)
        self._painter.ratio = self.devicePixelRatioF() * max(1.0, self._zoom)
        region = QRectF(
            self.to_graph(QPointF(event.rect().topLeft())), self.to_graph(QPointF(event.rect().bottomRight()))
        ).adjusted(-8, -8, 8, 8)
        self._paint_edges(painter, region)
        current = self.currentIndex().internalId() if self.hasFocus() and self.currentIndex().isValid() else None
        for node in self.geometry_of.within(region):
            self._paint_node(painter, node, focused=node.number == current)
        painter.end()

    def _paint_edges(self, painter: QPainter, region: QRectF) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        plain, on_path, dashed = QPainterPath(), QPainterPath(), QPainterPath()
        for parent, child in self.geometry_of.edges(region):
            if parent.relative is not None or child.relative is not None:
                self._add_edge(dashed, parent, child)
            else:
                self._add_edge(on_path if self._tree_model.on_path(child) else plain, parent, child)
        line, dashes = Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine
        for path, role, width, style in (
            (plain, Role.EDGE, 1.4, line),
            (on_path, Role.ACCENT, 2.0, line),
            (dashed, Role.MUTED, 1.4, dashes),
        ):
            if not path.isEmpty():
                painter.setPen(QPen(color(role), width / min(1.0, self._zoom * 1.4), style))
                painter.drawPath(path)

    def _add_edge(self, path: QPainterPath, parent: Node, child: Node) -> None:
        above = self.geometry_of.rect(parent)
        if above.isNull():
            return
        below = self._shown_rect(child)
        from_x, from_y, to_x, to_y = above.center().x(), above.bottom(), below.center().x(), below.top()
        path.moveTo(from_x, from_y)
        if self._zoom < DOTS_BELOW:
            path.lineTo(to_x, to_y)  # a curve of a few pixels, and there are hundreds
        else:
            middle = (from_y + to_y) / 2
            path.cubicTo(from_x, middle, to_x, middle, to_x, to_y)

    def _paint_node(self, painter: QPainter, node: Node, *, focused: bool) -> None:
        selected = self.selectionModel().isSelected(self.index_of(node))
        faded = self._matches is not None and (node.snapshot is None or node.snapshot.name not in self._matches)
        rect = self._shown_rect(node)
        metrics = self.geometry_of.metrics
        self._painter.card(painter, rect, node, metrics, selected=selected, focused=focused, faded=faded)
        if node.number in self._collapsed and node.children:
            self._paint_hidden(painter, rect, node)

    def _paint_hidden(self, painter: QPainter, rect: QRectF, node: Node) -> None:
        """A tab under a collapsed card says how many are hidden; a click on it shows them."""
        tab = self.tab_of(rect)
        painter.setPen(QPen(color(Role.CARD_BORDER), 1))
        painter.setBrush(color(Role.CARD))
        painter.drawRoundedRect(tab, tab.height() / 2, tab.height() / 2)
        painter.setPen(color(Role.ACCENT))
        painter.drawText(tab, int(Qt.AlignmentFlag.AlignCenter), f"+{_count(node)}")

    def tab_of(self, rect: QRectF) -> QRectF:
        """Return the place of the "+N" under a collapsed card."""
        line = self.geometry_of.metrics.line
        return QRectF(rect.center().x() - line * 1.5, rect.bottom() + 4, line * 3, line * 1.3)

    # "You are here" glides to its new place

    def _remember_here(self) -> None:
        self._glide_from = self.geometry_of.rect(self.here()).topLeft()

    def here(self) -> Node:
        """Return the node of the current state."""
        return self._tree_model.node(self._tree_model.index_of(None))

    def _glide_here(self) -> None:
        target = self.geometry_of.rect(self.here()).topLeft()
        still = self.style().styleHint(QStyle.StyleHint.SH_Widget_Animation_Duration, None, self) <= 0
        if self._glide_from.isNull() or self._glide_from == target or still or not self.isVisible():
            self._glide_from = QPointF()
            return
        self._glide.stop()
        self._glide.start()

    def _shown_rect(self, node: Node) -> QRectF:
        rect = self.geometry_of.rect(node)
        if not node.is_here or self._glide.state() != QVariantAnimation.State.Running or self._glide_from.isNull():
            return rect
        done = float(self._glide.currentValue())
        return rect.translated((self._glide_from - rect.topLeft()) * (1.0 - done))

    # following the model

    def _after_reset(self) -> None:
        self._collapsed.clear()
        self._matches = None
        self._glide_from = QPointF()

    def _open_branch(self, parent: QModelIndex, _first: int, _last: int) -> None:
        if parent.isValid() and not self.is_collapsed(parent):
            self.expand(parent)

    def _open_moved(self, _source: QModelIndex, _first: int, _last: int, target: QModelIndex, _row: int) -> None:
        self._open_branch(target, 0, 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.updateGeometries()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in {QEvent.Type.FontChange, QEvent.Type.StyleChange} and self._overview is not None:
            self.relayout()


def _scroll_by(low: int, high: int, size: int, *, centre: bool) -> int:
    if centre:
        return (low + high) // 2 - size // 2
    if low < MARGIN // 2:
        return low - MARGIN // 2
    return max(0, high - size + MARGIN // 2)


def _count(node: Node) -> int:
    waiting, found = list(node.children), 0
    while waiting:
        below = waiting.pop()
        found += not below.is_here
        waiting.extend(below.children)
    return found
