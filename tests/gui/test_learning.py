"""“What is happening?” on real VMs: the right phases, the right files, and off by one click for good."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication

from snapgui.model.progress import Phase
from snapgui.model.records import KindWish
from snapgui.operations.lesson_of_revert import NEW_OVERLAY
from snapgui.operations.sketch import CLONE, GUEST, Being, Flow, Picture
from snapgui.ui.clone_dialog import CloneDialog
from snapgui.ui.jobs import Job
from snapgui.ui.learn_panel import LearnPanel
from snapgui.ui.plan_dialogs import RevertDialog, TakeDialog
from tests.gui.conftest import SIZE, Open
from tests.gui.hypervisors import uuid_of
from tests.gui.test_texts import SMALL, LongWords, assert_tidy
from tests.gui.user import CTRL, SHIFT, Key, User
from tests.images import qemu
from tests.qemu.commands import INTERNAL, ok
from tests.stacks.machines import Machine
from tests.stacks.stacks import BACKPORTS, Stack

EXTERNAL = ("--kind", "external", "--memory", "none")
LONG_MS = 120_000
LEAST_TREE = 150
Seen = list[tuple[int, Phase, str, Picture]]


def keep(user: User, name: str) -> None:
    """Keep a picture where somebody wants to look at it."""
    if directory := os.environ.get("SNAPGUI_PICTURES"):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
        user.window.grab().save(str(Path(directory) / f"{name}.png"))


@contextmanager
def watched(user: User, name: str) -> Iterator[Seen]:
    """Note what the panel shows after each report, once per phase."""
    seen: Seen = []

    def note(job: Job) -> None:
        panel, progress = user.pane.learn, job.progress
        if progress is None or job.over:
            return
        assert panel.isVisible()
        if not seen or seen[-1][:2] != (progress.step, progress.phase):
            seen.append((progress.step, progress.phase, panel.sentence.accessibleName(), panel.picture.picture))
            keep(user, f"{name}-{len(seen)}-{progress.phase}")

    user.window.flows.progressed.connect(note)
    yield seen
    user.window.flows.progressed.disconnect(note)


def phases(seen: Seen, step: int = 1) -> list[Phase]:
    return [phase for number, phase, _, _ in seen if number == step and phase is not Phase.SCREEN]


def at(seen: Seen, phase: Phase, step: int = 1) -> tuple[str, Picture]:
    """What was said and drawn in a phase."""
    return next((said, picture) for number, found, said, picture in seen if (number, found) == (step, phase))


def marks(panel: LearnPanel) -> list[str]:
    """What a screen reader says of the steps."""
    return [label.accessibleName() for label in panel.steps.labels]


def ask_to_take(user: User, name: str, kind: KindWish) -> None:
    user.key(Key.Key_T, CTRL | SHIFT)
    dialog = user.dialog()
    assert isinstance(dialog, TakeDialog)
    dialog.name.setText(name)
    dialog.options.kind.setCurrentIndex(dialog.options.kind.findData(str(kind)))
    user.key(Key.Key_Return)
    user.wait(lambda: user.window.jobs.newest("take") is not None)


def take(user: User, name: str, kind: KindWish = KindWish.AUTO) -> Job:
    """Take a snapshot by the dialog."""
    ask_to_take(user, name, kind)
    return user.job("take", LONG_MS)


def test_take_inside(open_window: Open, guest: Machine) -> None:
    ok(guest.uri, "take", guest.name, "first", *INTERNAL)
    user = open_window(guest.uri, vm=guest.uuid)
    panel = user.pane.learn
    assert not panel.isVisible()
    with watched(user, "inside") as seen:
        take(user, "second")
    assert phases(seen) == [Phase.PAUSE, Phase.CREATE, Phase.MEMORY, Phase.PROTECT, Phase.RESUME]
    said, picture = at(seen, Phase.MEMORY)
    assert said == f"CPU and RAM are written into {guest.disk.name}, beside the blocks of the disk."
    assert [arrow.flow for arrow in picture.lit_arrows] == [Flow.STATE]
    inside = picture.piece(str(guest.disk)).inside
    assert inside is not None
    assert (inside.name, inside.being) == ("second", Being.NEW)
    assert panel.isVisible(), "it stays for a while"
    assert marks(panel)[0] == "Pause: done"
    assert {mark.rpartition(": ")[2] for mark in marks(panel)} == {"done"}
    user.see("2 snapshots are kept inside it", panel)
    keep(user, "inside-end")


def test_take_beside(open_window: Open, guest: Machine) -> None:
    """The guest runs on: its memory goes to one file, its writes go to another from the moment of PROTECT on."""
    user = open_window(guest.uri, vm=guest.uuid)
    with watched(user, "beside") as seen:
        take(user, "outside", KindWish.EXTERNAL)
    (overlay,) = guest.directory.glob("*.outside.qcow2")
    (memory,) = guest.directory.glob("*.outside.mem")
    said, picture = at(seen, Phase.MEMORY)
    assert memory.name in said
    assert picture.piece(str(memory)).being is Being.NEW
    assert picture.piece(str(overlay)).being is Being.COMING
    assert writes(picture) == str(guest.disk)
    said, picture = at(seen, Phase.PROTECT)
    assert said == (
        f"{overlay.name} is put on top of {guest.disk.name}. All writes go there now, and {guest.disk.name} is not "
        "changed any more."
    )
    assert writes(picture) == str(overlay)
    card = next(card for card in user.pane.learn.picture.cards if card.piece.key == str(guest.disk))
    user.see("frozen: outside", card)
    user.see(f"writes to {overlay.name}", user.pane.learn)


def writes(picture: Picture) -> str:
    """Where the guest's writes go."""
    return next(arrow.end for arrow in picture.arrows if arrow.flow is Flow.WRITES and arrow.start == GUEST)


