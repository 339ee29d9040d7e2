"""A disk that stops a long reading when the user has called it off."""

import threading
from dataclasses import dataclass

from snapgui.images.filesystems.section import Readable
from snapgui.model.errors import Cancelled
from snapgui.model.text import QT_TRANSLATE_NOOP


@dataclass(frozen=True, slots=True)
class Interruptible:
    """Reads another disk until ``cancel`` is set, and raises Cancelled from then on."""

    disk: Readable
    cancel: threading.Event

    @property
    def virtual_bytes(self) -> int:
        """The size of the disk."""
        return self.disk.virtual_bytes

    def read(self, start: int, length: int) -> bytes:
        """Return bytes of the disk; fewer only at its end. Raises Cancelled."""
        if self.cancel.is_set():
            raise Cancelled(QT_TRANSLATE_NOOP("errors", "Cancelled."))
        return self.disk.read(start, length)
