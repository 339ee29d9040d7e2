"""Sorted by size, the outline is one flat list; what is selected, opened and typed stays, and so does the graph."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QFontMetrics, QImage, QPainter
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.logging import _QtMessageCapture

from snapgui.model.records import Place, Snapshot
from snapgui.model.storage import SnapshotCost
from snapgui.model.tree import SnapshotTree
from snapgui.ui.card_painter import CardPainter
from snapgui.ui.graph_geometry import CardMetrics
from snapgui.ui.row_words import Column
from snapgui.ui.snapshot_model import SnapshotModel
from tests.gui.conftest import Open
from tests.gui.hypervisors import Pretended
from tests.gui.test_model import NAMES, VM, shape_of_model, shape_of_tree, trees
from tests.gui.user import CTRL, HERE, Key, User
from tests.unit.trees import BEGIN

MIB = 2**20
SIZES = {"web": 9 * MIB, "tls": 512, "php": 3 * MIB, "fresh": 5 * MIB}
LARGEST_FIRST = ["web", "fresh", "php", "tls", "desktop", HERE]
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"


def costs(sizes: dict[str, int]) -> dict[str, SnapshotCost]:
    return {name: SnapshotCost(name, size, 7 * MIB, 0, size) for name, size in sizes.items()}


@pytest.fixture
def user(open_window: Open, pretend: Callable[..., str]) -> User:
    """The window on a VM whose snapshots cost something, all but one."""
    made = open_window(pretend({"vm": Pretended("fresh>web>tls fresh>web>php*+ fresh>desktop")}), vm="vm")
    made.pane.model.set_costs(costs(SIZES))
    return made


def rows(user: User) -> list[str]:
    """The names in the outline from top to bottom."""
    found, index = [], user.outline.model().index(0, 0)
    while index.isValid():
        found.append(str(index.data()))
        index = user.outline.indexBelow(index)
    return found


def click_head(user: User, column: Column) -> None:
    header = user.outline.header()
    user.click(header.viewport(), QPoint(header.sectionViewportPosition(column) + 16, header.height() // 2))


def test_a_click_sorts_and_another_one_shows_the_tree(user: User) -> None:
    user.key(Key.Key_2, CTRL)
    as_tree = rows(user)
    placed = {node.number: rect for node, rect in user.graph.geometry_of.rects()}
    for other in (Column.SIZE, Column.NAME):
        click_head(user, Column.SIZE)
        assert rows(user) == LARGEST_FIRST
        assert user.outline.header().model().headerData(Column.SIZE, Qt.Orientation.Horizontal) == "↓ Size"
        click_head(user, other)
        assert rows(user) == as_tree
    assert {node.number: rect for node, rect in user.graph.geometry_of.rects()} == placed


def test_what_is_selected_and_closed_stays(user: User) -> None:
    user.graph.set_collapsed(user.pane.model.index_of("web"), True)
    user.key(Key.Key_2, CTRL)
    user.click_node("fresh")
    user.click_node("desktop", CTRL)
    as_tree = rows(user)
    assert "php" not in as_tree
    click_head(user, Column.SIZE)
    assert rows(user) == LARGEST_FIRST
    assert user.selected() == ["desktop", "fresh"]
    click_head(user, Column.SIZE)
    assert rows(user) == as_tree
    assert user.selected() == ["desktop", "fresh"]
    assert user.current() == "desktop"
    user.key(Key.Key_1, CTRL)
    assert user.graph.is_collapsed(user.pane.model.index_of("web"))


def test_a_search_opens_the_branch_in_the_graph(user: User) -> None:
    user.graph.set_collapsed(user.pane.model.index_of("web"), True)
    user.key(Key.Key_2, CTRL)
    click_head(user, Column.SIZE)
    user.window.search.setText("php")
    assert user.selected() == ["php"]
    assert not user.graph.is_collapsed(user.pane.model.index_of("web"))


def test_sizes_that_change_move_rows_and_keep_what_is_typed(user: User) -> None:
    user.key(Key.Key_2, CTRL)
    click_head(user, Column.SIZE)
    user.click_node("tls")
    user.key(Key.Key_F2)
    editor = user.outline.findChild(QLineEdit)
    assert editor is not None
    editor.setText("half a ti")
    user.pane.model.set_costs(costs({**SIZES, "tls": 99 * MIB}))
    assert rows(user)[0] == "tls"
    assert editor.text() == "half a ti"
    assert user.outline.visualRect(user.pane.model.index_of("tls")).contains(editor.geometry().center())
    editor.setText("whole title")
    user.key(Key.Key_Return)
    user.job("edit")
    user.wait(lambda: rows(user)[0] == "whole title")
    assert user.selected() == ["whole title"]


def test_what_comes_and_goes_while_sorted(user: User) -> None:
    user.key(Key.Key_2, CTRL)
    click_head(user, Column.SIZE)
    user.click_node("php")
    user.key(Key.Key_Delete)
    user.dialog()
    user.press("Delete")
    user.job("delete")
    user.wait(lambda: "php" not in user.tree)
    assert rows(user) == [name for name in LARGEST_FIRST if name != "php"]
    click_head(user, Column.SIZE)
    assert rows(user) == ["fresh", "web", "tls", HERE, "desktop"]


def test_cells(user: User) -> None:
    model = user.pane.model
    shown = {name: model.index_of(name, Column.SIZE).data() for name in (*SIZES, "desktop", None)}
    assert [shown[name] for name in SIZES] == ["9.0 MiB", "512 bytes", "3.0 MiB", "5.0 MiB"]
    assert (shown["desktop"], shown[None]) == ("–", "")
    tip, spoken = (
        str(model.index_of("web").data(role))
        for role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole)
    )
    assert "9.0 MiB exist only because of it" in tip
    assert "7.0 MiB are needed by others, too" in tip
    assert "Deleting it frees 9.0 MiB" in tip
    assert "9.0 MiB of its own" in spoken
    assert "own" not in str(model.index_of("desktop").data(Qt.ItemDataRole.AccessibleTextRole))


def test_only_changed_rows_are_told(user: User) -> None:
    told: list[str] = []
    model = user.pane.model
    model.dataChanged.connect(lambda first, _last, _roles: told.append(str(first.siblingAtColumn(0).data())))
    model.set_costs(costs(SIZES))
    assert told == []
    model.set_costs(costs({**SIZES, "php": 1}))
    assert told == ["php"]
    told.clear()
    model.set_costs({})
    assert sorted(told) == sorted(SIZES)


@given(
    steps=st.lists(trees(), min_size=2, max_size=4), sizes=st.dictionaries(st.sampled_from(NAMES), st.integers(0, 9))
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_the_model_stays_in_order(
    qapp: QApplication, qtlog: _QtMessageCapture, steps: list[SnapshotTree], sizes: dict[str, int]
) -> None:
    model = SnapshotModel()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Warning)
    model.show(VM, steps[0], None)
    model.set_costs(costs(sizes))
    for step in steps:
        model.sort_by_size(True)
        model.show(VM, step, True)
        model.set_costs(costs(sizes))
        names = [str(model.index(row, 0).data()) for row in range(model.rowCount())]
        known = [sizes[name] for name in names if name in sizes]
        assert known == sorted(known, reverse=True)
        assert {*names} == {*step.snapshots, HERE}
        assert all(model.index_of(name).row() == row for row, name in enumerate(names) if name != HERE)
        model.sort_by_size(False)
        assert shape_of_model(model) == shape_of_tree(step)
    assert qtlog.records == []
    del tester


@pytest.mark.parametrize("zoom", [1.0, 2.0])
def test_the_size_on_a_card_covers_nothing(qapp: QApplication, zoom: float) -> None:
    """Painting it changes only what is right of the badges, and never leaves the card."""
    metrics = CardMetrics.of(QFontMetrics(qapp.font()))
    snapshot = Snapshot(LONG, BEGIN - timedelta(days=400), None, "running", memory=Place.INTERNAL, safety=True)
    for current in (None, LONG):
        plain = _card(metrics, snapshot, current, None, zoom)
        sized = _card(metrics, snapshot, current, SnapshotCost(LONG, 1023 * MIB, 0, 0, 0, at_least=True), zoom)
        changed = [
            (x, y)
            for x in range(plain.width())
            for y in range(plain.height())
            if plain.pixel(x, y) != sized.pixel(x, y)
        ]
        assert changed
        assert min(x for x, _ in changed) > metrics.width * zoom * (0.35 if current else 0.5), "badges hardly shrink"
        assert min(y for _, y in changed) > (8 + metrics.line * 3) * zoom, "below what the title and the age are"
        assert max(x for x, _ in changed) < (metrics.width - 7) * zoom


def _card(
    metrics: CardMetrics, snapshot: Snapshot, current: str | None, cost: SnapshotCost | None, zoom: float
) -> QImage:
    model = SnapshotModel()
    model.show(VM, SnapshotTree([replace(snapshot)], current), None)
    model.set_costs({} if cost is None else {cost.name: cost})
    painted = CardPainter(model, model)
    image = QImage(round(metrics.width * zoom), round(metrics.height * zoom), QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(zoom, zoom)
    rect = QRectF(0, 0, metrics.width, metrics.height)
    node = model.node(model.index_of(snapshot.name))
    painted.card(painter, rect, node, metrics, selected=False, focused=False, faded=False)
    painter.end()
    return image
