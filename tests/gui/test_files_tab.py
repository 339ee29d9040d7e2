"""The page that shows which files differ: made-up news, names that may hold anything, and a real VM's files."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QModelIndex, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from snapgui.hypervisor.connection import Connection
from snapgui.images.filesystems.changes import Aspect, FileChange
from snapgui.model.difference import Change
from snapgui.model.errors import Broken, Cancelled
from snapgui.model.text import Text
from snapgui.operations.facts import read_facts
from snapgui.operations.file_news import FilesDiffer, FilesystemDone, FilesystemFound
from snapgui.operations.file_saving import save_copy
from snapgui.operations.history import History
from snapgui.ui.compare_window import CompareWindow
from snapgui.ui.file_words import safe, safe_short
from snapgui.ui.files_model import BATCH
from snapgui.ui.files_page import FilesPage
from snapgui.ui.files_tab import _pass_on
from tests.gui import made_up, made_up_files
from tests.gui.conftest import Open
from tests.gui.made_up_files import HOSTILE, ROOT, added, look, tell, upgrade
from tests.gui.test_texts import LongWords, assert_tidy, labels_that_interpret
from tests.gui.user import CTRL, Key, User, entry_of
from tests.qemu.commands import ok
from tests.stacks.machines import Machine

FILES_TAB = 2
EXTERNAL = ("--kind", "external", "--memory", "none")


@pytest.fixture
def made(qtbot: QtBot, settings_of_this_test: None) -> Iterator[Callable[[], CompareWindow]]:
    """Return a function that opens a window whose files page waits for news of the test's own."""
    opened: list[CompareWindow] = []

    def make() -> CompareWindow:
        window = made_up.window()
        opened.append(window)
        made_up.show(window)
        tab = window.files_page
        tab._asked = window.pair
        tab.files.start()
        tab.arranger.use(tab.files.model.table)
        tab.arranger.want(tab.files.wish)
        window.tabs.setCurrentIndex(FILES_TAB)
        return made_up.front(window, qtbot)

    yield make
    made_up.close(opened)


@pytest.fixture
def page(made: Callable[[], CompareWindow], qtbot: QtBot) -> FilesPage:
    """The page after an upgrade."""
    window = made()
    upgrade(window)
    settled(window, qtbot)
    return window.files_page.files


def settled(window: CompareWindow, bot: QtBot) -> None:
    """Wait until what was wished is shown."""
    tab = window.files_page

    def shown() -> bool:
        arrangement = tab.files.model.shown
        return (
            not tab.arranger.busy
            and not tab.files.bar._typing.isActive()
            and arrangement is not None
            and arrangement.wish == tab.files.wish
            and arrangement.frame.rows == len(tab.files.model.table)
        )

    bot.waitUntil(shown, timeout=15_000)


def window_of(page: FilesPage) -> CompareWindow:
    window = page.window()
    assert isinstance(window, CompareWindow)
    return window


def rows(page: FilesPage, above: QModelIndex | None = None, indent: str = "") -> list[str]:
    """All that is shown, as lines."""
    model, found = page.model, []
    above = above or QModelIndex()
    for number in range(model.rowCount(above)):
        index = model.index(number, 0, above)
        texts = [str(index.siblingAtColumn(column).data()) for column in range(4)]
        found.append(indent + " | ".join(texts).rstrip(" |"))
        found += rows(page, index, indent + "  ")
    return found


def find(page: FilesPage, *names: str) -> QModelIndex:
    """Return where something stands, name by name from the top."""
    index = QModelIndex()
    for name in names:
        below = [page.model.index(number, 0, index) for number in range(page.model.rowCount(index))]
        index = next(each for each in below if each.data() == name)
    return index


def lines(page: FilesPage) -> list[str]:
    return [page.filesystems.item(number).text() for number in range(page.filesystems.count())]


# what it shows


