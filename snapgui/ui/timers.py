"""Timers that go off once."""

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer


def once_after(milliseconds: int, slot: Callable[[], object], parent: QObject) -> QTimer:
    """Return a timer that calls ``slot`` so long after each start, unless it is started anew or stopped before."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(slot)
    return timer
