"""From the wish to compare two snapshots until their differences are on the screen: blocks, and then files."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from support import places  # isort: skip
from files import FILES, images, put
from PySide6.QtWidgets import QApplication
from support.guests import Machine, guest, stack
from support.measure import Row, Times, ran, verdict
from support.report import section
from support.waiting import wait

from snapgui.operations.paths import cache_directory
from snapgui.ui.application import make_application
from snapgui.ui.compare_window import CompareWindow
from snapgui.ui.main_window import MainWindow, make_window
from tests.stacks.stacks import installed

TURNS, AIM_S = 5, 1.0
COLUMNS = ("what", "on the screen after", f"aim {AIM_S:.0f} s")
NOTE = (
    f"The disk has an ext4 filesystem with {FILES:,} files, of which 1 % differ; two internal snapshots, the VM is off."
    " Blocks: from the wish to compare; files: from the choice of their tab, until the first rows are painted, and"
    " until nothing more is looked for. The result is removed from snapgui's cache before each turn, but for the last"
    " row; the image is in the system's cache."
)


def main() -> None:
    places.own_directories()
    application = make_application()
    with stack(installed()) as running, guest(running, running=False) as machine:
        _take_both(machine)
        window = make_window(machine.uuid)
        window.resize(1280, 800)
        window.show()
        window.connections.open(machine.uri)
        wait(application, lambda: window.watcher.known is not None and "b" in window.pane.model.tree)
        rows = list(_rows(application, window))
        window.close()
    section("compare_window", "Differences on the screen", COLUMNS, rows, (NOTE,))


def _take_both(machine: Machine) -> None:
    snapgui = str(Path(sys.executable).with_name("snapgui"))
    with tempfile.TemporaryDirectory(prefix="sg-bench-") as scratch:
        base, _ = images(Path(scratch))
        ran("qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(base), str(machine.disk))
        ran(snapgui, "-c", machine.uri, "take", machine.name, "a", "--kind", "internal")
        put(base, base.with_name("later.raw"), machine.disk, base.with_name("cluster"))
        ran(snapgui, "-c", machine.uri, "take", machine.name, "b", "--kind", "internal")


def _rows(application: QApplication, window: MainWindow) -> list[Row]:
    blocks, first, every, again = ([_looked(application, window, what, n) for n in range(TURNS)] for what in range(4))
    named = (("blocks", blocks), ("first files", first), ("all files", every), ("all files, from the cache", again))
    return [(what, str(Times(tuple(each))), verdict(Times(tuple(each)).median, AIM_S)) for what, each in named]


def _looked(application: QApplication, window: MainWindow, what: int, _turn: int) -> float:
    """Return the seconds until blocks (0), the first files (1), or all files (2; 3: as they are kept) are painted."""
    if what < len(("blocks", "first", "all")):
        for kept in (cache_directory() / "comparisons").glob("*"):
            kept.unlink()
    watcher = window.watcher
    known = watcher.known
    assert watcher.host is not None
    assert known is not None
    tree = window.pane.model.tree
    began = time.perf_counter()
    window.compare_wishes.open(watcher.host, known.vm, tree["a"], tree["b"])
    made: CompareWindow = window.compare_wishes.windows[-1]
    if what:
        wait(application, lambda: made.blocks_page.settled and made.configuration_page.settled)
        began = time.perf_counter()
    made.tabs.setCurrentWidget(made.files_page if what else made.blocks_page)
    page = made.files_page.files
    ends: tuple[Callable[[], bool], ...] = (
        lambda: made.blocks_page.settled,
        lambda: page.model.rowCount() > 0,
        lambda: page.model.rowCount() > 0 and not page.going,
    )
    wait(application, ends[min(what, 2)])
    made.repaint()
    lasted = time.perf_counter() - began
    made.close()
    application.processEvents()
    return lasted


if __name__ == "__main__":
    main()
