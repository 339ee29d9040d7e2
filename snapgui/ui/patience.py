"""Pages of one window that want to look at a running VM at the same time: one waits until the other has done so."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from snapgui.model.errors import Busy

Result = TypeVar("Result")
PATIENCE_S, PAUSE_S = 60.0, 0.1


def patiently(question: Callable[[], Result], cancel: threading.Event) -> Result:
    """Return the answer to a question that changes nothing, asked again while the VM is busy. Raises as it does.

    It is asked no more once ``cancel`` is set, or after a minute; then it is Busy.
    """
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return question()
        except Busy:
            if time.monotonic() > end or cancel.wait(PAUSE_S):
                raise
