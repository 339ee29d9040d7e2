"""A plan as people read it: what will be done, what will be lost, what stands in the way."""

import shlex
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from snapgui.model.plan import Finding, Plan, Remedy, Severity
from snapgui.model.records import Lent
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.ui.assets import pixmap
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import elided_middle, plain_label, tr, words

ICON = 16
MOST_LINES = 12
MOST_BUTTONS, MOST_PIXELS = 6, 240
"""Clones with a button of their own, and how wide a name on a button is."""
_LOOKS = {
    Severity.BLOCKER: ("error", Role.LOSS, "loss"),
    Severity.WARNING: ("warning", Role.WAIT, "wait"),
    Severity.NOTE: ("info", Role.MUTED, "muted"),
}


REMEDIES = {
    Remedy.START: QT_TRANSLATE_NOOP("remedy", "Start the VM"),
    Remedy.DISCARD_SAVED_STATE: QT_TRANSLATE_NOOP("remedy", "Discard the Saved State"),
    Remedy.NVRAM_TO_QCOW2: QT_TRANSLATE_NOOP("remedy", "Convert the NVRAM File"),
}
"""What the buttons say."""


def flattenable(finding: Finding) -> tuple[Lent, ...]:
    """Return the clones that can be made independent from here: VMs whose current state reads the base."""
    blocks = finding.severity is Severity.BLOCKER
    return tuple(clone for clone in finding.clones if blocks and clone.vm_uuid and not clone.snapshot)


class PlanView(QWidget):
    """Rebuilt whenever the user changes an option. What can be done about a finding is a button below it."""

    mend_wanted = Signal(object)
    leave_out_wanted = Signal(str)
    independence_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(1, 1)
        self._grid.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._plan: Plan | None = None
        self._about, self._more = QPushButton(self), QPushButton(tr("Show virsh commands"), self)
        for button in (self._about, self._more):
            button.setFlat(True)
            button.setCheckable(True)
        self._about.toggled.connect(self._again)
        self._commands = QPlainTextEdit(self)
        self._commands.setReadOnly(True)
        self._commands.setAccessibleName(tr("Equivalent virsh commands"))
        self._commands.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._commands.hide()
        self._more.toggled.connect(self._commands.setVisible)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        box.addLayout(self._grid)
        box.addWidget(self._about, 0, Qt.AlignmentFlag.AlignLeft)
        box.addWidget(self._more, 0, Qt.AlignmentFlag.AlignLeft)
        box.addWidget(self._commands)
        box.addStretch(1)

    def minimumSizeHint(self) -> QSize:
        """The height follows from the width alone; labels that wrap ask for more."""
        return QSize(0, 0)

    def show_plan(self, plan: Plan) -> None:
        """Show a plan in place of the one before; what is only worth knowing is folded away."""
        self._plan = plan
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        notes = [finding for finding in plan.findings if finding.severity is Severity.NOTE]
        for finding in plan.findings:
            if finding not in notes:
                self._finding(finding)
        if not plan.blockers:
            self._steps(plan)
        for finding in notes if self._about.isChecked() else ():
            self._finding(finding)
        self._about.setVisible(bool(notes))
        self._about.setText(tr("More about this VM ({count})").format(count=len(notes)))
        commands = [shlex.join(("virsh", *step.virsh)) for step in plan.steps if step.virsh]
        self._commands.setPlainText("\n".join(commands))
        height = self._commands.fontMetrics().height() * (min(len(commands), 6) + 2)
        self._commands.setFixedHeight(height)
        self._more.setVisible(bool(commands) and not plan.blockers)
        self._commands.setVisible(self._more.isChecked() and not plan.blockers)

    def _again(self) -> None:
        if self._plan is not None:
            self.show_plan(self._plan)

    def _steps(self, plan: Plan) -> None:
        for loss in plan.losses[:MOST_LINES]:
            self._row("warning", Role.LOSS, words(loss), "loss")
        if len(plan.losses) > MOST_LINES:
            self._row(
                "warning", Role.LOSS, tr("… and {count} more").format(count=len(plan.losses) - MOST_LINES), "loss"
            )
        if len(plan.steps) <= MOST_LINES:
            for number, step in enumerate(plan.steps, start=1):
                self._row("", Role.MUTED, words(step.text), "", lead=f"{number}.")
        for note in plan.notes:
            self._row("info", Role.MUTED, words(note), "muted")

    def _finding(self, finding: Finding) -> None:
        name, role, look = _LOOKS[finding.severity]
        self._row(name, role, words(finding.text), look)
        if finding.fix is not None:
            self._row("", Role.MUTED, words(finding.fix), "muted")
        offered: list[tuple[str, Callable[[], object]]] = [
            (words(REMEDIES[remedy]) + "…", partial(self.mend_wanted.emit, remedy)) for remedy in finding.remedies
        ]
        if target := finding.leave_out:
            text = tr("Leave {target} Out").format(target=target)
            offered.append((text, partial(self.leave_out_wanted.emit, target)))
        if offered:
            self._buttons(offered)
        for clone in flattenable(finding)[:MOST_BUTTONS]:
            name = elided_middle(clone.vm, self, MOST_PIXELS)
            text = tr("Make {vm} Independent…").format(vm=name.replace("&", "&&"))
            self._buttons([(text, partial(self.independence_wanted.emit, clone.vm_uuid))])

    def _buttons(self, offered: list[tuple[str, Callable[[], object]]]) -> None:
        row = QWidget(self)
        box = QHBoxLayout(row)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(16)
        for text, pressed in offered:
            button = QPushButton(text, row)
            button.setFlat(True)
            button.clicked.connect(lambda _checked=False, pressed=pressed: pressed())
            box.addWidget(button)
        self._grid.addWidget(row, self._grid.rowCount(), 1, Qt.AlignmentFlag.AlignLeft)
        row.show()

    def _row(self, icon: str, role: Role, text: str, look: str, lead: str = "") -> None:
        row = self._grid.rowCount()
        mark = plain_label(lead, self, "muted")
        mark.setFixedWidth(20)
        if icon:
            mark.setPixmap(pixmap(icon, ICON, color(role), self.devicePixelRatioF()))
        label = QLabel(self)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setObjectName(look)
        label.setWordWrap(True)
        label.setText(" ".join(text.split()))
        label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self._grid.addWidget(mark, row, 0, Qt.AlignmentFlag.AlignTop)
        label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(label, row, 1)
        for part in (mark, label):  # at once, not with the next event: a dialog asks how high they are together
            part.show()
