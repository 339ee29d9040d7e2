"""Images of 1 TiB with a long history, made in little time: their data are holes or a few blocks, their tables real."""

import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from support.measure import ran

GIB, KIB = 2**30, 2**10
CAPACITY_GIB = 1024
CLUSTER = 64 * KIB
TABLE = CLUSTER // 8 * CLUSTER
"""Bytes of the disk that one second-level table maps."""
TABLES = CAPACITY_GIB * GIB // TABLE
FAR, NEAR = 4000, 300
BUSY, STRETCH = 60, 64
"""Between most snapshots a guest writes to few stretches of so many clusters; every tenth time all over the disk."""

Writes = Callable[[int], Iterator[str]]


def realistic(turn: int) -> Iterator[str]:
    """Yield what is written before one snapshot: whole clusters, most of them in few places."""
    chance = random.Random(turn)
    places = [chance.randrange(CAPACITY_GIB * GIB // CLUSTER - STRETCH) for _ in range(BUSY)]
    for _ in range(NEAR):
        yield f"write -P {1 + turn} {(chance.choice(places) + chance.randrange(STRETCH)) * CLUSTER} 64k"
    for _ in range(FAR if turn % 10 == 0 else 0):
        yield f"write -P {1 + turn} {chance.randrange(CAPACITY_GIB * GIB // CLUSTER) * CLUSTER} 64k"


def worst(turn: int) -> Iterator[str]:
    """Yield a change in every second-level table: QEMU has to write each anew."""
    for number in range(TABLES):
        yield f"write -z {number * TABLE + turn * CLUSTER} 64k"


def with_snapshots(path: Path, used_gib: int, writes: Writes, count: int) -> Path:
    """Make an image, of which so much was in use, with the internal snapshots ``s0`` and so on."""
    _base(path, used_gib)
    options = f"driver=qcow2,cache.no-flush=on,cache-size=256M,file.driver=file,file.filename={path}"
    for turn in range(count):
        ran("qemu-img", "snapshot", "-c", f"s{turn}", "--image-opts", options)
        _write(path, writes(turn))
    return path


def chain(directory: Path, used_gib: int, writes: Writes, length: int) -> Path:
    """Make so many images, each layered on the one before; return the last one."""
    path = _base(directory / "0.qcow2", used_gib)
    for turn in range(1, length):
        above = directory / f"{turn}.qcow2"
        ran("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(path), "-F", "qcow2", str(above))
        _write(above, writes(turn))
        path = above
    return path


def _base(path: Path, used_gib: int) -> Path:
    create = ("qemu-img", "create", "-q", "-f", "qcow2", "-o", "preallocation=metadata")
    ran(*create, str(path), f"{used_gib}G")
    ran("qemu-img", "resize", "-q", str(path), f"{CAPACITY_GIB}G")
    return path


def _write(path: Path, commands: Iterator[str]) -> None:
    script = "\n".join([*commands, "quit"])
    command = ["qemu-io", "-f", "qcow2", "-t", "unsafe", str(path)]
    subprocess.run(command, input=script, text=True, check=True, capture_output=True)
