"""What the window offers where something stands in the way, and what becomes of the snapshots it took for safety."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import libvirt
import pytest
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QCheckBox, QMenu, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from snapgui.model.plan import Remedy
from snapgui.model.records import KindWish, Machine, MemoryWish, Place
from snapgui.model.tree import SnapshotTree
from snapgui.operations.facts import Facts
from snapgui.operations.history import Experience
from snapgui.ui.jobs import Job, JobState
from snapgui.ui.plan_dialogs import DeleteDialog, MendDialog, PlanDialog, RevertDialog, TakeDialog
from tests.driver.reluctant import REASON, make_reluctant
from tests.gui.conftest import Open
from tests.gui.hypervisors import RUNNING, Pretended, uuid_of
from tests.gui.test_texts import assert_tidy
from tests.gui.user import CTRL, SHIFT, Key, User, entry_of
from tests.unit.facts import DISK, MACHINE, NEW_LIBVIRT, OFF, facts
from tests.unit.trees import tree

FORCE, PAUSED = libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE, libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED
UUID = uuid_of("vm")
ASLEEP = "The VM sleeps in a saved state."
Dialog = TypeVar("Dialog", bound=PlanDialog)


def dialog_of(user: User, kind: type[Dialog]) -> Dialog:
    """Wait for a dialog of a sort; another may be open below it."""
    user.wait(lambda: any(isinstance(dialog, kind) for dialog in user.dialogs()))
    return next(dialog for dialog in user.dialogs() if isinstance(dialog, kind))


def buttons(user: User, dialog: QWidget) -> set[str]:
    """What the dialog offers to do about findings."""
    wanted = {"Start the VM…", "Discard the Saved State…", "Convert the NVRAM File…", "Leave vdb Out", "Leave vda Out"}
    return wanted & set(user.texts(dialog))


def safe(line: str) -> SnapshotTree:
    """A tree in which the names that begin with “s” are safety snapshots."""
    drawn = tree(line)
    return SnapshotTree([replace(s, safety=s.name.startswith("s")) for s in drawn], drawn.current)


def revert(user: User, name: str, *, safety: bool = True, then: str = "") -> None:
    """Choose to go back, and agree."""
    user.click_node(name)
    user.key(Key.Key_R, CTRL | SHIFT)
    dialog = dialog_of(user, RevertDialog)
    dialog.safety.setChecked(safety)
    if then:
        dialog.then.setCurrentText(then)
    user.press("Revert", dialog)


def reverted(user: User, name: str, *, safety: bool = True) -> Job:
    """Go back; return the job when the tree shows it."""
    before = user.window.jobs.rowCount()
    revert(user, name, safety=safety)
    user.wait(lambda: user.window.jobs.rowCount() > before)
    job = user.job("revert")
    user.wait(lambda: user.tree.current == name)
    return job


# libvirt calls it risky


@pytest.fixture
def vm(open_window: Open, pretend: Callable[..., str]) -> User:
    return open_window(pretend({"vm": Pretended("base+>a+*", RUNNING)}))


@pytest.fixture
def risky(vm: User, monkeypatch: pytest.MonkeyPatch) -> tuple[User, RevertDialog, list[int]]:
    """The dialog after a revert that libvirt refused without force, and the flags of what it was asked for."""
    asked = make_reluctant(monkeypatch)
    revert(vm, "base", safety=False, then="paused")
    vm.wait(lambda: (job := vm.window.jobs.newest("revert")) is not None and job.state is JobState.FAILED)
    return vm, dialog_of(vm, RevertDialog), asked


def test_a_risky_revert_asks_again_with_libvirts_reason(risky: tuple[User, RevertDialog, list[int]]) -> None:
    user, dialog, asked = risky
    user.see(REASON, dialog)
    assert dialog.verb.text() == "Revert Anyway"
    assert asked == [PAUSED]
    assert_tidy(dialog)


def test_a_long_reason_leaves_room_for_the_title(risky: tuple[User, RevertDialog, list[int]]) -> None:
    user, dialog, _ = risky
    user.press("Cancel", dialog)
    shown = user.texts(user.pane.banner)
    assert "Revert to “base” · vm" in shown
    assert [text for text in shown if text.startswith("Libvirt calls this risky") and text.endswith("…")]
    assert_tidy(user.window)


def test_insisting_does_what_was_asked_for(risky: tuple[User, RevertDialog, list[int]]) -> None:
    user, dialog, asked = risky
    assert dialog.then.currentText() == "paused"
    dialog.safety.setChecked(False)
    user.press("Revert Anyway", dialog)
    user.job("revert")
    user.wait(lambda: user.tree.current == "base")
    assert asked == [PAUSED, FORCE | PAUSED]
    assert user.dialogs() == []


@pytest.mark.parametrize("key", [None, Key.Key_Escape])
def test_not_insisting_does_nothing(risky: tuple[User, RevertDialog, list[int]], key: Key | None) -> None:
    user, dialog, asked = risky
    if key is None:
        user.press("Cancel", dialog)
    else:
        user.key(key)
    user.wait(lambda: user.dialogs() == [])
    assert (user.window.jobs.rowCount(), user.tree.current, asked) == (1, "a", [PAUSED])


def test_a_refusal_that_is_not_risky_opens_no_dialog(vm: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> int:
        raise libvirt.libvirtError("no")

    monkeypatch.setattr(libvirt.virDomain, "revertToSnapshot", refuse)
    revert(vm, "base", safety=False)
    vm.see("libvirt reported:")
    assert vm.dialogs() == []


# undo


def offers_undo(user: User, job: Job) -> bool:
    """Whether the menu of a job's row has an entry that undoes it."""
    jobs = user.window.jobs
    rows = [jobs.index(row) for row in range(jobs.rowCount())]
    (index,) = [index for index in rows if jobs.job(index) is job]
    rows_view = user.window.jobs_panel.list
    rows_view.scrollTo(index)
    rows_view.customContextMenuRequested.emit(QPoint(rows_view.visualRect(index).center()))
    menu = user.menu()
    found = "Undo…" in [action.text() for action in menu.actions()]
    user.key(Key.Key_Escape)
    user.wait(lambda: not menu.isVisible())
    return found


