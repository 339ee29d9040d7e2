"""Keeps the pause at the end of a save of memory into a file short.

Two things are done while the guest stands still (libvirt-facts 3), and both can be done before. QEMU writes the rest
of the memory, as much as it expects to take no longer than a limit: 300 ms, where a lower one costs a few more passes
over little memory. Then libvirt waits until the whole file is on the disk.
"""

import contextlib
import threading
from functools import partial
from typing import Self

from snapgui.hypervisor import files, inventory
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.statistics import JobNumbers, is_local
from snapgui.model.plan import Step
from snapgui.operations.job_poller import JobPoller

SHORT_MS = 30
MOST_PASSES = 6
"""Passes over the memory after which the guest writes too fast for a short pause; the usual limit is set again."""
INTERVAL_S = 0.05
LAST_FLUSH_S = 1.0
"""How long is waited for the last flush, which may have to take what other programs have written along."""


class ShortPause:
    """Does both while the ``with`` block saves; the limit is set back afterwards."""

    def __init__(self, connection: Connection, vm_uuid: str, step: Step) -> None:
        self._connection, self._vm_uuid, self._step = connection, vm_uuid, step
        self._usual: int | None = None
        self._relented = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._flush, name="flush", daemon=True)

    def __enter__(self) -> Self:
        if self._step.live:
            self._limit()
        if is_local(self._connection):
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._usual is not None:
            inventory.limit_downtime(self._connection, self._vm_uuid, self._usual)
        if self._thread.ident is not None:
            self._thread.join(LAST_FLUSH_S)

    def look_after(self, numbers: JobNumbers, poller: JobPoller) -> None:
        """Allow the usual pause where the save does not come to its end with a short one."""
        if self._usual is not None and numbers.passes > MOST_PASSES and not self._relented:
            self._relented = True
            poller.order(partial(inventory.limit_downtime, milliseconds=self._usual))

    def _limit(self) -> None:
        usual = inventory.longest_downtime(self._connection, self._vm_uuid)
        if usual is not None and usual > SHORT_MS:
            self._usual = usual
            inventory.limit_downtime(self._connection, self._vm_uuid, SHORT_MS)

    def _flush(self) -> None:
        while not self._done.wait(INTERVAL_S):
            with contextlib.suppress(OSError):  # the file is not there yet, or it is gone again
                files.flush(self._step.memory_file)