def test_nothing_is_read_before_it_is_shown(qtbot: QtBot, settings_of_this_test: None) -> None:
    window = made_up.window()
    assert window.files_page._asked is None
    assert [window.tabs.tabText(number) for number in range(3)] == ["Configuration", "Blocks", "Files"]
    window.tabs.setCurrentIndex(FILES_TAB)
    qtbot.waitUntil(lambda: window.files_page.error == "Nothing is connected.")
    window.close()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def test_a_line_for_each_filesystem(page: FilesPage) -> None:
    assert lines(page) == [
        "All filesystems · 17 differences",
        "vda1 · ext4 · root · 11 differences",
        "vda2 · its files cannot be compared: no filesystem that is read here lies on it.",
        f"vdb1 · xfs · data · 6 differences\n{made_up_files.REMARK}",
    ]
    assert not page.filesystems.item(2).flags() & Qt.ItemFlag.ItemIsEnabled
    assert page.found.text() == "17 differences"
    page.filesystems.setCurrentRow(1)
    assert page.wish.place == 0


def test_a_tree_with_sums(page: FilesPage, qtbot: QtBot) -> None:
    page.filesystems.setCurrentRow(1)
    settled(window_of(page), qtbot)
    shown = rows(page)
    assert shown[0] == "etc |  | −71.8 KiB | 1 added · 2 removed · 2 changed"
    assert "    8.3 | − removed | −72.2 KiB | 1 removed" in shown
    assert "  hosts | ± changed | 200 bytes → 260 bytes | content, time" in shown
    assert "    dpkg.status.1 | → renamed | 1000 bytes | was /var/backups/dpkg.status.0" in shown
    assert "  log | ≈ metadata |  | mode, owner; 1 changed" in shown
    assert page.found.text() == "11 differences"
    spoken = find(page, "etc", "hosts").siblingAtColumn(1).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "changed"


def test_a_list_is_remembered(page: FilesPage, qtbot: QtBot) -> None:
    QTest.mouseClick(page.bar._shapes.button(1), Qt.MouseButton.LeftButton)
    settled(window_of(page), qtbot)
    shown = rows(page)
    assert len(shown) == 17
    assert shown[0] == "/etc/hosts | ± changed | 200 bytes → 260 bytes | content, time"
    assert page._settings.flag("files_as_list", default=False)


def test_the_filter(page: FilesPage, qtbot: QtBot) -> None:
    window = window_of(page)
    QTest.keyClick(page.view, Key.Key_F, CTRL)
    qtbot.waitUntil(page.bar.text.hasFocus)
    QTest.keyClicks(page.bar.text, "*.ini")
    settled(window, qtbot)
    assert page.found.text() == "3 of 17 shown"
    assert rows(page)[0] == "vda1 |  | −71.9 KiB | 1 added · 1 removed · 1 changed", "the sums follow"
    QTest.keyClick(page.bar.text, Key.Key_Escape)
    assert window.isVisible(), "Escape takes the text away first"
    settled(window, qtbot)
    assert page.found.text() == "17 differences"
    entry_of(page.bar.changes.menu().actions(), "+ added").setChecked(False)
    page.bar.substance.setChecked(True)
    settled(window, qtbot)
    assert page.bar.changes.text() == "Changes: 4 of 5"
    assert page.found.text() == "6 of 17 shown"
    QTest.keyClicks(page.bar.text, "nothing is called so")
    settled(window, qtbot)
    assert page._empty.text() == "Nothing matches the filter."
    QTest.mouseClick(page.everything, Qt.MouseButton.LeftButton)
    settled(window, qtbot)
    assert page.found.text() == "17 differences"


def test_sorting_keeps_what_is_open_and_current(page: FilesPage, qtbot: QtBot) -> None:
    for names in (("vda1", "etc"), ("vda1", "etc", "php")):
        page.view.expand(find(page, *names))
    page.view.setCurrentIndex(find(page, "vda1", "etc", "hosts"))
    chosen: list[object] = []
    page.file_chosen.connect(chosen.append)
    page.view.sortByColumn(2, Qt.SortOrder.DescendingOrder)
    settled(window_of(page), qtbot)
    assert page.view.currentIndex().data() == "hosts"
    assert chosen == [], "the same file is not looked at anew"
    assert page.view.isExpanded(find(page, "vda1", "etc", "php"))
    names = [page.model.index(number, 0, find(page, "vda1")).data() for number in range(3)]
    assert names == ["usr", "etc", "var"]


