"""Figures of disks of 1 TiB with a long history: on the command line, in process, and while the window shows them."""

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from support import places  # isort: skip
from beat import LONGEST_S, Beat
from PySide6.QtWidgets import QApplication
from support.big_images import (
    BUSY,
    CAPACITY_GIB,
    CLUSTER,
    FAR,
    GIB,
    NEAR,
    TABLES,
    chain,
    realistic,
    with_snapshots,
    worst,
)
from support.guests import Machine, guest, stack
from support.measure import Row, Times, in_turn, milliseconds, ran, timed, verdict
from support.report import section
from support.thousand import redefine
from support.waiting import wait

from snapgui.hypervisor.connection import Connection
from snapgui.images.block_map import block_map
from snapgui.images.clusters import Clusters
from snapgui.images.refcounts import Refcounts
from snapgui.operations.facts import read_facts
from snapgui.operations.history import History
from snapgui.operations.image_access import layers_of
from snapgui.operations.lineage import read_lineage
from snapgui.operations.snapshot_costs import Counted, snapshot_costs
from snapgui.operations.storage import read_storage
from snapgui.ui.application import make_application
from snapgui.ui.main_window import MainWindow, make_window
from tests.stacks.stacks import installed

SNAPSHOTS, IMAGES, USED_GIB = 100, 60, 300
AIM_S, SETTLED_S = 3.0, 0.5
SNAPGUI = str(Path(sys.executable).with_name("snapgui"))
SPENT = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
spent = resource.getrusage(resource.RUSAGE_CHILDREN)
print(spent.ru_utime + spent.ru_stime, spent.ru_maxrss)
"""
COLUMNS = ("image", "what", "time", "aim", "of a processor", "memory at most")
NOTE = (
    f"Disks of {CAPACITY_GIB} GiB, clusters of 64 KiB; the VM is off. “Scattered”: {USED_GIB} GiB are in use, and"
    f" {SNAPSHOTS} internal snapshots were taken, between which {NEAR} clusters in {BUSY} places were written, and"
    f" every tenth time {FAR:,} more all over the disk. “Worst”: every cluster is in use, and every second-level table"
    f" was written anew for each of {SNAPSHOTS} snapshots: {SNAPSHOTS * TABLES * CLUSTER / GIB:.1f} GiB of tables."
    f" “Chain”: {IMAGES} external images instead, with the writes of “scattered”. “First” is with nothing of the images"
    " in the system's cache. `qemu-img map` tells which image answers where, as the map does, `qemu-img check` counts"
    " references; neither says what a snapshot costs. The gap is the longest between two ticks of 10 ms in the window's"
    " thread while it opens its storage view and reads again, with that of a process that does nothing but tick in"
    " brackets. “Of a processor” is the CPU time of one run, which other programs lengthen less."
)


@dataclass(frozen=True)
class Case:
    """One sort of image, and how often it is worth looking at; ``checked``: by QEMU, too."""

    name: str
    make: Callable[[Path], Path]
    snapshots: int
    turns: int
    checked: bool = True


CASES = (
    Case("scattered", lambda at: with_snapshots(at / "disk.qcow2", USED_GIB, realistic, SNAPSHOTS), SNAPSHOTS, 5),
    Case("chain", lambda at: chain(at, USED_GIB, realistic, IMAGES), 0, 5),
    Case(
        "worst",
        lambda at: with_snapshots(at / "disk.qcow2", CAPACITY_GIB, worst, SNAPSHOTS),
        SNAPSHOTS,
        2,
        checked=False,
    ),
)


def main() -> None:
    scratch = places.own_directories()
    application = make_application()
    rows = [row for case in CASES for row in _rows(case, application, scratch)]
    section("storage", "Storage of a big disk", COLUMNS, rows, (NOTE,))


def _rows(case: Case, application: QApplication, scratch: Path) -> Iterator[Row]:
    with stack(installed()) as running, guest(running, running=False) as machine, _disk(case, machine) as image:
        for row in (*_processes(case, machine, image), *_in_process(case, machine, image, scratch)):
            yield (case.name, *row)
        yield (case.name, *_window(case, application, machine))


@contextmanager
def _disk(case: Case, machine: Machine) -> Iterator[Path]:
    """Give the VM its snapshots and the image."""
    if case.snapshots:
        redefine(machine, case.snapshots)
    directory = machine.directory / "big"
    directory.mkdir()
    image = case.make(directory)
    if case.snapshots:
        yield image.replace(machine.disk)
    else:
        machine.connection.defineXML(machine.domain.XMLDesc(0).replace(str(machine.disk), str(image)))
        yield image


def _processes(case: Case, machine: Machine, image: Path) -> Iterator[Row]:
    ours = (SNAPGUI, "-c", machine.uri, "storage", machine.name)
    map_, check, info = (
        ("qemu-img", "map", "--output=json", "-f", "qcow2", str(image)),
        ("qemu-img", "check", "-q", "-f", "qcow2", str(image)),
        ("qemu-img", "info", "--backing-chain", "--output=json", str(image)),
    )
    first = []
    for _ in range(case.turns):
        _forget(image.parent)
        first.append(timed(lambda: ran(*ours)))
    times = in_turn(case.turns, *(partial(_once, command) for command in (ours, map_, info)))
    for what, each in (("`snapgui storage`, first", Times(tuple(first))), ("`snapgui storage`", times[0])):
        yield (what, str(each), f"{AIM_S:.0f} s: {verdict(each.median, AIM_S)}", *_spent(ours))
    for command, each in ((map_, times[1]), (info, times[2])):
        yield (f"`qemu-img {command[1]}`", str(each), "", *_spent(command))
    if case.checked:
        yield ("`qemu-img check`, once", milliseconds(timed(lambda: ran(*check))), "", *_spent(check))


def _once(command: tuple[str, ...], _turn: int) -> None:
    ran(*command)


def _spent(command: tuple[str, ...]) -> Iterator[str]:
    """Yield the time of processors, and the most memory of a program: run by a small one, whose memory it inherits."""
    seconds, kib = ran(sys.executable, "-c", SPENT, *command).split()
    yield milliseconds(float(seconds))
    yield f"{int(kib) / 1024:.0f} MiB"


def _in_process(case: Case, machine: Machine, image: Path, scratch: Path) -> Iterator[Row]:
    history = History(scratch / f"{case.name}.sqlite3")
    with Connection(machine.uri) as connection:
        facts, lineage = read_facts(connection, machine.uuid), read_lineage(connection)

        def mapped(_turn: int) -> None:
            with layers_of(connection, str(image), "qcow2") as layers:
                top = layers.layers[0]
                assert isinstance(top, Clusters)
                block_map(layers, Refcounts(top.source, top.head) if top.head.snapshots else None)

        times = in_turn(
            case.turns,
            lambda _turn: (read_facts(connection, machine.uuid), read_lineage(connection)),
            lambda _turn: read_storage(connection, facts, lineage, history),
            mapped,
            lambda _turn: snapshot_costs(connection, facts, Counted()),
        )
    history.close()
    names = ("facts and lineage", "`read_storage`", "of this the map", "of this what snapshots cost")
    yield from ((f"in process: {name}", str(each), "", "", "") for name, each in zip(names, times, strict=True))


def _window(case: Case, application: QApplication, machine: Machine) -> Row:
    """Return the row of the longest gap while the storage view is opened, and is read again."""
    window = make_window(machine.uuid)
    window.resize(1280, 800)
    window.show()
    gc.freeze()  # as the application does
    window.connections.open(machine.uri)
    wait(application, lambda: window.watcher.known is not None and window.watcher.known.vm.uuid == machine.uuid)
    beat, began = Beat(window), time.perf_counter()
    _wait_for(application, SETTLED_S)
    for _ in range(case.turns):
        _look(application, window)
    _, gap, met, _, _, bare = beat.row("", began)
    beat.end()
    window.close()
    window.deleteLater()
    return ("longest gap of the window's beat", f"{gap} ({bare})", f"{milliseconds(LONGEST_S)}: {met}", "", "")


def _look(application: QApplication, window: MainWindow) -> None:
    page = window.pane.storage
    before = page.storage
    window.actions_["storage" if before is None else "refresh"].trigger()
    wait(application, lambda: page.storage is not before and window.pane.storage_frame.settled)
    assert page.storage is not None
    assert all(disk.problem is None for disk in page.storage.disks)
    assert all(cost.own is not None for cost in page.storage.costs)
    _wait_for(application, SETTLED_S)


def _wait_for(application: QApplication, seconds: float) -> None:
    until = time.monotonic() + seconds
    wait(application, lambda: time.monotonic() > until)


def _forget(directory: Path) -> None:
    """Drop the images from the system's cache."""
    for path in directory.glob("*.qcow2"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


if __name__ == "__main__":
    main()