def test_only_the_latest_revert_offers_to_be_undone(vm: User) -> None:
    first = reverted(vm, "base")
    assert offers_undo(vm, first)
    second = reverted(vm, "a")
    assert (offers_undo(vm, first), offers_undo(vm, second)) == (False, True)


def test_a_revert_without_safety_takes_the_offer_from_the_one_before(vm: User) -> None:
    first = reverted(vm, "base")
    second = reverted(vm, "a", safety=False)
    assert (offers_undo(vm, first), offers_undo(vm, second)) == (False, False)


def test_what_was_undone_is_not_offered_again(vm: User) -> None:
    first = reverted(vm, "base")
    vm.choose("Snapshot", "Undo Last Revert…")
    vm.press("Undo the Revert", vm.dialog())
    vm.job("undo")
    assert not offers_undo(vm, first)


# old safety snapshots


def test_the_old_safety_snapshots_are_named_before_they_are_deleted(
    open_window: Open, pretend: Callable[..., str]
) -> None:
    user = open_window(pretend({"vm": Pretended(safe("base>s1 base>s2 base>own base>s3 base*"))}))
    user.choose("Snapshot", "Delete Old Safety Snapshots…")
    dialog = dialog_of(user, DeleteDialog)
    told = " ".join(user.texts(dialog))
    assert [name for name in ("base", "s1", "s2", "own", "s3") if f"at “{name}” will be lost" in told] == ["s1", "s2"]
    user.press("Delete 2 snapshots", dialog)
    user.job("delete")
    user.wait(lambda: [s.name for s in user.tree] == ["base", "own", "s3"])


def test_where_no_old_safety_snapshot_can_go_that_is_said(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend({"vm": Pretended(safe("base>s1>child* base>s2"))}))
    user.choose("Snapshot", "Delete Old Safety Snapshots…")
    user.see("vm has no old safety snapshot that could be deleted.")
    assert user.dialogs() == []


