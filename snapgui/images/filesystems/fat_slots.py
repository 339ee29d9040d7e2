"""Files among the slots of FAT and exFAT directories: 32 bytes each, all directories of a level in one table.

Formats: as in ``fat_layout``, sections "FAT Directory Structure" and "Long File Name Implementation"; of exFAT the
specification's section 7.4.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.filesystem import Numbers

SLOT_BYTES = 32
DIRECTORY, VOLUME, LONG_NAME = 0x10, 0x08, 0x0F
_DELETED, _ATTRIBUTES, _LAST, _NUMBER = 0xE5, 0x3F, 0x40, 0xBF
_MOST_LONG = 20
_FILE, _STREAM, _NAME, _LABEL = 0x85, 0xC0, 0xC1, 0x83
_NAME_UNITS, _MOST_NAMES, _FEWEST_BEHIND = 15, 17, 2
_ITSELF = np.array([list(b".          "), list(b"..         ")], np.uint8)

Slots = NDArray[np.uint8]
"""Rows of 32 bytes."""


class Found(NamedTuple):
    """Indexes of slots that begin a file, and how many others hold its long name. ``damaged``: something is wrong."""

    at: Numbers
    long: Numbers
    damaged: bool = False


def halves(slots: Slots, at: int) -> Numbers:
    """Return a field of 16 bits of all slots."""
    return np.ascontiguousarray(slots[:, at : at + 2]).view("<u2")[:, 0].astype(np.int64)


def words(slots: Slots, at: int) -> Numbers:
    """Return a field of 32 bits of all slots."""
    return np.ascontiguousarray(slots[:, at : at + 4]).view("<u4")[:, 0].astype(np.int64)


def fat_files(slots: Slots, begins: Numbers) -> Found:
    """Return the files in FAT directories without their unused ends; ``begins``: the first slot of its directory."""
    used = (slots[:, 0] != _DELETED) & (slots[:, 11] & VOLUME == 0)
    at = np.flatnonzero(used)
    at = at[~(slots[at, None, :11] == _ITSELF).all(axis=2).any(axis=1)]
    return Found(at, _long_names(slots, at, begins[at]))


def _long_names(slots: Slots, at: Numbers, begins: Numbers) -> Numbers:
    """Return how many slots before each file are its long name: numbered backwards, with the sum of the short one."""
    sums, counts, rest = _short_sums(slots[at, :11]), np.zeros(len(at), np.int64), np.arange(len(at))
    for step in range(1, _MOST_LONG + 1):
        rest = rest[at[rest] - step >= begins[rest]]
        before = slots[at[rest] - step]
        fits = (before[:, 11] & _ATTRIBUTES == LONG_NAME) & (before[:, 0] & _NUMBER == step)
        fits &= before[:, 13] == sums[rest]
        rest, before = rest[fits], before[fits]
        last = before[:, 0] & _LAST != 0
        counts[rest[last]] = step
        rest = rest[~last]
    return counts


def _short_sums(names: Slots) -> NDArray[np.uint8]:
    found: NDArray[np.uint8] = np.zeros(len(names), np.uint8)
    for column in range(names.shape[1]):
        found = ((found << 7 | found >> 1) + names[:, column]).astype(np.uint8)
    return found


def exfat_files(slots: Slots, ends: Numbers) -> Found:
    """Return the files in exFAT directories without their unused ends; ``ends``: behind the last slot of its directory.

    Sets with a wrong sum are files, as they are for Linux; those that lack a part are none.
    """
    heads = np.flatnonzero(slots[:, 0] == _FILE)
    counts = slots[heads, 1].astype(np.int64)
    whole = (counts >= _FEWEST_BEHIND) & (heads + counts < ends[heads])
    at, counts = heads[whole], counts[whole]
    streams = slots[at + 1]
    long = -(-streams[:, 3].astype(np.int64) // _NAME_UNITS)
    whole = (streams[:, 0] == _STREAM) & (long > 0) & (long < counts)
    at, counts, long = at[whole], counts[whole], long[whole]
    named = np.ones(len(at), dtype=bool)
    for step in range(_MOST_NAMES):
        there = np.flatnonzero(long > step)
        named[there] &= slots[at[there] + 2 + step, 0] == _NAME
    at, counts, long = at[named], counts[named], long[named]
    sound = bool(np.all(_set_sums(slots, at, counts) == halves(slots[at], 2)))
    return Found(at, long, len(at) < len(heads) or not sound)


def _set_sums(slots: Slots, at: Numbers, counts: Numbers) -> NDArray[np.uint16]:
    found = np.zeros(len(at), np.uint16)
    for step in range(int(counts.max(initial=0)) + 1):
        rows = np.flatnonzero(counts >= step)
        these, sums = slots[at[rows] + step].astype(np.uint16), found[rows]
        for column in range(SLOT_BYTES):
            if step or column not in (2, 3):
                sums = ((sums << 15 | sums >> 1) + these[:, column]).astype(np.uint16)
        found[rows] = sums
    return found


def label(slots: Slots, *, exfat: bool) -> str:
    """Return the name of the volume, which stands in the uppermost directory; empty for none."""
    if exfat:
        found = slots[slots[:, 0] == _LABEL][:1].tobytes()
        return found[2 : 2 + 2 * min(11, found[1])].decode("utf-16-le", "replace") if found else ""
    marked = (slots[:, 11] & (VOLUME | DIRECTORY) == VOLUME) & (slots[:, 11] & _ATTRIBUTES != LONG_NAME)
    named: bytes = slots[marked & (slots[:, 0] != _DELETED)][:1, :11].tobytes()
    return named.decode("cp437").rstrip(" ")
