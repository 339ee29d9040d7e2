"""What others are based on is protected in the window, too: all are named, and each can be made independent first."""

import subprocess
from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QPushButton

from snapgui.model.plan import Finding, Severity
from snapgui.model.records import Lent
from snapgui.model.text import Text
from snapgui.operations.protection import CODE
from snapgui.ui.plan_dialogs import DeleteDialog, PlanDialog, RevertDialog
from snapgui.ui.plan_view import MOST_BUTTONS, flattenable
from snapgui.ui.protection_dialogs import IndependenceDialog, RemoveDialog
from tests.gui.conftest import Open
from tests.gui.hypervisors import RUNNING, SHUT_OFF, Pretended
from tests.gui.test_changing import default_button
from tests.gui.test_insisting import dialog_of
from tests.gui.user import SHIFT, Key, User
from tests.qemu.test_protection import Family, everything, family
from tests.stacks.stacks import Stack
from tests.unit.facts import NEW_LIBVIRT, OFF, facts

__all__ = ["family"]
LONG_MS = 120_000


def make_independent(user: User, dialog: PlanDialog, family: Family, short: str) -> None:
    """Press the button of a clone, agree, and wait until the dialog has looked again."""
    name = family.name(short)
    user.press(f"Make {name} Independent…", dialog)
    user.press("Make Independent", dialog_of(user, IndependenceDialog))
    assert dialog.waiting.isVisible()
    user.wait(lambda: (job := user.window.jobs.newest("flatten")) is not None and job.vm_name == name)
    user.job("flatten", LONG_MS)
    user.wait(lambda: not user.sees(f"Make {name} Independent…", dialog))
    assert not dialog.waiting.isVisible()


def offers(user: User, dialog: PlanDialog) -> list[str]:
    return [text for text in user.texts(dialog) if text.endswith("Independent…")]


