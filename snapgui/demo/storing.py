"""The stages of the tour that draw the three figures of a snapshot from the demonstration's own VM.

One image that the hypervisor maps the guest's blocks to; a snapshot's overlay in front of it; and one block before and
after the guest writes to it.
"""

from functools import partial

from snapgui.demo.comparing import Comparing
from snapgui.demo.errors import GuestError
from snapgui.operations.block_following import Followed, follow
from snapgui.ui.disk_panel import DiskPanel

BLOCK = 4096
"""Where the group descriptors of an ext4 filesystem lie: they change with every file that is made."""
SHOWN = 2**19
"""Bytes; eight times as many are drawn around the place that is followed."""


class Storing(Comparing):
    """Look at the storage view; go back to the graph afterwards."""

    def figure_of_blocks(self) -> None:
        """One image: every block that the guest reads or writes is looked up in it."""
        self._look_at_disks()
        followed = self._follow(BLOCK)
        self.check("one image answers and takes the writes", (followed.reads, followed.writes) == (0, 0))
        self._both_lights("figure-1")
        self._pilot.trigger("graph")
        self._channel.run("sync")  # what the guest holds back would be written right after the next snapshot

    def figure_of_copies(self) -> None:
        """An overlay in front of the image; a block before and after its first write."""
        self._look_at_disks()
        panel = self._panel()
        chain = self._pilot.do(lambda: panel.disk.chain if panel.disk is not None else ())
        self.check("the image below is frozen by “live”", [image.frozen_by for image in chain] == [(), ("live",)])
        self._pilot.do(panel.strip.release)
        self._both_lights("figure-2")
        before = self._follow(BLOCK)
        self.check(
            "the image below answers; the first write copies the block", (before.reads, before.copies) == (1, True)
        )
        self._both_lights("figure-3-before")
        self._channel.run("head -c 100000 /dev/urandom > /data/written; sync")
        self._look_at_disks()
        after = self._follow(BLOCK)
        self.check("after the write the overlay answers", (after.reads, after.copies) == (0, False))
        self._both_lights("figure-3-after")
        self._channel.run("rm /data/written; sync")
        self._pilot.trigger("graph")

    def _look_at_disks(self) -> None:
        """Have the tables read while the guest stands still for a moment."""
        page, frame = self._window.pane.storage, self._window.pane.storage_frame
        self._pilot.do(self._window.pane.banner.dismiss)
        self._pilot.do(self._window.pane.learn.dismiss)
        self._pilot.trigger("storage")
        self._pilot.do(lambda: self._window.pane.select(None))
        self._pilot.wait("the disks", lambda: frame.isVisible() and frame.settled and page.look.isEnabled())
        seen = self._pilot.do(lambda: page.storage)
        self._pilot.click(page.look)
        self._pilot.wait("what was read", lambda: page.storage is not seen and page.look.isEnabled())
        found = self._pilot.do(lambda: page.storage)
        if found is None:
            raise GuestError("The disks went away.")
        self._say(f"        the guest stood still {found.paused_s * 1000:.0f} ms for a look at its disks")

    def _follow(self, place: int) -> Followed:
        panel = self._panel()
        self._pilot.do(lambda: panel.strip.go_to(place, SHOWN))
        found = self._pilot.do(lambda: None if panel.disk is None else follow(panel.disk, place))
        if found is None:
            raise GuestError("The disk was not mapped.")
        return found

    def _panel(self) -> DiskPanel:
        return self._pilot.do(lambda: self._window.pane.storage.panels[0])

    def _both_lights(self, name: str) -> None:
        for choice in ("dark", "light"):
            self._pilot.do(partial(self._window.appearance.choose, choice))
            self._pilot.picture(f"{name}-{choice}")
