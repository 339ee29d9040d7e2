"""The panel at the right: everything about the selected snapshot, or about the current state."""

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFont, QKeyEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QFormLayout,
    QFrame,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from snapgui.model.records import Machine, Place, Snapshot, Vm
from snapgui.model.storage import SnapshotCost
from snapgui.model.tree import SnapshotTree
from snapgui.operations.vm_costs import VmCosts
from snapgui.ui.cost_words import Row, cost_rows, memory_row, vm_rows
from snapgui.ui.elided_label import ElidedLabel
from snapgui.ui.relatives import Relative
from snapgui.ui.wording import (
    breakable,
    kind_words,
    moment_words,
    plain_label,
    plain_tip,
    size_words,
    snapshot_state_words,
    state_words,
    tr,
)

EDGE = 16
MOST_DISKS = 8


class Details(QScrollArea):
    """``described`` carries (snapshot name, new description); ``wanted`` an action's name."""

    described = Signal(str, str)
    wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[str, object] = ("", None)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("Details"))
        self._title = ElidedLabel(self, 1.2)
        self._when = plain_label("", self, "muted")
        self._when.setWordWrap(True)
        self._screen = _Screen(self)
        self._facts = QFormLayout()
        self._facts.setHorizontalSpacing(EDGE)
        self._facts.setVerticalSpacing(6)
        self._facts.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self._facts.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._facts.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        self._description_label = _heading(self.tr("Description"), self)
        self._description = _Description(self)
        self._description.finished.connect(self._on_described)
        self._description_label.setBuddy(self._description)
        self._take = QPushButton(self.tr("Take Snapshot…"), self)
        self._take.clicked.connect(lambda: self.wanted.emit("take"))
        body = QWidget(self)
        box = QVBoxLayout(body)
        box.setContentsMargins(EDGE, EDGE, EDGE, EDGE)
        box.setSpacing(8)
        for part in (self._title, self._when, self._screen):
            box.addWidget(part)
        box.addLayout(self._facts)
        box.addWidget(_hairline(self))
        box.addWidget(self._description_label)
        box.addWidget(self._description)
        box.addWidget(self._take, 0, Qt.AlignmentFlag.AlignLeft)
        box.addStretch(1)
        self.setWidget(body)
        self.show_nothing()

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().averageCharWidth() * 40, 400)

    def show_nothing(self) -> None:
        """Show that nothing is selected."""
        self._shown = ("", None)
        self._title.set_text(self.tr("Nothing selected"))
        self._when.setText(self.tr("Select a snapshot to see what it holds."))
        self._fill([])
        self._screen.set_picture(None)
        self._show_description(None)
        self._take.hide()

    def show_snapshot(
        self, snapshot: Snapshot, tree: SnapshotTree, picture: QPixmap | None, cost: SnapshotCost | None = None
    ) -> None:
        """Show one snapshot."""
        self._title.set_text(snapshot.label)
        mark = [snapshot_state_words(snapshot), self.tr("current") if tree.current == snapshot.name else ""]
        self._when.setText(" · ".join([moment_words(snapshot.created), *(part for part in mark if part)]))
        self._screen.set_picture(picture)
        parent = tree.parent(snapshot.name)
        rows: list[Row] = [(self.tr("Name"), snapshot.name, "")] if snapshot.title else []
        rows += [(self.tr("Kind"), kind_words(snapshot.kind), ""), memory_row(snapshot, cost), *cost_rows(cost)]
        rows += [(self.tr("Parent"), self.tr("none") if parent is None else tree[parent].label, "")]
        rows += [(self.tr("Disks"), disk, "") for disk in _disk_lines(snapshot)]
        rows += _machine_rows(snapshot.machine)
        self._fill(rows)
        self._show_description(snapshot)
        self._shown = (snapshot.name, snapshot)
        self._take.hide()

    def show_current(
        self, vm: Vm, machine: Machine, tree: SnapshotTree, changed: bool | None, costs: VmCosts | None = None
    ) -> None:
        """Show the current state."""
        same = self._shown == ("here", vm.uuid) and vm.state.active
        self._shown = ("here", vm.uuid)
        self._title.set_text(self.tr("You are here"))
        self._when.setText(f"{vm.name} · {state_words(vm)}")
        if not same:
            self._screen.set_picture(None)
        since = {True: self.tr("changed"), False: self.tr("unchanged"), None: self.tr("not known")}[changed]
        rows: list[Row] = [(self.tr("State"), state_words(vm), "")]
        if tree.current is not None:
            rows += [(self.tr("Based on"), tree[tree.current].label, ""), (self.tr("Since then"), since, "")]
        rows += vm_rows(costs or VmCosts())
        rows += [(self.tr("Disks"), f"{disk.target}  {disk.source}", "") for disk in machine.disks[:MOST_DISKS]]
        rows += _machine_rows(machine)
        self._fill(rows)
        self._show_description(None)
        self._take.show()

    def show_relative(self, relative: Relative) -> None:
        """Show a clone, an image without a VM, or what the VM itself is a clone of."""
        self._shown = ("", None)
        self._title.set_text(relative.title)
        self._when.setText(relative.subtitle)
        self._screen.set_picture(None)
        rows: list[Row] = [(self.tr("Name") if relative.vm else self.tr("Image"), relative.name, "")]
        rows += [(self.tr("Kind"), relative.kind, ""), (self.tr("State"), relative.state or self.tr("not known"), "")]
        based = self.tr("the current state") if relative.snapshot is None else relative.snapshot
        self._fill([*(rows if relative.vm else rows[:2]), (self.tr("Based on"), based, "")])
        self._show_description(None)
        self._take.hide()

    def edit_description(self) -> None:
        """Put the cursor into the description."""
        self._description.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def set_picture(self, picture: QPixmap | None) -> None:
        """Show the screen of the selected snapshot."""
        self._screen.set_picture(picture)

    def _show_description(self, snapshot: Snapshot | None) -> None:
        self._description.setVisible(snapshot is not None)
        self._description_label.setVisible(snapshot is not None)
        if snapshot is not None:
            self._description.take_over(snapshot.name, snapshot.description)

    def _on_described(self, name: str, text: str) -> None:
        self.described.emit(name, text)

    def _fill(self, rows: list[Row]) -> None:
        while self._facts.rowCount():
            self._facts.removeRow(0)
        before = ""
        for name, text, tip in rows:
            label = plain_label("" if name == before else name, self, "muted")
            value = _WrappedValue(text, self)
            value.setToolTip(plain_tip(tip) if tip else "")
            self._facts.addRow(label, value)
            before = name


