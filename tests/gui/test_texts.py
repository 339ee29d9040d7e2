"""Texts of others are shown as they are, and nothing that is long or foreign breaks the window."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import QCoreApplication, QDeadlineTimer, QEvent, QPoint, QRect, Qt, QTranslator
from PySide6.QtGui import QFontMetrics
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QMessageBox, QScrollArea, QWidget

from snapgui.model.tree import SnapshotTree
from tests.gui.conftest import Open
from tests.gui.hypervisors import RUNNING, Pretended
from tests.gui.user import CTRL, HERE, SHIFT, Key
from tests.unit.trees import tree

SMALL = (1024, 640)
SETTLED_MS = 2000
LONG = "Ä" * 50 + "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" + "x" * 60
MARKUP = "<b>bold & <img src=x> <a href='x'>link"


def named(drawn: str, names: dict[str, str], descriptions: str = "") -> SnapshotTree:
    """A tree whose short names are replaced by others."""
    plain = tree(drawn)
    made = [
        replace(s, name=names.get(s.name, s.name), parent=names.get(s.parent or "", s.parent), description=descriptions)
        for s in plain
    ]
    return SnapshotTree(made, names.get(plain.current or "", plain.current))


def outside(window: QWidget) -> list[str]:
    """Visible parts that stick out of what holds them; what scrolls may."""
    found = []
    for part in window.findChildren(QWidget):
        holder = part.parentWidget()
        if not part.isVisible() or part.isWindow() or holder is None or part.width() == 0:
            continue
        if isinstance(holder.parentWidget(), QScrollArea) and holder.objectName() == "qt_scrollarea_viewport":
            continue
        if not holder.rect().adjusted(-1, -1, 1, 1).contains(part.geometry()):
            found.append(f"{type(part).__name__} “{part.objectName()}” {part.geometry()} in {holder.rect()}")
    return found


def overlapping(window: QWidget) -> list[str]:
    """Pairs of visible labels of one holder that cover each other."""
    labels = [label for label in window.findChildren(QLabel) if label.isVisible() and label.text()]
    places = [(label, QRect(label.mapTo(window, QPoint(0, 0)), label.size())) for label in labels]
    return [
        f"{one.text()[:30]!r} covers {two.text()[:30]!r}"
        for number, (one, here) in enumerate(places)
        for two, there in places[number + 1 :]
        if one.parentWidget() is two.parentWidget() and here.intersects(there)
    ]


def cut(window: QWidget) -> list[str]:
    """Labels on one line whose text is wider than they are."""
    found = []
    for label in window.findChildren(QLabel):
        if not label.isVisible() or label.wordWrap() or not label.text():
            continue
        if QFontMetrics(label.font()).horizontalAdvance(label.text().replace("&", "")) > label.width() + 2:
            found.append(label.text()[:60])
    return found


def assert_tidy(window: QWidget) -> None:
    """What has changed just now is laid out a moment later."""
    QCoreApplication.processEvents()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    settled = QDeadlineTimer(SETTLED_MS)
    while (outside(window) or overlapping(window) or cut(window)) and not settled.hasExpired():
        QTest.qWait(20)
    assert (outside(window), overlapping(window), cut(window)) == ([], [], [])


@pytest.mark.parametrize("name", [LONG, MARKUP, "one two", "快照" * 40, "مرحبا بالعالم", "a\u0301" * 40])
def test_names_break_nothing(open_window: Open, pretend: Callable[..., str], name: str) -> None:
    grown = named("base>a+ base>b*+", {"base": f"first {name}"[:200], "b": name}, name * 30)
    user = open_window(pretend({name[:60]: Pretended(grown, RUNNING)}), size=SMALL)
    for node in (HERE, name, "a"):
        user.click_node(node)
        QCoreApplication.processEvents()
        assert_tidy(user.window)
        assert (user.window.width(), user.window.height()) == SMALL
    user.click_node("a")
    for key in (Key.Key_R, Key.Key_T, Key.Key_C):
        user.key(key, CTRL | SHIFT)
        dialog = user.dialog()
        assert_tidy(dialog)
        assert dialog.width() <= SMALL[0]
        user.key(Key.Key_Escape)
        user.wait(lambda: user.dialogs() == [])
    user.click_node(name)
    user.key(Key.Key_Delete)
    dialog = user.dialog()
    assert_tidy(dialog)
    assert dialog.width() <= SMALL[0]
    user.key(Key.Key_Escape)
    user.key(Key.Key_2, CTRL)
    assert_tidy(user.window)


def test_a_job_with_a_long_name(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend({"vm" * 30: Pretended("", RUNNING)}), size=SMALL)
    user.key(Key.Key_T, CTRL | SHIFT)
    dialog = user.dialog()
    dialog.name.setText("x" * 246)
    assert_tidy(dialog)
    user.key(Key.Key_Return)
    user.job("take")
    user.wait(user.pane.banner.isVisible)
    user.wait(lambda: "x" * 246 in user.tree)
    assert_tidy(user.window)
    assert (user.window.width(), user.window.height()) == SMALL


def test_an_error_with_a_long_text(open_window: Open) -> None:
    user = open_window("qemu:///system?socket=/" + "no/such/" * 12 + "socket", size=SMALL, answered=False)
    user.see("The hypervisor does not answer")
    assert_tidy(user.window)
    assert (user.window.width(), user.window.height()) == SMALL


# markup


def labels_that_interpret(window: QWidget) -> list[str]:
    return [
        label.text() for label in window.findChildren(QLabel)
        if "<" in label.text() and label.textFormat() is not Qt.TextFormat.PlainText
    ]  # fmt: skip


def test_no_label_interprets_markup(open_window: Open, pretend: Callable[..., str]) -> None:
    grown = named("base>a*+", {"a": MARKUP}, MARKUP)
    user = open_window(pretend({MARKUP: Pretended(grown, RUNNING)}))
    user.click_node(MARKUP)
    user.see("<b>bold", user.window.details)
    assert labels_that_interpret(user.window) == []
    for key in (Key.Key_R, Key.Key_T, Key.Key_C):
        user.key(key, CTRL | SHIFT)
        assert labels_that_interpret(user.dialog()) == []
        user.key(Key.Key_Escape)
        user.wait(lambda: user.dialogs() == [])
    user.key(Key.Key_Delete)
    dialog = user.dialog()
    assert labels_that_interpret(dialog) == []
    user.press("Delete")
    user.job("delete")


def test_tooltips_do_not_interpret_markup(open_window: Open, pretend: Callable[..., str]) -> None:
    grown = named("base>a*+", {"a": MARKUP}, MARKUP)
    user = open_window(pretend({"vm": Pretended(grown, RUNNING)}))
    tip = str(user.pane.model.index_of(MARKUP).data(Qt.ItemDataRole.ToolTipRole))
    assert "<img" not in tip
    assert "<a " not in tip
    assert "&lt;b&gt;bold &amp;" in tip
    user.click_node(MARKUP)
    for part in user.window.findChildren(QWidget):
        assert "<img" not in part.toolTip() or not Qt.mightBeRichText(part.toolTip()), part.toolTip()


def test_message_boxes_do_not_interpret_markup(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend({"vm": Pretended("a*", RUNNING)}))
    user.key(Key.Key_T, CTRL | SHIFT)
    user.dialog().name.setText(MARKUP)
    user.key(Key.Key_Return)
    user.job("take")
    user.window.jobs_panel.asked.emit(user.window.jobs.newest("take"), "details")
    box = user.dialog()
    assert isinstance(box, QMessageBox)
    assert box.textFormat() is Qt.TextFormat.PlainText
    texts = [label for label in box.findChildren(QLabel) if "<img" in label.text()]
    assert texts
    assert all(label.textFormat() is Qt.TextFormat.PlainText for label in texts)
    user.key(Key.Key_Escape)


def test_newlines_in_names_that_others_made(open_window: Open, pretend: Callable[..., str]) -> None:
    """libvirt accepts them; each node stays one line."""
    grown = named("base>a*", {"a": "two\nlines\tand a tab"})
    user = open_window(pretend({"vm": Pretended(grown)}))
    name = "two\nlines\tand a tab"
    assert user.pane.model.index_of(name).data() == "two lines and a tab"
    user.click_node(name)
    QCoreApplication.processEvents()
    assert_tidy(user.window)
    user.key(Key.Key_Delete)
    user.dialog()
    user.press("Delete")
    user.job("delete")
    user.wait(lambda: len(user.tree) == 1)


# another language


class LongWords(QTranslator):
    """Makes every text half as long again, as German does."""

    def translate(self, _context: str, text: str, _disambiguation: str | None = None, _count: int = -1) -> str:
        return text + "ungsschaft" * max(1, len(text) // 20) if text else text


def test_a_language_with_long_words(qapp: QApplication, open_window: Open, pretend: Callable[..., str]) -> None:
    words = LongWords()
    qapp.installTranslator(words)
    try:
        user = open_window(pretend({"vm": Pretended("base>a*+", RUNNING)}), size=SMALL)
        user.click_node("a")
        assert_tidy(user.window)
        assert (user.window.width(), user.window.height()) == SMALL
        user.key(Key.Key_R, CTRL | SHIFT)
        dialog: QDialog = user.dialog()
        assert_tidy(dialog)
        assert dialog.width() <= SMALL[0]
        user.key(Key.Key_Escape)
    finally:
        qapp.removeTranslator(words)
