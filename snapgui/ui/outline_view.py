"""The same tree as a list with columns."""

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTreeView, QWidget

from snapgui.ui.row_words import Column
from snapgui.ui.snapshot_model import SnapshotModel
from snapgui.ui.unfolding import Unfolding

WIDTHS = {Column.NAME: 18, Column.SIZE: 7, Column.WHEN: 9, Column.STATE: 9, Column.KIND: 8}
"""In lines of text; what is described takes the rest."""


class OutlineView(QTreeView):
    """A plain tree view; collapsed branches and selection are shared with the graph by the window.

    A click on the head of the column with the sizes makes it a flat list, the largest first; another click on any head
    makes it the tree again.
    ``drag_wanted``: the pointer pulls at the current line.
    """

    drag_wanted = Signal()

    def __init__(self, model: SnapshotModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tree_model = model
        self.setObjectName("outline")
        self.setAccessibleName(self.tr("Snapshot list"))
        self.setModel(model)
        self.setUniformRowHeights(True)
        self.setAlternatingRowColors(False)
        self.setExpandsOnDoubleClick(False)
        self.setAllColumnsShowFocus(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setDragEnabled(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        header = self.header()
        header.setStretchLastSection(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        for column, share in WIDTHS.items():
            header.resizeSection(column, share * self.fontMetrics().height())
        header.setSectionsClickable(True)
        header.sectionClicked.connect(self._on_header)
        self.unfolding = Unfolding(self)
        model.rowsInserted.connect(self._open)
        model.rowsMoved.connect(lambda _from, _first, _last, to, _row: self._open(to, 0, 0))

    def startDrag(self, _actions: Qt.DropAction) -> None:
        self.drag_wanted.emit()

    def _on_header(self, column: int) -> None:
        by_size = column == Column.SIZE and not self._tree_model.by_size
        self._tree_model.sort_by_size(by_size)
        self.setRootIsDecorated(not by_size)
        if self.currentIndex().isValid():
            self.scrollTo(self.currentIndex())

    def _open(self, parent: QModelIndex, _first: int, _last: int) -> None:
        if parent.isValid():
            self.expand(parent)
