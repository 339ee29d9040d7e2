"""The dialogs before an operation: what it will do, and the few choices there are. None of them blocks the window."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QFrame,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from snapgui.model import names
from snapgui.model.errors import SnapguiError
from snapgui.model.plan import Plan, Remedy, Step
from snapgui.model.records import Place, Then
from snapgui.operations import delete, mend, revert, take, undo
from snapgui.operations.facts import Facts
from snapgui.operations.history import Experience, Past
from snapgui.ui.job_row import JobRow
from snapgui.ui.plan_view import REMEDIES, PlanView
from snapgui.ui.take_options import TakeOptions
from snapgui.ui.wording import plain_label, plain_tip, tr, words

WIDTH = 520
TALLEST = 700
EDGE, SPARE, FRAME = 20, 12, 40
"""Pixels around what a dialog shows, between a plan and the buttons, and of the frame that the desktop draws."""


class PlanDialog(QDialog):
    """A plan, a button with the verb, and Cancel.

    ``agreed`` carries (plan, facts), ``mend_wanted`` what the user wants to have done about a finding first,
    ``independence_wanted`` the UUID of a clone that is to depend on nothing first. ``waiting`` shows what is being done
    about that, and how far it is.
    """

    agreed = Signal(object, object)
    mend_wanted = Signal(object)
    independence_wanted = Signal(str)

    def __init__(self, facts: Facts, verb: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(WIDTH)
        self.facts = facts
        self.plan: Plan | None = None
        self.form = QFormLayout()
        self.form.setVerticalSpacing(8)
        self.form.setHorizontalSpacing(16)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._problem = plain_label("", self, "loss")
        self._problem.setWordWrap(True)
        self.waiting = JobRow(self)
        self._view = PlanView(self)
        self._view.mend_wanted.connect(self.mend_wanted)
        self._view.independence_wanted.connect(self.independence_wanted)
        self._view.leave_out_wanted.connect(self.leave_out)
        self._scroll = QScrollArea(self)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self._view)
        self.verb = QPushButton(verb, self)
        self.verb.clicked.connect(self._agree)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, self)
        buttons.addButton(self.verb, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.rejected.connect(self.reject)
        self._cancel = buttons.button(QDialogButtonBox.StandardButton.Cancel)
        box = QVBoxLayout(self)
        box.setContentsMargins(EDGE, EDGE, EDGE, 16)
        box.setSpacing(12)
        box.addLayout(self.form)
        box.addWidget(self._problem)
        box.addWidget(self.waiting)
        box.addWidget(self._scroll, 1)
        box.addWidget(buttons)

    def make_plan(self) -> Plan:
        """Return the plan for what is chosen now; raise one of the project's errors for what cannot be."""
        raise TypeError(f"{type(self).__name__} makes no plan")

    def leave_out(self, target: str) -> None:
        """Take a disk out of what is asked for."""
        raise TypeError(f"{type(self).__name__} cannot leave out {target}")

    def look_again(self, facts: Facts) -> None:
        """Show what the plan means now that something was mended."""
        self.facts = facts
        self.replan()
        self.fit()

    def complain(self, error: SnapguiError) -> None:
        """Say why something that was wanted first cannot be, until something else is chosen."""
        self._problem.setText(words(error.text))
        self._problem.show()
        self.fit()

    def replan(self) -> None:
        """Show what the present choices mean."""
        try:
            self.plan = self.make_plan()
        except SnapguiError as error:
            self.plan = None
            self._problem.setText(words(error.text))
        self._problem.setVisible(self.plan is None)
        self._view.setVisible(self.plan is not None)
        bar = Qt.ScrollBarPolicy.ScrollBarAlwaysOff if self.plan is None else Qt.ScrollBarPolicy.ScrollBarAsNeeded
        self._scroll.setVerticalScrollBarPolicy(bar)
        if self.plan is not None:
            self._view.show_plan(self.plan)
            self.setAccessibleDescription(". ".join(words(text) for text in self.plan.losses))
        possible = self.plan is not None and not self.plan.blockers
        self.verb.setEnabled(possible)
        self._say_why_not()
        loses = possible and self.plan is not None and bool(self.plan.losses)
        self.verb.setObjectName("danger" if loses else "")
        self.verb.setDefault(possible and not loses)
        self._cancel.setDefault(not possible or loses)
        self.verb.style().unpolish(self.verb)
        self.verb.style().polish(self.verb)

    def _say_why_not(self) -> None:
        """A button that cannot be pressed says its reason."""
        blockers = () if self.plan is None else self.plan.blockers
        why = self._problem.text() if self.plan is None else words(blockers[0].text) if blockers else ""
        self.verb.setToolTip(plain_tip(why) if why else "")
        self.verb.setAccessibleDescription(why)

    def fit(self) -> None:
        """Take the height that the plan needs, within reason."""
        inside, around = self._view.layout(), self.layout()
        if inside is None or around is None:
            return
        wanted = inside.totalHeightForWidth(WIDTH) if self.plan is not None else 0
        rest = around.totalSizeHint().height() - self._scroll.sizeHint().height()
        room = self.screen().availableGeometry().height() - FRAME
        self.resize(WIDTH + 2 * EDGE, min(TALLEST, room, rest + wanted + SPARE))

    def _agree(self) -> None:
        if self.plan is not None and not self.plan.blockers:
            self.agreed.emit(self.plan, self.facts)
            self.accept()


