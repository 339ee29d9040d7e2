"""Whatever mkfs and a Linux guest put into a btrfs filesystem is found in it, and every change is told."""

import hashlib
import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from snapgui.images.filesystems.changes import Aspect
from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.filesystem import FileSystem, FilesystemError, Kind, entries, lookup
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.filesystems.ranges import Ranges
from tests.images import btrfs, btrfs_history, ext
from tests.images.btrfs_history import VIEWS, Written
from tests.images.ext import MIB, Facts, Memory
from tests.images.test_file_changes import Counting, told, truth

pytestmark = pytest.mark.xdist_group("btrfs")

LAYOUTS = {
    "usual": (),
    "mixed": ("--mixed", "--nodesize", "4096"),
    "large-nodes": ("--nodesize", "65536"),
    "single": ("--metadata", "single", "--nodesize", "4096"),
    "sha256": ("--csum", "sha256"),
    "blake2": ("--csum", "blake2"),
    "xxhash": ("--csum", "xxhash"),
    "old": ("--features", "^extref,^skinny-metadata,^no-holes", "--runtime-features", "^free-space-tree"),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = ext.tree(tmp_path_factory.mktemp("tree") / "tree")
    with (where / "sparse").open("wb") as file:
        file.seek(3 * MIB)
        file.write(b"here")
    for number in range(300, 2000):
        (where / "many" / f"file {number} of a directory with many").unlink()
    return where


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return btrfs_history.written(tmp_path_factory.mktemp("written"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_has_what_was_put_in(tree: Path, tmp_path: Path, layout: str) -> None:
    image = btrfs.make(tmp_path / "disk", tree, *LAYOUTS[layout])
    view = ext.opened(image)
    found, wanted = ext.ours(view), ext.on_disk(tree)
    assert found.keys() == wanted.keys()
    for path, facts in wanted.items():
        links = found[path].links if found[path].kind == ext.stat.S_IFDIR else facts.links
        assert found[path] == replace(facts, links=links), path
    assert (view.name, view.unclean, view.replayed, view.remarks) == ("btrfs", False, False, ())
    assert btrfs.ours(view) == btrfs.theirs(image)


def test_label_and_identity(tmp_path: Path) -> None:
    identity = "6d0b7f5c-4a62-4a35-9d69-2c3a4a7bb0d1"
    view = ext.opened(btrfs.make(tmp_path / "disk", None, "--label", "Ünde", "--uuid", identity))
    assert (view.label, view.uuid) == ("Ünde", identity)


def test_what_a_kernel_wrote(written: Written) -> None:
    view = ext.opened(written.features)
    found = btrfs.ours(view)
    assert found == btrfs.theirs(written.features)
    assert not view.unclean
    nodes = {entry.path: entry.node for entry in entries(view)}
    assert (nodes[b"/null"].kind, nodes[b"/null"].device) == (Kind.CHARACTER, (1, 3))
    assert (nodes[b"/large"].kind, nodes[b"/large"].device) == (Kind.BLOCK, (300, 70000))
    assert nodes[b"/reserved"].flags == 0x40, "immutable"
    assert nodes[b"/inherits/in-place"].flags == 0x2, "no copy on write"
    assert nodes[b"/one/hello"].links == 151
    assert view.attributes(nodes[b"/one/hello"].number) == {b"user.name": b"value", b"user.other": b"other"}
    assert len({entry.node.number for entry in entries(view)}) == len(nodes) - 3 * 150


def test_the_kernel_found_the_same_content(written: Written) -> None:
    view = ext.opened(written.logged)
    sums = {
        path: hashlib.sha256(facts.content).hexdigest()
        for path, facts in ext.ours(view).items()
        if facts.kind == ext.stat.S_IFREG
    }
    assert sums == written.sums


def test_a_subvolume_within_a_snapshot_is_an_empty_directory(written: Written) -> None:
    view = ext.opened(written.features)
    assert lookup(view, b"/one/nested/within") is not None
    for path in (b"/snapshot/nested", b"/one/readonly/nested"):
        node = lookup(view, path)
        assert node is not None
        assert (node.kind, list(view.links(node.number)), view.attributes(node.number)) == (Kind.DIRECTORY, [], {})


def test_a_log_that_is_not_replayed_is_said(written: Written) -> None:
    view = ext.opened(written.logged)
    assert view.unclean
    assert "its log is not replayed" in str(view.remarks[0])
    hello = lookup(view, b"/one/hello")
    assert hello is not None
    assert view.read(hello.number, 0, 100) == b"hello\n"


def test_parts_of_content(written: Written) -> None:
    view = ext.opened(written.features)
    for kind, name in itertools.product((b"none", b"zlib", b"lzo", b"zstd"), (b"holes", b"mixed", b"short")):
        node = lookup(view, b"/" + kind + b"/" + name)
        assert node is not None
        whole = view.read(node.number, 0, node.size + 1)
        assert len(whole) == node.size
        for offset, length in ((0, 1), (4095, 2), (131_071, 70_000), (380_000, 3000), (node.size - 5, 10)):
            assert view.read(node.number, offset, length) == whole[offset : offset + length]


@pytest.fixture(scope="module")
def truths(written: Written, tmp_path_factory: pytest.TempPathFactory) -> list[dict[bytes, Facts]]:
    found = []
    for number in range(VIEWS):
        path = tmp_path_factory.mktemp("view") / "disk"
        path.write_bytes(written.view(number))
        found.append(btrfs.theirs(path))
        assert btrfs.ours(ext.opened(path)) == found[-1]
    return found


@pytest.mark.parametrize("older", range(VIEWS))
def test_any_change_is_told(written: Written, truths: list[dict[bytes, Facts]], older: int) -> None:
    """From each view to each other one, also back, and from one history into another that forks from it."""
    before = written.view(older)
    for newer in range(VIEWS):
        after = written.view(newer)
        then, later = truths[older], btrfs.settled(truths[older], truths[newer])
        changed = ext.differences(before, after, 4096 if newer % 2 else 65536)
        found = list(compare(open_filesystem(Memory(before)), open_filesystem(Memory(after)), changed))
        assert told(found, then, later).items() == truth(then, later).items(), newer


def test_unaided_the_same_is_told(written: Written) -> None:
    views = [open_filesystem(Memory(written.view(number))) for number in (1, 4)]
    changed = ext.differences(written.view(1), written.view(4))
    found = {(each.path, each.change, each.aspects) for each in compare(views[0], views[1])}
    assert found == {(each.path, each.change, each.aspects) for each in compare(views[0], views[1], changed)}
    assert found


def place_of(view: FileSystem, path: bytes) -> tuple[int, int]:
    """Return the number of a file, and where its first byte lies on the disk."""
    node = lookup(view, path)
    assert node is not None
    extents = view.extents(node.number)
    assert extents is not None
    assert extents[0, 1] > 0
    return node.number, int(extents[0, 1])


def test_content_that_changed_in_its_place(written: Written) -> None:
    before = written.features.read_bytes()
    _, place = place_of(ext.opened(written.features), b"/inherits/in-place")
    after = bytearray(before)
    after[place + 5000] ^= 1
    changed = Ranges([(place + 4096, place + 8192)])
    (found,) = compare(open_filesystem(Memory(before)), open_filesystem(Memory(bytes(after))), changed)
    assert (found.path, found.aspects) == ("/inherits/in-place", {Aspect.CONTENT})


def test_content_in_its_place_that_snapshots_share(written: Written) -> None:
    before = written.view(0)
    view = open_filesystem(Memory(before))
    _, place = place_of(view, b"/s/f7")
    after = bytearray(before)
    after[place] ^= 1
    found = compare(view, open_filesystem(Memory(bytes(after))), ext.differences(before, bytes(after)))
    assert {(each.path, each.aspects) for each in found} == {("/s/f7", frozenset({Aspect.CONTENT}))}


def test_what_did_not_change_is_not_read(written: Written) -> None:
    content = written.features.read_bytes()
    before, after = Counting(Memory(content)), Counting(Memory(content))
    _, place = place_of(ext.opened(written.features), b"/none/long")
    assert list(compare(open_filesystem(before), open_filesystem(after), Ranges([(place, place + 4096)]))) == []
    assert before.read_bytes < MIB // 2
    assert after.read_bytes < MIB // 2


def test_a_mirror_is_whole_on_each_device(tmp_path: Path) -> None:
    other = btrfs.empty(tmp_path / "other", btrfs.SMALLEST)
    image = btrfs.make(
        tmp_path / "disk", None, "--label", "mirror", "--data", "raid1", "--metadata", "raid1", str(other)
    )
    for device in (image, other):
        view = ext.opened(device)
        assert (view.label, list(entries(view))) == ("mirror", [])


def test_what_lies_on_several_devices_is_refused(tmp_path: Path) -> None:
    other = btrfs.empty(tmp_path / "other", btrfs.SMALLEST)
    image = btrfs.make(tmp_path / "disk", None, "--data", "raid0", "--metadata", "raid1", str(other))
    for device in (image, other):
        with pytest.raises(FilesystemError, match="several devices"):
            ext.opened(device)
