"""A plan while it runs: what its steps need, and what they leave for the outcome."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from snapgui.hypervisor.connection import Connection
from snapgui.model.plan import Plan, Step
from snapgui.model.progress import Phase, Progress
from snapgui.model.records import Snapshot
from snapgui.operations.facts import Facts

Report = Callable[[Progress], None]


def _unwritten(_path: str, _here: bool) -> None:
    """Where nobody keeps a history, nothing is written down."""


@dataclass(slots=True)
class Task:
    """The working memory of one run. Times are monotonic seconds, sizes are bytes.

    ``made`` are files on the ``target`` hypervisor, the one that a clone goes to; ``scratch`` files beside the source.
    ``intend`` is to be called with the path of a file after it was seen that it is not there, before it is made,
    and whether that is ``here``, on the source's hypervisor, or on the target.
    """

    connection: Connection
    facts: Facts
    plan: Plan
    report: Report
    cancel: threading.Event = field(default_factory=threading.Event)
    finish: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.monotonic)
    typical_s: float | None = None
    position: int = 1
    paused_s: float | None = None
    saved_bytes: int | None = None
    files: tuple[str, ...] = ()
    taken: Snapshot | None = None
    safety: Snapshot | None = None
    deleted: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    scratch: list[str] = field(default_factory=list)
    defined: str = ""
    removed: list[str] = field(default_factory=list)
    intend: Callable[[str, bool], None] = _unwritten
    elsewhere: Connection | None = None

    @property
    def target(self) -> Connection:
        """The hypervisor that a clone goes to."""
        return self.elsewhere or self.connection

    @property
    def vm_uuid(self) -> str:
        """The VM that the plan is about."""
        return self.plan.vm_uuid

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.started

    def report_share(
        self,
        step: Step,
        share: float | None,
        disk: str = "",
        done: int | None = None,
        total: int | None = None,
        *,
        phase: Phase = Phase.COPY,
    ) -> None:
        """Report how much of a copy, or of another phase with numbers, is done."""
        self.report(
            Progress(
                step=self.position,
                of=len(self.plan.steps),
                phase=phase,
                text=step.text,
                fraction=share,
                bytes_done=done or None,
                bytes_total=total or None,
                guest_paused_s=self.paused_s,
                elapsed_s=self.elapsed_s,
                cancellable=step.cancellable,
                phases=step.phases,
                disk=disk,
            )
        )

    def report_phase(self, step: Step, phase: Phase) -> None:
        """Report that a phase began about which there are no numbers."""
        self.report_share(step, None, phase=phase)