class TakeDialog(PlanDialog):
    """Name filled in and selected; Enter accepts; what is rarely needed is folded away."""

    def __init__(self, facts: Facts, experience: Experience, parent: QWidget) -> None:
        super().__init__(facts, tr("Take Snapshot"), parent)
        self._experience = experience
        self.setWindowTitle(tr("Take Snapshot of {vm}").format(vm=short(facts.vm.name)))
        self.name = QLineEdit(names.propose(facts.tree.snapshots), self)
        self.name.setAccessibleName(tr("Name"))
        self.name.selectAll()
        self.description = QPlainTextEdit(self)
        self.description.setAccessibleName(tr("Description"))
        self.description.setPlaceholderText(tr("What is about to happen? (optional)"))
        self.description.setTabChangesFocus(True)
        self.description.setFixedHeight(self.fontMetrics().height() * 4)
        self.options = TakeOptions(facts, self)
        self.options.hide()
        self._more = QPushButton(tr("Options"), self)
        self._more.setFlat(True)
        self._more.setCheckable(True)
        self._more.toggled.connect(self._on_more)
        self.form.addRow(tr("&Name"), self.name)
        self.form.addRow(tr("&Description"), self.description)
        self.form.addRow(self._more)
        self.form.addRow(self.options)
        for signal in (self.name.textChanged, self.description.textChanged, self.options.changed):
            signal.connect(self.replan)
        self.replan()
        self.fit()
        self.name.setFocus()

    def make_plan(self) -> Plan:
        request = take.TakeRequest(self.name.text() or " ", self.description.toPlainText(), *self.options.wishes())
        return take.plan(self.facts, request, self._experience)

    def leave_out(self, target: str) -> None:
        self._more.setChecked(True)
        self.options.leave_out(target)

    def look_again(self, facts: Facts) -> None:
        self.options.follow(facts)
        super().look_again(facts)

    def _on_more(self, shown: bool) -> None:
        self.options.setVisible(shown)
        self.fit()


