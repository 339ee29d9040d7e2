"""What an operation came to, as a record and as one sentence."""

from dataclasses import dataclass

from snapgui.model.plan import Operation
from snapgui.model.records import Snapshot
from snapgui.model.text import QT_TRANSLATE_NOOP, Text

MEASURABLE_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a job. Times are seconds, sizes bytes; None means that nobody measured it."""

    operation: Operation
    vm_uuid: str
    elapsed_s: float
    snapshot: Snapshot | None = None
    safety: Snapshot | None = None
    guest_paused_s: float | None = None
    saved_bytes: int | None = None
    deleted: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    clone_uuid: str = ""
    removed: tuple[str, ...] = ()

    @property
    def text(self) -> Text:
        """One sentence for the finished job's row."""
        if self.operation is Operation.REMOVE_LEFTOVERS:
            removed = QT_TRANSLATE_NOOP("outcome", "files removed: {files}")
            nothing = QT_TRANSLATE_NOOP("outcome", "there was no file to remove")
            return removed.format(files=", ".join(self.removed)) if self.removed else nothing
        taken = self.operation is Operation.TAKE
        if taken and self.guest_paused_s is not None and self.saved_bytes:
            return QT_TRANSLATE_NOOP("outcome", "guest paused {paused} s, {size} saved in {elapsed} s").format(
                paused=_seconds(self.guest_paused_s),
                size=binary_size(self.saved_bytes),
                elapsed=_seconds(self.elapsed_s),
            )
        if self.guest_paused_s is not None and self.guest_paused_s >= MEASURABLE_PAUSE_S:
            return QT_TRANSLATE_NOOP("outcome", "guest stood still {paused} s, took {elapsed} s").format(
                paused=_seconds(self.guest_paused_s), elapsed=_seconds(self.elapsed_s)
            )
        return QT_TRANSLATE_NOOP("outcome", "took {elapsed} s").format(elapsed=_seconds(self.elapsed_s))


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value >= 0.1 else f"{value:.2f}"  # noqa: PLR2004 - one digit is enough for a person


def binary_size(size: int) -> str:
    """Return bytes as people read them, with binary units (IEC 80000-13)."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:  # noqa: PLR2004 - the step between binary units
            return f"{value:.0f} {unit}" if unit in {"B", "KiB"} or value >= 100 else f"{value:.1f} {unit}"  # noqa: PLR2004
        value /= 1024
    return f"{value:.1f} TiB"
