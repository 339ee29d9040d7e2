"""``take``, ``edit``, ``revert``, ``delete``: what they do, answer and leave in the history."""

import json
import subprocess
import sys
from dataclasses import dataclass

import libvirt
import pytest

from snapgui.cli.main import parser
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.snapshots import read_tree
from snapgui.operations.history import History
from tests.driver.conftest import Command, Said
from tests.unit.trees import drawn

SNAPSHOT_KEYS = [
    *("name", "title", "parent", "created", "description", "state", "kind", "memory", "disks", "current"),
]
HOSTILE_NAMES = ["a/b", ".a", "two\nlines", "tab\t", "\x1b]0;x\a", "x" * 300, "ä" * 124, "", " ", "nul-free\x7f"]
UNUSUAL_NAMES = ["<b>bold", "a,b", "'\"", "日本語", "x" * 246, "%s {0}", "-rf", "$(id)", "&amp;"]


@dataclass(frozen=True)
class World:
    """The VM “test” and its snapshots, as they are now."""

    connection: Connection

    @property
    def tree(self) -> str:
        return drawn(read_tree(self.connection, self.connection.find("test")))

    def run_state(self) -> int:
        return int(self.connection.libvirt.lookupByName("test").state()[0])


@pytest.fixture
def world(default: Connection) -> World:
    return World(default)


def ok(said: Said) -> Said:
    assert said.status == 0, said.err
    return said


def test_taking_answers_with_the_snapshot(snapgui: Command, world: World) -> None:
    said = ok(snapgui("take", "test", "first", "--description", "two\nlines", "--json"))
    assert list(said.json) == [*SNAPSHOT_KEYS, "guest_paused_s", "bytes_written", "files", "why"]
    assert said.json | {"created": ""} == {
        "name": "first",
        "title": None,
        "parent": None,
        "created": "",
        "description": "two\nlines",
        "state": "running",
        "kind": "internal",
        "memory": "internal",
        "disks": [{"target": "vda", "kind": "internal", "source": "/guest/diskimage1"}],
        "current": True,
        "guest_paused_s": None,
        "bytes_written": None,
        "files": [],
        "why": "The test driver knows no other kind.",
    }
    assert world.tree == "first*+"


def test_names_are_proposed_one_after_another(snapgui: Command, world: World) -> None:
    ok(snapgui("take", "test"))
    said = ok(snapgui("take", "test"))
    assert "Took “snapshot-2” of test" in said.out
    assert world.tree == "snapshot-1+>snapshot-2*+"


def test_progress_as_json_is_one_object_a_line(snapgui: Command) -> None:
    said = ok(snapgui("take", "test", "--progress", "json"))
    reports = [json.loads(line) for line in said.err.splitlines()]
    assert all(
        list(report)
        == [
            *("step", "of", "phase", "fraction", "bytes_done", "bytes_total"),
            *("estimated", "guest_paused_s", "cancellable"),
        ]
        for report in reports
    )
    assert reports[-1]["phase"] == "resume"
    assert reports[-1]["fraction"] == 1.0


def test_title_and_description_are_edited_apart(snapgui: Command, world: World) -> None:
    ok(snapgui("take", "test", "a", "--description", "old"))
    said = ok(snapgui("edit", "test", "a", "--title", "A <b>title</b> & more", "--json"))
    assert list(said.json) == SNAPSHOT_KEYS
    assert (said.json["name"], said.json["title"], said.json["description"]) == ("a", "A <b>title</b> & more", "old")
    said = ok(snapgui("edit", "test", "a", "--description", "new", "--json"))
    assert (said.json["title"], said.json["description"]) == ("A <b>title</b> & more", "new")
    said = ok(snapgui("edit", "test", "a", "--title", "", "--description", "", "--json"))
    assert (said.json["title"], said.json["description"]) == (None, "")
    assert world.tree == "a*+"


def test_the_next_snapshot_inherits_no_title(snapgui: Command) -> None:
    ok(snapgui("take", "test", "a"))
    ok(snapgui("edit", "test", "a", "--title", "of a"))
    ok(snapgui("revert", "test", "a", "--no-safety"))
    assert ok(snapgui("take", "test", "b", "--json")).json["title"] is None
    assert [s["title"] for s in ok(snapgui("tree", "test", "--json")).json["snapshots"]] == ["of a", None]


