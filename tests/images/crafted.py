"""Crafted and damaged qcow2 images, and what comes of comparing each with a sound one: run in a process of its own.

``python -m tests.images.crafted DIRECTORY`` prints, as JSON, how often which outcome was seen, the slowest case in
seconds, and by how many bytes the process grew.
"""

import json
import random
import resource
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from snapgui.images.difference import difference, exact
from snapgui.images.disk_map import disk_map
from snapgui.images.layers import Layers, layer
from snapgui.images.partitions import partitions
from snapgui.images.qcow2 import ImageError
from snapgui.images.source import LocalFile
from tests.images import qemu

MIB = 2**20
FLIPS, CUTS = 300, 40
FIXED = struct.Struct(">4sIQIIQIIQQIIQ")


def main(directory: Path) -> None:
    sound = _sound(directory)
    _outcome(sound, sound)
    grown, outcomes, slowest = _most_memory(), Counter[str](), 0.0
    for path in _cases(directory, sound):
        began = time.monotonic()
        outcomes[_outcome(sound, path)] += 1
        slowest = max(slowest, time.monotonic() - began)
        path.unlink()
    print(json.dumps({"outcomes": outcomes, "slowest": slowest, "grown": _most_memory() - grown}))


def _most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _outcome(sound: Path, path: Path) -> str:
    """Ask everything that a comparison asks; return whether it was answered or refused."""
    with ExitStack() as stack:
        try:
            views = [
                Layers([layer(stack.enter_context(LocalFile(each)), "qcow2", snapshot)])
                for each, snapshot in ((sound, "a"), (path, ""))
            ]
            found = difference(views[0], views[1])
            looked = exact(views[0], views[1], found)
            disk_map(views[0], views[1], looked)
            partitions(views[1].read, views[1].virtual_bytes)
        except ImageError:
            return "refused"
    return "answered"


def _sound(directory: Path) -> Path:
    path = qemu.create(directory / "sound.qcow2", 8 * MIB, "cluster_size=4k")
    qemu.io(path, "write -P 1 0 1M", "write -P 2 3M 512k", "write -z 5M 64k", "write -P 3 7M 4k")
    qemu.snapshot(path, "a")
    qemu.io(path, "write -P 4 512k 1M", "discard 3M 64k")
    return path


def _cases(directory: Path, sound: Path) -> Iterator[Path]:
    content = sound.read_bytes()
    path = directory / "crafted.qcow2"
    chance = random.Random(11)
    tables = [(at, at + 512) for at in _tables(content)]
    for number in range(FLIPS):
        low, high = (0, 200) if number % 3 == 0 else chance.choice(tables)
        changed = bytearray(content)
        for _ in range(chance.choice((1, 1, 4))):
            changed[chance.randrange(low, high)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        path.write_bytes(changed)
        yield path
    for _ in range(CUTS):
        path.write_bytes(content[: chance.randrange(len(content))])
        yield path
    for bits, entries, tables in ENDLESS:
        _endless(path, bits, entries, tables)
        yield path


ENDLESS = ((9, 2**22, "none"), (9, 2**22, "one"), (9, 2**13, "each"), (21, 1, "each"))
"""Bits of a cluster, entries of the first table, and which tables these lead to: the disks have up to 512 GiB."""


def _tables(content: bytes) -> list[int]:
    """Return where the tables of the image lie: of both levels, and that of the snapshots."""
    head = FIXED.unpack_from(content)
    at, entries, snapshots = head[8], head[7], head[12]
    first = struct.unpack_from(f">{entries}Q", content, at)
    return [at, snapshots, *(entry & 0x00FF_FFFF_FFFF_FE00 for entry in first if entry)]


def _endless(path: Path, bits: int, entries: int, tables: str) -> None:
    """Write a small (sparse) image that claims a large disk."""
    at = max(2**bits, 4096)
    first = -(-(at + 8 * entries) // 2**bits) * 2**bits
    size = entries * 2**bits * 2**bits // 8
    head = FIXED.pack(b"QFI\xfb", 3, 0, 0, bits, size, 0, entries, at, 2**bits, 1, 0, 0)
    places = {
        "none": (0,) * entries,
        "one": (first,) * entries,
        "each": range(first, first + entries * 2**bits, 2**bits),
    }[tables]
    with path.open("wb") as file:
        file.write(head + struct.pack(">QQQII", 0, 0, 0, 4, 104))
        file.seek(at)
        file.write(struct.pack(f">{entries}Q", *places))
        file.truncate(first + entries * 2**bits)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
