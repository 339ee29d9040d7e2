"""Titles and descriptions, edited where they stand."""

from PySide6.QtWidgets import QLineEdit, QPlainTextEdit

from tests.gui.user import CTRL, HERE, Key, User


def title_of(user: User, name: str) -> str | None:
    return user.tree[name].title


def description(user: User) -> QPlainTextEdit:
    (found,) = [box for box in user.window.details.findChildren(QPlainTextEdit) if box.isVisible()]
    return found


def start_rename(user: User, name: str) -> QLineEdit:
    user.click_node(name)
    user.key(Key.Key_F2)
    user.wait(lambda: isinstance(user.focus(), QLineEdit))
    editor = user.focus()
    assert isinstance(editor, QLineEdit)
    assert user.view.isAncestorOf(editor)
    return editor


def test_rename_in_place(web: User) -> None:
    editor = start_rename(web, "tls")
    assert editor.selectedText() == "tls"
    web.type("with <b>TLS</b>")
    web.key(Key.Key_Return)
    web.job("edit")
    web.wait(lambda: title_of(web, "tls") == "with <b>TLS</b>")
    assert web.selected() == ["with <b>TLS</b>"]
    web.see("with <b>TLS</b>", web.window.details)
    web.see("tls", web.window.details)
    assert str(web.pane.model.index_of("tls").data()) == "with <b>TLS</b>"


def test_an_empty_title_shows_the_name_again(web: User) -> None:
    for text, shown in (("other", "other"), ("", "tls")):
        editor = start_rename(web, "tls")
        editor.clear()
        web.type(text)
        web.key(Key.Key_Return)
        web.wait(lambda shown=shown: web.selected() == [shown])  # type: ignore[misc]
    assert title_of(web, "tls") is None


def test_escape_gives_a_new_title_up(web: User) -> None:
    start_rename(web, "tls")
    web.type("other")
    web.key(Key.Key_Escape)
    web.wait(web.graph.hasFocus)
    assert web.selected() == ["tls"]
    assert web.window.jobs.rowCount() == 0


def test_rename_in_the_outline(web: User) -> None:
    web.key(Key.Key_2, CTRL)
    web.outline.setFocus()
    start_rename(web, "tls")
    web.type("other")
    web.key(Key.Key_Return)
    web.wait(lambda: web.selected() == ["other"])


def test_space_and_minus_are_letters_while_a_title_is_typed(web: User) -> None:
    start_rename(web, "web server")
    web.type("a - b + c")
    web.key(Key.Key_Return)
    web.wait(lambda: title_of(web, "web server") == "a - b + c")
    assert not web.graph.is_collapsed(web.pane.model.index_of("web server"))


def test_a_title_that_cannot_be_is_refused_with_a_sentence(web: User) -> None:
    editor = start_rename(web, "tls")
    editor.setText("a\u2028b")
    web.key(Key.Key_Return)
    web.see("A title cannot contain line breaks")
    assert title_of(web, "tls") is None


def test_the_current_state_has_no_title_to_edit(web: User) -> None:
    web.click_node(HERE)
    web.key(Key.Key_F2)
    assert not web.graph.findChildren(QLineEdit)


def test_a_refresh_does_not_tear_the_editor_away(web: User) -> None:
    editor = start_rename(web, "tls")
    web.type("half a ti")
    web.key(Key.Key_F5)
    known = web.window.watcher.known
    web.window.watcher.known = None
    web.wait(lambda: web.window.watcher.known is not None)
    assert known is not None
    assert editor.hasFocus()
    assert editor.text() == "half a ti"


def test_description_is_shown_and_saved_by_control_enter(web: User) -> None:
    web.click_node("fresh install")
    web.wait(lambda: description(web).toPlainText() == "as delivered\n<b>not bold</b>")
    web.key(Key.Key_E, CTRL)
    assert description(web).hasFocus()
    web.key(Key.Key_A, CTRL)
    web.type("one\ntwo <i>")
    web.key(Key.Key_Return, CTRL)
    web.job("edit")
    web.wait(lambda: web.tree["fresh install"].description == "one\ntwo <i>")
    assert web.selected() == ["fresh install"]


def test_description_is_saved_when_it_is_left(web: User) -> None:
    web.click_node("tls")
    web.key(Key.Key_E, CTRL)
    web.type("written down")
    web.key(Key.Key_Tab)
    web.wait(lambda: web.tree["tls"].description == "written down")


def test_description_goes_to_its_own_snapshot_when_another_is_clicked(web: User) -> None:
    web.click_node("tls")
    web.key(Key.Key_E, CTRL)
    web.type("about tls")
    web.click_node("php")
    web.graph.setFocus()
    web.wait(lambda: web.tree["tls"].description == "about tls")
    assert web.tree["php"].description == ""
    web.wait(lambda: description(web).toPlainText() == "")


def test_escape_gives_a_new_description_up(web: User) -> None:
    web.click_node("fresh install")
    web.key(Key.Key_E, CTRL)
    web.key(Key.Key_A, CTRL)
    web.type("nonsense")
    web.key(Key.Key_Escape)
    assert description(web).toPlainText() == "as delivered\n<b>not bold</b>"
    assert not description(web).hasFocus()
    assert web.window.jobs.rowCount() == 0


def test_delete_and_enter_belong_to_the_text_while_it_is_typed(web: User) -> None:
    web.click_node("fresh install")
    web.key(Key.Key_E, CTRL)
    web.key(Key.Key_Home, CTRL)
    web.key(Key.Key_Delete)
    web.key(Key.Key_Return)
    assert description(web).toPlainText().startswith("\ns delivered")
    assert web.dialogs() == []


def test_what_is_being_typed_survives_a_look(web: User) -> None:
    web.click_node("tls")
    web.key(Key.Key_E, CTRL)
    web.type("half a sen")
    web.window.watcher.known = None
    web.window.watcher.look(full=True)
    web.wait(lambda: web.window.watcher.known is not None)
    assert description(web).toPlainText() == "half a sen"
    assert description(web).hasFocus()