def test_a_revert_keeps_what_would_be_lost(snapgui: Command, world: World) -> None:
    ok(snapgui("take", "test", "a"))
    said = ok(snapgui("revert", "test", "a", "--json"))
    assert list(said.json) == [*SNAPSHOT_KEYS, "guest_paused_s", "safety"]
    safety = said.json["safety"]
    assert safety.startswith("before-revert-")
    assert world.tree == f"a*+>{safety}+"
    said = ok(snapgui("revert", "test", "a", "--no-safety", "--json"))
    assert said.json["safety"] is None
    said = ok(snapgui("revert", "test", "a", "--safety", "mine", "--json"))
    assert said.json["safety"] == "mine"


@pytest.mark.parametrize(
    ("then", "state"),
    [
        ("as-taken", libvirt.VIR_DOMAIN_RUNNING),
        ("running", libvirt.VIR_DOMAIN_RUNNING),
        ("paused", libvirt.VIR_DOMAIN_PAUSED),
        ("off", libvirt.VIR_DOMAIN_SHUTOFF),
    ],
)
def test_the_state_after_a_revert(snapgui: Command, world: World, then: str, state: int) -> None:
    ok(snapgui("take", "test", "a"))
    ok(snapgui("revert", "test", "a", "--no-safety", "--then", then))
    assert world.run_state() == state


def test_deleting_keeps_the_children_or_not(snapgui: Command, world: World) -> None:
    for name in ("a", "b", "c", "d"):
        ok(snapgui("take", "test", name))
    said = ok(snapgui("delete", "test", "b", "--json"))
    assert list(said.json) == ["vm", "deleted"]
    assert said.json["deleted"] == ["b"]
    assert world.tree == "a+>c+>d*+"
    assert ok(snapgui("delete", "test", "c", "--with-children", "--json")).json["deleted"] == ["d", "c"]
    assert world.tree == "a*+"


def test_several_are_deleted_or_none(snapgui: Command, world: World) -> None:
    for name in ("a", "b", "c"):
        ok(snapgui("take", "test", name))
    said = snapgui("delete", "test", "a", "nowhere", "b")
    assert (said.status, said.err) == (1, "snapgui: There is no snapshot “nowhere” of test.\n")
    assert world.tree == "a+>b+>c*+"
    ok(snapgui("delete", "test", "c", "a"))
    assert world.tree == "b*+"


@pytest.mark.parametrize(
    "arguments",
    [
        ("take", "test", "new"),
        ("revert", "test", "a"),
        ("revert", "test", "a", "--no-safety", "--then", "off"),
        ("delete", "test", "a", "--with-children"),
    ],
)
def test_a_dry_run_changes_nothing(snapgui: Command, world: World, arguments: tuple[str, ...]) -> None:
    ok(snapgui("take", "test", "a"))
    ok(snapgui("take", "test", "b"))
    past = len(History().recent())
    said = ok(snapgui(*arguments, "--dry-run", "--json"))
    assert list(said.json) == ["operation", "vm", "title", "steps", "losses", "findings", "freed_bytes", "notes"]
    assert said.json["operation"] == arguments[0]
    assert all(step["virsh"][0] == "virsh" for step in said.json["steps"])
    assert ok(snapgui(*arguments, "--dry-run")).out.startswith(said.json["title"])
    assert world.tree == "a+>b*+"
    assert world.run_state() == libvirt.VIR_DOMAIN_RUNNING
    assert len(History().recent()) == past


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("dry", [True, False])
def test_a_name_that_cannot_be_changes_nothing(snapgui: Command, world: World, name: str, dry: bool) -> None:
    options = ("--dry-run",) if dry else ()
    said = snapgui("take", "test", *options, "--", name)
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("snapgui: ")
    assert said.err.count("\n") == 1, "one clear sentence"
    assert "\x1b" not in said.err
    assert world.tree == ""
    assert History().recent() == ()


