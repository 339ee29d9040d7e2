"""The texts of the tree's rows: cells of the outline, tooltips, and a screen reader's sentences."""

from enum import IntEnum

from snapgui.model.records import Snapshot
from snapgui.model.storage import SnapshotCost
from snapgui.ui.cost_words import UNKNOWN, cost_sentences, own_words
from snapgui.ui.relatives import Relative
from snapgui.ui.wording import age_words, badge_words, kind_words, moment_words, plain_tip, snapshot_state_words, tr


class Column(IntEnum):
    """The columns of the outline."""

    NAME = 0
    SIZE = 1
    WHEN = 2
    STATE = 3
    KIND = 4
    DESCRIPTION = 5


def snapshot_cell(snapshot: Snapshot, column: int, cost: SnapshotCost | None = None) -> str:
    """Return one cell of a snapshot's row."""
    return {
        Column.NAME: lambda: " ".join(snapshot.label.split()),
        Column.WHEN: lambda: age_words(snapshot.created),
        Column.STATE: lambda: snapshot_state_words(snapshot),
        Column.KIND: lambda: kind_words(snapshot.kind),
        Column.SIZE: lambda: own_words(cost) or UNKNOWN,
        Column.DESCRIPTION: lambda: " ".join(snapshot.description.split()),
    }[Column(column)]()


def snapshot_spoken(snapshot: Snapshot, cost: SnapshotCost | None = None, *, current: bool) -> str:
    """Return a screen reader's sentence; it begins with the snapshot's name."""
    parts = [snapshot.name, snapshot.title or "", age_words(snapshot.created), snapshot_state_words(snapshot)]
    parts += [kind_words(snapshot.kind), tr("current") if current else ""]
    own = own_words(cost)
    parts.append(tr("{size} of its own").format(size=own) if own else "")
    return ", ".join(part for part in parts if part)


def snapshot_tip(snapshot: Snapshot, cost: SnapshotCost | None = None) -> str:
    """Return a snapshot's tooltip: plain text, with the moment in full."""
    lines = [snapshot.label, snapshot.name if snapshot.title else "", moment_words(snapshot.created)]
    lines += [f"{badge_words(snapshot)} · {kind_words(snapshot.kind)}", *cost_sentences(cost)]
    lines.append(snapshot.description[:500])
    return plain_tip("\n".join(line for line in lines if line))


def relative_cell(relative: Relative, column: int) -> str:
    """Return one cell of the row of a clone, an image without a VM, or an origin."""
    name = relative.spoken if relative.leads_here else relative.title
    return {Column.NAME: name, Column.STATE: relative.state, Column.KIND: relative.kind}.get(Column(column), "")
