"""The view of the files that differ: asks for more where it is looked at, keeps its place in another order."""

from PySide6.QtCore import QModelIndex, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHeaderView, QTreeView, QWidget

from snapgui.ui.files_arrangement import Arrangement
from snapgui.ui.files_model import NAME, FilesModel
from snapgui.ui.wording import tr

WIDTHS = (38, 16, 26, 38, 20)
"""Of the columns, in letters."""
MOST_OPEN = 200
"""Directories that are opened again when the order changes."""


class FilesView(QTreeView):
    """``chosen``: another file is the current one, by its id; ``entered``: the user wants to see it."""

    chosen = Signal()
    entered = Signal()

    def __init__(self, model: FilesModel, parent: QWidget) -> None:
        super().__init__(parent)
        self.files = model
        self._open: set[int] = set()
        self._current: int | None = None
        self._restoring = False
        self.setObjectName("outline")
        self.setAccessibleName(tr("Files that differ"))
        self.setUniformRowHeights(True)
        self.setIconSize(QSize(16, 16))
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollMode(QTreeView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setModel(model)
        self.header().setSortIndicator(NAME, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.header().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.header().setStretchLastSection(True)
        unit = self.fontMetrics().averageCharWidth()
        for column, width in enumerate(WIDTHS):
            self.setColumnWidth(column, width * unit)
        self._more = QTimer(self)
        self._more.setSingleShot(True)
        self._more.timeout.connect(self._tell_more)
        self.verticalScrollBar().valueChanged.connect(lambda _value: self._more.start())
        self.expanded.connect(self._on_expanded)
        self.collapsed.connect(lambda index: self._open.discard(self.id_of(index)))
        self.doubleClicked.connect(self._on_double_click)
        self.selectionModel().currentChanged.connect(self._on_current)

    @property
    def current(self) -> int | None:
        """The id of the current file; it may not be shown at the moment."""
        return self._current

    def show_arrangement(self, arrangement: Arrangement | None) -> None:
        """Show another order; what was open and current stays so, as far as it is shown."""
        top = self.verticalScrollBar().value()
        first = self.files.shown is None
        self._restoring = True
        self.files.show(arrangement)
        self.setRootIsDecorated(arrangement is not None and not arrangement.wish.flat)
        if arrangement is not None and not arrangement.wish.flat:
            if first or not self._open:
                self._open.update(self._worth_opening())
            for number in sorted(self._open)[:MOST_OPEN]:
                index = self.files.index_of(number)
                if index.isValid():
                    self.expand(index)
        self._go_back(top)
        self._restoring = False
        self._more.start()

    def forget(self) -> None:
        """Other files are to be shown: nothing is open, and none is current."""
        self._open.clear()
        self._current = None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex().siblingAtColumn(NAME)
        if event.key() not in {Qt.Key.Key_Return, Qt.Key.Key_Enter} or not index.isValid():
            super().keyPressEvent(event)
        elif self.files.hasChildren(index):
            self.setExpanded(index, not self.isExpanded(index))
        else:
            self.entered.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._more.start()

    @staticmethod
    def id_of(index: QModelIndex) -> int:
        """Return what stands for a file in all orders."""
        return int(index.internalId())

    def _go_back(self, top: int) -> None:
        index = QModelIndex() if self._current is None else self.files.index_of(self._current)
        if index.isValid():
            self.setCurrentIndex(index)
        self.executeDelayedItemsLayout()
        self.verticalScrollBar().setValue(top)

    def _worth_opening(self) -> list[int]:
        """Return the filesystems, if there are several, and the directories on the way to where there is a choice."""
        count = self.files.rowCount()
        found: list[int] = []
        for row in range(min(count, MOST_OPEN)):
            index = self.files.index(row, 0)
            wanted = count == 1 or self.files.is_place(index)
            while wanted and index.isValid() and self.files.hasChildren(index):
                found.append(self.id_of(index))
                wanted = self.files.rowCount(index) == 1
                index = self.files.index(0, 0, index)
        return found

    def _on_expanded(self, index: QModelIndex) -> None:
        self._open.add(self.id_of(index))
        self._more.start()

    def _on_current(self, index: QModelIndex) -> None:
        if index.isValid() and not (self._restoring and self.id_of(index) == self._current):
            self._current = self.id_of(index)
            self.chosen.emit()

    def _on_double_click(self, index: QModelIndex) -> None:
        if not self.files.hasChildren(index.siblingAtColumn(NAME)):
            self.entered.emit()

    def _tell_more(self) -> None:
        """Where the last known row of a directory is on the screen, tell of some more."""
        index = self.indexAt(self.viewport().rect().topLeft())
        bottom = self.viewport().rect().bottom()
        while index.isValid() and self.visualRect(index).top() <= bottom:
            above = index.parent()
            if index.row() == self.files.rowCount(above) - 1 and not self.files.tells_all(self.files.inside(above)):
                self.files.tell_more(self.files.inside(above))
                self._more.start()
                return
            index = self.indexBelow(index)
