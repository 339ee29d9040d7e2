"""Which blocks of a VM's disks differ between two snapshots, or a snapshot and now, from metadata alone.

What snapshots froze is read without disturbing anybody. The tables of a running VM's own image are written late, so
the guest stands still for the milliseconds in which they are read (compare.md, "A running VM"); content as it was then
is lent by QEMU.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from snapgui.hypervisor.connection import Connection
from snapgui.images.clusters import Clusters
from snapgui.images.difference import Difference, difference, exact
from snapgui.images.disk_map import disk_map
from snapgui.images.filesystems.section import Readable
from snapgui.images.layers import Layers
from snapgui.images.partitions import partitions
from snapgui.images.qcow2 import ImageError
from snapgui.images.writer import WriteCancelled
from snapgui.model.errors import Broken, Cancelled, Refused
from snapgui.model.records import Place
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations import frozen, result_cache
from snapgui.operations.block_difference import BlockDifference, Drawn
from snapgui.operations.disks_then import disks_then, path_of_disk
from snapgui.operations.facts import Facts, snapshot_of
from snapgui.operations.history import History
from snapgui.operations.image_access import layers_of
from snapgui.operations.kept_blocks import packed, unpacked
from snapgui.operations.live_view import live_view, why_not_lent
from snapgui.operations.standing_still import standing_still

MOST_TABLES = 256 * 2**20
"""Bytes of tables that are read while a guest stands still."""
Report = Callable[[str, int, int], object]


@dataclass(frozen=True, slots=True)
class DiskState:
    """Where one state of a disk lies: an image, and the snapshot ``inside`` it; ``live`` while a guest writes to it."""

    target: str
    path: str
    format: str
    inside: str = ""
    live: bool = False


def _nobody(_target: str, _done: int, _total: int) -> None:
    """Report to nobody."""


def compare_blocks(
    connection: Connection,
    facts: Facts,
    history: History,
    before: str,
    after: str | None,
    *,
    content: bool = False,
    draw: bool = False,
    report: Report = _nobody,
    cancel: threading.Event | None = None,
) -> BlockDifference:
    """Compare the snapshot ``before`` with the snapshot ``after``, or with now where that is None.

    ``content`` reads what may differ, and leaves only what does; ``report`` gets (disk, done, total) of that in bytes.
    ``draw`` also makes what a picture of each disk needs.
    Raises Gone, Refused, Cancelled, or Broken where an image cannot be read.
    """
    one, other = states_of(connection, facts, before), states_of(connection, facts, after)
    if content and (why := why_no_content(facts, after)) is not None:
        raise Refused(why)
    known: dict[str, tuple[Difference, Drawn | None]] = {}
    with (
        opened_pairs(connection, one, other) as opened,
        steady(connection, facts, history, opened, content=content) as (pairs, paused),
    ):
        wish = _Wish(connection, facts, content, draw, lasting=after is not None)
        for pair in pairs:
            known[pair.state.target] = wish.answered(pair, report, cancel)
    return BlockDifference(
        {target: found for target, (found, _) in known.items()},
        tuple(target for target in one if target not in other),
        tuple(target for target in other if target not in one),
        paused,
        {target: drawn for target, (_, drawn) in known.items() if drawn is not None},
    )


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is asked about each disk; the answer for frozen states is kept on disk."""

    connection: Connection
    facts: Facts
    content: bool
    draw: bool
    lasting: bool

    def answered(self, pair: "Pair", report: Report, cancel: threading.Event | None) -> tuple[Difference, Drawn | None]:
        """Return what differs, and what a picture needs if that is wanted."""
        key = self._key(pair) if self.lasting else None
        kept = None if key is None else result_cache.load(key)
        known = None if kept is None else unpacked(kept, draw=self.draw)
        if known is not None:
            return known
        found = pair.compared(self.content, report, cancel)
        drawn = pair.drawn(found if self.content else None, cancel) if self.draw else None
        if key is not None:
            result_cache.store(key, packed(found, drawn))
        return found, drawn

    def _key(self, pair: "Pair") -> str | None:
        known = frozen.marks(self.connection, (pair.before, pair.after))
        about = (self.connection.uri, self.facts.vm.uuid, pair.state.target, str(self.content), str(self.draw))
        return None if known is None else result_cache.key_of("blocks", (*about, *known))


@contextlib.contextmanager
def opened_pairs(
    connection: Connection, one: dict[str, DiskState], other: dict[str, DiskState]
) -> Iterator[list["Pair"]]:
    """Lend the disks that both states have; raise Broken where an image cannot be read."""
    with contextlib.ExitStack() as stack:
        yield [
            Pair(
                other[target],
                stack.enter_context(_opened(connection, one[target])),
                stack.enter_context(_opened(connection, other[target])),
            )
            for target in one
            if target in other
        ]


