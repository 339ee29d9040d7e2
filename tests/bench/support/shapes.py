"""Large snapshot trees of several shapes, as records."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from snapgui.model.records import Place, Snapshot, SnapshotDisk

SHAPES = ("random", "chain", "wide", "caterpillar")
_BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)
_FARTHEST = 30


def parents(shape: str, count: int) -> list[int | None]:
    """Return the number of each node's parent; ``random`` hangs a node below one of the 30 before it."""
    chance = random.Random(1)
    rules: dict[str, Callable[[int], int]] = {
        "random": lambda number: max(0, number - chance.randint(1, _FARTHEST)),
        "chain": lambda number: number - 1,
        "wide": lambda _number: 0,
        "caterpillar": lambda number: number - 1 if number % 2 else number - 2,
    }
    return [rules[shape](number) if number else None for number in range(count)]


def snapshots(shape: str, count: int) -> list[Snapshot]:
    """Return the snapshots of a VM with one disk, a minute apart."""
    return [
        Snapshot(
            f"s{number:05}",
            _BEGIN + timedelta(minutes=number),
            None if parent is None else f"s{parent:05}",
            state="running",
            memory=Place.INTERNAL,
            disks=(SnapshotDisk("vda", Place.INTERNAL, "/images/disk.qcow2"),),
        )
        for number, parent in enumerate(parents(shape, count))
    ]
