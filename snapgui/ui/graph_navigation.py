"""Moving about in the graph: wheel, pinch, panning, space, and the arrow keys that walk the tree."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QItemSelectionModel, QModelIndex, QObject, QPoint, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QNativeGestureEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractItemView, QGestureEvent, QPinchGesture

from snapgui.ui.tree_node import Node

if TYPE_CHECKING:
    from snapgui.ui.graph_view import GraphView

WHEEL_STEP = 120
"""Eighths of a degree in one notch of a wheel (Qt's QWheelEvent::angleDelta)."""
Cursor = QAbstractItemView.CursorAction


class GraphNavigation(QObject):
    """An event filter on the view and its viewport."""

    def __init__(self, view: "GraphView") -> None:
        super().__init__(view)
        self._view = view
        self._pan: QPoint | None = None
        self._space = False
        view.viewport().grabGesture(Qt.GestureType.PinchGesture)
        view.viewport().installEventFilter(self)
        view.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._view:
            return isinstance(event, QKeyEvent) and self._key(event)
        if isinstance(event, QWheelEvent):
            return self._wheel(event)
        if isinstance(event, QNativeGestureEvent):
            return self._native(event)
        if isinstance(event, QGestureEvent):
            return self._gesture(event)
        if isinstance(event, QMouseEvent):
            return self._mouse(event)
        return False

    # mouse

    def _mouse(self, event: QMouseEvent) -> bool:
        if event.type() == QEvent.Type.MouseButtonPress:
            return self._press(event)
        if event.type() == QEvent.Type.MouseMove and self._pan is not None:
            self._pan_to(event.position().toPoint())
            return True
        if event.type() == QEvent.Type.MouseMove and not event.buttons() and not self._space:
            shape = self._shape_at(event.position().toPoint())
            if self._view.viewport().cursor().shape() != shape:
                self._view.viewport().setCursor(shape)
        if event.type() == QEvent.Type.MouseButtonRelease and self._pan is not None:
            self._end_pan()
            return True
        return False

    def _press(self, event: QMouseEvent) -> bool:
        view, point = self._view, event.position()
        if event.button() == Qt.MouseButton.LeftButton and (node := self._tab_at(point)) is not None:
            view.set_collapsed(view.index_of(node), False)
            return True
        grabs = event.button() == Qt.MouseButton.MiddleButton or (
            event.button() == Qt.MouseButton.LeftButton
            and (self._space or not view.indexAt(point.toPoint()).isValid())
            and not event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
        )
        if grabs:
            self._pan = point.toPoint()
            view.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)
            view.setFocus(Qt.FocusReason.MouseFocusReason)
        return grabs

    def _tab_at(self, point: QPointF) -> Node | None:
        view = self._view
        there = view.to_graph(point)
        for node in view.geometry_of.within(view.visible_region()):
            hidden = view.is_collapsed(view.index_of(node))
            if hidden and view.tab_of(view.geometry_of.rect(node)).contains(there):
                return node
        return None

    def _shape_at(self, point: QPoint) -> Qt.CursorShape:
        """A click on another VM's card goes there."""
        index = self._view.indexAt(point)
        relative = self._view.node_of(index).relative if index.isValid() else None
        leads = relative is not None and relative.vm is not None
        return Qt.CursorShape.PointingHandCursor if leads else Qt.CursorShape.ArrowCursor

    def _pan_to(self, point: QPoint) -> None:
        if self._pan is None:
            return
        moved = self._pan - point
        self._pan = point
        for bar, by in ((self._view.horizontalScrollBar(), moved.x()), (self._view.verticalScrollBar(), moved.y())):
            bar.setValue(bar.value() + by)

    def _end_pan(self) -> None:
        self._pan = None
        self._view.viewport().setCursor(Qt.CursorShape.OpenHandCursor if self._space else Qt.CursorShape.ArrowCursor)

    # wheel and touch

    def _wheel(self, event: QWheelEvent) -> bool:
        if not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return False
        notches = event.angleDelta().y() / WHEEL_STEP
        self._view.set_zoom(self._view.zoom * 1.15**notches, event.position())
        return True

    def _native(self, event: QNativeGestureEvent) -> bool:
        if event.gestureType() != Qt.NativeGestureType.ZoomNativeGesture:
            return False
        self._view.set_zoom(self._view.zoom * (1.0 + event.value()), event.position())
        return True

    def _gesture(self, event: QGestureEvent) -> bool:
        pinch = event.gesture(Qt.GestureType.PinchGesture)
        if not isinstance(pinch, QPinchGesture):
            return False
        centre = QPointF(self._view.viewport().mapFromGlobal(pinch.centerPoint().toPoint()))
        self._view.set_zoom(self._view.zoom * pinch.scaleFactor(), centre)
        return True

    # keys

    def _key(self, event: QKeyEvent) -> bool:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat() and not self._typing():
            self._space = event.type() == QEvent.Type.KeyPress
            shape = Qt.CursorShape.OpenHandCursor if self._space else Qt.CursorShape.ArrowCursor
            self._view.viewport().setCursor(shape)
            return event.type() in {QEvent.Type.KeyPress, QEvent.Type.KeyRelease}
        if event.type() != QEvent.Type.KeyPress or event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return False
        if event.key() == Qt.Key.Key_Asterisk and not self._typing():
            return True  # Qt's tree would expand rows here that this graph keeps account of itself
        if event.key() in {Qt.Key.Key_Plus, Qt.Key.Key_Minus} and not self._typing():
            self._view.set_collapsed(self._view.currentIndex(), event.key() == Qt.Key.Key_Minus)
            return True
        return False

    def _typing(self) -> bool:
        return self._view.state() == QAbstractItemView.State.EditingState

    def move(self, action: Cursor) -> QModelIndex:
        """Return where a cursor key leads: up to the parent, down to a child, sideways in the row."""
        view = self._view
        model = view.model()
        index = view.currentIndex()
        if not index.isValid():
            return model.index(0, 0)
        node = view.node_of(index)
        target = self._target(node, action)
        return index if target is None else view.index_of(target)

    def leave_hidden(self, node: Node) -> None:
        """What a collapsed ``node`` hides is selected no longer: the next key would act on what nobody sees."""
        view, chosen, flags = self._view, self._view.selectionModel(), QItemSelectionModel.SelectionFlag
        for index in chosen.selectedRows():
            if view.isIndexHidden(index):
                chosen.select(index, flags.Deselect | flags.Rows)
        if view.currentIndex().isValid() and view.isIndexHidden(view.currentIndex()):
            chosen.setCurrentIndex(view.index_of(node), flags.Select | flags.Rows)

    def _target(self, node: Node, action: Cursor) -> Node | None:
        geometry = self._view.geometry_of
        below = geometry.children(node)
        if action == Cursor.MoveUp:
            return node.parent if geometry.shows(node.parent) else None
        if action == Cursor.MoveDown:
            return self._straight_below(below)
        if action in {Cursor.MoveLeft, Cursor.MovePrevious}:
            return geometry.neighbour(node, -1)
        if action in {Cursor.MoveRight, Cursor.MoveNext}:
            return geometry.neighbour(node, 1)
        if action in {Cursor.MoveHome, Cursor.MovePageUp}:
            return self._top(node)
        if action in {Cursor.MoveEnd, Cursor.MovePageDown}:
            return self._view.here()
        return None

    def _straight_below(self, below: list[Node]) -> Node | None:
        """The child on the way to "You are here", else the newest, else the first of what is none."""
        on_path = [child for child in below if self._view.on_path(child)]
        if on_path:
            return on_path[0]
        own = [child for child in below if child.relative is None]
        return own[-1] if own else below[0] if below else None

    @staticmethod
    def _top(node: Node) -> Node:
        while node.parent.parent is not node.parent:
            node = node.parent
        return node