@pytest.mark.parametrize(("drawn", "possible"), [("base*", False), ("base>s1 base*", False), ("base>s1 s2*", True)])
def test_with_one_safety_snapshot_none_is_old(
    open_window: Open, pretend: Callable[..., str], drawn: str, possible: bool
) -> None:
    user = open_window(pretend({"vm": Pretended(safe(drawn))}))
    action = user.window.actions_["prune"]
    user.wait(lambda: len(user.tree) > 0)
    assert action.isEnabled() is possible
    assert ("There is no old safety snapshot." in action.toolTip()) is not possible


def kept_menu(user: User) -> QMenu:
    """The menu of the setting; popups below popups close when they like, so it is not opened."""
    below = entry_of(user.window.menuBar().actions(), "Snapshot").menu()
    assert isinstance(below, QMenu)
    found = entry_of(below.actions(), "Keep Safety Snapshots").menu()
    assert isinstance(found, QMenu)
    return found


def keep(user: User, words: str) -> None:
    entry_of(kept_menu(user).actions(), words).trigger()


def safety_names(user: User) -> list[str]:
    return [snapshot.name for snapshot in user.tree if snapshot.safety]


def test_the_latest_is_kept_and_the_older_go_after_a_revert(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend({"vm": Pretended(safe("base>s1 base>s2 base>own*"))}))
    keep(user, "The Latest")
    assert safety_names(user) == ["s1", "s2"], "choosing deletes nothing yet"
    job = reverted(user, "base")
    assert job.outcome is not None
    assert job.outcome.safety is not None
    newest = job.outcome.safety.name
    user.job("delete")
    user.wait(lambda: safety_names(user) == [newest])
    assert job.undoable
    assert "own" in user.tree
    assert user.dialogs() == []


def test_several_can_be_kept(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend({"vm": Pretended(safe("base>s1 base>s2 base>s3 base>own*"))}))
    keep(user, "The Latest 3")
    reverted(user, "base")
    user.job("delete")
    user.wait(lambda: safety_names(user)[:2] == ["s2", "s3"] and len(safety_names(user)) == 3)


def test_all_are_kept_unless_somebody_chose(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend({"vm": Pretended(safe("base>s1 base>s2 base>own*"))}))
    keep(user, "The Latest")
    keep(user, "All")
    reverted(user, "base")
    reverted(user, "own")
    assert safety_names(user)[:2] == ["s1", "s2"]
    assert user.window.jobs.newest("delete") is None


def test_undoing_deletes_no_other_safety_snapshot(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend({"vm": Pretended(safe("base>s1 base>s2 base>own*"))}))
    reverted(user, "base")
    keep(user, "The Latest")
    user.choose("Snapshot", "Undo Last Revert…")
    user.press("Undo the Revert", user.dialog())
    user.job("undo")
    user.wait(lambda: safety_names(user) == ["s1", "s2"])
    assert user.window.jobs.newest("delete") is None


def test_the_choice_is_ticked_and_remembered(open_window: Open, pretend: Callable[..., str]) -> None:
    uri = pretend("base*")
    first = open_window(uri)
    keep(first, "The Latest 5")
    assert ticked(first) == ["The Latest 5"]
    assert ticked(open_window(uri)) == ["The Latest 5"]


def ticked(user: User) -> list[str]:
    menu = kept_menu(user)
    menu.aboutToShow.emit()
    return [action.text() for action in menu.actions() if action.isChecked()]


# what can be done about a finding


@pytest.fixture
def asleep(vm: User) -> tuple[User, TakeDialog]:
    """The dialog before a snapshot of a VM that sleeps in a saved state."""
    vm.elsewhere(lambda connection: connection.domain(UUID).managedSave(0))
    vm.click_node("a")
    vm.key(Key.Key_T, CTRL | SHIFT)
    dialog = dialog_of(vm, TakeDialog)
    vm.see(ASLEEP, dialog)
    return vm, dialog


def test_a_finding_has_a_button_for_each_remedy(asleep: tuple[User, TakeDialog]) -> None:
    user, dialog = asleep
    assert buttons(user, dialog) == {"Start the VM…", "Discard the Saved State…"}
    assert_tidy(dialog)


