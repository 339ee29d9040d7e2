"""The writable disks of a VM in one state, each with the image that has that state."""

from collections.abc import Iterator
from dataclasses import replace

from snapgui.hypervisor import volumes
from snapgui.hypervisor.connection import Connection
from snapgui.model.records import Disk, Place, Snapshot
from snapgui.operations.facts import Facts


def disks_then(facts: Facts, snapshot: Snapshot | None) -> Iterator[tuple[Disk, Place]]:
    """Yield the disks as they are now (None), or were at a snapshot, and where it holds their state (NONE: nowhere)."""
    if snapshot is None:
        for disk in facts.machine.disks:
            if disk.writable and disk.source:
                yield disk, Place.NONE
        return
    then = {disk.target: disk for disk in snapshot.machine.disks}
    for held in snapshot.disks:
        known = then.get(held.target)
        if known is not None and known.writable and held.place is not Place.NONE:
            yield replace(known, source=held.source or known.source), held.place


def path_of_disk(connection: Connection, disk: Disk) -> str:
    """Return the path of a disk's image, also where the configuration names a pool and a volume."""
    named = disk.pool and not disk.source.startswith("/")
    return volumes.path_of(connection, disk.pool, disk.source) if named else disk.source
