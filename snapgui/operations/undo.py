"""Undo a revert: go back to the safety snapshot that was taken before it, and remove that snapshot again."""

from snapgui.model.errors import Refused
from snapgui.model.plan import Operation, Plan
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations import delete, revert
from snapgui.operations.dangers import delete_findings
from snapgui.operations.facts import Facts
from snapgui.operations.history import History, Past
from snapgui.operations.protection import CODE


def undoable(facts: Facts, history: History) -> Past | None:
    """Return the latest revert where its safety snapshot is there: an older one would undo more than that revert."""
    past = history.last_revert(facts.vm.uuid)
    there = past is not None and past.safety in facts.tree and facts.tree[str(past.safety)].safety
    return past if there else None


def plan(facts: Facts, past: Past | None) -> Plan:
    """Return what undoing means here; raise Refused where there is nothing to undo."""
    safety = None if past is None else past.safety
    if past is None or safety is None or safety not in facts.tree:
        text = QT_TRANSLATE_NOOP("errors", "There is no revert of {vm} that a safety snapshot could undo.")
        raise Refused(text.format(vm=facts.vm.name))
    back = revert.plan(facts, revert.RevertRequest(safety, safety=False))
    clones = [finding for finding in delete_findings(facts, facts.tree[safety]) if finding.code == CODE]
    kept = bool(facts.tree.children(safety)) or bool(clones)  # others hang off it by now, or are based on it
    away = () if kept else delete.plan(facts, delete.DeleteRequest((safety,))).steps
    return Plan(
        operation=Operation.UNDO,
        vm_uuid=facts.vm.uuid,
        vm_name=facts.vm.name,
        title=QT_TRANSLATE_NOOP("plan", "Undo: {title}").format(title=past.title),
        steps=(*back.steps, *away),
        losses=_losses(facts, past),
        findings=back.findings,
        notes=(*back.notes, *(_stays(safety, finding.text) for finding in clones)),
    )


def _stays(safety: str, why: Text) -> Text:
    return QT_TRANSLATE_NOOP("plan", "“{name}” stays: {why}").format(name=safety, why=why)


def _losses(facts: Facts, past: Past) -> tuple[Text, ...]:
    if facts.changed is False:
        return ()
    lost = QT_TRANSLATE_NOOP("plan", "Everything that the VM did since the revert of {when} will be lost.")
    return (lost.format(when=f"{past.started.astimezone():%Y-%m-%d %H:%M}"),)
