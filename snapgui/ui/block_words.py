"""How blocks, places and partitions of a disk are called."""

from PySide6.QtCore import QLocale

from snapgui.images.difference import Difference
from snapgui.images.disk_map import Part
from snapgui.images.partitions import Partition
from snapgui.ui.wording import size_words, tr, words


def part_words(part: Part) -> str:
    """Return what became of a part of a disk."""
    return {
        Part.UNCHANGED: tr("unchanged"),
        Part.ONLY_BEFORE: tr("only before"),
        Part.ONLY_AFTER: tr("only after"),
        Part.CHANGED: tr("changed"),
        Part.NEVER: tr("never written"),
    }[part]


def partition_name(target: str, partition: Partition) -> str:
    """Return the name that a guest gives a partition: vda1, nvme0n1p1."""
    between = "p" if target[-1:].isdigit() else ""
    return f"{target}{between}{partition.number}"


def place_words(target: str, partition: Partition) -> str:
    """Return a partition's name, what is in it, and its label where it has one."""
    label = " ".join(partition.label.split())
    text = f"{partition_name(target, partition)} · {words(partition.kind)}"
    return f"{text} · {label}" if label else text


def offset_words(offset: int) -> str:
    """Return a place of a disk, exact enough to be found again."""
    return f"{size_words(offset)} (0x{offset:x})" if offset else "0"


def summary_words(target: str, found: Difference, *, looked: bool) -> str:
    """Return how much of a disk differs, in how many places."""
    places = len(found.extents)
    if not places:
        return tr("{disk}: no block differs.").format(disk=target)
    if looked:
        text = tr("{disk}: {size} of {capacity} differ, in one place.")
        many = tr("{disk}: {size} of {capacity} differ, in {count} places.")
    else:
        text = tr("{disk}: {size} of {capacity} may differ, in one place.")
        many = tr("{disk}: {size} of {capacity} may differ, in {count} places.")
    return (text if places == 1 else many).format(
        disk=target,
        size=size_words(found.changed_bytes),
        capacity=size_words(found.capacity),
        count=QLocale().toString(places),
    )


def pause_words(seconds: float) -> str:
    """Return how long the guest stood still; empty where it did not."""
    return tr("The guest stood still for {count} ms.").format(count=round(seconds * 1000)) if seconds else ""
