"""What is wrong with the storage of a VM, or of all: what each finding means, and a button for what can be done."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from snapgui.model.errors import SnapguiError
from snapgui.model.health import Ailment, Mending
from snapgui.model.plan import Plan, Severity
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations import health_mending
from snapgui.operations.facts import Facts
from snapgui.ui.assets import pixmap
from snapgui.ui.plan_dialogs import PlanDialog
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import plain_label, tr, words

SIZE = QSize(720, 520)
ICON = 16
_LOOKS = {
    Severity.BLOCKER: ("error", Role.LOSS, "loss"),
    Severity.WARNING: ("warning", Role.WAIT, ""),
    Severity.NOTE: ("info", Role.MUTED, ""),
}
_SEVERITIES = {
    Severity.BLOCKER: QT_TRANSLATE_NOOP("health", "Serious"),
    Severity.WARNING: QT_TRANSLATE_NOOP("health", "Warning"),
    Severity.NOTE: QT_TRANSLATE_NOOP("health", "Note"),
}
"""What screen readers say for the sign."""
MENDINGS = {
    Mending.ADOPT: QT_TRANSLATE_NOOP("mending", "Adopt"),
    Mending.REMOVE: QT_TRANSLATE_NOOP("mending", "Remove"),
    Mending.FLATTEN: QT_TRANSLATE_NOOP("mending", "Make Independent"),
    Mending.SET_FORMAT: QT_TRANSLATE_NOOP("mending", "Write the Format"),
    Mending.SET_BASE: QT_TRANSLATE_NOOP("mending", "Write the Base"),
}
"""What the buttons say."""


class HealthDialog(QDialog):
    """``look_wanted``: examine it again; ``mend_wanted``: (what is wrong, in which way it is to be mended)."""

    look_wanted = Signal()
    mend_wanted = Signal(object, object)

    def __init__(self, title: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.resize(SIZE)
        self.found: tuple[Ailment, ...] = ()
        self._state = plain_label("", self, "muted")
        self._state.setWordWrap(True)
        self._list = _Findings(self.mend_wanted.emit, self)
        scroll = QScrollArea(self)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self._list)
        self._again = QPushButton(tr("Look Again"), self)
        self._again.clicked.connect(self.look_wanted)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.addButton(self._again, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        box = QVBoxLayout(self)
        box.setContentsMargins(20, 20, 20, 16)
        box.setSpacing(12)
        box.addWidget(self._state)
        box.addWidget(scroll, 1)
        box.addWidget(buttons)

    def show_looking(self) -> None:
        """Say that it is being examined; what was found before stays to be seen, but cannot be mended meanwhile."""
        self._state.setText(tr("Looking at VMs, snapshots and images…"))
        self._again.setEnabled(False)
        self._list.setEnabled(False)

    def show_found(self, found: tuple[Ailment, ...]) -> None:
        """Show what is wrong."""
        self.found = found
        self._ended(_summary(found))
        self._list.show_found(found)

    def show_error(self, error: SnapguiError) -> None:
        """Say why it could not be examined."""
        self._ended(words(error.text))

    def _ended(self, state: str) -> None:
        self._state.setText(state)
        self._again.setEnabled(True)
        self._list.setEnabled(True)


def _summary(found: tuple[Ailment, ...]) -> str:
    if not found:
        return tr("Everything is as it should be.")
    one, many = tr("1 finding."), tr("{count} findings.")
    return one if len(found) == 1 else many.format(count=len(found))


class _Findings(QWidget):
    """One block for each finding: its sign, what it means, what can be done, and the buttons for that."""

    def __init__(self, mend: Callable[[Ailment, Mending], object], parent: QWidget) -> None:
        super().__init__(parent)
        self._mend = mend
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(8)
        self._grid.setColumnStretch(1, 1)
        self._grid.setAlignment(Qt.AlignmentFlag.AlignTop)

    def show_found(self, found: tuple[Ailment, ...]) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for number, ailment in enumerate(found):
            self._add(ailment, first=number == 0)

    def _add(self, ailment: Ailment, *, first: bool) -> None:
        if not first:
            line = QFrame(self)
            line.setObjectName("hairline")
            line.setFixedHeight(1)
            self._grid.addWidget(line, self._grid.rowCount(), 0, 1, 2)
        name, role, look = _LOOKS[ailment.severity]
        mark = QLabel(self)
        mark.setFixedWidth(20)
        mark.setAccessibleName(words(_SEVERITIES[ailment.severity]))
        mark.setPixmap(pixmap(name, ICON, color(role), self.devicePixelRatioF()))
        row = self._grid.rowCount()
        self._grid.addWidget(mark, row, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(self._label(words(ailment.text), look), row, 1)
        if ailment.fix is not None:
            self._grid.addWidget(self._label(words(ailment.fix), "muted"), row + 1, 1)
        if ailment.mendings:
            self._grid.addWidget(self._buttons(ailment), row + 2, 1, Qt.AlignmentFlag.AlignLeft)

    def _label(self, text: str, look: str) -> QLabel:
        label = plain_label(" ".join(text.split()), self, look)
        label.setWordWrap(True)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        return label

    def _buttons(self, ailment: Ailment) -> QWidget:
        row = QWidget(self)
        box = QHBoxLayout(row)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        for mending in ailment.mendings:
            button = QPushButton(words(MENDINGS[mending]) + "…", row)
            button.setAutoDefault(False)
            button.setAccessibleDescription(words(ailment.text))
            button.clicked.connect(partial(self._pressed, ailment, mending))
            box.addWidget(button)
        return row

    def _pressed(self, ailment: Ailment, mending: Mending, _checked: bool = False) -> None:
        self._mend(ailment, mending)


class HealingDialog(PlanDialog):
    """What mending one finding in one way means; raises Refused where it cannot be."""

    def __init__(self, facts: Facts, ailment: Ailment, mending: Mending, parent: QWidget) -> None:
        self._ailment, self._mending = ailment, mending
        health_mending.plan(facts, (ailment,), mending)
        super().__init__(facts, words(MENDINGS[mending]), parent)
        self.setWindowTitle(words(MENDINGS[mending]))
        self.replan()
        self.fit()

    def make_plan(self) -> Plan:
        return health_mending.plan(self.facts, (self._ailment,), self._mending)
