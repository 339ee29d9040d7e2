"""How much a base grows when its overlay is merged into it: as much as it does when QEMU commits the overlay."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapgui.images.clusters import Clusters
from snapgui.images.layers import layer
from snapgui.images.merging import growth
from snapgui.images.qcow2 import read_head
from snapgui.images.refcounts import Refcounts
from snapgui.images.source import LocalFile
from tests.images import qemu

KIB, MIB = 2**10, 2**20
OWN = 16 * KIB
"""What a file system may take for itself, to know where the pieces of a file lie."""
WRITES = st.lists(st.tuples(st.integers(0, 120), st.integers(1, 30)), max_size=5)


def foreseen(overlay: Path, base: Path, kind: str) -> int:
    with LocalFile(overlay) as upper, LocalFile(base) as lower:
        found = growth(Clusters(upper, "", str(overlay)), layer(lower, kind, "", str(base)))
        assert found is not None
        return found


def clusters_used(path: Path) -> int:
    """Return the bytes of clusters that anything in the image refers to."""
    with LocalFile(path) as source:
        head = read_head(source)
        every = np.arange(source.size // head.cluster_bytes + 1, dtype=np.uint64)
        return int(np.count_nonzero(Refcounts(source, head).of(every))) * head.cluster_bytes


def write(path: Path, kind: str, places: list[tuple[int, int]]) -> None:
    for start, length in places:
        qemu.io(path, f"write -P 7 {start * 64}k {length * 64}k", image_format=kind)


@settings(max_examples=30)
@given(WRITES, WRITES, st.sampled_from(["4k", "64k", "256k"]), st.sampled_from(["64k", "256k"]))
def test_a_base_with_clusters(
    below: list[tuple[int, int]], above: list[tuple[int, int]], base_cluster: str, cluster: str
) -> None:
    with TemporaryDirectory() as directory:
        base = qemu.create(Path(directory) / "base.qcow2", 16 * MIB, f"cluster_size={base_cluster}")
        write(base, "qcow2", below)
        overlay = qemu.create(Path(directory) / "overlay.qcow2", 16 * MIB, f"cluster_size={cluster}", base=base)
        write(overlay, "qcow2", above)
        said, before = foreseen(overlay, base, "qcow2"), clusters_used(base)
        qemu.run("qemu-img", "commit", "-q", "-d", "-f", "qcow2", str(overlay))
        grown = clusters_used(base) - before
        with LocalFile(base) as source:
            one = read_head(source).cluster_bytes
        assert abs(grown - said) <= 2 * one, "a block of counts at most"


def test_a_raw_base(tmp_path: Path) -> None:
    base = tmp_path / "base.raw"
    qemu.run("qemu-img", "create", "-q", "-f", "raw", str(base), "16M")
    write(base, "raw", [(0, 10), (100, 10)])
    overlay = qemu.create(tmp_path / "overlay.qcow2", 16 * MIB, base=base, base_format="raw")
    write(overlay, "qcow2", [(5, 10), (200, 3)])
    said, before = foreseen(overlay, base, "raw"), base.stat().st_blocks * 512
    assert said == (5 + 3) * 64 * KIB
    qemu.run("qemu-img", "commit", "-q", "-d", "-f", "qcow2", str(overlay))
    assert abs(base.stat().st_blocks * 512 - before - said) <= OWN


def test_an_overlay_that_is_larger_than_its_base(tmp_path: Path) -> None:
    base = qemu.create(tmp_path / "base.qcow2", 4 * MIB)
    overlay = qemu.create(tmp_path / "overlay.qcow2", 16 * MIB, base=base)
    write(overlay, "qcow2", [(0, 4), (100, 5)])
    assert foreseen(overlay, base, "qcow2") == 9 * 64 * KIB + 64 * KIB


def test_a_base_whose_clusters_take_no_room_yet(tmp_path: Path) -> None:
    base = qemu.create(tmp_path / "base.qcow2", 16 * MIB, "preallocation=metadata")
    write(base, "qcow2", [(3, 4)])
    overlay = qemu.create(tmp_path / "overlay.qcow2", 16 * MIB, base=base)
    write(overlay, "qcow2", [(5, 10), (200, 3)])
    said, before = foreseen(overlay, base, "qcow2"), base.stat().st_blocks * 512
    assert said == (8 + 3) * 64 * KIB
    qemu.run("qemu-img", "commit", "-q", "-d", "-f", "qcow2", str(overlay))
    assert abs(base.stat().st_blocks * 512 - before - said) <= OWN


@pytest.mark.parametrize(("start", "end", "holes"), [(0, 64, 32), (16, 48, 16), (32, 64, 0), (0, 1000, 32 + 936)])
def test_holes_of_a_file(tmp_path: Path, start: int, end: int, holes: int) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.seek(32 * KIB)
        file.write(b"x" * 32 * KIB)
    with LocalFile(path) as source:
        assert source.holes(start * KIB, end * KIB) == holes * KIB
