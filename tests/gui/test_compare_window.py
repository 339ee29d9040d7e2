"""The window that shows what differs: made-up differences, the ways that lead to it, and a real VM's."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from threading import Event

import libvirt
import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QHelpEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolBar, QToolTip, QWidget
from pytestqt.qtbot import QtBot

from snapgui.images.difference import Difference
from snapgui.images.disk_map import Part
from snapgui.model.errors import Broken
from snapgui.model.text import Text
from snapgui.operations import thumbnails
from snapgui.ui import compare_window
from snapgui.ui.compare_look import Post, Reading
from snapgui.ui.compare_window import CompareWindow
from snapgui.ui.disk_view import DiskView
from snapgui.ui.extents_model import BATCH, ExtentsModel
from snapgui.ui.strip import point_of
from tests.gui import made_up
from tests.gui.conftest import Open
from tests.gui.hypervisors import RUNNING, Pretended
from tests.gui.made_up import CAPACITY, CLUSTER, EXTENTS, MIB
from tests.gui.pointer import Stop, drag, says
from tests.gui.test_texts import LONG, MARKUP, LongWords, assert_tidy, labels_that_interpret
from tests.gui.user import CTRL, HERE, Key, User
from tests.images.qemu import run
from tests.qemu.commands import INTERNAL, ok
from tests.stacks.machines import Machine

PPM = b"P6\n4 2\n255\n" + bytes(24)


@pytest.fixture
def made(qtbot: QtBot, settings_of_this_test: None) -> Iterator[Callable[..., CompareWindow]]:
    """Return a function that opens a window with made-up differences."""
    opened: list[CompareWindow] = []

    def make(**names: str) -> CompareWindow:
        window = made_up.window(**names)
        opened.append(window)
        made_up.show(window)
        return made_up.front(window, qtbot)

    yield make
    made_up.close(opened)


def lines(window: CompareWindow) -> list[str]:
    return [window.blocks.disks.item(number).text() for number in range(window.blocks.disks.count())]


def sentences(window: CompareWindow) -> list[tuple[str, str]]:
    listed = window.configuration.sentences
    items = [listed.topLevelItem(number) for number in range(listed.topLevelItemCount())]
    return [(item.text(0), item.text(1)) for item in items]


def windows(user: User) -> list[CompareWindow]:
    return [shown for shown in user.window.compare_wishes.windows if shown.isVisible()]


# what it shows


def test_the_sentences_have_signs(made: Callable[..., CompareWindow]) -> None:
    window = made()
    assert window.windowTitle() == "Compare web01: before-upgrade → current state"
    (one, two, three) = sentences(window)
    assert (one, two) == (("±", "Memory 2 GiB → 4 GiB"), ("+", "Disk vdb added, 8 GiB"))
    assert three[0] == "−"
    spoken = window.configuration.sentences.topLevelItem(2).data(0, Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "removed"


def test_xml_side_by_side(made: Callable[..., CompareWindow]) -> None:
    window = made()
    QTest.mouseClick(window.configuration._buttons.button(1), Qt.MouseButton.LeftButton)
    xml = window.configuration.xml
    assert xml.isVisible()
    one, other = (side.toPlainText().split("\n") for side in (xml.before, xml.after))
    assert len(one) == len(other), "line stands beside line"
    assert [line[:1] for line in one] == [" ", "±", " ", " ", "", " ", " "]
    assert other[4] == "+     <disk type='file'/>"
    assert [len(side.extraSelections()) for side in (xml.before, xml.after)] == [1, 2]


def test_what_the_blocks_say(made: Callable[..., CompareWindow]) -> None:
    window = made()
    window.tabs.setCurrentIndex(1)
    assert lines(window) == [
        "vda: 52.1 MiB of 1.0 GiB may differ, in 4 places.",
        "vdb: no block differs.",
        "vdc: only after.",
    ]
    assert window.blocks.pause.text() == "The guest stood still for 21 ms."
    table = [[str(window.blocks.extents.index(row, column).data()) for column in range(4)] for row in range(4)]
    assert table[0] == ["2.0 MiB (0x200000)", "64.0 KiB", "changed", "vda1 · EFI system · <b>ESP"]
    assert [line[2] for line in table] == ["changed", "only after", "only before", "changed"]
    assert table[3][3] == "vda2 · Linux filesystem"
    window.blocks.disks.setCurrentRow(2)
    assert not window.blocks.strip.isVisible()
    assert window.blocks.extents.rowCount() == 0


def test_swapping_mirrors_the_blocks(made: Callable[..., CompareWindow]) -> None:
    window = made()
    QTest.mouseClick(window.swap_button, Qt.MouseButton.LeftButton)
    assert window.windowTitle() == "Compare web01: current state → before-upgrade"
    assert lines(window)[2] == "vdc: only before."
    states = [str(window.blocks.extents.index(row, 2).data()) for row in range(4)]
    assert states == ["changed", "only before", "only after", "changed"]


def test_the_strip_by_keyboard(made: Callable[..., CompareWindow]) -> None:
    window = made()
    window.tabs.setCurrentIndex(1)
    strip = window.blocks.strip
    strip.setFocus()
    QTest.keyClick(strip, Key.Key_Right, CTRL)
    assert strip.cursor_place == EXTENTS[0][0]
    QTest.keyClick(strip, Key.Key_Right, CTRL)
    assert strip.cursor_place == EXTENTS[1][0]
    said = window.blocks.pointed.text()
    assert said.startswith("600.0 MiB (0x25800000): only after, 30.0 MiB alike from 600.0 MiB")
    assert said.endswith("vda2 · Linux filesystem")
    assert strip.accessibleDescription() == said
    for _ in range(6):
        QTest.keyClick(strip, Key.Key_Plus)
    assert strip.view.span < CAPACITY / 10
    assert strip.view.start < strip.cursor_place < strip.view.start + strip.view.span
    QTest.keyClick(strip, Key.Key_Left, CTRL)
    assert strip.cursor_place == EXTENTS[0][0]
    assert strip.view.start <= strip.cursor_place, "what was gone to is shown"
    QTest.keyClick(strip, Key.Key_End)
    assert strip.cursor_place == CAPACITY - 1
    QTest.keyClick(strip, Key.Key_0)
    assert (strip.view.start, strip.view.span) == (0, CAPACITY)


def test_the_strip_by_mouse(made: Callable[..., CompareWindow], qtbot: QtBot) -> None:
    window = made()
    window.tabs.setCurrentIndex(1)
    strip = window.blocks.strip
    place = EXTENTS[1][0] + EXTENTS[1][1] // 2
    at = point_of(strip, place)
    _wheel(strip, at, 120 * 5)
    assert strip.view.span < CAPACITY / 5
    assert abs(point_of(strip, place).x() - at.x()) <= 8, "what is under the pointer stays there"
    before = strip.view.start
    QTest.mousePress(strip, Qt.MouseButton.LeftButton, pos=at)
    QTest.mouseMove(strip, at + QPoint(60, 0))
    qtbot.waitUntil(lambda: strip.view.start < before)
    QTest.mouseRelease(strip, Qt.MouseButton.LeftButton, pos=at + QPoint(60, 0))
    at = point_of(strip, place)
    QApplication.sendEvent(strip, QHelpEvent(QEvent.Type.ToolTip, at, strip.mapToGlobal(at)))
    assert "only after" in QToolTip.text()
    QToolTip.hideText()
    _wheel(strip, at, -120 * 20)
    assert strip.view.span == CAPACITY


def _wheel(strip: QWidget, at: QPoint, delta: int) -> None:
    none = Qt.MouseButton.NoButton
    event = QWheelEvent(
        QPointF(at), QPointF(strip.mapToGlobal(at)), QPoint(), QPoint(0, delta), none,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(strip, event)


def test_a_row_of_the_table_is_shown_on_the_strip(made: Callable[..., CompareWindow]) -> None:
    window = made()
    window.tabs.setCurrentIndex(1)
    window.blocks.table.setCurrentIndex(window.blocks.extents.index(2, 0))
    strip = window.blocks.strip
    assert strip.cursor_place == EXTENTS[2][0]
    assert strip.view.span == 8 * EXTENTS[2][1]
    assert strip.view.start < strip.cursor_place


def test_the_strip_paints_each_state_in_its_colour(made: Callable[..., CompareWindow]) -> None:
    window = made()
    window.tabs.setCurrentIndex(1)
    strip = window.blocks.strip
    image = strip.grab().toImage()
    seen = {part: image.pixelColor(point_of(strip, place)).name() for part, place in PLACES.items()}
    assert len({seen[part] for part in (Part.UNCHANGED, Part.NEVER, Part.CHANGED)}) == 3
    column = point_of(strip, PLACES[Part.ONLY_AFTER]).x()
    colours = {image.pixelColor(column, y).name() for y in range(5, 50)}
    assert colours - set(seen.values()), "only after has a pattern of its own"


PLACES = {
    Part.UNCHANGED: 300 * MIB,
    Part.NEVER: 1000 * MIB,
    Part.CHANGED: 910 * MIB,
    Part.ONLY_AFTER: 615 * MIB,
}


def test_shares_of_columns_at_every_zoom() -> None:
    view = DiskView(made_up.difference(EXTENTS), made_up.drawn(EXTENTS, made_up.STATES))
    shares = view.shares(1024)
    assert np.allclose(shares.sum(axis=1), 1.0)
    assert shares[620, Part.ONLY_AFTER] == 1.0
    assert shares[2, Part.CHANGED] == pytest.approx(CLUSTER / MIB)
    view.show(*EXTENTS[0])
    near = view.shares(512)
    assert near[256, Part.CHANGED] == 1.0, "far below the size of the map's pieces"
    assert near[:200, Part.CHANGED].sum() == 0.0
    assert near[:200, Part.UNCHANGED].min() == 1.0


def test_a_table_of_millions_is_no_copy(qtbot: QtBot, qapp: QApplication) -> None:
    starts = np.arange(2**21, dtype=np.int64) * 1024
    extents = np.stack([starts, np.full_like(starts, 512)], axis=1)
    difference = Difference(2**31, 512, extents)
    view = DiskView(difference, made_up.drawn([], [], 2**31))
    owner = QWidget()
    qtbot.addWidget(owner)
    model = ExtentsModel(owner)
    model.show("vda", view)
    assert view.difference.extents is extents
    assert model.rowCount() == BATCH
    model.fetchMore(model.index(-1, -1))
    assert model.rowCount() == 2 * BATCH
    assert model.index(2 * BATCH - 1, 1).data() == "512 bytes"


def test_nothing_differs(made: Callable[..., CompareWindow]) -> None:
    window = made()
    look = made_up.configuration_look()
    window.configuration.show_look(type(look)(type(look.difference)((), "", "", "", ""), (), ()))
    assert window.configuration._same.isVisible()
    assert window.configuration._same.text() == "The configuration is the same."


@pytest.mark.parametrize("name", [LONG, MARKUP, "two\nlines"], ids=["long", "markup", "lines"])
def test_names_break_nothing(made: Callable[..., CompareWindow], name: str) -> None:
    window = made(vm=name, one=name, other=name)
    window.resize(1024, 640)
    assert "\n" not in window.windowTitle()
    for tab in range(window.tabs.count()):
        window.tabs.setCurrentIndex(tab)
        assert_tidy(window)
    assert (window.width(), window.height()) == (1024, 640)
    assert labels_that_interpret(window) == []


def test_a_language_with_long_words(made: Callable[..., CompareWindow], qapp: QApplication) -> None:
    translator = LongWords()
    qapp.installTranslator(translator)
    try:
        window = made()
        window.resize(1024, 640)
        for tab in range(window.tabs.count()):
            window.tabs.setCurrentIndex(tab)
            assert_tidy(window)
        assert (window.width(), window.height()) == (1024, 640)
    finally:
        qapp.removeTranslator(translator)


def test_an_error_while_looking_at_the_content_keeps_the_result(made: Callable[..., CompareWindow]) -> None:
    window = made()
    window.tabs.setCurrentIndex(1)
    blocks = window.blocks
    blocks.show_content_error(Broken(Text("errors", "Disk vda could not be compared: gone.")))
    assert blocks.told.text() == "Disk vda could not be compared: gone."
    assert blocks.button.text() == "Try Again"
    assert blocks.strip.isVisible()


# the ways that lead to it


@pytest.fixture
def web_running(open_window: Open, pretend: Callable[..., str]) -> User:
    return open_window(pretend({"web01": Pretended("base>one base>two*", RUNNING)}), vm="web01")


def test_one_snapshot_with_the_current_state(web: User) -> None:
    web.click_node("tls")
    assert web.window.actions_["compare"].text() == "Compare with Current State"
    web.key(Key.Key_D, CTRL)
    web.wait(lambda: windows(web))
    assert windows(web)[0].windowTitle() == "Compare web01: tls → current state"


def test_two_snapshots_the_older_one_left(web: User) -> None:
    web.click_node("php")
    web.click_node("tls", CTRL)
    assert web.window.actions_["compare"].text() == "Compare"
    web.choose("Snapshot", "Compare")
    web.wait(lambda: windows(web))
    assert windows(web)[0].windowTitle() == "Compare web01: tls → php"


def test_by_the_node_menu_and_twice(web: User) -> None:
    for node in ("tls", "php"):
        web.window.activateWindow()
        web.wait(web.window.isActiveWindow)
        web.choose_in(web.context_menu(node), "Compare with Current State")
    web.wait(lambda: len(windows(web)) == 2)
    assert {shown.pair.before.words for shown in windows(web)} == {"tls", "php"}
    windows(web)[0].close()
    web.wait(lambda: len(windows(web)) == 1)


def test_by_the_toolbar(web: User) -> None:
    web.click_node("tls")
    (bar,) = web.window.findChildren(QToolBar)
    web.click(bar.widgetForAction(web.window.actions_["compare"]))
    web.wait(lambda: windows(web))
    assert windows(web)[0].windowTitle() == "Compare web01: tls → current state"


def test_why_it_cannot_be_compared(web: User) -> None:
    web.click_node(HERE)
    assert "Select a snapshot first." in web.window.actions_["compare"].toolTip()
    for name in ("tls", "php", "desktop"):
        web.click_node(name, CTRL)
    assert "Select one snapshot or two." in web.window.actions_["compare"].toolTip()


def test_what_it_costs_a_running_guest_is_said_before(web_running: User) -> None:
    web_running.click_node("one")
    compare = web_running.window.actions_["compare"]
    assert compare.statusTip().endswith("; the guest stands still for some milliseconds")
    web_running.click_node("two", CTRL)
    assert "stands still" not in compare.statusTip()


def test_one_node_dropped_on_another(web: User) -> None:
    graph = web.graph.viewport()
    drag(
        web, graph, web.place("php"),
        Stop(graph, partial(web.place, "tls"), says(web, "Compare web01 @ php with tls")),
    )  # fmt: skip
    web.wait(lambda: windows(web))
    assert windows(web)[0].windowTitle() == "Compare web01: tls → php"
    assert web.window.jobs.rowCount() == 0


def test_the_current_state_dropped_on_a_node(web_running: User) -> None:
    web, graph = web_running, web_running.graph.viewport()
    text = "Compare web01 with one; the guest stands still for some milliseconds"
    drag(web, graph, web.place(HERE), Stop(graph, partial(web.place, "one"), says(web, text)))
    web.wait(lambda: windows(web))
    assert windows(web)[0].windowTitle() == "Compare web01: one → current state"


def test_images_that_nobody_can_read(web: User) -> None:
    """The test driver has none: the blocks say so, the configuration is compared all the same."""
    web.click_node("tls")
    web.key(Key.Key_D, CTRL)
    web.wait(lambda: windows(web) and windows(web)[0].blocks_page.error)
    window = windows(web)[0]
    assert window.blocks_page.error.startswith("Disk vda could not be compared: there is no file")
    web.wait(lambda: window.configuration_page.settled)
    window.tabs.setCurrentIndex(1)
    web.press("Try Again", window)
    assert not window.blocks_page.error
    web.wait(lambda: window.blocks_page.error)


def test_progress_and_cancel_of_the_content(web: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was known before stays, and the worker is told to stop."""
    stopped: list[bool] = []

    def pretended(
        _connection: object, _history: object, _pair: object, post: Post, cancel: Event, *, content: bool
    ) -> object:
        if content:
            post(Reading("vda", 13 * MIB, 52 * MIB))
            stopped.append(cancel.wait(10))
        return made_up.block_look()

    monkeypatch.setattr(compare_window, "look_at_blocks", pretended)
    web.click_node("tls")
    web.key(Key.Key_D, CTRL)
    web.wait(lambda: windows(web) and windows(web)[0].blocks_page.settled)
    window = windows(web)[0]
    window.tabs.setCurrentIndex(1)
    web.press("Look at the Content", window)
    web.see("vda: 13.0 MiB of 52.0 MiB read", window)
    assert window.blocks.progress.value() == 250
    window.swap()
    assert window.blocks.progress.isVisible(), "it is still being read"
    web.press("Cancel", window)
    assert not window.blocks.progress.isVisible()
    assert window.blocks.button.isVisible()
    web.wait(lambda: stopped == [True])
    assert lines(window)[0].endswith("may differ, in 4 places.")
    web.press("Look at the Content", window)
    web.wait(window.blocks.progress.isVisible)
    window.close()
    web.wait(lambda: stopped == [True, True])


