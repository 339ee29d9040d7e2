"""Damaged and crafted btrfs filesystems give files or an error, in little time and memory; whole copies are used."""

import contextlib
import struct
import tracemalloc
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapgui.images.filesystems import lzo
from snapgui.images.filesystems.btrfs import Btrfs
from snapgui.images.filesystems.btrfs_compression import LARGEST_BYTES, decompress
from snapgui.images.filesystems.btrfs_layout import COPIES, MAGIC_AT, SUPERBLOCK_BYTES
from snapgui.images.filesystems.btrfs_node import HEADER_BYTES
from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.crc32c import crc32c_long
from snapgui.images.filesystems.filesystem import FileSystem, FilesystemError, entries, lookup
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.filesystems.ranges import Ranges
from tests.images import btrfs, ext
from tests.images.ext import MIB, Memory

NODE_BYTES = 4096
PLACE_AT, COUNT_AT, LEVEL_AT = 0x30, 0x60, 0x64


class Patched:
    """A disk of which some blocks are others: none of it is copied."""

    def __init__(self, whole: bytes, size: int) -> None:
        self.size, self._whole = size, whole
        self.blocks: dict[int, bytearray] = {}

    def read(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        found = bytearray(self._whole[offset : offset + length])
        for at, block in self.blocks.items():
            low, high = max(at, offset), min(at + len(block), offset + length)
            if low < high:
                found[low - offset : high - offset] = block[low - at : high - at]
        return bytes(found)

    def patch(self, block: int, offset: int, content: bytes) -> bytearray:
        patched = self.blocks.setdefault(block, bytearray(self._whole[block : block + NODE_BYTES]))
        patched[offset : offset + len(content)] = content
        return patched


class Made(NamedTuple):
    """A filesystem, and where on the disk all its nodes and their copies lie."""

    image: bytes
    nodes: list[int]

    def __repr__(self) -> str:
        return "Made()"


@pytest.fixture(scope="module")
def made(image: bytes, nodes: list[int]) -> Made:
    return Made(image, nodes)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    where = tmp_path_factory.mktemp("damage")
    (where / "tree" / "one" / "two").mkdir(parents=True)
    for number in range(60):
        (where / "tree" / "one" / f"a file with the number {number}").write_bytes(b"content" * number * 40)
    (where / "tree" / "link").symlink_to("y" * 90)
    return btrfs.make(where / "disk", where / "tree", "--nodesize", str(NODE_BYTES)).read_bytes()


@pytest.fixture(scope="module")
def nodes(image: bytes) -> list[int]:
    """Return where on the disk all nodes and their copies lie."""
    owner = image[COPIES[0] + 0x20 : COPIES[0] + 0x30]
    places = range(0, len(image), NODE_BYTES)
    return [at for at in places if image[at + 0x20 : at + 0x30] == owner and at not in COPIES]


def sealed(content: bytearray, at: int, length: int) -> None:
    """Give a block the checksum that it should have."""
    checksum = crc32c_long(bytes(content[at + 32 : at + length]))
    content[at : at + 32] = checksum.to_bytes(4, "little").ljust(32, b"\0")


def consumed(view: FileSystem) -> None:
    """Read all there is, and compare it with itself."""
    for entry in entries(view):
        view.attributes(entry.node.number)
        view.extents(entry.node.number)
        view.read(entry.node.number, 0, 100_000)
        view.read(entry.node.number, max(0, entry.node.size - 10), 100)
    assert list(compare(view, view)) == []


DAMAGE = st.tuples(
    st.integers(0, 10_000),
    st.integers(0, NODE_BYTES - 9) | st.integers(0x20, 400),
    st.sampled_from([bytes(4), b"\xff" * 4, b"\xff" * 8, b"\1\0\0\0", b"\x00\xff"]) | st.binary(max_size=8),
)
"""Which node, which byte of it, and what is put there."""


@pytest.mark.parametrize("genuine", [True, False], ids=["sealed", "broken"])
@settings(max_examples=150)
@given(damage=st.lists(DAMAGE, min_size=1, max_size=6), cut=st.sampled_from([0, 0, 0, 1, 100 * MIB]))
def test_a_damaged_filesystem_gives_files_or_an_error(
    made: Made, genuine: bool, damage: list[tuple[int, int, bytes]], cut: int
) -> None:
    disk = Patched(made.image, len(made.image) - cut)
    for index, offset, content in damage:
        block = disk.patch(made.nodes[index % len(made.nodes)], offset, content)
        if genuine:
            sealed(block, 0, NODE_BYTES)
    changed = Ranges([(at, at + NODE_BYTES) for at in disk.blocks])
    with contextlib.suppress(FilesystemError):
        view = open_filesystem(disk)
        list(compare(open_filesystem(Memory(made.image)), view, changed))
        list(compare(view, open_filesystem(Memory(made.image)), changed))
        consumed(view)


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0x20, SUPERBLOCK_BYTES - 9), st.binary(min_size=1, max_size=8)), max_size=4))
def test_a_crafted_superblock_gives_files_or_an_error(made: Made, damage: list[tuple[int, bytes]]) -> None:
    disk = Patched(made.image, len(made.image))
    for offset, content in damage:
        sealed(disk.patch(COPIES[0], offset, content), 0, SUPERBLOCK_BYTES)
    with contextlib.suppress(FilesystemError):
        consumed(open_filesystem(disk))