def test_swapping_exchanges_the_sides(page: FilesPage, qtbot: QtBot) -> None:
    window = window_of(page)
    page.view.setCurrentIndex(find(page, "vda1", "etc", "hosts"))
    window.swap()
    settled(window, qtbot)
    shown = rows(page)
    assert "    hosts | ± changed | 260 bytes → 200 bytes | content, time" in shown
    assert "      8.3 | + added | +72.2 KiB | 1 added" in shown
    assert "      dpkg.status.0 | → renamed | 1000 bytes | was /var/backups/dpkg.status.1" in shown
    page.view.setCurrentIndex(find(page, "vda1", "var", "backups", "dpkg.status.0"))
    assert page.wanted is not None
    assert page.wanted.paths == ("/var/backups/dpkg.status.1", "/var/backups/dpkg.status.0")


def test_names_that_may_hold_anything(page: FilesPage, qtbot: QtBot) -> None:
    window = window_of(page)
    window.resize(1024, 640)
    page.view.expand(find(page, "vdb1", "odd"))
    shown = [line.strip().partition(" |")[0] for line in rows(page, find(page, "vdb1", "odd"))]
    names = {"<b>bold & <img src=x>", "line␊break", "␛[31mred", "\\xff\\xfe no utf-8", "\\u202egnp.exe"}
    assert names < set(shown)
    for number in range(page.model.rowCount(find(page, "vdb1", "odd"))):
        index = page.model.index(number, 0, find(page, "vdb1", "odd"))
        page.view.setCurrentIndex(index)
        assert page.wanted is not None
        assert page.wanted.after in HOSTILE
        assert len(str(index.data())) <= 301
        assert "<img" not in str(index.data(Qt.ItemDataRole.ToolTipRole))
        assert_tidy(window)
    assert labels_that_interpret(window) == []
    assert (window.width(), window.height()) == (1024, 640)


def test_a_language_with_long_words(made: Callable[[], CompareWindow], qapp: QApplication, qtbot: QtBot) -> None:
    translator = LongWords()
    qapp.installTranslator(translator)
    try:
        window = made()
        window.resize(1024, 640)
        upgrade(window)
        settled(window, qtbot)
        assert_tidy(window)
        assert window.height() == 640
    finally:
        qapp.removeTranslator(translator)


def test_what_is_copied_and_shown_alone(page: FilesPage, qtbot: QtBot) -> None:
    index = find(page, "vda1", "etc", "php")
    page.view.scrollTo(index)
    page.view.customContextMenuRequested.emit(page.view.visualRect(index).center())
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    entry_of(menu.actions(), "Copy Path").trigger()
    assert QGuiApplication.clipboard().text() == "/etc/php"
    entry_of(menu.actions(), "Show Only This Folder").trigger()
    menu.close()
    settled(window_of(page), qtbot)
    assert page.found.text() == "4 of 17 shown"
    assert page.bar.where.text() == "Only in /etc/php"
    QTest.mouseClick(page.bar.where, Qt.MouseButton.LeftButton)
    settled(window_of(page), qtbot)
    assert page.found.text() == "17 differences"


def test_what_cannot_be_saved_says_why(page: FilesPage) -> None:
    page.view.setCurrentIndex(find(page, "vda1", "usr", "lib", "php", "20240924", "opcache.so"))
    before, after = page.details.saves
    assert (before.isEnabled(), after.isEnabled()) == (False, True)
    assert before.toolTip() == "It was not there before."


def test_enter_opens_and_shows(page: FilesPage) -> None:
    page.view.setFocus()
    page.view.setCurrentIndex(find(page, "vda1", "etc"))
    QTest.keyClick(page.view, Key.Key_Return)
    assert page.view.isExpanded(find(page, "vda1", "etc"))
    page.view.setCurrentIndex(find(page, "vda1", "etc", "hosts"))
    QTest.keyClick(page.view, Key.Key_Return)
    assert page.details.facts.hasFocus()


