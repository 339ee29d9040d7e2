"""The partitions and LVM volumes of a VM's disks as two states have them: where each lies, and what of it may differ.

Knows nothing of filesystems.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from snapgui.images.difference import Extents
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.filesystems.section import Readable, Section
from snapgui.images.lvm import PhysicalVolume, logical_volumes, physical_volume
from snapgui.images.lvm_volumes import Assembled, LogicalVolume
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

    ``name`` as the guest counts (``vda1``), or of a volume (``group/volume``). ``changed``: what of it may differ, None
    where it was moved. ``problem`` says why it cannot be read at all.
    """

    name: str
    before: Section | None
    after: Section | None
    changed: Ranges | None = None
    problem: str = ""


def places_of(pair: DiskPair) -> Iterator[FilePlace]:
    """Yield the partitions by number; the whole disk where neither state has a table, or one cannot be read."""
    try:
        olds, news = _partitions(pair.before), _partitions(pair.after)
    except (ImageError, OSError) as error:
        yield FilePlace(pair.target, None, None, problem=str(error))
        return
    if not olds and not news:
        size = max(pair.before.virtual_bytes, pair.after.virtual_bytes)
        yield FilePlace(pair.target, Section(pair.before), Section(pair.after), _within(pair.changed, 0, size))
    for number in sorted(olds.keys() | news.keys()):
        yield _place(f"{pair.target}{number}", pair, olds.get(number), news.get(number))


def sections_of(target: str, disk: Readable) -> dict[str, Section]:
    """Return the partitions of a disk in one state by name; the whole disk where it has no table.

    Raises ImageError and OSError.
    """
    found = _partitions(disk)
    if not found:
        return {target: Section(disk)}
    return {f"{target}{number}": Section(disk, each.start, each.length) for number, each in found.items()}


def volume_at(sections: Mapping[str, Section], name: str) -> Section | None:
    """Return a logical volume that lies on some places in one state, None where there is none. Raises ImageError."""
    found = _volumes(sections).get(name)
    if found is None:
        return None
    if found.problem:
        raise ImageError(found.problem)
    return Section(Assembled(found, sections))


def volumes_of(places: Sequence[FilePlace]) -> Iterator[FilePlace]:
    """Yield the logical volumes that lie on some places."""
    sides = [
        {place.name: section for place in places if (section := getattr(place, side)) is not None}
        for side in ("before", "after")
    ]
    try:
        olds, news = (_volumes(side) for side in sides)
    except ImageError as error:
        yield FilePlace("LVM", None, None, problem=str(error))
        return
    changed = {place.name: place.changed for place in places}
    for name in sorted(olds.keys() | news.keys()):
        old, new = olds.get(name), news.get(name)
        problem = next((each.problem for each in (old, new) if each is not None and each.problem), "")
        if problem:
            yield FilePlace(name, None, None, problem=problem)
            continue
        before = None if old is None else Section(Assembled(old, sides[0]))
        after = None if new is None else Section(Assembled(new, sides[1]))
        yield FilePlace(name, before, after, _within_volume(old, new, changed))


def _volumes(sections: Mapping[str, Section]) -> dict[str, LogicalVolume]:
    members = {name: found for name, section in sections.items() if (found := _member(section)) is not None}
    return {volume.name: volume for volume in logical_volumes(members)}


def _member(section: Section) -> PhysicalVolume | None:
    """Return what LVM keeps on a place; what is damaged there is said when its files are compared."""
    try:
        return physical_volume(section)
    except (ImageError, OSError):
        return None


def _within_volume(
    old: LogicalVolume | None, new: LogicalVolume | None, changed: Mapping[str, Ranges | None]
) -> Ranges | None:
    """Return what may differ of a volume; None where it was laid out anew, or what it lies on was moved."""
    if old is None or new is None or not new.lies_like(old):
        return None
    known = {part: ranges for part in new.parts if (ranges := changed[part]) is not None}
    return new.within(known) if len(known) == len(new.parts) else None


def _place(name: str, pair: DiskPair, old: Partition | None, new: Partition | None) -> FilePlace:
    before = None if old is None else Section(pair.before, old.start, old.length)
    after = None if new is None else Section(pair.after, new.start, new.length)
    if old is None or new is None or old.start != new.start:
        return FilePlace(name, before, after)
    return FilePlace(name, before, after, _within(pair.changed, new.start, max(old.length, new.length)))


def _partitions(disk: Readable) -> dict[int, Partition]:
    return {each.number: each for each in partitions(disk.read, disk.virtual_bytes)}


def _within(changed: Extents, start: int, size: int) -> Ranges:
    """Return what may differ as places of a partition."""
    pairs = changed.copy()
    pairs[:, 0] = (changed[:, 0] - start).clip(0, size)
    pairs[:, 1] = (changed[:, 0] + changed[:, 1] - start).clip(0, size)
    return Ranges(pairs[pairs[:, 0] < pairs[:, 1]])
