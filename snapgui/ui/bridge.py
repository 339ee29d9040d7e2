"""The one way from worker threads into the window: plain messages through one queued signal."""

import itertools
import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal

from snapgui.model.errors import Broken, SnapguiError
from snapgui.model.text import QT_TRANSLATE_NOOP

Result = TypeVar("Result")
Submit = Callable[[Callable[[], None]], "Future[None]"]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Done:
    value: object


@dataclass(frozen=True, slots=True)
class _Failed:
    error: SnapguiError


@dataclass(frozen=True, slots=True)
class _Told:
    message: object


@dataclass(slots=True)
class _Job:
    owner: QObject
    done: Callable[[Any], None]
    failed: Callable[[SnapguiError], None]
    told: Callable[[Any], None]
    lasting: bool = False


class Bridge(QObject):
    """Knows who waits for what. A worker only ever holds a number and a way to post."""

    _message = Signal(int, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: dict[int, _Job] = {}
        self._numbers = itertools.count(1)
        self._open = True
        self._message.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        submit: Submit,
        work: Callable[[Callable[[object], None]], Result],
        owner: QObject,
        done: Callable[[Result], None],
        failed: Callable[[SnapguiError], None],
        told: Callable[[Any], None] = lambda _message: None,
    ) -> int:
        """Run ``work(post)`` in a worker; ``done`` or ``failed`` is called here, ``told`` for what it posts."""
        number = next(self._numbers)
        self._jobs[number] = _Job(owner, done, failed, told)

        def worker() -> None:
            try:
                self._post(number, _Done(work(lambda message: self._post(number, _Told(message)))))
            except SnapguiError as error:
                self._post(number, _Failed(error))
            except Exception as error:
                log.exception("A worker failed in a way that nobody foresaw")
                self._post(number, _Failed(_unforeseen(error)))
                raise

        submit(worker)
        return number

    def channel(self, owner: QObject, told: Callable[[Any], None]) -> Callable[[object], None]:
        """Return a function that workers may call at any time to have ``told`` called here."""
        number = next(self._numbers)
        self._jobs[number] = _Job(owner, told, _nobody, told, lasting=True)
        return lambda message: self._post(number, _Told(message))

    def drop(self, owner: QObject) -> None:
        """Forget everything that ``owner`` waits for."""
        self._jobs = {number: job for number, job in self._jobs.items() if job.owner is not owner}

    def close(self) -> None:
        """Deliver nothing more."""
        self._open = False
        self._jobs.clear()

    def _post(self, number: int, message: object) -> None:
        if self._open and shiboken6.isValid(self):
            self._message.emit(number, message)

    def _deliver(self, number: int, message: object) -> None:
        job = self._jobs.get(number)
        if job is None:
            return
        if not job.lasting and not isinstance(message, _Told):
            del self._jobs[number]
        if not shiboken6.isValid(job.owner):
            self._jobs.pop(number, None)
        elif isinstance(message, _Told):
            job.told(message.message)
        elif isinstance(message, _Done):
            job.done(message.value)
        elif isinstance(message, _Failed):
            job.failed(message.error)


def _nobody(_error: SnapguiError) -> None:
    """A channel has no end that could fail."""


def _unforeseen(error: Exception) -> Broken:
    text = QT_TRANSLATE_NOOP("errors", "An error in snapgui itself: {reason}. The log has the details.")
    return Broken(text.format(reason=f"{type(error).__name__}: {error}"), repr(error))
