"""Run the command line against a stack: in this process where nothing goes wrong with it, else in one of its own.

A stack is given by its URI, or by the way it is accessed.
"""

import contextlib
import io
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from snapgui.cli.main import main
from tests.stacks.access import Access

PATIENCE_S = 60.0
COMMAND_TIMEOUT_S = 240.0
INTERNAL = ("--kind", "internal")
"""For tests of what only internal snapshots do; later ones follow, because the tree has that kind."""


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)

    @property
    def reports(self) -> list[dict[str, Any]]:
        """The lines of ``--progress json``."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]


def snapgui(at: str | Access, *arguments: str) -> Said:
    """Run a command, in this process unless another user is to run it."""
    if isinstance(at, Access):
        return _by_another_user(at, *arguments) if at.home is not None else snapgui(at.uri, *arguments)
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8", newline=""), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(["-c", at, *arguments])
        except SystemExit as ended:
            status = int(ended.code or 0)
    out.seek(0)
    return Said(status, out.read(), err.getvalue())


def _by_another_user(access: Access, *arguments: str) -> Said:
    done = subprocess.run(
        access.command(*arguments),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=COMMAND_TIMEOUT_S,
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


def ok(at: str | Access, *arguments: str) -> Said:
    """Run a command that has to succeed."""
    said = snapgui(at, *arguments)
    assert said.status == 0, said.err
    return said


def result(at: str | Access, verb: str, *arguments: str) -> Any:
    """Run a command that has to succeed; return its JSON."""
    return ok(at, verb, "--json", *arguments).json


def refused(at: str | Access, *arguments: str) -> str:
    """Run a command that has to be refused; return its one sentence."""
    said = snapgui(at, *arguments)
    assert (said.status, said.out) == (1, ""), said
    sentences = [line for line in said.err.splitlines() if not line.startswith(("snapgui: warning:", "snapgui: hint:"))]
    assert len(sentences) == 1, said.err
    return sentences[0].removeprefix("snapgui: ")


@contextlib.contextmanager
def running(at: str | Access, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a process of its own, that reports its progress as JSON."""
    access = at if isinstance(at, Access) else Access("root", at)
    command = access.command(*arguments, "--progress", "json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_report(process: subprocess.Popen[str], *phases: str, step: int = 1) -> str:
    """Read until the process reports one of these phases in that step (or a later one); return all it said so far."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if line.startswith("{"):
            report = json.loads(line)
            if report["step"] == step and report["phase"] in phases:
                return said
    raise AssertionError(f"never reported {phases} in step {step}: {said}")


def wait_for_line(process: subprocess.Popen[str], wanted: str) -> None:
    """Read until the process prints this line to standard error."""
    assert process.stderr is not None
    for line in process.stderr:
        if line == f"{wanted}\n":
            return
    raise AssertionError(f"never said: {wanted}")


def wait_until(condition: Callable[[], object], what: str, patience: float = PATIENCE_S, every_s: float = 0.05) -> None:
    """Wait until something is true that happens elsewhere."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"not within {patience:.0f} s: {what}"
        time.sleep(every_s)
