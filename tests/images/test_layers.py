"""A disk read block by block is what QEMU reads, whatever its images are like; what is written anew is sound."""

import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapgui.images.layers import Layers, layer
from snapgui.images.qcow2 import ImageError
from snapgui.images.source import LocalFile
from snapgui.images.writer import CLUSTER, WriteCancelled, most_bytes, write_image
from tests.images import qemu

KIB, MIB = 2**10, 2**20
LAYOUTS = {
    "plain": (),
    "old": ("compat=0.10",),
    "512": ("cluster_size=512",),
    "4k": ("cluster_size=4k",),
    "2m": ("cluster_size=2M",),
    "extended": ("extended_l2=on", "cluster_size=128k"),
    "zstd": ("compression_type=zstd",),
    "preallocated": ("preallocation=metadata",),
    "lazy": ("lazy_refcounts=on",),
}


class Buffer:
    """A new file in memory."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, content: bytes) -> None:
        self.content += content

    def skip(self, length: int) -> None:
        self.content += bytes(length)

    def finish(self, first: bytes) -> None:
        self.content[: len(first)] = first


@contextmanager
def opened(*images: tuple[Path, str], snapshot: str = "") -> Iterator[Layers]:
    with ExitStack() as stack:
        sources = [stack.enter_context(LocalFile(path)) for path, _ in images]
        kinds = [kind for _, kind in images]
        names = [snapshot, *[""] * (len(images) - 1)]
        yield Layers([layer(*each) for each in zip(sources, kinds, names, strict=True)])


def written(layers: Layers, path: Path) -> Path:
    """Write a disk anew, and look whether it is sound."""
    sink, reports = Buffer(), []
    data = write_image(layers, sink, lambda *numbers: reports.append(numbers), threading.Event())
    assert len(sink.content) <= most_bytes(layers)
    assert data <= sum(run.length for run in layers.data()) + 2 * CLUSTER * len(list(layers.data()))
    assert reports == sorted(reports)
    path.write_bytes(sink.content)
    qemu.check(path)
    return path


def same(path: Path, tmp_path: Path, *below: tuple[Path, str], snapshot: str = "") -> None:
    """Whether reading, and writing anew, give what QEMU reads."""
    truth = qemu.content(path, snapshot)
    with opened((path, "qcow2"), *below, snapshot=snapshot) as layers:
        assert layers.virtual_bytes == len(truth)
        assert layers.read(0, len(truth)) == truth
        assert qemu.content(written(layers, tmp_path / "copy.qcow2")) == truth
        assert layers.unchanged()


WRITE = st.tuples(
    st.sampled_from(["write", "write -z", "write -z -u", "discard", "compressed"]),
    st.integers(0, 4 * MIB // 512 - 1),
    st.integers(1, 600),
    st.integers(1, 255),
)


def commands(writes: list[tuple[str, int, int, int]], size: int, *, fresh: bool = True) -> list[str]:
    """Compressed clusters can only be written where nothing is yet, so they come first."""
    half = size // 2
    packed = {sector * 512 // half * half: pattern for verb, sector, _, pattern in writes if verb == "compressed"}
    said = [f"write -c -P {pattern} {start} {half}" for start, pattern in packed.items()] if fresh else []
    for verb, sector, count, pattern in writes:
        length = min(count * 512, size - sector * 512)
        if verb == "write":
            said.append(f"write -P {pattern} {sector * 512} {length}")
        elif verb != "compressed":
            said.append(f"{verb} {sector * 512} {length}")
    return said


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=st.tuples(*[st.lists(WRITE, max_size=6)] * 3))
def test_any_image_reads_as_qemu_reads_it(
    tmp_path: Path, layout: str, writes: tuple[list[tuple[str, int, int, int]], ...]
) -> None:
    size, options = 4 * MIB, LAYOUTS[layout]
    base, top = tmp_path / "base.qcow2", tmp_path / "top.qcow2"
    for path in (base, top):
        path.unlink(missing_ok=True)
    qemu.create(base, size, *options)
    qemu.io(base, *commands(writes[0], size, fresh=layout != "preallocated"))
    qemu.create(top, size, *(option for option in options if "preallocation" not in option), base=base)
    qemu.io(top, *commands(writes[1], size))
    qemu.snapshot(top, "then")
    qemu.io(top, *commands(writes[2], size, fresh=False))
    same(base, tmp_path)
    same(top, tmp_path, (base, "qcow2"))
    same(top, tmp_path, (base, "qcow2"), snapshot="then")


def test_a_larger_disk_on_a_smaller_raw_base(tmp_path: Path) -> None:
    base = tmp_path / "base.raw"
    base.write_bytes(bytes(range(256)) * 1000)
    top = qemu.create(tmp_path / "top.qcow2", 3 * MIB, base=base, base_format="raw")
    qemu.io(top, "write -P 9 2M 100k")
    same(top, tmp_path, (base, "raw"))


def test_a_snapshot_has_the_size_that_the_disk_had(tmp_path: Path) -> None:
    path = qemu.create(tmp_path / "disk.qcow2", MIB)
    qemu.io(path, "write -P 1 0 1M")
    qemu.snapshot(path, "small")
    qemu.run("qemu-img", "resize", "-q", "-f", "qcow2", str(path), "5M")
    qemu.io(path, "write -P 2 4M 1M")
    same(path, tmp_path)
    with opened((path, "qcow2"), snapshot="small") as layers:  # where qemu-img gives it the size of now
        assert layers.read(0, 9 * MIB) == b"\x01" * MIB
        assert qemu.content(written(layers, tmp_path / "copy.qcow2")) == b"\x01" * MIB


@pytest.mark.parametrize("size", [0, 512, 64 * KIB, 100 * 2**40])
def test_disks_of_any_size_without_anything_in_them(tmp_path: Path, size: int) -> None:
    path = qemu.create(tmp_path / "disk.qcow2", size, "cluster_size=2M")
    with opened((path, "qcow2")) as layers:
        copy = written(layers, tmp_path / "copy.qcow2")
        assert layers.read(size, 10) == b""
    qemu.run("qemu-img", "compare", "-q", str(path), str(copy))


def test_a_raw_image_that_ends_within_a_sector(tmp_path: Path) -> None:
    raw = tmp_path / "disk.raw"
    raw.write_bytes(b"x" * 100_001)
    with opened((raw, "raw")) as layers:
        copy = written(layers, tmp_path / "copy.qcow2")
    assert qemu.content(copy) == (b"x" * 100_001).ljust(100_352, b"\0") == qemu.content(raw, image_format="raw")


def test_far_apart(tmp_path: Path) -> None:
    path = qemu.create(tmp_path / "disk.qcow2", 2**40)
    qemu.io(path, *(f"write -P 3 {place} 3k" for place in ("1023G", "0", "500G", "512M", "511M")))
    with opened((path, "qcow2")) as layers:
        copy = written(layers, tmp_path / "copy.qcow2")
    assert copy.stat().st_size < 2 * MIB
    for place in ("1023G", "0", "500G", "512M", "511M"):
        qemu.io(copy, f"read -P 3 {place} 3k")


def test_a_snapshot_that_is_gone_is_noticed(tmp_path: Path) -> None:
    path = qemu.create(tmp_path / "disk.qcow2", MIB)
    qemu.io(path, "write -P 1 0 1M")
    qemu.snapshot(path, "then")
    with opened((path, "qcow2"), snapshot="then") as layers:
        qemu.run("qemu-img", "snapshot", "-d", "then", str(path))
        assert not layers.unchanged()
        qemu.snapshot(path, "then")
        assert not layers.unchanged(), "another one of the same name"


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    path = qemu.create(tmp_path / "encrypted.qcow2", MIB)
    with path.open("r+b") as file:
        file.seek(32)
        file.write(struct.pack(">I", 2))
    outside = tmp_path / "outside.qcow2"
    qemu.create(outside, MIB, f"data_file={tmp_path / 'data.raw'}")
    for image in (path, outside):
        with pytest.raises(ImageError), opened((image, "qcow2")):
            pass
    with pytest.raises(ImageError, match="vmdk"), opened((path, "vmdk")):
        pass
    with pytest.raises(ImageError, match="no such snapshot"), opened((qemu.create(path, MIB), "qcow2"), snapshot="x"):
        pass


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 5 * CLUSTER), content=st.binary(min_size=1, max_size=16), cut=st.integers(0, 10 * CLUSTER))
def test_a_damaged_image_gives_bytes_or_an_error(tmp_path: Path, place: int, content: bytes, cut: int) -> None:
    whole = tmp_path / "whole.qcow2"
    if not whole.exists():
        qemu.create(whole, 2 * MIB)
        qemu.io(whole, "write -P 1 0 200k", "write -c -P 3 1M 64k")
        qemu.snapshot(whole, "then")
        qemu.io(whole, "write -P 2 100k 200k")
    damaged = bytearray(whole.read_bytes())
    damaged[place : place + len(content)] = content
    path = tmp_path / "damaged.qcow2"
    path.write_bytes(damaged[: len(damaged) - cut])
    for name in ("", "then"):
        try:
            with opened((path, "qcow2"), snapshot=name) as layers:
                assert len(layers.read(0, 2 * MIB)) == min(2 * MIB, layers.virtual_bytes)
        except ImageError:
            pass


def test_a_table_outside_the_file_is_refused(tmp_path: Path) -> None:
    path = qemu.create(tmp_path / "disk.qcow2", MIB)
    with path.open("r+b") as file:
        file.seek(40)
        (l1_at,) = struct.unpack(">Q", file.read(8))
        file.seek(l1_at)
        file.write(struct.pack(">Q", 2**40))
    with pytest.raises(ImageError, match="truncated"), opened((path, "qcow2")) as layers:
        layers.read(0, MIB)


def test_cancelled(tmp_path: Path) -> None:
    path = qemu.create(tmp_path / "disk.qcow2", MIB)
    qemu.io(path, "write -P 1 0 1M")
    cancel = threading.Event()
    cancel.set()
    sink = Buffer()
    with opened((path, "qcow2")) as layers, pytest.raises(WriteCancelled):
        write_image(layers, sink, lambda *_: None, cancel)
    assert not any(sink.content), "no header: no image"
