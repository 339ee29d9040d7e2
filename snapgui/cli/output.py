"""What the command line prints: results on stdout; progress, plans' warnings and errors on stderr."""

import contextlib
import errno
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TextIO

from snapgui.cli.interruption import Interruption
from snapgui.cli.printable import printable
from snapgui.model.errors import Broken, SnapguiError
from snapgui.model.plan import Finding, Operation, Plan
from snapgui.model.progress import Phase, Progress
from snapgui.model.records import Lent
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.outcome import binary_size

if TYPE_CHECKING:
    from rich.live import Live

PLAIN_INTERVAL_S = 1.0
_UNUSUAL = re.compile(r"[^\n -~]")


@contextlib.contextmanager
def output() -> Iterator[TextIO]:
    """Lend standard output. Raises Broken where it cannot be written, but for BrokenPipeError: nobody reads on."""
    text = QT_TRANSLATE_NOOP("errors", "The output could not be written: {reason}.")
    if sys.stdout is None:
        raise Broken(text.format(reason=os.strerror(errno.EBADF)))
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _forget_output()
        raise Broken(text.format(reason=error.strerror or str(error))) from error


def _forget_output() -> None:
    """Let nothing complain again, when the process ends, of what could not be written."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class Console:
    """Where results, progress and errors of one command go."""

    def __init__(self, interruption: Interruption, *, json: bool, progress: str) -> None:
        self.interruption = interruption
        self.json = json
        self._progress = _choose(progress)
        self._live: Live | None = None
        self._last = ("", 0.0)

    def result(self, record: Mapping[str, object], text: str) -> None:
        """Print a result: the record as JSON where that was asked for, else the text."""
        with output() as out:
            print(_json(record) if self.json else printable(text), file=out)

    def say(self, text: str) -> None:
        """Print a line to stderr."""
        self._close_live()
        print(printable(text), file=sys.stderr)

    def error(self, error: SnapguiError) -> None:
        """Print the one sentence of an error."""
        self.say(f"snapgui: {error.text}")

    def hint(self, finding: Finding) -> None:
        """Print what can be done about what stands in the way."""
        if finding.fix is not None:
            self.say(f"snapgui: hint: {finding.fix}")

    def warnings(self, plan: Plan) -> None:
        """Print what the plan warns of before it runs; what undoing loses, nobody was asked about."""
        for loss in plan.losses if plan.operation is Operation.UNDO else ():
            self.say(f"snapgui: warning: {loss}")
        for finding in plan.warnings:
            self.say(f"snapgui: warning: {finding.text}")

    def progress(self, progress: Progress) -> None:
        """Show one report in the way that was chosen."""
        if self._progress == "json":
            print(json.dumps(progress_record(progress)), file=sys.stderr, flush=True)
        elif self._progress == "plain":
            self._plain(progress)
        elif self._progress == "rich":
            self._show(progress)

    def reading(self, target: str, done: int, total: int) -> None:
        """Show how many bytes of a disk have been read; ``total`` is 0 where nobody knows how many it will be."""
        text = QT_TRANSLATE_NOOP("progress", "Read {target}").format(target=target)
        share = done / total if total else None
        self.progress(
            Progress(1, 1, Phase.CHECK, text, fraction=share, bytes_done=done, bytes_total=total, cancellable=True)
        )

    def done(self) -> None:
        """End the progress display."""
        self._close_live()

    def _plain(self, progress: Progress) -> None:
        phase, printed = self._last
        if progress.phase != phase or time.monotonic() - printed >= PLAIN_INTERVAL_S:
            self._last = (progress.phase, time.monotonic())
            print(printable(progress_line(progress)), file=sys.stderr, flush=True)

    def _show(self, progress: Progress) -> None:
        # Scripts, whose standard error is no terminal, do not wait until this library is loaded.
        from rich.console import Console as RichConsole  # noqa: PLC0415
        from rich.live import Live  # noqa: PLC0415
        from rich.text import Text as RichText  # noqa: PLC0415

        if self._live is None:
            self._live = Live(console=RichConsole(stderr=True), transient=True, refresh_per_second=8)
            self._live.start()
        self._live.update(RichText(printable(progress_line(progress)), no_wrap=True, overflow="ellipsis"))

    def _close_live(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _json(record: Mapping[str, object]) -> str:
    """Return a record as JSON; what of a name is no UTF-8, or could steer the terminal, is escaped there."""
    text = json.dumps(record, ensure_ascii=False, indent=2)
    return _UNUSUAL.sub(lambda char: char[0] if printable(char[0]) == char[0] else json.dumps(char[0])[1:-1], text)


def _choose(progress: str, stream: TextIO | None = None) -> str:
    if progress != "auto":
        return progress
    return "rich" if (stream or sys.stderr).isatty() else "none"


def progress_record(progress: Progress) -> dict[str, object]:
    """Return one progress report in the form that scripts read."""
    return {
        "step": progress.step,
        "of": progress.of,
        "phase": progress.phase.value,
        "fraction": None if progress.fraction is None else round(progress.fraction, 4),
        "bytes_done": progress.bytes_done,
        "bytes_total": progress.bytes_total,
        "estimated": progress.estimated,
        "guest_paused_s": None if progress.guest_paused_s is None else round(progress.guest_paused_s, 3),
        "cancellable": progress.cancellable,
    }


def progress_line(progress: Progress) -> str:
    """Return one progress report as a line for people."""
    parts = [f"[{progress.step}/{progress.of}] {progress.text}", str(progress.phase.text)]
    if progress.disk:
        parts.append(progress.disk)
    if progress.fraction is not None:
        parts.append(f"{'about ' if progress.estimated else ''}{progress.fraction:.0%}")
    if progress.bytes_done:
        parts.append(binary_size(progress.bytes_done))
    if progress.guest_paused_s is not None:
        parts.append(f"guest paused {progress.guest_paused_s:.1f} s")
    return " · ".join(parts)


def plan_text(plan: Plan) -> str:
    """Return a plan for people: steps, losses, what stands in the way, and the ``virsh`` commands."""
    lines = [f"{plan.title} · {plan.vm_name}"]
    lines += [f"  {number}. {step.text}" for number, step in enumerate(plan.steps, start=1)]
    lines += [f"  ! {loss}" for loss in plan.losses]
    lines += [f"  {finding_line(finding)}" for finding in plan.findings]
    lines += [f"  - {note}" for note in plan.notes]
    return "\n".join(lines)


def plan_record(plan: Plan) -> dict[str, object]:
    """Return a plan in the form that scripts read."""
    return {
        "operation": plan.operation.value,
        "vm": {"name": plan.vm_name, "uuid": plan.vm_uuid},
        "title": str(plan.title),
        "steps": [
            {
                "text": str(step.text),
                "virsh": ["virsh", *step.virsh] if step.virsh else [],
                "cancellable": step.cancellable,
            }
            for step in plan.steps
        ],
        "losses": [str(loss) for loss in plan.losses],
        "findings": [finding_record(finding) for finding in plan.findings],
        "freed_bytes": plan.freed,
        "notes": [str(note) for note in plan.notes],
    }


def finding_line(finding: Finding) -> str:
    """Return a finding on one line."""
    return f"{finding.severity.value}: {finding.text}{f' {finding.fix}' if finding.fix else ''}"


def findings_text(findings: Iterable[Finding]) -> str:
    """Return findings for people."""
    return "\n".join(finding_line(finding) for finding in findings) or "Nothing stands in the way."


def finding_record(finding: Finding) -> dict[str, object]:
    """Return a finding in the form that scripts read."""
    record: dict[str, object] = {
        "code": finding.code,
        "severity": finding.severity.value,
        "text": str(finding.text),
        "fix": None if finding.fix is None else str(finding.fix),
    }
    if finding.clones:
        record["clones"] = [_clone_record(clone) for clone in finding.clones]
    return record


def _clone_record(clone: Lent) -> dict[str, object]:
    """A VM, or an image that no VM uses; ``snapshot`` where only that one of the VM needs the base."""
    vm = {"name": clone.vm, "uuid": clone.vm_uuid} if clone.vm_uuid else None
    image = None if clone.vm_uuid else clone.vm
    return {"vm": vm, "image": image, "snapshot": clone.snapshot or None, "base": clone.path}
