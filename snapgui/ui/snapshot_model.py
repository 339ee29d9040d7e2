"""The snapshot tree of one VM as a Qt model. It is spliced, never reset, so that views keep their place."""

import contextlib
import itertools
from collections.abc import Iterator, Mapping

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QPixmap

from snapgui.model.changes import diff
from snapgui.model.records import Snapshot, Vm
from snapgui.model.storage import SnapshotCost
from snapgui.model.tree import SnapshotTree
from snapgui.ui.assets import icon
from snapgui.ui.relatives import Key, Relative
from snapgui.ui.row_words import Column, relative_cell, snapshot_cell, snapshot_spoken, snapshot_tip
from snapgui.ui.size_order import SizeOrder
from snapgui.ui.theme import color
from snapgui.ui.tree_node import Node
from snapgui.ui.wording import state_words, tr

AnyIndex = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
_CELL = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsDragEnabled
_RELATIVE = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
_TITLE = _CELL | Qt.ItemFlag.ItemIsEditable
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter

COLUMNS = len(Column)


class SnapshotModel(QAbstractItemModel):
    """Rows are snapshots, oldest first; "You are here" is the last child of the current snapshot.

    What hangs off a snapshot or off the current state but is none of them comes last; what the VM is a clone of is the
    parent of all. Sorted by size, all rows are one flat list for Qt; the nodes remain a tree, which the graph places.
    ``edited`` is emitted with (snapshot name, title) when the user renames in place; ``surrounded`` when relatives came
    or went.
    """

    edited = Signal(str, str)
    restructured = Signal()
    surrounded = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._numbers = itertools.count(1)
        self._root = Node(0, None)
        self._here = Node(next(self._numbers), None)
        # An invalid index has the number 0, as the root has.
        self._nodes: dict[int, Node] = {0: self._root, self._here.number: self._here}
        self._by_name: dict[str, Node] = {}
        self._thumbnails: dict[str, QPixmap] = {}
        self._costs: dict[str, SnapshotCost] = {}
        self._sizes = SizeOrder()
        self._origin: Relative | None = None
        self._below: tuple[Relative, ...] = ()
        self._relatives: dict[Key, Node] = {}
        self.tree = SnapshotTree()
        self._path_of = self.tree
        self._path: frozenset[str] = frozenset()
        self.vm: Vm | None = None
        self.changed: bool | None = None
        self._append(self._root, self._here)

    def show(self, vm: Vm, tree: SnapshotTree, changed: bool | None) -> None:
        """Take over a new state of the same VM, step by step; the first one at once."""
        with self._as_tree():
            if self.tree.snapshots:
                self._splice(vm, tree, changed)
            else:
                self._fill(vm, tree, changed)

    def _splice(self, vm: Vm, tree: SnapshotTree, changed: bool | None) -> None:
        changes = diff(self.tree, tree)
        replaced = {name: self._by_name.pop(name) for name in changes.removed}
        self.tree = tree
        for name in changes.added:
            self._add(tree[name])
        for name in sorted(changes.moved, key=lambda name: len(tree.path(name))):
            self._move(self._by_name[name], self._parent_node(name))
        self._move(self._here, self._node_of(tree.current))
        for name, node in replaced.items():
            self._costs.pop(name, None)
            for child in [child for child in node.children if child.relative is not None]:
                self._remove(child)
            self._remove(node)
        for name in (*changes.edited, *changes.moved):
            self._by_name[name].snapshot = tree[name]
            self._touch(self._by_name[name])
        moved_mark = changes.current
        if moved_mark or (vm, changed) != (self.vm, self.changed):
            self.vm, self.changed = vm, changed
            self._touch_all_marks()
        hung = self._hang()
        if changes or hung:
            self.restructured.emit()

    def show_relatives(self, origin: Relative | None, below: tuple[Relative, ...]) -> None:
        """Take over what the VM is a clone of, and what hangs off it, step by step."""
        if (origin, below) == (self._origin, self._below) or self.vm is None:
            return
        self._origin, self._below = origin, below
        with self._as_tree():
            hung = self._hang()
        if hung:
            self.surrounded.emit()

    @property
    def has_relatives(self) -> bool:
        """Whether any relative is shown."""
        return bool(self._relatives)

    def relative(self, index: AnyIndex) -> Relative | None:
        """Return the relative behind an index."""
        node = self._nodes.get(index.internalId()) if index.isValid() else None  # one that a click has taken away
        return None if node is None else node.relative

    def clear(self) -> None:
        """Show no VM: for a change to another one, where keeping one's place means nothing."""
        with self._as_tree():
            self.beginResetModel()
            self._empty()
            self._costs.clear()
            self._origin, self._below = None, ()
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

    def set_costs(self, costs: Mapping[str, SnapshotCost]) -> None:
        """Show what snapshots cost, also those that are shown later; of those that are not named, nobody knows."""
        changed = [name for name in costs.keys() | self._costs.keys() if costs.get(name) != self._costs.get(name)]
        self._costs = dict(costs)
        for name in changed:
            if name in self._by_name:  # a title that is being typed is in another cell, and not torn away
                cell = self._index(self._by_name[name], Column.SIZE)
                self.dataChanged.emit(cell, cell)
        if changed and self._sizes:
            self._reorder(by_size=True)

    def cost(self, name: str) -> SnapshotCost | None:
        """Return what a snapshot costs, if that is known."""
        return self._costs.get(name)

    @property
    def by_size(self) -> bool:
        """Whether the rows are one flat list, the largest first."""
        return bool(self._sizes)

    def sort_by_size(self, wanted: bool) -> None:
        """Show all rows as one flat list, the largest first, or as the tree again."""
        if wanted != self.by_size:
            self._reorder(by_size=wanted)

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

    def index_of_node(self, node: Node) -> QModelIndex:
        """Return the index of any row; an invalid one for a row that is gone, which a view may still know."""
        return self._index(node) if self._nodes.get(node.number) is node else QModelIndex()

    @property
    def root(self) -> Node:
        """The invisible parent of all roots."""
        return self._root

    def on_path(self, node: Node) -> bool:
        """Whether the node lies on the way from the root to "You are here"."""
        if self._path_of is not self.tree:
            self._path_of, self._path = self.tree, frozenset(self.tree.path(self.tree.current))
        return node.is_here if node.snapshot is None else node.snapshot.name in self._path

    # Qt's side

    def index(self, row: int, column: int, parent: AnyIndex = ROOT) -> QModelIndex:
        below = self._rows(self._nodes[parent.internalId()])
        if 0 <= row < len(below) and 0 <= column < COLUMNS:
            return self.createIndex(row, column, below[row].number)
        return QModelIndex()

    def parent(self, index: AnyIndex = ROOT) -> QModelIndex:  # type: ignore[override]
        return ROOT if self._sizes else self._index(self.node(index).parent)

    def rowCount(self, parent: AnyIndex = ROOT) -> int:
        return len(self._rows(self.node(parent))) if parent.column() <= 0 else 0

    def hasChildren(self, parent: AnyIndex = ROOT) -> bool:
        return bool(self._rows(self.node(parent))) and parent.column() <= 0

    def columnCount(self, _parent: AnyIndex = ROOT) -> int:
        return COLUMNS

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        node = self._nodes[index.internalId()]
        if node.relative is not None:
            return _RELATIVE
        return _TITLE if index.column() == 0 and node.snapshot is not None else _CELL

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            size = f"↓ {tr('Size')}" if self._sizes else tr("Size")  # Qt's own mark lies on right-aligned text
            return (tr("Name"), size, tr("When"), tr("State"), tr("Kind"), tr("Description"))[section]
        if role == Qt.ItemDataRole.TextAlignmentRole and section == Column.SIZE:
            return _RIGHT
        if role == Qt.ItemDataRole.ToolTipRole and section == Column.SIZE:
            return tr("What exists only because of a snapshot. A click sorts by it, another one shows the tree again.")
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
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() == Column.SIZE:
            return _RIGHT
        if role == Qt.ItemDataRole.DecorationRole and node.relative is not None and index.column() == Column.NAME:
            name, tint = node.relative.look
            return icon(name, color(tint))
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
        if node.relative is not None:
            return relative_cell(node.relative, column)
        if node.snapshot is None:
            return {Column.NAME: tr("You are here"), Column.STATE: self.here_words()}.get(Column(column), "")
        return snapshot_cell(node.snapshot, column, self.cost(node.snapshot.name))

    def _spoken(self, node: Node) -> str:
        """A screen reader's sentence."""
        if node.relative is not None:
            return node.relative.spoken
        if node.snapshot is None:
            return f"{tr('You are here')}, {self.here_words()}"
        snapshot = node.snapshot
        return snapshot_spoken(snapshot, self.cost(snapshot.name), current=snapshot.name == self.tree.current)

    def _tip(self, node: Node) -> str:
        if node.relative is not None:
            return node.relative.tip
        snapshot = node.snapshot
        return self._spoken(node) if snapshot is None else snapshot_tip(snapshot, self.cost(snapshot.name))

    # splicing

    def _index(self, node: Node, column: int = 0) -> QModelIndex:
        if node is self._root:
            return QModelIndex()
        return self.createIndex(self._sizes.row(node) if self._sizes else node.row, column, node.number)

    def _rows(self, parent: Node) -> list[Node]:
        """Return the rows below a node as Qt sees them."""
        if not self._sizes:
            return parent.children
        return self._sizes.rows if parent is self._root else []

    def _node_of(self, name: str | None) -> Node:
        return self._top() if name is None else self._by_name[name]

    def _top(self) -> Node:
        """The parent of all that have none: the origin, or the invisible root."""
        first = self._root.children[0] if self._root.children else self._here
        return self._root if first.relative is None else first

    def _parent_node(self, name: str) -> Node:
        return self._node_of(self.tree.parent(name))

    def _place(self, node: Node, parent: Node) -> int:
        """Return the row for ``node`` below ``parent``: by time, then the current state, then relatives."""
        if node.relative is not None:
            mine = node.relative.order
            return sum(1 for child in parent.children if child.relative is None or child.relative.order < mine)
        if node.snapshot is None:
            return sum(1 for child in parent.children if child.snapshot is not None)
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
            if self._origin is not None:
                self._append(self._root, self._make(self._origin))
            waiting = list(reversed(tree.roots))
            while waiting:
                name = waiting.pop()
                node = Node(next(self._numbers), tree[name])
                self._nodes[node.number] = self._by_name[name] = node
                self._append(self._parent_node(name), node)
                waiting.extend(reversed(tree.children(name)))
            self._append(self._node_of(tree.current), self._here)
            self.endResetModel()
            self._hang()
            self.restructured.emit()
        elif (vm, changed) != (self.vm, self.changed):
            self.vm, self.changed = vm, changed
            self._touch(self._here)

    def _empty(self) -> None:
        self._root.children.clear()
        self._by_name.clear()
        self._thumbnails.clear()
        self._relatives.clear()
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
        if node.relative is not None:
            del self._relatives[node.relative.key]
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

    # sorted by size

    @contextlib.contextmanager
    def _as_tree(self) -> Iterator[None]:
        """Rows come, go and move in the tree; a flat list is made of it anew afterwards."""
        flat = self.by_size
        if flat:
            self._reorder(by_size=False)
        yield
        if flat:
            self._reorder(by_size=True)

    def _reorder(self, *, by_size: bool) -> None:
        """Views keep what is selected, expanded and edited: every row is told where it is now."""
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        nodes = [self._nodes[index.internalId()] for index in before]
        if by_size:
            self._sizes.sort((node for node in self._nodes.values() if node is not self._root), self._own)
        else:
            self._sizes.clear()
        after = [self._index(node, index.column()) for node, index in zip(nodes, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, Column.SIZE, Column.SIZE)

    def _own(self, node: Node) -> int | None:
        cost = None if node.snapshot is None else self.cost(node.snapshot.name)
        return None if cost is None else cost.own

    # relatives

    def _hang(self) -> bool:
        """Make the relatives' rows agree with what is wanted; return whether any came or went."""
        wanted = {relative.key: relative for relative in self._below if self._holds(relative)}
        if self._origin is not None:
            wanted[self._origin.key] = self._origin
        gone = self._relatives.keys() - wanted.keys()
        for key in gone:
            self._take_down(self._relatives[key])
        fresh = [relative for key, relative in wanted.items() if key not in self._relatives]
        for key, node in self._relatives.items():
            if node.relative != wanted[key]:
                node.relative = wanted[key]
                self._touch(node)
        for relative in fresh:
            self._put_up(relative)
        return bool(gone or fresh)

    def _holds(self, relative: Relative) -> bool:
        return relative.snapshot is None or relative.snapshot in self._by_name

    def _make(self, relative: Relative) -> Node:
        node = Node(next(self._numbers), None, relative)
        self._nodes[node.number] = self._relatives[relative.key] = node
        return node

    def _put_up(self, relative: Relative) -> None:
        parent = self._root if relative.leads_here else self._here
        if not relative.leads_here and relative.snapshot is not None:
            parent = self._by_name[relative.snapshot]
        node = self._make(relative)
        row = self._place(node, parent)
        self.beginInsertRows(self._index(parent), row, row)
        self._insert(parent, node, row)
        self.endInsertRows()
        if relative.leads_here:
            self._move_all(self._root, node, row)

    def _take_down(self, node: Node) -> None:
        if node.relative is not None and node.relative.leads_here:
            self._move_all(node, self._root, len(node.children))
        self._remove(node)

    def _move_all(self, source: Node, target: Node, count: int) -> None:
        """Move the first ``count`` rows of one node to the end of another one's, in one step."""
        to = len(target.children)
        if count and self.beginMoveRows(self._index(source), 0, count - 1, self._index(target), to):
            moved, source.children[:count] = source.children[:count], []
            target.children += moved
            for parent in (source, target):
                for number, child in enumerate(parent.children):
                    child.parent, child.row = parent, number
            self.endMoveRows()

    def _touch(self, node: Node) -> None:
        self.dataChanged.emit(self._index(node), self._index(node, len(Column) - 1))

    def _touch_all_marks(self) -> None:
        for name in self.tree.path(self.tree.current):
            self._touch(self._by_name[name])
        self._touch(self._here)
