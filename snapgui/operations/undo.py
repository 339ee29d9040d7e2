"""Undo a revert: go back to the safety snapshot that was taken before it, and remove that snapshot again."""

from snapgui.model.errors import Refused
from snapgui.model.plan import Operation, Plan
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations import delete, revert
from snapgui.operations.facts import Facts
from snapgui.operations.history import History


def undoable(facts: Facts, history: History) -> str | None:
    """Return the safety snapshot of the latest revert, or None: an older one would undo more than that revert."""
    name = history.last_safety(facts.vm.uuid)
    return name if name in facts.tree and facts.tree[str(name)].safety else None


def plan(facts: Facts, safety: str | None) -> Plan:
    """Return what undoing means here; raise Refused where there is nothing to undo."""
    if safety is None or safety not in facts.tree:
        text = QT_TRANSLATE_NOOP("errors", "There is no revert of {vm} that a safety snapshot could undo.")
        raise Refused(text.format(vm=facts.vm.name))
    back = revert.plan(facts, revert.RevertRequest(safety, safety=False))
    kept = bool(facts.tree.children(safety))  # other snapshots hang off it by now
    away = () if kept else delete.plan(facts, delete.DeleteRequest((safety,))).steps
    return Plan(
        operation=Operation.UNDO,
        vm_uuid=facts.vm.uuid,
        vm_name=facts.vm.name,
        title=QT_TRANSLATE_NOOP("plan", "Undo the revert"),
        steps=(*back.steps, *away),
        losses=_losses(facts),
        findings=back.findings,
        notes=back.notes,
    )


def _losses(facts: Facts) -> tuple[Text, ...]:
    if facts.changed is False:
        return ()
    return (QT_TRANSLATE_NOOP("plan", "Everything that the VM did since the revert will be lost."),)
