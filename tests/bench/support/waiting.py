"""Let a window work until it shows something."""

import time
from collections.abc import Callable

from PySide6.QtWidgets import QApplication

PATIENCE_S = 120.0


def wait(application: QApplication, condition: Callable[[], bool]) -> None:
    """Let the window go on, a millisecond at a time, until a condition holds; raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        application.processEvents()
        time.sleep(0.001)
        if time.monotonic() > deadline:
            raise TimeoutError("the window never showed it")