def test_waiting_no_longer(web: User, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([lambda cancel: cancel.wait(10), lambda _cancel: True])

    def pretended(
        _connection: object, _history: object, _pair: object, _post: Post, cancel: Event, *, content: bool
    ) -> object:
        next(looks)(cancel)
        return made_up.block_look()

    monkeypatch.setattr(compare_window, "look_at_blocks", pretended)
    web.click_node("tls")
    web.key(Key.Key_D, CTRL)
    web.wait(lambda: windows(web) and windows(web)[0].configuration_page.settled)
    window = windows(web)[0]
    window.tabs.setCurrentIndex(1)
    web.press("Cancel", window)
    assert window.blocks_page.error == "Cancelled."
    web.press("Try Again", window)
    web.wait(lambda: window.blocks_page.settled)


def test_screens_side_by_side(web: User) -> None:
    for name in ("tls", "php"):
        thumbnails.store(web.window.watcher.vm_uuid, web.tree[name], PPM)
    web.click_node("tls")
    web.click_node("php", CTRL)
    web.key(Key.Key_D, CTRL)
    web.wait(lambda: windows(web) and windows(web)[0].tabs.count() == 4)
    window = windows(web)[0]
    assert [picture.image.width() for picture in window.screens.pictures] == [4, 4]
    assert window.screens.pictures[0].accessibleName() == "Screen at tls"


# a real VM


def write(machine: Machine, *commands: str) -> None:
    words = [part for command in commands for part in ("-c", command)]
    run("qemu-io", "-f", "qcow2", *words, str(machine.disk))


def with_two_snapshots(machine: Machine) -> None:
    """Between “a” and “b”: a sector, a cluster that was rewritten with the same, a new one, and the memory's size."""
    write(machine, "write -P 1 400M 256k")
    ok(machine.uri, "take", machine.name, "a", *INTERNAL)
    write(machine, "write -P 2 400M 512", "write -P 1 409664k 64k", "write -P 3 420M 64k")
    xml = machine.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    memory = machine.domain.maxMemory()
    machine.connection.defineXML(xml.replace(f">{memory}<", f">{2 * memory}<"))
    ok(machine.uri, "take", machine.name, "b", *INTERNAL)


def opened(user: User, *names: str) -> CompareWindow:
    """Compare one snapshot or two, and wait for the result."""
    before = len(windows(user))
    user.window.activateWindow()
    user.wait(user.window.isActiveWindow)
    user.click_node(names[0])
    for name in names[1:]:
        user.click_node(name, CTRL)
    user.key(Key.Key_D, CTRL)
    user.wait(lambda: len(windows(user)) > before)
    window = windows(user)[-1]
    user.wait(lambda: window.configuration_page.settled and window.blocks_page.settled)
    window.tabs.setCurrentIndex(1)
    return window


def totals(window: CompareWindow) -> tuple[int, ...]:
    assert window.blocks.look is not None
    return window.blocks.look.blocks.drawn["vda"].map.totals()


def test_a_real_vm(open_window: Open, idle_guest: Machine) -> None:
    """Sentences, numbers, exact content, swapped sides, two windows; a running guest; the VM is deleted meanwhile."""
    machine, vm = idle_guest, idle_guest.name
    with_two_snapshots(machine)
    user = open_window(machine.uri, vm=machine.uuid)
    user.wait(lambda: "b" in user.tree)
    window = opened(user, "a", "b")
    ((sign, sentence),) = sentences(window)
    assert (sign, sentence[:6]) == ("±", "Memory")
    assert " may differ, in " in lines(window)[0]
    coarse = window.blocks.look.blocks
    assert coarse.paused_s == 0.0
    assert sum(totals(window)) == coarse.disks["vda"].capacity

    user.press("Look at the Content", window)
    user.wait(lambda: window.blocks.look.looked)
    assert lines(window)[0] == "vda: 64.5 KiB of 512.0 MiB differ, in 2 places."
    exact = window.blocks.look.blocks.disks["vda"]
    assert exact.extents.tolist() == [[400 * MIB, 512], [420 * MIB, CLUSTER]]
    assert exact.changed_bytes < coarse.disks["vda"].changed_bytes
    assert (totals(window)[Part.CHANGED], totals(window)[Part.ONLY_AFTER]) == (512, CLUSTER)

    user.press("Swap Sides", window)
    user.wait(lambda: window.configuration_page.settled)
    assert sentences(window)[0][1] != sentence
    assert (totals(window)[Part.CHANGED], totals(window)[Part.ONLY_BEFORE]) == (512, CLUSTER)

    machine.domain.create()
    user.wait(lambda: user.window.watcher.known.vm.state.active)
    live = opened(user, "a")
    assert live.windowTitle() == f"Compare {vm}: a → current state"
    assert re.fullmatch(r"The guest stood still for \d+ ms\.", live.blocks.pause.text())
    user.press("Look at the Content", live)
    user.wait(lambda: live.blocks.look.looked)
    now = live.blocks.look.blocks.disks["vda"].extents.tolist()  # a guest that is quick has mounted its disk
    assert [400 * MIB, 512] in now
    assert [420 * MIB, CLUSTER] in now
    assert re.fullmatch(r"The guest stood still for \d+ ms\.", live.blocks.pause.text())
    assert machine.domain.info()[0] == libvirt.VIR_DOMAIN_RUNNING
    assert len(windows(user)) == 2

    machine.domain.destroy()
    for name in ("a", "b"):
        machine.domain.snapshotLookupByName(name).delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
    machine.domain.undefine()
    user.press("Swap Sides", window)
    user.wait(lambda: window.configuration_page.error)
    assert window.configuration_page.error.startswith("It does not exist any more")
    assert lines(window)[0].endswith(" differ, in 2 places."), "what is known stays"
