"""Take, revert and delete through dialogs, over the test driver; real guests are in test_real_guest.py."""

from collections.abc import Callable

import pytest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QPushButton

from snapgui.hypervisor import snapshots
from snapgui.ui.plan_dialogs import PlanDialog, TakeDialog
from tests.gui.conftest import Open
from tests.gui.hypervisors import RUNNING, Pretended, uuid_of
from tests.gui.user import CTRL, HERE, SHIFT, Key, User

UUID = uuid_of("web01")


def default_button(dialog: PlanDialog) -> str:
    (found,) = [button for button in dialog.findChildren(QPushButton) if button.isDefault() and button.isVisible()]
    return found.text()


def test_take_by_key_and_enter(web: User) -> None:
    """The proposed name is selected, so that typing replaces it; Enter takes the snapshot."""
    web.click_node("tls")
    web.key(Key.Key_T, CTRL | SHIFT)
    dialog = web.dialog()
    assert isinstance(dialog, TakeDialog)
    assert dialog.name.selectedText() == "snapshot-1"
    assert dialog.name.hasFocus()
    assert default_button(dialog) == "Take Snapshot"
    web.type("before <upgrade>")
    web.key(Key.Key_Return)
    web.job("take")
    web.wait(lambda: web.tree.current == "before <upgrade>")
    assert web.tree["before <upgrade>"].parent == "php"
    assert web.dialogs() == []
    assert web.selected() == ["tls"], "taking one changes no selection"
    here = web.pane.model.index_of(None)
    assert here.parent().data() == "before <upgrade>"


def test_take_with_the_proposed_name_and_a_description(web: User) -> None:
    web.key(Key.Key_T, CTRL | SHIFT)
    web.dialog()
    web.key(Key.Key_Tab)
    web.type("two\nlines")
    web.press("Take Snapshot")
    web.job("take")
    web.wait(lambda: "snapshot-1" in web.tree)
    assert web.tree["snapshot-1"].description == "two\nlines"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a/b", "cannot contain “/”"),
        (".hidden", "cannot begin with a dot"),
        ("x" * 300, "too long: 300 bytes"),
        ("tls", "already a snapshot named “tls”"),
        ("", "needs a name"),
        (" ", "needs a name"),
        ("ä" * 124, "too long: 248 bytes"),
        ("a\tb", "invisible"),
    ],
)
def test_a_name_that_cannot_be_is_said_while_it_is_typed(web: User, name: str, sentence: str) -> None:
    web.key(Key.Key_T, CTRL | SHIFT)
    dialog = web.dialog()
    dialog.name.setText(name)
    web.see(sentence, dialog)
    assert not dialog.verb.isEnabled()
    web.key(Key.Key_Return)
    assert "tls" in web.tree
    assert web.window.jobs.rowCount() == 0


@pytest.mark.parametrize("name", ["<b>bold<i>", "quo\"te's", "a,b", "снимок 快照 🎉", "-rf", "%s %n {name}", "x" * 246])
def test_hostile_names_are_taken_as_they_are(web: User, name: str) -> None:
    web.key(Key.Key_T, CTRL | SHIFT)
    dialog = web.dialog()
    dialog.name.setText(name)
    web.key(Key.Key_Return)
    web.job("take")
    web.wait(lambda: web.tree.current == name)
    web.click_node(name)
    web.key(Key.Key_Delete)
    web.dialog()
    web.press("Delete")
    web.job("delete")
    web.wait(lambda: name not in web.tree)


def test_escape_takes_nothing(web: User) -> None:
    web.key(Key.Key_T, CTRL | SHIFT)
    web.dialog()
    web.key(Key.Key_Escape)
    web.wait(lambda: web.dialogs() == [])
    assert web.window.jobs.rowCount() == 0


def test_the_window_is_usable_while_a_dialog_stands(web: User) -> None:
    """A dialog is a sheet on the window: looks go on behind it."""
    web.key(Key.Key_T, CTRL | SHIFT)
    web.dialog()
    web.elsewhere(lambda c: snapshots.take_internal(c, UUID, "from elsewhere", ""))
    web.wait(lambda: "from elsewhere" in web.tree)
    assert len(web.dialogs()) == 1


# delete


def test_delete_one_says_so(web: User) -> None:
    web.click_node("web server")
    web.key(Key.Key_Delete)
    dialog = web.dialog()
    assert [button.text() for button in dialog.findChildren(QPushButton) if button.text() == "Delete"]
    assert web.sees("The state of the VM at “web server” will be lost.", dialog)
    assert default_button(dialog) == "Cancel"
    web.key(Key.Key_Return)
    web.wait(lambda: web.dialogs() == [])
    assert web.window.jobs.rowCount() == 0
    web.key(Key.Key_Delete)
    web.dialog()
    web.press("Delete")
    web.job("delete")
    web.wait(lambda: "web server" not in web.tree)
    assert web.tree.children("fresh install") == ("tls", "php", "desktop"), "those below are kept"


