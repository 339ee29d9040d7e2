"""The dialogs that belong to protected bases: make a clone independent, and remove a VM."""

from PySide6.QtWidgets import QCheckBox, QWidget

from snapgui.model.plan import Plan
from snapgui.operations import flatten, remove
from snapgui.operations.facts import Facts
from snapgui.ui.plan_dialogs import PlanDialog, short
from snapgui.ui.wording import tr


class IndependenceDialog(PlanDialog):
    """What making a clone independent means; raises Refused where it cannot be."""

    def __init__(self, facts: Facts, parent: QWidget) -> None:
        flatten.plan(facts)
        super().__init__(facts, tr("Make Independent"), parent)
        self.setWindowTitle(tr("Make {vm} Independent").format(vm=short(facts.vm.name)))
        self.replan()
        self.fit()

    def make_plan(self) -> Plan:
        return flatten.plan(self.facts)


class RemoveDialog(PlanDialog):
    """What will be lost with a VM; its disk images stay unless they are asked for."""

    def __init__(self, facts: Facts, parent: QWidget) -> None:
        super().__init__(facts, tr("Remove"), parent)
        self.setWindowTitle(tr("Remove {vm}").format(vm=short(facts.vm.name)))
        self.storage = QCheckBox(tr("And its disk &images"), self)
        self.storage.toggled.connect(self.replan)
        self.storage.toggled.connect(self.fit)
        self.form.addRow(self.storage)
        self.replan()
        self.fit()

    def make_plan(self) -> Plan:
        return remove.plan(self.facts, remove.RemoveRequest(self.storage.isChecked()))
