"""Times of repeated work. Other programs run on the machine, too: the least says what it costs, the median what one
sees."""

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median


@dataclass(frozen=True)
class Times:
    """Seconds, one for each repetition."""

    seconds: tuple[float, ...]

    @property
    def least(self) -> float:
        return min(self.seconds)

    @property
    def median(self) -> float:
        return median(self.seconds)

    def __str__(self) -> str:
        return f"{milliseconds(self.median)} ({milliseconds(self.least)})"


def milliseconds(seconds: float) -> str:
    """Return a time for a table."""
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds some work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def repeated(times: int, work: Callable[[], object]) -> Times:
    """Do some work several times."""
    return Times(tuple(timed(work) for _ in range(times)))


def ran(*command: str) -> str:
    """Run a program that has to succeed; return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def in_turn(times: int, *works: Callable[[int], object]) -> tuple[Times, ...]:
    """Do several works one after another, again and again, so that all meet the same disturbances.

    Each is given the number of the turn.
    """
    seconds: list[list[float]] = [[] for _ in works]
    for turn in range(times):
        for place, work in enumerate(works):
            seconds[place].append(timed(partial(work, turn)))
    return tuple(Times(tuple(one)) for one in seconds)


def slowest(turns: Sequence[Sequence[float]]) -> Times:
    """Return the times of that step which is the slowest; each turn went through the same steps."""
    return max((Times(step) for step in zip(*turns, strict=True)), key=lambda step: step.median)


def verdict(measured: float, aim: float) -> str:
    """Say whether a time is within its aim, both in seconds."""
    return "met" if measured <= aim else "**missed**"


Row = Sequence[str]
