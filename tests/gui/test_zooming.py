"""Zoom, pan, fit, the overview map, and branches that are collapsed."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from tests.gui.conftest import Open
from tests.gui.user import CTRL, HERE, LEFT, NONE, Key, User

WIDE = " ".join(f"base>n{number:02}>m{number:02}" for number in range(40)) + " base>zz*"


@pytest.fixture
def wide(open_window: Open, pretend: Callable[..., str]) -> User:
    return open_window(pretend(WIDE))


def wheel(user: User, notches: int, at: QPoint, modifiers: Qt.KeyboardModifier = CTRL) -> None:
    viewport = user.graph.viewport()
    event = QWheelEvent(
        QPointF(at), QPointF(viewport.mapToGlobal(at)), QPoint(), QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton, modifiers, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(viewport, event)


def drag(user: User, begin: QPoint, end: QPoint, button: Qt.MouseButton = LEFT) -> None:
    viewport = user.graph.viewport()
    QTest.mousePress(viewport, button, NONE, begin)
    QTest.mouseMove(viewport, (begin + end) / 2)
    QTest.mouseMove(viewport, end)
    QTest.mouseRelease(viewport, button, NONE, end)


def test_keys(web: User) -> None:
    web.click_node("tls")
    web.key(Key.Key_Plus, CTRL)
    assert web.graph.zoom > 1
    web.key(Key.Key_Minus, CTRL)
    web.key(Key.Key_Minus, CTRL)
    assert web.graph.zoom < 1
    web.key(Key.Key_0, CTRL)
    assert web.graph.zoom == 1
    web.key(Key.Key_Equal, CTRL)
    assert web.graph.zoom > 1


def test_keys_need_no_focus_in_the_tree(web: User) -> None:
    web.window.vms.setFocus()
    web.key(Key.Key_Plus, CTRL)
    assert web.graph.zoom > 1


def test_the_wheel_zooms_around_the_pointer(wide: User) -> None:
    wide.graph.set_zoom(1.0)
    at = wide.place("m20")
    there = wide.graph.to_graph(QPointF(at))
    wheel(wide, 3, at)
    assert wide.graph.zoom > 1.3
    assert abs(wide.graph.from_graph(there).x() - at.x()) < 2
    wheel(wide, -6, at)
    assert wide.graph.zoom < 0.8


def test_the_wheel_alone_scrolls(wide: User) -> None:
    wide.graph.set_zoom(2.0)
    bar = wide.graph.verticalScrollBar()
    assert bar.maximum() > 0
    bar.setValue(0)
    wheel(wide, -1, QPoint(50, 50), NONE)
    assert bar.value() > 0
    assert wide.graph.zoom == 2.0


def test_zoom_has_limits(wide: User) -> None:
    for notches in (60, -120):
        wheel(wide, notches, QPoint(100, 100))
        assert 0.05 < wide.graph.zoom <= 2.0
        wide.graph.grab()


def test_fit_shows_everything(wide: User) -> None:
    wide.graph.set_zoom(1.0)
    wide.key(Key.Key_9, CTRL)
    room = wide.graph.viewport().rect()
    for name in ("base", "n00", "m39", "zz", None):
        assert room.contains(wide.graph.visualRect(wide.pane.model.index_of(name))), name


def test_dragging_the_ground_pans(wide: User) -> None:
    wide.graph.set_zoom(1.0)
    bar = wide.graph.horizontalScrollBar()
    bar.setValue(bar.maximum() // 2)
    before, selected = bar.value(), wide.selected()
    ground = QPoint(200, wide.graph.viewport().height() - 20)
    assert not wide.graph.indexAt(ground).isValid()
    drag(wide, ground, ground + QPoint(-120, 0))
    assert bar.value() == before + 120
    assert wide.selected() == selected


def test_dragging_with_space_or_the_middle_button_pans_over_cards(wide: User) -> None:
    wide.graph.set_zoom(1.0)
    bar = wide.graph.horizontalScrollBar()
    card = wide.place("m20")
    before, selected = bar.value(), wide.selected()
    drag(wide, card, card - QPoint(50, 0), Qt.MouseButton.MiddleButton)
    assert bar.value() == before + 50
    wide.graph.setFocus()
    QTest.keyPress(wide.graph, Key.Key_Space)
    drag(wide, card, card - QPoint(50, 0))
    QTest.keyRelease(wide.graph, Key.Key_Space)
    assert bar.value() == before + 100
    assert wide.selected() == selected
    wide.click_node("m20")
    assert wide.selected() == ["m20"]


def test_the_overview_leads_anywhere(wide: User) -> None:
    wide.graph.set_zoom(1.0)
    overview = wide.graph._overview
    assert overview is not None
    assert overview.isVisible()
    wide.click(overview, QPoint(overview.width() - 8, overview.height() // 2))
    right = wide.graph.horizontalScrollBar().value()
    wide.click(overview, QPoint(8, overview.height() // 2))
    assert wide.graph.horizontalScrollBar().value() < right / 2
    wide.choose("View", "Overview Map")
    assert not overview.isVisible()


def test_a_small_tree_needs_no_overview(web: User) -> None:
    assert web.graph._overview is not None
    assert not web.graph._overview.isVisible()


# branches


def test_collapse_and_expand_by_key(web: User) -> None:
    web.click_node("web server")
    web.key(Key.Key_Minus)
    hidden = [web.pane.model.index_of(name) for name in ("tls", "php", None)]
    assert all(web.graph.visualRect(index).isNull() for index in hidden)
    web.key(Key.Key_Plus)
    assert not any(web.graph.visualRect(index).isNull() for index in hidden)


def test_the_tab_under_a_collapsed_card_expands_it(web: User) -> None:
    web.click_node("web server")
    web.key(Key.Key_Minus)
    index = web.pane.model.index_of("web server")
    tab = web.graph.tab_of(web.graph.geometry_of.rect(web.graph.node_of(index)))
    web.click(web.graph.viewport(), web.graph.from_graph(tab.center()).toPoint())
    assert not web.graph.is_collapsed(index)
    assert web.graph.visualRect(web.pane.model.index_of("tls")).isValid()


def test_collapse_by_menu(web: User) -> None:
    web.choose_in(web.context_menu("web server"), "Collapse Branch")
    assert web.graph.is_collapsed(web.pane.model.index_of("web server"))
    web.choose("View", "Expand Branch")
    assert not web.graph.is_collapsed(web.pane.model.index_of("web server"))


def test_both_views_collapse_the_same(web: User) -> None:
    index = web.pane.model.index_of("web server")
    web.click_node("web server")
    web.key(Key.Key_Minus)
    web.key(Key.Key_2, CTRL)
    assert not web.outline.isExpanded(index)
    web.outline.setFocus()
    web.key(Key.Key_Right)
    assert web.outline.isExpanded(index)
    web.key(Key.Key_1, CTRL)
    assert not web.graph.is_collapsed(index)


def test_the_selection_leaves_a_branch_that_is_collapsed(web: User) -> None:
    """What cannot be seen should not be deleted by the next key."""
    web.click_node("tls")
    web.key(Key.Key_Up)
    web.click_node("tls", CTRL)
    web.choose_in(web.context_menu("web server"), "Collapse Branch")
    assert "tls" not in web.selected()


def test_arrows_skip_what_is_collapsed(web: User) -> None:
    web.click_node("web server")
    web.key(Key.Key_Minus)
    web.key(Key.Key_Down)
    assert web.current() == "web server"
    web.key(Key.Key_H, CTRL)
    assert web.current() == HERE
    assert web.graph.visualRect(web.graph.currentIndex()).isValid(), "the branch has opened"
