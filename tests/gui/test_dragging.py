"""Nodes and VMs dragged with a real pointer to where their clone shall be, by press, move and release."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import libvirt
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication

from snapgui.images.qcow2 import read_head
from snapgui.images.source import LocalFile
from snapgui.model.errors import Cancelled
from snapgui.model.plan import Operation
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.ui.clone_dialog import CloneDialog
from snapgui.ui.drag_label import DragLabel
from snapgui.ui.dragging import MIME_TYPE
from snapgui.ui.jobs import Job
from snapgui.ui.vm_list import host_title
from tests.gui.conftest import Open
from tests.gui.hypervisors import Pretended, uuid_of
from tests.gui.pointer import Stop, drag, says
from tests.gui.user import CTRL, HERE, Key, User
from tests.qemu.commands import ok, result
from tests.qemu.test_clone import images
from tests.stacks.machines import Machine

NOT_HERE = "Drop it on the list of VMs, or on empty ground, to clone it; on another snapshot to compare."
LINKED = "Linked clone of shop @ base"


@pytest.fixture
def shop(open_window: Open, pretend: Callable[..., str]) -> User:
    """A window on “shop” with two connections; “shop” has external and internal snapshots."""
    machines = {"shop": Pretended("base!>inside base>newest*!"), "other": Pretended()}
    return open_window(pretend(machines), pretend({"far": Pretended()}), vm="shop")


Place = Callable[[], QPoint]


def row(user: User, vm: str, host: int = 0) -> Place:
    """Tell where the middle of a VM's row in the list is; of the connection's, for no VM."""
    model = user.window.vms_model

    def place() -> QPoint:
        index = model.find(model.hosts[host], uuid_of(vm)) if vm else model.index(host, 0)
        return user.window.vms.visualRect(index).center()

    return place


def below(user: User) -> Place:
    """Empty ground of the list."""
    return lambda: QPoint(60, user.window.vms.viewport().height() - 60)


def ground(user: User) -> Place:
    """Empty ground of the graph."""
    assert not user.graph.indexAt(QPoint(12, 12)).isValid()
    return lambda: QPoint(12, 12)


def on_list(user: User, at: Place, text: str, *keys: str) -> Stop:
    return Stop(user.window.vms.viewport(), at, says(user, text), keys)


def drag_node(user: User, name: str, *stops: Stop) -> None:
    drag(user, user.view.viewport(), user.place(name), *stops)


def assert_clone_dialog(user: User, title: str) -> CloneDialog:
    dialog = user.dialog()
    assert isinstance(dialog, CloneDialog)
    assert dialog.windowTitle() == title
    assert not user.window.findChild(DragLabel).isVisible()
    user.key(Key.Key_Escape)
    user.wait(lambda: user.dialogs() == [])
    return dialog


def assert_nothing_came_of_it(user: User) -> None:
    QApplication.processEvents()
    assert user.dialogs() == []
    assert user.window.jobs.rowCount() == 0
    assert not user.window.findChild(DragLabel).isVisible()


def test_from_node_to_every_part_of_the_list(shop: User) -> None:
    for at in (below(shop), row(shop, ""), row(shop, "other"), row(shop, "shop")):
        drag_node(shop, "base", on_list(shop, at, LINKED))
        assert_clone_dialog(shop, "Clone shop @ base")
    assert shop.selected() == ["base"]


def test_the_label_says_what_will_happen(shop: User) -> None:
    """Over nodes nothing happens; to another connection everything is copied; with Ctrl at once."""
    graph, far = shop.graph.viewport(), "Full clone of shop @ base on Test driver on this computer"
    drag_node(
        shop,
        "base",
        Stop(graph, partial(shop.place, "newest"), says(shop, "Compare shop @ base with newest")),
        Stop(graph, partial(shop.place, "base"), says(shop, NOT_HERE)),
        Stop(graph, ground(shop), says(shop, LINKED)),
        on_list(shop, row(shop, "", 1), far),
        on_list(shop, row(shop, "far", 1), far),
        on_list(shop, below(shop), f"{LINKED}, at once", "ctrl"),
        Stop(shop.window.search, lambda: QPoint(5, 5), says(shop, NOT_HERE)),
    )
    assert_nothing_came_of_it(shop)
    drag_node(shop, "inside", on_list(shop, below(shop), "Full clone of shop @ inside"))
    assert_clone_dialog(shop, "Clone shop @ inside")


def test_to_another_connection(shop: User) -> None:
    text = "Full clone of shop @ base on Test driver on this computer"
    drag_node(shop, "base", on_list(shop, row(shop, "", 1), text))
    dialog = shop.dialog()
    shop.see("Test driver on this computer", dialog)


def test_the_current_state_to_empty_ground(shop: User) -> None:
    drag_node(shop, HERE, Stop(shop.graph.viewport(), ground(shop), says(shop, "Full clone of shop")))
    assert_clone_dialog(shop, "Clone shop")


def test_from_the_outline(shop: User) -> None:
    shop.key(Key.Key_2, CTRL)
    drag_node(shop, "base", on_list(shop, below(shop), LINKED))
    assert_clone_dialog(shop, "Clone shop @ base")


def test_a_vm_to_empty_ground(shop: User) -> None:
    """Of the graph and of the list, or where a VM has no tree yet; on itself it does nothing."""
    vms = shop.window.vms.viewport()
    drag(shop, vms, row(shop, "shop")(), Stop(shop.graph.viewport(), ground(shop), says(shop, "Full clone of shop")))
    assert_clone_dialog(shop, "Clone shop")
    drag(shop, vms, row(shop, "shop")(), on_list(shop, lambda: row(shop, "shop")() + QPoint(30, 0), NOT_HERE))
    assert_nothing_came_of_it(shop)
    shop.click(vms, row(shop, "other")())
    shop.see("No snapshots yet")
    drag(
        shop,
        vms,
        row(shop, "other")(),
        Stop(shop.pane.empty, lambda: QPoint(30, 30), says(shop, "Full clone of other")),
    )
    assert_clone_dialog(shop, "Clone other")


def test_several_snapshots_say_why_not(shop: User) -> None:
    shop.click_node("base")
    shop.click_node("newest", CTRL)
    drag_node(shop, "newest", on_list(shop, below(shop), "Select only one snapshot."))
    assert_nothing_came_of_it(shop)
    assert shop.selected() == ["base", "newest"]


def test_with_ctrl_held_only_what_is_pulled_counts(shop: User) -> None:
    """Ctrl has added it to what was selected, with the same press."""
    shop.click_node("newest")
    stop = on_list(shop, below(shop), f"{LINKED}, at once")
    label = shop.window.findChild(DragLabel)
    ended = Stop(shop.window.vms.viewport(), below(shop), lambda: not label.isVisible(), ("Escape",))
    drag(shop, shop.graph.viewport(), shop.place("base"), stop, ended, keys=("ctrl",))
    assert_nothing_came_of_it(shop)


def test_a_busy_vm_says_why_not(shop: User) -> None:
    job = Job("Take “x”", "shop", shop.window.vms_model.hosts[0].uri, uuid_of("shop"))
    shop.window.jobs.add(job)
    drag_node(shop, "base", on_list(shop, below(shop), "shop is busy: Take “x”"))
    drag(
        shop,
        shop.window.vms.viewport(),
        row(shop, "shop")(),
        Stop(shop.graph.viewport(), ground(shop), says(shop, "shop is busy: Take “x”")),
    )
    shop.window.jobs.end(job, None, Cancelled(QT_TRANSLATE_NOOP("errors", "Cancelled before anything was changed.")))
    assert shop.dialogs() == []


def test_a_connection_that_is_down_says_why_not(shop: User) -> None:
    shop.window.connections.open("test:///no/such/file")
    shop.wait(lambda: len(shop.window.vms_model.hosts) == 3 and shop.window.vms_model.hosts[2].error is not None)
    drag_node(shop, "base", on_list(shop, row(shop, "", 2), "There is no connection to Test driver on this computer."))
    assert_nothing_came_of_it(shop)


def test_escape_ends_a_drag(shop: User) -> None:
    label = shop.window.findChild(DragLabel)
    place = shop.window.vms.viewport()
    ended = Stop(place, row(shop, "other"), lambda: not label.isVisible(), ("Escape",))
    drag_node(shop, "base", on_list(shop, below(shop), LINKED), ended)
    assert_nothing_came_of_it(shop)


def test_the_graph_is_still_panned_on_empty_ground(shop: User) -> None:
    shop.window.resize(1024, 640)
    shop.graph.set_zoom(2.0)
    bar, viewport, start = shop.graph.verticalScrollBar(), shop.graph.viewport(), QPoint(12, 220)
    shop.wait(lambda: bar.maximum() > 0)
    shop.graph.horizontalScrollBar().setValue(0)
    bar.setValue(0)
    assert not shop.graph.indexAt(start).isValid()
    drag(
        shop,
        viewport,
        start,
        Stop(viewport, lambda: start - QPoint(0, 200), lambda: bar.value() >= min(200, bar.maximum())),
    )
    assert_nothing_came_of_it(shop)


def test_what_other_programs_drag_is_ignored(shop: User) -> None:
    """Whatever it claims to be: the drag did not begin here. Qt's own views would take rows out of such data."""
    before = shop.selected()
    for kind in (MIME_TYPE, "application/x-qabstractitemmodeldatalist", "text/uri-list"):
        data = QMimeData()
        data.setData(kind, b'{"uri": "test:///default", "vm": "' + uuid_of("shop").encode() + b'", "snapshot": null}')
        for place in (shop.window.vms.viewport(), shop.graph.viewport(), shop.outline.viewport(), shop.pane.empty):
            drop = QDropEvent(
                QPointF(12, 12),
                Qt.DropAction.CopyAction,
                data,
                Qt.MouseButton.LeftButton,
                Qt.KeyboardModifier.NoModifier,
            )
            QApplication.sendEvent(place, drop)
            assert not drop.isAccepted()
    assert_nothing_came_of_it(shop)
    assert shop.selected() == before


