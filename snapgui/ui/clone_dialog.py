"""The dialogs before a clone is made, and before one is made independent of the images below it."""

from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QLabel, QLineEdit, QPushButton, QRadioButton, QVBoxLayout, QWidget

from snapgui.model.errors import Refused, SnapguiError
from snapgui.model.plan import Finding, Plan, Road, Verb
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations import clone
from snapgui.operations.clone import CloneRequest
from snapgui.operations.facts import Facts
from snapgui.operations.surroundings import Surroundings
from snapgui.ui.clone_look import CloneLook
from snapgui.ui.clone_options import CloneOptions
from snapgui.ui.plan_dialogs import PlanDialog, short
from snapgui.ui.wording import plain_label, size_words, tr, words

_LOOKING = QT_TRANSLATE_NOOP("errors", "snapgui is looking at the pool.")
_INDENT = 24
"""Pixels: the text of a radio button begins there."""


class CloneDialog(PlanDialog):
    """Name filled in and selected; Enter accepts. ``where``: the other hypervisor's name, if it goes there.

    ``look_wanted`` carries a pool that nobody has looked at; the answer comes by ``show_around``.
    """

    look_wanted = Signal(str)

    def __init__(self, look: CloneLook, snapshot: str | None, parent: QWidget, where: str = "") -> None:
        facts, around = look.facts, look.around
        choice = _choice(facts, around, snapshot)
        super().__init__(facts, tr("Clone"), parent)
        self._snapshot = snapshot
        self._around: dict[str, Surroundings | None] = {"": around}
        self.setWindowTitle(tr("Clone {what}").format(what=short(source_words(facts, snapshot))))
        self.name = QLineEdit(clone.propose(facts.vm.name, around.names), self)
        self.name.setAccessibleName(tr("Name"))
        self.name.selectAll()
        self.linked = QRadioButton(tr("&Linked: made at once, layered on the source's frozen images"), self)
        self.full = QRadioButton(tr("&Full: a copy that depends on nothing"), self)
        self._about = {self.linked: _below(self), self.full: _below(self)}
        (self.full if choice else self.linked).setChecked(True)
        self.host_devices = self._ask_for_devices(around.host_devices)
        self.options = CloneOptions(look.pools, elsewhere=bool(where), parent=self)
        self.options.hide()
        self._more = QPushButton(tr("Options"), self)
        self._more.setFlat(True)
        self._more.setCheckable(True)
        self._more.toggled.connect(self._on_more)
        self._fill(where)
        for signal in (self.name.textChanged, self.full.toggled, self.options.changed):
            signal.connect(self.replan)
        for signal in (self.full.toggled, self.options.changed):
            signal.connect(self.fit)
        self.replan()
        self.fit()
        self.name.setFocus()

    def _ask_for_devices(self, devices: tuple[str, ...]) -> QCheckBox | None:
        if not devices:
            return None
        box = QCheckBox(tr("&Keep the devices of the host: {devices}").format(devices=short(", ".join(devices))), self)
        box.toggled.connect(self.replan)
        return box

    def _fill(self, where: str) -> None:
        kinds = QVBoxLayout()
        kinds.setSpacing(4)
        for button, about in self._about.items():
            kinds.addWidget(button)
            kinds.addWidget(about)
        self.form.addRow(tr("&Name"), self.name)
        self.form.addRow("", self._problem)  # where the name is, not below everything
        if where:
            self.form.addRow(tr("On"), plain_label(short(where), self))
        self.form.addRow(tr("Kind"), kinds)
        if self.host_devices is not None:
            self.form.addRow("", self.host_devices)
        self.form.addRow(self._more)
        self.form.addRow(self.options)
        if (label := self.form.labelForField(self.name)) is not None:  # so that the fields of both forms stand in line
            label.setMinimumWidth(self.options.label_width)

    def make_plan(self) -> Plan:
        around = self._around[self.options.pool]
        if around is None:
            raise Refused(_LOOKING)
        request = CloneRequest(
            self.name.text() or " ",
            self._snapshot,
            self.full.isChecked(),
            start=self.options.start.isChecked(),
            connected=not self.options.disconnected.isChecked(),
            with_snapshots=self.options.with_snapshots.isChecked() and self.options.with_snapshots.isEnabled(),
            keep_host_devices=self.host_devices is not None and self.host_devices.isChecked(),
        )
        return _whole(clone.plan(self.facts, around, request))

    def replan(self) -> None:
        pool = self.options.pool
        if pool not in self._around:
            self._around[pool] = None
            self.look_wanted.emit(pool)
        if (around := self._around[pool]) is not None:
            self._show_kinds(around)
        self.options.follow(full=self.full.isChecked(), snapshots=bool(self.facts.tree.snapshots))
        super().replan()

    def show_around(self, pool: str, around: Surroundings) -> None:
        """Take over what was found in a pool."""
        self._around[pool] = around
        self.replan()
        self.fit()

    def leave_pool(self, pool: str) -> None:
        """A pool could not be looked at: go back to where the source's images are."""
        del self._around[pool]
        self.options.pools.setCurrentIndex(0)

    def _show_kinds(self, around: Surroundings) -> None:
        """Say what room a copy takes, and of each kind why it is impossible; of the chosen one the plan says it."""
        linked, full = (blockers_of_kind(self.facts, around, self._snapshot, full=full) for full in (False, True))
        for button, reasons in ((self.linked, linked), (self.full, full)):
            why = _why(reasons[0]) if reasons else ""
            button.setEnabled(not why)
            button.setAccessibleDescription(why)
            text = _room(around) if button is self.full and not why else "" if button.isChecked() else why
            self._about[button].setText(text)
            self._about[button].setVisible(bool(text))
        place = around.place
        self.options.show_place("" if place is None else _one_line(place.path))

    def _on_more(self, shown: bool) -> None:
        self.options.setVisible(shown)
        self.fit()