def test_a_remedy_is_shown_before_it_is_carried_out(asleep: tuple[User, TakeDialog]) -> None:
    user, dialog = asleep
    user.press("Discard the Saved State…", dialog)
    asking = dialog_of(user, MendDialog)
    assert user.sees("The memory of the sleeping guest will be lost, as by a power cut.", asking)
    assert_tidy(asking)
    user.press("Cancel", asking)
    user.wait(lambda: user.dialogs() == [dialog])
    assert user.window.jobs.rowCount() == 0
    assert user.sees(ASLEEP, dialog)


def test_when_it_is_mended_the_dialog_looks_again(asleep: tuple[User, TakeDialog]) -> None:
    user, dialog = asleep
    dialog.name.setText("chosen before")
    user.press("Discard the Saved State…", dialog)
    user.press("Discard the Saved State", dialog_of(user, MendDialog))
    user.job("mend")
    user.wait(lambda: not user.sees(ASLEEP, dialog))
    assert buttons(user, dialog) == set()
    assert dialog.name.text() == "chosen before"


def test_a_vm_that_was_woken_can_have_its_memory_saved(asleep: tuple[User, TakeDialog]) -> None:
    user, dialog = asleep
    assert not dialog.options.memory.isEnabled()
    user.press("Start the VM…", dialog)
    user.press("Start the VM", dialog_of(user, MendDialog))
    user.job("mend")
    user.wait(dialog.options.memory.isEnabled)
    user.press("Take Snapshot", dialog)
    user.job("take")
    user.wait(lambda: user.tree.current == "snapshot-1")
    assert user.tree["snapshot-1"].memory is Place.INTERNAL


def test_a_dialog_that_was_closed_meanwhile_is_not_needed(asleep: tuple[User, TakeDialog]) -> None:
    user, dialog = asleep
    user.press("Discard the Saved State…", dialog)
    asking = dialog_of(user, MendDialog)
    asking.verb.click()
    dialog.reject()
    user.job("mend")
    user.wait(lambda: user.dialogs() == [])


def test_what_stands_in_the_way_of_a_revert_is_said_once(vm: User) -> None:
    vm.elsewhere(lambda connection: connection.domain(UUID).managedSave(0))
    vm.click_node("base")
    vm.key(Key.Key_R, CTRL | SHIFT)
    dialog = dialog_of(vm, RevertDialog)
    vm.see(ASLEEP, dialog)
    assert [ASLEEP in text for text in vm.texts(dialog)].count(True) == 1


def test_a_revert_can_be_mended_too(vm: User) -> None:
    vm.elsewhere(lambda connection: connection.domain(UUID).managedSave(0))
    vm.click_node("base")
    vm.key(Key.Key_R, CTRL | SHIFT)
    dialog = dialog_of(vm, RevertDialog)
    vm.see(ASLEEP, dialog)
    assert not dialog.verb.isEnabled()
    vm.press("Discard the Saved State…", dialog)
    vm.press("Discard the Saved State", dialog_of(vm, MendDialog))
    vm.wait(dialog.verb.isEnabled)


# without a hypervisor


@pytest.fixture
def shown(qtbot: QtBot) -> Callable[[Facts], TakeDialog]:
    """Return a function that shows the dialog before a snapshot for some facts."""
    holder = QWidget()
    qtbot.addWidget(holder)

    def show(known: Facts) -> TakeDialog:
        dialog = TakeDialog(known, Experience(), holder)
        dialog.show()
        qtbot.waitUntil(dialog.isVisible)
        return dialog

    return show


SHARED = replace(DISK, target="vdb", source="/images/b.qcow2", shareable=True)
WITH_SHARED = replace(MACHINE, disks=(DISK, SHARED))


def of_new_libvirt(machine: Machine) -> Facts:
    return facts("", machine=machine, capabilities=NEW_LIBVIRT)


def press(dialog: QWidget, words: str) -> None:
    next(iter(button for button in _buttons(dialog) if button.text() == words)).click()


def _buttons(dialog: QWidget) -> list[QPushButton]:
    return [button for button in dialog.findChildren(QPushButton) if button.isVisible()]


