"""Stages of the tour that make a clone by dragging, let it run beside its source, and try to destroy its base."""

from hashlib import file_digest
from pathlib import Path

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QAbstractButton

from snapgui.demo.channel import GuestChannel
from snapgui.demo.machine import terminal_of
from snapgui.demo.pointer import why_no_pointer
from snapgui.demo.stages import Stages
from snapgui.hypervisor.connection import Connection
from snapgui.ui.clone_dialog import CloneDialog
from snapgui.ui.plan_dialogs import DeleteDialog
from snapgui.ui.protection_dialogs import IndependenceDialog

CLONE = "web02"
BASE = "live"
MARK = "/data/mark"
BOOT_S = 120.0


class Cloning(Stages):
    """From the external snapshot “live”, which there has to be."""

    _clone: GuestChannel | None = None
    _clone_uuid = ""
    _clone_image = Path()
    _frozen = ""

    def clone_by_dragging(self) -> None:
        """Drag the snapshot's card to the list of VMs: a linked clone, which copies nothing."""
        self._channel.run(f"echo before >{MARK} && sync")
        self._frozen = self._sum_of_base()
        self._pilot.wait("the end of the last banner", lambda: not self._window.pane.banner.isVisible())
        self._ask_for_clone()
        dialog = self._pilot.dialog_of(CloneDialog)
        self._pilot.write(CLONE)
        self._pilot.press(dialog, "Options")
        self._tick(dialog.options.start)
        self._pilot.picture("clone-dialog")
        self._pilot.press(dialog, "Clone")
        job = self._wait_for_job("clone")
        self._clone_uuid = job.outcome.clone_uuid if job.outcome is not None else ""
        self._clone_image = Path(job.outcome.files[0]) if job.outcome is not None else Path()
        base = self._head(self._clone_image).backing_file
        self.check(f"the clone's disk is layered on what “{BASE}” froze", base == str(self._machine.disk))
        self._pilot.wait("the clone's card", self._has_card)
        self.check("the clone hangs off the snapshot in the tree", True)
        self._pilot.picture("clone-in-the-tree")

    def _ask_for_clone(self) -> None:
        """With the real pointer where there is one, else by the menu."""
        if reason := self._pilot.do(why_no_pointer):
            self._say(f"        nothing is dragged, because {reason}: the menu makes the clone")
            self._pilot.click_node(BASE)
            self._pilot.trigger("clone")
            return
        ground = self._window.vms.viewport()
        at = self._pilot.do(lambda: QPoint(ground.width() // 2, ground.height() // 3))
        words = f"Linked clone of {self._machine.name} @ {BASE}"
        self._pilot.drag_node(BASE, ground, at, words, "dragging")
        self.check(f"dragged with the pointer, it said “{words}”", True)

    def _tick(self, box: QAbstractButton) -> None:
        self._pilot.click(box, QPoint(8, box.height() // 2))

    def run_both(self) -> None:
        """Source and clone run at once and write, each on its own."""
        clone = self._clone = GuestChannel(terminal_of(self._uri, self._clone_uuid))
        clone.wait_until_up(BOOT_S)
        self.check("the clone has started, and its application is healthy", self._healthy(clone))
        self.check("it is as the snapshot was, not as its source is now", not self._has_mark(clone))
        clone.run(f"echo clone >{MARK} && sync")
        self._channel.run(f"echo source >{MARK} && sync")
        with Connection(self._uri) as other:
            running = [other.domain(uuid).isActive() for uuid in (self._machine.uuid, self._clone_uuid)]
        self.check("both run", all(running))
        both = (self._channel.read_file(MARK).strip(), clone.read_file(MARK).strip())
        self.check(f"each has what it wrote itself ({both[0]}, {both[1]})", both == ("source", "clone"))
        self.check("what both are based on is unchanged, byte for byte", self._sum_of_base() == self._frozen)
        host = self._window.vms_model.hosts[0]
        self._pilot.do(lambda: self._window.vms.choose(host, self._clone_uuid))
        self._pilot.wait("the clone's tree", lambda: self._window.watcher.vm_uuid == self._clone_uuid)
        self._pilot.wait("its origin", lambda: self._window.pane.model.has_relatives)
        self._pilot.picture("clone")
        self._pilot.do(lambda: self._window.vms.choose(host, self._machine.uuid))
        self._pilot.wait("the source's tree", lambda: BASE in self._window.pane.model.tree)

    def protect_base(self) -> None:
        """Deleting the snapshot would destroy the clone: refused, until the clone depends on nothing."""
        memory = Path(self._read(BASE).memory_file)
        self._pilot.click_node(BASE)
        self._pilot.trigger("delete")
        dialog = self._pilot.dialog_of(DeleteDialog)
        blockers = [str(finding.text) for finding in dialog.plan.blockers] if dialog.plan is not None else []
        named = any(CLONE in text for text in blockers) and not self._pilot.do(dialog.verb.isEnabled)
        self.check(f"deleting “{BASE}” is refused, and {CLONE} is named", named)
        self._pilot.picture("protected")
        self._pilot.press(dialog, f"Make {CLONE} Independent…")
        inner = self._pilot.dialog_of(IndependenceDialog)
        self._pilot.picture("make-independent")
        self._pilot.press(inner, "Make Independent")
        self._wait_for_job("flatten")
        self.check("the clone's disk depends on nothing now", not self._head(self._clone_image).backing_file)
        self._pilot.wait("a dialog that may be agreed to", dialog.verb.isEnabled)
        self._pilot.wait("the tree without the clone", lambda: not self._has_card())
        self._pilot.picture("unprotected")
        self._agree_to_delete(dialog)
        self.check("now the snapshot is deleted", BASE not in self._tree())
        self.check("its memory file is gone", not memory.exists())
        self.check("the guest still runs well", self._healthy())
        self._look_at_clone()
        self._pilot.picture("independent")

    def _look_at_clone(self) -> None:
        clone = self._clone
        well = clone is not None and self._healthy(clone) and clone.read_file(MARK).strip() == "clone"
        self.check("and so does the clone, with what it wrote", well)
        if clone is not None:
            clone.run("sync")

    def _close_clone(self) -> None:
        if self._clone is not None:
            self._clone.close()

    def _has_mark(self, channel: GuestChannel) -> bool:
        return channel.run(f"test -e {MARK} && echo yes || echo no").strip() == "yes"

    def _sum_of_base(self) -> str:
        with self._machine.disk.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()

    def _has_card(self) -> bool:
        """Whether the clone's card hangs off the snapshot's."""
        model = self._window.pane.model
        below = model.node(model.index_of(BASE)).children
        return any(node.relative is not None and node.relative.name == CLONE for node in below)
