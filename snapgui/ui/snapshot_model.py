"""The snapshot tree of one VM as a Qt model. It is spliced, never reset, so that views keep their place."""

import itertools
from enum import IntEnum

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QPixmap

from snapgui.model.changes import diff
from snapgui.model.records import Snapshot, Vm
from snapgui.model.tree import SnapshotTree
from snapgui.ui.wording import (
    age_words,
    badge_words,
    kind_words,
    moment_words,
    plain_tip,
    snapshot_state_words,
    state_words,
    tr,
)

AnyIndex = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
_CELL = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsDragEnabled
_TITLE = _CELL | Qt.ItemFlag.ItemIsEditable


class Column(IntEnum):
    """The columns of the outline."""

    NAME = 0
    WHEN = 1
    STATE = 2
    KIND = 3
    DESCRIPTION = 4


COLUMNS = len(Column)


class Node:
    """One row: a snapshot, or the current state (``snapshot`` None). The invisible root is its own parent."""

    __slots__ = ("children", "number", "parent", "row", "snapshot")

    def __init__(self, number: int, snapshot: Snapshot | None) -> None:
        self.number = number
        self.snapshot = snapshot
        self.parent: Node = self
        self.children: list[Node] = []
        self.row = 0

    @property
    def is_here(self) -> bool:
        """Whether this is "You are here"."""
        return self.snapshot is None


