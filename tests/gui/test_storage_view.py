"""The storage view on real VMs: chains as they are, places that are followed, and what happens while a guest runs."""

import os
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from snapgui.ui.disk_panel import DiskPanel
from snapgui.ui.image_card import FoldedCard, GuestCard, ImageCard
from snapgui.ui.strip import point_of
from tests.gui.conftest import Open, web_machines
from tests.gui.user import CTRL, Key, User
from tests.images import qemu
from tests.qemu.commands import INTERNAL, ok
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack

EXTERNAL = ("--kind", "external", "--memory", "none")
MIB = 2**20
LONG = "<b>bold & " + "x" * 220


def storage(user: User) -> DiskPanel:
    """Go to the storage view; return the first disk."""
    user.key(Key.Key_3, CTRL)
    user.wait(lambda: user.pane.storage_frame.isVisible() and user.pane.storage_frame.settled)
    return user.pane.storage.panels[0]


def cards(panel: DiskPanel) -> list[ImageCard]:
    return [card for card in panel.picture.cards if isinstance(card, ImageCard)]


def point_at(user: User, panel: DiskPanel, place: int, said: str) -> None:
    """Move the pointer to and fro over a place until the panel tells of it."""

    def moved() -> bool:
        for step in (2, 1, 0):
            QTest.mouseMove(panel.strip, point_of(panel.strip, place) + QPoint(0, step))
        return user.sees(said, panel)

    user.wait(moved)


def keep(user: User, name: str) -> None:
    """Keep a picture where somebody wants to look at it."""
    if directory := os.environ.get("SNAPGUI_PICTURES"):
        user.window.grab().save(str(Path(directory) / f"{name}.png"))


def test_a_chain(open_window: Open, idle_guest: Machine) -> None:
    """The figures of the text: what is frozen and why, where reads fall through to, what a first write copies."""
    qemu.io(idle_guest.disk, "write -P 1 100M 8M")
    ok(idle_guest.uri, "take", idle_guest.name, "inside", *INTERNAL)
    ok(idle_guest.uri, "take", idle_guest.name, "before-upgrade", *EXTERNAL)
    (overlay,) = idle_guest.directory.glob("*.before-upgrade.qcow2")
    qemu.io(overlay, "write -P 2 104M 16M")
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    panel = storage(user)
    top, base = cards(panel)
    assert (top.image.path, base.image.path) == (str(overlay), str(idle_guest.disk))
    user.see("takes the writes", top)
    user.see("frozen by snapshot “before-upgrade”", base)
    user.see("Inside this file: 1 snapshot", base)
    user.see("inside", base)
    assert not user.pane.storage.look.isVisible()
    point_at(user, panel, 102 * MIB, "A read falls through to")
    user.see("The first write copies the block of 64 KiB from", panel)
    assert base.lit
    assert top.lit
    keep(user, "chain")
    user.click(panel.strip, point_of(panel.strip, 110 * MIB))
    user.see(f"A read is answered by {overlay.name}", panel)
    user.see("A write goes to the same place", panel)
    assert not base.lit
    panel.strip.setFocus()
    user.key(Key.Key_End)
    user.see("Nothing was ever written here", panel)
    user.key(Key.Key_Escape)
    user.see("Point at a place of the disk", panel)


def test_a_snapshot_is_looked_at(open_window: Open, idle_guest: Machine) -> None:
    ok(idle_guest.uri, "take", idle_guest.name, "inside", *INTERNAL)
    qemu.io(idle_guest.disk, "write -P 1 100M 8M")
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    panel = storage(user)
    user.click(panel.strip, point_of(panel.strip, 101 * MIB))
    user.see("A write goes to the same place", panel)
    states = user.pane.storage.states
    assert [states.itemText(n) for n in range(states.count())] == ["Current state", "inside"]
    user.pane.select("inside")
    user.wait(lambda: user.pane.storage_frame.settled and user.sees("as it was at “inside”", panel))
    assert states.currentText() == "inside"
    panel = user.pane.storage.panels[0]
    user.see("Nobody writes here any more", panel)
    user.see("Nothing was ever written here", panel)
    assert not user.sees("takes the writes", panel)
    states.setCurrentIndex(0)
    states.activated.emit(0)
    user.wait(lambda: user.sees("takes the writes", user.pane.storage))


def test_a_running_guest(open_window: Open, guest: Machine) -> None:
    """It is not disturbed until the user wants that; then the place of what it has just written is known."""
    ok(guest.uri, "take", guest.name, "inside", *INTERNAL)
    user = open_window(guest.uri, vm=guest.uuid)
    panel = storage(user)
    user.see("The guest is running", user.pane.storage)
    assert panel.disk is not None
    assert panel.disk.blocks is None
    assert not panel.strip.isVisible()
    user.click(user.pane.storage.look)
    user.see("the guest stood still for", user.pane.storage)
    panel = user.pane.storage.panels[0]
    assert panel.strip.isVisible()
    assert panel.disk is not None
    assert panel.disk.blocks is not None
    keep(user, "running")


