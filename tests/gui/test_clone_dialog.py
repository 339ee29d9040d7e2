"""Clones through the dialog, over the test driver, which has no images: real clones are in test_dragging.py."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from PySide6.QtWidgets import QApplication, QPushButton

from snapgui.model.plan import Operation, Plan, Verb
from snapgui.model.records import Capabilities, Directory, Disk, Machine, Vm, VmState
from snapgui.operations.facts import Facts
from snapgui.operations.surroundings import Surroundings
from snapgui.ui.clone_dialog import CloneDialog
from snapgui.ui.clone_look import CloneLook
from tests.gui.conftest import Open
from tests.gui.hypervisors import RUNNING, Pretended, uuid_of
from tests.gui.test_texts import assert_tidy
from tests.gui.user import CTRL, HERE, SHIFT, Key, User
from tests.unit.trees import tree

GIB = 2**30
MACHINE = Machine(disks=(Disk("vda", source="/images/disk.qcow2", format="qcow2"),))


@pytest.fixture
def shop(open_window: Open, pretend: Callable[..., str]) -> User:
    """A window on “shop”, which has an external, an internal and another external snapshot; there is “shop-clone”."""
    return open_window(pretend({"shop": Pretended("base!>inside base>newest*!"), "shop-clone": Pretended()}), vm="shop")


def open_dialog(user: User, node: str) -> CloneDialog:
    user.click_node(node)
    user.key(Key.Key_C, CTRL | SHIFT)
    dialog = user.dialog()
    assert isinstance(dialog, CloneDialog)
    return dialog


def plan_of(dialog: CloneDialog) -> Plan:
    assert dialog.plan is not None
    return dialog.plan


def look(drawn: str = "base*!", **around: object) -> CloneLook:
    """What a worker would have read of a VM “shop” with one disk, of which the window knows nothing yet."""
    facts = Facts(
        "qemu:///system", Vm(uuid_of("shop"), "shop", VmState.SHUTOFF), MACHINE, tree(drawn, MACHINE), Capabilities(),
        datetime.now(UTC),
    )  # fmt: skip
    place = Directory("/images", frozenset({"disk.qcow2"}), 9 * GIB)
    known = Surroundings(frozenset({"shop"}), place, local=True, allocated=3 * GIB)
    return CloneLook(facts, replace(known, **around), (("fast", "/fast"),))


@pytest.fixture
def show(shop: User) -> Callable[..., CloneDialog]:
    """Return a function that shows the dialog for what was read."""

    def show_it(found: CloneLook, snapshot: str | None = "base", where: str = "") -> CloneDialog:
        dialog = CloneDialog(found, snapshot, shop.window, where)
        dialog.open()
        return dialog

    return show_it


def test_a_free_name_is_proposed_and_selected(shop: User) -> None:
    dialog = open_dialog(shop, "base")
    assert dialog.windowTitle() == "Clone shop @ base"
    assert dialog.name.selectedText() == "shop-clone2"
    assert dialog.name.hasFocus()
    assert dialog.linked.isChecked()
    assert plan_of(dialog).title.format().source.startswith("Linked clone")
    (default,) = [button for button in dialog.findChildren(QPushButton) if button.isDefault() and button.isVisible()]
    assert default is dialog.verb
    assert default.text() == "Clone"


def test_enter_starts_the_job(shop: User) -> None:
    """The test driver has no images to layer on: what matters is that the job begins, and that its end is told."""
    dialog = open_dialog(shop, "base")
    shop.type("copy")
    shop.wait(lambda: shop.sees("“copy”", dialog))
    shop.key(Key.Key_Return)
    shop.wait(lambda: (job := shop.window.jobs.newest(Operation.CLONE)) is not None and job.over)
    job = shop.window.jobs.newest(Operation.CLONE)
    assert job is not None
    assert job.title == "Linked clone of shop @ base: “copy”"
    assert job.error is not None
    shop.see(job.status().partition("· ")[2][:20])
    assert [vm.name for vm in shop.window.vms_model.hosts[0].vms] == ["shop", "shop-clone"]


@pytest.mark.parametrize("name", ["a/b", "", " ", "x" * 300, "shop-clone", "shop"])
def test_a_name_that_cannot_be_is_said_beside_it(shop: User, name: str) -> None:
    dialog = open_dialog(shop, "base")
    dialog.name.setText(name)
    sentence = "There is already a VM named" if name.startswith("shop") else "cannot be the name of a VM"
    shop.see(sentence, dialog)
    assert not dialog.verb.isEnabled()
    assert sentence in dialog.verb.toolTip()
    assert sentence in dialog.verb.accessibleDescription()
    assert dialog.linked.isEnabled(), "a bad name says nothing about the kind"
    shop.key(Key.Key_Return)
    assert shop.window.jobs.rowCount() == 0
    dialog.name.setText("good")
    assert dialog.verb.isEnabled()
    assert dialog.verb.toolTip() == ""


def test_an_internal_snapshot_has_no_linked_clone(shop: User, show: Callable[..., CloneDialog]) -> None:
    dialog = show(look("base!>inside*"), "inside")
    assert dialog.full.isChecked()
    assert not dialog.linked.isEnabled()
    shop.see("Nothing can be layered on a snapshot inside an image. Make a full clone instead", dialog)
    assert "Nothing can be layered" in dialog.linked.accessibleDescription()
    assert dialog.verb.isEnabled()


def test_without_room_only_the_linked_one_is_possible(shop: User, show: Callable[..., CloneDialog]) -> None:
    dialog = show(look(allocated=20 * GIB))
    assert dialog.linked.isChecked()
    assert not dialog.full.isEnabled()
    shop.see("needs up to 20.0 GiB, but only 9.0 GiB are free", dialog)
    assert dialog.verb.isEnabled()


def test_the_room_and_the_files_are_said(shop: User, show: Callable[..., CloneDialog]) -> None:
    dialog = show(look())
    shop.see("It takes up to 3.0 GiB; 9.0 GiB are free there.", dialog)
    shop.see("New file: /images/shop-clone-vda.qcow2", dialog)
    shop.see("new SSH host keys", dialog)
    dialog.name.setText("other")
    shop.see("New file: /images/other-vda.qcow2", dialog)
    dialog.full.click()
    shop.see("Copy the disk", dialog)


def test_options_are_folded_and_go_into_the_plan(shop: User, show: Callable[..., CloneDialog]) -> None:
    dialog = show(look())
    assert not dialog.options.isVisible()
    shop.press("Options", dialog)
    assert dialog.options.isVisible()
    dialog.options.start.click()
    dialog.options.disconnected.click()
    assert [step.verb for step in plan_of(dialog).steps] == [Verb.COPY, Verb.DEFINE, Verb.START_CLONE]
    new = plan_of(dialog).steps[-1].new_vm
    assert new is not None
    assert not new.connected
    assert not dialog.options.with_snapshots.isEnabled()
    assert "Only a full clone" in dialog.options.with_snapshots.toolTip()
    dialog.full.click()
    assert dialog.options.with_snapshots.isEnabled()


def test_a_pool_is_looked_at_once_in_a_worker(shop: User, show: Callable[..., CloneDialog]) -> None:
    dialog, asked = show(look()), []
    dialog.look_wanted.connect(asked.append)
    shop.press("Options", dialog)
    dialog.options.pools.setCurrentIndex(1)
    shop.see("looking at the pool", dialog)
    assert not dialog.verb.isEnabled()
    dialog.name.setText("meanwhile")
    dialog.show_around("fast", replace(look().around, place=Directory("/fast", frozenset(), GIB)))
    shop.see("New file: /fast/meanwhile-vda.qcow2", dialog)
    assert not dialog.full.isEnabled(), "there is only 1 GiB"
    dialog.options.pools.setCurrentIndex(0)
    shop.see("New file: /images/", dialog)
    dialog.options.pools.setCurrentIndex(1)
    assert asked == ["fast"]


def test_a_pool_that_is_gone_is_left_with_the_reason(shop: User, show: Callable[..., CloneDialog]) -> None:
    dialog = open_dialog(shop, "base")
    dialog.options.pools.addItem("into a pool that is gone", "gone")
    shop.press("Options", dialog)
    dialog.options.pools.setCurrentIndex(dialog.options.pools.findData("gone"))
    shop.wait(lambda: dialog.options.pool == "")
    shop.see("There is no active pool “gone”", shop.window)
    assert dialog.verb.isEnabled()


def test_devices_of_the_host_are_asked_about(shop: User, show: Callable[..., CloneDialog]) -> None:
    assert show(look()).host_devices is None
    dialog = show(look(host_devices=("hostdev usb",)))
    box = dialog.host_devices
    assert box is not None
    assert box.isVisible()
    assert not box.isChecked()
    assert "hostdev usb" in box.text()


def test_long_places_fit(shop: User, show: Callable[..., CloneDialog]) -> None:
    shop.window.resize(1024, 640)
    long = "/" + "Donaudampfschifffahrt/" * 12
    found = look(place=Directory(long, frozenset(), 9 * GIB), host_devices=("hostdev usb",) * 30)
    dialog = show(replace(found, pools=((f"pool {long}", long),)), where="rack2.example.org (ssh) " * 5)
    shop.press("Options", dialog)
    assert_tidy(dialog)
    assert dialog.width() < 600


def test_another_hypervisor_is_named(shop: User, show: Callable[..., CloneDialog]) -> None:
    shop.see("rack2 (ssh)", show(look(), where="rack2 (ssh)"))


@pytest.mark.parametrize("name", ["<b>bold", "%s %n {name}", "ä" * 120, "x" * 246])
def test_hostile_names_are_shown_as_they_are(open_window: Open, pretend: Callable[..., str], name: str) -> None:
    user = open_window(pretend({name: Pretended("base*!")}), vm=name)
    dialog = open_dialog(user, "base")
    assert dialog.width() < user.window.width()
    dialog.name.setText("plain")
    user.wait(dialog.verb.isEnabled)
    user.see("Make the VM “plain”", dialog)


def test_a_snapshot_that_is_gone_meanwhile(shop: User) -> None:
    host = shop.window.watcher.host
    assert host is not None
    shop.window.flows.clone(host, uuid_of("shop"), "never was")
    shop.see("There is no snapshot “never was” of shop.")
    assert shop.dialogs() == []


def test_the_current_state_and_the_list_of_vms(shop: User) -> None:
    """From the list it is always the VM as it is now, whatever is selected in its tree."""
    dialog = open_dialog(shop, HERE)
    assert dialog.windowTitle() == "Clone shop"
    shop.key(Key.Key_Escape)
    shop.wait(lambda: shop.dialogs() == [])
    shop.click_node("base")
    row = shop.window.vms_model.find(shop.window.vms_model.hosts[0], uuid_of("shop"))
    viewport = shop.window.vms.viewport()
    shop.click(viewport, shop.window.vms.visualRect(row).center())
    assert shop.selected() == ["base"]
    shop.window.vms.customContextMenuRequested.emit(shop.window.vms.visualRect(row).center())
    shop.choose_in(shop.menu(), "Clone…")
    assert shop.dialog().windowTitle() == "Clone shop"


def test_what_cannot_be_made_independent_says_so(shop: User) -> None:
    shop.choose("Snapshot", "Make Independent…")
    shop.see("shop depends on no other image.")
    assert shop.dialogs() == []


def test_the_setting_is_remembered(open_window: Open, pretend: Callable[..., str]) -> None:
    uri = pretend({"shop": Pretended("base*!", RUNNING)})
    user = open_window(uri)
    assert not user.action("Clone at Once When Dropped").isChecked()
    user.choose("Snapshot", "Clone at Once When Dropped")
    again = open_window(uri)
    assert again.action("Clone at Once When Dropped").isChecked()


def test_everything_has_a_name_for_screen_readers(shop: User, show: Callable[..., CloneDialog]) -> None:
    dialog = show(look(host_devices=("hostdev usb",)))
    shop.press("Options", dialog)
    QApplication.processEvents()
    boxes = (dialog.name, dialog.options.pools)
    buttons = (dialog.linked, dialog.full, dialog.host_devices, dialog.options.start, dialog.options.with_snapshots)
    assert all(box.accessibleName() for box in boxes)
    assert all(button is not None and button.text() for button in buttons)
