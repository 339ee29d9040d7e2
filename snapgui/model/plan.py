"""A plan: what an operation will do, lose and need, as a value that can be shown, printed and compared."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from snapgui.model.adoption import Adoption
from snapgui.model.progress import Phase
from snapgui.model.records import DiskRequest, FileCopy, ImageCopy, Kind, Lent, NewVm, Then
from snapgui.model.text import Text


class Severity(StrEnum):
    """How much a finding matters."""

    BLOCKER = "blocker"
    WARNING = "warning"
    NOTE = "note"


class Remedy(StrEnum):
    """What the application itself can do about a finding."""

    START = "start"
    DISCARD_SAVED_STATE = "discard-saved-state"
    NVRAM_TO_QCOW2 = "nvram-to-qcow2"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the user should know before; ``code`` is stable for scripts, ``fix`` says what can be done.

    ``remedies`` can be carried out from here; ``leave_out`` is a disk without which the finding would not be there.
    ``clones`` are all that read the image in question, each once.
    """

    code: str
    severity: Severity
    text: Text
    fix: Text | None = None
    remedies: tuple[Remedy, ...] = ()
    leave_out: str = ""
    clones: tuple[Lent, ...] = ()


class Road(StrEnum):
    """How the images of a clone are made."""

    LAYER = "layer"
    POOL = "pool"
    LOCAL = "local"
    BACKUP = "backup"
    STREAM = "stream"
    FILES = "files"


class Verb(StrEnum):
    """What one step does to the hypervisor."""

    TAKE = "take"
    MARK = "mark"
    VERIFY = "verify"
    REVERT = "revert"
    STOP = "stop"
    CLEAN = "clean"
    DELETE = "delete"
    EDIT = "edit"
    START = "start"
    DISCARD = "discard"
    CONVERT_NVRAM = "convert-nvram"
    COPY = "copy"
    DEFINE = "define"
    CARRY = "carry"
    START_CLONE = "start-clone"
    FLATTEN = "flatten"
    ABORT_COPY = "abort-copy"
    REMOVE_FILE = "remove-file"
    REMOVE_POOL = "remove-pool"
    REMOVE = "remove"
    PAUSE = "pause"
    ADOPT = "adopt"
    FORGET = "forget"
    REMOVE_ORPHAN = "remove-orphan"
    SET_BASE = "set-base"
    SET_FORMAT = "set-format"


@dataclass(frozen=True, slots=True)
class Step:
    """One change, with the phases that will be seen and the ``virsh`` command that does the same.

    ``snapshot`` and ``created`` say which snapshot is meant: a name may be reused between planning and running.
    ``title`` and ``description`` None leave what is there. ``path`` is a file to remove or to change, ``pool`` a pool.
    ``ailment`` is the code of what a step mends, ``base`` and ``base_format`` what the image is to say then.
    """

    verb: Verb
    text: Text
    snapshot: str = ""
    created: datetime | None = None
    phases: tuple[Phase, ...] = ()
    cancellable: bool = False
    virsh: tuple[str, ...] = ()
    title: str | None = None
    description: str | None = None
    safety: bool = False
    then: Then = Then.AS_TAKEN
    force: bool = False
    reset_nvram: bool = False
    kind: Kind = Kind.INTERNAL
    memory_file: str = ""
    disks: tuple[DiskRequest, ...] = ()
    live: bool = False
    quiesce: bool = False
    road: Road = Road.LAYER
    copies: tuple[ImageCopy, ...] = ()
    files: tuple[FileCopy, ...] = ()
    new_vm: NewVm | None = None
    path: str = ""
    pool: str = ""
    paths: tuple[str, ...] = ()
    ailment: str = ""
    base: str = ""
    base_format: str = ""
    adoption: Adoption | None = None


class Operation(StrEnum):
    """What a user asks for."""

    TAKE = "take"
    REVERT = "revert"
    DELETE = "delete"
    EDIT = "edit"
    UNDO = "undo"
    MEND = "mend"
    CLONE = "clone"
    FLATTEN = "flatten"
    REMOVE_LEFTOVERS = "remove-leftovers"
    REMOVE = "remove"
    COMPARE = "compare"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything an operation is going to do. Plans with a blocker are never run. ``freed``: bytes, None unknown.

    ``target_uri`` is the hypervisor that a clone goes to, empty where it stays on that of its source.
    ``leftover`` is the number of the interrupted job whose remains are removed.
    """

    operation: Operation
    vm_uuid: str
    vm_name: str
    title: Text
    steps: tuple[Step, ...] = ()
    losses: tuple[Text, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[Text, ...] = field(default=())
    freed: int | None = None
    target_uri: str = ""
    leftover: int = 0

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """What stands in the way."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.BLOCKER)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What does not stand in the way but may surprise."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.WARNING)

    @property
    def cancellable(self) -> bool:
        """Whether some step can be called off cleanly."""
        return any(step.cancellable for step in self.steps)