class RevertDialog(PlanDialog):
    """Where to, what becomes of the current state, and what the VM does then.

    ``risk`` is what libvirt said against it (``asked``); agreeing to the dialog means to insist.
    """

    def __init__(self, facts: Facts, name: str, parent: QWidget, risk: str = "", asked: Step | None = None) -> None:
        super().__init__(facts, tr("Revert Anyway") if risk else tr("Revert"), parent)
        self._name, self._force = name, bool(risk)
        snapshot = facts.tree[name]
        if risk:
            warning = plain_label(risk, self, "loss")
            warning.setWordWrap(True)
            self.form.addRow(warning)
        self.setWindowTitle(tr("Revert {vm} to “{name}”").format(vm=short(facts.vm.name), name=short(snapshot.label)))
        self.safety = QCheckBox(tr("&Take a snapshot of the current state first"), self)
        self.safety.setChecked(facts.changed is not False)
        self.safety_name = QLineEdit(names.propose_safety(facts.tree.snapshots, facts.now.astimezone()), self)
        self.safety_name.setAccessibleName(tr("Name of the safety snapshot"))
        self.then = QComboBox(self)
        self.then.setAccessibleName(tr("Then"))
        for value, text in _then_choices(snapshot.memory is not Place.NONE):
            self.then.addItem(text, value)
        if asked is not None:
            self.then.setCurrentIndex(self.then.findData(str(asked.then)))
        self.form.addRow(self.safety)
        self.form.addRow(tr("Na&me"), self.safety_name)
        self.form.addRow(tr("T&hen"), self.then)
        self.reset_nvram: QCheckBox | None = None
        if "uefi" in {facts.machine.firmware, snapshot.machine.firmware}:
            self.reset_nvram = QCheckBox(tr("Make the &UEFI variables anew"), self)
            self.reset_nvram.setChecked(asked is not None and asked.reset_nvram)
            self.reset_nvram.toggled.connect(self.replan)
            self.form.addRow(self.reset_nvram)
        self.safety.toggled.connect(self.safety_name.setEnabled)
        self.safety_name.setEnabled(self.safety.isChecked())
        for signal in (self.safety.toggled, self.safety_name.textChanged, self.then.currentIndexChanged):
            signal.connect(self.replan)
        self.replan()
        self.fit()

    def make_plan(self) -> Plan:
        request = revert.RevertRequest(
            self._name,
            Then(self.then.currentData()),
            safety=self.safety.isChecked(),
            safety_name=self.safety_name.text() or " ",
            force=self._force,
            reset_nvram=self.reset_nvram is not None and self.reset_nvram.isChecked(),
        )
        return revert.plan(self.facts, request)


class DeleteDialog(PlanDialog):
    """What will be lost; the button says how many."""

    def __init__(self, facts: Facts, request: delete.DeleteRequest, parent: QWidget) -> None:
        super().__init__(facts, tr("Delete"), parent)
        self._request = request
        self.replan()
        count = 0 if self.plan is None else len(self.plan.steps)
        self.verb.setText(tr("Delete") if count == 1 else tr("Delete {count} snapshots").format(count=count))
        title = tr("Delete Snapshot of {vm}") if count == 1 else tr("Delete Snapshots of {vm}")
        self.setWindowTitle(title.format(vm=short(facts.vm.name)))
        self.fit()

    def make_plan(self) -> Plan:
        return delete.plan(self.facts, self._request)


class UndoDialog(PlanDialog):
    """Back to the state before the last revert."""

    def __init__(self, facts: Facts, past: Past | None, parent: QWidget) -> None:
        self._past = past
        undo.plan(facts, past)
        super().__init__(facts, tr("Undo the Revert"), parent)
        self.setWindowTitle(tr("Undo the Revert of {vm}").format(vm=short(facts.vm.name)))
        self.replan()
        self.fit()

    def make_plan(self) -> Plan:
        return undo.plan(self.facts, self._past)


class MendDialog(PlanDialog):
    """What the application will do about a finding."""

    def __init__(self, facts: Facts, remedy: Remedy, parent: QWidget) -> None:
        self._remedy = remedy
        mend.plan(facts, remedy)
        super().__init__(facts, words(REMEDIES[remedy]), parent)
        self.setWindowTitle(words(REMEDIES[remedy]))
        self.replan()
        self.fit()

    def make_plan(self) -> Plan:
        return mend.plan(self.facts, self._remedy)


DialogMaker = Callable[[Facts, QWidget], PlanDialog]


def _then_choices(has_memory: bool) -> list[tuple[str, str]]:
    taken = tr("as it was when the snapshot was taken")
    if has_memory:
        return [
            (Then.AS_TAKEN, taken),
            (Then.RUNNING, tr("running")),
            (Then.PAUSED, tr("paused")),
            (Then.OFF, tr("shut off")),
        ]
    return [(Then.AS_TAKEN, tr("shut off")), (Then.RUNNING, tr("start it")), (Then.PAUSED, tr("start it paused"))]


def short(text: str) -> str:
    """Return text short enough for a window's title."""
    line = " ".join(text.split())
    return line if len(line) <= 48 else f"{line[:24]}…{line[-20:]}"  # noqa: PLR2004 - about half a title bar
