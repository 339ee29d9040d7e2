"""Work for the window's own thread that may come faster than it can be done: in slices, so that all else goes on."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer

SLICE_S, PAUSE_MS = 0.008, 4


class Slices(QObject):
    """Hands on what it was given, in order, for some milliseconds at a time."""

    def __init__(self, take: Callable[[Any], None], parent: QObject) -> None:
        super().__init__(parent)
        self._take = take
        self._waiting: deque[Any] = deque()
        self._timer = QTimer(self)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._go_on)

    def add(self, item: Any) -> None:
        """Have something taken soon."""
        self._waiting.append(item)
        if not self._timer.isActive():
            self._timer.start()

    def forget(self) -> None:
        """Take nothing of what waits."""
        self._waiting.clear()
        self._timer.stop()

    def _go_on(self) -> None:
        end = time.monotonic() + SLICE_S
        while self._waiting and time.monotonic() < end:
            self._take(self._waiting.popleft())
        if not self._waiting:
            self._timer.stop()
