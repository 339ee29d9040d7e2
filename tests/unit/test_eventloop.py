"""The event loop must outlive connections that are closed where nobody expects it."""

import os
import threading
from collections.abc import Iterator
from itertools import count

import pytest

from snapgui.hypervisor.eventloop import EventLoop


class _Loop(EventLoop):
    """A loop without libvirt and without a thread, so that another one of this process is left alone."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._ids = count(1)
        self._handles, self._timers, self._freed = {}, {}, []
        self._wake_read, self._wake_write = os.pipe()


class _Collected(int):
    """A number that closes a connection when it is looked at, as a garbage collection may at any moment."""

    loop: EventLoop
    handles: tuple[int, ...] = ()
    timers: tuple[int, ...] = ()

    def __ge__(self, other: int) -> bool:
        self._collect()
        return int(self) >= other

    def __hash__(self) -> int:
        self._collect()
        return int(self)

    def _collect(self) -> None:
        for number in self.handles:
            self.loop._remove_handle(number)
        for number in self.timers:
            self.loop._remove_timer(number)


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    made = _Loop()
    yield made
    os.close(made._wake_read)
    os.close(made._wake_write)


def _nothing(*_: object) -> None:
    """A callback that is never called here."""


def test_handles_and_timers_vanish_while_they_are_looked_at(loop: EventLoop) -> None:
    descriptor = _Collected(loop._wake_write)
    interval = _Collected(10_000)
    for treacherous in (descriptor, interval):
        treacherous.loop = loop
    handles = [loop._add_handle(descriptor, 1, _nothing, None) for _ in range(3)]
    timers = [loop._add_timer(interval, _nothing, None) for _ in range(3)]
    descriptor.handles, interval.timers = tuple(handles[1:]), tuple(timers[1:])
    _, by_fd, timeout = loop._waiting()
    loop._fire()
    assert handles[0] in by_fd[descriptor]
    assert timeout is not None
    assert timeout > 0
    assert list(loop._handles) == handles[:1]
    assert list(loop._timers) == timers[:1]
