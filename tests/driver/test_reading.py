"""``list`` and ``tree``: exactly the promised JSON, and a text for people."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.snapshots import fingerprint, read_tree
from tests.driver.conftest import Command
from tests.driver.seed import TREE, UUID
from tests.unit.trees import drawn

DISK = {"target": "vda", "kind": "internal", "source": "/images/web01.qcow2"}


def record(name: str, number: int, parent: str | None, **others: object) -> dict[str, object]:
    plain = {
        "name": name,
        "title": None,
        "parent": parent,
        "created": f"2026-01-31T12:{number:02}:00Z",
        "description": "",
        "state": "shutoff",
        "kind": "internal",
        "memory": "none",
        "disks": [DISK],
        "current": False,
    }
    return plain | others


def test_the_tree_as_json(seeded: str, process: Command) -> None:
    said = process("-c", seeded, "tree", "web01", "--json")
    assert (said.status, said.err) == (0, "")
    assert said.json == {
        "vm": {"name": "web01", "uuid": UUID, "state": "shutoff"},
        "current": "php",
        "changed": True,
        "snapshots": [
            record("fresh install", 0, None, description="as delivered\n<b>not bold</b>"),
            record("web server", 1, "fresh install"),
            record("tls", 2, "web server"),
            record("php", 3, "web server", state="running", memory="internal", current=True),
            record(
                "desktop",
                4,
                "fresh install",
                state="disk-snapshot",
                kind="external",
                disks=[DISK | {"kind": "external"}],
            ),
        ],
    }
    assert list(said.json) == ["vm", "current", "changed", "snapshots"]
    assert list(said.json["snapshots"][0]) == list(record("", 0, None)), "in the order of the contract"


def test_the_tree_as_text(seeded: str, process: Command) -> None:
    said = process("-c", seeded, "tree", "web01", TZ="UTC")
    assert said.out.splitlines() == [
        "web01",
        "└─ fresh install  2026-01-31 12:00  shutoff, internal",
        "   ├─ web server  2026-01-31 12:01  shutoff, internal",
        "   │  ├─ tls  2026-01-31 12:02  shutoff, internal",
        "   │  └─ php  2026-01-31 12:03  running, internal",
        "   │     └─ You are here (shutoff, changed)",
        "   └─ desktop  2026-01-31 12:04  disk-snapshot, external",
    ]


def test_the_vms(seeded: str, process: Command) -> None:
    said = process("-c", seeded, "list", "--json")
    assert said.json == {
        "uri": seeded,
        "vms": [
            {"name": "Empty one", "uuid": UUID.replace("1", "9"), "state": "running", "snapshots": 0},
            {"name": "web01", "uuid": UUID, "state": "shutoff", "snapshots": 5},
        ],
    }
    text = process("-c", seeded, "list").out
    assert re.split(r"  +", text.splitlines()[1]) == ["web01", "shutoff", "5 snapshots"]


def test_a_vm_by_uuid_and_a_vm_without_snapshots(seeded: str, process: Command) -> None:
    assert process("-c", seeded, "tree", UUID, "--json").json["vm"]["name"] == "web01"
    empty = process("-c", seeded, "tree", "Empty one", "--json")
    assert (empty.json["current"], empty.json["changed"], empty.json["snapshots"]) == (None, None, [])


def test_the_default_uri_is_that_of_virsh(seeded: str, process: Command) -> None:
    assert process("list", "--json", LIBVIRT_DEFAULT_URI=seeded).json["uri"] == seeded
    both = process("-c", "test:///default", "list", "--json", LIBVIRT_DEFAULT_URI=seeded)
    assert both.json["uri"] == "test:///default"


@pytest.mark.parametrize(
    "name", ["nowhere", "", "\x1b[2J", "x" * 10_000, "<b>", "11111111-2222-3333-4444-555555555550"]
)
def test_a_vm_that_does_not_exist(seeded: str, process: Command, name: str) -> None:
    said = process("-c", seeded, "tree", name, "--json")
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("snapgui: There is no VM “")
    assert "\x1b" not in said.err


def test_the_model_reads_the_same_tree(seeded: str) -> None:
    with Connection(seeded) as connection:
        tree = read_tree(connection, connection.find("web01"))
        assert drawn(tree) == TREE
        names, current = fingerprint(connection, UUID)
        assert (names, current) == (tuple(sorted(tree.snapshots)), "php")
        again = read_tree(connection, UUID, known=tree)
        assert again == tree
        assert all(again[name] is tree[name] for name in tree.snapshots), "what is known is not read again"


def test_the_doctor(seeded: str, process: Command) -> None:
    """One tree has both kinds; the other VM runs without an agent, a note with what can be done."""
    (mixed,) = process("-c", seeded, "doctor", "web01", "--json").json["findings"]
    assert (mixed["code"], mixed["severity"], mixed["fix"]) == ("mixed-kinds", "warning", None)
    said = process("-c", seeded, "doctor", "Empty one", "--json")
    assert (said.status, said.err) == (0, "")
    (finding,) = said.json["findings"]
    assert list(finding) == ["code", "severity", "text", "fix"]
    assert (finding["code"], finding["severity"]) == ("no-agent", "note")
    text = process("-c", seeded, "doctor", "Empty one").out
    assert finding["text"] in text
    assert finding["fix"] in text
    assert process("-c", seeded, "doctor", "nowhere").status == 1


@pytest.mark.parametrize("json", [(), ("--json",)])
def test_output_that_cannot_be_written_is_said(seeded: str, json: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "snapgui", "-c", seeded, "tree", "web01", *json]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    said = "snapgui: The output could not be written: No space left on device."
    assert (done.returncode, done.stderr.strip()) == (1, said)
    closed = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )
    assert (closed.returncode, closed.stderr.strip()) == (
        1,
        "snapgui: The output could not be written: Bad file descriptor.",
    )
