"""What a killed clone has left is a row of the activity: it names the files, and they can be removed from there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import libvirt
import pytest
from PySide6.QtCore import QPoint, QRectF
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QDialog

from snapgui.hypervisor.connection import Connection
from snapgui.model.plan import Operation, Plan, Step, Verb
from snapgui.model.text import Text
from snapgui.operations.history import History, Making
from snapgui.ui.jobs import Job, JobState
from snapgui.ui.jobs_panel import offer_rect
from tests.gui.conftest import Open
from tests.gui.hypervisors import Pretended, uuid_of
from tests.gui.user import Key, User, entry_of

NAME = "x-vda.qcow2"


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The image that a killed clone has made."""
    return tmp_path / NAME


@pytest.fixture
def user(open_window: Open, pretend: Callable[..., str], left: Path) -> Iterator[User]:
    """The window at the first start after the kill."""
    uri = pretend({"web01": Pretended("base*")})
    history = History()
    title = Text("test", "Full clone of <b>web01</b>")
    plan = Plan(Operation.CLONE, uuid_of("web01"), "web01", title, (Step(Verb.COPY, title),))
    job = history.begin(uri, plan)
    history.intend(job, uri, Making.FILE, str(left))
    left.write_bytes(b"x" * 4096)
    left.with_name("x-vdb.qcow2").write_bytes(b"somebody else's")
    history.close()
    yield open_window(uri, vm="web01")
    assert left.with_name("x-vdb.qcow2").read_bytes() == b"somebody else's"


def the_row(user: User) -> Job:
    jobs = user.window.jobs
    user.wait(lambda: any(jobs.job(jobs.index(row)).state is JobState.INTERRUPTED for row in range(jobs.rowCount())))
    (found,) = [job for row in range(jobs.rowCount()) if (job := jobs.job(jobs.index(row))) is not None]
    return found


def place_of(user: User, job: Job) -> QRectF:
    jobs, view = user.window.jobs, user.window.jobs_panel.list
    (row,) = [row for row in range(jobs.rowCount()) if jobs.job(jobs.index(row)) is job]
    view.scrollTo(jobs.index(row))
    return QRectF(view.visualRect(jobs.index(row)))


def ask_by_menu(user: User, job: Job) -> QDialog:
    place = place_of(user, job).center().toPoint()
    user.window.jobs_panel.list.customContextMenuRequested.emit(place)
    menu = user.menu()
    entry = entry_of(menu.actions(), "Remove what is left…")
    user.click(menu, menu.actionGeometry(entry).center())
    found: QDialog = user.dialog()
    return found


def ask_by_click(user: User, job: Job) -> QDialog:
    viewport = user.window.jobs_panel.list.viewport()
    place: QPoint = offer_rect(place_of(user, job), job.offer).center().toPoint()
    QCursor.setPos(viewport.mapToGlobal(place))
    user.click(viewport, place)
    found: QDialog = user.dialog()
    return found


@pytest.mark.parametrize("ask", [ask_by_click, ask_by_menu])
def test_the_row_names_the_file_and_removes_it(
    user: User, left: Path, ask: Callable[[User, Job], QDialog], open_window: Open
) -> None:
    job = the_row(user)
    assert (job.state, job.offer) == (JobState.INTERRUPTED, "remove")
    assert str(left) in job.status()
    dialog = ask(user, job)
    user.see(str(left), dialog)
    user.key(Key.Key_Escape)
    user.wait(lambda: user.dialogs() == [])
    assert left.exists(), "nothing is removed without a word"
    user.press("Remove", ask(user, job))
    user.job("remove-leftovers")
    assert not left.exists()
    user.wait(lambda: job.state is JobState.DONE)
    assert (job.offer, job.status().partition(" · ")[2]) == ("", "what was left of it has been removed")
    history = History()
    assert history.unsettled(job.uri) == ()
    assert [entry.outcome for entry in history.recent()] == ["done", "interrupted"]
    history.close()


def test_what_a_vm_uses_by_now_stands_in_the_way(user: User, left: Path) -> None:
    job = the_row(user)
    user.elsewhere(lambda connection: use(connection, left))
    dialog = ask_by_menu(user, job)
    user.see("is used by other", dialog)
    (button,) = [button for button in dialog.findChildren(type(dialog.verb)) if button.text() == "Remove"]
    assert not button.isEnabled()
    user.key(Key.Key_Escape)
    user.wait(lambda: user.dialogs() == [])
    assert left.exists()
    assert job.removable


def use(connection: Connection, image: Path) -> None:
    xml = f"""<domain type="test"><name>other</name><memory>16384</memory><os><type>hvm</type></os><devices>
      <disk type="file"><driver name="qemu" type="qcow2"/><source file="{image}"/><target dev="vda"/></disk>
      </devices></domain>"""
    handle: libvirt.virConnect = connection.libvirt
    handle.defineXML(xml)


def test_what_is_gone_by_itself_needs_no_dialog(user: User, left: Path) -> None:
    job = the_row(user)
    left.unlink()
    user.window.jobs_panel.asked.emit(job, "remove")
    user.wait(lambda: job.state is JobState.DONE)
    assert job.status().endswith("nothing is left of it any more")
    assert user.dialogs() == []
