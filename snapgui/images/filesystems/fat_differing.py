"""Which files of two views of a FAT or exFAT filesystem may differ: columns compared with columns."""

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.fat_tree import Tree
from snapgui.images.filesystems.filesystem import Disk, Numbers
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.filesystems.unlike import unlike

_FAT_FIELDS = [11, 13, 14, 15, 16, 17, 22, 23, 24, 25]
_EXFAT_FIELDS = [4, 5, *range(8, 16), 20, 21, 22, 23]
"""Attributes, when it was made, when it was modified. Of times of the last access nothing is told."""
_SHORT_NAME = [*range(11), 12]

Mask = NDArray[np.bool_]


def differing(then: Tree, now: Tree, before: Disk, after: Disk, changed: Ranges) -> Numbers:
    """Return the numbers, sorted, of what may differ, with the directories in which a name does."""
    numbers, olds, news = np.intersect1d(then.numbers, now.numbers, return_indices=True)
    renamed = ~_same_names(then, now, olds, news)
    told = ~_same_entries(then, now, olds, news) | ~_same_rows(then, now, olds, news)
    told[~told] = _touched(now, news[~told], before, after, changed)
    gone, added = _others(then, olds), _others(now, news)
    places = [then.number_above(then.above[np.concatenate([gone, olds[renamed]])])]
    places.append(now.number_above(now.above[np.concatenate([added, news[renamed]])]))
    return np.unique(np.concatenate([numbers[told], now.numbers[added], then.numbers[gone], *places]))


def leading(tree: Tree, numbers: Numbers) -> set[int]:
    """Return the numbers of the directories in which files lie, and of all above them."""
    _, _, rows = np.intersect1d(numbers, tree.numbers, return_indices=True)
    above, found = np.unique(tree.above[rows]), [np.empty(0, np.int64)]
    while len(above):
        found.append(tree.number_above(above))
        above = np.unique(tree.above[above[above >= 0]])
    return set(np.concatenate(found).tolist())


def _others(tree: Tree, rows: Numbers) -> Numbers:
    left = np.ones(len(tree.at), dtype=bool)
    left[rows] = False
    return np.flatnonzero(left)


def _same_entries(then: Tree, now: Tree, olds: Numbers, news: Numbers) -> Mask:
    fields = _EXFAT_FIELDS if now.layout.exfat else _FAT_FIELDS
    same: Mask = (then.slots[then.at[olds]][:, fields] == now.slots[now.at[news]][:, fields]).all(axis=1)
    for old, new in ((then.sizes, now.sizes), (then.stored, now.stored)):
        same &= old[olds] == new[news]
    return same


def _same_names(then: Tree, now: Tree, olds: Numbers, news: Numbers) -> Mask:
    """Which files have the same name in the same directory in both views."""
    same: Mask = then.number_above(then.above[olds]) == now.number_above(now.above[news])
    same &= then.long[olds] == now.long[news]
    at_then, at_now, long = then.at[olds], now.at[news], now.long[news]
    if now.layout.exfat:
        same &= then.slots[at_then + 1, 3] == now.slots[at_now + 1, 3]
    else:
        short = long == 0
        these, those = then.slots[at_then[short]][:, _SHORT_NAME], now.slots[at_now[short]][:, _SHORT_NAME]
        same[short] &= (these == those).all(axis=1)
    for step in range(int(long.max(initial=0))):
        rows = np.flatnonzero(same & (long > step))
        away = 2 + step if now.layout.exfat else -1 - step
        same[rows] = (then.slots[at_then[rows] + away] == now.slots[at_now[rows] + away]).all(axis=1)
    return same


def _same_rows(then: Tree, now: Tree, olds: Numbers, news: Numbers) -> Mask:
    """Which files lie in the same places in both views."""
    counts = now.row_at[news + 1] - now.row_at[news]
    same: Mask = then.row_at[olds + 1] - then.row_at[olds] == counts
    owners = np.repeat(np.flatnonzero(same), counts[same])
    inner = np.arange(len(owners)) - np.repeat(np.cumsum(counts[same]) - counts[same], counts[same])
    these, those = then.rows[then.row_at[olds[owners]] + inner], now.rows[now.row_at[news[owners]] + inner]
    same[owners[(these != those).any(axis=1)]] = False
    return same


def _touched(tree: Tree, rows: Numbers, before: Disk, after: Disk, changed: Ranges) -> Mask:
    """Which files have content in places that differ."""
    places, lengths = tree.rows[:, 1], tree.rows[:, 2]
    asked = np.zeros(len(tree.at), dtype=bool)
    asked[rows] = True
    doubtful = np.flatnonzero(asked[tree.owners] & changed.touched(places, places + lengths))
    starts, ends = places[doubtful], (places + lengths)[doubtful]
    found = np.zeros(len(tree.at), dtype=bool)
    found[tree.owners[doubtful[unlike(before, after, starts, ends, changed)]]] = True
    touched: Mask = found[rows]
    return touched