def test_all_that_is_based_on_a_vm_is_made_independent_from_its_dialogs(
    open_window: Open, stack: Stack, family: Family
) -> None:
    machine = family.machine
    seen = family.contents()
    before = everything(stack, machine)
    user = open_window(machine.uri, vm=machine.uuid)
    user.wait(lambda: "b" in user.tree)
    for key, modifiers in ((Key.Key_Delete, None), (Key.Key_Delete, SHIFT)):
        user.click_node("b" if modifiers is None else "a")
        user.key(key, *(() if modifiers is None else (modifiers,)))
        dialog = dialog_of(user, DeleteDialog)
        for short in {"linked", "child", "loose"} | (set() if modifiers is None else {"first"}):
            user.see(family.name(short), dialog)
        assert not dialog.verb.isEnabled()
        assert default_button(dialog) == "Cancel"
        user.press("Cancel", dialog)
        user.wait(lambda: not user.dialogs())
    assert everything(stack, machine) == before

    subprocess.run(["qemu-img", "rebase", "-f", "qcow2", "-b", "", family.disks["loose"]], check=True)
    user.click_node("b")
    user.key(Key.Key_Delete)
    dialog = dialog_of(user, DeleteDialog)
    make_independent(user, dialog, family, "child")
    assert not dialog.verb.isEnabled()
    make_independent(user, dialog, family, "linked")
    user.wait(dialog.verb.isEnabled)
    user.press("Delete", dialog)
    user.job("delete", LONG_MS)
    user.wait(lambda: [snapshot.name for snapshot in user.tree] == ["a"])
    assert family.contents() == seen

    user.choose("Snapshot", "Remove VM…")
    removal = dialog_of(user, RemoveDialog)
    assert not removal.storage.isChecked()
    assert default_button(removal) == "Cancel"
    user.click(removal.storage, QPoint(8, removal.storage.height() // 2))
    user.see(family.name("first"), removal)
    assert not removal.verb.isEnabled()
    make_independent(user, removal, family, "first")
    user.wait(removal.verb.isEnabled)
    assert default_button(removal) == "Cancel"
    user.see(f"Goes: {machine.disk}", removal)
    user.press("Remove", removal)
    user.job("remove", LONG_MS)
    user.wait(lambda: all(vm.uuid != machine.uuid for host in user.window.vms_model.hosts for vm in host.vms))
    assert not machine.disk.exists()
    assert family.contents() == seen


def test_a_removal_can_be_taken_back(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend({"vm": Pretended("a*", SHUT_OFF)}))
    user.window.flows.grace_s = 10
    user.choose("Snapshot", "Remove VM…")
    user.press("Remove", dialog_of(user, RemoveDialog))
    user.see("Remove vm in")
    user.press("Undo")
    user.wait(lambda: not user.window.pane.messages.waiting)
    assert user.window.jobs.newest("remove") is None
    user.window.flows.grace_s = 0
    user.choose("Snapshot", "Remove VM…")
    user.press("Remove", dialog_of(user, RemoveDialog))
    user.job("remove")
    user.wait(lambda: not any(host.vms for host in user.window.vms_model.hosts))


def test_a_running_vm_is_not_removed(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend({"vm": Pretended("a*", RUNNING)}))
    action = user.action("Remove VM…")
    assert not action.isEnabled()
    assert "Shut the virtual machine down first." in action.toolTip()


def test_clones_have_buttons_of_their_own_whatever_they_are_called(open_window: Open) -> None:
    """Names are plain text, and of any length; what cannot be made independent from here has no button."""
    user = open_window()
    names = ["web02", "<b>bold</b>", "a & b\nc", "x" * 10_000, "e", "f", "g", "h"]
    lent = [Lent("/images/c.qcow2", name, f"uuid-{name[:9]}") for name in names]
    lent += [Lent("/images/c.qcow2", "/images/loose.qcow2"), Lent("/images/c.qcow2", "kept", "uuid-kept", "old")]
    state = facts("a!>b!>c!*", OFF, capabilities=NEW_LIBVIRT, lent=tuple(lent))
    dialog = RevertDialog(state, "a", user.window)
    dialog.open()
    found = offers(user, dialog)
    assert len(found) == MOST_BUTTONS
    assert "Make web02 Independent…" not in found, "the first by name are shown"
    assert "Make <b>bold</b> Independent…" in found
    assert max(button.width() for button in dialog.findChildren(QPushButton)) < dialog.width()
    wanted: list[str] = []
    dialog.independence_wanted.connect(wanted.append)
    user.press("Make <b>bold</b> Independent…", dialog)
    assert wanted == ["uuid-<b>bold</"]
    user.press("Cancel", dialog)


@pytest.mark.parametrize(
    ("lent", "severity", "offered"),
    [
        (Lent("/i", "web02", "uuid"), Severity.BLOCKER, True),
        (Lent("/i", "web02", "uuid"), Severity.WARNING, False),
        (Lent("/i", "web02", "uuid", "snapshot"), Severity.BLOCKER, False),
        (Lent("/i", "/images/loose.qcow2"), Severity.BLOCKER, False),
    ],
)
def test_what_is_offered_to_be_made_independent(lent: Lent, severity: Severity, offered: bool) -> None:
    finding = Finding(CODE, severity, Text("t", "x"), clones=(lent,))
    assert bool(flattenable(finding)) is offered


def test_why_a_clone_cannot_be_made_independent_is_said_in_the_dialog(
    open_window: Open, stack: Stack, family: Family
) -> None:
    machine = family.machine
    stack.virsh("snapshot-create-as", family.name("first"), "inside")
    user = open_window(machine.uri, vm=machine.uuid)
    user.wait(lambda: "a" in user.tree)
    user.click_node("a")
    user.key(Key.Key_Delete)
    dialog = dialog_of(user, DeleteDialog)
    user.press(f"Make {family.name('first')} Independent…", dialog)
    user.see("has snapshots inside its image", dialog)
    assert not dialog.verb.isEnabled()
    user.press("Cancel", dialog)
