"""The model is spliced, never reset: whatever happens to the tree, it equals it, and views keep their place."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import shiboken6
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QModelIndex
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.logging import _QtMessageCapture

from snapgui.model.records import Snapshot, Vm, VmState
from snapgui.model.tree import SnapshotTree
from snapgui.ui.actions import Actions
from snapgui.ui.snapshot_model import SnapshotModel
from snapgui.ui.tree_node import Node
from snapgui.ui.tree_pane import TreePane
from tests.unit.trees import BEGIN, tree

VM = Vm("uuid", "vm", VmState.SHUTOFF)
NAMES = "abcdefgh"
Shape = list[tuple[str, "Shape"]]


@st.composite
def trees(draw: st.DrawFn) -> SnapshotTree:
    """Any forest of up to eight names; the same name may come back as another snapshot, below anybody."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    made = []
    for place, name in enumerate(names):
        parent = draw(st.sampled_from([None, *names[:place]]))
        moment = BEGIN + timedelta(seconds=draw(st.integers(0, 3)))
        made.append(Snapshot(name, moment, parent, description=draw(st.sampled_from(["", "text"]))))
    return SnapshotTree(made, draw(st.sampled_from([None, *names])))


def shape_of_tree(found: SnapshotTree, name: str | None = None) -> Shape:
    """Children by age; "You are here" is the last child of the current snapshot."""
    below: Shape = [(child, shape_of_tree(found, child)) for child in found.children(name)]
    return [*below, ("You are here", [])] if name == found.current else below


def shape_of_model(model: SnapshotModel, parent: QModelIndex | None = None) -> Shape:
    """What a view gets to know through Qt's functions alone."""
    parent = parent or QModelIndex()
    rows = [model.index(row, 0, parent) for row in range(model.rowCount(parent))]
    assert all(row.parent() == parent for row in rows)
    return [(str(row.data()), shape_of_model(model, row)) for row in rows]


@pytest.fixture
def pane(qapp: QApplication) -> Iterator[TreePane]:
    window = QWidget()
    model = SnapshotModel(window)
    made = TreePane(model, Actions(window), window)
    made.resize(500, 400)
    made.choose_view(outline=False)
    window.resize(500, 400)
    window.show()
    yield made
    window.close()
    shiboken6.delete(window)


@given(steps=st.lists(trees(), min_size=2, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_model_equals_the_tree_without_a_reset(
    qapp: QApplication, qtlog: _QtMessageCapture, steps: list[SnapshotTree]
) -> None:
    model = SnapshotModel()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Warning)
    model.show(VM, steps[0], None)
    resets: list[int] = []
    model.modelReset.connect(lambda: resets.append(1))
    for step in steps:
        model.show(VM, step, True)
        assert shape_of_model(model) == shape_of_tree(step)
        assert all(model.snapshot(model.index_of(name)) == step[name] for name in step.snapshots)
        assert qtlog.records == []
    assert resets == []
    del tester


@given(first=trees(), second=trees(), chosen=st.sampled_from(NAMES), closed=st.sets(st.sampled_from(NAMES)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_views_keep_their_place(
    pane: TreePane, first: SnapshotTree, second: SnapshotTree, chosen: str, closed: set[str]
) -> None:
    pane.model.clear()
    pane.model.show(VM, first, None)
    graph, model = pane.graph, pane.model
    graph.set_zoom(0.8)
    kept = {name for name in second.snapshots if name in first and first[name].key == second[name].key}
    pane.select(chosen if chosen in first else None)
    for name in closed & set(first.snapshots):
        graph.set_collapsed(model.index_of(name), True)
    before = {name: graph.is_collapsed(model.index_of(name)) for name in kept}
    selected, here = {snapshot.name for snapshot in pane.selected()}, pane.here_selected()
    assert len(selected) + here == 1, "what a collapsed branch hid has left the selection to the branch"
    model.show(VM, second, None)
    assert graph.zoom == 0.8
    assert {snapshot.name for snapshot in pane.selected()} >= selected & kept
    assert pane.here_selected() or not here
    assert {name: graph.is_collapsed(model.index_of(name)) for name in kept} == before
    shown = {node.snapshot.name if node.snapshot else "" for node, _ in graph.geometry_of.rects()}
    assert shown == set(_visible(model.root, graph.geometry_of.children))


def _visible(node: Node, children: Callable[[Node], list[Node]]) -> list[str]:
    found = []
    for child in children(node):
        found += [child.snapshot.name if child.snapshot else "", *_visible(child, children)]
    return found


def test_the_place_in_a_large_tree_stays(pane: TreePane) -> None:
    """A leaf more at the right, where the newest children stand, moves nothing that is on the screen."""
    many = " ".join(f"base>n{number:02}>m{number:02}" for number in range(40))
    pane.model.show(VM, tree(many), None)
    graph = pane.graph
    graph.set_zoom(1.2)
    graph.scrollTo(pane.model.index_of("m10"))
    place = graph.visualRect(pane.model.index_of("m10"))
    assert place.isValid()
    pane.model.show(VM, tree(f"{many} base>zz"), None)
    moved = graph.visualRect(pane.model.index_of("m10")).topLeft() - place.topLeft()
    assert moved.manhattanLength() <= 4


def test_a_chain_of_ten_thousand_does_not_recurse(pane: TreePane) -> None:
    names = [f"s{number}" for number in range(10_000)]
    pane.model.show(VM, tree(">".join(names) + "*"), None)
    pane.graph.fit()
    assert pane.graph.geometry_of.shows(pane.model.node(pane.model.index_of("s9999")))