class _WrappedValue(QLabel):
    """A value that wraps anywhere: paths and names have no blanks."""

    def __init__(self, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setText(breakable(text))
        self.setAccessibleName(text)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)


class _Screen(QWidget):
    """The guest's screen, as wide as the panel."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._label = QLabel(self)
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._label.setAccessibleName(tr("Screen of the guest at that time"))
        self._picture: QPixmap | None = None
        self.hide()

    def set_picture(self, picture: QPixmap | None) -> None:
        self._picture = picture
        self.setVisible(picture is not None and not picture.isNull())
        self._scale()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._scale()

    def _scale(self) -> None:
        if self._picture is None or self._picture.isNull() or self.width() < EDGE:
            return
        ratio = self.devicePixelRatioF()
        mode = Qt.TransformationMode.SmoothTransformation
        shown = self._picture.scaledToWidth(round(self.width() * ratio), mode)
        shown.setDevicePixelRatio(ratio)
        self._label.setPixmap(shown)
        height = round(shown.height() / ratio)
        self._label.resize(self.width(), height)
        if self.height() != height:
            self.setFixedHeight(height)


class _Description(QPlainTextEdit):
    """Edited in place: saved when it is left or by Ctrl+Enter, given up by Escape."""

    finished = Signal(str, str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._name = self._kept = ""
        self.setTabChangesFocus(True)
        self.setAccessibleName(tr("Description"))
        self.setPlaceholderText(tr("Add a description"))
        self.setFixedHeight(self.fontMetrics().height() * 6)
        self.installEventFilter(self)

    def take_over(self, name: str, text: str) -> None:
        """Show another text; what is being typed for the same snapshot is not torn away."""
        if name == self._name and self.hasFocus() and self.toPlainText() != self._kept:
            return
        if name != self._name:
            self._save()
        if (name, text) != (self._name, self._kept) or self.toPlainText() != text:
            self._name, self._kept = name, text
            self.setPlainText(text)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self._save()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() == Qt.Key.Key_Escape:
                self.setPlainText(self._kept)
                self.clearFocus()
                return True
            control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
            if control and event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
                self._save()
                return True
        return super().eventFilter(watched, event)

    def _save(self) -> None:
        text = self.toPlainText()
        if self._name and text != self._kept:
            self._kept = text
            self.finished.emit(self._name, text)


def _heading(text: str, parent: QWidget) -> QLabel:
    label = plain_label(text, parent, "muted")
    font = QFont(label.font())
    font.setBold(True)
    label.setFont(font)
    return label


def _hairline(parent: QWidget) -> QFrame:
    line = QFrame(parent)
    line.setObjectName("hairline")
    line.setFixedHeight(1)
    return line


def _disk_lines(snapshot: Snapshot) -> list[str]:
    places = {Place.NONE: tr("left out"), Place.INTERNAL: tr("internal"), Place.EXTERNAL: tr("external")}
    lines = [f"{disk.target}  {places[disk.place]}" for disk in snapshot.disks[:MOST_DISKS]]
    more = len(snapshot.disks) - MOST_DISKS
    return [*lines, tr("and {count} more").format(count=more)] if more > 0 else lines


def _machine_rows(machine: Machine) -> list[Row]:
    if not machine.vcpus:
        return []
    cpus = tr("1 virtual CPU") if machine.vcpus == 1 else tr("{count} virtual CPUs").format(count=machine.vcpus)
    rows = [(tr("Machine"), f"{cpus}, {size_words(machine.memory)}"), (tr("Firmware"), machine.firmware.upper())]
    rows += [(tr("Network"), f"{nic.model} {nic.source or nic.mac}".strip()) for nic in machine.interfaces[:MOST_DISKS]]
    return [(name, text, "") for name, text in rows]
