"""Clones hang off the snapshot they were made from, and a clone's tree begins with its origin; both lead there."""

import subprocess
from collections.abc import Callable, Iterator
from uuid import uuid4

import libvirt
import pytest
import shiboken6
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.logging import _QtMessageCapture

from snapgui.model.lineage import Image, Lineage, Use
from snapgui.model.records import Vm, VmState
from snapgui.model.tree import SnapshotTree
from snapgui.ui.actions import Actions
from snapgui.ui.relatives import Relation, Relative
from snapgui.ui.snapshot_model import SnapshotModel
from snapgui.ui.tree_pane import TreePane
from tests.gui.conftest import Open
from tests.gui.hypervisors import RUNNING, Pretended, uuid_of
from tests.gui.test_model import NAMES, VM, shape_of_model, shape_of_tree, trees
from tests.gui.user import CTRL, HERE, LEFT, NONE, SHIFT, Key, User
from tests.qemu.commands import ok
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack
from tests.unit.trees import tree

EVIL = '<b>evil</b>&amp;"'.replace("/", "⁄")
LONG = "n" * 246
SPOKEN = Qt.ItemDataRole.AccessibleTextRole
Shape = list[tuple[str, "Shape"]]


def vm_of(name: str, state: VmState = VmState.SHUTOFF) -> Vm:
    return Vm(uuid_of(name), name, state)


def clone(name: str, snapshot: str | None) -> Relative:
    return Relative(Relation.CLONE, name, vm_of(name), snapshot)


def origin(name: str, snapshot: str | None) -> Relative:
    return Relative(Relation.ORIGIN, name, vm_of(name), snapshot)


def image(path: str, base: str | None, vm: str = "", snapshot: str | None = None) -> Image:
    return Image(path, "qcow2", base, (Use(vm, uuid_of(vm), "vda", snapshot),) if vm else ())


def family() -> Lineage:
    """web01 has the snapshot “before”; web02, which runs, and LONG are on that, EVIL on web01's current state."""
    return Lineage((
        image("/i/base", None, "web01", "before"),
        image("/i/now", "/i/base", "web01"),
        image("/i/web02", "/i/base", "web02"),
        image("/i/long", "/i/base", LONG),
        image("/i/evil", "/i/now", EVIL),
        image("/i/<i>free.qcow2", "/i/base"),
    ))  # fmt: skip


@pytest.fixture
def related(open_window: Open, pretend: Callable[..., str]) -> User:
    """The window on web01 of :func:`family`."""
    machines = {
        "web01": Pretended("fresh>before>after* fresh>side", RUNNING),
        "web02": Pretended("one*", RUNNING),
        LONG: Pretended(),
        EVIL: Pretended(),
    }
    user = open_window(pretend(machines), vm="web01")
    show(user, family())
    user.wait(lambda: find(user, "Linked clone web02, running").isValid())
    return user


def show(user: User, lineage: Lineage) -> None:
    """Show a made-up lineage: the test driver has none."""
    user.window.lineage.take_over(user.window.vms_model.hosts[0], lineage)


def find(user: User, spoken: str) -> QModelIndex:
    """Return the index of the node for which a screen reader says this; an invalid one for none."""
    waiting = [QModelIndex()]
    model = user.pane.model
    while waiting:
        parent = waiting.pop()
        rows = [model.index(row, 0, parent) for row in range(model.rowCount(parent))]
        waiting += rows
        for row in rows:
            if row.data(SPOKEN) == spoken:
                return row
    return QModelIndex()


def centre(user: User, spoken: str) -> QPoint:
    index = find(user, spoken)
    assert index.isValid(), spoken
    user.view.scrollTo(index)
    return user.view.visualRect(index).center()


def go_by_click(user: User, spoken: str) -> None:
    user.click(user.graph.viewport(), centre(user, spoken))


def go_by_enter(user: User, spoken: str) -> None:
    user.click(user.graph.viewport(), centre(user, spoken), CTRL)
    user.click(user.graph.viewport(), centre(user, spoken), CTRL)
    user.graph.setCurrentIndex(find(user, spoken))
    user.key(Key.Key_Return)


