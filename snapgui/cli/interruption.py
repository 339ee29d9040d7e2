"""Ctrl-C and ``kill``: before a change they end the command at once, during one they ask it to stop."""

import signal
import threading
from types import FrameType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Listens while the ``with`` block runs. A signal raises KeyboardInterrupt, unless a change has begun."""

    def __init__(self) -> None:
        self.cancel = threading.Event()
        self.times = 0
        self._changing = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and "&" want it
                    self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def begin_change(self) -> None:
        """From here on a signal only sets ``cancel``: what has begun is brought to a safe end."""
        self._changing = True

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.times += 1
        self.cancel.set()
        if not self._changing:
            raise KeyboardInterrupt