def test_revert_and_delete_inside(open_window: Open, idle_guest: Machine) -> None:
    ok(idle_guest.uri, "take", idle_guest.name, "first", *INTERNAL)
    qemu.io(idle_guest.disk, "write -P 1 100M 1M")
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    user.click_node("first")
    user.key(Key.Key_R, CTRL | SHIFT)
    assert isinstance(user.dialog(), RevertDialog)
    with watched(user, "revert-inside") as seen:
        user.press("Revert")
        user.job("revert", LONG_MS)
    assert {number for number, _, _, _ in seen} == {1, 2, 3}
    assert phases(seen, 2) == [Phase.CHECK]
    said, picture = at(seen, Phase.LOAD, 3)
    assert said.startswith(f"{idle_guest.disk.name} takes back what “first” keeps inside it")
    inside = picture.piece(str(idle_guest.disk)).inside
    assert inside is not None
    assert inside.name == "first"
    user.click_node("first")
    user.key(Key.Key_Delete)
    user.dialog()
    with watched(user, "delete-inside") as seen:
        user.press("Delete")
        user.job("delete", LONG_MS)
    said, picture = at(seen, Phase.DELETE)
    assert f"is taken out of {idle_guest.disk.name}" in said
    inside = picture.piece(str(idle_guest.disk)).inside
    assert inside is not None
    assert inside.being is Being.GOES


def test_revert_and_delete_beside(open_window: Open, idle_guest: Machine, stack: Stack) -> None:
    """libvirt 9.0 cannot go back to external snapshots; it deletes the last one."""
    ok(idle_guest.uri, "take", idle_guest.name, "one", *EXTERNAL)
    ok(idle_guest.uri, "take", idle_guest.name, "two", *EXTERNAL)
    (lower,), (upper,) = (idle_guest.directory.glob(f"*.{name}.qcow2") for name in ("one", "two"))
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    user.click_node("two")
    user.key(Key.Key_Delete)
    user.dialog()
    with watched(user, "delete-beside") as seen:
        user.press("Delete")
        user.job("delete", LONG_MS)
    said, picture = at(seen, Phase.DELETE)
    assert said.startswith(f"{upper.name} is merged into {lower.name}: its blocks are copied down there")
    assert [(arrow.flow, arrow.start, arrow.end) for arrow in picture.lit_arrows] == [
        (Flow.MERGES, str(upper), str(lower))
    ]
    user.see(f"writes to {lower.name}", user.pane.learn)
    assert not upper.exists()
    if stack.name != BACKPORTS:
        return
    user.wait(lambda: "two" not in user.tree)
    qemu.io(lower, "write -P 1 100M 1M")
    user.click_node("one")
    user.key(Key.Key_R, CTRL | SHIFT)
    user.dialog()
    with watched(user, "revert-beside") as seen:
        user.press("Revert")
        user.job("revert", LONG_MS)
    said, picture = at(seen, Phase.LOAD, 3)
    assert said.startswith(f"A new, empty overlay is made on {idle_guest.disk.name}")
    assert picture.piece(NEW_OVERLAY).being is Being.NEW
    user.see("writes to a new overlay", user.pane.learn)
    assert_tidy(user.pane.learn)


