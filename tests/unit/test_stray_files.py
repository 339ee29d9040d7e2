"""What counts as left of a killed job, over facts alone: a file that may be somebody else's is never named."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from snapgui.model.errors import Refused
from snapgui.model.text import Text
from snapgui.operations import leftover_removal
from snapgui.operations.history import History, Intent, Making
from snapgui.operations.leftovers import Leftover, Remains
from snapgui.operations.stray_files import Evidence, StrayFile, judge, void
from snapgui.operations.take import TakeRequest
from snapgui.operations.take import plan as plan_take
from tests.unit.facts import facts

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
URI = "qemu:///system"
A, B = "/images/x-vda.qcow2", "/images/x-vdb.qcow2"


def intent(name: str, kind: Making = Making.FILE, written: datetime = NOW) -> Intent:
    return Intent(kind, name, URI, written)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_what_was_meant_and_is_there_is_left() -> None:
    found = judge([intent(A), intent(B)], Evidence(sizes={A: 4096, B: None}))
    assert found == (StrayFile(A, 4096),)


def test_what_nobody_can_tell_of_is_neither_left_nor_forgotten() -> None:
    assert judge([intent(A)], Evidence()) == ()
    assert void([intent(A)], Evidence(), after(10_000)) == ()


def test_where_the_clone_came_about_nothing_is_left() -> None:
    intents = [intent(A), intent("uuid", Making.VM), intent("base-of-x", Making.SNAPSHOT)]
    evidence = Evidence(sizes={A: 1}, clone="x")
    assert judge(intents, evidence) == ()
    assert void(intents, evidence, NOW) == (A, "uuid", "base-of-x")


def test_a_vm_or_a_snapshot_is_no_file() -> None:
    intents = [intent("uuid", Making.VM), intent("base-of-x", Making.SNAPSHOT)]
    assert judge(intents, Evidence(sizes={"uuid": 1, "base-of-x": 1})) == ()


@pytest.mark.parametrize(
    ("born", "ours"), [(-60, False), (-1, True), (0, True), (30, True), (61, False), (86_400, False)]
)
def test_a_file_made_at_another_time_is_somebody_elses(born: int, ours: bool) -> None:
    evidence = Evidence(sizes={A: 1}, born={A: after(born)})
    assert bool(judge([intent(A)], evidence)) is ours
    assert bool(void([intent(A)], evidence, after(100_000))) is not ours


@pytest.mark.parametrize(("seconds", "forgotten"), [(1, ()), (59, ()), (61, (A,))])
def test_a_file_that_was_not_made_is_forgotten_when_nobody_can_be_about_to_make_it(
    seconds: int, forgotten: tuple[str, ...]
) -> None:
    assert void([intent(A)], Evidence(sizes={A: None}), after(seconds)) == forgotten


def left(*files: StrayFile, copying: bool = False, snapshot: str = "", pools: tuple[str, ...] = ()) -> Leftover:
    remains = Remains(files, pools, copying, snapshot)
    return Leftover("Full clone of web01: “x”", "uuid", "web01", Text("test", "interrupted"), job=7, remains=remains)


def test_the_plan_names_every_file_with_its_size() -> None:
    plan = leftover_removal.plan(left(StrayFile(A, 2**20), StrayFile(B, 512), pools=("snapgui-1",), copying=True))
    assert [str(step.verb) for step in plan.steps] == ["abort-copy", "remove-file", "remove-file", "remove-pool"]
    assert [step.path for step in plan.steps] == ["", A, B, ""]
    assert str(plan.steps[1].text) == f"Remove the file {A} (1.0 MiB)"
    assert (plan.freed, plan.leftover, plan.blockers) == (2**20 + 512, 7, ())


def test_a_file_that_is_used_or_written_stands_in_the_way() -> None:
    used = leftover_removal.plan(left(StrayFile(A, 1, user="db01")))
    assert [finding.code for finding in used.blockers] == ["file-in-use"]
    assert "db01" in str(used.blockers[0].text)
    written = leftover_removal.plan(left(StrayFile(A, 1, written=True)))
    assert [finding.code for finding in written.blockers] == ["file-written"]
    assert leftover_removal.plan(left(StrayFile(A, 1, written=True), copying=True)).blockers == ()


def test_where_nothing_is_left_there_is_no_plan() -> None:
    with pytest.raises(Refused, match="Nothing is left"):
        leftover_removal.plan(left())
    only = leftover_removal.plan(left(snapshot="base-of-x"))
    assert only.steps == ()
    assert "base-of-x" in str(only.notes[0])


# the history


def test_intents_are_kept_until_they_are_settled() -> None:
    history = History()
    job = history.begin(URI, plan_take(facts(), TakeRequest("new")))
    history.intend(job, URI, Making.FILE, A)
    history.intend(job, URI, Making.FILE, B)
    history.intend(job, "qemu+ssh://other/system", Making.VM, "uuid")
    assert [(found.kind, found.name) for found in history.intents(job)] == [
        (Making.FILE, A),
        (Making.FILE, B),
        (Making.VM, "uuid"),
    ]
    history.end(job, "interrupted", "")
    assert [entry.job for entry in history.unsettled(URI)] == [job]
    history.settle(job, A)
    history.close()
    history = History()
    assert [found.name for found in history.intents(job)] == [B, "uuid"]
    assert [entry.job for entry in history.unsettled("qemu+ssh://other/system")] == [job]
    history.settle(job)
    assert (history.intents(job), history.unsettled(URI)) == ((), ())
    history.close()


def test_a_history_of_the_first_version_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    old = sqlite3.connect(path)
    old.executescript(
        "CREATE TABLE jobs (id INTEGER PRIMARY KEY, uri TEXT, vm_uuid TEXT, vm_name TEXT, operation TEXT, title TEXT,"
        " snapshot TEXT, pid INTEGER, started TEXT, ended TEXT, outcome TEXT, summary TEXT, detail TEXT,"
        " seconds REAL, bytes INTEGER);"
        "CREATE TABLE steps (job INTEGER, position INTEGER, text TEXT, virsh TEXT, started TEXT, ended TEXT,"
        " outcome TEXT, PRIMARY KEY (job, position));"
        "INSERT INTO jobs (uri, vm_uuid, vm_name, operation, title, snapshot, pid, started)"
        " VALUES ('qemu:///system', 'uuid', 'web01', 'clone', 'Clone', '', 1, '2026-01-31T12:00:00+00:00')"
    )
    old.commit()
    old.close()
    history = History(path)
    (entry,) = history.unfinished()
    assert (entry.pid, entry.process) == (1, "")
    history.intend(entry.job, URI, Making.FILE, A)
    assert [found.name for found in history.intents(entry.job)] == [A]
    history.close()
