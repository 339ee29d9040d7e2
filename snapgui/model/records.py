"""What is true about VMs and snapshots, as frozen records. Sizes are bytes, times are UTC."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class VmState(StrEnum):
    """The state of a VM, by libvirt's names."""

    RUNNING = "running"
    BLOCKED = "blocked"
    PAUSED = "paused"
    SHUTDOWN = "shutting down"
    SHUTOFF = "shutoff"
    CRASHED = "crashed"
    SUSPENDED = "pmsuspended"
    UNKNOWN = "unknown"

    @property
    def active(self) -> bool:
        """Whether a QEMU process exists for the VM."""
        return self not in {VmState.SHUTOFF, VmState.CRASHED, VmState.UNKNOWN}


class PauseReason(StrEnum):
    """Why a paused VM stands still, as far as it matters here."""

    NONE = "none"
    USER = "user"
    SAVE = "save"
    SNAPSHOT = "snapshot"
    FROM_SNAPSHOT = "from-snapshot"
    STARTING = "starting"
    IO_ERROR = "io-error"
    OTHER = "other"

    @property
    def passing(self) -> bool:
        """Whether the hypervisor itself will end this pause (a save, a start), rather than a person."""
        return self in {PauseReason.SAVE, PauseReason.SNAPSHOT, PauseReason.STARTING}


class Kind(StrEnum):
    """Where a snapshot's state lies: inside the image files, beside them, or both."""

    INTERNAL = "internal"
    EXTERNAL = "external"
    MIXED = "mixed"


class Place(StrEnum):
    """Where one disk's or the memory's state of a snapshot lies."""

    NONE = "none"
    INTERNAL = "internal"
    EXTERNAL = "external"


class KindWish(StrEnum):
    """What kind the user wants."""

    AUTO = "auto"
    INTERNAL = "internal"
    EXTERNAL = "external"


class MemoryWish(StrEnum):
    """What becomes of a running guest's RAM: saved while it runs, saved while it stands still, not saved."""

    AUTO = "auto"
    LIVE = "live"
    PAUSED = "paused"
    NONE = "none"


class Then(StrEnum):
    """What the VM does after a revert."""

    AS_TAKEN = "as-taken"
    RUNNING = "running"
    PAUSED = "paused"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Vm:
    """One virtual machine as the list shows it."""

    uuid: str
    name: str
    state: VmState
    pause: PauseReason = PauseReason.NONE
    persistent: bool = True
    snapshots: int = 0


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk of a VM's configuration."""

    target: str
    device: str = "disk"
    source: str = ""
    format: str = ""
    read_only: bool = False
    shareable: bool = False
    transient: bool = False
    snapshot: str = ""
    pool: str = ""

    @property
    def writable(self) -> bool:
        """Whether the guest can change it, so that a snapshot has to hold its state."""
        return self.device in {"disk", "lun"} and not self.read_only


@dataclass(frozen=True, slots=True)
class DiskRequest:
    """How a new snapshot is to hold one disk; ``file`` is the overlay that takes the writes from then on."""

    target: str
    place: Place
    file: str = ""


@dataclass(frozen=True, slots=True)
class ImageCopy:
    """A new image for one disk of a clone, made from ``source`` or from the snapshot ``inside`` it.

    ``made`` is the format of the new one; ``scratch`` the image that it is read from where the source has to be
    copied beside itself first.
    """

    target: str
    source: str
    format: str
    file: str
    inside: str = ""
    made: str = "qcow2"
    scratch: str = ""


@dataclass(frozen=True, slots=True)
class FileCopy:
    """A file that a clone with its snapshots has as the source has it; ``base`` is what its base is called then.

    ``memory``: it holds the RAM of a snapshot, and the VM's configuration with it.
    """

    source: str
    file: str
    base: str = ""
    memory: bool = False


@dataclass(frozen=True, slots=True)
class NewVm:
    """What is new about a clone, beside its images. ``connected``: whether its network cables are plugged in.

    ``keep_host_devices``: whether devices of the host stay in its configuration, which the source has, too.
    ``macs`` are its addresses now, ``past_macs`` (old, new) those that its snapshots know.
    """

    name: str
    uuid: str
    macs: tuple[str, ...] = ()
    nvram: str = ""
    connected: bool = True
    keep_host_devices: bool = False
    past_macs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Directory:
    """A place for files of snapshots: what lies there, how many bytes are free, and whether files can be made there.

    None for unknown.
    """

    path: str
    names: frozenset[str] | None = None
    free: int | None = None
    writable: bool | None = None


@dataclass(frozen=True, slots=True)
class Lent:
    """An image that something else reads, directly or through others: a VM, or an image that no VM uses.

    ``vm`` is the VM's name, or the path of that image; ``vm_uuid`` is empty for the latter. ``snapshot`` is set where
    only that snapshot of the VM needs it, not its current state. ``active``: whether the VM has it open now.
    """

    path: str
    vm: str
    vm_uuid: str = ""
    snapshot: str = ""
    active: bool = False


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface of a VM's configuration."""

    mac: str
    source: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a person wants to know of a domain's configuration."""

    vcpus: int = 0
    memory: int = 0
    architecture: str = ""
    machine: str = ""
    firmware: str = "bios"
    nvram: str = ""
    nvram_format: str = ""
    tpm: bool = False
    video: str = ""
    emulated: bool = False
    disks: tuple[Disk, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    blocked_devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SnapshotDisk:
    """How a snapshot holds one disk: ``source`` is the file that holds the state at that time, if known.

    ``overlay`` is the file that an external snapshot made to take the writes after it.
    """

    target: str
    place: Place
    source: str = ""
    overlay: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot. Its identity is (VM's UUID, name, creation time): libvirt reuses names."""

    name: str
    created: datetime
    parent: str | None = None
    title: str | None = None
    description: str = ""
    state: str = "shutoff"
    memory: Place = Place.NONE
    memory_file: str = ""
    disks: tuple[SnapshotDisk, ...] = ()
    safety: bool = False
    machine: Machine = Machine()

    @property
    def kind(self) -> Kind:
        """Internal, external, or mixed, over memory and disks."""
        places = {self.memory, *(disk.place for disk in self.disks)} - {Place.NONE}
        if len(places) > 1:
            return Kind.MIXED
        return Kind.EXTERNAL if places == {Place.EXTERNAL} else Kind.INTERNAL

    @property
    def label(self) -> str:
        """What the tree shows: the title where there is one, else the name."""
        return self.title or self.name

    @property
    def key(self) -> tuple[str, datetime]:
        """Identity within one VM."""
        return (self.name, self.created)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one hypervisor connection can do. ``guests_run_as``: the user and group of its QEMU, where it says so."""

    driver: str = "QEMU"
    libvirt: tuple[int, int, int] = (0, 0, 0)
    hypervisor: tuple[int, int, int] = (0, 0, 0)
    external_revert: bool = False
    host_name: str = ""
    guests_run_as: tuple[int, int] | None = None

    @property
    def is_test_driver(self) -> bool:
        """Whether this is libvirt's pretended hypervisor ``test:///``."""
        return self.driver.upper() == "TEST"
