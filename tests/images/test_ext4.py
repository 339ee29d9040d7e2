"""Whatever e2fsprogs puts into an ext filesystem is found in it, and nothing else; damaged ones give an error."""

import contextlib
import re
import stat
import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.filesystem import FileSystem, FilesystemError, Kind, entries, lookup
from snapgui.images.filesystems.opening import open_filesystem
from tests.images import ext
from tests.images.ext import MIB, Memory

LAYOUTS = {
    "ext2": ("ext2",),
    "ext2-1k": ("ext2", "-b", "1024"),
    "ext2-revision-0": ("ext2", "-r", "0", "-b", "1024"),
    "ext3": ("ext3",),
    "ext3-128": ("ext3", "-I", "128", "-O", "^dir_index"),
    "ext4": ("ext4",),
    "ext4-1k": ("ext4", "-b", "1024"),
    "ext4-64k": ("ext4", "-b", "65536"),
    "32bit": ("ext4", "-O", "^64bit,^metadata_csum"),
    "untyped": ("ext4", "-O", "^filetype"),
    "inline": ("ext4", "-O", "inline_data", "-I", "512"),
    "meta-bg": ("ext4", "-b", "1024", "-g", "1024", "-O", "meta_bg,^resize_inode"),
    "bigalloc": ("ext4", "-O", "bigalloc", "-C", "16384"),
    "super2": ("ext4", "-b", "1024", "-O", "sparse_super2,meta_bg,^resize_inode"),
    "values": ("ext4", "-O", "ea_inode,large_dir,casefold,quota"),
    "no-journal": ("ext4", "-O", "^has_journal,^flex_bg,uninit_bg,^metadata_csum"),
}
BY_DISSECT = sorted(LAYOUTS.keys() - {"bigalloc", "inline", "ext4-64k", "meta-bg", "super2", "ext2-revision-0"})
"""Those that dissect reads as well."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ext.tree(tmp_path_factory.mktemp("tree") / "tree")


def made(layout: str, tree: Path | None, path: Path) -> Path:
    kind, *options = LAYOUTS[layout]
    return ext.make(path, tree, *options, kind=kind, size=(256 if layout == "ext4-64k" else 48) * MIB)


def rooted(found: dict[bytes, ext.Facts]) -> dict[bytes, ext.Facts]:
    return {path: facts for path, facts in found.items() if path != b"/lost+found"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_has_what_was_put_in(tree: Path, tmp_path: Path, layout: str) -> None:
    image = made(layout, tree, tmp_path / "disk")
    view = ext.opened(image)
    found = rooted(ext.ours(view))
    wanted = ext.on_disk(tree)
    assert found.keys() == wanted.keys()
    for path, facts in wanted.items():
        assert found[path] == facts, path
    assert view.name == LAYOUTS[layout][0]
    assert (view.unclean, view.replayed, view.remarks) == (False, False, ())


@pytest.mark.parametrize("layout", BY_DISSECT)
def test_dissect_finds_the_same(tree: Path, tmp_path: Path, layout: str) -> None:
    image = made(layout, tree, tmp_path / "disk")
    assert ext.ours(ext.opened(image)) == ext.theirs(image)


def test_devices_sockets_times_and_owners(tmp_path: Path) -> None:
    image = ext.make(tmp_path / "disk")
    ext.debugfs(
        image,
        "mknod null c 1 3",
        "mknod large b 4 5",
        "sif large block[0] 0",
        f"sif large block[1] {70000 & 0xFF | 259 << 8 | (70000 & ~0xFF) << 12}",
        "mknod pipe p",
        "mknod socket p",
        "sif socket mode 0140755",
        "mkdir there",
        "sif there uid 70000",
        "sif there gid 4000000000",
        "sif there mtime @-2000000000",
        "sif there mtime_extra 0x4d2",
        "sif pipe mtime @1",
        "sif pipe mtime_extra 1",
        "sif pipe flags 0x10",
    )
    nodes = {entry.path: entry.node for entry in entries(ext.opened(image))}
    assert (nodes[b"/null"].kind, nodes[b"/null"].device) == (Kind.CHARACTER, (1, 3))
    assert (nodes[b"/large"].kind, nodes[b"/large"].device) == (Kind.BLOCK, (259, 70000))
    assert (nodes[b"/pipe"].kind, nodes[b"/socket"].kind) == (Kind.FIFO, Kind.SOCKET)
    assert (nodes[b"/there"].uid, nodes[b"/there"].gid) == (70000, 4_000_000_000)
    assert nodes[b"/there"].mtime_ns == (-2_000_000_000 + 2 * 2**32) * 10**9 + 0x4D2 // 4
    assert nodes[b"/pipe"].mtime_ns == (1 + 2**32) * 10**9
    assert nodes[b"/pipe"].flags == 0x10


@pytest.mark.parametrize("options", [(), ("-I", "128"), ("-O", "ea_inode")], ids=["256", "128", "inodes"])
def test_attributes(tmp_path: Path, options: tuple[str, ...]) -> None:
    image = ext.make(tmp_path / "disk", None, "-b", "4096", *options)
    large = tmp_path / "value"
    large.write_bytes(b"v" * 3000)
    more = [f"ea_set -f {large} there user.{name}" for name in ("two", "three")] if "ea_inode" in options else []
    ext.debugfs(
        image,
        "mkdir there",
        "ea_set there user.short value",
        f"ea_set -f {large} there user.long",
        *more,
        "ea_set there security.selinux system_u:object_r:etc_t:s0",
        "ea_set there trusted.overlay.opaque y",
        "mkdir bare",
    )
    view = ext.opened(image)
    there, bare = lookup(view, b"/there"), lookup(view, b"bare/")
    assert there is not None
    assert bare is not None
    assert there.attributed
    assert not bare.attributed
    assert view.attributes(bare.number) == {}
    assert view.attributes(there.number) == {
        b"user.short": b"value",
        b"user.long": large.read_bytes(),
        b"security.selinux": b"system_u:object_r:etc_t:s0",
        b"trusted.overlay.opaque": b"y",
        **{b"user." + name: large.read_bytes() for name in ((b"two", b"three") if more else ())},
    }


def test_reserved_places_are_zeros_and_pieces_are_read(tmp_path: Path) -> None:
    content = tmp_path / "content"
    content.write_bytes(bytes(range(256)) * 400)
    image = ext.make(tmp_path / "disk", None, "-b", "1024")
    ext.debugfs(image, f"write {content} file", "punch file 10 19", "fallocate file 10 14", "fallocate file 200 300")
    view = ext.opened(image)
    node = lookup(view, b"/file")
    assert node is not None
    wanted = bytearray(content.read_bytes())
    wanted[10 * 1024 : 20 * 1024] = bytes(10 * 1024)
    for offset, length in ((0, 200_000), (10_000, 500), (20_470, 20), (102_390, 100), (102_400, 1)):
        assert view.read(node.number, offset, length) == wanted[offset : offset + length]
    extents = view.extents(node.number)
    assert extents is not None
    assert extents[:, 2].sum() == len(wanted) - 10 * 1024
    for begin, place, length in extents.tolist():
        assert image.read_bytes()[place : place + length] == wanted[begin : begin + length]


def test_a_tree_of_extents_of_several_levels(tmp_path: Path) -> None:
    image = ext.make(tmp_path / "disk", None, "-b", "1024")
    content = tmp_path / "content"
    content.write_bytes(bytes(range(256)) * 24_000)
    ext.debugfs(image, f"write {content} file", *(f"punch file {at} {at}" for at in range(1, 6000, 2)))
    view = ext.opened(image)
    assert ext.ours(view)[b"/file"].content == ext.theirs(image)[b"/file"].content
    node = lookup(view, b"/file")
    assert node is not None
    extents = view.extents(node.number)
    assert extents is not None
    assert len(extents) == 3000


def test_what_is_deleted_is_not_listed(tree: Path, tmp_path: Path) -> None:
    image = ext.make(tmp_path / "disk", tree, size=48 * MIB)
    ext.debugfs(image, "rm large", "rm fifo", "unlink sparse", "sif small links_count 0")
    found = ext.ours(ext.opened(image))
    assert not found.keys() & {b"/large", b"/fifo", b"/sparse", b"/small"}


def test_encrypted_names_are_shown_as_such(tmp_path: Path) -> None:
    image = ext.make(tmp_path / "disk", None, "-O", "encrypt,casefold")
    source = tmp_path / "source"
    source.write_bytes(b"secret")
    ext.debugfs(image, "mkdir there", "cd there", f"write {source} abc", "symlink link target", "cd /")
    ext.debugfs(image, "sif there flags 0x80800", "sif there/abc flags 0x80800")
    view = ext.opened(image)
    found = {entry.path: entry.node for entry in entries(view)}
    assert found[b"/there/encrypted:" + b"abc".hex().encode()].encrypted
    assert [str(remark) for remark in view.remarks] == [
        "Some of it may be encrypted: names are shown, and content is compared, as they are stored."
    ]


def test_what_was_in_use_without_a_journal_is_unclean(tmp_path: Path) -> None:
    image = ext.make(tmp_path / "disk", kind="ext2")
    assert not ext.opened(image).unclean
    ext.debugfs(image, "ssv state 0")
    view = ext.opened(image)
    assert view.unclean
    assert "has no journal" in str(view.remarks[0])


def test_a_journal_on_another_disk_is_said(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    ext.make(journal, None, "-O", "journal_dev", "-b", "4096", size=8 * MIB)
    with pytest.raises(FilesystemError, match="journal of a filesystem"):
        ext.opened(journal)
    image = ext.make(tmp_path / "disk")
    ext.debugfs(image, "feature needs_recovery", "ssv journal_inum 0")
    view = ext.opened(image)
    assert view.unclean
    assert "another disk" in str(view.remarks[0])


def test_label_and_identity(tmp_path: Path) -> None:
    identity = "6d0b7f5c-4a62-4a35-9d69-2c3a4a7bb0d1"
    view = ext.opened(ext.make(tmp_path / "disk", None, "-L", "Ünde", "-U", identity))
    assert (view.label, view.uuid) == ("Ünde", identity)


def test_lookup_follows_names_only(tree: Path, tmp_path: Path) -> None:
    view = ext.opened(ext.make(tmp_path / "disk", tree, size=48 * MIB))
    deep = b"/".join(b"level %d" % number for number in range(60))
    assert (lookup(view, b"//" + deep + b"/bottom") or pytest.fail("not found")).size == 6
    for path in (b"nothing", b"small/below", b"link/below", b"many/../small"):
        assert lookup(view, path) is None
    assert (lookup(view, b"/") or pytest.fail("no root")).number == view.root


@pytest.mark.parametrize("content", [b"", bytes(4096), b"\xff" * 4096, bytes(1080) + b"\x53\xef" + bytes(4000)])
def test_what_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(FilesystemError):
        open_filesystem(Memory(content))


def consumed(view: FileSystem) -> None:
    """Read all there is, and compare it with itself."""
    for entry in entries(view):
        view.attributes(entry.node.number)
        view.extents(entry.node.number)
        view.read(entry.node.number, 0, 100_000)
        view.read(entry.node.number, max(0, entry.node.size - 10), 100)
    assert list(compare(view, view)) == []


@pytest.fixture(scope="module")
def damageable(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A few small filesystems."""
    where = tmp_path_factory.mktemp("damage")
    tree = where / "tree"
    (tree / "one" / "two").mkdir(parents=True)
    for number in range(60):
        (tree / "one" / f"a file with the number {number}").write_bytes(b"content" * number * 40)
    (tree / "link").symlink_to("y" * 90)
    small = {"ext2-1k": 2 * MIB, "ext4-1k": 2 * MIB, "inline": 4 * MIB}
    found = {}
    for layout, size in small.items():
        kind, *options = LAYOUTS[layout]
        image = ext.make(where / layout, tree, *options, "-N", "128", kind=kind, size=size)
        ext.debugfs(image, f"ea_set one user.long {'v' * 300}", "ea_set link user.short v")
        found[layout] = image.read_bytes()
    return found


