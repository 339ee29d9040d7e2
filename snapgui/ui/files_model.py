"""The files that differ as Qt wants them: an arrangement that a worker made, told as far as it is looked at."""

from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from snapgui.ui.assets import icon
from snapgui.ui.file_words import change_sign, change_words
from snapgui.ui.files_arrangement import Arrangement, Order
from snapgui.ui.files_cells import FilesCells
from snapgui.ui.files_table import TOP, FilesTable
from snapgui.ui.theme import color
from snapgui.ui.wording import plain_tip, tr

BATCH = 500
"""Rows of one directory that the view is told of at a time: it asks for each of them."""
AnyIndex = QModelIndex | QPersistentModelIndex
NAME, CHANGE, SIZE, ASPECT, MODIFIED = range(5)
ORDERS = (Order.NAME, Order.CHANGE, Order.SIZE, Order.ASPECTS, Order.MODIFIED)
"""What each column is sorted by."""


class FilesModel(QAbstractItemModel):
    """``ordered``: the user wants another order. An index' id is 2 · row + 1, or 2 · directory."""

    ordered = Signal(object, bool)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.table = FilesTable()
        self._shown: Arrangement | None = None
        self._cells: FilesCells | None = None
        self._root = TOP
        self._told: dict[int, int] = {}

    # what is shown

    @property
    def shown(self) -> Arrangement | None:
        """The arrangement that is shown."""
        return self._shown

    def show(self, arrangement: Arrangement | None) -> None:
        """Show another arrangement of the table."""
        self.beginResetModel()
        self._shown, self._told = arrangement, {}
        self._cells = None if arrangement is None else FilesCells(self.table, arrangement)
        self._root = TOP
        if arrangement is not None and not arrangement.wish.flat:
            self._root = self._uppermost(arrangement)
        self.endResetModel()

    def row_of(self, index: AnyIndex) -> int | None:
        """Return the row of the table that stands at an index; of a directory the one that it is itself."""
        number = self._number(index)
        return None if number is None or self._cells is None else self._cells.row(number)

    def directory_of(self, index: AnyIndex) -> int | None:
        """Return the directory that stands at an index; None for what is none."""
        number = self._number(index)
        return None if number is None or number % 2 else number // 2

    @property
    def cells(self) -> FilesCells | None:
        """What the columns say."""
        return self._cells

    def is_place(self, index: AnyIndex) -> bool:
        """Whether an index stands for a filesystem."""
        return self.directory_of(index) in self.table.roots

    def path_of(self, index: AnyIndex) -> str:
        """Return the whole path of what stands at an index, as the disk has it."""
        number = self._number(index)
        return "" if number is None or self._cells is None else self._cells.path(number)

    def index_of(self, number: int) -> QModelIndex:
        """Return where something stands by its id; an index that is not valid where it is not shown."""
        shown = self._shown
        if shown is None or number // 2 >= (shown.frame.rows if number % 2 else shown.frame.directories):
            return QModelIndex()
        if number % 2:
            above = TOP if shown.wish.flat else int(shown.frame.folder[number // 2])
            item = number // 2
        else:
            above, item = int(shown.frame.above[number // 2]), -1 - number // 2
        if above < 0:
            return QModelIndex()
        places = (shown.inside(above) == item).nonzero()[0]
        if len(places) == 0:
            return QModelIndex()
        while int(places[0]) >= self._told.get(above, BATCH):
            self.tell_more(above, int(places[0]) + 1 - self._told.get(above, BATCH))
        return self.createIndex(int(places[0]), NAME, number)

    def inside(self, parent: AnyIndex) -> int:
        """Return the directory whose items lie below an index."""
        return self._root if not parent.isValid() else int(parent.internalId()) // 2

    def tells_all(self, directory: int) -> bool:
        """Whether the view knows of everything in a directory."""
        return self._shown is None or self._told.get(directory, BATCH) >= len(self._shown.inside(directory))

    def tell_more(self, directory: int, count: int = BATCH) -> None:
        """Tell the view of more rows of a directory."""
        if self._shown is None or self.tells_all(directory):
            return
        told = self._told.get(directory, BATCH)
        more = min(count, len(self._shown.inside(directory)) - told)
        above = QModelIndex() if directory == self._root else self._of_directory(directory)
        self.beginInsertRows(above, told, told + more - 1)
        self._told[directory] = told + more
        self.endInsertRows()

    # Qt's questions

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        directory = self._root if not parent.isValid() else self.directory_of(parent)
        if self._shown is None or directory is None or (parent.isValid() and parent.column() != NAME):
            return 0
        return min(len(self._shown.inside(directory)), self._told.get(directory, BATCH))

    def hasChildren(self, parent: AnyIndex = QModelIndex()) -> bool:  # noqa: B008 - Qt's own default
        if parent.isValid() and parent.internalId() % 2:
            return False
        return self.rowCount(parent) > 0

    def columnCount(self, _parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 5

    def index(self, row: int, column: int, parent: AnyIndex = QModelIndex()) -> QModelIndex:  # noqa: B008
        directory = self._root if not parent.isValid() else parent.internalId() // 2
        if self._shown is None or row < 0 or (parent.isValid() and parent.internalId() % 2):
            return QModelIndex()
        place = self._shown.starts[directory] + row
        if place >= self._shown.starts[directory + 1]:
            return QModelIndex()
        item = int(self._shown.items[place])
        return self.createIndex(row, column, 2 * item + 1 if item >= 0 else 2 * (-1 - item))

    def parent(self, index: AnyIndex = QModelIndex()) -> QModelIndex:  # type: ignore[override] # noqa: B008
        number = self._number(index)
        if number is None or self._shown is None or self._shown.wish.flat:
            return QModelIndex()
        frame = self._shown.frame
        above = int(frame.folder[number // 2]) if number % 2 else int(frame.above[number // 2])
        return QModelIndex() if above == self._root else self._of_directory(above)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            path = self._shown is not None and self._shown.wish.flat
            first = tr("Path") if path else tr("Name")
            return (first, tr("Change"), tr("Size"), tr("What Differs"), tr("Modified"))[section]
        if role == Qt.ItemDataRole.ToolTipRole and section == SIZE:
            return plain_tip(tr("Sorted by how much it grew or shrank"))
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        if 0 <= column < len(ORDERS):
            self.ordered.emit(ORDERS[column], order == Qt.SortOrder.DescendingOrder)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        number, cells = self._number(index), self._cells
        if number is None or cells is None:
            return None
        match role, index.column():
            case Qt.ItemDataRole.DisplayRole, column:
                return cells.text(number, column)
            case Qt.ItemDataRole.ForegroundRole, 1:
                change = cells.change(number)
                return None if change is None else color(change_sign(change)[1])
            case Qt.ItemDataRole.DecorationRole, 0:
                return icon(cells.icon(number))
            case Qt.ItemDataRole.ToolTipRole, 0:
                return plain_tip(cells.tip(number))
            case Qt.ItemDataRole.AccessibleTextRole, 1:
                change = cells.change(number)
                return None if change is None else change_words(change)
        return None

    def _uppermost(self, arrangement: Arrangement) -> int:
        """Return the directory whose items are at the top: of the filesystem, if there is one, or one is chosen."""
        wanted = arrangement.wish.place if len(self.table.places) > 1 else 0
        root = self.table.roots[wanted] if 0 <= wanted < len(self.table.roots) else TOP
        return root if root < arrangement.frame.directories else TOP

    def _of_directory(self, directory: int) -> QModelIndex:
        assert self._shown is not None  # noqa: S101 - there is no index without
        return self.createIndex(int(self._shown.position[directory]), NAME, 2 * directory)

    @staticmethod
    def _number(index: AnyIndex) -> int | None:
        return int(index.internalId()) if index.isValid() else None
