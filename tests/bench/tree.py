"""10,000 snapshots: reading into a tree, laying out, into the window, first paint, panning, zooming; against dot."""

import gc
import os
import subprocess
from collections.abc import Callable, Sequence
from functools import partial

from support import places  # isort: skip
from PySide6.QtWidgets import QApplication
from support.measure import Times, milliseconds, repeated, slowest, timed, verdict
from support.report import section
from support.shapes import SHAPES, snapshots

from snapgui.model.layout import tidy
from snapgui.model.records import Snapshot, Vm, VmState
from snapgui.model.tree import SnapshotTree
from snapgui.ui.application import make_application
from snapgui.ui.graph_view import GraphView
from snapgui.ui.snapshot_model import SnapshotModel

COUNT, FEWER = 10_000, 1_000
TURNS, FRAMES = 5, 20
PLACED_S, PAINTED_S, FRAME_S = 0.2, 0.05, 0.016
DOT_PATIENCE_S = 60.0
PAN_PIXELS = 97
SIZE = (1200, 800)
VM = Vm("11111111-2222-3333-4444-555555555555", "vm", VmState.RUNNING)
COLUMNS = ("shape", "tree", "layout", "all to place", "first paint", "slowest pan", "slowest zoom", "200/50/16/16 ms")
SAME_TREES = ((FEWER, "random"), (COUNT, "chain"), (COUNT, "random"))
NOTE = (
    "“Tree” is `SnapshotTree`, “layout” is `tidy` alone, “all to place” everything from the records to a graph that"
    f" can be painted: tree, model, layout. Painting is of the whole view, {SIZE[0]} × {SIZE[1]} pixels; panning at"
    f" full size, zooming out to everything and then in by {FRAMES} steps: the slowest frame counts."
)


def main() -> None:
    places.own_directories()
    application = make_application()
    gc.freeze()  # as the window does
    rows = [_row(shape, application) for shape in SHAPES]
    dot = [_against_dot(count, shape) for count, shape in SAME_TREES]
    lines = "\n".join(f"- {line}" for line in dot)
    notes = (NOTE, "Layout alone, and `dot -Tplain` on the same tree:", lines)
    section("tree", f"Tree of {COUNT:,} snapshots", COLUMNS, rows, notes)


def _row(shape: str, application: QApplication) -> Sequence[str]:
    found = snapshots(shape, COUNT)
    tree = SnapshotTree(found)
    reading = repeated(TURNS, lambda: SnapshotTree(found).children(None))
    layout = repeated(TURNS, lambda: tidy(tree.roots, tree.children))
    looks = [_look(found, application) for _ in range(TURNS)]
    placing, painting, pan, zoom = zip(*looks, strict=True)
    times = (Times(placing), Times(painting), slowest(pan), slowest(zoom))
    aims = zip(times, (PLACED_S, PAINTED_S, FRAME_S, FRAME_S), strict=True)
    met = "/".join(verdict(measured.median, aim) for measured, aim in aims)
    return (shape, str(reading), str(layout), *map(str, times), met)


def _look(found: list[Snapshot], application: QApplication) -> tuple[float, float, list[float], list[float]]:
    """Return the seconds until the graph is placed, of the first paint, and of each frame of a pan and of a zoom."""
    gc.collect()
    model = SnapshotModel()
    view = GraphView(model)
    view.resize(*SIZE)
    view.show()
    application.processEvents()
    placing = timed(lambda: model.show(VM, SnapshotTree(found, found[-1].name), True))
    painting = timed(view.viewport().repaint)
    view.scrollTo(model.index_of(found[COUNT // 2].name))
    pan = [timed(partial(_pan, view, step)) for step in range(FRAMES)]
    view.scrollTo(model.index_of(None))
    view.set_zoom(1.0)
    zoom = [timed(partial(_zoom, view, step)) for step in (view.fit, *[view.zoom_in] * FRAMES)]
    model.clear()
    view.close()
    view.deleteLater()
    application.processEvents()
    return placing, painting, pan, zoom


def _pan(view: GraphView, step: int) -> None:
    for bar in (view.horizontalScrollBar(), view.verticalScrollBar()):
        bar.setValue(bar.value() + (PAN_PIXELS if step % 4 < 2 else -PAN_PIXELS))
    view.viewport().repaint()


def _zoom(view: GraphView, step: Callable[[], None]) -> None:
    step()
    view.viewport().repaint()


def _against_dot(count: int, shape: str) -> str:
    found = snapshots(shape, count)
    tree = SnapshotTree(found)
    ours = repeated(TURNS, lambda: tidy(tree.roots, tree.children))
    edges = "".join(f"{s.parent}->{s.name};" for s in found if s.parent)
    theirs, over = _dot("digraph {node [shape=box];" + edges + "}")
    more = "more than " if over else ""
    ratio = f"{more}{theirs / ours.median:,.0f} times as long"
    return f"{shape}, {count:,}: {milliseconds(ours.median)}, dot {more}{milliseconds(theirs)}: {ratio}"


def _dot(graph: str) -> tuple[float, bool]:
    """Return the seconds that dot took, and whether it was stopped before its end."""

    def run() -> None:
        subprocess.run(["dot", "-Tplain", "-o", os.devnull], input=graph.encode(), check=True, timeout=DOT_PATIENCE_S)

    try:
        return timed(run), False
    except subprocess.TimeoutExpired:
        return DOT_PATIENCE_S, True


if __name__ == "__main__":
    main()
