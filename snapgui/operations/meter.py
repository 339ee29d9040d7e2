"""Watch one blocking step from outside: phases and the guest's pause by events, bytes by the growth of images."""

import threading
import time
from collections.abc import Sequence
from typing import Self

from snapgui.hypervisor import statistics
from snapgui.model.errors import SnapguiError
from snapgui.model.events import Event, EventKind
from snapgui.model.plan import Step, Verb
from snapgui.model.progress import Phase, Progress
from snapgui.operations.job_poller import JobPoller
from snapgui.operations.short_pause import ShortPause
from snapgui.operations.task import Task

REPORT_INTERVAL_S = 0.2
NEARLY = 0.99
"""An estimate never claims to be complete."""
MERGE_LOOK_S = 0.05
SILENCE_S = 2.0
"""Seconds without growth after which the time that earlier saves took is the better guess."""

_STILL = {EventKind.SUSPENDED, EventKind.STOPPED}
_MOVING = {EventKind.RESUMED}
_LIVE = {
    EventKind.SUSPENDED: Phase.PAUSE,
    EventKind.JOB_COMPLETED: Phase.FLUSH,
    EventKind.RESUMED: Phase.RESUME,
}
_TAKE = {
    EventKind.SUSPENDED: Phase.CREATE,
    EventKind.MEMORY_PASS: Phase.MEMORY,
    EventKind.JOB_COMPLETED: Phase.FLUSH,
    EventKind.RESUMED: Phase.RESUME,
}
_REVERT = {EventKind.STOPPED: Phase.LOAD, EventKind.STARTED: Phase.START}