def test_details_of_a_text(page: FilesPage) -> None:
    page.view.setCurrentIndex(find(page, "vda1", "etc", "hosts"))
    window_of(page).files_page._settled.stop()
    page.details.show_look(look("one\nlimit = 1\nthree", "one\nlimit = 2\nthree\n<b>four"))
    text = page.details.content.text
    assert text.before.toPlainText().split("\n") == ["  one", "± limit = 1", "  three", ""]
    assert text.after.toPlainText().split("\n") == ["  one", "± limit = 2", "  three", "+ <b>four"]
    marked = [each.cursor.selectedText() for each in text.after.extraSelections() if each.cursor.hasSelection()]
    assert marked == ["2"]
    facts = page.details.facts
    table = {facts.topLevelItem(row).text(0): facts.topLevelItem(row) for row in range(facts.topLevelItemCount())}
    assert [table["Mode"].text(column) for column in (1, 2)] == ["rw-r--r-- (0644)", "rwsr-xr-x (4755)"]
    assert table["Mode"].font(0).bold()
    assert not table["Owner"].font(0).bold()


def test_nothing_but_the_ends_of_lines_differs(page: FilesPage) -> None:
    page.details.show_look(look("one\ntwo\n", "one\r\ntwo\r\n"))
    said = page.details.content.said.text()
    assert said == "What is shown is the same: it differs in the ends of lines, or further on."
    page.details.show_look(look("one\n" * 5000, "one\n" * 4999 + "two\n"))
    text = page.details.content.text
    assert text.before.toPlainText().split("\n")[0] == "  ⋯ 4979 lines are not shown ⋯"
    assert text.after.toPlainText().endswith("± two")


# the end, and no end


def test_nothing_differs(made: Callable[[], CompareWindow], qtbot: QtBot) -> None:
    window = made()
    tell(window, FilesystemFound("vda1", "ext4"), FilesystemDone("vda1"))
    settled(window, qtbot)
    page = window.files_page.files
    assert page._empty.isVisible()
    assert page._empty.text() == "No file differs."
    assert lines(page) == ["vda1 · ext4 · No file differs."]


def test_nothing_can_be_compared(made: Callable[[], CompareWindow], qtbot: QtBot) -> None:
    window = made()
    tell(window, FilesystemDone("vda", "it is encrypted (LUKS)"))
    page = window.files_page.files
    qtbot.waitUntil(page._empty.isVisible)
    assert page._empty.text() == "There are no files that can be compared."
    assert lines(page) == ["vda · its files cannot be compared: it is encrypted (LUKS)."]


def test_first_results_are_shown_at_once(made: Callable[[], CompareWindow], qtbot: QtBot) -> None:
    window = made()
    tell(window, FilesystemFound("vda1", "ext4"), FilesDiffer("vda1", ROOT), end=False)
    settled(window, qtbot)
    page = window.files_page.files
    assert page.told.text() == "vda1: 11 differences so far"
    assert page.progress.isVisible()
    assert len(rows(page)) > 11
    QTest.mouseClick(page.cancel, Qt.MouseButton.LeftButton)
    assert page.told.text() == "Cancelled: what was found until then is shown."
    assert not page.progress.isVisible()
    assert page.retry.isVisible()
    assert len(rows(page)) > 11


def test_an_error_on_the_way_keeps_what_was_told(made: Callable[[], CompareWindow], qtbot: QtBot) -> None:
    window = made()
    tell(window, FilesystemFound("vda1", "ext4"), FilesDiffer("vda1", ROOT), end=False)
    window.files_page._end(Broken(Text("errors", "Disk vda could not be compared: gone.")))
    page = window.files_page.files
    assert page.told.text() == "Disk vda could not be compared: gone."
    assert page.isVisible()


def test_cancelled_before_anything_was_found(made: Callable[[], CompareWindow]) -> None:
    window = made()
    window.files_page.show_waiting()
    window.files_page.cancelled.emit()
    assert window.files_page.error == "Cancelled."


# very many


def many(count: int) -> Iterator[FilesDiffer]:
    kinds = (Change.ADDED, Change.REMOVED, Change.CHANGED, Change.METADATA)
    side = made_up_files.facts(size=5000)
    for begin in range(0, count, 1000):
        changes = []
        for number in range(begin, begin + 1000):
            change = kinds[number % 4]
            sides = (None if change is Change.ADDED else side, None if change is Change.REMOVED else side)
            path = f"/srv/{number % 97}/{number % 1009}/file {number}"
            changes.append(FileChange(path, change, *sides, frozenset({Aspect.CONTENT})))
        yield FilesDiffer("vda1", tuple(changes))


