"""Who may do what at the same time: one change after another per VM, across threads and processes."""

import contextlib
import fcntl
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from snapgui.model.errors import Broken, Busy
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.paths import runtime_directory

Result = TypeVar("Result")
READERS = 1
"""Two threads that talk through one connection can crash older libvirt clients (CVE-2024-4418)."""
ASIDE = 2
LOOK_S = 0.05
LOOKING_PATIENCE_S = 20.0
"""How long a look at a running VM waits for another look, or a change, to end."""


class Lanes:
    """The threads that work on one hypervisor: one for reading, one for control, one per VM that is changed.

    libvirtd answers five calls of one client at a time; these are at most three while one VM is changed.
    """

    def __init__(self) -> None:
        self._reads = ThreadPoolExecutor(READERS, "reads")
        self._control = ThreadPoolExecutor(1, "control")
        self._aside = ThreadPoolExecutor(ASIDE, "aside")
        self._changes: dict[str, ThreadPoolExecutor] = {}
        self._lock = threading.Lock()

    def read(self, work: Callable[[], Result]) -> "Future[Result]":
        """Run something that only looks."""
        return self._reads.submit(work)

    def control(self, work: Callable[[], Result]) -> "Future[Result]":
        """Run something that must not wait behind reads: opening, cancelling, resuming."""
        return self._control.submit(work)

    def aside(self, work: Callable[[], Result]) -> "Future[Result]":
        """Run something long that only looks, and has a connection of its own."""
        return self._aside.submit(work)

    def change(self, vm_uuid: str, work: Callable[[], Result]) -> "Future[Result]":
        """Run a change of one VM after those that were asked for earlier."""
        with self._lock:
            lane = self._changes.get(vm_uuid)
            if lane is None:
                lane = self._changes[vm_uuid] = ThreadPoolExecutor(1, "change")
        return lane.submit(work)

    def close(self) -> None:
        """Take no more work, drop what has not begun; what runs is finished by the hypervisor anyway."""
        with self._lock:
            lanes = [self._reads, self._control, self._aside, *self._changes.values()]
        for lane in lanes:
            lane.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def only_one(vm_uuid: str, patience_s: float = 0.0) -> Iterator[None]:
    """Hold the VM for this process' change; raise Busy where another one holds it, and does not end in time."""
    path = _lock_directory() / f"{re.sub(r'[^0-9a-fA-F-]', '_', vm_uuid)}.lock"
    deadline = time.monotonic() + patience_s
    with path.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    text = QT_TRANSLATE_NOOP(
                        "errors", "Another snapgui is changing this VM, or looking at its current state, right now."
                    )
                    raise Busy(text) from error
            time.sleep(LOOK_S)
        yield


def _lock_directory() -> Path:
    """Return the first place that can be written: a full or read-only home must not keep a VM from being saved."""
    places = (runtime_directory(), Path(tempfile.gettempdir()) / f"snapgui-{os.getuid()}")
    for place in places:
        with contextlib.suppress(OSError):
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            if os.access(place, os.W_OK):
                return place
    raise Broken(QT_TRANSLATE_NOOP("errors", "No directory for lock files can be written; nothing was changed."))


def is_held(vm_uuid: str) -> bool:
    """Whether some snapgui is changing the VM right now."""
    try:
        with only_one(vm_uuid):
            return False
    except Busy:
        return True