def test_clones(open_window: Open, idle_guest: Machine) -> None:
    ok(idle_guest.uri, "take", idle_guest.name, "base", *EXTERNAL)
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    for full, flow in ((False, Flow.FALLS), (True, Flow.COPIES)):
        name = f"clone-{flow}"
        user.click_node("base")
        user.key(Key.Key_C, CTRL | SHIFT)
        dialog = user.dialog()
        assert isinstance(dialog, CloneDialog)
        dialog.name.setText(name)
        (dialog.full if full else dialog.linked).click()
        with watched(user, name) as seen:
            user.press("Clone")
            user.job("clone", LONG_MS)
        file = next(iter(idle_guest.directory.glob(f"{name}*.qcow2")))
        said, picture = at(seen, Phase.COPY)
        assert file.name in said
        assert picture.piece(str(file)).being is Being.NEW
        assert flow in {arrow.flow for arrow in picture.lit_arrows if str(file) in {arrow.start, arrow.end}}
        said, picture = at(seen, Phase.RECORD, 2)
        assert picture.piece(CLONE).title == name
        assert_tidy(user.pane.learn)
        keep(user, f"{name}-end")


def test_off_by_one_click_and_back(open_window: Open, idle_guest: Machine) -> None:
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    take(user, "one")
    assert user.pane.learn.isVisible()
    user.press("Do Not Show This", user.pane.learn)
    assert not user.pane.learn.isVisible()
    assert not user.action("What Is Happening?").isChecked()
    take(user, "two")
    assert not user.pane.learn.isVisible()
    other = open_window(idle_guest.uri, vm=idle_guest.uuid)
    take(other, "three")
    assert not other.pane.learn.isVisible(), "remembered"
    other.choose("View", "What Is Happening?")
    take(other, "four")
    assert other.pane.learn.isVisible()
    assert user.window.settings.flag("learn", default=False)


def test_what_is_called_off(open_window: Open, guest: Machine) -> None:
    """Nothing is told of what did not come about."""
    user = open_window(guest.uri, vm=guest.uuid)
    panel = user.pane.learn

    def call_off(job: Job) -> None:
        if job.progress is not None and job.progress.phase is Phase.MEMORY and not job.cancel.is_set():
            user.window.flows.cancel(job)

    user.window.flows.progressed.connect(call_off)
    ask_to_take(user, "never", KindWish.EXTERNAL)
    user.wait(lambda: (job := user.window.jobs.newest("take")) is not None and job.over, LONG_MS)
    user.see("no file is left behind", panel)
    assert all(not card.isVisible() for card in panel.picture.cards)
    assert [mark for mark in marks(panel) if mark.endswith("did not come to its end")]
    keep(user, "called-off")


def test_it_goes_by_itself(open_window: Open, idle_guest: Machine) -> None:
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    take(user, "one")
    assert user.pane.learn.isVisible()
    user.wait(lambda: not user.pane.learn.isVisible(), 10_000)


@pytest.mark.parametrize("appearance", ["light", "dark"])
def test_in_a_small_window(open_window: Open, guest: Machine, appearance: str) -> None:
    """No picture, but phases and a sentence; the tree keeps its room."""
    user = open_window(guest.uri, vm=guest.uuid, size=SMALL)
    user.window.settings.appearance = appearance
    user.window.appearance.apply()
    with watched(user, f"small-{appearance}") as seen:
        take(user, "x", KindWish.EXTERNAL)
    assert phases(seen)
    assert_tidy(user.window)
    assert (user.window.width(), user.window.height()) == SMALL
    assert user.graph.height() >= LEAST_TREE
    assert all(not card.isVisible() for card in user.pane.learn.picture.cards)


def test_in_a_language_with_long_words(qapp: QApplication, web: User) -> None:
    words = LongWords()
    qapp.installTranslator(words)
    try:
        for size in (SMALL, SIZE):
            web.window.resize(*size)
            host = web.window.vms_model.hosts[0]
            web.window.flows.take(host, uuid_of("web01"))
            dialog = web.dialog()
            dialog.name.setText(f"{'x' * 200}{size[0]}")
            web.key(Key.Key_Return)
            web.wait(lambda: web.window.jobs.active() == [] and web.pane.learn.isVisible())
            assert_tidy(web.window)
            keep(web, f"long-{size[0]}")
            web.pane.learn.dismiss()
    finally:
        qapp.removeTranslator(words)


def test_another_vm_is_shown(web: User) -> None:
    """What is shown belongs to the shown VM."""
    take(web, "x")
    assert web.pane.learn.isVisible()
    host = web.window.vms_model.hosts[0]
    web.window.vms.choose(host, uuid_of("Empty one"))
    assert not web.pane.learn.isVisible()