def base_of(image: str) -> str:
    with LocalFile(Path(image)) as file:
        return read_head(file).backing_file


@pytest.fixture
def forget_clones(idle_guest: Machine) -> Iterator[None]:
    """Remove the VMs that were made of the guest; their images lie beside its own, and go with them."""
    yield
    for domain in idle_guest.connection.listAllDomains():
        if domain.name().startswith(f"{idle_guest.name}-"):
            domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)


def test_real_clones(open_window: Open, idle_guest: Machine, forget_clones: None) -> None:
    """From node to list through the dialog; with Ctrl at once; by the setting a VM on empty ground."""
    ok(idle_guest.uri, "take", idle_guest.name, "base", "--kind", "external", "--memory", "none")
    user, vm = open_window(idle_guest.uri, vm=idle_guest.uuid), idle_guest.name
    assert user.window.jobs.rowCount() == 0
    text = f"Linked clone of {vm} @ base"
    drag_node(user, "base", on_list(user, below(user), text))
    user.dialog()
    user.type(f"{vm}-by-hand")
    user.key(Key.Key_Return)
    made = user.job(Operation.CLONE)
    assert made.outcome is not None
    (image,) = made.outcome.files
    assert base_of(image) == str(idle_guest.disk)
    user.see(f"“{vm}-by-hand” was made. Inside, it is the same machine as {vm}")
    user.press("Show")
    user.wait(lambda: user.window.watcher.vm_uuid == made.outcome.clone_uuid)
    user.see(f"{vm}-by-hand")

    user.window.vms.choose(user.window.vms_model.hosts[0], idle_guest.uuid)
    user.wait(lambda: "base" in user.tree)
    drag_node(user, "base", on_list(user, below(user), f"{text}, at once", "ctrl"))
    user.see(f"“{vm}-clone” was made.")
    assert user.dialogs() == []

    user.action("Clone at Once When Dropped").trigger()
    host = user.window.vms_model.hosts[0]
    start = user.window.vms.visualRect(user.window.vms_model.find(host, idle_guest.uuid)).center()
    at_once = says(user, f"Linked clone of {vm}, at once")
    drag(user, user.window.vms.viewport(), start, Stop(user.graph.viewport(), ground(user), at_once))
    user.see(f"“{vm}-clone2” was made.")
    names = {domain.name() for domain in idle_guest.connection.listAllDomains()}
    assert {vm, f"{vm}-by-hand", f"{vm}-clone", f"{vm}-clone2"} <= names
    user.wait(lambda: {found.name for found in host.vms} >= {f"{vm}-clone", f"{vm}-clone2"})


