"""What was seen of a hypervisor's storage at one moment, as a value from which all that is wrong can be told.

Paths are without links and detours as far as can be seen from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from snapgui.images.qcow2 import ImageSnapshot
from snapgui.images.soundness import Trouble
from snapgui.model.records import PauseReason, Vm
from snapgui.model.tree import SnapshotTree


class FileKind(StrEnum):
    """What a file is by its beginning."""

    QCOW2 = "qcow2"
    MEMORY = "memory"
    FOREIGN = "foreign"
    PLAIN = "plain"
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class SavedMemory:
    """Of which VM a memory file is, and the images that its disks were in when it was saved, by target.

    ``whole``: libvirt wrote it to its end.
    """

    vm_uuid: str
    vm: str
    images: tuple[tuple[str, str], ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True)
class SeenFile:
    """One file. Sizes are bytes; ``length`` is that of the file, ``virtual`` of the disk in it.

    ``base`` is the path of the image below, empty for none and for what is no file; ``layered`` whether it has any.
    ``written``: some program has it open for writing. ``changed``: when it was written to last, where that is known.
    ``data_elsewhere``: the image says that its content is in another file.
    """

    path: str
    kind: FileKind
    length: int = 0
    virtual: int = 0
    layered: bool = False
    base: str = ""
    base_format: str = ""
    inside: tuple[ImageSnapshot, ...] = ()
    trouble: Trouble = Trouble.NONE
    written: bool = False
    memory: SavedMemory | None = None
    changed: datetime | None = None
    data_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class SeenDisk:
    """One disk of a VM's configuration, or of what runs now."""

    target: str
    path: str
    format: str
    writable: bool


@dataclass(frozen=True, slots=True)
class SeenVm:
    """One VM: what it starts with and runs on, its snapshots, and every path that it names anywhere.

    ``held``: some snapgui is changing it right now, or it has changed while everything was looked at.
    """

    vm: Vm
    disks: tuple[SeenDisk, ...] = ()
    tree: SnapshotTree = field(default_factory=SnapshotTree)
    named: frozenset[str] = frozenset()
    managed_save: bool = False
    held: bool = False

    @property
    def moves(self) -> bool:
        """Whether something is being done to it right now, so that what is seen may be half done."""
        return self.held or self.vm.pause in {PauseReason.SAVE, PauseReason.SNAPSHOT, PauseReason.STARTING}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was seen. ``unread`` are the names of VMs that could not be read: these may use any file.

    ``listed`` are the paths that lie in each directory that was looked through; ``missing`` those that certainly do not
    exist; ``making`` those that a job of snapgui's is making.
    """

    now: datetime
    vms: tuple[SeenVm, ...] = ()
    unread: tuple[str, ...] = ()
    files: Mapping[str, SeenFile] = field(default_factory=lambda: MappingProxyType({}))
    listed: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    missing: frozenset[str] = frozenset()
    making: frozenset[str] = frozenset()