def test_very_many_files_hold_up_nothing(made: Callable[[], CompareWindow], qtbot: QtBot) -> None:
    """While they are told, filtered and sorted, no event takes the window's thread for longer than 100 ms."""
    window = made()
    tab, page, count = window.files_page, window.files_page.files, 200_000
    tell(window, FilesystemFound("vda1", "ext4"), end=False)
    page.bar._typing.setInterval(0)
    post = window._bridge.channel(window, tab._news.add)
    worker = threading.Thread(target=lambda: [_pass_on(news, post) for news in many(count)])
    worst = _busiest(qtbot, worker.start, lambda: len(page.model.table) == count, window)
    worker.join()
    for act in (
        lambda: page.bar.text.setText("file 1234"),
        lambda: page.bar.text.setText("*7"),
        lambda: page.bar.text.setText(""),
        lambda: page.view.sortByColumn(2, Qt.SortOrder.DescendingOrder),
        lambda: page.bar._shapes.button(1).click(),
        lambda: page.view.verticalScrollBar().setValue(page.view.verticalScrollBar().maximum()),
        window.swap,
    ):
        worst = max(worst, _busiest(qtbot, act, lambda: True, window))
    assert page.found.text() == "200000 differences"
    assert worst < 0.1


def _busiest(bot: QtBot, act: Callable[[], object], until: Callable[[], bool], window: CompareWindow) -> float:
    """Do something and wait for its end; return the seconds of the processor that the longest event took."""
    deadline = time.monotonic() + 120
    worst, began = 0.0, time.thread_time()
    act()
    while True:
        worst = max(worst, time.thread_time() - began)
        began = time.thread_time()
        QCoreApplication.processEvents()
        tab = window.files_page
        if until() and not tab.arranger.busy and not tab.files.bar._typing.isActive():
            break
        assert time.monotonic() < deadline
        time.sleep(0.001)
    settled(window, bot)
    return worst


def test_a_large_directory_is_told_by_and_by(made: Callable[[], CompareWindow], qtbot: QtBot) -> None:
    window = made()
    page = window.files_page.files
    changes = [added(f"/{number:06}") for number in range(3 * BATCH)]
    tell(
        window,
        FilesystemFound("vda1", "ext4"),
        *(FilesDiffer("vda1", tuple(changes[at : at + 1000])) for at in (0, 1000)),
    )
    settled(window, qtbot)
    assert page.model.rowCount() == BATCH
    page.view.verticalScrollBar().setValue(page.view.verticalScrollBar().maximum())
    qtbot.waitUntil(lambda: page.model.rowCount() == 2 * BATCH)
    last = page.model.index_of(2 * (3 * BATCH - 1) + 1)
    assert last.data() == f"{3 * BATCH - 1:06}"
    assert page.model.rowCount() == 3 * BATCH


def test_what_is_shown_of_names() -> None:
    assert safe("plain ä 快照") == "plain ä 快照"
    assert safe("a\x00b\x7f\u2028\u00a0\U000e0001") == "a␀b␡\\u2028\u00a0\\U000e0001"
    assert safe_short("x" * 1000, 20) == "x" * 10 + "…" + "x" * 10


# other ways to it


def test_compare_with_by_the_node_menu(web: User) -> None:
    menu = web.choose_in(web.context_menu("tls"), "Compare with…")
    words = [action.text().partition("\t")[0] for action in menu.actions() if action.text()]
    assert words == ["Current State", "desktop", "php", "web server", "fresh install"]
    next(action for action in menu.actions() if action.text().startswith("php")).trigger()
    web.wait(lambda: web.window.compare_wishes.windows)
    (window,) = web.window.compare_wishes.windows
    assert window.windowTitle() == "Compare web01: tls → php"


# a real VM


def opened(user: User, *names: str) -> CompareWindow:
    before = len(user.window.compare_wishes.windows)
    user.window.activateWindow()
    user.wait(user.window.isActiveWindow)
    user.click_node(names[0])
    for name in names[1:]:
        user.click_node(name, CTRL)
    user.key(Key.Key_D, CTRL)
    user.wait(lambda: len(user.window.compare_wishes.windows) > before)
    window = user.window.compare_wishes.windows[-1]
    window.tabs.setCurrentIndex(FILES_TAB)
    return window


