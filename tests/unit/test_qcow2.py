"""Image heads: real images of qemu-img are read right, any damaged one ends in an answer or an ImageError."""

import os
import struct
import subprocess
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapgui.images.qcow2 import ImageError, read_head, same_as_snapshot, untouched
from snapgui.images.source import LocalFile

MIB = 2**20


class Bytes:
    """An image in memory; counts what is read of it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size = len(content)

    def read(self, offset: int, length: int) -> bytes:
        return self.content[offset : offset + length]

    def close(self) -> None:
        """Nothing to give back."""


def qemu_img(*arguments: str | Path) -> None:
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, capture_output=True)


def write(image: Path, pattern: int, where: str = "0 64k") -> None:
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", f"write -P {pattern} {where}", str(image)], check=True, capture_output=True
    )


def same(image: Path, name: str) -> bool | None:
    with LocalFile(image) as source:
        return same_as_snapshot(source, name)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.qcow2"
    qemu_img("create", "-f", "qcow2", path, "64M")
    write(path, 1)
    return path


@pytest.mark.parametrize("options", ["cluster_size=512", "cluster_size=4k", "cluster_size=64k", "cluster_size=2M"])
@pytest.mark.parametrize("compat", ["0.10", "1.1"])
def test_every_cluster_size_and_version_tells_whether_it_was_written_to(
    tmp_path: Path, options: str, compat: str
) -> None:
    path = tmp_path / "disk.qcow2"
    qemu_img("create", "-f", "qcow2", "-o", f"{options},compat={compat}", path, "8M")
    write(path, 1)
    qemu_img("snapshot", "-c", "one", path)
    assert same(path, "one") is True
    write(path, 2)
    assert same(path, "one") is False
    qemu_img("snapshot", "-c", "two", path)
    assert (same(path, "one"), same(path, "two")) == (False, True)
    qemu_img("snapshot", "-a", "one", path)
    assert (same(path, "one"), same(path, "two")) == (True, False)


def test_a_write_to_a_new_place_counts_and_reading_does_not(image: Path) -> None:
    qemu_img("snapshot", "-c", "s", image)
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", "read 0 1M", str(image)], check=True, capture_output=True)
    assert same(image, "s") is True
    write(image, 3, "60M 4k")
    assert same(image, "s") is False


def test_other_snapshots_coming_and_going_change_nothing(image: Path) -> None:
    qemu_img("snapshot", "-c", "s", image)
    qemu_img("snapshot", "-c", "other", image)
    assert same(image, "s") is True
    qemu_img("snapshot", "-d", "other", image)
    assert same(image, "s") is True


def test_a_grown_disk_is_the_same_until_it_is_written_to(image: Path) -> None:
    qemu_img("snapshot", "-c", "s", image)
    qemu_img("resize", image, "4G")
    assert same(image, "s") is True
    write(image, 1, "3G 64k")
    assert same(image, "s") is False


def test_an_unknown_snapshot_has_no_answer(image: Path) -> None:
    assert same(image, "none") is None


def test_the_head_of_a_real_image(image: Path) -> None:
    for number in range(3):
        qemu_img("snapshot", "-c", f"snapshot {number} – ü", image)
    with LocalFile(image) as source:
        head = read_head(source)
    assert (head.version, head.cluster_bytes, head.virtual_bytes, head.backing_file) == (3, 65536, 64 * MIB, "")
    assert [entry.name for entry in head.snapshots] == [f"snapshot {number} – ü" for number in range(3)]
    assert [entry.identity for entry in head.snapshots] == ["1", "2", "3"]
    assert {entry.memory_bytes for entry in head.snapshots} == {0}


def test_overlays_are_untouched_until_they_are_written_to(tmp_path: Path, image: Path) -> None:
    overlay = tmp_path / "overlay.qcow2"
    qemu_img("create", "-f", "qcow2", "-b", image, "-F", "qcow2", overlay)
    with LocalFile(overlay) as source:
        assert untouched(source)
        assert read_head(source).backing_file == str(image)
    write(overlay, 2)
    with LocalFile(overlay) as source:
        assert not untouched(source)


@pytest.mark.parametrize("content", [b"", b"QFI\xfb", b"\0" * 1024, b"QFI\xfb" + b"\xff" * 200, os.urandom(512)])
def test_what_is_no_image_is_refused(content: bytes) -> None:
    for question in (read_head, untouched, lambda source: same_as_snapshot(source, "s")):
        with pytest.raises(ImageError):
            question(Bytes(content))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small image with two snapshots, up to the end of its tables."""
    path = tmp_path_factory.mktemp("sound") / "disk.qcow2"
    qemu_img("create", "-f", "qcow2", "-o", "cluster_size=512", path, "1M")
    write(path, 1, "0 4k")
    qemu_img("snapshot", "-c", "one", path)
    write(path, 2, "0 4k")
    qemu_img("snapshot", "-c", "two", path)
    return path.read_bytes()


def ask_everything(content: bytes) -> None:
    for question in (read_head, untouched, lambda source: same_as_snapshot(source, "two")):
        try:
            question(Bytes(content))
        except ImageError:
            continue


@given(cut=st.integers(0, 40_000))
def test_truncated_images_end_in_an_answer_or_an_image_error(sound: bytes, cut: int) -> None:
    ask_everything(sound[:cut])


@given(
    places=st.lists(
        st.tuples(st.integers(0, 112) | st.integers(0, 40_000), st.integers(0, 2**64 - 1), st.sampled_from("BHIQ")),
        min_size=1,
        max_size=6,
    )
)
def test_damaged_images_end_in_an_answer_or_an_image_error(sound: bytes, places: list[tuple[int, int, str]]) -> None:
    damaged = bytearray(sound)
    for place, value, size in places:
        field = struct.pack(f">{size}", value % 2 ** (8 * struct.calcsize(size)))
        damaged[place : place + len(field)] = field
    ask_everything(bytes(damaged))


def test_sizes_in_a_crafted_header_are_not_believed(tmp_path: Path) -> None:
    """A sparse terabyte that announces the largest tables there are; nothing near them may be allocated."""
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, 0, 0, 16, 2**60, 0, 2**32 - 1, 65536, 0, 0, 65536, 65536)
    path = tmp_path / "crafted"
    with path.open("wb") as file:
        file.write(header)
        file.truncate(2**40)
    tracemalloc.start()
    with LocalFile(path) as source:
        with pytest.raises(ImageError):
            untouched(source)
        assert same_as_snapshot(source, "s") is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 128 * MIB


def test_a_snapshot_name_that_is_no_text_is_read(image: Path) -> None:
    qemu_img("snapshot", "-c", "NAME", image)
    content = image.read_bytes().replace(b"NAME", b"\xff\xfe\x00\x1b")
    assert len(read_head(Bytes(content)).snapshots) == 1
