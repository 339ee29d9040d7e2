"""Each action by every way to reach it; what is not possible says why."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QToolBar, QToolButton

from snapgui.ui.clone_dialog import CloneDialog
from snapgui.ui.plan_dialogs import DeleteDialog, RevertDialog, TakeDialog
from tests.gui.conftest import Open
from tests.gui.user import CTRL, HERE, SHIFT, Key, User, entry_of

VERBS = {
    "Take Snapshot…": (TakeDialog, HERE, Key.Key_T, CTRL | SHIFT),
    "Revert to…": (RevertDialog, "tls", Key.Key_R, CTRL | SHIFT),
    "Clone…": (CloneDialog, "tls", Key.Key_C, CTRL | SHIFT),
    "Delete…": (DeleteDialog, "tls", Key.Key_Delete, Qt.KeyboardModifier.NoModifier),
    "Delete with Children…": (DeleteDialog, "web server", Key.Key_Delete, SHIFT),
}


def by_menu_bar(user: User, verb: str) -> None:
    user.choose("Snapshot", verb)


def by_key(user: User, verb: str) -> None:
    _, _, key, modifiers = VERBS[verb]
    user.key(key, modifiers)


def by_toolbar(user: User, verb: str) -> None:
    (bar,) = user.window.findChildren(QToolBar)
    (button,) = [button for button in bar.findChildren(QToolButton) if button.text() == verb]
    user.click(button)


def by_context_menu(user: User, verb: str) -> None:
    user.choose_in(user.context_menu(VERBS[verb][1]), verb)


def by_context_menu_and_keyboard(user: User, verb: str) -> None:
    user.graph.customContextMenuRequested.emit(QPoint(-1, -1))  # what the menu key makes
    menu = user.menu()
    for _ in menu.actions():
        user.key(Key.Key_Down)
        if menu.activeAction().text() == verb:
            user.key(Key.Key_Return)
            return
    pytest.fail(f"the keyboard does not reach “{verb}”")


WAYS = [by_menu_bar, by_key, by_toolbar, by_context_menu, by_context_menu_and_keyboard]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("verb", VERBS)
def test_every_way_leads_to_the_dialog(web: User, verb: str, way: Callable[[User, str], None]) -> None:
    if way is by_toolbar and verb == "Delete with Children…":
        verb = "Delete…"  # the toolbar has the frequent ones
    dialog, node, _, _ = VERBS[verb]
    web.click_node(node)
    way(web, verb)
    assert isinstance(web.dialog(), dialog)
    web.key(Key.Key_Escape)
    web.wait(lambda: web.dialogs() == [])


@pytest.mark.parametrize("way", [by_menu_bar, by_context_menu, by_toolbar])
def test_the_words_are_the_same_everywhere(web: User, way: Callable[[User, str], None]) -> None:
    action = web.action("Revert to…")
    assert action.shortcut().toString() == "Ctrl+Shift+R"
    assert not action.icon().isNull()


def test_every_action_is_in_the_menu_bar_with_a_tip(web: User) -> None:
    menus = [entry.menu() for entry in web.window.menuBar().actions()]
    reachable = [entry for menu in menus for entry in menu.actions()]
    for action in web.window.actions_.all():
        assert action in reachable, action.text()
        assert action.toolTip(), action.text()
        assert action.statusTip(), action.text()


def test_no_two_actions_share_a_key(web: User) -> None:
    keys = [key.toString() for action in web.window.actions_.all() for key in action.shortcuts()]
    assert len(keys) == len(set(keys))


def why_not(user: User, words: str) -> str:
    action = user.action(words)
    assert not action.isEnabled(), words
    return action.toolTip()


def test_what_needs_a_snapshot_says_so(web: User) -> None:
    web.click_node(HERE)
    for verb in ("Revert to…", "Delete…", "Delete with Children…", "Rename…", "Edit Description…", "Copy Name"):
        assert "Select a snapshot first." in why_not(web, verb)
    assert web.action("Take Snapshot…").isEnabled()
    assert web.action("Clone…").isEnabled()


def test_what_needs_only_one_says_so(web: User) -> None:
    web.click_node("tls")
    web.click_node("php", CTRL)
    for verb in ("Revert to…", "Clone…", "Rename…", "Edit Description…"):
        assert "Select only one snapshot." in why_not(web, verb)
    assert web.action("Delete 2 Snapshots…").isEnabled()


def test_a_leaf_has_no_children_to_delete(web: User) -> None:
    web.click_node("tls")
    assert "No snapshot lies below" in why_not(web, "Delete with Children…")


def test_without_a_vm(open_window: Open) -> None:
    user = open_window(answered=False)
    for verb in ("Take Snapshot…", "Revert to…", "Clone…", "Make Independent…", "Delete…"):
        assert "There is no connection to a hypervisor." in why_not(user, verb)
    assert "Select a connection first." in why_not(user, "Remove Connection")


def test_the_outline_cannot_be_zoomed(web: User) -> None:
    web.key(Key.Key_2, CTRL)
    for verb in ("Zoom In", "Zoom Out", "Fit"):
        assert "Only the graph can be zoomed." in why_not(web, verb)


def test_a_disabled_action_shows_its_reason_in_menus(web: User) -> None:
    web.click_node("tls")
    menu = web.context_menu("tls")
    assert menu.toolTipsVisible()
    entry = entry_of(menu.actions(), "Delete with Children…")
    assert "No snapshot lies below" in entry.toolTip()
    web.key(Key.Key_Escape)


def test_copy_names(web: User) -> None:
    web.click_node("tls")
    web.click_node("web server", CTRL)
    web.choose("Snapshot", "Copy Name")
    assert sorted(QApplication.clipboard().text().split("\n")) == ["tls", "web server"]


def test_the_context_menu_is_for_what_was_clicked(web: User) -> None:
    web.click_node("tls")
    web.context_menu("php")
    assert web.selected() == ["php"]
    web.key(Key.Key_Escape)
    web.wait(lambda: QApplication.activePopupWidget() is None)
    web.click_node("tls", CTRL)
    web.context_menu("php")
    assert web.selected() == ["php", "tls"], "a click into the selection keeps it"
    web.key(Key.Key_Escape)


def test_panels_fold(web: User) -> None:
    web.choose("View", "Details")
    assert not web.window.details.isVisible()
    web.choose("View", "Details")
    assert web.window.details.isVisible()
    web.choose("View", "Activity")
    assert web.window.jobs_panel.folded
    web.choose("View", "Activity")
    assert not web.window.jobs_panel.folded


def test_about_says_the_version(web: User) -> None:
    web.choose("Help", "About snapgui")
    dialog = web.dialog()
    assert web.sees("snapgui 0.", dialog)
    web.key(Key.Key_Escape)


def test_quit_closes(web: User) -> None:
    web.key(Key.Key_Q, CTRL)
    assert not web.window.isVisible()


def test_the_window_remembers(open_window: Open, pretend: Callable[..., str]) -> None:
    uri = pretend("base>a*")
    first = open_window(uri, size=(1100, 700))
    first.key(Key.Key_2, CTRL)
    first.choose("View", "Details")
    first.window.appearance.choose("dark")
    first.window.close()
    second = open_window(uri)
    assert second.outline.isVisible()
    assert not second.window.details.isVisible()
    assert second.window.settings.appearance == "dark"
    second.window.appearance.choose("light")
