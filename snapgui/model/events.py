"""What a hypervisor connection tells by itself, as frozen facts."""

from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """The happenings that matter to snapshots."""

    SUSPENDED = "suspended"
    RESUMED = "resumed"
    STARTED = "started"
    STOPPED = "stopped"
    DEFINED = "defined"
    UNDEFINED = "undefined"
    MEMORY_PASS = "memory-pass"  # noqa: S105 - a pass over the RAM
    JOB_COMPLETED = "job-completed"
    METADATA = "metadata"
    OTHER = "other"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Event:
    """One happening; ``vm_uuid`` is empty where it concerns the connection, ``at`` is monotonic seconds."""

    kind: EventKind
    vm_uuid: str
    at: float
