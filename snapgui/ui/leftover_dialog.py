"""The dialog before what is left of an interrupted clone is removed: every file, with its size."""

from PySide6.QtWidgets import QWidget

from snapgui.model.plan import Plan
from snapgui.operations import leftover_removal
from snapgui.operations.facts import Facts
from snapgui.operations.leftovers import Leftover
from snapgui.ui.plan_dialogs import PlanDialog
from snapgui.ui.wording import tr


class LeftoverDialog(PlanDialog):
    """What will be removed; a file that somebody needs by now stands in the way."""

    def __init__(self, facts: Facts, leftover: Leftover, parent: QWidget) -> None:
        self._leftover = leftover
        super().__init__(facts, tr("Remove"), parent)
        self.setWindowTitle(tr("Remove What Is Left"))
        self.replan()
        self.fit()

    def make_plan(self) -> Plan:
        return leftover_removal.plan(self._leftover)
