"""The blocks that differ between two snapshots of a big disk: by its tables, looked at, and by reading two exports."""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from support import places  # isort: skip
from support.measure import Row, in_turn, ran
from support.report import section

from snapgui.images.clusters import Clusters
from snapgui.images.difference import Difference, difference, exact
from snapgui.images.layers import Layers
from snapgui.images.source import LocalFile

TURNS = 3
GIB, MIB, KIB = 2**30, 2**20, 2**10
CAPACITY_GIB, PIECES, PIECE_MIB, WRITES = 100, 64, 64, 4400
AIM, AIM_EXACT = 100, 15
PEER = Path(__file__).with_name("support") / "nbd_compare.py"
COLUMNS = ("what", "time", "bytes that differ", "places", "two exports / this", "aim", "read of the file")
NOTE = (
    f"A qcow2 image of {CAPACITY_GIB} GiB with clusters of 64 KiB: {PIECES * PIECE_MIB // 1024} GiB are written, then"
    f" snapshot A is taken, then {WRITES:,} blocks all over the disk are written anew, a tenth of them with the same"
    " content, then snapshot B. “Tables” is what `snapgui diff --blocks` does, “content” what `--content` does. The"
    " peer reads two exports of `qemu-nbd -r -l` through libnbd, where either has data, and compares them in numpy;"
    " starting the exports is not counted. Everything is in the page cache."
)


class Counted(LocalFile):
    """A file that counts the bytes that are read of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.read_bytes = 0

    def read(self, offset: int, length: int) -> bytes:
        self.read_bytes += length
        return super().read(offset, length)


def main() -> None:
    places.own_directories()
    with tempfile.TemporaryDirectory(prefix="sg-bench-") as scratch:
        image = _made(Path(scratch) / "disk.qcow2")
        section("blocks", "Blocks that differ", COLUMNS, list(_rows(image)), (NOTE,))


def _made(image: Path) -> Path:
    ran("qemu-img", "create", "-q", "-f", "qcow2", str(image), f"{CAPACITY_GIB}G")
    step = CAPACITY_GIB * GIB // PIECES
    _io(image, [f"write -P {1 + number % 200} {number * step} {PIECE_MIB}M" for number in range(PIECES)])
    ran("qemu-img", "snapshot", "-c", "A", str(image))
    _io(image, list(_writes(step)))
    ran("qemu-img", "snapshot", "-c", "B", str(image))
    return image


def _writes(step: int) -> Iterator[str]:
    """Scattered evenly over what is written: every second-level table of it differs."""
    for number in range(WRITES):
        piece, place = number % PIECES, number // PIECES
        pattern = 1 + piece % 200 if number % 10 == 0 else 255
        yield f"write -P {pattern} {piece * step + place * 512 * KIB} 64k"


def _io(image: Path, commands: list[str]) -> None:
    script = "\n".join([*commands, "quit"])
    subprocess.run(["qemu-io", "-f", "qcow2", str(image)], input=script, text=True, check=True, capture_output=True)


def _rows(image: Path) -> Iterator[Row]:
    found: dict[str, Difference] = {}
    read: dict[str, int] = {}

    def tables(_turn: int) -> None:
        with _views(image) as (one, other, sources):
            found["tables"] = difference(one, other)
            read["tables"] = sum(source.read_bytes for source in sources)

    def content(_turn: int) -> None:
        with _views(image) as (one, other, sources):
            found["content"] = exact(one, other, difference(one, other))
            read["content"] = sum(source.read_bytes for source in sources)

    with _exports(image) as sockets:
        seen: list[int] = []
        peer = lambda _turn: seen.append(int(ran("/usr/bin/python3", str(PEER), *sockets)))  # noqa: E731
        times = in_turn(TURNS, tables, content, peer)
    size = image.stat().st_blocks * 512
    for name, spent, aim in (("tables", times[0], AIM), ("content", times[1], AIM_EXACT)):
        ratio = times[2].median / spent.median
        share = f"{read[name] / (CAPACITY_GIB * GIB):.4%} of the disk, {read[name] / size:.2%} of the file"
        yield (
            f"snapgui, {name}",
            str(spent),
            f"{found[name].changed_bytes / MIB:.0f} MiB",
            f"{len(found[name].extents):,}",
            f"{ratio:.0f}",
            f"{aim}: {'met' if ratio >= aim else '**missed**'}",
            share,
        )
    yield ("two exports", str(times[2]), f"{seen[0] / MIB:.0f} MiB", "", "1", "", "")


@contextlib.contextmanager
def _views(image: Path) -> Iterator[tuple[Layers, Layers, tuple[Counted, Counted]]]:
    with Counted(image) as one, Counted(image) as other:
        yield Layers([Clusters(one, "A", "disk")]), Layers([Clusters(other, "B", "disk")]), (one, other)


@contextlib.contextmanager
def _exports(image: Path) -> Iterator[list[str]]:
    sockets = [str(image.with_name(f"{name}.sock")) for name in "AB"]
    command = ["qemu-nbd", "-r", "-t", "--shared=2"]
    options = f"driver=qcow2,force-share=on,file.driver=file,file.filename={image}"
    with contextlib.ExitStack() as stack:
        for name, socket in zip("AB", sockets, strict=True):
            wanted = ["-k", socket, "-l", f"snapshot.name={name}", "--image-opts", options]
            process = stack.enter_context(subprocess.Popen([*command, *wanted]))
            stack.callback(process.terminate)
        until = time.monotonic() + 20
        while not all(Path(socket).exists() for socket in sockets) and time.monotonic() < until:
            time.sleep(0.05)
        yield sockets


if __name__ == "__main__":
    main()