def go_by_menu(user: User, spoken: str) -> None:
    place = centre(user, spoken)
    user.click(user.graph.viewport(), place, button=Qt.MouseButton.RightButton)
    user.graph.customContextMenuRequested.emit(place)
    menu = user.menu()
    (entry,) = menu.actions()
    user.click(menu, menu.actionGeometry(entry).center())


def go_by_double_click_in_the_outline(user: User, spoken: str) -> None:
    user.key(Key.Key_2, CTRL)
    place = centre(user, spoken)
    QTest.mouseClick(user.outline.viewport(), LEFT, NONE, place)
    QTest.mouseDClick(user.outline.viewport(), LEFT, NONE, place)


def shown(user: User, name: str) -> bool:
    known = user.window.watcher.known
    return known is not None and known.vm.name == name and user.pane.model.vm == known.vm


@pytest.mark.parametrize("way", [go_by_click, go_by_enter, go_by_menu, go_by_double_click_in_the_outline])
def test_every_way_leads_to_the_clone_and_back_to_its_snapshot(related: User, way: Callable[[User, str], None]) -> None:
    way(related, "Linked clone web02, running")
    related.wait(lambda: shown(related, "web02"))
    assert related.selected() == [HERE]
    related.wait(lambda: find(related, "Clone of web01 @ before").isValid())
    way(related, "Clone of web01 @ before")
    related.wait(lambda: shown(related, "web01"))
    assert related.selected() == ["before"]
    assert related.dialogs() == []


def test_what_is_told_of_them(related: User) -> None:
    model = related.pane.model
    for spoken, below in (
        ("Linked clone web02, running", "before"),
        (f"Linked clone {LONG}, shut off", "before"),
        (f"Linked clone {EVIL}, shut off", HERE),
        ("Image without a VM: /i/<i>free.qcow2", "before"),
    ):
        index = find(related, spoken)
        assert (index.isValid(), index.parent().data()) == (True, below), spoken
        assert "<i>" not in index.data(Qt.ItemDataRole.ToolTipRole)
        assert "<b>" not in index.data(Qt.ItemDataRole.ToolTipRole)
    assert [str(row.data()) for row in (model.index(r, 0, model.index_of("before")) for r in range(4))] == [
        "after", LONG, "web02", "<i>free.qcow2",
    ]  # fmt: skip


def test_a_clone_is_no_snapshot(related: User) -> None:
    related.graph.setCurrentIndex(find(related, "Linked clone web02, running"))
    assert related.pane.selected() == ()
    assert not related.pane.here_selected()
    for words in ("Revert to…", "Delete…", "Delete with Children…", "Rename…"):
        assert not related.action(words).isEnabled()
        assert "no snapshot of this VM" in related.action(words).toolTip()
    related.key(Key.Key_Delete)
    related.key(Key.Key_R, CTRL | SHIFT)
    related.key(Key.Key_F2)
    assert related.dialogs() == []
    related.see("linked clone · running", related.window.details)


def test_a_double_click_reverts_nothing_and_stays_where_the_first_click_led(related: User) -> None:
    place, viewport = centre(related, "Linked clone web02, running"), related.graph.viewport()
    QTest.mouseClick(viewport, LEFT, NONE, place)
    QTest.mouseDClick(viewport, LEFT, NONE, place)
    related.wait(lambda: shown(related, "web02"))
    assert related.dialogs() == []
    assert related.window.jobs.active() == []


def test_an_image_without_a_vm_leads_nowhere(related: User) -> None:
    spoken = "Image without a VM: /i/<i>free.qcow2"
    go_by_click(related, spoken)
    assert related.window.watcher.known is not None
    assert related.window.watcher.known.vm.name == "web01"
    related.see("/i/<i>free.qcow2", related.window.details)
    related.graph.customContextMenuRequested.emit(centre(related, spoken))
    (entry,) = related.menu().actions()
    assert not entry.isEnabled()
    related.key(Key.Key_Escape)


def test_arrows_reach_them(related: User) -> None:
    related.click_node("after")
    seen = []
    for key in (Key.Key_Right, Key.Key_Right, Key.Key_Right, Key.Key_Up, Key.Key_Down, Key.Key_Down, Key.Key_Down):
        related.key(key)
        seen.append(related.current())
    assert seen == [LONG, "web02", "<i>free.qcow2", "before", "after", HERE, EVIL]


