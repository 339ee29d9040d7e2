"""The difference of two views of an ext4 filesystem with 50,000 files; walks by dissect (both) and libguestfs (one)."""

import os
import random
import subprocess
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from dissect.extfs import ExtFS

from snapgui.images.clusters import Holds
from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.filesystems.section import Section
from snapgui.images.layers import Layers, layer
from snapgui.images.source import LocalFile

from support.measure import in_turn, ran  # isort: skip
from support.report import section

FILES, DIRECTORIES, PERCENT = 50_000, 2_500, 1
CLUSTER, DISK = 64 * 2**10, 2 * 2**30
TURNS, AIM = 5, 15
PEER = Path(__file__).with_name("support") / "guestfs_walk.py"
WITHOUT_KVM = {"LIBGUESTFS_BACKEND": "direct", "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg"}
COLUMNS = ("what", "time", "found")
NOTE = (
    f"{FILES:,} files in {DIRECTORIES:,} directories; {PERCENT} % of them changed, renamed, added or removed in an"
    " overlay (qcow2, clusters of 64 KiB). Ours finds the changes, content included, from the places that the overlay"
    " holds; dissect walks both views and reads what is known of each file, without content and without comparing."
    " libguestfs walks one view in an appliance of its own, here without KVM; most of its time it starts."
)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="snapgui-bench-") as made:
        base, overlay = images(Path(made))
        found = _difference(base, overlay)
        ours, theirs = in_turn(
            TURNS, lambda _turn: _difference(base, overlay), lambda _turn: (_walked(base), _walked(base, overlay))
        )
        began = time.perf_counter()
        walked, started = _walked_by_libguestfs(overlay).split()
        appliance = time.perf_counter() - began
        rows = [
            ("snapgui: difference of both views", str(ours), ", ".join(f"{n} {what}" for what, n in found.items())),
            ("dissect: walk of both views", str(theirs), f"{_walked(base)} files"),
            ("ratio", f"{theirs.median / ours.median:.0f} ×", f"aim: {AIM} ×"),
            (
                "libguestfs: walk of one view, once",
                f"{appliance:.1f} s",
                f"{walked} files, {started} s until it starts",
            ),
            ("ratio", f"{appliance / ours.median:.0f} ×", ""),
            ("memory of ours at most", f"{_memory(base, overlay) / 2**20:.0f} MiB", ""),
        ]
    section("files", "Files", COLUMNS, rows, (NOTE,))


def _opened(stack: ExitStack, base: Path, overlay: Path | None = None) -> Layers:
    images = [(overlay, "qcow2")] if overlay else []
    chain = [*images, (base, "raw")]
    return Layers([layer(stack.enter_context(LocalFile(path)), kind) for path, kind in chain])


def _difference(base: Path, overlay: Path) -> Counter[str]:
    with ExitStack() as stack:
        before, after = _opened(stack, base), _opened(stack, base, overlay)
        top = after.layers[0].runs(0, after.virtual_bytes)
        changed = Ranges([(run.start, run.end) for run in top if run.holds is not Holds.NOTHING])
        views = (open_filesystem(Section(before)), open_filesystem(Section(after)))
        return Counter(change.change.value for change in compare(*views, changed))


def _walked_by_libguestfs(overlay: Path) -> str:
    command = ("/usr/bin/python3", str(PEER), str(overlay))
    done = subprocess.run(
        command, env=os.environ | WITHOUT_KVM, capture_output=True, text=True, check=True, timeout=900
    )
    return done.stdout


def _memory(base: Path, overlay: Path) -> int:
    tracemalloc.start()
    _difference(base, overlay)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


class _Stream:
    """What dissect reads from."""

    def __init__(self, whole: Section) -> None:
        self._whole, self._at = whole, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._whole.size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, length: int = -1) -> bytes:
        found = self._whole.read(self._at, self._whole.size - self._at if length < 0 else length)
        self._at += len(found)
        return found


def _walked(base: Path, overlay: Path | None = None) -> int:
    with ExitStack() as stack:
        view = ExtFS(_Stream(Section(_opened(stack, base, overlay))))
        return sum(1 for _ in _below(view.root))


def _below(directory: Any) -> Iterator[tuple[Any, ...]]:
    for each in directory.iterdir():
        if each.filename not in (".", ".."):
            inode = each.inode
            yield each.filename, inode.i_mode, each.size, inode.i_uid, inode.i_gid, each.mtime_ns, inode.i_links_count
            if each.filetype == 0x4000:
                yield from _below(each)


def images(where: Path) -> tuple[Path, Path]:
    """Make a filesystem, and an overlay in which some of its files are changed (``later.raw`` is what that shows)."""
    chance = random.Random(5)
    tree, base, later, overlay = (where / name for name in ("tree", "base.raw", "later.raw", "overlay.qcow2"))
    paths = _tree(tree, chance)
    base.touch()
    ran("truncate", "-s", str(DISK), str(base))
    ran("mkfs.ext4", "-q", "-d", str(tree), str(base))
    ran("cp", "--sparse=always", str(base), str(later))
    _change(later, paths, where, chance)
    ran("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "raw", str(overlay))
    put(base, later, overlay, where / "cluster")
    return base, overlay


def _tree(tree: Path, chance: random.Random) -> list[str]:
    directories = [tree]
    for number in range(DIRECTORIES):
        made = chance.choice(directories[-200:]) / f"directory-{number}"
        if len(made.relative_to(tree).parts) > 12:
            made = tree / made.name
        made.mkdir(parents=True)
        directories.append(made)
    paths = []
    for number in range(FILES):
        path = chance.choice(directories[1:]) / f"some-file-{number}.txt"
        path.write_bytes(chance.randbytes(chance.choice((0, 100, 2000, 8000, 20000))))
        paths.append(f"/{path.relative_to(tree)}")
    return paths


def _change(image: Path, paths: list[str], where: Path, chance: random.Random) -> None:
    fresh = where / "fresh"
    fresh.write_bytes(chance.randbytes(3000))
    commands = []
    for number, path in enumerate(chance.sample(paths, FILES * PERCENT // 100)):
        match number % 5:
            case 0:
                commands += [f"rm {path}", f"write {fresh} {path}"]
            case 1:
                commands.append(f"sif {path} mode 0100600")
            case 2:
                commands += [f"ln {path} {path}.renamed", f"unlink {path}"]
            case 3:
                commands.append(f"rm {path}")
            case _:
                commands.append(f"write {fresh} {path}.added")
    script = where / "script"
    script.write_text("\n".join(commands))
    subprocess.run(["debugfs", "-w", "-f", str(script), str(image)], check=True, capture_output=True)


def put(base: Path, later: Path, overlay: Path, cluster: Path) -> None:
    """Write the clusters that differ into an overlay, or into a copy of the base."""
    commands = []
    with base.open("rb") as old, later.open("rb") as new:
        for place in range(0, DISK, CLUSTER):
            content = new.read(CLUSTER)
            if content != old.read(CLUSTER):
                source = cluster.with_name(f"cluster-{place}")
                source.write_bytes(content)
                commands += ["-c", f"write -q -s {source} {place} {CLUSTER}"]
    ran("qemu-io", "-f", "qcow2", *commands, str(overlay))


if __name__ == "__main__":
    main()