DAMAGE = st.tuples(
    st.integers(0, 10_000),
    st.integers(0, 255),
    st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\1\0\0\0", b"\x00\xff"]) | st.binary(max_size=4),
)
"""Which of the blocks that are no zeros, which word of it, and what is put there."""


@pytest.mark.parametrize("layout", ["ext2-1k", "ext4-1k", "inline"])
@settings(max_examples=100)
@given(damage=st.lists(DAMAGE, min_size=1, max_size=8), cut=st.sampled_from([0, 0, 0, 1, MIB]))
def test_a_damaged_filesystem_gives_files_or_an_error(
    damageable: dict[str, bytes], layout: str, damage: list[tuple[int, int, bytes]], cut: int
) -> None:
    damaged = bytearray(damageable[layout])
    written = [at for at in range(0, len(damaged), 1024) if any(damaged[at : at + 1024])]
    for block, word, content in damage:
        at = written[block % len(written)] + word * 4
        damaged[at : at + len(content)] = content
    with contextlib.suppress(FilesystemError):
        consumed(open_filesystem(Memory(bytes(damaged[: len(damaged) - cut]))))


def test_a_directory_within_itself_is_refused(tmp_path: Path) -> None:
    image = ext.make(tmp_path / "disk")
    ext.debugfs(image, "mkdir one", "mkdir one/two", "ln one one/two/three")
    with pytest.raises(FilesystemError, match="within itself"):
        ext.ours(ext.opened(image))
    view = ext.opened(image)
    with pytest.raises(FilesystemError, match="within itself"):
        list(compare(view, ext.opened(ext.make(tmp_path / "other"))))


