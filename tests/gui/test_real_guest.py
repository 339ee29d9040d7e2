"""Take, revert, delete and edit a running guest through the window: proven in the guest, on the disk and by libvirt."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from PySide6.QtWidgets import QCheckBox, QLineEdit

from snapgui.hypervisor import snapshots
from snapgui.hypervisor.connection import Connection
from snapgui.images.qcow2 import read_head
from snapgui.images.source import LocalFile
from snapgui.model.progress import LIVE_PHASES, TAKE_PHASES, Phase, Progress
from snapgui.model.records import Kind
from snapgui.model.tree import SnapshotTree
from snapgui.ui.jobs import Job
from tests.gui.conftest import Open
from tests.gui.user import CTRL, HERE, SHIFT, Key, User
from tests.stacks.machines import Machine

LONG_MS = 120_000


@dataclass
class Seen:
    """What the banner showed while a job ran."""

    phases: list[Phase] = field(default_factory=list)
    clocks: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)


def watch(user: User) -> Seen:
    """Note every report of progress, and what the banner makes of it."""
    seen = Seen()

    def on_progress(job: Job) -> None:
        progress: Progress | None = job.progress
        if progress is not None and progress.phase not in seen.phases:
            seen.phases.append(progress.phase)
        seen.statuses.append(job.status())
        seen.clocks += user.texts(user.pane.banner)

    user.window.flows.progressed.connect(on_progress)
    return seen


def take(user: User, name: str) -> Job:
    user.key(Key.Key_T, CTRL | SHIFT)
    user.dialog()
    user.type(name)
    user.key(Key.Key_Return)
    user.wait(lambda: user.window.jobs.newest("take") is not None)
    job = user.job("take", LONG_MS)
    user.wait(lambda: name in user.tree)
    return job


def tree_of(machine: Machine) -> SnapshotTree:
    with Connection(machine.uri) as other:
        return snapshots.read_tree(other, machine.uuid)


def in_image(machine: Machine) -> set[str]:
    with LocalFile(machine.disk) as image:
        return {entry.name for entry in read_head(image).snapshots}


def test_take_break_revert(open_window: Open, guest: Machine) -> None:
    user = open_window(guest.uri, vm=guest.uuid)
    user.see("No snapshots yet")
    seen = watch(user)
    job = take(user, "fresh-install")
    taken = guest.channel.counter()
    external = user.pane.model.tree["fresh-install"].kind is Kind.EXTERNAL
    phases = LIVE_PHASES if external else TAKE_PHASES
    assert [phase for phase in seen.phases if phase in phases] == list(phases)
    assert any(re.search(r"Guest paused \d+\.\d+ s", text) for text in seen.clocks), set(seen.clocks)
    assert external or any("cannot be cancelled" in text for text in seen.clocks)
    assert re.search(r"paused \d+\.\d+ s", job.status(), re.IGNORECASE), job.status()
    assert re.search(r"\d (KiB|MiB|GiB)", job.status()), job.status()
    assert user.pane.banner.isVisible(), "the truth stays for some seconds"
    assert in_image(guest) == (set() if external else {"fresh-install"})
    assert user.pane.model.index_of(None).parent().data() == "fresh-install"
    user.wait(lambda: user.pane.model.thumbnail("fresh-install") is not None)

    guest.channel.run("echo broken >/data/app/version && sync")
    user.wait(lambda: guest.channel.counter() > taken + 3, 60_000)
    before = guest.channel.counter()
    user.click_node("fresh-install")
    user.key(Key.Key_R, CTRL | SHIFT)
    dialog = user.dialog()
    assert dialog.findChild(QCheckBox).isChecked()
    safety = dialog.findChild(QLineEdit).text()
    seen.phases.clear()
    user.press("Revert")
    job = user.job("revert", LONG_MS)
    assert Phase.LOAD in seen.phases
    after = guest.channel.counter()
    assert taken - 5 <= after < before, "the counter in RAM went back"
    assert "broken" not in guest.channel.run("cat /data/app/version")
    user.wait(lambda: safety in user.tree and user.tree.current == "fresh-install")
    assert user.tree[safety].safety
    assert in_image(guest) == (set() if external else {"fresh-install", safety})
    assert re.search(r"took \d+\.\d s", job.status()), job.status()

    user.click_node(safety)
    user.key(Key.Key_Delete)
    user.dialog()
    user.press("Delete")
    user.job("delete", LONG_MS)
    user.wait(lambda: [s.name for s in user.tree] == ["fresh-install"])
    assert in_image(guest) == (set() if external else {"fresh-install"})
    assert guest.channel.counter() >= after, "the guest ran on"


def test_titles_and_descriptions_are_kept_with_the_snapshot(open_window: Open, idle_guest: Machine) -> None:
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    take(user, "base")
    user.click_node("base")
    user.key(Key.Key_F2)
    user.type("Ein <b>Titel</b>")
    user.key(Key.Key_Return)
    user.job("edit")
    user.wait(lambda: user.selected() == ["Ein <b>Titel</b>"])
    user.key(Key.Key_E, CTRL)
    user.type("why\nnot & <i>")
    user.key(Key.Key_Return, CTRL)
    user.wait(lambda: user.tree["base"].description == "why\nnot & <i>")
    kept = tree_of(idle_guest)["base"]
    assert (kept.title, kept.description) == ("Ein <b>Titel</b>", "why\nnot & <i>")


def test_another_window_sees_a_title_at_once(open_window: Open, idle_guest: Machine) -> None:
    one = open_window(idle_guest.uri, vm=idle_guest.uuid)
    take(one, "base")
    two = open_window(idle_guest.uri, vm=idle_guest.uuid)
    one.window.activateWindow()
    one.wait(one.window.isActiveWindow)
    one.click_node("base")
    one.key(Key.Key_F2)
    one.type("seen by all")
    one.key(Key.Key_Return)
    two.wait(lambda: "base" in two.tree and two.tree["base"].title == "seen by all", 3_000)


def test_actions_wait_while_a_vm_is_busy(open_window: Open, guest: Machine) -> None:
    user = open_window(guest.uri, vm=guest.uuid)
    reasons: list[str] = []

    def on_progress(_job: Job) -> None:
        reasons.append(user.window.actions_["take"].toolTip())

    user.window.flows.progressed.connect(on_progress)
    take(user, "base")
    assert any("is busy: Take “base”" in reason for reason in reasons)
    user.wait(user.window.actions_["take"].isEnabled)


def test_revert_of_a_stopped_vm(open_window: Open, idle_guest: Machine, stack: Callable[..., object]) -> None:
    user = open_window(idle_guest.uri, vm=idle_guest.uuid)
    take(user, "one")
    take(user, "two")
    user.click_node("one")
    user.key(Key.Key_R, CTRL | SHIFT)
    dialog = user.dialog()
    assert not dialog.findChild(QCheckBox).isChecked(), "nothing has been written since"
    user.press("Revert")
    user.job("revert", LONG_MS)
    user.wait(lambda: user.tree.current == "one")
    assert [s.name for s in user.tree] == ["one", "two"]
    user.click_node(HERE)
    user.see("unchanged", user.window.details)
