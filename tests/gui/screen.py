"""X servers of the tests' own: on a shared one, windows would take the focus from each other."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

SIZE = "1600x1000x24"
ENDS_WITHIN_S = 20
_KEPT: list[subprocess.Popen[bytes]] = []
"""As long as the process runs; a forgotten Popen complains that its process does."""


def start_screen() -> None:
    """Start a screen and point Qt at it. It ends by itself when this process, its last client, is gone."""
    server, display = _start("-terminate")
    _KEPT.append(server)
    os.environ.pop("WAYLAND_DISPLAY", None)
    os.environ.update(DISPLAY=display, QT_QPA_PLATFORM="xcb")


@contextmanager
def another_screen() -> Iterator[str]:
    """Run a screen for other processes, whose clients may come and go; yield the name of its display."""
    server, display = _start("-noreset")
    try:
        yield display
    finally:
        server.terminate()
        server.wait(ENDS_WITHIN_S)


def _start(*options: str) -> tuple[subprocess.Popen[bytes], str]:
    told, tell = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(tell), "-screen", "0", SIZE, "-nolisten", "tcp", *options],
        pass_fds=[tell], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(tell)
    with os.fdopen(told) as answer:
        number = answer.readline().strip()
    assert number, "Xvfb did not start"
    return server, f":{number}"
