"""``snapgui tree`` and ``virsh`` tell the same about the same VM."""

import re
import time
from collections.abc import Iterable

import libvirt
import pytest

from tests.qemu.commands import ok, result
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack

REDEFINE = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
LONGEST_S = 10.0
"""For 1,000 snapshots, on any machine; how fast it has to be is measured by tests/bench."""

Parents = dict[str, str | None]


def redefine(machine: Machine, tree: Iterable[tuple[str, str | None]], *, current: str) -> None:
    """Give a VM that is off the metadata of many snapshots; there is nothing in its image."""
    machine.domain.snapshotCreateXML("<domainsnapshot><name>pattern</name></domainsnapshot>")
    pattern = machine.domain.snapshotLookupByName("pattern")
    text = pattern.getXMLDesc(libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE)
    pattern.delete()
    for number, (name, parent) in enumerate(tree):
        above = f"<parent><name>{parent}</name></parent>" if parent else ""
        made = re.sub(r"<creationTime>\d+", f"{above}<creationTime>{1_700_000_000 + number}", text)
        mark = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT if name == current else 0
        machine.domain.snapshotCreateXML(made.replace("<name>pattern<", f"<name>{name}<"), REDEFINE | mark)


def parents_by_virsh_tree(text: str) -> Parents:
    """Read what ``snapshot-list --tree`` draws: how far a name is indented says below whom it stands."""
    found: Parents = {}
    line: list[tuple[int, str]] = []
    for row in text.splitlines():
        drawn = re.fullmatch(r"([ |]*(?:\+- )?)([^ |+].*)", row)
        if drawn is None:
            continue
        depth, name = len(drawn[1]), drawn[2].strip()
        while line and line[-1][0] >= depth:
            line.pop()
        found[name] = line[-1][1] if line else None
        line.append((depth, name))
    return found


def parents_by_virsh_list(text: str) -> Parents:
    """Read the table of ``snapshot-list --parent``: name, time in three words, state, parent."""
    rows = [row.split() for row in text.splitlines()[2:] if row.strip()]
    return {row[0]: row[5] if len(row) > 5 else None for row in rows}


def parents_by_snapgui(machine: Machine) -> Parents:
    return {snapshot["name"]: snapshot["parent"] for snapshot in result(machine.uri, "tree", machine.name)["snapshots"]}


BRANCHES = [
    ("base", None),
    ("a", "base"),
    ("a1", "a"),
    ("a2", "a"),
    ("b", "base"),
    ("b1", "b"),
    ("c", "base"),
    ("x", None),
]
THOUSAND = [("s0", None), *((f"s{number}", f"s{(number - 1) // 3}") for number in range(1, 1000))]


@pytest.mark.parametrize(("tree", "current"), [(BRANCHES, "b1"), (THOUSAND, "s500")], ids=["branches", "thousand"])
def test_the_tree_is_the_same(
    stack: Stack, idle_guest: Machine, tree: list[tuple[str, str | None]], current: str
) -> None:
    redefine(idle_guest, tree, current=current)
    seen = parents_by_snapgui(idle_guest)
    assert list(seen.items()) == tree, "oldest first"
    assert parents_by_virsh_tree(stack.virsh("snapshot-list", idle_guest.name, "--tree").stdout) == seen
    assert parents_by_virsh_list(stack.virsh("snapshot-list", idle_guest.name, "--parent").stdout) == seen
    drawn = ok(idle_guest.uri, "tree", idle_guest.name).out
    assert [re.split(r"─ |  ", line)[-3] for line in drawn.splitlines()[1:] if "You are here" not in line] == [
        name for name, _ in sorted(tree, key=lambda item: path(dict(tree), item[0], tree))
    ]
    began = time.monotonic()
    record = result(idle_guest.uri, "tree", idle_guest.name)
    assert time.monotonic() - began < LONGEST_S
    by_virsh = stack.virsh("snapshot-current", idle_guest.name, "--name").stdout.strip()
    assert record["current"] == by_virsh == current
    assert [s["name"] for s in record["snapshots"] if s["current"]] == [current]


def path(parents: Parents, name: str | None, tree: list[tuple[str, str | None]]) -> list[int]:
    """Where a name stands when children follow their parent, oldest first."""
    order = [found for found, _ in tree]
    places: list[int] = []
    while name is not None:
        places.insert(0, order.index(name))
        name = parents[name]
    return places


@pytest.mark.parametrize("kind", ["internal", "external"])
def test_the_other_facts_are_the_same(stack: Stack, idle_guest: Machine, kind: str) -> None:
    ok(idle_guest.uri, "take", idle_guest.name, "a", "--kind", kind, "--description", "why & <how>")
    (found,) = result(idle_guest.uri, "tree", idle_guest.name)["snapshots"]
    info = dict(
        re.split(r":\s+", line, maxsplit=1)
        for line in stack.virsh("snapshot-info", idle_guest.name, "a").stdout.splitlines()
        if line.strip()
    )
    assert found["kind"] == kind
    assert (info["State"], info["Location"], info["Current"]) == (found["state"], kind, "yes")
    text = stack.virsh("snapshot-dumpxml", idle_guest.name, "a").stdout
    assert "<description>why &amp; &lt;how&gt;</description>" in text
    seconds = re.search(r"<creationTime>(\d+)", text)
    assert seconds is not None
    assert time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(seconds[1]))) == found["created"]
