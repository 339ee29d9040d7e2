"""The longest gap between two ticks of the real window while a VM is saved and taken back, and while much is read."""

import gc
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from support import places  # isort: skip
from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication
from support.guests import STACKS, Machine, guest, stack
from support.measure import Row, milliseconds, verdict
from support.report import section
from support.thousand import redefine

from snapgui.demo.pilot import Pilot
from snapgui.ui.application import make_application
from snapgui.ui.main_window import MainWindow, make_window

COUNT = 1_000
TICK_MS, LONGEST_S, SETTLED_S = 10, 0.1, 0.5
TURNS = 3
COLUMNS = ("stack", "meanwhile", "longest gap", "aim 100 ms", "ticks", "in", "gap of a bare process")
NOTE = (
    f"A timer in the window's thread ticks every {TICK_MS} ms; a gap is the time between two ticks. Take and revert are"
    f" asked for by action and dialog, until their row says that they are done; “first look” is the choice of a VM with"
    f" {COUNT:,} snapshots, “all read again” F5 on it; each {TURNS} times, with {SETTLED_S} s afterwards. The last"
    " column is the longest gap, at the same time, of a process that does nothing but tick: what the machine took away."
)


BARE = """
import sys, time
while True:
    print(time.perf_counter(), flush=True)
    time.sleep({seconds})
"""


class Beat(QObject):
    """Notes when the window's thread gets to its ticks."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.ticks: list[float] = []
        timer = QTimer(self)
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        timer.timeout.connect(lambda: self.ticks.append(time.perf_counter()))
        timer.start(TICK_MS)
        self._bare_ticks: list[float] = []
        command = [sys.executable, "-c", BARE.format(seconds=TICK_MS / 1000)]
        self._bare = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._listen, daemon=True).start()

    def row(self, what: str, began: float) -> Row:
        """Return the longest gap since a moment."""
        ticks, bare = ([tick for tick in all_ticks if tick >= began] for all_ticks in (self.ticks, self._bare_ticks))
        gap, lasted = _longest_gap(ticks), f"{ticks[-1] - ticks[0]:.1f} s"
        machine = milliseconds(_longest_gap(bare))
        return (what, milliseconds(gap), verdict(gap, LONGEST_S), str(len(ticks)), lasted, machine)

    def end(self) -> None:
        """End the other process."""
        self._bare.terminate()
        self._bare.wait()

    def _listen(self) -> None:
        assert self._bare.stdout is not None
        for line in self._bare.stdout:
            self._bare_ticks.append(float(line))


def _longest_gap(ticks: list[float]) -> float:
    return max(after - before for before, after in itertools.pairwise(ticks))


class Walk:
    """What a user does, from a thread that is not the window's."""

    def __init__(self, window: MainWindow, pilot: Pilot, small: Machine, large: Machine) -> None:
        self.rows: list[Row] = []
        self._window, self._pilot, self._small, self._large = window, pilot, small, large
        self._beat = Beat(window)
        self._thread = threading.Thread(target=self._walk, daemon=True)
        self._thread.start()

    def _walk(self) -> None:
        try:
            self._choose(self._small)
            self._note("take", self._take)
            self._note("revert", self._revert)
            self._note(f"first look at {COUNT:,}", self._look)
            self._note(f"all {COUNT:,} read again", self._read_again)
        finally:
            self._pilot.do(self._leave)

    def _leave(self) -> None:
        self._beat.end()
        self._window.close()
        QApplication.quit()

    def _note(self, what: str, work: Callable[[], None]) -> None:
        began = time.perf_counter()
        for _ in range(TURNS):
            work()
            time.sleep(SETTLED_S)
        self.rows.append(self._beat.row(what, began))

    def _take(self) -> None:
        rows = self._window.jobs.rowCount()
        self._pilot.trigger("take")
        self._pilot.press(self._pilot.dialog(), "Take Snapshot")
        self._done(rows)

    def _revert(self) -> None:
        rows = self._window.jobs.rowCount()
        oldest = next(iter(self._window.pane.model.tree)).name
        self._pilot.click_node(oldest)
        self._pilot.trigger("revert")
        self._pilot.press(self._pilot.dialog(), "Revert")
        self._done(rows)

    def _done(self, rows: int) -> None:
        jobs = self._window.jobs
        self._pilot.wait("the end of the job", lambda: jobs.rowCount() > rows and not jobs.active())

    def _look(self) -> None:
        self._choose(self._small)
        self._choose(self._large)

    def _read_again(self) -> None:
        watcher = self._window.watcher
        self._pilot.trigger("refresh")
        self._pilot.wait("the answer", lambda: not watcher._looking)

    def _choose(self, machine: Machine) -> None:
        window = self._window
        self._pilot.wait("the VM", lambda: any(host.vm(machine.uuid) for host in window.vms_model.hosts))
        host = window.vms_model.hosts[0]
        self._pilot.do(lambda: window.vms.choose(host, machine.uuid))
        self._pilot.wait("the tree", lambda: self._shown(machine))

    def _shown(self, machine: Machine) -> bool:
        known = self._window.watcher.known
        return known is not None and known.vm.uuid == machine.uuid


def main() -> None:
    scratch = places.own_directories()
    application = make_application()
    application.setQuitOnLastWindowClosed(False)
    rows: list[Row] = []
    for name in STACKS:
        with stack(name) as running, guest(running, running=True) as small, guest(running, running=False) as large:
            redefine(large, COUNT)
            window = make_window(small.uuid)
            window.show()
            gc.freeze()  # as the application does
            window.connections.open(running.uri)
            walk = Walk(window, Pilot(window, scratch), small, large)
            application.exec()
            rows += [(name, *row) for row in walk.rows]
            window.deleteLater()
    section("beat", "The window's beat", COLUMNS, rows, (NOTE,))


if __name__ == "__main__":
    main()