def test_search_collapse_and_zoom_go_on(related: User) -> None:
    graph, model = related.graph, related.pane.model
    assert related.pane.search("web02") == []
    related.pane.search("")
    graph.set_collapsed(model.index_of("before"), True)
    assert graph.isIndexHidden(find(related, "Linked clone web02, running"))
    graph.set_collapsed(model.index_of("before"), False)
    for zoom in (2.0, 0.45, 0.1):
        graph.set_zoom(zoom)
        graph.viewport().grab()
    graph.fit()
    index = find(related, "Linked clone web02, running")
    assert graph.indexAt(graph.visualRect(index).center()) == index


def test_what_changes_elsewhere_is_followed_in_place(related: User) -> None:
    related.click_node("side")
    related.graph.set_zoom(1.3)
    related.elsewhere(lambda connection: connection.libvirt.lookupByName("web02").suspend())
    related.wait(lambda: find(related, "Linked clone web02, paused").isValid())
    related.elsewhere(lambda connection: connection.libvirt.lookupByName("web02").destroy())
    related.elsewhere(
        lambda connection: connection.libvirt.lookupByName("web02").undefineFlags(
            libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        )
    )
    related.wait(lambda: "web02" not in [str(row.data()) for row in rows_below(related, "before")])
    assert (related.selected(), related.graph.zoom) == (["side"], 1.3)
    related.elsewhere(
        lambda connection: connection.libvirt.lookupByName("web01").snapshotLookupByName("before").delete()
    )
    related.wait(lambda: "before" not in related.tree)
    assert related.selected() == ["side"]
    assert not find(related, f"Linked clone {LONG}, shut off").isValid(), "what it hung off is gone"


def rows_below(user: User, name: str) -> list[QModelIndex]:
    model = user.pane.model
    parent = model.index_of(name)
    return [model.index(row, 0, parent) for row in range(model.rowCount(parent))]


def test_a_lineage_that_is_the_same_repaints_nothing(related: User) -> None:
    told: list[str] = []
    model = related.pane.model
    model.surrounded.connect(lambda: told.append("surrounded"))
    model.dataChanged.connect(lambda *_: told.append("data"))
    show(related, family())
    related.window.on_listed(related.window.vms_model.hosts[0])
    assert told == []


def test_a_vm_without_snapshots_shows_where_it_stands(related: User) -> None:
    related.window.vms.choose(related.window.vms_model.hosts[0], uuid_of(EVIL))
    related.wait(lambda: shown(related, EVIL))
    assert related.graph.isVisible()
    assert find(related, "Clone of web01").isValid()
    assert related.selected() == [HERE]
    show(related, Lineage())
    related.see("No snapshots yet")


def test_the_current_card_stays_where_it_is_when_an_origin_appears(
    open_window: Open, pretend: Callable[..., str]
) -> None:
    chain = ">".join(f"s{number}" for number in range(30)) + "*"
    user = open_window(pretend({"web01": Pretended("before*"), "vm": Pretended(chain)}), vm="vm")
    user.click_node("s15")
    before = user.graph.visualRect(user.pane.model.index_of("s15"))
    show(user, Lineage((image("/i/base", None, "web01", "before"), image("/i/vm", "/i/base", "vm"))))
    assert find(user, "Clone of web01 @ before").isValid()
    moved = user.graph.visualRect(user.pane.model.index_of("s15")).topLeft() - before.topLeft()
    assert moved.manhattanLength() <= 4
    assert user.selected() == ["s15"]


# the model alone

RELATIVES = st.lists(
    st.builds(clone, st.sampled_from("UVWX"), st.sampled_from([None, *NAMES])), max_size=4, unique_by=lambda r: r.key
)
ORIGINS = st.one_of(st.none(), st.builds(origin, st.sampled_from("YZ"), st.sampled_from([None, "s"])))
STEPS = st.lists(st.tuples(trees(), ORIGINS, RELATIVES.map(tuple), st.booleans()), min_size=2, max_size=5)


