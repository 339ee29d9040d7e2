"""What differs on the disks of a VM, as records."""

from dataclasses import dataclass, field, replace

from snapgui.images.difference import Difference
from snapgui.images.disk_map import DiskMap
from snapgui.images.partitions import Partition


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a picture of a disk shows: its map, and its partitions, or why these are not known."""

    map: DiskMap
    partitions: tuple[Partition, ...] = ()
    why_no_partitions: str = ""


@dataclass(frozen=True, slots=True)
class BlockDifference:
    """What differs, by disk; ``only_before`` and ``only_after`` are disks that just one of both has.

    ``paused_s``: how long the guest stood still for it. ``drawn``: by disk, where that was asked for.
    """

    disks: dict[str, Difference]
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()
    paused_s: float = 0.0
    drawn: dict[str, Drawn] = field(default_factory=dict)

    def mirrored(self) -> "BlockDifference":
        """Return it as seen from the other side."""
        drawn = {target: replace(each, map=each.map.mirrored()) for target, each in self.drawn.items()}
        return replace(self, only_before=self.only_after, only_after=self.only_before, drawn=drawn)
