"""One change after another per VM: within a process by lanes, between processes by a lock that dies with its owner."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from snapgui.model.errors import Busy
from snapgui.operations.lanes import Lanes, is_held, only_one
from snapgui.operations.paths import runtime_directory

UUID = "11111111-2222-3333-4444-555555555555"
HOLDS = f"""
import sys
from snapgui.operations.lanes import only_one
with only_one({UUID!r}):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_another_process_that_changes_the_vm_is_busy(holder: subprocess.Popen[str]) -> None:
    assert is_held(UUID)
    with pytest.raises(Busy, match="Another snapgui"), only_one(UUID):
        pytest.fail("two held it at once")
    assert not is_held(UUID.replace("1", "9"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_of_a_dead_process_is_free(holder: subprocess.Popen[str], number: signal.Signals) -> None:
    os.kill(holder.pid, number)
    holder.wait()
    with only_one(UUID):
        assert is_held(UUID)
    assert not is_held(UUID)


def test_a_second_change_in_the_same_process_is_busy_too() -> None:
    with only_one(UUID):
        with pytest.raises(Busy), only_one(UUID):
            pytest.fail("two held it at once")
        assert is_held(UUID)
    assert not is_held(UUID)


def test_a_hostile_uuid_stays_in_the_directory() -> None:
    with only_one("../../etc/passwd\0x"):
        assert [path.parent for path in runtime_directory().iterdir()] == [runtime_directory()]


def test_a_lane_works_in_order_and_lanes_side_by_side() -> None:
    lanes = Lanes()
    done: list[int] = []
    gate = threading.Event()

    def work(number: int) -> None:
        gate.wait(10)
        done.append(number)

    waiting = [lanes.change("a", lambda number=number: work(number)) for number in range(5)]  # type: ignore[misc]
    assert lanes.change("b", lambda: "beside").result(10) == "beside"
    assert lanes.read(lambda: "read").result(10) == "read"
    assert lanes.control(lambda: "control").result(10) == "control"
    gate.set()
    for future in waiting:
        future.result(10)
    assert done == [0, 1, 2, 3, 4]
    lanes.close()


def test_closing_drops_what_has_not_begun() -> None:
    lanes = Lanes()
    gate, began = threading.Event(), threading.Event()

    def first() -> str:
        began.set()
        gate.wait(10)
        return "finished"

    running = lanes.change("a", first)
    dropped = lanes.change("a", lambda: "never")
    assert began.wait(10)
    lanes.close()
    gate.set()
    assert running.result(10) == "finished"
    assert dropped.cancelled()