@pytest.fixture
def pool(idle_guest: Machine) -> Iterator[None]:
    """A storage pool of the guest's directory: clones that come from elsewhere go to one."""
    xml = f"<pool type='dir'><name>there</name><target><path>{idle_guest.directory}</path></target></pool>"
    made = idle_guest.connection.storagePoolCreateXML(xml)
    yield
    made.destroy()


def test_a_real_clone_to_another_connection(
    open_window: Open, idle_guest: Machine, pool: None, forget_clones: None
) -> None:
    """The other one leads to the same daemon here; the clone goes the way that leads anywhere."""
    ok(idle_guest.uri, "take", idle_guest.name, "base", "--kind", "external", "--memory", "none")
    user = open_window(idle_guest.uri, idle_guest.uri, vm=idle_guest.uuid)
    hosts = user.window.vms_model.hosts
    other = 1 if user.window.watcher.host is hosts[0] else 0  # the first to answer is the one that is shown
    name = host_title(hosts[other])
    text = f"Full clone of {idle_guest.name} @ base on {name}"
    drag_node(user, "base", on_list(user, row(user, "", other), text))
    dialog = user.dialog()
    assert not dialog.linked.isEnabled()
    user.see("cannot be layered on those of another", dialog)
    user.see(name, dialog)
    user.wait(dialog.verb.isEnabled)
    user.press("Clone", dialog)
    made = user.job(Operation.CLONE)
    assert made.plan is not None
    assert made.plan.target_uri == idle_guest.uri
    assert made.outcome is not None
    assert base_of(made.outcome.files[0]) == ""
    user.see(f"“{idle_guest.name}-clone” was made.")


