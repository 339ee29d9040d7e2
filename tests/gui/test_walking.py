"""Moving about in the tree by mouse and keyboard; what is found, and what fades."""

from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from tests.gui.conftest import Open
from tests.gui.user import CTRL, HERE, LEFT, NONE, SHIFT, Key, User


def test_first_the_current_state_is_selected(web: User) -> None:
    assert web.selected() == [HERE]


def test_arrows_walk_the_tree(web: User) -> None:
    """fresh install > (web server > (tls, php > here), desktop)."""
    web.click_node(HERE)
    seen = []
    for key in (Key.Key_Up, Key.Key_Left, Key.Key_Right, Key.Key_Up, Key.Key_Right, Key.Key_Left, Key.Key_Up):
        web.key(key)
        seen.append(web.current())
    assert seen == ["php", "tls", "php", "web server", "desktop", "web server", "fresh install"]
    web.key(Key.Key_Up)
    assert web.current() == "fresh install"
    for expected in ("web server", "php", HERE, HERE):
        web.key(Key.Key_Down)
        assert web.current() == expected
    assert web.selected() == [HERE]
    web.key(Key.Key_Home)
    assert web.current() == "fresh install"
    web.key(Key.Key_End)
    assert web.current() == HERE


def test_arrows_scroll_to_what_they_reach(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend(">".join(f"s{number}" for number in range(60)) + "*"))
    user.click_node(HERE)
    for _ in range(60):
        user.key(Key.Key_Up)
    assert user.current() == "s0"
    assert user.graph.viewport().rect().contains(user.graph.visualRect(user.graph.currentIndex()))


def test_typing_finds_a_name(web: User) -> None:
    web.click_node(HERE)
    web.type("des")
    assert web.current() == "desktop"
    assert web.selected() == ["desktop"]


def test_several_are_selected_with_control_and_shift(web: User) -> None:
    web.click_node("tls")
    web.click_node("desktop", CTRL)
    assert web.selected() == ["desktop", "tls"]
    web.click_node("tls", CTRL)
    assert web.selected() == ["desktop"]


def test_a_click_on_the_ground_keeps_the_selection(web: User) -> None:
    web.click_node("tls")
    web.click(web.graph.viewport(), QPoint(3, 3))
    assert web.selected() == ["tls"]


def test_details_follow_the_selection(web: User) -> None:
    web.click_node("php")
    web.see("php", web.window.details)
    web.see("saved inside the disk image", web.window.details)
    web.click_node("desktop")
    web.see("not saved", web.window.details)
    web.see("fresh install", web.window.details)
    web.click_node("fresh install")
    web.see("none", web.window.details)
    web.click_node("tls")
    web.click_node("php", CTRL)
    web.see("Nothing selected", web.window.details)
    web.click_node(HERE)
    web.see("web01 · shut off", web.window.details)


def test_the_outline_shows_and_selects_the_same(web: User) -> None:
    web.click_node("tls")
    web.key(Key.Key_2, CTRL)
    assert web.outline.isVisible()
    assert not web.graph.isVisible()
    assert web.selected() == ["tls"]
    assert web.current() == "tls"
    web.outline.setFocus()
    web.click_node("desktop")
    assert web.selected() == ["desktop"]
    web.key(Key.Key_1, CTRL)
    assert web.graph.isVisible()
    assert web.selected() == ["desktop"]
    web.see("desktop", web.window.details)


def test_find_fades_what_does_not_match_and_goes_on_with_enter(web: User) -> None:
    web.key(Key.Key_F, CTRL)
    assert web.window.search.hasFocus()
    web.type("s")  # freSh install, web Server, tlS, deSktop
    assert web.selected() == ["fresh install"]
    seen = []
    for _ in range(4):
        web.key(Key.Key_Return)
        seen += web.selected()
    assert seen == ["web server", "tls", "desktop", "fresh install"]
    web.type("hop")
    before = web.graph.grab().toImage()
    web.window.search.clear()
    assert web.graph.grab().toImage() != before


def test_find_looks_into_descriptions(web: User) -> None:
    web.key(Key.Key_F, CTRL)
    web.type("DELIVERED")
    assert web.selected() == ["fresh install"]


def test_find_finds_a_vm(web: User) -> None:
    web.key(Key.Key_F, CTRL)
    web.type("empty")
    web.key(Key.Key_Return)
    web.see("No snapshots yet")


def test_find_opens_a_collapsed_branch(web: User) -> None:
    web.click_node("web server")
    web.key(Key.Key_Minus)
    assert not web.graph.visualRect(web.pane.model.index_of("tls")).isValid()
    web.key(Key.Key_F, CTRL)
    web.type("tls")
    assert web.selected() == ["tls"]
    assert web.graph.visualRect(web.pane.model.index_of("tls")).isValid()


def test_a_double_click_never_reverts(web: User) -> None:
    web.window.actions_["details"].trigger()
    assert not web.window.details.isVisible()
    for name in ("tls", HERE):
        web.click_node(name)
        QTest.mouseDClick(web.graph.viewport(), LEFT, NONE, web.place(name))
        web.wait(web.window.details.isVisible)
        assert web.dialogs() == []
    assert web.window.jobs.rowCount() == 0


def test_enter_shows_details(web: User) -> None:
    web.window.actions_["details"].trigger()
    web.click_node("tls")
    web.key(Key.Key_Return)
    web.wait(web.window.details.isVisible)
    assert web.dialogs() == []


def test_go_to_the_current_state(web: User) -> None:
    web.click_node("tls")
    web.key(Key.Key_H, CTRL)
    assert web.selected() == [HERE]


def test_select_a_range_with_shift_and_the_mouse(web: User) -> None:
    """A frame drawn with Shift held selects what it touches."""
    everything = web.graph.viewport().rect().adjusted(2, 2, -2, -2)
    QTest.mousePress(web.graph.viewport(), LEFT, SHIFT, everything.topLeft())
    QTest.mouseMove(web.graph.viewport(), everything.center())
    QTest.mouseMove(web.graph.viewport(), everything.bottomRight())
    QTest.mouseRelease(web.graph.viewport(), LEFT, SHIFT, everything.bottomRight())
    assert "tls" in web.selected()


def test_tab_goes_through_the_window(web: User) -> None:
    """From the tree to the other parts and back, by keyboard alone."""
    web.graph.setFocus()
    seen = set()
    for _ in range(40):
        web.key(Key.Key_Tab)
        seen.add(web.focus())
    for part in (web.window.vms, web.window.search, web.graph):
        assert part in seen, part.accessibleName()
    web.graph.setFocus(Qt.FocusReason.OtherFocusReason)
