"""What a snapshot costs, in words: the card's badge, the outline's cell, sentences, and rows of the details."""

from collections.abc import Iterator

from PySide6.QtCore import QLocale

from snapgui.model.records import Snapshot
from snapgui.model.storage import SnapshotCost
from snapgui.operations.stored import PoolShare
from snapgui.operations.vm_costs import VmCosts
from snapgui.ui.wording import memory_words, size_words, tr

UNKNOWN = "–"
Row = tuple[str, str, str]
"""What it is, in words, and in bytes."""


def own_words(cost: SnapshotCost | None) -> str:
    """Return what exists only because of a snapshot; nothing where nobody can tell."""
    if cost is None or cost.own is None:
        return ""
    return _least(cost.own, at_least=cost.at_least)


def cost_sentences(cost: SnapshotCost | None) -> Iterator[str]:
    """Yield what is known about a snapshot's cost, for tooltips."""
    if cost is None:
        return
    if cost.own is not None and cost.memory:
        text = tr("{size} exist only because of it, {memory} of that as its memory.")
        yield text.format(size=own_words(cost), memory=size_words(cost.memory))
    elif cost.own is not None:
        yield tr("{size} exist only because of it.").format(size=own_words(cost))
    if cost.shared is not None:
        yield tr("{size} are needed by others, too.").format(size=size_words(cost.shared))
    if cost.freed is not None:
        freed = _least(cost.freed, at_least=cost.at_least)
        yield tr("Deleting it frees {size}.").format(size=freed)


def cost_rows(cost: SnapshotCost | None) -> Iterator[Row]:
    """Yield the rows of the details about a snapshot."""
    if cost is None:
        return
    least = cost.at_least
    for name, size, moving in (
        (tr("Own"), cost.own, least),
        (tr("Shared"), cost.shared, False),
        (tr("Deleting frees"), cost.freed, least),
    ):
        if size is not None:
            yield name, _least(size, at_least=moving), _bytes(size)


def memory_row(snapshot: Snapshot, cost: SnapshotCost | None) -> Row:
    """Return where the RAM is, and how large it is."""
    where = memory_words(snapshot)
    if cost is None or not cost.memory:
        return tr("Memory"), where, ""
    return tr("Memory"), f"{size_words(cost.memory)}, {where}", _bytes(cost.memory)


def vm_rows(costs: VmCosts) -> Iterator[Row]:
    """Yield the rows of the details about all snapshots and files of a VM."""
    if costs.own is not None:
        own = _least(costs.own, at_least=costs.at_least)
        yield tr("Snapshots"), tr("{size} of their own").format(size=own), _bytes(costs.own)
    for share in costs.pools:
        yield _pool_row(share)


def total_words(count: int, costs: VmCosts) -> str:
    """Return how many snapshots a VM has, and what they take."""
    if not count:
        return ""
    number = tr("1 snapshot") if count == 1 else tr("{count} snapshots").format(count=QLocale().toString(count))
    return number if costs.own is None else f"{number} · {_least(costs.own, at_least=costs.at_least)}"


def _pool_row(share: PoolShare) -> Row:
    where = tr("in pool {pool}").format(pool=share.pool) if share.pool else tr("in no pool")
    text = f"{size_words(share.allocated)} {where}"
    tip = _bytes(share.allocated)
    if share.snapshots:
        text = tr("{files}, snapshots {size} of that").format(files=text, size=size_words(share.snapshots))
        tip = tr("{files}, snapshots {size} of that").format(files=tip, size=_bytes(share.snapshots))
    return tr("Files"), text, tip


def _least(size: int, *, at_least: bool) -> str:
    return f"≥ {size_words(size)}" if at_least else size_words(size)


def _bytes(size: int) -> str:
    return tr("{count} bytes").format(count=QLocale().toString(size))
