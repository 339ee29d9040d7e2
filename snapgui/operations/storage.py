"""How the disks of a VM are stored, and what every snapshot costs: from the tables of the images alone.

What snapshots froze is read without disturbing anybody. A running VM writes the tables of its own image late
(compare.md, "A running VM"): to map that, the guest stands still for the milliseconds in which they are read, or it is
not mapped.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace

from snapgui.hypervisor import statistics, volumes
from snapgui.hypervisor.connection import Connection
from snapgui.images.block_map import BlockMap, block_map
from snapgui.images.clusters import Clusters
from snapgui.images.layers import Layers
from snapgui.images.qcow2 import ImageError
from snapgui.images.refcounts import Refcounts
from snapgui.images.writer import WriteCancelled
from snapgui.model.errors import Cancelled, SnapguiError
from snapgui.model.lineage import Lineage
from snapgui.model.records import Place, VmState
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.bases import canonical
from snapgui.operations.compare_blocks import MOST_TABLES, DiskState, states_of
from snapgui.operations.facts import Facts, is_missing
from snapgui.operations.history import History
from snapgui.operations.image_access import layers_of
from snapgui.operations.snapshot_costs import Counted, snapshot_costs
from snapgui.operations.standing_still import standing_still
from snapgui.operations.stored import Storage, StoredDisk, StoredImage
from snapgui.operations.vm_costs import shares

Cancel = threading.Event | None


def read_storage(
    connection: Connection,
    facts: Facts,
    lineage: Lineage,
    history: History,
    snapshot: str | None = None,
    *,
    still: bool = True,
    cancel: Cancel = None,
) -> Storage:
    """Return how the disks are stored, now or at a snapshot, and what the snapshots cost.

    ``still``: a running guest may be made to stand still for a moment; else its own image is not mapped, and what its
    snapshots cost is "at least". Raises Gone, Busy, Refused, or Cancelled; what cannot be read is said in the result.
    """
    states = states_of(connection, facts, snapshot)
    counted = Counted()
    with contextlib.ExitStack() as stack:
        looks = [_Look(connection, facts, state, stack) for state in states.values()]
        moving = [look for look in looks if look.moving]
        seconds = 0.0
        if moving and (still or _stands(facts)):
            with standing_still(connection, facts.vm.uuid, history) as pause:
                for look in moving:
                    look.keep()
            seconds = pause.seconds
        try:
            disks = tuple(look.stored(lineage, snapshot, counted, cancel) for look in looks)
            costs = snapshot_costs(connection, facts, counted, cancel)
        except WriteCancelled as error:
            raise Cancelled(QT_TRANSLATE_NOOP("errors", "Cancelled.")) from error
    pools = shares(connection, facts, counted, (image for disk in disks for image in disk.chain))
    return Storage(disks, costs, pools, snapshot, seconds)


def _stands(facts: Facts) -> bool:
    """Whether somebody has made the guest stand still, so that nobody has to be asked for that."""
    return facts.vm.state is VmState.PAUSED and not facts.vm.pause.passing


class _Look:
    """One disk while its images are open. ``moving``: a guest writes to tables of it that were not read at rest."""

    def __init__(self, connection: Connection, facts: Facts, state: DiskState, stack: contextlib.ExitStack) -> None:
        self._connection, self._facts, self._state = connection, facts, state
        self._problem: Text | None = None
        self._layers: Layers | None = None
        self._refcounts: Refcounts | None = None
        try:
            self._layers = stack.enter_context(layers_of(connection, state.path, state.format, state.inside))
        except (ImageError, OSError, SnapguiError) as error:
            self._problem = _unreadable(error)
        self.moving = state.live and self._top is not None

    @property
    def _top(self) -> Clusters | None:
        top = self._layers.layers[0] if self._layers is not None else None
        return top if isinstance(top, Clusters) else None

    def keep(self) -> None:
        """Read what a guest has just stopped writing to."""
        if self._layers is None or self._top is None:
            return
        try:
            fresh = self._top.again()
            fresh.keep([number for number, offset in enumerate(fresh.l1) if offset], MOST_TABLES)
            self._layers.layers[0], self._layers.virtual_bytes = fresh, fresh.virtual_bytes
            self._count(fresh)
        except (ImageError, OSError) as error:
            self._problem = _unreadable(error)
        self.moving = False

    def _count(self, top: Clusters) -> None:
        if top.head.snapshots and self._refcounts is None:
            with contextlib.suppress(ImageError):  # then nobody can tell what its snapshots share
                self._refcounts = Refcounts(top.source, top.head)

    def stored(self, lineage: Lineage, snapshot: str | None, counted: Counted, cancel: Cancel) -> StoredDisk:
        """Return the chain, and the map where the images were at rest."""
        blocks = self._blocks(cancel) if self._problem is None and not self.moving else None
        if blocks is not None and self._top is not None and not self._state.inside:
            counted.tops[self._state.path] = self._top
            if self._refcounts is not None:
                counted.counts[self._state.path] = self._refcounts
        chain = tuple(self._images(lineage))
        if blocks is not None:
            chain = tuple(replace(i, serves_bytes=size) for i, size in zip(chain, blocks.serves(), strict=True))
        capacity = 0 if self._layers is None else self._layers.virtual_bytes
        written = snapshot is None
        return StoredDisk(self._state.target, capacity, chain, blocks, self._problem, self._state.inside, written)

    def _blocks(self, cancel: Cancel) -> BlockMap | None:
        if self._layers is None:
            return None
        try:
            if self._top is not None and not self._state.inside:
                self._count(self._top)
            return self._unless_changed(self._layers, block_map(self._layers, self._refcounts, cancel))
        except (ImageError, OSError) as error:
            self._problem = _unreadable(error)
            return None

    def _unless_changed(self, layers: Layers, found: BlockMap) -> BlockMap | None:
        frozen = layers.layers[1:] if self._state.live else layers.layers
        if all(layer.unchanged() for layer in frozen):
            return found
        self._problem = QT_TRANSLATE_NOOP("storage", "An image was changed while it was read; look again.")
        return None

    def _images(self, lineage: Lineage) -> Iterator[StoredImage]:
        if self._layers is None:
            yield from self._images_by_name(lineage)
            return
        layers = self._layers.layers
        formats = [self._state.format, *(layer.head.backing_format for layer in layers if isinstance(layer, Clusters))]
        for layer, kind in zip(layers, formats, strict=False):
            image = self._image(lineage, layer.identity, kind or "raw")
            if isinstance(layer, Clusters):
                head = layer.head
                image = replace(
                    image,
                    cluster_bytes=head.cluster_bytes,
                    backing=head.backing_file,
                    backing_format=head.backing_format,
                    internal_snapshots=tuple(entry.name for entry in head.snapshots),
                )
            yield replace(image, virtual_bytes=layer.virtual_bytes)

    def _images_by_name(self, lineage: Lineage) -> Iterator[StoredImage]:
        """The chain as far as it is known, where it cannot be read as a whole."""
        for number, path in enumerate(dict(self._facts.chains).get(self._state.path, (self._state.path,))):
            known = lineage.images.get(canonical(self._connection, path))
            kind = self._state.format if number == 0 else "" if known is None else known.format
            yield replace(self._image(lineage, path, kind), there=not is_missing(self._facts, path))

    def _image(self, lineage: Lineage, path: str, kind: str) -> StoredImage:
        real = canonical(self._connection, path)
        clones = lineage.clones_on((real,), self._facts.vm.uuid).get(real, ())
        return StoredImage(
            path,
            kind,
            allocated_bytes=statistics.allocated(self._connection, (path,)),
            pool=volumes.pool_of(self._connection, path),
            frozen_by=tuple(self._freezing(real)),
            clones=clones,
        )

    def _freezing(self, real: str) -> Iterator[str]:
        for snapshot in self._facts.tree:
            held = (disk.source for disk in snapshot.disks if disk.place is Place.EXTERNAL)
            if any(canonical(self._connection, source) == real for source in held):
                yield snapshot.name


def _unreadable(error: Exception) -> Text:
    text = QT_TRANSLATE_NOOP("storage", "The images could not be read: {reason}.")
    reason = error.text if isinstance(error, SnapguiError) else str(error)
    return text.format(reason=str(reason).rstrip("."))
