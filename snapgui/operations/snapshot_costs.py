"""What each snapshot of a VM costs, and what deleting it gives back. Nothing is guessed: what cannot be known is None.

External: the overlay that it made takes the writes since then, and goes away with it; what the overlay holds and its
base does not comes down into that. Internal: by the reference counts of the image.
"""

import contextlib
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from snapgui.hypervisor import statistics, strays
from snapgui.hypervisor.connection import Connection
from snapgui.images.clusters import Clusters
from snapgui.images.internal_costs import InternalCost, internal_costs, memory_apart
from snapgui.images.layers import layer
from snapgui.images.merging import growth
from snapgui.images.qcow2 import ImageError, read_head
from snapgui.images.refcounts import Refcounts
from snapgui.images.source import ByteSource, LocalFile
from snapgui.model.errors import SnapguiError
from snapgui.model.records import Place, Snapshot, SnapshotDisk
from snapgui.model.storage import SnapshotCost
from snapgui.operations.disks_then import path_of_disk
from snapgui.operations.facts import Facts, is_missing
from snapgui.operations.image_access import base_of, lent_image

_TABLES = 16
"""Clusters that may be written in part only."""


@dataclass(slots=True)
class Counted:
    """What was read of images while no guest wrote to them: their current state, and their reference counts.

    ``inside``: bytes that snapshots alone take in each image, by its path. ``sizes``: bytes on disk of files that were
    seen only through pools that exist meanwhile.
    """

    tops: dict[str, Clusters] = field(default_factory=dict)
    counts: dict[str, Refcounts] = field(default_factory=dict)
    inside: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)


def snapshot_costs(
    connection: Connection,
    facts: Facts,
    counted: Counted,
    cancel: threading.Event | None = None,
    names: Collection[str] | None = None,
) -> tuple[SnapshotCost, ...]:
    """Return one for each snapshot, or for those of ``names``, oldest first; raises WriteCancelled when called off."""
    wanted = {snapshot.name for snapshot in facts.tree} if names is None else set(names)
    reading = _Reading(connection, facts, counted, cancel, wanted)
    with strays.seen(connection, reading.unseen()):
        return tuple(reading.cost(snapshot) for snapshot in facts.tree if snapshot.name in wanted)


def with_costs(connection: Connection, facts: Facts, names: Collection[str] | None = None) -> Facts:
    """Return facts that know what snapshots cost, as well as that can be known while a guest goes on writing."""
    return replace(facts, costs=snapshot_costs(connection, facts, Counted(), names=names))


@dataclass(frozen=True, slots=True)
class _Part:
    """What a snapshot costs in one place; None where nobody can tell."""

    own: int | None
    shared: int | None = 0
    memory: int = 0
    freed: int | None = None
    at_least: bool = False


