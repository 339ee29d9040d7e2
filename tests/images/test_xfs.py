"""Whatever a kernel puts into an XFS filesystem is found in it, and nothing else; what is in use is said to be so."""

import re
import struct
import subprocess
from collections import Counter
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from snapgui.images.filesystems.changes import Aspect
from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.filesystem import Disk, FilesystemError, Kind, Node, entries, lookup
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.filesystems.xfs import Xfs
from snapgui.images.filesystems.xfs_inode import EXTENTS, LOCAL, TREE
from snapgui.images.filesystems.xfs_log import BLOCK_BYTES
from tests.images import ext, xfs, xfs_changes
from tests.images.ext import LONG_AGO, MIB, Memory
from tests.images.test_file_changes import told

BORN_AFTER_NS = 1_600_000_000 * 10**9


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return xfs.once(tmp_path_factory, "xfs", xfs.filled)


@pytest.fixture(scope="session")
def changed(tmp_path_factory: pytest.TempPathFactory, filled: Path) -> Path:
    return xfs.once(tmp_path_factory, "xfs-changed", lambda where: xfs_changes.changed(where, filled))


def opened(path: Path) -> Xfs:
    found = ext.opened(path)
    assert isinstance(found, Xfs)
    return found


def at(view: Xfs, path: str) -> Node:
    found = lookup(view, path.encode())
    assert found is not None, path
    return found


@pytest.mark.parametrize("layout", xfs.LAYOUTS)
def test_any_layout_has_what_the_kernel_put_in(filled: Path, layout: str) -> None:
    view = opened(filled / f"{layout}.raw")
    found = {path: replace(facts, links=0) for path, facts in xfs.without_times(ext.ours(view)).items()}
    wanted = xfs.by_kernel(filled, layout)
    assert found.keys() == wanted.keys()
    for path, facts in wanted.items():
        assert found[path] == facts, path
    assert (view.name, view.unclean, view.replayed, view.remarks) == ("xfs", False, False, ())


@pytest.mark.parametrize("layout", xfs.BY_DISSECT)
def test_dissect_finds_the_same(filled: Path, layout: str) -> None:
    image = filled / f"{layout}.raw"
    assert xfs.without_times(ext.ours(opened(image))) == xfs.without_times(xfs.theirs(image))


@pytest.mark.parametrize("layout", xfs.LAYOUTS)
def test_attributes(filled: Path, layout: str) -> None:
    view = opened(filled / f"{layout}.raw")
    for name, wanted in xfs.ATTRIBUTES.items():
        node = at(view, name)
        assert node.attributed
        assert view.attributes(node.number) == {each.encode(): value for each, value in wanted.items()}, name
    assert not at(view, "empty").attributed
    assert view.attributes(at(view, "empty").number) == {}


def test_every_form_is_among_what_is_read(filled: Path) -> None:
    seen = Counter[tuple[str, Kind, int]]()
    for layout in xfs.LAYOUTS:
        view = opened(filled / f"{layout}.raw")
        for entry in entries(view):
            inode = view.inode(entry.node.number)
            assert inode is not None
            seen[("content", entry.node.kind, inode.content.format)] += 1
            if inode.attributed:
                seen[("attributes", Kind.FILE, inode.attributes.format)] += 1
    for form in (LOCAL, EXTENTS):
        assert seen[("content", Kind.DIRECTORY, form)]
    assert seen[("content", Kind.FILE, EXTENTS)]
    assert seen[("content", Kind.FILE, TREE)]
    assert seen[("content", Kind.SYMLINK, LOCAL)]
    assert seen[("content", Kind.SYMLINK, EXTENTS)]
    assert seen[("attributes", Kind.FILE, LOCAL)]
    assert seen[("attributes", Kind.FILE, EXTENTS)]


