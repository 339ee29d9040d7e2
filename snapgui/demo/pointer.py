"""A real pointer: pressed, moved and released by the X server, as a hand does it."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PySide6.QtCore import QPoint
from PySide6.QtGui import QGuiApplication

from snapgui.demo.errors import GuestError

PULL = (4, 8, 14)
"""Pixels: a press becomes a drag only after some."""
STEPS = 12
"""Moves from the source to the target."""
LOOK_S, PATIENCE_S = 0.03, 20.0
COMMAND_S = 10


def why_no_pointer() -> str:
    """Return why nothing can be dragged with a real pointer here, empty where it can."""
    if QGuiApplication.platformName() != "xcb":
        return "the window is not on an X server"
    return "" if shutil.which("xdotool") else "xdotool is not installed"


@contextmanager
def dragged(start: QPoint, end: QPoint, until: Callable[[], bool]) -> Iterator[None]:
    """Press at a point of the screen and pull to another one; the button is released when the block ends.

    Raises GuestError where ``until`` does not become true there. Not for the window's own thread.
    """
    _xdotool("mousemove", *_place(start), "mousedown", "1")
    try:
        for far in PULL:
            _move(start + QPoint(far, far))
        for step in range(1, STEPS + 1):
            _move(start + (end - start) * (step / STEPS))
        _wait(end, until)
        yield
    finally:
        _xdotool("mouseup", "1")


def _wait(end: QPoint, until: Callable[[], bool]) -> None:
    """The hand trembles: only moves make the window look."""
    deadline, tremble = time.monotonic() + PATIENCE_S, 0
    while not until():
        if time.monotonic() > deadline:
            raise GuestError("The window did not notice the drag.")
        tremble = 1 - tremble
        _move(end + QPoint(tremble, 0))


def _move(point: QPoint) -> None:
    _xdotool("mousemove", *_place(point))
    time.sleep(LOOK_S)


def _place(point: QPoint) -> tuple[str, str]:
    return str(point.x()), str(point.y())


def _xdotool(*words: str) -> None:
    subprocess.run(["xdotool", *words], check=True, timeout=COMMAND_S, stdin=subprocess.DEVNULL)