@contextlib.contextmanager
def steady(
    connection: Connection, facts: Facts, history: History, pairs: list["Pair"], *, content: bool
) -> Iterator[tuple[list["Pair"], float]]:
    """Lend the disks as they are at one moment, and for how many seconds a guest stood still for that.

    Without ``content`` only the tables of a running VM's image are of that moment.
    """
    live = [pair for pair in pairs if pair.state.live]

    def keep() -> None:
        for pair in live:
            pair.keep_tables()

    if live and content:
        images = {pair.state.target: pair.state.path for pair in live}
        with live_view(connection, facts, history, images, keep) as view:
            yield [replace(pair, lent=view.disks.get(pair.state.target)) for pair in pairs], view.paused_s
        return
    seconds = 0.0
    if live:
        with standing_still(connection, facts.vm.uuid, history) as pause:
            keep()
        seconds = pause.seconds
    yield pairs, seconds


def states_of(connection: Connection, facts: Facts, snapshot: str | None) -> dict[str, DiskState]:
    """Return where each writable disk's state lies, now or at a snapshot; raise Gone where there is no such one."""
    then = None if snapshot is None else snapshot_of(facts, snapshot)
    live = then is None and facts.vm.state.active
    return {
        disk.target: DiskState(
            disk.target,
            path_of_disk(connection, disk),
            disk.format,
            (snapshot or "") if place is Place.INTERNAL else "",
            live,
        )
        for disk, place in disks_then(facts, then)
    }


def why_no_content(facts: Facts, after: str | None) -> Text | None:
    """Return why the content cannot be looked at; None where it can, or where that has to be tried."""
    return None if after is not None or not facts.vm.state.active else why_not_lent(facts)


@contextlib.contextmanager
def _opened(connection: Connection, state: DiskState) -> Iterator[Layers]:
    with broken(state.target), layers_of(connection, state.path, state.format, state.inside) as layers:
        yield layers


@dataclass(frozen=True, slots=True)
class Pair:
    """One disk in both states; ``state`` is the later one. ``lent``: its content, where a guest goes on writing."""

    state: DiskState
    before: Layers
    after: Layers
    lent: Readable | None = None

    @property
    def content(self) -> Readable:
        """The later state as it can be read."""
        return self.after if self.lent is None else self.lent

    def keep_tables(self) -> None:
        """Read anew what a guest has just stopped writing to: of its own image those tables that the other has not."""
        top = self.after.layers[0]
        if not isinstance(top, Clusters):
            return
        with broken(self.state.target):
            fresh = top.again()
            same = (layer for layer in self.before.layers if layer.identity == fresh.identity)
            tables = (np.array(layer.l1, np.uint64) for layer in same if isinstance(layer, Clusters))
            known = np.concatenate([np.zeros(1, np.uint64), *tables])
            fresh.keep(np.flatnonzero(~np.isin(np.array(fresh.l1, np.uint64), known)).tolist(), MOST_TABLES)
        self.after.layers[0] = fresh
        self.after.virtual_bytes = fresh.virtual_bytes

    def compared(self, content: bool, report: Report, cancel: threading.Event | None) -> Difference:
        """Return what differs; raise Broken where a snapshot was changed meanwhile."""
        target = self.state.target
        with broken(target):
            found = difference(self.before, self.after, cancel)
            if content:
                found = exact(self.before, self.content, found, lambda done, all_: report(target, done, all_), cancel)
            self.refuse_changed()
            return found

    def refuse_changed(self) -> None:
        """Raise ImageError where a snapshot was deleted or replaced while it was read."""
        if not self.before.unchanged() or not (self.state.live or self.after.unchanged()):
            raise ImageError("a snapshot was changed while it was read")

    def drawn(self, looked: Difference | None, cancel: threading.Event | None) -> Drawn:
        """Return map and partitions; these from what nobody writes to."""
        with broken(self.state.target):
            made = disk_map(self.before, self.after, looked, cancel)
            self.refuse_changed()
        views = [self.before] if self.state.live and self.lent is None else [self.content, self.before]
        why = ""
        for view in views:
            try:
                found = partitions(view.read, view.virtual_bytes)
            except (ImageError, OSError) as error:
                why = str(error)
                continue
            if found:
                return Drawn(made, found)
        return Drawn(made, (), why)


@contextlib.contextmanager
def broken(target: str) -> Iterator[None]:
    """Say which disk could not be compared, and why."""
    try:
        yield
    except WriteCancelled as error:
        raise Cancelled(QT_TRANSLATE_NOOP("errors", "Cancelled.")) from error
    except (ImageError, OSError) as error:
        text = QT_TRANSLATE_NOOP("errors", "Disk {target} could not be compared: {reason}.")
        raise Broken(text.format(target=target, reason=str(error))) from error