def test_leaving_a_disk_out_sets_the_options(shown: Callable[[Facts], TakeDialog]) -> None:
    dialog = shown(of_new_libvirt(WITH_SHARED))
    assert not dialog.verb.isEnabled()
    press(dialog, "Leave vdb Out")
    assert dialog.options.wishes() == (KindWish.EXTERNAL, MemoryWish.NONE, (("vdb", Place.NONE),), False)
    assert dialog.options.isVisible(), "what was set is seen"
    assert dialog.verb.isEnabled()
    assert dialog.plan is not None
    assert dialog.plan.blockers == ()


def test_a_disk_of_a_vm_that_is_off_is_left_out_too(shown: Callable[[Facts], TakeDialog]) -> None:
    dialog = shown(replace(of_new_libvirt(WITH_SHARED), vm=OFF))
    press(dialog, "Leave vdb Out")
    assert dialog.options.wishes()[1:3] == (MemoryWish.AUTO, (("vdb", Place.NONE),))
    assert dialog.verb.isEnabled()


def test_the_tenth_disk_can_be_left_out_as_well(shown: Callable[[Facts], TakeDialog]) -> None:
    many = tuple(replace(DISK, target=f"vd{letter}", source=f"/images/{letter}.qcow2") for letter in "abcdefghi")
    dialog = shown(of_new_libvirt(replace(MACHINE, disks=(*many, replace(many[0], target="vdj", shareable=True)))))
    press(dialog, "Leave vdj Out")
    assert dialog.options.wishes()[2] == (("vdj", Place.NONE),)
    assert dialog.verb.isEnabled()


def test_the_only_disk_cannot_be_left_out(shown: Callable[[Facts], TakeDialog]) -> None:
    dialog = shown(of_new_libvirt(replace(MACHINE, disks=(replace(DISK, shareable=True),))))
    assert not [button for button in _buttons(dialog) if "Leave" in button.text()]


RAW_VARIABLES = replace(MACHINE, firmware="uefi", nvram="/nvram/a.fd", nvram_format="raw")


@pytest.mark.parametrize(
    ("known", "offered"),
    [
        (facts("in*", OFF, machine=RAW_VARIABLES, capabilities=replace(NEW_LIBVIRT, libvirt=(11, 3, 0))), True),
        (facts("in*", machine=RAW_VARIABLES, capabilities=replace(NEW_LIBVIRT, libvirt=(11, 3, 0))), False),
        (facts("in*", OFF, machine=replace(RAW_VARIABLES, nvram=""), capabilities=NEW_LIBVIRT), False),
    ],
    ids=["off", "running", "no file yet"],
)
def test_converting_the_variables_is_offered_where_it_can_be_done(
    shown: Callable[[Facts], TakeDialog], qtbot: QtBot, known: Facts, offered: bool
) -> None:
    dialog = shown(known)
    wanted: list[Remedy] = []
    dialog.mend_wanted.connect(wanted.append)
    found = [button for button in _buttons(dialog) if button.text() == "Convert the NVRAM File…"]
    for button in found:
        button.click()
    assert wanted == ([Remedy.NVRAM_TO_QCOW2] if offered else [])


# UEFI


@pytest.mark.parametrize("uefi", [True, False])
def test_only_a_uefi_vm_has_variables_to_make_anew(open_window: Open, pretend: Callable[..., str], uefi: bool) -> None:
    user = open_window(pretend({"vm": Pretended("base>a*", uefi=uefi)}))
    user.click_node("base")
    user.key(Key.Key_R, CTRL | SHIFT)
    dialog = dialog_of(user, RevertDialog)
    shown = [box.text().replace("&", "") for box in dialog.findChildren(QCheckBox) if box.isVisible()]
    assert ("Make the UEFI variables anew" in shown) is uefi
    assert_tidy(dialog)


def test_the_plan_says_that_the_variables_are_made_anew(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend({"vm": Pretended("base>a*", uefi=True)}))
    user.click_node("base")
    user.key(Key.Key_R, CTRL | SHIFT)
    dialog = dialog_of(user, RevertDialog)
    dialog.reset_nvram.setChecked(True)
    assert dialog.plan is not None
    assert dialog.plan.steps[-1].virsh == ("snapshot-revert", "vm", "base", "--reset-nvram")
