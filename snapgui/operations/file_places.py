"""The partitions of a VM's disks as two states have them: where each lies, and what of it may differ.

Knows nothing of filesystems.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from snapgui.images.difference import Extents
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.filesystems.section import Readable, Section
from snapgui.images.partitions import Partition, partitions
from snapgui.images.qcow2 import ImageError


@dataclass(frozen=True, slots=True)
class DiskPair:
    """One disk in both states; ``changed`` are the places of it that may differ, as (start, length) rows."""

    target: str
    before: Readable
    after: Readable
    changed: Extents


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A partition, or a disk without any, in both states; None in the one that does not have it.

    ``name`` as the guest counts (``vda1``). ``changed``: what of it may differ, None where it was moved.
    """

    name: str
    before: Section | None
    after: Section | None
    changed: Ranges | None = None


def places_of(pair: DiskPair) -> Iterator[FilePlace]:
    """Yield the partitions by number; the whole disk where neither state has a table that can be read."""
    olds, news = _partitions(pair.before), _partitions(pair.after)
    if not olds and not news:
        size = max(pair.before.virtual_bytes, pair.after.virtual_bytes)
        yield FilePlace(pair.target, Section(pair.before), Section(pair.after), _within(pair.changed, 0, size))
    for number in sorted(olds.keys() | news.keys()):
        yield _place(f"{pair.target}{number}", pair, olds.get(number), news.get(number))


def _place(name: str, pair: DiskPair, old: Partition | None, new: Partition | None) -> FilePlace:
    before = None if old is None else Section(pair.before, old.start, old.length)
    after = None if new is None else Section(pair.after, new.start, new.length)
    if old is None or new is None or old.start != new.start:
        return FilePlace(name, before, after)
    return FilePlace(name, before, after, _within(pair.changed, new.start, max(old.length, new.length)))


def _partitions(disk: Readable) -> dict[int, Partition]:
    try:
        return {each.number: each for each in partitions(disk.read, disk.virtual_bytes)}
    except (ImageError, OSError):
        return {}


def _within(changed: Extents, start: int, size: int) -> Ranges:
    """Return what may differ as places of a partition."""
    pairs = changed.copy()
    pairs[:, 0] = (changed[:, 0] - start).clip(0, size)
    pairs[:, 1] = (changed[:, 0] + changed[:, 1] - start).clip(0, size)
    return Ranges(pairs[pairs[:, 0] < pairs[:, 1]])
