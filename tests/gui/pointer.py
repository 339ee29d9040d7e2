"""A real pointer: pressed, moved and released by the X server, as a hand does it."""

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PySide6.QtCore import QPoint, QTimer
from PySide6.QtWidgets import QWidget

from snapgui.ui.drag_label import DragLabel
from tests.gui.user import User

TICK_MS = 30
PATIENCE_S = 10
PULL = (4, 8, 14)
"""Pixels: a press becomes a drag only after some."""


@dataclass(frozen=True)
class Stop:
    """A point of a widget, where the pointer stays until the window has followed; the point may move meanwhile."""

    widget: QWidget
    at: Callable[[], QPoint]
    until: Callable[[], object]
    keys: tuple[str, ...] = ()


def drag(user: User, widget: QWidget, at: QPoint, *stops: Stop, keys: tuple[str, ...] = ()) -> None:
    """Press on a point of a widget, move from stop to stop, release at the last one; ``keys`` are held from the press.

    While something is dragged Qt runs a loop of its own: the hand moves by a timer, and every step waits.
    """
    over: list[str] = []
    hand = _hand(widget.mapToGlobal(at), stops, keys)
    timer = QTimer()
    timer.setInterval(TICK_MS)

    def tick() -> None:
        try:
            next(hand)
        except (StopIteration, TimeoutError) as end:
            timer.stop()
            over.append(str(end))

    timer.timeout.connect(tick)
    timer.start()
    try:
        user.wait(lambda: over)
    finally:
        timer.stop()
        hand.close()
    label = user.window.findChild(DragLabel)
    assert over == [""], f"{over}; the label said last: {label.text}"


def says(user: User, text: str) -> Callable[[], bool]:
    """Return a question: whether the label at the pointer says this."""
    label = user.window.findChild(DragLabel)
    return lambda: label.isVisible() and label.text == text


def _hand(start: QPoint, stops: tuple[Stop, ...], keys: tuple[str, ...]) -> Iterator[None]:
    held = list(keys)
    for key in keys:
        _xdotool("keydown", key)
    try:
        _xdotool("mousemove", *_place(start), "mousedown", "1")
        yield
        for far in PULL:
            _xdotool("mousemove", *_place(start + QPoint(far, far)))
            yield
        for stop in stops:
            for key in stop.keys:
                _xdotool("keydown", key)
                held.append(key)
            tremble, until = 0, time.monotonic() + PATIENCE_S
            while True:
                if time.monotonic() > until:  # a drag has a loop of its own: nobody else can end it
                    raise TimeoutError(f"nothing came of a stop at {stop.at()}")
                point = stop.widget.mapToGlobal(stop.at())
                _xdotool("mousemove", *_place(point + QPoint(tremble, 0)))
                yield
                if stop.until():
                    break
                tremble = 1 - tremble
    finally:
        _xdotool("mouseup", "1")
        for key in held:
            _xdotool("keyup", key)


def _place(point: QPoint) -> tuple[str, str]:
    return str(point.x()), str(point.y())


def _xdotool(*words: str) -> None:
    subprocess.run(["xdotool", *words], check=True, timeout=10)