def plan_at_once(look: CloneLook, snapshot: str | None) -> Plan | None:
    """Return the plan that the dialog would show at first, or None where there is something to decide or against it."""
    if look.around.host_devices:
        return None
    try:
        full = _choice(look.facts, look.around, snapshot)
        plan = clone.plan(look.facts, look.around, CloneRequest("", snapshot, full))
    except SnapguiError:
        return None
    return None if plan.blockers else plan


def source_words(facts: Facts, snapshot: str | None) -> str:
    """Return what is cloned, as “web01 @ before-upgrade”."""
    found = None if snapshot is None else facts.tree.snapshots.get(snapshot)
    return facts.vm.name if found is None else f"{facts.vm.name} @ {found.label}"


def blockers_of_kind(facts: Facts, around: Surroundings, snapshot: str | None, *, full: bool) -> tuple[Finding, ...]:
    """Return what stands in the way of one kind of clone and not in that of the other."""
    mine, others = (_probe(facts, around, snapshot, full=kind).blockers for kind in (full, not full))
    codes = {finding.code for finding in others}
    return tuple(finding for finding in mine if finding.code not in codes)


def _choice(facts: Facts, around: Surroundings, snapshot: str | None) -> bool:
    """Return whether a full clone is proposed: the plan's own choice, unless only the other one is possible."""
    plan = _probe(facts, around, snapshot, full=None)
    full = not any(step.verb is Verb.COPY and step.road is Road.LAYER for step in plan.steps)
    blocked = blockers_of_kind(facts, around, snapshot, full=full)
    return full if not blocked or blockers_of_kind(facts, around, snapshot, full=not full) else not full


def _probe(facts: Facts, around: Surroundings, snapshot: str | None, *, full: bool | None) -> Plan:
    """Return a plan whose name is good in any case: the user's may not be."""
    return clone.plan(facts, around, CloneRequest(clone.propose("clone", around.names), snapshot, full))


def _whole(plan: Plan) -> Plan:
    """A clone has all disks of its source: none can be left out."""
    return replace(plan, findings=tuple(replace(finding, leave_out="") for finding in plan.findings))


def _why(finding: Finding) -> str:
    return words(finding.text) if finding.fix is None else f"{words(finding.text)} {words(finding.fix)}"


def _room(around: Surroundings) -> str:
    free = None if around.place is None else around.place.free
    if around.allocated is None:
        return "" if free is None else tr("{free} are free there.").format(free=size_words(free))
    needed = size_words(around.allocated)
    if free is None:
        return tr("It takes up to {needed}.").format(needed=needed)
    return tr("It takes up to {needed}; {free} are free there.").format(needed=needed, free=size_words(free))


def _below(parent: QWidget) -> QLabel:
    label = plain_label("", parent, "muted")
    label.setWordWrap(True)
    label.setIndent(0)
    label.setContentsMargins(_INDENT, 0, 0, 0)
    return label


def _one_line(text: str) -> str:
    return " ".join(text.split())