class Meter:
    """Reports progress from its own thread while the ``with`` block waits for the hypervisor.

    ``written`` is the growth of ``paths`` in bytes when the block has ended, None where nobody could tell.
    """

    def __init__(self, task: Task, step: Step, paths: Sequence[str], expected: int | None) -> None:
        self._task, self._step, self._expected = task, step, expected
        self._paths = paths if Phase.MEMORY in step.phases and not step.memory_file else ()
        self._phase_of = _LIVE if step.live else {Verb.TAKE: _TAKE, Verb.REVERT: _REVERT}.get(step.verb, {})
        self._poller = _poller(task, step)
        self._short = ShortPause(task.connection, task.vm_uuid, step) if step.memory_file else None
        self._phase = step.phases[0]
        self._told: Phase | None = None
        self._base: int | None = None
        self._since: float | None = None
        self._paused = 0.0
        self._saw_pause = self._aborted = False
        self._wake = threading.Event()
        self._done = threading.Event()
        self.written: int | None = None

    def __enter__(self) -> Self:
        self._base = self._allocated()
        self._end_events = self._task.connection.subscribe(self._on_event)
        self._started = time.monotonic()
        if self._short is not None:
            self._short.__enter__()
        if self._poller is not None:
            self._poller.__enter__()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        ended = time.monotonic()
        if kind is None and self._since is not None:
            self._wait_for_resume(ended)
        self._end_events()
        self._done.set()
        self._wake.set()
        self._thread.join()
        if self._poller is not None:
            self._poller.__exit__()
        if self._short is not None:
            self._short.__exit__()
        if self._since is not None:
            self._paused += max(ended, self._since) - self._since
            self._since = None
        if self._saw_pause:
            self._task.paused_s = (self._task.paused_s or 0.0) + self._paused
            self._paused = 0.0
        if kind is None:
            self._finish()

    def _wait_for_resume(self, ended: float) -> None:
        """The event that ends the pause may arrive a little after the answer of the call."""
        while self._since is not None and self._resumes and time.monotonic() - ended < REPORT_INTERVAL_S:
            time.sleep(0.002)

    @property
    def _resumes(self) -> bool:
        return Phase.RESUME in self._step.phases or Phase.START in self._step.phases

    def _finish(self) -> None:
        self._measure()
        self._phase = self._step.phases[-1]
        self._report(1.0)

    def _on_event(self, event: Event) -> None:
        if event.vm_uuid != self._task.vm_uuid:
            return
        if event.kind in _STILL and self._since is None and self._task.facts.vm.state.active:
            self._since, self._saw_pause = event.at, True
        elif event.kind in _MOVING and self._since is not None:
            self._paused += event.at - self._since
            self._since = None
        if (phase := self._phase_of.get(event.kind)) in self._step.phases and phase is not None:
            self._advance(phase)
        self._wake.set()

    def _advance(self, phase: Phase) -> None:
        """Phases only go forward."""
        order = self._step.phases
        if phase in order and order.index(phase) > order.index(self._phase):
            self._phase = phase

    def _run(self) -> None:
        while not self._done.is_set():
            self._measure()
            self._report(self._fraction())
            self._wake.wait(REPORT_INTERVAL_S)
            self._wake.clear()

    def _measure(self) -> None:
        if self._poller is not None:
            self._ask(self._poller)
            return
        now = self._allocated()
        if now is None or self._base is None:
            return
        self.written = max(0, now - self._base)
        if self.written > 0 and self._phase in {Phase.PAUSE, Phase.CREATE}:
            self._advance(Phase.MEMORY)

    def _ask(self, poller: JobPoller) -> None:
        if self._task.cancel.is_set() and self._step.cancellable and not self._aborted:
            self._aborted = True
            poller.abort()
        if self._task.finish.is_set() and self._step.live:
            self._task.finish.clear()
            poller.finish()
        poller.look_after()
        numbers = poller.latest
        if numbers is None:
            return
        self.written = numbers.processed
        if self._short is not None:
            self._short.look_after(numbers, poller)
        if self._step.memory_file:
            self._advance(Phase.FLUSH if numbers.complete else Phase.MEMORY)

    def _allocated(self) -> int | None:
        if not self._paths:
            return None
        connection = self._task.connection
        try:
            aside = connection if statistics.is_local(connection) else connection.sibling()
            return statistics.allocated(aside, self._paths)
        except SnapguiError:
            return None

    def _fraction(self) -> float | None:
        if self._poller is not None:
            return None if self._poller.latest is None else self._poller.latest.fraction
        elapsed = time.monotonic() - self._started
        if self.written and self._expected:
            return min(NEARLY, self.written / self._expected)
        if self._task.typical_s and (elapsed > SILENCE_S or not self._paths):
            return min(NEARLY, elapsed / self._task.typical_s)
        return None

    def _report(self, fraction: float | None) -> None:
        """Report the present phase, and before it those that were over before anybody could see them."""
        order, now = self._step.phases, self._phase
        seen = 0 if self._told is None else order.index(self._told) + 1
        for phase in order[seen : order.index(now)]:
            self._report_phase(phase, fraction)
        self._report_phase(now, fraction)
        self._told = now

    def _report_phase(self, phase: Phase, fraction: float | None) -> None:
        task, step = self._task, self._step
        since = self._since
        running = (time.monotonic() - since) if since is not None else 0.0
        seen = self._saw_pause or task.paused_s is not None
        numbers = None if self._poller is None else self._poller.latest
        exact = numbers is not None
        over = phase in {Phase.FLUSH, Phase.PROTECT, Phase.RESUME}
        task.report(
            Progress(
                step=task.position,
                of=len(task.plan.steps),
                phase=phase,
                text=step.text,
                fraction=fraction,
                bytes_done=self.written,
                bytes_total=numbers.total if numbers is not None else self._expected if self._paths else None,
                estimated=fraction is not None and fraction < 1.0 and not exact,
                guest_paused_s=(task.paused_s or 0.0) + self._paused + running if seen else None,
                guest_is_paused=since is not None,
                elapsed_s=task.elapsed_s,
                cancellable=step.cancellable and not over,
                rate=None if numbers is None else numbers.rate,
                dirty_rate=None if numbers is None else numbers.dirty_rate,
                passes=None if numbers is None else numbers.passes,
                phases=step.phases,
                disk="" if numbers is None else numbers.disk,
            )
        )


def _poller(task: Task, step: Step) -> JobPoller | None:
    if step.memory_file:
        return JobPoller(task.connection.uri, task.vm_uuid)
    if step.verb is Verb.DELETE and step.disks:
        merge = statistics.Merge(disk.target for disk in step.disks)
        return JobPoller(task.connection.uri, task.vm_uuid, merge, MERGE_LOOK_S)
    return None