@pytest.mark.parametrize("target", ["itself", "shared", "far"])
def test_trees_of_extents_that_go_in_circles_are_refused(tmp_path: Path, target: str) -> None:
    image = ext.make(tmp_path / "disk", None, "-b", "1024")
    content = tmp_path / "content"
    content.write_bytes(bytes(range(256)) * 24_000)
    ext.debugfs(image, f"write {content} file", *(f"punch file {at} {at}" for at in range(1, 6000, 2)))
    raw = bytearray(image.read_bytes())
    number = int(re.findall(r"Inode: (\d+)", ext.debugfs(image, "stat file"))[0])
    block, within = re.findall(r"block (\d+), offset (0x\w+)", ext.debugfs(image, f"imap <{number}>"))[0]
    place = int(block) * 1024 + int(within, 16)
    first, second = place + 0x28 + 12, place + 0x28 + 24
    (child,) = struct.unpack_from("<I", raw, first + 4)
    if target == "itself":
        struct.pack_into("<I", raw, child * 1024 + 12 + 4, child)
    elif target == "shared":
        struct.pack_into("<H", raw, place + 0x28 + 2, 2)
        raw[second : second + 12] = raw[first : first + 12]
    else:
        struct.pack_into("<I", raw, first + 4, 0xFFFFFF00)
    view = open_filesystem(Memory(bytes(raw)))
    with pytest.raises(FilesystemError):
        view.read(number, 0, 10)


