"""How far a running operation is, as far as anybody can know it."""

from dataclasses import dataclass
from enum import StrEnum

from snapgui.model.text import QT_TRANSLATE_NOOP, Text


class Phase(StrEnum):
    """What is happening right now; the first five are the phases of taking a snapshot, in order."""

    PAUSE = "pause"
    CREATE = "create"
    MEMORY = "memory"
    PROTECT = "protect"
    RESUME = "resume"
    FLUSH = "flush"
    CHECK = "check"
    STOP = "stop"
    LOAD = "load"
    START = "start"
    DELETE = "delete"
    RECORD = "record"
    SCREEN = "screen"
    COPY = "copy"

    @property
    def text(self) -> Text:
        """The phase in words."""
        return _WORDS[self]


TAKE_PHASES = (Phase.PAUSE, Phase.CREATE, Phase.MEMORY, Phase.PROTECT, Phase.RESUME)

LIVE_PHASES = (Phase.MEMORY, Phase.PAUSE, Phase.FLUSH, Phase.PROTECT, Phase.RESUME)
"""A live save: the guest stands still only at its end."""
PAUSED_PHASES = (Phase.PAUSE, Phase.CREATE, Phase.MEMORY, Phase.FLUSH, Phase.PROTECT, Phase.RESUME)
"""A save into a memory file while the guest stands still."""

_WORDS = {
    Phase.PAUSE: QT_TRANSLATE_NOOP("phase", "Pause"),
    Phase.CREATE: QT_TRANSLATE_NOOP("phase", "Create snapshot"),
    Phase.MEMORY: QT_TRANSLATE_NOOP("phase", "Save CPU + RAM"),
    Phase.PROTECT: QT_TRANSLATE_NOOP("phase", "Protect disk"),
    Phase.RESUME: QT_TRANSLATE_NOOP("phase", "Resume"),
    Phase.FLUSH: QT_TRANSLATE_NOOP("phase", "Close memory file"),
    Phase.CHECK: QT_TRANSLATE_NOOP("phase", "Check"),
    Phase.STOP: QT_TRANSLATE_NOOP("phase", "Stop guest"),
    Phase.LOAD: QT_TRANSLATE_NOOP("phase", "Load state"),
    Phase.START: QT_TRANSLATE_NOOP("phase", "Start guest"),
    Phase.DELETE: QT_TRANSLATE_NOOP("phase", "Delete"),
    Phase.RECORD: QT_TRANSLATE_NOOP("phase", "Record"),
    Phase.COPY: QT_TRANSLATE_NOOP("phase", "Copy disks"),
    Phase.SCREEN: QT_TRANSLATE_NOOP("phase", "Look at screen"),
}


@dataclass(frozen=True, slots=True)
class Progress:
    """One report. ``fraction`` None is an honest "busy"; ``estimated`` marks numbers that nobody measured exactly.

    ``step`` counts from 1 to ``of``; ``disk`` is the one that is being worked on, where that is
    known. Bytes are bytes, times are seconds.
    """

    step: int
    of: int
    phase: Phase
    text: Text
    fraction: float | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None
    estimated: bool = False
    guest_paused_s: float | None = None
    guest_is_paused: bool = False
    elapsed_s: float = 0.0
    cancellable: bool = False
    rate: int | None = None
    dirty_rate: int | None = None
    passes: int | None = None
    disk: str = ""
    phases: tuple[Phase, ...] = ()
