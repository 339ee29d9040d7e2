"""Image heads: real images of qemu-img are read right, any damaged one ends in an answer or an ImageError."""

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


@pytest.mark.parametrize("content", [b"", b"QFI\xfb", b"\0" * 1024, b"QFI\xfb" + b"\xff" * 200, bytes(range(256)) * 2])
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


# extensions of the header

BACKING_FORMAT = 0xE2792ACA


def crafted(extensions: bytes, *, version: int = 3, backing: str = "base", header: int = 104) -> Bytes:
    """An image without snapshots: header, extensions, the base's name right behind them, and then nothing."""
    place = (header if version == 3 else 72) + len(extensions)
    name = backing.encode()
    fields = (b"QFI\xfb", version, place if name else 0, len(name), 16, MIB, 0, 0, 0, 0, 0, 0, 0)
    start = struct.pack(">4sIQIIQIIQQIIQ", *fields)
    if version == 3:
        start += struct.pack(">QQQII", 0, 0, 0, 4, header).ljust(header - 72, b"\0")
    return Bytes(start + extensions + name)


def extension(kind: int, content: bytes) -> bytes:
    return struct.pack(">II", kind, len(content)) + content + b"\0" * (-len(content) % 8)


END = extension(0, b"")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("base_format", ["qcow2", "raw", ""])
def test_the_format_of_the_base_is_read(version: int, base_format: str) -> None:
    head = read_head(crafted(extension(BACKING_FORMAT, base_format.encode()) + END, version=version))
    assert (head.backing_file, head.backing_format) == ("base", base_format)


@pytest.mark.parametrize("base_format", ["qcow2", "raw"])
@pytest.mark.parametrize("compat", ["0.10", "1.1"])
def test_the_format_that_qemu_img_wrote_is_read(tmp_path: Path, image: Path, base_format: str, compat: str) -> None:
    overlay = tmp_path / "overlay.qcow2"
    qemu_img("create", "-f", "qcow2", "-o", f"compat={compat}", "-b", image, "-F", base_format, overlay)
    with LocalFile(overlay) as source:
        assert read_head(source).backing_format == base_format


def test_extensions_of_another_sort_are_passed_over() -> None:
    many = b"".join(extension(kind, b"x" * kind) for kind in range(1, 20))
    assert read_head(crafted(many + extension(BACKING_FORMAT, b"qcow2") + END)).backing_format == "qcow2"


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("extensions", [b"", extension(BACKING_FORMAT, b"qcow2")])
def test_where_the_name_of_the_base_begins_the_extensions_end(version: int, extensions: bytes) -> None:
    """Old versions of QEMU wrote no end mark; the name must not be taken for an extension."""
    head = read_head(crafted(extensions, version=version, backing="/images/base"))
    assert (head.backing_file, head.backing_format) == ("/images/base", "qcow2" if extensions else "")


def test_what_stands_behind_the_end_mark_is_no_extension() -> None:
    assert read_head(crafted(END + extension(BACKING_FORMAT, b"raw"))).backing_format == ""


@pytest.mark.parametrize("size", [1000, 2**16 + 1, 2**31, 2**32 - 1])
def test_the_size_of_an_extension_is_not_believed(size: int) -> None:
    with pytest.raises(ImageError):
        read_head(crafted(struct.pack(">II", BACKING_FORMAT, size) + b"raw\0\0\0\0\0"))


@pytest.mark.parametrize("length", [2**31, 2**32 - 1])
def test_a_header_that_claims_to_be_longer_than_the_image_has_no_extensions(length: int) -> None:
    content = bytearray(crafted(extension(BACKING_FORMAT, b"raw") + END).content)
    content[100:104] = struct.pack(">I", length)
    assert read_head(Bytes(bytes(content))).backing_format == ""


def test_the_extensions_are_not_read_for_ever() -> None:
    endless = Bytes(crafted(extension(1, b"") * 8000, backing="").content)
    reads: list[int] = []
    read = endless.read
    endless.read = lambda offset, length: (reads.append(offset), read(offset, length))[1]  # type: ignore[method-assign]
    assert read_head(endless).backing_format == ""
    assert len(reads) < 100


@given(st.binary(max_size=300))
def test_any_extensions_end_in_an_answer_or_an_image_error(extensions: bytes) -> None:
    for version in (2, 3):
        ask_everything(crafted(extensions, version=version).content)


@given(cut=st.integers(0, 200))
def test_truncated_extensions_end_in_an_answer_or_an_image_error(cut: int) -> None:
    ask_everything(crafted(extension(7, b"x" * 50) + extension(BACKING_FORMAT, b"qcow2") + END).content[:cut])
