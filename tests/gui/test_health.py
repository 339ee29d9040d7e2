"""Checking the storage from the window: what is wrong is said and mended there, and the window stays usable."""

import subprocess
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QLabel

from snapgui.ui.health_dialog import HealingDialog, HealthDialog
from tests.gui.conftest import Open
from tests.gui.hypervisors import Pretended
from tests.gui.user import Key, User
from tests.qemu.images import holds_pattern, is_sound, names_inside, write_pattern
from tests.stacks.machines import Machine

ALL_IS_WELL = "Everything is as it should be."
PATIENCE_MS = 60_000


def health(user: User) -> HealthDialog:
    (found,) = [dialog for dialog in user.dialogs() if isinstance(dialog, HealthDialog)]
    return found


def examined(user: User) -> HealthDialog:
    """Wait until the dialog has its answer."""
    user.wait(lambda: any(isinstance(dialog, HealthDialog) for dialog in user.dialogs()))
    dialog = health(user)
    user.wait(lambda: not user.sees("Looking at", dialog), PATIENCE_MS)
    return dialog


def mend(user: User, words: str) -> None:
    """Press a button of the first finding, agree to the plan, and wait until it is done and looked at again."""
    user.press(f"{words}…", health(user))
    user.wait(lambda: isinstance(user.dialogs()[0], HealingDialog) or len(user.dialogs()) > 1, PATIENCE_MS)
    (plan,) = [dialog for dialog in user.dialogs() if isinstance(dialog, HealingDialog)]
    user.press(words, plan)
    user.job("mend", PATIENCE_MS)
    examined(user)


def test_what_is_wrong_is_said_and_mended(open_window: Open, idle_guest: Machine) -> None:
    overlay, disk = idle_guest.directory / "<b>left.qcow2", idle_guest.disk
    write_pattern(disk, 3)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", disk, "-F", "qcow2", overlay], check=True)
    subprocess.run(["qemu-img", "snapshot", "-c", "hidden", disk], check=True)
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    user.choose("Snapshot", "Check Storage…")
    dialog = examined(user)
    user.see("2 findings.", dialog)
    for words in ("<b>left.qcow2 is layered on an image of", "a snapshot “hidden” of which libvirt does not know"):
        user.see(words, dialog)
    labels = [label for label in dialog.findChildren(QLabel) if "<b>" in label.text()]
    assert all(label.textFormat() is Qt.TextFormat.PlainText for label in labels)
    user.click_node("You are here")  # the window is not blocked
    mend(user, "Adopt")
    user.wait(lambda: "hidden" in user.tree)
    user.see("1 finding.", dialog)
    mend(user, "Remove")
    user.see(ALL_IS_WELL, dialog)
    assert {b.text() for b in dialog.findChildren(QAbstractButton) if b.isVisible()} == {"Look Again", "Close"}
    assert (overlay.exists(), names_inside(disk), holds_pattern(disk, 3), is_sound(disk)) == (
        False,
        {"hidden"},
        True,
        True,
    )


def test_all_vms_of_a_connection(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend({"web01": Pretended("a*")}), vm="web01")
    user.choose("Connection", "Check Storage of All VMs…")
    dialog = examined(user)
    user.see(ALL_IS_WELL, dialog)
    user.press("Look Again", dialog)
    examined(user)
    assert user.dialog() is dialog
    user.key(Key.Key_Escape)
    user.wait(lambda: user.dialogs() == [])
