"""Snapshot trees written as a line of text, as input and as expectation: ``base>a>b base>c*``.

Words are chains from parent to child; a name that came before is the same snapshot. A mark after a name, where it
is mentioned first: ``*`` the current snapshot, ``+`` with memory (taken of a running VM), ``!`` external. Everything
lies in /images: an external snapshot NAME has made NAME.qcow2, and NAME.mem for the memory.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from snapgui.model.records import Machine, Place, Snapshot, SnapshotDisk
from snapgui.model.tree import SnapshotTree

BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)
"""Creation time of the first snapshot; each further one is a minute younger."""

_NAME = re.compile(r"([^*+!]+)([*+!]*)")


def tree(line: str, machine: Machine = Machine()) -> SnapshotTree:  # noqa: B008 - frozen
    """Return the tree that ``line`` draws."""
    found: dict[str, Snapshot] = {}
    current = None
    for word in line.split():
        parent = None
        for drawn in word.split(">"):
            name, marks = _parts(drawn)
            if name not in found:
                found[name] = snapshot(name, parent, marks, number=len(found), machine=machine)
            current = name if "*" in marks else current
            parent = name
    made = SnapshotTree(found.values(), current)
    return SnapshotTree((_on_its_image(made, drawn) for drawn in made), current)


def image_after(tree: SnapshotTree, name: str | None, base: str) -> str:
    """Return the image that is written to after a snapshot: the overlay of the last external one."""
    overlays = [disk.overlay for above in tree.path(name) for disk in tree[above].disks if disk.overlay]
    return overlays[-1] if overlays else base


def files_of(tree: SnapshotTree) -> Iterator[str]:
    """Return every file that a snapshot of the tree names, some more than once."""
    for found in tree:
        yield found.memory_file
        for disk in found.disks:
            yield from (disk.source, disk.overlay)


def _on_its_image(tree: SnapshotTree, found: Snapshot) -> Snapshot:
    disks = (replace(disk, source=image_after(tree, tree.parent(found.name), disk.source)) for disk in found.disks)
    return replace(found, disks=tuple(disks))


def snapshot(
    name: str,
    parent: str | None = None,
    marks: str = "",
    *,
    number: int = 0,
    machine: Machine = Machine(),  # noqa: B008 - frozen
) -> Snapshot:
    """Return one snapshot of a VM with one disk."""
    place = Place.EXTERNAL if "!" in marks else Place.INTERNAL
    memory = place if "+" in marks else Place.NONE
    source = next((disk.source for disk in machine.disks), "/images/disk.qcow2")
    return Snapshot(
        name=name,
        created=BEGIN + timedelta(minutes=number),
        parent=parent,
        state="running" if memory is not Place.NONE else "shutoff",
        memory=memory,
        memory_file=f"/images/{name}.mem" if memory is Place.EXTERNAL else "",
        disks=(SnapshotDisk("vda", place, source, f"/images/{name}.qcow2" if place is Place.EXTERNAL else ""),),
        machine=machine,
    )


def drawn(tree: SnapshotTree) -> str:
    """Return the line of a tree: one word per leaf, in the order of the tree."""
    leaves = [name for root in tree.roots for name in (root, *tree.descendants(root)) if not tree.children(name)]
    seen: set[str] = set()
    words = []
    for leaf in leaves:
        names = []
        for name in tree.path(leaf):
            names.append(name if name in seen else name + _marks(tree, name))
            seen.add(name)
        words.append(">".join(names))
    return " ".join(words)


def _marks(tree: SnapshotTree, name: str) -> str:
    found = tree[name]
    marks = "*" if tree.current == name else ""
    marks += "+" if found.memory is not Place.NONE else ""
    return marks + ("!" if any(disk.place is Place.EXTERNAL for disk in found.disks) else "")


def _parts(text: str) -> tuple[str, str]:
    match = _NAME.fullmatch(text)
    assert match is not None, f"not a name with marks: {text}"
    return match[1], match[2]
