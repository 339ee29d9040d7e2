"""Damaged and crafted XFS filesystems give what can be read of them, or an error: no endless work, no crash."""

import contextlib
import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.filesystem import FileSystem, FilesystemError, entries, lookup
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.filesystems.xfs import Xfs, open_xfs
from snapgui.images.filesystems.xfs_chunks import place_of
from tests.images import xfs
from tests.images.ext import MIB, Memory

LAYOUTS = ("v5", "v5-1k", "v4-512")
SECTOR = 512


class Patched:
    """A disk with some bytes put over those it has, and an end before its own."""

    def __init__(self, content: bytes, patches: list[tuple[int, bytes]], size: int) -> None:
        self._content, self._patches, self.size = content, patches, size

    def read(self, offset: int, length: int) -> bytes:
        found = bytearray(self._content[offset : min(offset + length, self.size)])
        for at, put in self._patches:
            low, high = max(at, offset), min(at + len(put), offset + len(found))
            if low < high:
                found[low - offset : high - offset] = put[low - at : high - at]
        return bytes(found)


@pytest.fixture(scope="module")
def damageable(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, list[int]]]:
    """Small filesystems, and which of their sectors are neither zeros nor of the log."""
    where = tmp_path_factory.mktemp("damage")
    (where / "source").write_bytes(b"content" * 300)
    names = "".join(f"{'name_' * 9}{number} ---644 0 0 {where / 'source'}\n" for number in range(140))
    few = "".join(f"name_{number} ---644 0 0 {where / 'source'}\n" for number in range(30))
    prototype = (
        f"/dev/null\n0 0\nd--755 0 0\nmany d--755 0 0\n{names}$\nfew d--755 0 0\n{few}$\nnone d--755 0 0\n$\n"
        f"link l--777 0 0 {'t' * 100}\nfile ---600 1 2 {where / 'source'}\n$\n"
    )
    found = {}
    for layout in LAYOUTS:
        image = xfs.make(where / layout, *xfs.LAYOUTS[layout], prototype=prototype)
        view = open_filesystem(Memory(image.read_bytes()))
        file, few_node = lookup(view, b"file"), lookup(view, b"few")
        assert file is not None
        assert few_node is not None
        for number, count in ((file.number, 1), (few_node.number, 6)):
            values = [f"attr_set -v 300 attribute{each}" for each in range(count)]
            xfs.debugged(image, f"inode {number}", *values)
        raw = image.read_bytes()
        found[layout] = (raw, _worth_damaging(raw))
    return found


def _worth_damaging(raw: bytes) -> list[int]:
    head = _view(raw).head
    log = head.linear(head.log_block) * head.block_bytes
    behind = log + head.log_blocks * head.block_bytes
    places = [at for at in range(0, len(raw), SECTOR) if any(raw[at : at + SECTOR]) and not log <= at < behind]
    return [at for at in places if not raw[at : at + SECTOR].count(b"content")]


def _view(raw: bytes) -> Xfs:
    return open_xfs(Memory(raw))


def consumed(view: FileSystem) -> None:
    """Read all there is, and compare it with itself."""
    for entry in entries(view):
        view.attributes(entry.node.number)
        view.extents(entry.node.number)
        view.read(entry.node.number, 0, 10_000)
        view.read(entry.node.number, max(0, entry.node.size - 10), 100)
    assert list(compare(view, view)) == []


DAMAGE = st.tuples(
    st.integers(0, 10_000),
    st.integers(0, SECTOR // 2 - 1),
    st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1", b"\xff", b"\x7f\xff"]) | st.binary(max_size=4),
)
"""Which of the sectors, which half word of it, and what is put there."""


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=100)
@given(damage=st.lists(DAMAGE, min_size=1, max_size=8), cut=st.sampled_from([0, 0, 0, 1, 30 * MIB]))
def test_a_damaged_filesystem_gives_files_or_an_error(
    damageable: dict[str, tuple[bytes, list[int]]],
    layout: str,
    damage: list[tuple[int, int, bytes]],
    cut: int,
) -> None:
    raw, places = damageable[layout]
    patches = [(places[sector % len(places)] + 2 * word, content) for sector, word, content in damage]
    with contextlib.suppress(FilesystemError):
        consumed(open_filesystem(Patched(raw, patches, len(raw) - cut)))


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=60)
@given(damage=st.lists(DAMAGE, min_size=1, max_size=4))
def test_damage_is_told_as_a_walk_tells_it(
    damageable: dict[str, tuple[bytes, list[int]]], layout: str, damage: list[tuple[int, int, bytes]]
) -> None:
    raw, places = damageable[layout]
    patches = [(places[sector % len(places)] + 2 * word, content) for sector, word, content in damage]
    changed = Ranges([(at, at + len(content)) for at, content in patches])
    before = open_filesystem(Memory(raw))
    try:
        after = open_filesystem(Patched(raw, patches, len(raw)))
        walked = {(each.path, each.change, each.aspects) for each in compare(before, after)}
    except FilesystemError:
        return
    assert {(each.path, each.change, each.aspects) for each in compare(before, after, changed)} == walked


