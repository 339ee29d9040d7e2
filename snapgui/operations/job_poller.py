"""Asks for the numbers of a running save from threads and connections of its own.

A question that reaches libvirt in the first moments of a save waits for its end, and with it the connection that it
was put on (libvirt-facts 3): so the first one is put a little later, and one that does not come back gets a
successor on another connection.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Self

from snapgui.hypervisor import inventory, snapshots, statistics
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.statistics import JobNumbers
from snapgui.model.errors import SnapguiError

FIRST_S, INTERVAL_S, LOST_S = 0.15, 0.25, 1.0
MOST_POLLERS = 4


Ask = Callable[[Connection, str], JobNumbers | None]


class JobPoller:
    """``latest`` holds the newest numbers while the ``with`` block runs; ``ask`` is what gets them."""

    def __init__(self, uri: str, vm_uuid: str, ask: Ask = statistics.job_numbers, first_s: float = FIRST_S) -> None:
        self._uri, self._vm_uuid, self._ask, self._first_s = uri, vm_uuid, ask, first_s
        self.latest: JobNumbers | None = None
        self._done = threading.Event()
        self._answered = time.monotonic() + FIRST_S
        self._threads: list[threading.Thread] = []
        self._orders: deque[Callable[[Connection, str], object]] = deque()
        self._wake = threading.Event()

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._wake.set()
        for thread in self._threads:
            thread.join()

    def look_after(self) -> None:
        """Start a successor where the last poller has not come back for a while."""
        silent = time.monotonic() - self._answered
        if silent > LOST_S * len(self._threads) and len(self._threads) < MOST_POLLERS:
            self._start()

    def finish(self) -> None:
        """Let the guest stand still from now on, so that a live save comes to its end; the save lets it run again."""
        self.order(inventory.suspend)

    def abort(self) -> None:
        """Call the save off."""
        self.order(snapshots.abort)

    def order(self, work: Callable[[Connection, str], object]) -> None:
        """Do something to the VM in the middle of the save, through the next free connection."""
        self._orders.append(work)
        self._wake.set()

    def _start(self) -> None:
        thread = threading.Thread(target=self._poll, name="job-poller", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _poll(self) -> None:
        try:
            with Connection(self._uri) as connection:
                self._wake.wait(self._first_s)
                while not self._done.is_set():
                    self._obey(connection)
                    numbers = self._ask(connection, self._vm_uuid)
                    self._answered = time.monotonic()
                    self.latest = numbers or self.latest
                    self._wake.wait(max(self._first_s, INTERVAL_S) if numbers else self._first_s)
                    self._wake.clear()
        except SnapguiError:
            return

    def _obey(self, connection: Connection) -> None:
        while True:
            try:
                work = self._orders.popleft()
            except IndexError:
                return
            work(connection, self._vm_uuid)
