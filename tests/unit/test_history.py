"""The history outlives its writer: what was begun and not ended can be seen afterwards."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from snapgui.model.plan import Operation, Plan
from snapgui.operations.history import History
from snapgui.operations.revert import RevertRequest
from snapgui.operations.revert import plan as plan_revert
from snapgui.operations.take import TakeRequest
from snapgui.operations.take import plan as plan_take
from tests.unit.facts import facts

URI = "qemu:///system"

DIES = """
import os
from snapgui.model.plan import Operation, Plan, Step, Verb
from snapgui.model.text import Text
from snapgui.operations.history import History

text = Text("test", "Take it")
step = Step(Verb.TAKE, text, "lost", virsh=("snapshot-create-as", "web01", "lost"))
history = History()
job = history.begin("qemu:///system", Plan(Operation.TAKE, "uuid", "web01", text, (step,)))
history.begin_step(job, 1, step)
print(job, flush=True)
os._exit(9)
"""


@pytest.fixture
def take() -> Plan:
    return plan_take(facts(), TakeRequest("new"))


def test_a_job_from_beginning_to_end(take: Plan) -> None:
    history = History()
    job = history.begin(URI, take)
    history.begin_step(job, 1, take.steps[0])
    history.end_step(job, 1, "done")
    history.end(job, "done", "it is done", seconds=2.5, size=7)
    (entry,) = history.recent()
    assert (entry.job, entry.uri, entry.vm_name, entry.operation) == (job, URI, "web01", Operation.TAKE)
    assert (entry.title, entry.snapshot, entry.outcome, entry.summary) == ("Take “new”", "new", "done", "it is done")
    assert entry.ended is not None
    assert entry.started <= entry.ended
    assert history.unfinished() == ()
    history.close()


def test_a_process_that_was_killed_in_a_step_leaves_an_unfinished_job() -> None:
    died = subprocess.run([sys.executable, "-c", DIES], capture_output=True, text=True, check=False)
    assert (died.returncode, died.stderr) == (9, "")
    history = History()
    (entry,) = history.unfinished()
    assert entry.job == int(died.stdout)
    assert (entry.snapshot, entry.outcome, entry.ended) == ("lost", None, None)
    assert history.commands(entry.job) == ("virsh snapshot-create-as web01 lost",)
    history.close()


def test_commands_can_be_pasted_into_a_shell() -> None:
    history = History()
    hostile = "$(touch x) 'a\" ; b"
    plan = plan_take(facts(), TakeRequest(hostile, "two\nlines"))
    job = history.begin(URI, plan)
    history.begin_step(job, 1, plan.steps[0])
    (command,) = history.commands(job)
    history.close()
    said = subprocess.run(
        ["bash", "-c", "virsh() { printf '%s\\0' \"$@\"; }\n" + command], capture_output=True, text=True, check=True
    ).stdout
    assert said.split("\0")[:-1] == ["snapshot-create-as", "web01", hostile, "--description", "two\nlines"]


def test_steps_are_told_in_their_order() -> None:
    history = History()
    plan = plan_revert(facts(), RevertRequest("base", safety=True, safety_name="kept"))
    job = history.begin(URI, plan)
    for position, step in enumerate(plan.steps, start=1):
        history.begin_step(job, position, step)
    assert [command.split()[1:4:2] for command in history.commands(job)] == [
        ["snapshot-create-as", "kept"],
        ["snapshot-info", "kept"],
        ["snapshot-revert", "base"],
    ]
    history.close()


def test_the_typical_time_is_that_of_the_last_successes(take: Plan) -> None:
    history = History()
    assert history.typical_seconds(take.vm_uuid, Operation.TAKE) is None
    for seconds, outcome in [(900.0, "done"), (1.0, "done"), (2.0, "done"), (500.0, "failed"), *[(3.0, "done")] * 3]:
        history.end(history.begin(URI, take), outcome, "", seconds=seconds)
    assert history.typical_seconds(take.vm_uuid, Operation.TAKE) == 3.0
    assert history.typical_seconds(take.vm_uuid, Operation.REVERT) is None
    assert history.typical_seconds("another", Operation.TAKE) is None
    history.close()


def test_two_processes_and_many_threads_write_one_history(take: Plan) -> None:
    histories = [History(), History()]

    def work(history: History) -> None:
        for _ in range(20):
            history.end(history.begin(URI, take), "done", "")

    threads = [threading.Thread(target=work, args=(history,)) for history in histories * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(histories[0].recent(1000)) == 80
    for history in histories:
        history.close()


@pytest.mark.parametrize("content", [b"not a database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_is_no_reason_to_fail(tmp_path: Path, take: Plan, content: bytes) -> None:
    path = tmp_path / "history.sqlite3"
    path.write_bytes(content)
    history = History(path)
    history.end(history.begin(URI, take), "done", "")
    assert len(history.recent()) == 1
    history.close()


def test_a_place_that_cannot_be_written_is_no_reason_to_fail(take: Plan) -> None:
    history = History(Path("/proc/nowhere/history.sqlite3"))
    history.end(history.begin(URI, take), "done", "")
    assert len(history.recent()) == 1
    history.close()


def test_the_file_is_for_its_owner_only() -> None:
    History().close()
    directory = Path(os.environ["XDG_STATE_HOME"]) / "snapgui"
    assert (directory / "history.sqlite3").is_file()
    assert directory.stat().st_mode & 0o077 == 0


def reverting(history: History, *, outcome: str | None = None, safety: str = "", begun: bool = True) -> None:
    """Write down a revert that took a safety snapshot or not, began to go back or not, and ended or not."""
    plan = plan_revert(facts(), RevertRequest("base", safety=False))
    job = history.begin(URI, plan)
    if safety:
        history.keep_safety(job, safety)
    if begun:
        history.begin_step(job, 1, plan.steps[-1])
    if outcome is not None:
        history.end(job, outcome, "")


def kept_by_last_revert(history: History) -> str | None:
    """Close the history; return the safety snapshot of its last revert."""
    past = history.last_revert(facts().vm.uuid)
    history.close()
    assert past is not None
    return past.safety


def test_the_last_revert_is_the_latest_one() -> None:
    history = History()
    reverting(history, outcome="done", safety="first")
    reverting(history, outcome="done", safety="second")
    assert kept_by_last_revert(history) == "second"


def test_a_later_revert_without_safety_hides_the_one_before() -> None:
    history = History()
    reverting(history, outcome="done", safety="first")
    reverting(history, outcome="done")
    assert kept_by_last_revert(history) is None


def test_a_cancelled_revert_does_not_count() -> None:
    history = History()
    reverting(history, outcome="done", safety="first")
    reverting(history, outcome="cancelled", safety="second", begun=False)
    assert kept_by_last_revert(history) == "first"


@pytest.mark.parametrize("outcome", ["failed", None])
def test_a_revert_that_was_stopped_before_it_went_back_does_not_count(outcome: str | None) -> None:
    history = History()
    reverting(history, outcome="done", safety="first")
    reverting(history, outcome=outcome, begun=False)
    assert kept_by_last_revert(history) == "first"


@pytest.mark.parametrize("outcome", ["failed", None])
def test_a_revert_that_failed_or_was_killed_on_the_way_counts(outcome: str | None) -> None:
    history = History()
    reverting(history, outcome="done", safety="first")
    reverting(history, outcome=outcome, safety="second")
    assert kept_by_last_revert(history) == "second"


def test_a_killed_revert_that_kept_nothing_hides_the_one_before() -> None:
    history = History()
    reverting(history, outcome="done", safety="first")
    reverting(history)
    assert kept_by_last_revert(history) is None


def test_without_any_revert_there_is_no_last(take: Plan) -> None:
    history = History()
    history.begin(URI, take)
    past = history.last_revert(take.vm_uuid)
    history.close()
    assert past is None
