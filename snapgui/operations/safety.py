"""The snapshots that were taken before reverts: which of them are more than the user wants to keep."""

from snapgui.model.errors import Refused
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.delete import DeleteRequest
from snapgui.operations.facts import Facts


def surplus(facts: Facts, keep: int) -> tuple[str, ...]:
    """Return the oldest safety snapshots beyond the newest ``keep`` that nothing hangs off."""
    tree = facts.tree
    there = sorted((snapshot for snapshot in tree if snapshot.safety), key=lambda snapshot: snapshot.created)
    old = there[: max(0, len(there) - keep)]
    return tuple(s.name for s in old if not tree.children(s.name) and s.name != tree.current)


def prune_request(facts: Facts, keep: int) -> DeleteRequest:
    """Return the request that deletes the surplus; raise Refused where there is none."""
    if old := surplus(facts, keep):
        return DeleteRequest(old)
    text = QT_TRANSLATE_NOOP("errors", "{vm} has no old safety snapshot that could be deleted.")
    raise Refused(text.format(vm=facts.vm.name))
