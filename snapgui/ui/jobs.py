"""Running and finished jobs, as a list model: one row per job, newest first."""

import shlex
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from snapgui.model.errors import Cancelled, SnapguiError
from snapgui.model.plan import Operation, Plan
from snapgui.model.progress import Progress
from snapgui.operations.facts import Facts
from snapgui.operations.leftovers import Leftover
from snapgui.operations.lesson import Lesson, lesson
from snapgui.operations.outcome import Outcome
from snapgui.ui.wording import size_words, tr, words

AnyIndex = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
MOST_ROWS = 200
_REVERTS = {Operation.REVERT, Operation.UNDO}


class JobState(StrEnum):
    """Where a job is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(slots=True)
class Job:
    """One job. ``cancel`` is what the worker looks at; ``note`` and ``leftover`` what an interrupted one left.

    ``lesson``: what there is to learn from it.
    """

    title: str
    vm_name: str
    uri: str
    vm_uuid: str
    plan: Plan | None = None
    lesson: Lesson | None = None
    state: JobState = JobState.WAITING
    progress: Progress | None = None
    outcome: Outcome | None = None
    error: SnapguiError | None = None
    note: str = ""
    resumable: bool = False
    leftover: Leftover | None = None
    superseded: bool = False
    commands: tuple[str, ...] = ()
    began: float = field(default_factory=time.monotonic)
    ended: datetime | None = None
    cancel: threading.Event = field(default_factory=threading.Event)
    finish: threading.Event = field(default_factory=threading.Event)

    @property
    def undoable(self) -> bool:
        """Whether this was the VM's latest revert, and kept what was lost."""
        return not self.superseded and self.outcome is not None and self.outcome.safety is not None

    @property
    def removable(self) -> bool:
        """Whether it was interrupted, and has left something that can be removed."""
        interrupted = self.state is JobState.INTERRUPTED
        return interrupted and self.leftover is not None and self.leftover.remains.removable

    @property
    def offer(self) -> str:
        """What can be done about it by a word at the end of its row: “undo”, “remove” or nothing."""
        return "undo" if self.undoable else "remove" if self.removable else ""

    @property
    def reverted(self) -> bool:
        """Whether this was a revert that ended well."""
        return self.outcome is not None and self.outcome.operation is Operation.REVERT

    @property
    def over(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state not in {JobState.WAITING, JobState.RUNNING}

    def status(self) -> str:
        """Return what the row says at its right."""
        if self.state is JobState.WAITING:
            return tr("waiting")
        if self.state is JobState.RUNNING:
            return self._running()
        when = "" if self.ended is None else f"{self.ended.astimezone():%H:%M} · "
        if self.outcome is not None:
            return tr("done {when}{what}").format(when=when, what=self.truth())
        return when + self.truth()

    def truth(self) -> str:
        """Return what a finished job cost, or why it failed."""
        if self.outcome is not None:
            return words(self.outcome.text)
        return words(self.error.text) if self.error is not None else self.note

    def _running(self) -> str:
        progress = self.progress
        if progress is None:
            return tr("starting")
        parts = [words(progress.phase.text)]
        if progress.disk:
            parts.append(progress.disk)
        if progress.fraction is not None:
            about = tr("about {percent} %") if progress.estimated else tr("{percent} %")
            parts.append(about.format(percent=round(progress.fraction * 100)))
        if progress.bytes_done:
            parts.append(size_words(progress.bytes_done))
        if progress.guest_paused_s is not None:
            parts.append(tr("guest paused {seconds} s").format(seconds=f"{progress.guest_paused_s:.1f}"))
        return " · ".join(parts)


def commands_of(plan: Plan) -> tuple[str, ...]:
    """Return the ``virsh`` commands that do the same."""
    return tuple(shlex.join(("virsh", *step.virsh)) for step in plan.steps if step.virsh)


def job_of(plan: Plan, facts: Facts, uri: str) -> Job:
    """Return the job that runs a plan, which was made from these facts."""
    return Job(words(plan.title), plan.vm_name, uri, plan.vm_uuid, plan, lesson(plan, facts))


class JobsModel(QAbstractListModel):
    """All jobs of this window, newest first."""

    running_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: list[Job] = []

    def add(self, job: Job) -> None:
        """Put a new job on top; the oldest finished ones fall out at the end."""
        self.beginInsertRows(ROOT, 0, 0)
        self._jobs.insert(0, job)
        self.endInsertRows()
        while len(self._jobs) > MOST_ROWS and self._jobs[-1].over:
            self.beginRemoveRows(ROOT, len(self._jobs) - 1, len(self._jobs) - 1)
            self._jobs.pop()
            self.endRemoveRows()
        self.running_changed.emit()

    def begin(self, job: Job, progress: Progress) -> None:
        """Take over a report of progress."""
        began = job.state is JobState.WAITING
        job.state, job.progress = JobState.RUNNING, progress
        self._touch(job)
        if began:
            self.running_changed.emit()

    def end(self, job: Job, outcome: Outcome | None, error: SnapguiError | None) -> None:
        """Take over the end of a job."""
        job.outcome, job.error, job.ended = outcome, error, datetime.now(UTC)
        job.state = JobState.DONE
        if error is not None:
            job.state = JobState.CANCELLED if isinstance(error, Cancelled) else JobState.FAILED
        if job.state is not JobState.CANCELLED and job.plan is not None and job.plan.operation in _REVERTS:
            self._supersede(job)
        self._touch(job)
        self.running_changed.emit()

    def _supersede(self, job: Job) -> None:
        for other in self._jobs:
            if other is not job and other.undoable and (other.uri, other.vm_uuid) == (job.uri, job.vm_uuid):
                other.superseded = True
                self._touch(other)

    def settle(self, job: Job, note: str) -> None:
        """An interrupted job has been brought to an end by the user; ``note`` says to which."""
        job.resumable, job.state, job.ended = False, JobState.DONE, datetime.now(UTC)
        job.note = note
        self._touch(job)
        self.running_changed.emit()

    def job(self, index: AnyIndex) -> Job | None:
        """Return the job of a row."""
        return self._jobs[index.row()] if index.isValid() else None

    def active(self) -> list[Job]:
        """Return the jobs that are not over."""
        return [job for job in self._jobs if not job.over]

    def newest(self, operation: str) -> Job | None:
        """Return the latest job of one sort."""
        return next((job for job in self._jobs if job.plan is not None and job.plan.operation == operation), None)

    def busy(self, uri: str, vm_uuid: str) -> Job | None:
        """Return the job that a VM is busy with."""
        return next(
            (job for job in reversed(self._jobs) if not job.over and (job.uri, job.vm_uuid) == (uri, vm_uuid)), None
        )

    def _touch(self, job: Job) -> None:
        row = next((number for number, found in enumerate(self._jobs) if found is job), None)
        if row is not None:
            self.dataChanged.emit(self.index(row), self.index(row))

    def rowCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else len(self._jobs)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        job = self.job(index)
        if job is None:
            return None
        if role in {Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole}:
            return f"{job.title} · {job.vm_name} · {job.status()}"
        return None
