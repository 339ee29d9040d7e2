"""Has the files put in order by a worker: one order at a time, and no more often than useful."""

import threading
import time

from PySide6.QtCore import QObject, QTimer, Signal

from snapgui.model.errors import Cancelled, SnapguiError
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.ui.bridge import Bridge, Submit
from snapgui.ui.files_arrangement import Arrangement, NameOrder, Wish, arranged
from snapgui.ui.files_table import FilesTable

SOONEST_MS = 100
TURN_S = 0.001
"""For so long a busy worker lets the window have a turn: else each cell that is painted waits for Python's lock."""
REST = 2
"""While files are still being found, it rests so many times as long as the last order took."""


class FilesArranger(QObject):
    """``arranged``: an order that answers the latest wish."""

    arranged = Signal(object)

    def __init__(self, bridge: Bridge, submit: Submit, table: FilesTable, parent: QObject) -> None:
        super().__init__(parent)
        self._bridge, self._submit, self._table = bridge, submit, table
        self._wish = Wish()
        self._names: NameOrder | None = None
        self._stop: threading.Event | None = None
        self._again = False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(SOONEST_MS)
        self._rest.timeout.connect(self._ask)

    @property
    def busy(self) -> bool:
        """Whether an order is on its way."""
        return self._stop is not None or self._rest.isActive()

    def use(self, table: FilesTable) -> None:
        """Work on another table; what is on its way is for nobody."""
        self._table, self._names = table, None
        self._rest.stop()
        if self._stop is not None:
            self._stop.set()

    def want(self, wish: Wish) -> None:
        """Ask for an order at once."""
        self._wish = wish
        if self._stop is not None:
            self._stop.set()
        self._ask()

    def grown(self, *, last: bool = False) -> None:
        """There are more files; ``last``: there will be no others."""
        if last:
            self._ask()
        elif not self._rest.isActive() and self._stop is None:
            self._rest.start()

    def close(self) -> None:
        """Want nothing any more."""
        self._rest.stop()
        if self._stop is not None:
            self._stop.set()

    def _ask(self) -> None:
        self._rest.stop()
        if self._stop is not None:
            self._again = True
            return
        table, wish, known, began = self._table, self._wish, self._names, time.monotonic()
        frame, cancel = table.frame(mirrored=wish.mirrored), threading.Event()
        self._stop = cancel

        def stop() -> None:
            time.sleep(TURN_S)
            if cancel.is_set():
                raise Cancelled(QT_TRANSLATE_NOOP("errors", "Cancelled."))

        def done(made: Arrangement) -> None:
            self._rest.setInterval(max(SOONEST_MS, int(1000 * REST * (time.monotonic() - began))))
            self._ended()
            if table is self._table and not cancel.is_set():
                self._names = made.names
                self.arranged.emit(made)
                if len(table) > made.frame.rows:
                    self.grown()

        def failed(_error: SnapguiError) -> None:
            self._ended()

        self._bridge.run(self._submit, lambda _post: arranged(frame, wish, known, stop), self, done, failed)

    def _ended(self) -> None:
        self._stop = None
        if self._again:
            self._again = False
            self._ask()
