"""What differs on the disks: how much, where as a map, and every place in a table."""

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from snapgui.images.disk_map import Part
from snapgui.model.errors import Cancelled, SnapguiError
from snapgui.ui.assets import icon
from snapgui.ui.block_words import part_words, pause_words, summary_words
from snapgui.ui.compare_look import BlockLook, Reading
from snapgui.ui.compare_page import MARGIN, row
from snapgui.ui.disk_strip import DiskStrip, Swatch
from snapgui.ui.disk_view import DiskView
from snapgui.ui.extents_model import ExtentsModel
from snapgui.ui.wording import plain_label, plain_tip, size_words, tr, words

MOST_LINES = 5
"""Disks that are listed without scrolling."""
LEGEND_COLUMNS = 3
_LEGEND = (Part.UNCHANGED, Part.CHANGED, Part.NEVER, Part.ONLY_BEFORE, Part.ONLY_AFTER)


class BlocksPage(QWidget):
    """``content_wanted``: look at the content; ``content_cancelled``: do not go on with that."""

    content_wanted = Signal()
    content_cancelled = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.look: BlockLook | None = None
        self._views: dict[str, DiskView] = {}
        self.disks = QListWidget(self)
        self.disks.setAccessibleName(tr("Disks"))
        self.disks.setObjectName("disks")
        self.disks.setWordWrap(True)
        self.disks.currentRowChanged.connect(self._show_disk)
        self.strip = DiskStrip(self)
        self.extents = ExtentsModel(self)
        self.table = self._make_table()
        self.pointed = plain_label("", self, "muted")
        self.pointed.setWordWrap(True)
        self.strip.pointed.connect(self.pointed.setText)
        self.note = plain_label("", self, "muted")
        self.note.setWordWrap(True)
        self.pause = plain_label("", self, "wait")
        self._legend = {part: plain_label("", self) for part in Part}
        self._icons: dict[str, QPushButton] = {}
        self._on_strip: list[QWidget] = [*self._legend.values()]
        box = QVBoxLayout(self)
        box.setContentsMargins(MARGIN, 12, MARGIN, MARGIN)
        box.setSpacing(8)
        for part in (self.pause, self.disks, self.strip):
            box.addWidget(part)
        below = QHBoxLayout()
        below.addLayout(self._make_legend(), 1)
        below.addLayout(self._make_zoom_buttons())
        box.addLayout(below)
        box.addWidget(self.pointed)
        box.addWidget(self.note)
        box.addWidget(self.table, 1)
        box.addLayout(self._make_content_row())

    # results

    def show_look(self, look: BlockLook, *, reading: bool = False) -> None:
        """Show a result; the disk that was looked at stays. ``reading``: its content is being looked at."""
        chosen = self.disks.currentRow()
        self.look = look
        blocks = look.blocks
        self._views = {target: DiskView(found, blocks.drawn[target]) for target, found in blocks.disks.items()}
        self.disks.clear()
        for target, found in blocks.disks.items():
            self._add_line(target, summary_words(target, found, looked=look.looked))
        for target in blocks.only_before:
            self._add_line("", tr("{disk}: only before.").format(disk=target))
        for target in blocks.only_after:
            self._add_line("", tr("{disk}: only after.").format(disk=target))
        if not self.disks.count():
            self._add_line("", tr("There is no disk to compare."))
        self._fit_lines()
        self.disks.setCurrentRow(chosen if 0 <= chosen < self.disks.count() else 0)
        self.pause.setText(pause_words(blocks.paused_s))
        self.pause.setVisible(bool(blocks.paused_s))
        if not reading:
            self._end_content()

    def show_reading(self, reading: Reading) -> None:
        """Say how far the look at the content is."""
        share = reading.done / reading.total if reading.total else 1.0
        self.progress.setValue(round(1000 * share))
        self.told.setText(
            tr("{disk}: {done} of {size} read").format(
                disk=reading.target, done=size_words(reading.done), size=size_words(reading.total)
            )
        )

    def show_content_error(self, error: SnapguiError) -> None:
        """The content could not be looked at; what the tables say stays."""
        self._end_content()
        if not isinstance(error, Cancelled):
            self._say_loss(words(error.text))
            self.button.setText(tr("Try Again"))

    def recolour(self) -> None:
        """The scheme was changed."""
        self.strip.update()
        self._draw_icons()

    # the content

    def _on_content_wanted(self) -> None:
        for part in (self.progress, self.cancel):
            part.show()
        self.progress.setValue(0)
        self.button.hide()
        self.told.setText(tr("Reading what may differ…"))
        self.told.setToolTip("")
        self.content_wanted.emit()

    def _end_content(self) -> None:
        self.progress.hide()
        self.cancel.hide()
        look = self.look
        if look is None:
            return
        differs = any(len(found.extents) for found in look.blocks.disks.values())
        why = "" if look.why_no_content is None else words(look.why_no_content)
        self.button.setVisible(not look.looked and differs)
        self.button.setEnabled(not why)
        self.button.setText(tr("Look at the Content"))
        if look.looked:
            text = tr("The content was looked at: what is told differs, to the sector.")
        elif why or not differs:
            text = why if differs else ""
        else:
            text = tr("Told from the images’ tables alone. Some of it may have been rewritten with the same.")
        self.told.setText(text)
        self.told.setToolTip("")

    def _say_loss(self, text: str) -> None:
        self.told.setText(text)
        self.told.setToolTip(plain_tip(text))

    def _make_content_row(self) -> QHBoxLayout:
        self.button = QPushButton(tr("Look at the Content"), self)
        self.button.clicked.connect(self._on_content_wanted)
        self.progress = QProgressBar(self)
        self.progress.setRange(0, 1000)
        self.progress.setFixedWidth(200)
        self.progress.setAccessibleName(tr("Content that was read"))
        self.cancel = QPushButton(tr("Cancel"), self)
        self.cancel.clicked.connect(self.content_cancelled)
        self.told = plain_label("", self, "muted")
        self.told.setWordWrap(True)
        box = row(self.button, self.progress, self.cancel)
        box.addWidget(self.told, 1)
        self.progress.hide()
        self.cancel.hide()
        return box

    # one disk

    def _show_disk(self, number: int) -> None:
        item = self.disks.item(number) if number >= 0 else None
        target = "" if item is None else str(item.data(Qt.ItemDataRole.UserRole))
        view, look = self._views.get(target), self.look
        self.strip.show_disk(target, view, "" if item is None else item.text())
        self.extents.show(target, view)
        self.pointed.setText(tr("Wheel or + and − zoom, arrows move, Ctrl+arrows go to the next difference."))
        for shown in (self.strip, self.table, self.pointed, *self._on_strip):
            shown.setVisible(view is not None)
        drawn = None if look is None else look.blocks.drawn.get(target)
        totals = (0,) * len(Part) if drawn is None else drawn.map.totals()
        for part, label in self._legend.items():
            label.setText(f"{part_words(part)} {size_words(totals[part])}")
        why = "" if drawn is None else drawn.why_no_partitions
        self.note.setText(tr("Partitions are not shown: {reason}.").format(reason=why) if why else "")
        self.note.setVisible(bool(why))

    def _on_row(self, index: QModelIndex) -> None:
        if index.isValid():
            self.strip.go_to(*self.extents.extent(index.row()))

    def _make_table(self) -> QTreeView:
        table = QTreeView(self)
        table.setObjectName("outline")
        table.setAccessibleName(tr("Places that differ"))
        table.setRootIsDecorated(False)
        table.setUniformRowHeights(True)
        table.setModel(self.extents)
        table.header().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        unit = self.fontMetrics().averageCharWidth()
        for column, width in enumerate((34, 14, 18)):
            table.setColumnWidth(column, width * unit)
        table.selectionModel().currentChanged.connect(lambda now, _before: self._on_row(now))
        return table

    def _make_legend(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(2)
        for number, part in enumerate(_LEGEND):
            swatch = Swatch(part, self)
            self._on_strip.append(swatch)
            line, column = divmod(number, LEGEND_COLUMNS)
            grid.addWidget(swatch, line, 3 * column)
            grid.addWidget(self._legend[part], line, 3 * column + 1)
            grid.setColumnMinimumWidth(3 * column + 2, 16)
        grid.setColumnStretch(3 * LEGEND_COLUMNS, 1)
        return grid

    def _make_zoom_buttons(self) -> QHBoxLayout:
        box = QHBoxLayout()
        box.setSpacing(6)
        for drawing, spoken, act in (
            ("zoom-in", tr("Zoom in"), lambda: self.strip.zoom(2.0)),
            ("zoom-out", tr("Zoom out"), lambda: self.strip.zoom(0.5)),
            ("zoom-fit", tr("Show the whole disk"), self.strip.whole),
        ):
            button = QPushButton(self)
            button.setAccessibleName(spoken)
            button.setToolTip(spoken)
            button.clicked.connect(lambda _checked=False, act=act: act())
            box.addWidget(button)
            self._icons[drawing] = button
        self._on_strip += self._icons.values()
        self._draw_icons()
        return box

    def _draw_icons(self) -> None:
        for drawing, button in self._icons.items():
            button.setIcon(icon(drawing))

    def _add_line(self, target: str, text: str) -> None:
        item = QListWidgetItem(text, self.disks)
        item.setData(Qt.ItemDataRole.UserRole, target)

    def _fit_lines(self) -> None:
        count = min(MOST_LINES, self.disks.count())
        self.disks.setFixedHeight(count * max(20, self.disks.sizeHintForRow(0)) + 2)
