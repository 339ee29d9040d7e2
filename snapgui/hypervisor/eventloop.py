"""libvirt's event loop in a thread of its own: ``select.poll`` and a wake pipe.

libvirt's default loop and Qt on Linux both sit on GLib's default context; side by side, Qt takes all the events
(docs/decisions/0004-own-event-loop.md). This one is independent of both. It knows handles and timers, not domains.
"""

import contextlib
import itertools
import os
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import libvirt

HandleCallback = Callable[[int, int, int, Any], None]
TimerCallback = Callable[[int, Any], None]

_POLL_OF = (
    (libvirt.VIR_EVENT_HANDLE_READABLE, select.POLLIN),
    (libvirt.VIR_EVENT_HANDLE_WRITABLE, select.POLLOUT),
    (libvirt.VIR_EVENT_HANDLE_ERROR, select.POLLERR),
    (libvirt.VIR_EVENT_HANDLE_HANGUP, select.POLLHUP),
)


@dataclass(slots=True)
class _Handle:
    fd: int
    events: int
    callback: HandleCallback
    opaque: Any


@dataclass(slots=True)
class _Timer:
    interval_ms: int
    started: float
    callback: TimerCallback
    opaque: Any

    @property
    def due(self) -> float:
        return self.started + self.interval_ms / 1000


class EventLoop:
    """The loop; register it once per process with :func:`ensure_running`, before any connection is opened.

    The lock keeps other threads out, not this one: wherever Python collects garbage, a forgotten connection may be
    closed and take its handles along. So only copies are walked through.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._ids = itertools.count(1)
        self._handles: dict[int, _Handle] = {}
        self._timers: dict[int, _Timer] = {}
        self._freed: list[Any] = []
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        libvirt.virEventRegisterImpl(
            self._add_handle,
            self._update_handle,
            self._remove_handle,
            self._add_timer,
            self._update_timer,
            self._remove_timer,
        )
        self.thread = threading.Thread(target=self._run, name="libvirt-events", daemon=True)
        self.thread.start()

    def _add_handle(self, fd: int, events: int, callback: HandleCallback, opaque: Any) -> int:
        with self._lock:
            number = next(self._ids)
            self._handles[number] = _Handle(fd, events, callback, opaque)
        self._wake()
        return number

    def _update_handle(self, number: int, events: int) -> None:
        with self._lock:
            if (handle := self._handles.get(number)) is not None:
                handle.events = events
        self._wake()

    def _remove_handle(self, number: int) -> int:
        with self._lock:
            handle = self._handles.pop(number, None)
            if handle is not None:
                self._freed.append(handle.opaque)
        self._wake()
        return -1 if handle is None else 0

    def _add_timer(self, interval_ms: int, callback: TimerCallback, opaque: Any) -> int:
        with self._lock:
            number = next(self._ids)
            self._timers[number] = _Timer(interval_ms, time.monotonic(), callback, opaque)
        self._wake()
        return number

    def _update_timer(self, number: int, interval_ms: int) -> None:
        with self._lock:
            if (timer := self._timers.get(number)) is not None:
                timer.interval_ms = interval_ms
                timer.started = time.monotonic()
        self._wake()

    def _remove_timer(self, number: int) -> int:
        with self._lock:
            timer = self._timers.pop(number, None)
            if timer is not None:
                self._freed.append(timer.opaque)
        self._wake()
        return -1 if timer is None else 0

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b".")

    def _run(self) -> None:
        while True:
            self._free()
            poll, by_fd, timeout = self._waiting()
            for fd, seen in poll.poll(timeout):
                if fd == self._wake_read:
                    self._drain()
                else:
                    self._dispatch(by_fd[fd], seen)
            self._fire()

    def _free(self) -> None:
        with self._lock:
            freed, self._freed = self._freed, []
        for opaque in freed:
            libvirt.virEventInvokeFreeCallback(opaque)

    def _waiting(self) -> tuple[select.poll, dict[int, list[int]], float | None]:
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        by_fd: dict[int, list[int]] = {}
        wanted: dict[int, int] = {}
        with self._lock:
            handles, timers = self._handles.copy(), self._timers.copy()
        for number, handle in handles.items():
            by_fd.setdefault(handle.fd, []).append(number)
            wanted[handle.fd] = wanted.get(handle.fd, 0) | handle.events
        for fd, events in wanted.items():
            poll.register(fd, _poll_mask(events))
        due = [timer.due for timer in timers.values() if timer.interval_ms >= 0]
        timeout = max(0.0, min(due) - time.monotonic()) * 1000 if due else None
        return poll, by_fd, timeout

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake_read, 4096):
                pass

    def _dispatch(self, numbers: list[int], seen: int) -> None:
        happened = sum(event for event, flag in _POLL_OF if seen & flag)
        always = libvirt.VIR_EVENT_HANDLE_ERROR | libvirt.VIR_EVENT_HANDLE_HANGUP
        for number in numbers:
            with self._lock:
                handle = self._handles.get(number)
            if handle is not None and handle.events and happened & (handle.events | always):
                handle.callback(number, handle.fd, happened, handle.opaque)

    def _fire(self) -> None:
        now = time.monotonic()
        with self._lock:
            timers = self._timers.copy()
        due = [(n, timer) for n, timer in timers.items() if timer.interval_ms >= 0 and timer.due <= now]
        for number, timer in due:
            with self._lock:
                if self._timers.get(number) is not timer or timer.interval_ms < 0:
                    continue
                timer.started = now
            timer.callback(number, timer.opaque)


def _poll_mask(events: int) -> int:
    return sum(flag for event, flag in _POLL_OF[:2] if events & event)


_starting = threading.Lock()
_running: list[EventLoop] = []


def ensure_running() -> None:
    """Register and start the one event loop of this process; later calls do nothing."""
    with _starting:
        if not _running:
            libvirt.registerErrorHandler(_keep_quiet, None)
            _running.append(EventLoop())


def _keep_quiet(_context: object, _error: object) -> None:
    """libvirt prints every error to stderr unless told otherwise; ours travel as exceptions."""
