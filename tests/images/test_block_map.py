"""Which image answers a read of which part of a disk: what QEMU's own ``map`` says, for any chain."""

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapgui.images.block_map import BlockMap, block_map
from snapgui.images.clusters import Holds
from snapgui.images.layers import Layers, layer
from snapgui.images.qcow2 import read_head
from snapgui.images.refcounts import Refcounts
from snapgui.images.source import LocalFile
from tests.images import qemu

KIB, MIB = 2**10, 2**20
CLUSTERS = ("4k", "64k", "2M")


def mapped(*chain: tuple[Path, str]) -> BlockMap:
    """Map a chain of (image, format), from the top."""
    with ExitStack() as stack:
        sources = [stack.enter_context(LocalFile(path)) for path, _ in chain]
        top = sources[0]
        counts = Refcounts(top, read_head(top)) if chain[0][1] == "qcow2" else None
        layers = [layer(s, kind, "", str(p)) for s, (p, kind) in zip(sources, chain, strict=True)]
        return block_map(Layers(layers), counts)


def said_by_qemu(path: Path, image_format: str = "qcow2") -> list[dict[str, Any]]:
    command = ["qemu-img", "map", "-f", image_format, "--output=json", str(path)]
    found: list[dict[str, Any]] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def agrees(found: BlockMap, truth: list[dict[str, Any]]) -> None:
    """Every stretch of QEMU's is answered by the same image, from the same place; the sums are the same."""
    sums = [0] * found.layers
    for row in truth:
        answer = found.at(row["start"])
        if not row["present"]:
            assert answer.depth is None
            continue
        sums[row["depth"]] += row["length"]
        assert answer.depth == row["depth"]
        if row["data"]:
            assert answer.place == row.get("offset")
            assert (answer.holds is Holds.COMPRESSED) == ("offset" not in row)
        last = row["start"] + row["length"] - 1
        assert found.at(last).depth == row["depth"]
    assert list(found.serves()) == sums


@st.composite
def writes(draw: st.DrawFn, size: int) -> list[str]:
    commands = []
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, size // 512 - 1)) * 512
        length = draw(st.integers(1, min(size - start, 300 * KIB) // 512)) * 512
        kind = draw(st.sampled_from(["write -P 7", "write -P 8", "write -z", "discard"]))
        commands.append(f"{kind} {start} {length}")
    return commands


@settings(max_examples=40)
@given(st.data())
def test_any_chain(data: st.DataObject) -> None:
    with TemporaryDirectory() as directory:
        base = Path(directory) / "base"
        kind = data.draw(st.sampled_from(["raw", "qcow2"]))
        size = data.draw(st.integers(1, 80)) * 64 * KIB
        qemu.run("qemu-img", "create", "-q", "-f", kind, str(base), str(size))
        qemu.io(base, *data.draw(writes(size)), image_format=kind)
        chain = [(base, kind)]
        for number in range(data.draw(st.integers(1, 3))):
            size = data.draw(st.integers(1, 80)) * 64 * KIB
            cluster = data.draw(st.sampled_from(CLUSTERS))
            extended = ["extended_l2=on"] if cluster != "4k" and data.draw(st.booleans()) else []
            path = Path(directory) / f"{number}.qcow2"
            qemu.create(path, size, f"cluster_size={cluster}", *extended, base=chain[0][0], base_format=chain[0][1])
            qemu.io(path, *data.draw(writes(size)))
            chain.insert(0, (path, "qcow2"))
        agrees(mapped(*chain), said_by_qemu(chain[0][0], chain[0][1]))


@pytest.mark.parametrize("length", [1, 3, 60])
def test_chains(tmp_path: Path, length: int) -> None:
    """The shares of all columns of any stretch are the whole stretch."""
    chain: list[tuple[Path, str]] = []
    for number in range(length):
        base = chain[0][0] if chain else None
        path = qemu.create(tmp_path / f"{number}.qcow2", 64 * MIB, base=base)
        qemu.io(path, f"write -P {number + 1} {number * MIB} 1M", f"write -P {number + 1} {number * 900 * KIB} 64k")
        chain.insert(0, (path, "qcow2"))
    found = mapped(*chain)
    agrees(found, said_by_qemu(chain[0][0]))
    shares = found.shares(3.5 * MIB, 60 * MIB, 97)
    assert shares.shape == (97, length + 1)
    assert np.allclose(shares.sum(axis=1), 1)
    whole = found.shares(0, found.capacity, 1)[0] * found.capacity
    assert np.allclose(whole[:-1], found.serves())


def test_what_an_internal_snapshot_needs_is_shared(tmp_path: Path) -> None:
    path = qemu.create(tmp_path / "disk.qcow2", 8 * MIB)
    qemu.io(path, "write -P 1 0 1M")
    qemu.snapshot(path, "a")
    qemu.io(path, "write -P 2 64k 64k", "write -P 3 4M 64k")
    found = mapped((path, "qcow2"))
    assert found.at(0).shared
    assert not found.at(64 * KIB).shared
    assert found.at(128 * KIB).shared
    assert not found.at(4 * MIB).shared
    assert found.at(5 * MIB).depth is None
    agrees(found, said_by_qemu(path))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "disk.raw"
    qemu.run("qemu-img", "create", "-q", "-f", "raw", str(path), "1M")
    return path


def test_a_raw_image_answers_for_itself(raw: Path) -> None:
    found = mapped((raw, "raw"))
    assert found.serves() == (MIB,)
    assert found.at(4711).place == 4711
    with pytest.raises(IndexError):
        found.at(MIB)
