"""A snapshot tree as lines of text."""

from snapgui.model.records import Vm
from snapgui.model.tree import SnapshotTree


def tree_lines(vm: Vm, tree: SnapshotTree, changed: bool | None) -> list[str]:
    """Return the tree with the current state hanging off its snapshot, children below their parent."""
    what = {True: ", changed", False: ", unchanged", None: ""}[changed]
    here = f"You are here ({vm.state.value}{what})"
    lines = [vm.name]
    waiting = _entries(tree, None, here, "")
    while waiting:
        name, text, prefix, last = waiting.pop()
        lines.append(f"{prefix}{'└─ ' if last else '├─ '}{text}")
        if name is not None:
            waiting += _entries(tree, name, here, prefix + ("   " if last else "│  "))
    return lines


def _entries(tree: SnapshotTree, parent: str | None, here: str, prefix: str) -> list[tuple[str | None, str, str, bool]]:
    """Return the children of ``parent``, last one first, as (name, text, prefix, is last)."""
    below: list[tuple[str | None, str]] = [(name, _text(tree, name)) for name in tree.children(parent)]
    if tree.current == parent:
        below.append((None, here))
    return [(name, text, prefix, number == 0) for number, (name, text) in enumerate(reversed(below))]


def _text(tree: SnapshotTree, name: str) -> str:
    snapshot = tree[name]
    title = f"{snapshot.title} [{name}]" if snapshot.title else name
    facts = (snapshot.state, snapshot.kind.value, *(("safety",) if snapshot.safety else ()))
    return f"{title}  {snapshot.created.astimezone():%Y-%m-%d %H:%M}  {', '.join(facts)}"
