"""What internal snapshots cost: what deleting one really frees, by QEMU's own counts of clusters."""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapgui.images.clusters import DIRTY
from snapgui.images.internal_costs import InternalCost, internal_costs
from snapgui.images.qcow2 import ImageError, read_head, read_l1
from snapgui.images.refcounts import Refcounts
from snapgui.images.source import LocalFile
from tests.images import qemu

KIB, MIB = 2**10, 2**20


def costs(path: Path) -> dict[str, InternalCost]:
    with LocalFile(path) as source:
        head = read_head(source)
        return internal_costs(source, head, Refcounts(source, head), [entry.name for entry in head.snapshots])


def used_clusters(path: Path) -> int:
    """Return how many clusters of the file anything refers to, by reading all reference counts."""
    with LocalFile(path) as source:
        head = read_head(source)
        counts = Refcounts(source, head)
        return int(np.count_nonzero(counts.of(np.arange(source.size // head.cluster_bytes + 1, dtype=np.uint64))))


def on_disk(path: Path) -> int:
    return path.stat().st_blocks * 512


def delete(path: Path, name: str) -> None:
    qemu.run("qemu-img", "snapshot", "-d", name, str(path))


WRITES = st.tuples(
    st.sampled_from(["write -P 7", "write -z", "discard", "write -c -P 3"]), st.integers(0, 390), st.integers(1, 10)
)


def _write(path: Path, what: tuple[str, int, int], cluster: int) -> None:
    """Write so many clusters; QEMU does not compress what is there already, nor clusters of 512 bytes."""
    kind, start, count = what
    each = 1 if "-c" in kind else count
    for number in range(start, start + count, each):
        command = f"{kind} {number * cluster} {each * cluster}"
        subprocess.run(
            ["qemu-io", "-f", "qcow2", "-c", command, str(path)], check="-c" not in kind, capture_output=True
        )


@settings(max_examples=30)
@given(st.data())
def test_any_history(data: st.DataObject) -> None:
    """Whatever was written, and gone back to: deleting frees the clusters that were said to be its own."""
    with TemporaryDirectory() as directory:
        cluster = data.draw(st.sampled_from([512, 4 * KIB, 64 * KIB]))
        options = [f"cluster_size={cluster}", f"refcount_bits={data.draw(st.sampled_from([8, 16, 32, 64]))}"]
        if cluster > 16 * KIB and data.draw(st.booleans()):
            options.append("extended_l2=on")
        size = 400 * cluster
        path = qemu.create(Path(directory) / "disk.qcow2", size, *options)
        names: list[str] = []
        for number in range(data.draw(st.integers(1, 5))):
            for _ in range(data.draw(st.integers(0, 3))):
                _write(path, data.draw(WRITES), cluster)
            qemu.snapshot(path, f"s{number}")
            names.append(f"s{number}")
            if data.draw(st.booleans()):
                qemu.run("qemu-img", "snapshot", "-a", data.draw(st.sampled_from(names)), str(path))
        gone = data.draw(st.sampled_from(names))
        shown, before = costs(path)[gone], used_clusters(path)
        delete(path, gone)
        freed = (before - used_clusters(path)) * cluster
        table = 2 * cluster  # of names of snapshots
        assert abs(freed - shown.own) <= table
        qemu.check(path)


def test_ten_snapshots(tmp_path: Path) -> None:
    path = qemu.create(tmp_path / "disk.qcow2", 256 * MIB)
    for number in range(10):
        qemu.io(path, f"write -P {number + 1} {number * 8}M 24M")
        qemu.snapshot(path, f"s{number}")
    shown = costs(path)
    for name in ("s4", "s0", "s9"):
        before = on_disk(path)
        delete(path, name)
        assert abs(before - on_disk(path) - shown[name].own) <= max(2 * 64 * KIB, shown[name].own // 100)
        shown = costs(path)


def test_own_and_shared(tmp_path: Path) -> None:
    path = qemu.create(tmp_path / "disk.qcow2", 64 * MIB)
    qemu.io(path, "write -P 1 0 2M")
    qemu.snapshot(path, "a")
    qemu.snapshot(path, "b")
    same = costs(path)
    assert same["a"] == same["b"] == InternalCost(64 * KIB, 2 * MIB + 64 * KIB, 0)
    qemu.io(path, "write -P 2 0 1M")
    delete(path, "b")
    assert costs(path)["a"] == InternalCost(64 * KIB + 64 * KIB + MIB, MIB, 0)


class Questioned(LocalFile):
    """Notes which parts of it are read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.read_parts: list[range] = []

    def read(self, offset: int, length: int) -> bytes:
        self.read_parts.append(range(offset, offset + length))
        return super().read(offset, length)


def test_every_table_is_read_once_and_neighbours_together(tmp_path: Path) -> None:
    """Each question may have to go to another machine; but not more than a MiB comes at once."""
    tables, cluster, maps = 40, 64 * KIB, 512 * MIB
    path = qemu.create(tmp_path / "disk.qcow2", tables * maps)
    qemu.io(path, *(f"write -z {number * maps} 64k" for number in range(tables)))
    for name in ("a", "b", "c"):
        qemu.snapshot(path, name)
    with Questioned(path) as source:
        head = read_head(source)
        counts, first = Refcounts(source, head), read_l1(source, head.l1_offset, head.l1_entries)[0]
        source.read_parts.clear()
        internal_costs(source, head, counts, ["a", "b", "c"])
        parts = [part for part in source.read_parts if len(part) >= cluster]
    assert sum(len(part) for part in parts) == tables * cluster
    assert max(len(part) for part in parts) == MIB
    assert len(parts) == 3
    assert parts[0].start == first


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_narrow_counts(tmp_path: Path, bits: int) -> None:
    path = qemu.create(tmp_path / "disk.qcow2", 8 * MIB, f"refcount_bits={bits}")
    qemu.io(path, "write -P 1 0 1M")
    told = subprocess.run(["qemu-img", "info", "--output=json", str(path)], check=True, capture_output=True).stdout
    assert json.loads(told)["format-specific"]["data"]["refcount-bits"] == bits
    if bits > 1:
        qemu.snapshot(path, "a")
        assert costs(path)["a"] == InternalCost(64 * KIB, MIB + 64 * KIB, 0)
    else:
        assert used_clusters(path) == 16 + 5  # header, L1, L2, reference counts and their table


def test_counts_that_are_not_up_to_date(tmp_path: Path) -> None:
    path = qemu.create(tmp_path / "disk.qcow2", 8 * MIB)
    with path.open("r+b") as file:
        file.seek(79)
        file.write(bytes([DIRTY]))
    with pytest.raises(ImageError, match="not up to date"):
        costs(path)
