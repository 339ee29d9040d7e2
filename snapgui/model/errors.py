"""Everything that can go wrong, as the few kinds a caller can act upon.

SnapguiError
 ├── Unavailable   the hypervisor cannot be reached (not installed, not running, connection lost)
 ├── NoPermission  it can be reached and says no
 ├── Refused       the request cannot be done as asked; nothing was changed
 │    └── Risky   libvirt does it only where the user insists
 ├── Busy          something else is being done to this VM; try again later
 ├── Gone          the VM or snapshot is not there (any more)
 ├── Cancelled     the user called it off, and it was cleanly undone
 └── Broken        it failed on the way; the truth has to be read again
"""

from snapgui.model.text import QT_TRANSLATE_NOOP, Text


class SnapguiError(Exception):
    """A sentence for the user (``text``) and, apart from it, the technical ``detail``."""

    title = QT_TRANSLATE_NOOP("errors", "Something went wrong")

    def __init__(self, text: Text, detail: str = "") -> None:
        super().__init__(str(text))
        self.text = text
        self.detail = detail


class Unavailable(SnapguiError):
    """The hypervisor cannot be reached."""

    title = QT_TRANSLATE_NOOP("errors", "The hypervisor cannot be reached")


class NoPermission(SnapguiError):
    """The hypervisor does not let this user do it."""

    title = QT_TRANSLATE_NOOP("errors", "No permission")


class Refused(SnapguiError):
    """The request cannot be done as asked; nothing was changed."""

    title = QT_TRANSLATE_NOOP("errors", "This cannot be done")


class Risky(Refused):
    """libvirt calls it risky, and does it only where the user insists; nothing was changed."""

    title = QT_TRANSLATE_NOOP("errors", "This is risky")


class Busy(SnapguiError):
    """Another operation on the VM is in the way."""

    title = QT_TRANSLATE_NOOP("errors", "The VM is busy")


class Gone(SnapguiError):
    """The VM or the snapshot does not exist (any more)."""

    title = QT_TRANSLATE_NOOP("errors", "It is not there any more")


class Cancelled(SnapguiError):
    """Called off by the user, cleanly."""

    title = QT_TRANSLATE_NOOP("errors", "Cancelled")


class Broken(SnapguiError):
    """Failed on the way."""

    title = QT_TRANSLATE_NOOP("errors", "The operation failed")
