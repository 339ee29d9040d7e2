"""Which files differ: the filesystems at the top, below them the files as a tree or a list, and the chosen one.

Asks nobody: what it shows is given to it, and what the user wants it tells by its signals.
"""

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from snapgui.images.filesystems.filesystem import Kind
from snapgui.model.errors import Cancelled, SnapguiError
from snapgui.operations.file_news import FilesystemDone, FilesystemFound
from snapgui.ui.compare_page import MARGIN, row
from snapgui.ui.file_details import FileDetails
from snapgui.ui.file_look_loader import FileWanted
from snapgui.ui.file_words import count_words, found_words
from snapgui.ui.files_arrangement import Arrangement, Order, Wish
from snapgui.ui.files_batch import KINDS, NOTHING, FilesBatch
from snapgui.ui.files_filter_bar import FilesFilterBar
from snapgui.ui.files_menu import file_menu
from snapgui.ui.files_model import FilesModel
from snapgui.ui.files_table import FilesTable
from snapgui.ui.files_view import FilesView
from snapgui.ui.filesystems_list import FilesystemsList, Places
from snapgui.ui.settings import Settings
from snapgui.ui.wording import plain_label, plain_tip, tr, words

FLAT = "files_as_list"
"""The setting that remembers tree or list."""


class FilesPage(QWidget):
    """``wished``: another order; ``file_chosen``: a FileWanted, or None; ``save_wanted``: of one, a side of it."""

    wished = Signal(object)
    file_chosen = Signal(object)
    save_wanted = Signal(object, int)
    cancelled = Signal()
    again = Signal()

    def __init__(self, settings: Settings, parent: QWidget) -> None:
        super().__init__(parent)
        self._settings = settings
        self._mirrored = False
        self._place = ""
        self._order, self._descending = Order.NAME, False
        self._going = False
        self.places = Places()
        self.filesystems = FilesystemsList(self)
        self._flat = settings.flag(FLAT, default=False)
        self.bar = FilesFilterBar(self, flat=self._flat)
        self.model = FilesModel(self)
        self.view = FilesView(self.model, self)
        self.details = FileDetails(self)
        self.found = plain_label("", self, "muted")
        self.told = plain_label("", self, "muted")
        self.progress = QProgressBar(self)
        self.cancel = QPushButton(tr("Cancel"), self)
        self.retry = QPushButton(tr("Try Again"), self)
        self._empty = plain_label("", self, "muted")
        self.everything = QPushButton(tr("Show All"), self)
        self._build()
        self._connect()

    # news

    def start(self) -> None:
        """Forget everything: files are compared anew."""
        self.model.show(None)
        self.model.table = FilesTable()
        self.places = Places()
        self._going = True
        self._place = ""
        self.filesystems.forget()
        self.view.forget()
        self.details.show_wanted(None)
        self.details.hide()
        self._say_progress()

    def take(self, news: FilesBatch | FilesystemFound | FilesystemDone) -> None:
        """Take a piece of news."""
        if isinstance(news, FilesBatch):
            self.model.table.add(news)
            self.places.count(news.place, len(news.names))
        else:
            if isinstance(news, FilesystemFound):
                self.model.table.place(news.place)
            self.places.note(news)
            self.filesystems.show_places(self.places)
        self._say_progress(news.place)

    def end(self, error: SnapguiError | None = None) -> None:
        """No more news come; ``error`` says why."""
        self._going = False
        self.filesystems.show_places(self.places)
        self._say_progress()
        if error is not None:
            text = words(error.text)
            if isinstance(error, Cancelled):
                text = tr("Cancelled: what was found until then is shown.")
            self.told.setText(text)
            self.told.setToolTip(plain_tip(text))
            self.told.show()
            self.retry.show()
        self._say_found()

    @property
    def going(self) -> bool:
        """Whether more news may come."""
        return self._going

    def show_arrangement(self, arrangement: Arrangement) -> None:
        """Show the files in another order."""
        self.view.show_arrangement(arrangement)
        if self._going:
            self.filesystems.show_places(self.places)
        self._say_found()

    def mirror(self, mirrored: bool) -> None:
        """Exchange the sides, or put them back."""
        if mirrored != self._mirrored:
            self._mirrored = mirrored
            self._wish()
            self._on_chosen()

    @property
    def wish(self) -> Wish:
        """How the user wants to see the files."""
        table = self.model.table
        place = table.places.index(self._place) if self._place in table.places else -1
        return Wish(self.bar.filter, self._order, self._descending, self._flat, place, self._mirrored)

    def recolour(self) -> None:
        """The scheme was changed."""
        self.filesystems.show_places(self.places)
        self.details.recolour()
        self.view.viewport().update()

    # the chosen file

    @property
    def wanted(self) -> FileWanted | None:
        """The file that is chosen, as both sides have it."""
        cells, number = self.model.cells, self.view.current
        if cells is None or number is None or not self.model.index_of(number).isValid():
            return None
        return self._wanted(number)

    def below(self) -> str:
        """Return what became of everything in the directory that is chosen."""
        cells, number = self.model.cells, self.view.current
        if cells is None or number is None or number % 2 or not self.model.index_of(number).isValid():
            return ""
        text = cells.sums(number // 2)
        return tr("Below it: {sums}").format(sums=text) if text else ""

    def _wanted(self, number: int) -> FileWanted | None:
        cells, table = self.model.cells, self.model.table
        if cells is None:
            return None
        row, path = cells.row(number), cells.path(number)
        folder = number // 2 if number % 2 == 0 else int(cells.shown.frame.folder[number // 2])
        place = table.place_of(folder)
        if place < 0:
            return None
        if row is None:
            return FileWanted(table.places[place], path, path, directory=True)
        kinds = cells.shown.frame.kind[row].tolist()
        before = None if kinds[0] == NOTHING else cells.other_path(number) or path
        is_directory = KINDS.index(Kind.DIRECTORY) in kinds
        return FileWanted(table.places[place], before, None if kinds[1] == NOTHING else path, is_directory)

    def _on_chosen(self) -> None:
        if self.wanted is not None and self.details.isHidden():
            self.details.show()
            half = self._splitter.height() // 2
            self._splitter.setSizes([half, half])
        self.file_chosen.emit(self.wanted)

    def _on_menu(self, point: QPoint) -> None:
        index = self.view.indexAt(point)
        if not self.view.viewport().rect().contains(point):  # by keyboard
            index = self.view.currentIndex()
        wanted = self._wanted(self.view.id_of(index)) if index.isValid() else None
        if wanted is None:
            return
        number = self.view.id_of(index)
        menu = file_menu(self, self.details.saves, wanted, lambda side: self.save_wanted.emit(wanted, side))
        only = menu.addAction(tr("Show Only This Folder"))
        only.triggered.connect(lambda _checked=False: self._show_only(number))
        menu.popup(self.view.viewport().mapToGlobal(self.view.visualRect(index).center()))

    def _show_only(self, number: int) -> None:
        shown = self.model.shown
        if shown is not None:
            folder = number // 2 if number % 2 == 0 else int(shown.frame.folder[number // 2])
            self.bar.look_in(folder, shown.frame.paths[folder] or "/")

    # what is wished

    def _wish(self) -> None:
        self.wished.emit(self.wish)

    def _on_flat(self, flat: bool) -> None:
        self._flat = flat
        self._settings.set_flag(FLAT, flat)
        self._wish()

    def _on_order(self, order: Order, descending: bool) -> None:
        self._order, self._descending = order, descending
        self._wish()

    def _on_place(self, name: str) -> None:
        self._place = name
        self._wish()

    # sentences

    def _say_progress(self, place: str = "") -> None:
        for part in (self.progress, self.cancel, self.told):
            part.setVisible(self._going)
        self.retry.hide()
        if not self._going:
            return
        known = self.places.known.get(place)
        if known is None:
            self.told.setText(tr("Looking for files that differ…"))
        else:
            text = tr("{place}: {count} differences so far")
            self.told.setText(text.format(place=known.name, count=count_words(known.count)))

    def _say_found(self) -> None:
        shown, total = self.model.shown, self.places.total
        matching = 0 if shown is None else shown.matching
        if shown is not None and shown.wish.place >= 0:
            total = self.places.known[self.model.table.places[shown.wish.place]].count
        self.found.setText(found_words(matching, total))
        nothing = not matching and not (self._going and not total)
        if nothing and shown is not None:
            filtered = total > 0
            self._empty.setText(tr("Nothing matches the filter.") if filtered else tr("No file differs."))
            self.everything.setVisible(filtered)
        comparable = self.places.comparable or self._going
        if not comparable:
            self._empty.setText(tr("There are no files that can be compared."))
            self.everything.hide()
        self._parts.setCurrentIndex(int((nothing and shown is not None) or not comparable))

    # building

    def _build(self) -> None:
        self.progress.setRange(0, 0)
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(120)
        self.progress.setAccessibleName(tr("Comparing the files…"))
        self._parts = QStackedWidget(self)
        self._parts.addWidget(self.view)
        self._parts.addWidget(self._make_empty())
        parts = self._splitter = QSplitter(Qt.Orientation.Vertical, self)
        parts.setChildrenCollapsible(False)
        parts.setHandleWidth(1)
        parts.addWidget(self._parts)
        parts.addWidget(self.details)
        parts.setStretchFactor(0, 1)
        self.details.hide()
        self.status = QHBoxLayout()
        self.status.setSpacing(8)
        self.status.addWidget(self.found)
        self.status.addWidget(self.bar.where)
        self.status.addStretch(1)
        box = QVBoxLayout(self)
        box.setContentsMargins(MARGIN, 12, MARGIN, 12)
        box.setSpacing(8)
        box.addWidget(self.filesystems)
        box.addLayout(row(self.progress, self.told, self.cancel, self.retry, 1))
        box.addWidget(self.bar)
        box.addWidget(parts, 1)
        box.addLayout(self.status)

    def _make_empty(self) -> QWidget:
        page = QWidget(self)
        box = QVBoxLayout(page)
        box.addStretch(2)
        for part in (self._empty, self.everything):
            box.addWidget(part, 0, Qt.AlignmentFlag.AlignHCenter)
        box.addStretch(3)
        return page

    def _connect(self) -> None:
        self.filesystems.chosen.connect(self._on_place)
        self.bar.changed.connect(self._wish)
        self.bar.flat_toggled.connect(self._on_flat)
        self.model.ordered.connect(self._on_order)
        self.view.chosen.connect(self._on_chosen)
        self.view.entered.connect(self.details.facts.setFocus)
        self.view.customContextMenuRequested.connect(self._on_menu)
        self.cancel.clicked.connect(self.cancelled)
        self.retry.clicked.connect(self.again)
        self.everything.clicked.connect(self.bar.reset)
        self.details.save_wanted.connect(lambda side: self.save_wanted.emit(self.wanted, side))
        find = QShortcut(QKeySequence.StandardKey.Find, self)
        find.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.activated.connect(self._find)

    def _find(self) -> None:
        self.bar.text.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.bar.text.selectAll()
