"""The demonstration's own menu: makes the guest do something worth going back from."""

import logging
import threading
from pathlib import Path

from PySide6.QtCore import QObject

from snapgui.demo.channel import GuestChannel
from snapgui.demo.errors import GuestError
from snapgui.ui.main_window import MainWindow
from snapgui.ui.wording import tr

BREAK = "rm -rf /data/app/data && echo 2.0-broken >/data/app/version && sync"
log = logging.getLogger(__name__)


class DemoMenu(QObject):
    """Adds itself to the menu bar of a window."""

    def __init__(self, window: MainWindow, channel: Path) -> None:
        super().__init__(window)
        self._channel = channel
        menu = window.menuBar().addMenu(tr("&Demonstration"))
        menu.addAction(tr("&Break the Guest's Application"), self.break_guest)
        window.pane.messages.say(
            tr("Take a snapshot, break the guest (menu Demonstration), then revert: its screen tells how it is.")
        )

    def break_guest(self) -> None:
        """Ruin the guest's application, in a thread of its own: the guest may take a while to answer."""
        threading.Thread(target=self._break, name="demo", daemon=True).start()

    def _break(self) -> None:
        channel = GuestChannel(self._channel)
        try:
            channel.run(BREAK)
        except GuestError as error:
            log.warning("the guest did not break: %s", error)
        finally:
            channel.close()