def test_delete_with_children_counts_them(web: User) -> None:
    web.click_node("web server")
    web.key(Key.Key_Delete, SHIFT)
    dialog = web.dialog()
    assert default_button(dialog) == "Cancel"
    web.press("Delete 3 snapshots", dialog)
    web.job("delete")
    web.wait(lambda: [s.name for s in web.tree] == ["fresh install", "desktop"])
    assert web.pane.model.index_of(None).isValid()


def test_delete_several(web: User) -> None:
    web.click_node("tls")
    web.click_node("desktop", CTRL)
    assert web.window.actions_["delete"].text() == "Delete 2 Snapshots…"
    web.key(Key.Key_Delete)
    dialog = web.dialog()
    web.press("Delete 2 snapshots", dialog)
    web.job("delete")
    web.wait(lambda: [s.name for s in web.tree] == ["fresh install", "web server", "php"])


# revert


def test_revert_keeps_the_current_state_first(web: User) -> None:
    web.click_node("tls")
    web.key(Key.Key_R, CTRL | SHIFT)
    dialog = web.dialog()
    (safety,) = [box for box in dialog.findChildren(QCheckBox) if box.isVisible()]
    assert safety.isChecked()
    name = dialog.findChild(QLineEdit).text()
    assert name.startswith("before-revert-")
    assert default_button(dialog) == "Revert"
    web.press("Revert")
    web.job("revert")
    web.wait(lambda: web.tree.current == "tls")
    assert web.tree[name].safety
    assert web.pane.model.index_of(None).parent().data() == "tls"


def test_revert_without_safety_has_cancel_as_default_and_says_what_is_lost(web: User) -> None:
    web.click_node("tls")
    web.key(Key.Key_R, CTRL | SHIFT)
    dialog = web.dialog()
    web.click(dialog.findChild(QCheckBox), at=dialog.findChild(QCheckBox).rect().center())
    if dialog.findChild(QCheckBox).isChecked():
        dialog.findChild(QCheckBox).click()
    web.see("will be lost", dialog)
    assert default_button(dialog) == "Cancel"
    web.key(Key.Key_Return)
    web.wait(lambda: web.dialogs() == [])
    assert web.tree.current == "php"
    assert web.window.jobs.rowCount() == 0


def test_revert_asks_what_comes_then(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend({"vm": Pretended("base+>a*+", RUNNING)}))
    user.click_node("base")
    user.key(Key.Key_R, CTRL | SHIFT)
    dialog = user.dialog()
    then = dialog.findChild(QComboBox)
    offered = [then.itemText(number) for number in range(then.count())]
    assert offered == ["as it was when the snapshot was taken", "running", "paused", "shut off"]
    then.setCurrentIndex(offered.index("paused"))
    user.press("Revert")
    user.job("revert")
    user.wait(lambda: user.tree.current == "base")
    user.click_node(HERE)
    user.see("vm · paused")


def test_a_snapshot_that_vanished_meanwhile(web: User) -> None:
    web.click_node("tls")
    web.key(Key.Key_Delete)
    web.dialog()
    web.elsewhere(lambda c: snapshots.delete(c, UUID, "tls"))
    web.press("Delete")
    web.wait(lambda: (job := web.window.jobs.newest("delete")) is not None and job.over)
    web.see("It is not there any more")
    web.wait(lambda: "tls" not in web.tree)


def test_a_vm_that_vanishes_meanwhile(web: User) -> None:
    web.key(Key.Key_T, CTRL | SHIFT)
    web.dialog()
    web.elsewhere(lambda c: (c.domain(UUID).undefineFlags(2), None)[1])
    web.press("Take Snapshot")
    web.wait(lambda: (job := web.window.jobs.newest("take")) is not None and job.over)
    web.wait(lambda: web.window.vms_model.find(web.window.vms_model.hosts[0], UUID).isValid() is False)
    web.see("any more")


def test_closing_waits_for_work(web: User) -> None:
    """The window does not end in the middle of a job; it offers to close by itself."""
    web.key(Key.Key_T, CTRL | SHIFT)
    web.dialog()
    web.key(Key.Key_Return)
    web.wait(lambda: web.window.jobs.newest("take") is not None)
    if web.window.jobs.active():
        web.window.close()
        assert web.window.isVisible()
        web.press("Close When Done")
        web.wait(lambda: not web.window.isVisible())