@pytest.mark.parametrize("layout", xfs.LAYOUTS)
def test_facts_are_those_that_xfs_db_shows(filled: Path, layout: str) -> None:
    image = filled / f"{layout}.raw"
    view = opened(image)
    fixed, large = at(view, "dir 3/file 0 of a directory with some"), at(view, "large")
    assert (fixed.flags, at(view, "dir 3").flags, large.flags) == (0x8, 0x10 | 0x80, 0)
    assert (at(view, "null").device, at(view, "block").device) == ((1, 3), (259, 70000))
    assert (large.links, large.size, large.mtime_ns) == (2, 900_001, LONG_AGO * 10**9)
    shown = xfs.debugged(
        image, f"inode {large.number}", "print core.gen", "print v3.crtime.nsec", "print v3.crtime.sec"
    )
    assert f"core.gen = {large.generation}\n" in shown
    if view.head.checked:
        assert f"v3.crtime.nsec = {large.born_ns % 10**9}\n" in shown
        assert large.born_ns > BORN_AFTER_NS
    else:
        assert large.born_ns == 0


@pytest.mark.parametrize(("layout", "latest"), [("v5", 4_102_542_245), ("v5-first", 2**31 - 1), ("v4", 2**31 - 1)])
def test_times_before_1970_and_after_2038(filled: Path, layout: str, latest: int) -> None:
    view = opened(filled / f"{layout}.raw")
    assert at(view, "times/old").mtime_ns == -631_054_555 * 10**9
    assert at(view, "times/new").mtime_ns == latest * 10**9


@pytest.mark.parametrize("block_bytes", [8192, 65536])
def test_blocks_larger_than_pages(tmp_path: Path, block_bytes: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 1000)
    names = "".join(f"name_{number} ---644 {number} 0 {source}\n" for number in range(150))
    prototype = f"/dev/null\n0 0\nd--755 0 0\nmany d--755 3 4\n{names}$\nlink l--777 0 0 {'t' * 300}\n$\n"
    image = xfs.make(
        tmp_path / "disk", "-b", f"size={block_bytes}", "-d", "agcount=1", size=400 * MIB, prototype=prototype
    )
    view = open_filesystem(OnDisk(image))
    assert ext.ours(view) == xfs.theirs(image)
    assert len(list(entries(view))) == 152


@pytest.mark.parametrize("layout", ["v5", "v5-1k", "v4-512"])
def test_a_directory_in_so_many_pieces_that_it_has_a_tree(tmp_path: Path, layout: str) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 600)
    names = [f"{'name_' * 9}{number}" for number in range(1500)]
    lines = "".join(f"{name} ---644 0 0 {source}\n" for name in names)
    prototype = f"/dev/null\n0 0\nd--755 0 0\nmany d--755 0 0\n{lines}$\n$\n"
    image = xfs.make(tmp_path / "disk", *xfs.LAYOUTS[layout], prototype=prototype)
    view = opened(image)
    inode = view.inode(at(view, "many").number)
    assert inode is not None
    assert inode.content.format == TREE
    assert sorted(link.name.decode() for link in view.links(inode.number)) == sorted(names)
    later = bytearray(image.read_bytes())
    place = _place(view, f"many/{names[777]}")
    later[place + 2 : place + 4] = (0o100600).to_bytes(2, "big")
    (found,) = compare(view, open_filesystem(Memory(bytes(later))), Ranges([(place, place + 1)]))
    assert (found.path, found.aspects) == (f"/many/{names[777]}", {Aspect.MODE})