class SnapshotModel(QAbstractItemModel):
    """Rows are snapshots, oldest first; "You are here" is the last child of the current snapshot.

    ``edited`` is emitted with (snapshot name, title) when the user renames in place.
    """

    edited = Signal(str, str)
    restructured = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._numbers = itertools.count(1)
        self._root = Node(0, None)
        self._here = Node(next(self._numbers), None)
        # An invalid index has the number 0, as the root has.
        self._nodes: dict[int, Node] = {0: self._root, self._here.number: self._here}
        self._by_name: dict[str, Node] = {}
        self._thumbnails: dict[str, QPixmap] = {}
        self.tree = SnapshotTree()
        self._path_of = self.tree
        self._path: frozenset[str] = frozenset()
        self.vm: Vm | None = None
        self.changed: bool | None = None
        self._append(self._root, self._here)

    def show(self, vm: Vm, tree: SnapshotTree, changed: bool | None) -> None:
        """Take over a new state of the same VM, step by step; the first one at once."""
        if not self.tree.snapshots:
            self._fill(vm, tree, changed)
            return
        changes = diff(self.tree, tree)
        replaced = {name: self._by_name.pop(name) for name in changes.removed}
        self.tree = tree
        for name in changes.added:
            self._add(tree[name])
        for name in sorted(changes.moved, key=lambda name: len(tree.path(name))):
            self._move(self._by_name[name], self._parent_node(name))
        self._move(self._here, self._node_of(tree.current))
        for node in replaced.values():
            self._remove(node)
        for name in (*changes.edited, *changes.moved):
            self._by_name[name].snapshot = tree[name]
            self._touch(self._by_name[name])
        moved_mark = changes.current
        if moved_mark or (vm, changed) != (self.vm, self.changed):
            self.vm, self.changed = vm, changed
            self._touch_all_marks()
        if changes:
            self.restructured.emit()

    def clear(self) -> None:
        """Show no VM: for a change to another one, where keeping one's place means nothing."""
        self.beginResetModel()
        self._empty()
        self._append(self._root, self._here)
        self.tree, self.vm, self.changed = SnapshotTree(), None, None
        self.endResetModel()
        self.restructured.emit()

    def set_thumbnail(self, name: str, picture: QPixmap) -> None:
        """Show a picture of the guest's screen on a snapshot."""
        if name in self._by_name:
            self._thumbnails[name] = picture
            self._touch(self._by_name[name])

    def thumbnail(self, name: str) -> QPixmap | None:
        """Return the picture of a snapshot, if it has been loaded."""
        return self._thumbnails.get(name)

    def node(self, index: AnyIndex) -> Node:
        """Return the row behind an index (the invisible root for an invalid one)."""
        return self._nodes[index.internalId()]

    def snapshot(self, index: AnyIndex) -> Snapshot | None:
        """Return the snapshot behind an index; None for the current state and for nothing."""
        return self.node(index).snapshot if index.isValid() else None

    def index_of(self, name: str | None, column: int = 0) -> QModelIndex:
        """Return the index of a snapshot, or of the current state for None."""
        node = self._here if name is None else self._by_name.get(name)
        return QModelIndex() if node is None else self._index(node, column)

    @property
    def root(self) -> Node:
        """The invisible parent of all roots."""
        return self._root

    def on_path(self, node: Node) -> bool:
        """Whether the node lies on the way from the root to "You are here"."""
        if self._path_of is not self.tree:
            self._path_of, self._path = self.tree, frozenset(self.tree.path(self.tree.current))
        return node.snapshot is None or node.snapshot.name in self._path

    # Qt's side

    def index(self, row: int, column: int, parent: AnyIndex = ROOT) -> QModelIndex:
        below = self._nodes[parent.internalId()].children
        if 0 <= row < len(below) and 0 <= column < COLUMNS:
            return self.createIndex(row, column, below[row].number)
        return QModelIndex()

    def parent(self, index: AnyIndex = ROOT) -> QModelIndex:  # type: ignore[override]
        return self._index(self.node(index).parent)

    def rowCount(self, parent: AnyIndex = ROOT) -> int:
        return len(self.node(parent).children) if parent.column() <= 0 else 0

    def hasChildren(self, parent: AnyIndex = ROOT) -> bool:
        return bool(self.node(parent).children) and parent.column() <= 0

    def columnCount(self, _parent: AnyIndex = ROOT) -> int:
        return COLUMNS

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        is_title = index.column() == 0 and self._nodes[index.internalId()].snapshot is not None
        return _TITLE if is_title else _CELL

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> str | None:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return (tr("Name"), tr("When"), tr("State"), tr("Kind"), tr("Description"))[section]
        return None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        node = self.node(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cell(node, index.column())
        if role == Qt.ItemDataRole.EditRole:
            return node.snapshot.label if node.snapshot is not None else None
        if role in {Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.AccessibleDescriptionRole}:
            return self._spoken(node) if index.column() == Column.NAME else self._cell(node, index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(node)
        return None

    def setData(self, index: AnyIndex, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        snapshot = self.snapshot(index)
        if role != Qt.ItemDataRole.EditRole or snapshot is None or str(value) == snapshot.label:
            return False
        title = str(value).strip()
        self.edited.emit(snapshot.name, "" if title == snapshot.name else title)
        return True

    def here_words(self) -> str:
        """Return what the current state's card says under its title."""
        if self.vm is None:
            return ""
        state = state_words(self.vm)
        if self.tree.current is None:
            return state
        if self.changed:
            return f"{state} · {tr('changed')}"
        if self.changed is False:
            return f"{state} · {tr('unchanged')}"
        return state

    def _cell(self, node: Node, column: int) -> str:
        if node.snapshot is None:
            return {Column.NAME: tr("You are here"), Column.STATE: self.here_words()}.get(Column(column), "")
        snapshot = node.snapshot
        return {
            Column.NAME: lambda: " ".join(snapshot.label.split()),
            Column.WHEN: lambda: age_words(snapshot.created),
            Column.STATE: lambda: snapshot_state_words(snapshot),
            Column.KIND: lambda: kind_words(snapshot.kind),
            Column.DESCRIPTION: lambda: " ".join(snapshot.description.split()),
        }[Column(column)]()

    def _spoken(self, node: Node) -> str:
        """A screen reader's sentence; it begins with the snapshot's name."""
        if node.snapshot is None:
            return f"{tr('You are here')}, {self.here_words()}"
        snapshot = node.snapshot
        parts = [snapshot.name, snapshot.title or "", age_words(snapshot.created), snapshot_state_words(snapshot)]
        parts += [kind_words(snapshot.kind), tr("current") if snapshot.name == self.tree.current else ""]
        return ", ".join(part for part in parts if part)

    def _tip(self, node: Node) -> str:
        if node.snapshot is None:
            return self._spoken(node)
        snapshot = node.snapshot
        lines = [snapshot.label, snapshot.name if snapshot.title else "", moment_words(snapshot.created)]
        lines += [f"{badge_words(snapshot)} · {kind_words(snapshot.kind)}", snapshot.description[:500]]
        return plain_tip("\n".join(line for line in lines if line))

    # splicing

    def _index(self, node: Node, column: int = 0) -> QModelIndex:
        return self.createIndex(node.row, column, node.number) if node is not self._root else QModelIndex()

    def _node_of(self, name: str | None) -> Node:
        return self._root if name is None else self._by_name[name]

    def _parent_node(self, name: str) -> Node:
        return self._node_of(self.tree.parent(name))

    def _place(self, node: Node, parent: Node) -> int:
        """Return the row for ``node`` below ``parent``: by time, the current state last."""
        if node.snapshot is None:
            return sum(1 for child in parent.children if child is not node)
        key = (node.snapshot.created, node.snapshot.name)
        return sum(
            1
            for child in parent.children
            if child is not node and child.snapshot is not None and (child.snapshot.created, child.snapshot.name) < key
        )

    def _fill(self, vm: Vm, tree: SnapshotTree, changed: bool | None) -> None:
        if self.vm is None or tree.snapshots:
            self.beginResetModel()
            self._empty()
            self.tree, self.vm, self.changed = tree, vm, changed
            waiting = list(reversed(tree.roots))
            while waiting:
                name = waiting.pop()
                node = Node(next(self._numbers), tree[name])
                self._nodes[node.number] = self._by_name[name] = node
                self._append(self._parent_node(name), node)
                waiting.extend(reversed(tree.children(name)))
            self._append(self._node_of(tree.current), self._here)
            self.endResetModel()
            self.restructured.emit()
        elif (vm, changed) != (self.vm, self.changed):
            self.vm, self.changed = vm, changed
            self._touch(self._here)

    def _empty(self) -> None:
        self._root.children.clear()
        self._by_name.clear()
        self._thumbnails.clear()
        self._nodes = {0: self._root, self._here.number: self._here}
        self._here.children.clear()

    @staticmethod
    def _append(parent: Node, node: Node) -> None:
        node.parent, node.row = parent, len(parent.children)
        parent.children.append(node)

    def _add(self, snapshot: Snapshot) -> None:
        node = Node(next(self._numbers), snapshot)
        self._nodes[node.number] = self._by_name[snapshot.name] = node
        parent = self._parent_node(snapshot.name)
        row = self._place(node, parent)
        self.beginInsertRows(self._index(parent), row, row)
        self._insert(parent, node, row)
        self.endInsertRows()

    def _remove(self, node: Node) -> None:
        self.beginRemoveRows(self._index(node.parent), node.row, node.row)
        self._take_out(node)
        del self._nodes[node.number]
        self.endRemoveRows()

    def _move(self, node: Node, parent: Node) -> None:
        row = self._place(node, parent)
        if node.parent is parent and node.row == row:
            return
        before = row + 1 if node.parent is parent and row > node.row else row
        if not self.beginMoveRows(self._index(node.parent), node.row, node.row, self._index(parent), before):
            return
        self._take_out(node)
        self._insert(parent, node, row)
        self.endMoveRows()

    @staticmethod
    def _insert(parent: Node, node: Node, row: int | None = None) -> None:
        parent.children.insert(len(parent.children) if row is None else row, node)
        node.parent = parent
        for number, child in enumerate(parent.children):
            child.row = number

    @staticmethod
    def _take_out(node: Node) -> None:
        node.parent.children.pop(node.row)
        for number, child in enumerate(node.parent.children):
            child.row = number

    def _touch(self, node: Node) -> None:
        self.dataChanged.emit(self._index(node), self._index(node, len(Column) - 1))

    def _touch_all_marks(self) -> None:
        for name in self.tree.path(self.tree.current):
            self._touch(self._by_name[name])
        self._touch(self._here)
