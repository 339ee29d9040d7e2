"""What is known about how a VM's disks are stored: the chain of images of each, and what every snapshot costs."""

from dataclasses import dataclass

from snapgui.images.block_map import BlockMap
from snapgui.model.storage import SnapshotCost
from snapgui.model.text import Text


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One image of a chain. Sizes are bytes, None where they cannot be known.

    ``serves_bytes``: of the disk, what a read is answered with by this image. ``backing`` and ``backing_format`` as
    they are recorded in it. ``frozen_by``: snapshots of the VM that need it as it is; ``clones``: other VMs that read
    it; ``internal_snapshots``: what lies inside it. ``there`` is False where the file does not exist.
    """

    path: str
    format: str = ""
    virtual_bytes: int | None = None
    allocated_bytes: int | None = None
    serves_bytes: int | None = None
    cluster_bytes: int = 0
    backing: str = ""
    backing_format: str = ""
    pool: str = ""
    frozen_by: tuple[str, ...] = ()
    clones: tuple[str, ...] = ()
    internal_snapshots: tuple[str, ...] = ()
    there: bool = True


@dataclass(frozen=True, slots=True)
class StoredDisk:
    """One disk: ``chain`` from the image that is read first to its last base.

    ``blocks`` says which of them answers where; None where that was not looked at, or ``problem`` says why it could
    not. ``inside`` is the internal snapshot that is looked at, ``written`` whether writes go to the first image.
    """

    target: str
    capacity: int
    chain: tuple[StoredImage, ...]
    blocks: BlockMap | None = None
    problem: Text | None = None
    inside: str = ""
    written: bool = True


@dataclass(frozen=True, slots=True)
class PoolShare:
    """What the files of one VM take in a storage pool (an empty name: in none), and its snapshots of that. Bytes."""

    pool: str
    allocated: int
    snapshots: int


@dataclass(frozen=True, slots=True)
class Storage:
    """The disks and snapshots of one VM. ``snapshot`` is the one that was looked at, None for the current state.

    ``paused_s``: for how many seconds the guest stood still for it.
    """

    disks: tuple[StoredDisk, ...]
    costs: tuple[SnapshotCost, ...] = ()
    pools: tuple[PoolShare, ...] = ()
    snapshot: str | None = None
    paused_s: float = 0.0

    def disk(self, target: str) -> StoredDisk | None:
        """Return a disk by its target."""
        return next((disk for disk in self.disks if disk.target == target), None)

    def cost(self, name: str) -> SnapshotCost | None:
        """Return what a snapshot costs."""
        return next((cost for cost in self.costs if cost.name == name), None)
