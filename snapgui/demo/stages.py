"""What the stages of the tour are made of: the window is used as a user does, libvirt and the images are looked at."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog

from snapgui.demo.channel import GuestChannel
from snapgui.demo.errors import GuestError
from snapgui.demo.machine import DemoMachine
from snapgui.demo.pilot import Pilot
from snapgui.hypervisor import snapshots
from snapgui.hypervisor.connection import Connection
from snapgui.images.qcow2 import Qcow2Head, read_head
from snapgui.images.source import LocalFile
from snapgui.model.records import KindWish, Snapshot
from snapgui.model.tree import SnapshotTree
from snapgui.ui.jobs import Job, JobState
from snapgui.ui.main_window import MainWindow
from snapgui.ui.plan_dialogs import PlanDialog, TakeDialog

Say = Callable[[str], None]
CHECK_S = 120


class Stages:
    """Every call is made in the tour's own thread, and waits for the window."""

    def __init__(self, window: MainWindow, uri: str, machine: DemoMachine, pictures: Path, say: Say) -> None:
        self.held = False
        self._window, self._uri, self._machine, self._say = window, uri, machine, say
        self._pilot = Pilot(window, pictures)
        self._channel = GuestChannel(machine.channel)

    def check(self, what: str, held: bool) -> None:
        """Print what was looked at; raise GuestError where it does not hold."""
        if not held:
            raise GuestError(f"did not hold: {what}")
        self._say(f"  held  {what}")

    def _take(self, name: str, description: str, *, external: bool = False) -> None:
        self._agree_to_take(name, description, external=external)
        self._wait_for_job("take", picture="saving-memory")
        self._pilot.wait("the new card", lambda: name in self._window.pane.model.tree)

    def _agree_to_take(self, name: str, description: str, *, external: bool) -> None:
        self._pilot.trigger("take")
        dialog = self._pilot.dialog()
        self._pilot.write(name)
        if description:
            self._pilot.key(Qt.Key.Key_Tab)
            self._pilot.write(description)
        if external and isinstance(dialog, TakeDialog):
            self._pilot.press(dialog, "Options")
            kinds = dialog.options.kind
            self._pilot.do(lambda: kinds.setCurrentIndex(kinds.findData(KindWish.EXTERNAL.value)))
        self._pilot.picture("take-dialog")
        self._pilot.press(dialog, "Take Snapshot")

    def _delete(self, action: str) -> None:
        self._pilot.trigger(action)
        dialog = self._pilot.dialog()
        self._pilot.picture("delete-dialog")
        self._agree_to_delete(dialog)

    def _agree_to_delete(self, dialog: QDialog) -> None:
        jobs = self._window.jobs
        before = self._pilot.do(lambda: jobs.newest("delete"))
        words = self._pilot.do(dialog.verb.text) if isinstance(dialog, PlanDialog) else ""
        self._pilot.press(dialog, words)
        self._pilot.wait("the grace period", lambda: self._window.pane.messages.waiting)
        self._pilot.do(self._window.pane.messages.settle)
        self._pilot.wait("the deletion", lambda: jobs.newest("delete") is not before)
        self._wait_for_job("delete")
        self._pilot.wait("the tree without it", lambda: self._window.watcher.held is False)

    def _call_off(self, job: Job) -> None:
        """At once: a save of so small a guest takes a fraction of a second, and what is saved is not called off."""
        if not job.cancel.is_set():
            self._window.flows.cancel(job)

    def _ended(self, operation: str, name: str) -> bool:
        job = self._window.jobs.newest(operation)
        return job is not None and job.over and name in job.title

    def _overlay(self, snapshot: Snapshot) -> Path:
        return Path(next(disk.overlay for disk in snapshot.disks if disk.overlay))

    def _wait_for_job(self, operation: str, picture: str = "") -> Job:
        """Wait for the newest job to end well; take a picture in its middle."""
        jobs = self._window.jobs
        self._pilot.wait(f"the {operation}", lambda: jobs.newest(operation) is not None)
        if picture:
            self._pilot.wait("progress", lambda: self._midway(operation))
            self._pilot.picture(picture)
        self._pilot.wait(
            f"the end of the {operation}", lambda: (job := jobs.newest(operation)) is not None and job.over
        )
        job = self._pilot.do(lambda: jobs.newest(operation))
        if job is None or job.state is not JobState.DONE:
            raise GuestError(f"the {operation} ended badly: {'' if job is None else job.status()}")
        self._say(f"        {job.title}: {job.status()}")
        return job

    def _midway(self, operation: str) -> bool:
        job = self._window.jobs.newest(operation)
        progress = None if job is None else job.progress
        return job is not None and (job.over or (progress is not None and bool(progress.guest_paused_s)))

    def _dark(self) -> None:
        self._pilot.do(lambda: self._window.appearance.choose("dark"))
        self._pilot.picture("dark")
        self._pilot.do(lambda: self._window.appearance.choose("light"))

    def _healthy(self, channel: GuestChannel | None = None) -> bool:
        look = "cd /data/app && sha256sum -c -s checksums && echo well || echo ill"
        return (channel or self._channel).run(look).strip() == "well"

    def _tree(self) -> SnapshotTree:
        with Connection(self._uri) as other:
            return snapshots.read_tree(other, self._machine.uuid)

    def _read(self, name: str) -> Snapshot:
        return self._tree()[name]

    def _in_image(self) -> set[str]:
        return {entry.name for entry in self._head(self._machine.disk).snapshots}

    def _head(self, image: Path) -> Qcow2Head:
        with LocalFile(image) as file:
            return read_head(file)

    def _is_sound(self, image: Path) -> bool:
        command = ["qemu-img", "check", "-q", "-f", "qcow2", str(image)]
        return subprocess.run(command, check=False, timeout=CHECK_S, stdin=subprocess.DEVNULL).returncode == 0
