"""Ends the processes that a demonstration left running: QEMU and private daemons, found by their pid files."""

import contextlib
import os
import signal
import time
from pathlib import Path

GRACE_S = 5.0
"""Time that a process gets to end by itself before it is killed."""


def end_processes(root: Path) -> None:
    """End every process that has a pid file below `root` and was started with a path below `root`."""
    left = {pid for path in root.rglob("*.pid") if (pid := _pid_in(path)) and _belongs_to(pid, root)}
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + GRACE_S
        while left and time.monotonic() < deadline:
            left = {pid for pid in left if _belongs_to(pid, root)}
            time.sleep(0.02)


def _pid_in(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _belongs_to(pid: int, root: Path) -> bool:
    """Whether the process exists and its arguments or its environment name `root` (pids are used again)."""
    if pid == os.getpid():
        return False
    process = Path("/proc") / str(pid)
    with contextlib.suppress(OSError):
        return any(os.fsencode(root) in (process / part).read_bytes() for part in ("cmdline", "environ"))
    return False
