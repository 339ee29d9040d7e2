"""The snapshots that were taken before reverts: which of them are more than the user wants to keep."""

from snapgui.operations.facts import Facts


def surplus(facts: Facts, keep: int) -> tuple[str, ...]:
    """Return the oldest safety snapshots beyond the newest ``keep`` that nothing hangs off."""
    tree = facts.tree
    there = sorted((snapshot for snapshot in tree if snapshot.safety), key=lambda snapshot: snapshot.created)
    old = there[: max(0, len(there) - keep)]
    return tuple(s.name for s in old if not tree.children(s.name) and s.name != tree.current)