def test_a_list_scrolls_while_something_is_dragged(open_window: Open, pretend: Callable[..., str]) -> None:
    machines = {"aaa": Pretended("base*!"), **{f"vm{number}": Pretended() for number in range(40)}}
    user = open_window(pretend(machines), vm="aaa")
    vms, label = user.window.vms, user.window.findChild(DragLabel)
    bar = vms.verticalScrollBar()
    end = QPoint(60, vms.viewport().height() - 8)
    drag_node(
        user,
        "base",
        Stop(vms.viewport(), lambda: end, lambda: bar.value() == bar.maximum() > 0),
        Stop(vms.viewport(), lambda: QPoint(60, 8), lambda: bar.value() == 0),
        Stop(vms.viewport(), lambda: QPoint(60, 200), lambda: not label.isVisible(), ("Escape",)),
    )
    assert_nothing_came_of_it(user)


def test_a_real_clone_is_made_independent(open_window: Open, idle_guest: Machine, forget_clones: None) -> None:
    ok(idle_guest.uri, "take", idle_guest.name, "base", "--kind", "external", "--memory", "none")
    made = result(idle_guest.uri, "clone", f"{idle_guest.name}@base", f"{idle_guest.name}-flat", "--linked")
    user = open_window(idle_guest.uri, vm=made["vm"]["uuid"])
    user.choose("Snapshot", "Make Independent…")
    dialog = user.dialog()
    user.see("Copy into the images of", dialog)
    user.press("Make Independent", dialog)
    user.job(Operation.FLATTEN, 60_000)
    (image,) = images(idle_guest.connection.lookupByUUIDString(made["vm"]["uuid"]))
    assert base_of(image) == ""
