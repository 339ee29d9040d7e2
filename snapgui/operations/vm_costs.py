"""What the snapshots of one VM cost all together, and where: from sizes of files and reference counts, without mapping
any disk."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from snapgui.hypervisor import volumes
from snapgui.hypervisor.connection import Connection
from snapgui.images.writer import WriteCancelled
from snapgui.model.errors import Cancelled
from snapgui.model.storage import SnapshotCost
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.facts import Facts, read_facts
from snapgui.operations.snapshot_costs import Counted, snapshot_costs
from snapgui.operations.stored import PoolShare, StoredImage


@dataclass(frozen=True, slots=True)
class VmCosts:
    """What each snapshot costs, oldest first, and what all files of the VM take in each storage pool."""

    costs: tuple[SnapshotCost, ...] = ()
    pools: tuple[PoolShare, ...] = ()

    def cost(self, name: str) -> SnapshotCost | None:
        """Return what a snapshot costs."""
        return next((cost for cost in self.costs if cost.name == name), None)

    @property
    def own(self) -> int | None:
        """Bytes that exist only because of one of the snapshots, of those that are known; None if none is."""
        known = [cost.own for cost in self.costs if cost.own is not None]
        return sum(known) if known else None

    @property
    def at_least(self) -> bool:
        """Whether it may be more than ``own``."""
        return any(cost.at_least or cost.own is None for cost in self.costs)


def read_vm_costs(connection: Connection, vm_uuid: str, cancel: threading.Event | None = None) -> VmCosts:
    """Read what the snapshots of a VM cost while its guest runs on; raises Gone, or Cancelled when called off."""
    facts, counted = read_facts(connection, vm_uuid), Counted()
    try:
        costs = snapshot_costs(connection, facts, counted, cancel)
    except WriteCancelled as error:
        raise Cancelled(QT_TRANSLATE_NOOP("errors", "Cancelled.")) from error
    return VmCosts(costs, shares(connection, facts, counted))


def pool_totals(each: Iterable[VmCosts]) -> tuple[PoolShare, ...]:
    """Return what all these VMs take in each pool."""
    sums: dict[str, tuple[int, int]] = {}
    for share in (share for costs in each for share in costs.pools):
        allocated, snapshots = sums.get(share.pool, (0, 0))
        sums[share.pool] = allocated + share.allocated, snapshots + share.snapshots
    return tuple(PoolShare(pool, *sizes) for pool, sizes in sorted(sums.items()))


def shares(
    connection: Connection, facts: Facts, counted: Counted, images: Iterable[StoredImage] = ()
) -> tuple[PoolShare, ...]:
    """Return what the VM's files take in each pool, ``images`` among them, whose pools are known already.

    Each file is counted once; what snapshots take inside an image is counted where that image lies.
    """
    files = {image.path: (image.pool, image.allocated_bytes or 0) for image in images}
    overlays = {disk.overlay for snapshot in facts.tree for disk in snapshot.disks if disk.overlay}
    memories = {snapshot.memory_file for snapshot in facts.tree if snapshot.memory_file}
    for path, size in (*facts.allocated, *facts.sizes, *counted.sizes.items()):
        if path not in files:
            files[path] = volumes.pool_of(connection, path), size
    found: dict[str, list[int]] = {}
    for path, (pool, size) in files.items():
        share = found.setdefault(pool, [0, 0])
        share[0] += size
        share[1] += size if path in overlays | memories else 0
    for path, own in counted.inside.items():
        pool = files.get(path, ("", 0))[0]
        found.setdefault(pool, [0, 0])[1] += own
    return tuple(PoolShare(pool, *sizes) for pool, sizes in sorted(found.items()))