def listed(page: FilesPage) -> dict[str, str]:
    """What became of each file of the list, by its name."""
    parts = [line.split(" | ") for line in rows(page)]
    return {path.rpartition("/")[2]: change for path, change, *_ in parts}


def choose(page: FilesPage, name: str) -> None:
    """Select a file of the list by its name."""
    every = [page.model.index(number, 0) for number in range(page.model.rowCount())]
    page.view.setCurrentIndex(next(each for each in every if str(each.data()).endswith(f"/{name}")))


def compared(user: User, window: CompareWindow) -> None:
    """Wait for the end of the comparison, and show a list."""
    user.wait(lambda: window.files_page.settled and not window.files_page.files._going, 30_000)
    window.files_page.files.bar._shapes.button(1).click()
    settled(window, user.bot)


def test_a_real_vm(open_window: Open, guest: Machine, tmp_path: Path) -> None:
    """What a guest did to its files; one is looked at, and saved from before; the current state is refused."""
    run = guest.channel.run
    run(
        "mkdir -p /data/etc; printf 'one\\nlimit = 1\\n' >/data/etc/conf; echo x >/data/gone; echo y >/data/moved; sync"
    )
    ok(guest.uri, "take", guest.name, "a", *EXTERNAL)
    run("printf 'one\\nlimit = 2\\n' >/data/etc/conf; rm /data/gone; mv /data/moved /data/etc/there; sync")
    ok(guest.uri, "take", guest.name, "b", *EXTERNAL)
    user = open_window(guest.uri, vm=guest.uuid)
    user.wait(lambda: "b" in user.tree)
    window = opened(user, "a", "b")
    compared(user, window)
    page = window.files_page.files
    assert lines(page)[0].startswith("vda · ext4")
    wanted = {"conf": "± changed", "gone": "− removed", "there": "→ renamed"}
    assert {name: listed(page).get(name) for name in wanted} == wanted

    choose(page, "conf")
    text = page.details.content.text
    user.wait(text.isVisible)
    assert text.before.toPlainText().split("\n") == ["  one", "± limit = 1"]
    assert text.after.toPlainText().split("\n") == ["  one", "± limit = 2"]
    saved = tmp_path / "conf.old"
    saved.write_text("something else")
    user.press("Save a Copy from Before…", window)
    dialog = window.files_page.saver.dialog
    assert dialog is not None
    dialog.setOption(dialog.Option.DontConfirmOverwrite)
    dialog.setDirectory(str(tmp_path))
    dialog.selectFile(str(saved))
    dialog.accept()
    user.wait(lambda: window.files_page.saver.said.text().startswith("Saved 14 bytes to"))
    assert saved.read_text() == "one\nlimit = 1\n"
    assert saved.stat().st_mode & 0o7111 == 0
    assert [each.name for each in tmp_path.glob(".snapgui-*")] == []

    choose(page, "gone")
    user.wait(lambda: text.before.toPlainText() == "− x")
    assert not text.after.isVisible()

    live = opened(user, "a")
    compared(user, live)
    assert listed(live.files_page.files)["gone"] == "− removed", "of a running VM, too"
    live.swap()
    user.wait(lambda: listed(live.files_page.files)["gone"] == "+ added")  # the current state is at the left
    choose(live.files_page.files, "gone")
    user.wait(lambda: live.files_page.files.details.content.text.after.toPlainText() == "+ x")


def test_a_directory_is_saved_as_a_whole(open_window: Open, idle_guest: Machine, tmp_path: Path) -> None:
    ok(idle_guest.uri, "take", idle_guest.name, "a", "--kind", "external")
    connection, history = Connection(idle_guest.uri), History()
    try:
        facts = read_facts(connection, idle_guest.uuid)
        never = threading.Event()
        where = (connection, facts, history, "a", "vda", "/")
        saved = save_copy(*where, tmp_path / "all", report=lambda _done: None, cancel=never)
        assert saved.path.is_dir()
        assert saved.files == sum(each.is_file() for each in saved.path.rglob("*"))
        never.set()
        with pytest.raises(Cancelled):
            save_copy(*where, tmp_path / "two", report=lambda _done: None, cancel=never)
        assert [each.name for each in tmp_path.iterdir() if each.name not in {"state", "cache", "config"}] == ["all"]
    finally:
        history.close()
        connection.close()