class Sparse:
    """A disk of any size that repeats a few bytes beyond its first ones: as crafted tables of an image would."""

    def __init__(self, first: bytes, size: int) -> None:
        self.first, self.size = first, size

    def read(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        return self.first[offset : offset + length].ljust(length, b"\0")


@pytest.mark.parametrize("field", ["blocks", "groups", "inodes", "directory", "file"])
def test_crafted_sizes_cost_no_memory(tmp_path: Path, field: str) -> None:
    image = ext.make(tmp_path / "disk", None, "-b", "1024", "-O", "^metadata_csum,^uninit_bg,^64bit")
    raw = bytearray(image.read_bytes())
    number = 2 if field == "directory" else 12
    if field in ("directory", "file"):
        ext.debugfs(image, "mkdir d", f"sif <{number}> size 0xffffffffffff0000")
        raw = bytearray(image.read_bytes())
    elif field == "blocks":
        struct.pack_into("<I", raw, 1024 + 4, 0xFFFFFFFF)
        struct.pack_into("<I", raw, 1024, 0xFFFFFFFF // 8192 * 4096)
    elif field == "groups":
        struct.pack_into("<II", raw, 1024 + 4, 0xFFFFFFFF, 0)
        struct.pack_into("<I", raw, 1024 + 0x20, 8)
    else:
        struct.pack_into("<I", raw, 1024, 0xFFFFFFFF)
    tracemalloc.start()
    with contextlib.suppress(FilesystemError):
        consumed(open_filesystem(Sparse(bytes(raw), 2**62)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 200 * MIB


def test_kinds_are_told_by_the_upper_bits(tmp_path: Path) -> None:
    image = ext.make(tmp_path / "disk")
    ext.debugfs(image, "mkdir odd", f"sif odd mode {0o170000 | 0o644}")
    node = lookup(ext.opened(image), b"odd")
    assert node is not None
    assert (node.kind, node.mode) == (Kind.UNKNOWN, 0o644)
    assert not stat.S_IFMT(node.mode)