def expected(found: SnapshotTree, top: Relative | None, below: tuple[Relative, ...]) -> Shape:
    """The shape of the tree alone, with relatives by name behind the other children, and all of it below the origin."""

    def with_them(shape: Shape) -> Shape:
        return [(name, [*with_them(children), *hung(None if name == HERE else name)]) for name, children in shape]

    def hung(snapshot: str | None) -> Shape:
        return sorted((relative.title, []) for relative in below if relative.snapshot == snapshot)

    whole = with_them(shape_of_tree(found))
    return whole if top is None else [(top.spoken, whole)]


@given(steps=STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_model_equals_tree_and_relatives_without_a_reset(
    qapp: QApplication,
    qtlog: _QtMessageCapture,
    steps: list[tuple[SnapshotTree, Relative | None, tuple[Relative, ...], bool]],
) -> None:
    model = SnapshotModel()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Warning)
    model.show(VM, steps[0][0], None)
    resets: list[int] = []
    model.modelReset.connect(lambda: resets.append(1))
    for found, top, below, relatives_first in steps:
        if relatives_first:
            model.show_relatives(top, below)
            model.show(VM, found, True)
        else:
            model.show(VM, found, True)
            model.show_relatives(top, below)
        assert shape_of_model(model) == expected(found, top, below)
        assert qtlog.records == []
    assert resets == []
    del tester


@pytest.fixture
def pane(qapp: QApplication) -> Iterator[TreePane]:
    window = QWidget()
    made = TreePane(SnapshotModel(window), Actions(window), window)
    made.choose_view(outline=False)
    window.resize(500, 400)
    window.show()
    yield made
    window.close()
    shiboken6.delete(window)


def test_a_first_snapshot_keeps_the_relatives(pane: TreePane) -> None:
    model = pane.model
    model.show(VM, SnapshotTree(), None)
    model.show_relatives(origin("Y", None), (clone("U", None),))
    assert shape_of_model(model) == [("Clone of Y", [(HERE, [("U", [])])])]
    model.show(VM, tree("a*"), None)
    assert shape_of_model(model) == [("Clone of Y", [("a", [(HERE, [("U", [])])])])]
    model.show(VM, SnapshotTree(), None)
    assert shape_of_model(model) == [("Clone of Y", [(HERE, [("U", [])])])]


# real hypervisors


def test_clones_of_a_real_vm_come_and_go(open_window: Open, stack: Stack, idle_guest: Machine) -> None:
    uri, vm = idle_guest.uri, idle_guest.name
    ok(uri, "take", vm, "before", "--kind", "external")
    user = open_window(uri, vm=idle_guest.uuid)
    user.click_node("before")
    ours, theirs = f"ours-{uuid4().hex[:8]}", f"theirs-{uuid4().hex[:8]}"
    try:
        ok(uri, "clone", f"{vm}@before", ours, "--linked")
        user.wait(lambda: find(user, f"Linked clone {ours}, shut off").isValid(), 30_000)
        overlay = idle_guest.directory / "theirs.qcow2"
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-b", idle_guest.disk.name, "-F", "qcow2", overlay], check=True
        )
        definition = idle_guest.directory / "theirs.xml"
        definition.write_text(
            f"<domain type='qemu'><name>{theirs}</name><memory>65536</memory><os><type>hvm</type></os><devices>"
            f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{overlay}'/><target dev='vda'/></disk>"
            "</devices></domain>"
        )
        stack.virsh("define", str(definition))
        user.wait(lambda: find(user, f"Linked clone {theirs}, shut off").isValid(), 30_000)
        assert user.selected() == ["before"]
        assert find(user, f"Linked clone {theirs}, shut off").parent().data() == "before"

        go_by_click(user, f"Linked clone {theirs}, shut off")
        user.wait(lambda: shown(user, theirs))
        user.wait(lambda: find(user, f"Clone of {vm} @ before").isValid())
        go_by_click(user, f"Clone of {vm} @ before")
        user.wait(lambda: shown(user, vm))
        assert user.selected() == ["before"]

        stack.virsh("undefine", theirs)
        user.wait(lambda: not find(user, f"Linked clone {theirs}, shut off").isValid())
        assert find(user, f"Linked clone {ours}, shut off").isValid()
        assert user.selected() == ["before"]
    finally:
        for domain in idle_guest.connection.listAllDomains():
            if domain.name() in {ours, theirs}:
                domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
