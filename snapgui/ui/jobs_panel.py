"""The list of jobs at the bottom of the window; it folds to its heading."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QCursor, QFontMetricsF, QGuiApplication, QPainter, QPalette
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from snapgui.ui.assets import icon, pixmap
from snapgui.ui.jobs import Job, JobsModel, JobState
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import plain_label, tr

ROW_PADDING = 6
ICON = 16
_LOOKS = {
    JobState.WAITING: ("activity", Role.MUTED),
    JobState.RUNNING: ("activity", Role.WAIT),
    JobState.DONE: ("ok", Role.GOOD),
    JobState.CANCELLED: ("cancel", Role.MUTED),
    JobState.FAILED: ("error", Role.LOSS),
    JobState.INTERRUPTED: ("warning", Role.WAIT),
}


class JobsPanel(QWidget):
    """Rows with what a job costs; right click for its commands. ``asked`` carries (job, what is wanted)."""

    asked = Signal(object, str)

    def __init__(self, model: JobsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self.list = QListView(self)
        self.list.setObjectName("jobs")
        self.list.setAccessibleName(self.tr("Activity"))
        self.list.setModel(model)
        self.list.setItemDelegate(_JobPainter(model, self.list))
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._menu)
        self.list.doubleClicked.connect(lambda index: self._ask(index, "details"))
        self.list.clicked.connect(self._on_click)
        self.list.activated.connect(lambda index: self._ask(index, "details"))
        self._fold = QToolButton(self)
        self._fold.setAutoRaise(True)
        self._fold.setCheckable(True)
        self._fold.setAccessibleName(self.tr("Show or hide the list of activities"))
        self._fold.toggled.connect(self._on_fold)
        self._heading = plain_label(self.tr("Activity"), self, "muted")
        self._empty = plain_label(self.tr("Nothing has been done yet in this window."), self, "muted")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        top = QHBoxLayout()
        top.addWidget(self._heading)
        top.addStretch(1)
        top.addWidget(self._fold)
        box = QVBoxLayout(self)
        box.setContentsMargins(16, 4, 12, 8)
        box.setSpacing(4)
        box.addLayout(top)
        box.addWidget(self._empty)
        box.addWidget(self.list, 1)
        box.addStretch(0)
        model.rowsInserted.connect(self._on_rows)
        self._on_rows()
        self._on_fold(False)

    def recolour(self) -> None:
        """Draw the icons in the colours of the palette that is shown now."""
        self._fold.setIcon(icon("expand" if self.folded else "collapse"))

    def set_folded(self, folded: bool) -> None:
        """Show only the heading, or the list too."""
        self._fold.setChecked(folded)

    @property
    def folded(self) -> bool:
        """Whether only the heading is shown."""
        return self._fold.isChecked()

    def sizeHint(self) -> QSize:
        return QSize(600, 132)

    def _on_rows(self) -> None:
        empty = self._model.rowCount() == 0
        self._empty.setVisible(empty and not self.folded)
        self.list.setVisible(not empty and not self.folded)

    def _on_fold(self, folded: bool) -> None:
        self.recolour()
        self._on_rows()
        self.setMaximumHeight(self._heading.sizeHint().height() + 24 if folded else 16_777_215)

    def _on_click(self, index: QModelIndex) -> None:
        """A click on the word at the end of a row: “Undo” or “Remove…”."""
        job = self._model.job(index)
        point = self.list.viewport().mapFromGlobal(QCursor.pos())
        if job is None or not job.offer:
            return
        if offer_rect(QRectF(self.list.visualRect(index)), job.offer).contains(QPointF(point)):
            self.asked.emit(job, job.offer)

    def _menu(self, point: QPoint) -> None:
        index = self.list.indexAt(point)
        job = self._model.job(index)
        if job is None:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(icon("info"), self.tr("Details…"), lambda: self.asked.emit(job, "details"))
        copy = menu.addAction(icon("copy"), self.tr("Copy virsh commands"), lambda: self.asked.emit(job, "copy"))
        copy.setEnabled(bool(job.commands))
        if not job.over:
            cancel = menu.addAction(icon("cancel"), self.tr("Cancel"), lambda: self.asked.emit(job, "cancel"))
            cancel.setEnabled(not job.cancel.is_set())
        if job.undoable:
            menu.addAction(icon("undo"), self.tr("Undo…"), lambda: self.asked.emit(job, "undo"))
        if job.removable:
            menu.addAction(icon("delete"), self.tr("Remove what is left…"), lambda: self.asked.emit(job, "remove"))
        if job.resumable:
            menu.addAction(icon("vm-running"), self.tr("Let the guest run on"), lambda: self.asked.emit(job, "resume"))
        menu.popup(self.list.viewport().mapToGlobal(point))

    def _ask(self, index: QModelIndex, what: str) -> None:
        if (job := self._model.job(index)) is not None:
            self.asked.emit(job, what)


class _JobPainter(QStyledItemDelegate):
    """One line: mark, what, where; at the right how far or how it ended."""

    def __init__(self, model: JobsModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._model = model

    def sizeHint(self, option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(200, option.fontMetrics.height() + 2 * ROW_PADDING)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        job = self._model.job(index)
        if job is None:
            return
        rect = QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color(Role.ACCENT_SOFT))
            painter.drawRoundedRect(rect, 6, 6)
        self._row(painter, rect.adjusted(8, 0, -8, 0), job, painter.device().devicePixelRatioF())
        painter.restore()

    def _row(self, painter: QPainter, rect: QRectF, job: Job, ratio: float) -> None:
        name, role = _LOOKS[job.state]
        mark = pixmap(name, ICON, color(role), ratio)
        painter.drawPixmap(QPointF(rect.x(), rect.center().y() - ICON / 2), mark)
        metrics = QFontMetricsF(painter.font())
        text = rect.adjusted(ICON + 8, 0, 0, 0)
        what = f"{' '.join(job.title.split())} · {' '.join(job.vm_name.split())}"
        status = job.status()
        if job.offer:
            place = offer_rect(rect.adjusted(-8, 0, 8, 0), job.offer)
            painter.setPen(color(Role.ACCENT))
            right = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight)
            painter.drawText(place, right, _offer_words(job.offer))
            text.setRight(place.left() - 8)
        left = min(metrics.horizontalAdvance(what), text.width() * 0.55)
        room = text.width() - left - 16
        flags = int(Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine)
        painter.setPen(QGuiApplication.palette().color(QPalette.ColorRole.Text))
        painter.drawText(text, flags, metrics.elidedText(what, Qt.TextElideMode.ElideMiddle, left + 1))
        painter.setPen(color(role if job.state is JobState.FAILED else Role.MUTED))
        shown = metrics.elidedText(status, Qt.TextElideMode.ElideRight, room)
        painter.drawText(text, flags | int(Qt.AlignmentFlag.AlignRight), shown)


def offer_rect(row: QRectF, offer: str) -> QRectF:
    """Return where the word stands in a row that offers to undo or to remove."""
    width = QFontMetricsF(QGuiApplication.font()).horizontalAdvance(_offer_words(offer)) + 16
    return QRectF(row.right() - 8 - width, row.y(), width, row.height())


def _offer_words(offer: str) -> str:
    return tr("Undo") if offer == "undo" else tr("Remove…")