def test_sixty_images(open_window: Open, idle_guest: Machine) -> None:
    below = idle_guest.disk
    for number in range(59):
        below = qemu.create(idle_guest.directory / f"{number}.qcow2", 512 * MIB, base=below)
        qemu.io(below, f"write -P 1 {8 * number}M 4M")
    idle_guest.connection.defineXML(idle_guest.domain.XMLDesc(0).replace(str(idle_guest.disk), str(below)))
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    panel = storage(user)
    assert len(cards(panel)) == 5
    user.see("55 more images", panel)
    keep(user, "sixty")
    folded = next(card for card in panel.picture.cards if isinstance(card, FoldedCard))
    panel.strip.follow_at(97 * MIB)
    assert folded.lit
    user.click(next(b for b in folded.findChildren(type(user.pane.storage.look))))
    assert len(cards(panel)) == 60
    assert isinstance(panel.picture.cards[0], GuestCard)


def test_a_missing_base(open_window: Open, idle_guest: Machine) -> None:
    ok(idle_guest.uri, "take", idle_guest.name, "a", *EXTERNAL)
    idle_guest.disk.unlink()
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    panel = storage(user)
    user.see("The images could not be read", panel)
    user.see("This file is missing.", panel)
    keep(user, "missing")


def test_a_hypervisor_without_disks(web: User) -> None:
    web.key(Key.Key_3, CTRL)
    web.see("This hypervisor has no disks to look at.")
    web.key(Key.Key_1, CTRL)
    web.wait(web.graph.isVisible)
    assert web.graph.viewport().rect().contains(QPoint(1, 1))


def test_names_of_others(open_window: Open, idle_guest: Machine) -> None:
    """Markup is shown as it is, and a name of any length leaves the cards as they are."""
    idle_guest.domain.snapshotCreateXML(f"<domainsnapshot><name>{escape(LONG)}</name></domainsnapshot>", 0)
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    panel = storage(user)
    width = cards(panel)[0].width()
    user.see("Inside this file: 1 snapshot", panel)
    user.pane.select(LONG)
    user.wait(lambda: user.pane.storage_frame.settled and user.sees("as it was at “<b>bold", panel))
    panel = user.pane.storage.panels[0]
    assert cards(panel)[0].width() == width
    labels = [label for label in panel.findChildren(QLabel) if label.isVisible()]
    assert all(label.textFormat() is Qt.TextFormat.PlainText for label in labels)
    assert [label.text() for label in labels if label.width() > label.parentWidget().width()] == []
    keep(user, "names")


def test_a_vm_that_vanishes(open_window: Open, idle_guest: Machine) -> None:
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    storage(user)
    idle_guest.domain.undefine()
    user.key(Key.Key_F5)
    user.see("The virtual machine does not exist any more.")
    user.wait(user.pane.empty.isVisible)


def test_a_daemon_that_is_killed(open_window: Open, stack: Stack, guest: Machine) -> None:
    """While the view is shown, and while the guest stands still for a look: it is said, and all is well again after."""
    user = open_window(guest.uri, vm=guest.uuid)
    storage(user)
    stack.kill(stack.daemon_pid())
    user.wait(lambda: not user.window.vms_model.hosts[0].up)
    assert user.pane.storage.panels, "what was known is still to be seen"
    stack.start_daemon()
    user.wait(lambda: user.window.vms_model.hosts[0].up, 30_000)
    user.wait(lambda: user.pane.storage_frame.settled, 30_000)
    user.wait(user.pane.storage.look.isEnabled)
    user.click(user.pane.storage.look)
    user.see("the guest stood still for", user.pane.storage)


def test_from_vm_to_vm(open_window: Open, idle_guest: Machine, pretend: Callable[..., str]) -> None:
    """What was read of one VM is never shown as another's, however quickly the user goes to and fro."""
    user = open_window(idle_guest.uri, pretend(web_machines()), vm=idle_guest.uuid)
    storage(user)
    here, other = user.window.vms_model.hosts
    for _ in range(5):
        user.window.vms.choose(other, other.vms[0].uuid)
        user.window.vms.choose(here, idle_guest.uuid)
    user.wait(lambda: user.pane.storage_frame.settled)
    assert cards(user.pane.storage.panels[0])[0].image.path == str(idle_guest.disk)
    user.window.vms.choose(other, other.vms[0].uuid)
    user.see("This hypervisor has no disks to look at.")