@pytest.mark.parametrize("name", UNUSUAL_NAMES)
def test_an_unusual_name_works_in_every_verb(snapgui: Command, world: World, name: str) -> None:
    ok(snapgui("take", "test", "--json", "--", name))
    ok(snapgui("edit", "test", f"--title={name}", "--", name))
    assert ok(snapgui("tree", "test", "--json")).json["snapshots"][0]["name"] == name
    assert name in ok(snapgui("tree", "test")).out
    ok(snapgui("revert", "test", "--no-safety", "--", name))
    ok(snapgui("delete", "test", "--", name))
    assert world.tree == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("take", "test", "new", "--json"),
        ("take", "test", "--json", "new"),
        ("take", "--json", "test", "new"),
        ("take", "test", "--description", "x", "new", "--json"),
        ("take", "--description", "x", "test", "--json", "--", "new"),
    ],
)
def test_options_may_stand_anywhere(snapgui: Command, arguments: tuple[str, ...]) -> None:
    assert ok(snapgui(*arguments)).json["name"] == "new"


def test_a_name_that_is_taken(snapgui: Command, world: World) -> None:
    ok(snapgui("take", "test", "a"))
    said = snapgui("take", "test", "a")
    assert (said.status, said.err) == (1, "snapgui: There is already a snapshot named “a”.\n")
    said = snapgui("revert", "test", "a", "--safety", "a")
    assert (said.status, said.err) == (1, "snapgui: There is already a snapshot named “a”.\n")
    assert world.tree == "a*+"


@pytest.mark.parametrize("verb", ["revert", "delete"])
def test_a_snapshot_that_does_not_exist(snapgui: Command, verb: str) -> None:
    said = snapgui(verb, "test", "nowhere")
    assert (said.status, said.err) == (1, "snapgui: There is no snapshot “nowhere” of test.\n")


@pytest.mark.parametrize("text", ["bell\a", "\x01", "\x1b[31m", "x" * 1_000_001])
def test_a_description_that_cannot_be_is_refused_before_anything_happens(
    snapgui: Command, world: World, text: str
) -> None:
    said = snapgui("take", "test", "a", "--description", text)
    assert said.status == 1
    assert "description" in said.err
    assert world.tree == ""
    ok(snapgui("take", "test", "a"))
    assert snapgui("edit", "test", "a", "--description", text).status == 1
    assert snapgui("edit", "test", "a", "--title", "two\nlines").status == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("take",),
        ("take", "test", "a", "b"),
        ("take", "test", "--progress", "loud"),
        ("revert", "test"),
        ("revert", "test", "a", "--then", "sideways"),
        ("revert", "test", "a", "--safety", "s", "--no-safety"),
        ("delete", "test"),
        ("edit", "test", "a"),
        ("tree",),
        ("list", "--nonsense"),
        ("edit", "test", "a", "--title", "t", "--dry-run"),
    ],
)
def test_wrong_usage_is_status_2(snapgui: Command, arguments: tuple[str, ...]) -> None:
    said = snapgui(*arguments)
    assert (said.status, said.out) == (2, "")
    assert said.err


def test_the_history_says_what_was_done(snapgui: Command) -> None:
    ok(snapgui("take", "test", "a"))
    ok(snapgui("revert", "test", "a", "--safety", "kept"))
    snapgui("delete", "test", "nowhere")
    history = History()
    reverted, taken = history.recent()
    assert (taken.title, taken.outcome, taken.uri) == ("Take “a”", "done", "test:///default")
    assert (reverted.title, reverted.outcome) == ("Revert to “a”", "done")
    assert [command.split()[1] for command in history.commands(reverted.job)] == [
        "snapshot-create-as",
        "snapshot-info",
        "snapshot-revert",
    ]
    history.close()


def test_a_wrong_uri(process: Command) -> None:
    for uri in ("nonsense:///", "qemu:///system?socket=/no/such/socket", "qemu+ssh://[", "%"):
        said = process("-c", uri, "list")
        assert (said.status, said.out) == (1, ""), uri
        assert said.err.startswith("snapgui: "), uri
        assert said.err.count("\n") == 1, "one sentence, nothing of libvirt's own"


def test_closing_the_pipe_early_is_no_traceback(seeded: str) -> None:
    command = [sys.executable, "-m", "snapgui", "-c", seeded, "tree", "web01", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert b"Traceback" not in running.stderr.read()
        assert running.wait(30) != 0


def test_the_version_and_the_help(snapgui: Command) -> None:
    assert snapgui("--version").out.startswith("snapgui 0.")
    said = snapgui("--help")
    assert all(
        verb in said.out for verb in ("list", "tree", "take", "edit", "revert", "delete", "doctor", "undo", "demo")
    )
    assert parser().parse_args(["--vm", "web01"]).window_vm == "web01"
