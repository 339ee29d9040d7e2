"""The places of a disk that differ, as a table straight on the array: rows come as needed, nothing is copied."""

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from snapgui.images.difference import Difference
from snapgui.ui.block_words import offset_words, part_words, place_words
from snapgui.ui.disk_view import DiskView
from snapgui.ui.wording import size_words, tr

BATCH = 2_000
AnyIndex = QModelIndex | QPersistentModelIndex
_START, _LENGTH, _PART, _PARTITION = range(4)


class ExtentsModel(QAbstractTableModel):
    """One row per extent: where, how long, what, and in which partition."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._view: DiskView | None = None
        self._target = ""
        self._shown = 0

    def show(self, target: str, view: DiskView | None) -> None:
        """Show another disk."""
        self.beginResetModel()
        self._target, self._view = target, view
        self._shown = min(BATCH, self._total())
        self.endResetModel()

    def extent(self, row: int) -> tuple[int, int]:
        """Return (start, length) of a row, in bytes."""
        difference = self._difference()
        assert difference is not None  # noqa: S101 - there is no row without
        return int(difference.extents[row, 0]), int(difference.extents[row, 1])

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else self._shown

    def columnCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else 4

    def canFetchMore(self, parent: AnyIndex) -> bool:
        return not parent.isValid() and self._shown < self._total()

    def fetchMore(self, parent: AnyIndex) -> None:
        more = min(BATCH, self._total() - self._shown)
        if parent.isValid() or more <= 0:
            return
        self.beginInsertRows(QModelIndex(), self._shown, self._shown + more - 1)
        self._shown += more
        self.endInsertRows()

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is not Qt.Orientation.Horizontal or role != Qt.ItemDataRole.DisplayRole:
            return None
        return (tr("Place"), tr("Length"), tr("State"), tr("Partition"))[section]

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        view = self._view
        if role != Qt.ItemDataRole.DisplayRole or view is None or not index.isValid():
            return None
        start, length = self.extent(index.row())
        if index.column() == _START:
            return offset_words(start)
        if index.column() == _LENGTH:
            return size_words(length)
        found = view.found_at(start)
        if index.column() == _PART:
            return part_words(found.part)
        return "" if found.partition is None else place_words(self._target, found.partition)

    def _difference(self) -> Difference | None:
        return None if self._view is None else self._view.difference

    def _total(self) -> int:
        difference = self._difference()
        return 0 if difference is None else len(difference.extents)
