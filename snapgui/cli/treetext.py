"""A snapshot tree, and the lineage of images, as lines of text."""

from snapgui.model.lineage import Image, Lineage
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


def lineage_lines(lineage: Lineage) -> list[str]:
    """Return the images as a forest, each layered on the one that it hangs off, with its users behind it."""
    below: dict[str | None, list[str]] = {}
    for path, image in sorted(lineage.images.items()):
        known = image.base in lineage.images and path not in {above.path for above in lineage.chain(image.base)}
        below.setdefault(image.base if known else None, []).append(path)
    lines: list[str] = []
    waiting = [(path, "", "", "") for path in reversed(below.get(None, []))]
    while waiting:
        path, lead, mark, more = waiting.pop()
        lines.append(f"{lead}{mark}{path}  {_users(lineage.images[path])}".rstrip())
        children = below.get(path, [])
        for number, child in enumerate(reversed(children)):
            last = number == 0
            waiting.append((child, lead + more, "└─ " if last else "├─ ", "   " if last else "│  "))
    return lines


def _users(image: Image) -> str:
    return ", ".join(f"{use.vm} {use.target}{f' @ {use.snapshot}' if use.snapshot else ''}" for use in image.used_by)


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