class OnDisk:
    """A disk that is a file."""

    def __init__(self, path: Path) -> None:
        self._path, self.size = path, path.stat().st_size

    def read(self, offset: int, length: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(offset)
            return file.read(length)


def test_label_and_identity(tmp_path: Path) -> None:
    identity = "6d0b7f5c-4a62-4a35-9d69-2c3a4a7bb0d1"
    view = opened(xfs.make(tmp_path / "disk", "-L", "label", "-m", f"uuid={identity}"))
    assert (view.label, view.uuid) == ("label", identity)
    assert list(entries(view)) == []


@pytest.mark.parametrize("layout", xfs_changes.COPIES)
def test_what_is_told_is_what_two_walks_tell(filled: Path, changed: Path, layout: str) -> None:
    views = []
    paths = [changed / f"{layout}-{number}.raw" for number in range(xfs_changes.COPIES[layout])]
    for path in [filled / f"{layout}.raw", *paths]:
        view = opened(path)
        assert not view.unclean
        facts = xfs.theirs(path) if layout in xfs.BY_DISSECT else ext.ours(view)
        views.append((path.read_bytes(), facts, xfs_changes.known(facts, view)))
    for (then, facts_then, known_then), (later, facts_later, known_later) in permutations(views, 2):
        places = ext.differences(then, later)
        changes = list(compare(open_filesystem(Memory(then)), open_filesystem(Memory(later)), places))
        found = {path: change for path, (change, _, _) in told(changes, facts_then, facts_later).items()}
        found.pop(b"/", None)
        assert found == xfs_changes.expected(known_then, known_later)
        assert len(found) > 0


def test_flags_are_compared(filled: Path, tmp_path: Path) -> None:
    image = Path(tmp_path / "disk")
    image.write_bytes((filled / "v5.raw").read_bytes())
    before = opened(image)
    xfs.debugged(image, f"inode {at(before, 'few').number}", "write core.immutable 1")
    after = opened(image)
    places = ext.differences((filled / "v5.raw").read_bytes(), image.read_bytes())
    (found,) = compare(before, after, places)
    assert (found.path, found.aspects) == ("/few", {Aspect.FLAGS})


class Counting:
    """A disk that counts what is read from it."""

    def __init__(self, disk: Disk) -> None:
        self.disk, self.size, self.read_bytes = disk, disk.size, 0

    def read(self, offset: int, length: int) -> bytes:
        self.read_bytes += length
        return self.disk.read(offset, length)


def test_what_did_not_change_is_not_read(filled: Path, tmp_path: Path) -> None:
    then = (filled / "v5.raw").read_bytes()
    later = bytearray(then)
    view = opened(filled / "v5.raw")
    place = _place(view, "few")
    later[place + 2 : place + 4] = (0o100600).to_bytes(2, "big")
    before, after = Counting(Memory(then)), Counting(Memory(bytes(later)))
    (found,) = compare(open_filesystem(before), open_filesystem(after), Ranges([(place, place + 512)]))
    assert (found.path, found.aspects) == ("/few", {Aspect.MODE})
    assert before.read_bytes < 200_000
    assert after.read_bytes < 3 * MIB, "the chunks of inodes and the names, and no content"


def _place(view: Xfs, path: str) -> int:
    from snapgui.images.filesystems.xfs_chunks import place_of

    return place_of(view.head, at(view, path).number)


def test_others_are_no_views_of_the_same(filled: Path) -> None:
    first, second = opened(filled / "v5.raw"), opened(filled / "v4.raw")
    assert second.differing(first, Ranges()) is None


@pytest.mark.parametrize("layout", xfs_changes.IN_USE)
def test_what_was_in_use_is_unclean(filled: Path, changed: Path, layout: str) -> None:
    path = changed / f"{layout}-used.raw"
    view = opened(path)
    assert view.unclean
    assert [str(remark) for remark in view.remarks] == [
        "It was in use, and its log is not replayed: changes of the last seconds may be missing."
    ]
    before, then = opened(filled / f"{layout}.raw"), (filled / f"{layout}.raw").read_bytes()
    walked = {(each.path, each.change) for each in compare(before, view)}
    assert walked == {
        (each.path, each.change) for each in compare(before, view, ext.differences(then, path.read_bytes()))
    }
    assert view.read(at(view, "large").number, 0, 900_000) == before.read(at(before, "large").number, 0, 900_000)


def test_the_state_of_the_log_is_that_of_xfs_logprint(filled: Path, changed: Path) -> None:
    seen = Counter[bool]()
    for path in [*filled.glob("*.raw"), *changed.glob("*.raw")]:
        clean = "<CLEAN>" in _logged(path)
        assert opened(path).unclean is not clean, path
        seen[clean] += 1
    assert seen[True] >= len(xfs.LAYOUTS)
    assert seen[False] == len(xfs_changes.IN_USE)


def _logged(path: Path) -> str:
    done = subprocess.run([ext.tool("xfs_logprint"), "-t", str(path)], capture_output=True, check=False)
    return done.stdout.decode("utf-8", "replace")


@pytest.mark.parametrize("back", [0, 1, 2, 3, 7, 100, 3000])
@pytest.mark.parametrize("cycle", [1, 2, 900])
def test_wherever_in_the_log_it_was_unmounted(tmp_path: Path, back: int, cycle: int) -> None:
    """A record of unmounting so many blocks before the end of the log; beyond its end it goes on at its beginning."""
    image = xfs.make(tmp_path / "disk", "-l", "su=4096" if back == 7 else "version=2")
    view = opened(image)
    raw = bytearray(image.read_bytes())
    begin = view.head.linear(view.head.log_block) * view.head.block_bytes
    blocks = view.head.log_blocks * view.head.block_bytes // BLOCK_BYTES
    length = 2 if back != 7 else 8
    record = [bytearray(raw[begin + at * BLOCK_BYTES :][:BLOCK_BYTES]) for at in range(length)]
    for number in range(blocks):
        late = number < blocks - back
        struct.pack_into(">I", raw, begin + number * BLOCK_BYTES, cycle if late else cycle - 1)
    for index, block in enumerate(record):
        place = blocks - back + index
        now = cycle + (place >= blocks)
        struct.pack_into(">I", block, 4 if index == 0 else 0, now)
        if index == 0:
            struct.pack_into(">IIII", block, 16, now, place % blocks, now, place % blocks)
        raw[begin + place % blocks * BLOCK_BYTES : begin + (place % blocks + 1) * BLOCK_BYTES] = block
    image.write_bytes(raw)
    assert ("<CLEAN>" in _logged(image)) is not opened(image).unclean
    assert not opened(image).unclean


def test_a_log_of_zeros_is_clean_and_one_of_anything_else_is_not(tmp_path: Path) -> None:
    image = xfs.make(tmp_path / "disk")
    head = opened(image).head
    begin, length = head.linear(head.log_block) * head.block_bytes, head.log_blocks * head.block_bytes
    for content, clean in (
        (bytes(length), True),
        (b"\xff" * length, False),
        (b"\xfe\xed\xba\xbe" * (length // 4), False),
    ):
        raw = bytearray(image.read_bytes())
        raw[begin : begin + length] = content
        assert open_filesystem(Memory(bytes(raw))).unclean is not clean


def test_a_log_on_another_disk_is_said(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(bytes(20 * MIB))
    image = xfs.make(tmp_path / "disk", "-l", f"logdev={log},size=10m")
    view = opened(image)
    assert view.unclean
    assert "another disk" in str(view.remarks[0])


def test_realtime_files_are_said_and_not_read(tmp_path: Path) -> None:
    device = tmp_path / "realtime"
    device.write_bytes(bytes(20 * MIB))
    source = tmp_path / "source"
    source.write_bytes(b"content" * 1000)
    image = xfs.make(
        tmp_path / "disk",
        "-r",
        f"rtdev={device},size=16m",
        prototype=f"/dev/null\n0 0\nd--755 0 0\nfile ---644 0 0 {source}\nother ---644 0 0 {source}\n$\n",
    )
    number = at(opened(image), "file").number
    xfs.debugged(image, f"inode {number}", "write core.realtime 1")
    view = opened(image)
    assert ["realtime device" in str(remark) for remark in view.remarks] == [True]
    assert not view.unclean
    assert view.read(at(view, "other").number, 0, 10_000) == source.read_bytes()
    with pytest.raises(FilesystemError, match="realtime"):
        view.read(number, 0, 10)
    assert list(compare(view, opened(image), Ranges.everything())) == []


def test_what_needs_repair_is_said(tmp_path: Path) -> None:
    image = xfs.make(tmp_path / "disk")
    raw = bytearray(image.read_bytes())
    raw[219] |= 0x10
    assert "need of repair" in str(open_filesystem(Memory(bytes(raw))).remarks[0])


def test_links_to_directories_above_are_no_attributes(filled: Path) -> None:
    view = opened(filled / "v5.raw")
    raw = bytearray((filled / "v5.raw").read_bytes())
    place = _place(view, "dir 12")
    within = re.search(rb"\x0e\x01\x00of a directory1", raw[place : place + 512])
    assert within is not None
    raw[place + within.start() + 2] |= 0x8
    hidden = open_filesystem(Memory(bytes(raw)))
    assert hidden.attributes(at(view, "dir 12").number) == {}
