"""What is printed never steers the terminal, and is what scripts were promised."""

import contextlib
import io
import json
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapgui.cli.interruption import Interruption
from snapgui.cli.main import main
from snapgui.cli.output import Console, plan_record, plan_text, printable, progress_record
from snapgui.cli.records import tree_record, utc
from snapgui.cli.treetext import tree_lines
from snapgui.model.plan import Operation
from snapgui.model.progress import Phase, Progress
from snapgui.model.text import Text
from snapgui.operations.outcome import Outcome, binary_size
from snapgui.operations.revert import RevertRequest, plan
from tests.unit.facts import OFF, RUNNING, facts
from tests.unit.trees import tree

ANY = st.text(st.characters(exclude_categories=()))


@given(ANY)
def test_printable_text_holds_no_control_characters(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(char in "\n\t" or unicodedata.category(char)[0] != "C" for char in shown)
    shown.encode()


def test_ordinary_text_is_printed_as_it_is() -> None:
    text = "Took “日本語” of <b>web01</b>:\n\tdone – 100 %"
    assert printable(text) == text


@given(ANY)
def test_json_cannot_steer_the_terminal_and_loses_nothing(text: str) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        Console(Interruption(), json=True, progress="none").result({"path": text}, "")
    assert printable(out.getvalue()) == out.getvalue()
    assert json.loads(out.getvalue()) == json.loads(json.dumps({"path": text}))


def test_json_shows_other_languages_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    Console(Interruption(), json=True, progress="none").result({"path": "日本語\x9b2J\u202etxt"}, "")
    assert capsys.readouterr().out == '{\n  "path": "日本語\\u009b2J\\u202etxt"\n}\n'


def test_an_argument_that_is_quoted_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["revert", "vm", "s", "--then", "\x1b]0;owned\a"])
    assert ended.value.code == 2
    assert "\x1b" not in capsys.readouterr().err


def test_progress_lines_have_exactly_the_promised_keys(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(Interruption(), json=True, progress="json")
    console.progress(Progress(1, 3, Phase.MEMORY, Text("t", "x"), 0.51234567, 10, 20, True, 1.23456, cancellable=False))
    console.progress(Progress(2, 3, Phase.CHECK, Text("t", "x")))
    assert [json.loads(line) for line in capsys.readouterr().err.splitlines()] == [
        {
            "step": 1,
            "of": 3,
            "phase": "memory",
            "fraction": 0.5123,
            "bytes_done": 10,
            "bytes_total": 20,
            "estimated": True,
            "guest_paused_s": 1.235,
            "cancellable": False,
        },
        {
            "step": 2,
            "of": 3,
            "phase": "check",
            "fraction": None,
            "bytes_done": None,
            "bytes_total": None,
            "estimated": False,
            "guest_paused_s": None,
            "cancellable": False,
        },
    ]


def test_the_phases_of_a_take_are_named_as_promised() -> None:
    record = progress_record(Progress(1, 1, Phase.PAUSE, Text("t", "x")))
    assert record["phase"] == "pause"
    assert [phase.value for phase in Phase][:5] == ["pause", "create", "memory", "protect", "resume"]


def test_plain_progress_prints_a_line_for_each_phase(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(Interruption(), json=False, progress="plain")
    for phase in (Phase.PAUSE, Phase.PAUSE, Phase.MEMORY):
        console.progress(Progress(1, 1, phase, Text("t", "Take “{name}”", (("name", "\x1b[2J"),)), 0.5, estimated=True))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "\x1b" not in "".join(lines)
    assert lines[1].endswith("Save CPU + RAM · about 50%")


@pytest.mark.parametrize("progress", ["none", "auto"])
def test_no_progress_without_a_terminal(progress: str, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(Interruption(), json=False, progress=progress)
    console.progress(Progress(1, 1, Phase.PAUSE, Text("t", "x")))
    console.done()
    assert capsys.readouterr().err == ""


def test_times_are_utc() -> None:
    there = timezone(timedelta(hours=5, minutes=30))
    assert utc(datetime(2026, 1, 31, 17, 30, tzinfo=there)) == "2026-01-31T12:00:00Z"
    assert utc(datetime(2026, 1, 31, 12, tzinfo=UTC)) == "2026-01-31T12:00:00Z"


def test_a_tree_as_json_is_exactly_the_promised_form() -> None:
    assert tree_record(RUNNING, tree("base>a+*"), changed=True) == {
        "vm": {"name": "web01", "uuid": RUNNING.uuid, "state": "running"},
        "current": "a",
        "changed": True,
        "snapshots": [
            {
                "name": "base",
                "title": None,
                "parent": None,
                "created": "2026-01-31T12:00:00Z",
                "description": "",
                "state": "shutoff",
                "kind": "internal",
                "memory": "none",
                "disks": [{"target": "vda", "kind": "internal", "source": "/images/disk.qcow2"}],
                "current": False,
            },
            {
                "name": "a",
                "title": None,
                "parent": "base",
                "created": "2026-01-31T12:01:00Z",
                "description": "",
                "state": "running",
                "kind": "internal",
                "memory": "internal",
                "disks": [{"target": "vda", "kind": "internal", "source": "/images/disk.qcow2"}],
                "current": True,
            },
        ],
    }


def test_a_tree_as_text() -> None:
    lines = tree_lines(OFF, tree("base>a>b base>c* x"), changed=False)
    assert [line.split("  20")[0] for line in lines] == [
        "web01",
        "├─ base",
        "│  ├─ a",
        "│  │  └─ b",
        "│  └─ c",
        "│     └─ You are here (shutoff, unchanged)",
        "└─ x",
    ]


def test_a_chain_of_ten_thousand_can_be_printed() -> None:
    line = ">".join(f"s{number}" for number in range(2000))
    assert len(tree_lines(OFF, tree(line), changed=None)) == 2002


def test_a_plan_for_people_and_for_scripts() -> None:
    made = plan(facts("base>a*", free=0), RevertRequest("base"))
    text = plan_text(made)
    assert text.startswith("Revert to “base” · web01\n  1. Take “before-revert-")
    assert "blocker: The snapshot may need 100 MiB" in text
    record = plan_record(made)
    assert list(record) == ["operation", "vm", "title", "steps", "losses", "findings", "freed_bytes", "notes"]
    assert json.loads(json.dumps(record)) == record


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (5 * 2**20, "5.0 MiB"), (2**40, "1.0 TiB"), (2**50, "1024.0 TiB")],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert binary_size(size) == text


@pytest.mark.parametrize(
    ("operation", "paused", "saved", "text"),
    [
        (Operation.TAKE, 2.44, 1_181_116_006, "guest paused 2.4 s, 1.1 GiB saved in 2.8 s"),
        (Operation.TAKE, None, 0, "took 2.8 s"),
        (Operation.REVERT, 1.0, 1_181_116_006, "guest stood still 1.0 s, took 2.8 s"),
        (Operation.REVERT, None, None, "took 2.8 s"),
        (Operation.DELETE, 0.01, None, "took 2.8 s"),
    ],
)
def test_the_outcome_in_one_sentence(operation: Operation, paused: float | None, saved: int | None, text: str) -> None:
    outcome = Outcome(operation, "uuid", 2.8, guest_paused_s=paused, saved_bytes=saved)
    assert str(outcome.text) == text
