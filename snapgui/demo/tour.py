"""The unattended tour: take, break, take, revert, look whether the guest really went back. Later work adds stages."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from snapgui.demo.errors import GuestError
from snapgui.demo.hypervisor import DemoMachine
from snapgui.demo.menu import BREAK
from snapgui.demo.stages import Say
from snapgui.demo.storing import Storing
from snapgui.hypervisor import snapshots
from snapgui.hypervisor.connection import Connection
from snapgui.ui.application import make_application
from snapgui.ui.main_window import make_window


def run_tour(uri: str, machine: DemoMachine, pictures: Path, say: Say) -> bool:
    """Drive a real window through all stages; return whether everything that was looked at held."""
    application = make_application()
    window = make_window(machine.uuid)
    window.resize(1440, 900)
    window.show()
    window.connections.open(uri)
    tour = Tour(window, uri, machine, pictures, say)
    guide = threading.Thread(target=tour.walk, name="tour", daemon=True)
    guide.start()
    application.exec()
    guide.join()
    return tour.held


class Tour(Storing):
    """The stages, in the order in which they are walked, in a thread of their own."""

    def walk(self) -> None:
        """Walk through all stages; ``held`` is true afterwards only if every check did."""
        try:
            for stage in self._stages():
                stage()
            self.held = True
        except GuestError as error:
            self._say(f"FAILED  {error}")
            self._pilot.picture("failed")
        finally:
            self._channel.close()
            self._close_clone()
            self._pilot.do(self._leave)

    def _leave(self) -> None:
        self._window.close()
        QApplication.quit()

    def _stages(self) -> tuple[Callable[[], None], ...]:
        """An order that the oldest supported libvirt allows: it takes external snapshots, but reverts to no one."""
        inside = (self.arrive, self.take_first, self.break_it, self.revert, self.undo, self.revert, self.follow_virsh)
        asked = (self.compare_upgrade,)
        drawn = (self.figure_of_blocks, self.take_live, self.figure_of_copies)
        outside = (self.cancel_a_save, self.clone_by_dragging, self.run_both, self.protect_base)
        return (*inside, *asked, self.delete_one, self.delete_rest, *drawn, *outside, self.look_at_images)

    # stages

    def arrive(self) -> None:
        """The VM is there and has no snapshot."""
        pane = self._window.pane
        self._pilot.trigger("graph")  # a tour that was broken off may have ended in another view
        self._pilot.wait("the VM", lambda: self._window.watcher.known is not None)
        self._pilot.wait("the invitation", lambda: pane.empty.isVisible() and pane.empty.title == "No snapshots yet")
        self._pilot.picture("no-snapshots")
        self.check("the guest's application is healthy", self._healthy())

    def take_first(self) -> None:
        """Take "fresh install" and watch its RAM being saved."""
        before = self._channel.counter()
        self._take("fresh install", "A working system.\nCome back here when something breaks.")
        self._counter_taken = self._channel.counter()
        snapshot = self._read("fresh install")
        self.check("libvirt has the snapshot, with memory", snapshot.memory.value == "internal")
        self.check("the disk image holds it", "fresh install" in self._in_image())
        self.check(f"the counter in RAM went on ({before} → {self._counter_taken})", self._counter_taken > before)
        self._pilot.picture("fresh-install")

    def break_it(self) -> None:
        """The guest ruins itself; take a snapshot of the ruin."""
        self._channel.run(BREAK)
        self.check("the guest has broken itself", not self._healthy())
        time.sleep(2.0)
        self._take("broken upgrade", "")
        self._pilot.picture("broken")

    def revert(self) -> None:
        """Go back, with a safety snapshot of what is lost."""
        jobs = self._window.jobs
        earlier = self._pilot.do(lambda: jobs.newest("revert"))
        before = self._channel.counter()
        journal = len(self._channel.read_file("/data/journal.log").splitlines())
        self._pilot.click_node("fresh install")
        self._pilot.trigger("revert")
        dialog = self._pilot.dialog()
        self._pilot.picture("revert-dialog")
        self._pilot.measure(True)
        self._pilot.press(dialog, "Revert")
        self._pilot.wait("the revert", lambda: jobs.newest("revert") is not earlier)
        self._wait_for_job("revert", picture="reverting")
        self._pilot.measure(False)
        after = self._channel.counter()
        self.check(f"the counter in RAM is back ({before} → {after})", self._counter_taken - 5 <= after < before)
        self.check("the files on the disk are back", self._healthy())
        now = len(self._channel.read_file("/data/journal.log").splitlines())
        self.check(f"the journal on the disk is back ({journal} → {now} lines)", now < journal)
        tree = self._tree()
        self.check("the current snapshot is “fresh install”", tree.current == "fresh install")
        safety = [found for found in tree if found.safety]
        self.check(
            "what was lost is kept in a safety snapshot", len(safety) == 1 and safety[0].name in self._in_image()
        )
        self._pilot.wait("the tree", lambda: self._window.pane.model.tree.current == "fresh install")
        self._pilot.picture("reverted")

    def undo(self) -> None:
        """Undo the revert: the ruin is back, and the safety snapshot is gone."""
        self._pilot.trigger("undo_revert")
        dialog = self._pilot.dialog()
        self._pilot.picture("undo-dialog")
        self._pilot.press(dialog, "Undo the Revert")
        self._wait_for_job("undo")
        self.check("the undone revert brought the broken state back", not self._healthy())
        self.check("the safety snapshot is gone", not [found for found in self._tree() if found.safety])
        self._pilot.wait("the tree", lambda: not any(found.safety for found in self._window.pane.model.tree))

    def follow_virsh(self) -> None:
        """A snapshot that another program takes appears by itself; a title is given in place."""
        with Connection(self._uri) as other:
            snapshots.take_internal(other, self._machine.uuid, "taken elsewhere", "")
            began = time.monotonic()
            self._pilot.wait("the other's snapshot", lambda: "taken elsewhere" in self._window.pane.model.tree, 3.0)
        self.check(f"it was seen {time.monotonic() - began:.1f} s after another program took it", True)
        self._pilot.click_node("taken elsewhere")
        self._pilot.trigger("rename")
        self._pilot.key(Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        self._pilot.write("a <b>title</b>")
        self._pilot.key(Qt.Key.Key_Return)
        self._wait_for_job("edit")
        self.check("its title is kept with the snapshot", self._read("taken elsewhere").title == "a <b>title</b>")
        self._pilot.trigger("outline")
        self._pilot.picture("outline")
        self._pilot.trigger("graph")
        self._dark()

    def delete_one(self) -> None:
        """Delete the ruin."""
        self._pilot.click_node("broken upgrade")
        self._delete("delete")
        self.check("the deleted snapshot is gone from libvirt", "broken upgrade" not in self._tree())
        self.check("and from the disk image", "broken upgrade" not in self._in_image())
        self.check("the guest still runs well", self._healthy())
        gap = self._pilot.do(lambda: self._pilot.longest_gap_s)
        self._say(f"        the window's longest gap between two ticks during the reverts: {gap * 1000:.0f} ms")
        self._pilot.picture("tidy")

    def delete_rest(self) -> None:
        """Delete all the rest: kinds are not mixed."""
        self._pilot.click_node("fresh install")
        self._delete("delete_children")
        self.check("no snapshot is left in the image", not self._in_image())

    def take_live(self) -> None:
        """Take an external snapshot while the guest runs on."""
        self._take("live", "", external=True)
        snapshot = self._read("live")
        self.check("the memory lies in a file of its own", Path(snapshot.memory_file).exists())
        self.check("the guest writes into a new overlay", self._overlay(snapshot).exists())
        self._pilot.picture("live")

    def cancel_a_save(self) -> None:
        """Call a save off: the guest runs on, and nothing is left."""
        before = set(self._machine.disk.parent.iterdir())
        progressed = self._window.flows.progressed
        self._pilot.do(lambda: progressed.connect(self._call_off))
        self._agree_to_take("never", "", external=True)
        self._pilot.wait("the cancelled save", lambda: self._ended("take", "never"))
        self._pilot.do(lambda: progressed.disconnect(self._call_off))
        self.check("the cancelled snapshot does not exist", "never" not in self._tree())
        self.check("the cancelled save left no file", set(self._machine.disk.parent.iterdir()) == before)
        counter = self._channel.counter()
        time.sleep(0.5)
        self.check("the guest runs on", self._channel.counter() > counter)
        self._pilot.picture("cancelled")

    def look_at_images(self) -> None:
        """Switch both guests off, and look whether their images are sound."""
        self._channel.run("sync")
        with Connection(self._uri) as other:
            for uuid in (self._machine.uuid, self._clone_uuid):
                other.domain(uuid).destroy()
        self.check("qemu-img finds the image sound", self._is_sound(self._machine.disk))
        self.check("and that of the clone", self._is_sound(self._clone_image))