@pytest.mark.parametrize(
    ("offset", "content"),
    [
        (100, b"\xb4\xa3"),
        (100, b"\x94\x05"),
        (216, b"\x00\x00\x01\x01"),
        (4, b"\x00\x02\x00\x00"),
        (84, b"\xff\xff\xff\xff"),
        (88, b"\xff\xff\xff\xff"),
        (8, b"\x7f" * 8),
        (56, b"\xff" * 8),
        (104, b"\x00\x40"),
        (123, b"\x09"),
        (124, b"\x1e"),
    ],
)
def test_what_cannot_be_is_refused(damageable: dict[str, tuple[bytes, list[int]]], offset: int, content: bytes) -> None:
    raw, _ = damageable["v5"]
    with pytest.raises(FilesystemError):
        open_filesystem(Patched(raw, [(offset, content)], len(raw)))
    with pytest.raises(FilesystemError):
        open_filesystem(Memory(raw[:200]))


def test_a_directory_within_itself_is_refused(damageable: dict[str, tuple[bytes, list[int]]]) -> None:
    raw, _ = damageable["v5"]
    view = _view(raw)
    root = view.inode(view.root)
    none = lookup(view, b"none")
    assert root is not None
    assert none is not None
    place = place_of(view.head, view.root)
    at = raw.index(b"none\x02" + none.number.to_bytes(4, "big"), place)
    looped = Patched(raw, [(at + 5, view.root.to_bytes(4, "big"))], len(raw))
    with pytest.raises(FilesystemError, match="within itself"):
        list(entries(open_filesystem(looped)))


@pytest.mark.parametrize("target", ["itself", "far", "level"])
def test_trees_of_inodes_that_go_in_circles_are_refused(
    damageable: dict[str, tuple[bytes, list[int]]], target: str
) -> None:
    raw, _ = damageable["v5"]
    (root,) = struct.unpack_from(">I", raw, 1024 + 20)
    at = root * 4096
    inner = [
        (1024 + 24, struct.pack(">I", 3)),
        (at + 4, struct.pack(">HH", 2, 1)),
        (at + 2076, struct.pack(">I", root)),
    ]
    patches = {
        "itself": inner,
        "far": [(1024 + 20, b"\x7f\xff\xff\xff")],
        "level": [(1024 + 24, b"\xff\xff\xff\xff")],
    }[target]
    with pytest.raises(FilesystemError, match="tree of inodes"):
        list(entries(open_filesystem(Patched(raw, patches, len(raw)))))


class Sparse:
    """A disk of any size that has zeros behind its first bytes: as crafted tables of an image would."""

    def __init__(self, first: bytes, size: int) -> None:
        self.first, self.size = first, size

    def read(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        return self.first[offset : offset + length].ljust(length, b"\0")


@pytest.mark.parametrize("field", ["groups", "file", "extents", "directory"])
def test_crafted_sizes_cost_no_memory(damageable: dict[str, tuple[bytes, list[int]]], field: str) -> None:
    raw = bytearray(damageable["v5"][0])
    view = _view(bytes(raw))
    places = {name: place_of(view.head, _number(view, name)) for name in ("file", "many")}
    if field == "groups":
        struct.pack_into(">Q", raw, 8, 2**45)
        struct.pack_into(">I", raw, 88, -(-(2**45) // view.head.group_blocks) & 0xFFFFFFFF)
    elif field == "extents":
        raw[places["file"] + 5] = 2
        struct.pack_into(">I", raw, places["file"] + 76, 0x7FFFFFFF)
    else:
        struct.pack_into(">Q", raw, places["many" if field == "directory" else "file"] + 56, 2**62)
    tracemalloc.start()
    try:
        with contextlib.suppress(FilesystemError):
            consumed(open_filesystem(Sparse(bytes(raw), 2**60)))
        assert tracemalloc.get_traced_memory()[1] < 100 * MIB
    finally:
        tracemalloc.stop()


def _number(view: Xfs, name: str) -> int:
    found = lookup(view, name.encode())
    assert found is not None
    return found.number


def test_an_unclean_directory_is_read_as_far_as_it_can_be(
    damageable: dict[str, tuple[bytes, list[int]]], tmp_path: Path
) -> None:
    raw, _ = damageable["v4-512"]
    view = _view(raw)
    extents = view.extents(_number(view, "many"))
    assert extents is not None
    log = view.head.linear(view.head.log_block) * view.head.block_bytes
    spoilt = (int(extents[0, 1]), b"????")
    names = [link.name for link in view.links(_number(view, "many"))]
    used = open_filesystem(Patched(raw, [spoilt, (log + 512 + 9, b"\0")], len(raw)))
    assert used.unclean
    assert 0 < len(list(used.links(_number(view, "many")))) < len(names)
    with pytest.raises(FilesystemError, match="directory is damaged"):
        list(open_filesystem(Patched(raw, [spoilt], len(raw))).links(_number(view, "many")))