@dataclass(slots=True)
class _Reading:
    connection: Connection
    facts: Facts
    counted: Counted
    cancel: threading.Event | None
    names: Collection[str]
    _images: dict[str, Mapping[str, InternalCost] | None] = field(default_factory=dict)
    _apart: dict[str, frozenset[str]] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)
    _chains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _current: frozenset[str] = frozenset()
    _merged: frozenset[str] = frozenset()
    _needed: dict[str, frozenset[str]] = field(default_factory=dict)
    _users: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Look up once what every snapshot is asked about.

        ``_current`` are the images that the VM writes to now, whatever its configuration calls them, ``_merged`` all
        that its current state reads; ``_needed`` what each snapshot needs, ``_users`` how many of them need an image.
        """
        facts = self.facts
        self._sizes = {**dict(facts.allocated), **dict(facts.sizes)}
        self._chains = dict(facts.chains)
        self._current = frozenset(path_of_disk(self.connection, disk) for disk in facts.machine.disks)
        self._merged = frozenset(path for disk in facts.machine.disks for path in self._chain(disk.source))
        for snapshot in facts.tree:
            held = (disk.source for disk in snapshot.disks if disk.source)
            self._needed[snapshot.name] = frozenset(path for source in held for path in self._chain(source))
            self._users.update(self._needed[snapshot.name])

    def unseen(self) -> tuple[str, ...]:
        """Return the files whose sizes nobody has told yet, though they may be there."""
        overlays = {disk.overlay for snapshot in self.facts.tree for disk in snapshot.disks}
        memories = {snapshot.memory_file for snapshot in self.facts.tree}
        every = overlays | memories | set(self._users)
        return tuple(p for p in sorted(every) if p.startswith("/") and p not in self._sizes and not self._is_missing(p))

    def cost(self, snapshot: Snapshot) -> SnapshotCost:
        parts = [self._of_disk(snapshot, held) for held in snapshot.disks if held.place is not Place.NONE]
        if snapshot.memory_file:
            size = self._taken_by(snapshot.memory_file)
            parts.append(_Part(size, 0, size or 0, size))
        at_least = any(part.at_least for part in parts)
        freed = _sum(part.freed for part in parts)
        return SnapshotCost(
            snapshot.name,
            _sum(part.own for part in parts),
            _sum(part.shared for part in parts),
            sum(part.memory for part in parts),
            None if at_least and not freed else freed,  # "at least nothing" says nothing
            at_least,
        )

    def _of_disk(self, snapshot: Snapshot, held: SnapshotDisk) -> _Part:
        if held.place is Place.EXTERNAL:
            return self._external(snapshot, held)
        known = self._inside(held.source)
        cost = None if known is None else known.get(snapshot.name)
        if cost is None:
            return _Part(None, None)
        moving = self._is_moving(held.source)
        apart = moving and snapshot.name in self._apart.get(held.source, ())
        own = max(cost.own, cost.memory) if apart else cost.own
        self.counted.inside[held.source] = self.counted.inside.get(held.source, 0) + own
        shared = None if cost.shared is None else max(0, cost.shared - (own - cost.own))
        return _Part(own, shared, cost.memory, own, moving)

    def _external(self, snapshot: Snapshot, held: SnapshotDisk) -> _Part:
        """After going back to another snapshot, the image that it froze may be needed by nothing else."""
        needed = self._chain(held.source)
        alone = [path for path in needed if path not in self._merged and not self._serves_others(path, snapshot)]
        # What was the overlay may be all that another snapshot has left.
        taken = held.overlay not in self._merged and self._serves_others(held.overlay, snapshot)
        made = 0 if taken else self._taken_by(held.overlay) if held.overlay else None
        own = _sum(iter([made, *(self._size(path) for path in alone)]))
        shared = _sum(self._size(path) for path in needed if path not in alone)
        if self._is_moving(held.overlay):  # all that it holds may come down
            return _Part(own, shared, 0, 0, at_least=True)
        comes_down = None if own is None else 0 if taken else self._comes_down(held)
        freed = None if own is None or comes_down is None else max(0, own - comes_down)
        return _Part(own, shared, 0, freed)

    def _chain(self, path: str) -> tuple[str, ...]:
        return self._chains.get(path, (path,))

    def _serves_others(self, path: str, snapshot: Snapshot) -> bool:
        return self._users[path] > (path in self._needed[snapshot.name])

    def _comes_down(self, held: SnapshotDisk) -> int | None:
        """Return how much the base grows; nothing where the overlay is not part of the current state any more."""
        if held.overlay not in self._merged:
            return 0
        try:
            with lent_image(self.connection, held.overlay) as upper:
                overlay = self.counted.tops.get(held.overlay) or Clusters(upper, "", held.overlay)
                path, kind = base_of(upper, held.overlay, "qcow2")
                if not path:
                    return None
                with lent_image(self.connection, path) as lower:
                    base = layer(lower, kind, "", path)
                    if isinstance(base, Clusters) and self._is_hollow_afar(lower, base):
                        return None
                    return growth(overlay, base, zeros=held.overlay not in self._current)
        except (ImageError, OSError, SnapguiError):
            return None

    def _is_hollow_afar(self, source: ByteSource, base: Clusters) -> bool:
        counts = None if isinstance(source, LocalFile) else Refcounts(source, base.head)
        return counts is not None and self._has_hollow_clusters(base.identity, counts)

    def _is_moving(self, path: str) -> bool:
        """Whether a guest may write to the image, and it was not read at rest: one that stands still may run on."""
        return self.facts.vm.state.active and path not in self.counted.tops and path in self._current

    def _is_missing(self, path: str) -> bool:
        return is_missing(self.facts, path)

    def _taken_by(self, path: str) -> int | None:
        """Return the bytes on disk of a file that the snapshot made; of one that is gone, none."""
        return 0 if path not in self._sizes and self._is_missing(path) else self._size(path)

    def _size(self, path: str) -> int | None:
        if path not in self._sizes:
            seen = statistics.allocated(self.connection, (path,))
            if seen is None:
                return None
            self._sizes[path] = self.counted.sizes[path] = seen
        return self._sizes[path]

    def _inside(self, path: str) -> Mapping[str, InternalCost] | None:
        if path not in self._images:
            self._images[path] = None
            with contextlib.suppress(ImageError, OSError, SnapguiError), lent_image(self.connection, path) as source:
                head = read_head(source)
                counts = self.counted.counts.get(path) or Refcounts(source, head)
                hollow = self._has_hollow_clusters(path, counts)
                if hollow and not isinstance(source, LocalFile):
                    return None
                self._images[path] = internal_costs(source, head, counts, self.names, self.cancel, hollow=hollow)
                self._apart[path] = memory_apart(source, head)
        return self._images[path]

    def _has_hollow_clusters(self, path: str, counts: Refcounts) -> bool:
        """Whether much of what the image refers to takes no room in the file, as after preallocation=metadata.

        Then the counts do not tell what would be freed. Tables are written in part only, at small cost.
        """
        allocated = statistics.allocated(self.connection, (path,))
        few = _TABLES * counts.cluster_bytes + counts.used_bytes // 50
        return bool(allocated) and counts.used_bytes - few > (allocated or 0)


def _sum(sizes: Iterator[int | None]) -> int | None:
    known = list(sizes)
    return None if None in known else sum(size for size in known if size is not None)