def test_a_copy_of_a_damaged_superblock_is_used_and_said(image: bytes) -> None:
    damaged = bytearray(image)
    damaged[COPIES[0] + 0x48] ^= 1
    view = open_filesystem(Memory(bytes(damaged)))
    assert [str(remark) for remark in view.remarks] == ["Its superblock is damaged; the newest copy of it was used."]
    assert ext.ours(view) == ext.ours(open_filesystem(Memory(image)))
    damaged[COPIES[1] + 0x48] ^= 1
    with pytest.raises(FilesystemError, match="superblock"):
        open_filesystem(Memory(bytes(damaged)))


def test_the_second_copy_of_a_damaged_node_is_read(image: bytes, nodes: list[int]) -> None:
    seen: set[int] = set()
    damaged, ruined = bytearray(image), bytearray(image)
    for at in nodes:
        place = int.from_bytes(image[at + PLACE_AT : at + PLACE_AT + 8], "little")
        ruined[at + 200] ^= 1
        if place not in seen:
            damaged[at + 200] ^= 1
        seen.add(place)
    assert ext.ours(open_filesystem(Memory(bytes(damaged)))) == ext.ours(open_filesystem(Memory(image)))
    with pytest.raises(FilesystemError, match="node"):
        consumed(open_filesystem(Memory(bytes(ruined))))


@pytest.mark.parametrize("target", ["itself", "twice", "far"])
def test_trees_that_go_in_circles_are_refused(image: bytes, nodes: list[int], target: str) -> None:
    damaged = bytearray(image)
    inner = [at for at in nodes if image[at + LEVEL_AT] == 1 and image[at + COUNT_AT] > 1]
    assert inner
    for at in inner:
        first, second = at + HEADER_BYTES, at + HEADER_BYTES + 33
        own = image[at + PLACE_AT : at + PLACE_AT + 8]
        wanted = {"itself": own, "twice": image[first + 17 : first + 25], "far": struct.pack("<Q", 2**64 - NODE_BYTES)}
        damaged[second + 17 : second + 25] = wanted[target]
        sealed(damaged, at, NODE_BYTES)
    with pytest.raises(FilesystemError):
        consumed(open_filesystem(Memory(bytes(damaged))))


def test_unknown_features_are_refused(image: bytes) -> None:
    damaged = bytearray(image)
    damaged[COPIES[0] + 0xBC + 5] |= 1
    sealed(damaged, COPIES[0], SUPERBLOCK_BYTES)
    with pytest.raises(FilesystemError, match="features that are not known"):
        open_filesystem(Memory(bytes(damaged)))


@pytest.mark.parametrize("content", [b"", bytes(4096), b"\xff" * 4096, bytes(COPIES[0] + MAGIC_AT) + b"_BHRfS_M"])
def test_what_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(FilesystemError):
        open_filesystem(Memory(content))


def test_a_huge_file_of_nothing_is_compared_at_once(image: bytes, nodes: list[int]) -> None:
    view = open_filesystem(Memory(image))
    node = lookup(view, b"/one/a file with the number 59")
    assert node is not None
    size = struct.pack("<Q", node.size)
    damaged = bytearray(image)
    for at in nodes:
        if image[at + LEVEL_AT] == 0:
            changed = image[at : at + NODE_BYTES].replace(size, struct.pack("<Q", 2**61))
            damaged[at : at + NODE_BYTES] = changed
            sealed(damaged, at, NODE_BYTES)
    crafted = [open_filesystem(Memory(bytes(damaged))) for _ in range(2)]
    huge = lookup(crafted[0], b"/one/a file with the number 59")
    assert huge is not None
    assert huge.size == 2**61
    tracemalloc.start()
    assert list(compare(*crafted)) == []
    assert tracemalloc.get_traced_memory()[1] < 200 * MIB
    tracemalloc.stop()


@settings(max_examples=300)
@given(kind=st.sampled_from([1, 2, 3]), stored=st.binary(max_size=300), length=st.integers(0, LARGEST_BYTES))
def test_anything_is_decompressed_or_refused(kind: int, stored: bytes, length: int) -> None:
    with contextlib.suppress(FilesystemError):
        assert len(decompress(kind, stored, length, 4096)) == length
    with contextlib.suppress(FilesystemError):
        assert len(lzo.decompress(stored, 4096)) <= 4096


def test_other_filesystems_are_compared_by_path(image: bytes, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "other").write_bytes(b"other")
    other = ext.opened(btrfs.make(tmp_path / "disk", tree))
    view = open_filesystem(Memory(image))
    assert isinstance(view, Btrfs)
    assert other.differing(view, ext.differences(b"", b"")) is None
    assert {each.path for each in compare(view, other)} >= {"/other", "/link"}
