"""FAT and exFAT as no tool makes them: odd names, what is damaged, and what somebody made to do harm."""

import random
import struct
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapgui.images.filesystems import fat_directories, fat_table
from snapgui.images.filesystems.changes import Aspect
from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.fat import Fat, open_fat
from snapgui.images.filesystems.fat_layout import Layout
from snapgui.images.filesystems.fat_table import MOST_BYTES, Table
from snapgui.images.filesystems.filesystem import FilesystemError, Kind, entries, lookup
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.filesystems.ranges import Ranges
from snapgui.model.difference import Change
from tests.images import exfat, ext, fat
from tests.images.ext import MIB, Facts, Memory
from tests.images.test_fat import ours
from tests.images.test_file_changes import Told, told

Image = bytearray


def opened(raw: bytes | bytearray) -> Fat:
    view = open_filesystem(Memory(bytes(raw)))
    assert isinstance(view, Fat)
    return view


def sizes(raw: bytes | bytearray) -> dict[bytes, int]:
    return {entry.path: entry.node.size for entry in entries(opened(raw))}


def said(raw: bytes | bytearray) -> str:
    return " ".join(map(str, opened(raw).remarks))


def made(path: Path, layout: str) -> Image:
    """Make one with the files BIG.BIN (9,000 bytes) and other.txt, and a directory with a long name in it."""
    image, content = fat.make(path / layout, layout), path / "content"
    fat.mtools(image, "mmd", "::/d")
    for size, name in ((9000, "BIG.BIN"), (300, "other.txt"), (100, "d/Long Name here")):
        content.write_bytes(name[:1].encode() * size)
        fat.mtools(image, "mcopy", str(content), f"::/{name}")
    return bytearray(fat.checked(image).read_bytes())


@pytest.fixture
def fat16(tmp_path: Path) -> Image:
    return made(tmp_path, "fat16")


@pytest.fixture
def fat32(tmp_path: Path) -> Image:
    return made(tmp_path, "fat32")


BIG = b"BIG     BIN"


def first_of(raw: Image, name: bytes = BIG) -> int:
    return int(struct.unpack_from("<H", raw, raw.index(name) + 26)[0])


def slot(name: bytes, *, flags: int = 0x20, case: int = 0, first: int = 0, size: int = 0, day: int = 0) -> bytes:
    return struct.pack("<11sBBBHHHHHHHI", name, flags, case, 0, 0, day, 0, first >> 16, 0, day, first & 0xFFFF, size)


def long_slots(name: str, short: bytes, check: int | None = None) -> list[bytes]:
    units = name.encode("utf-16-le", "surrogatepass") + b"\0\0"
    pieces = [units[at : at + 26].ljust(26, b"\xff") for at in range(0, len(units), 26)]
    total = 0
    for byte in short:
        total = ((total & 1) << 7) + (total >> 1) + byte & 0xFF
    check = total if check is None else check
    return [
        bytes([number | (0x40 if number == len(pieces) else 0)])
        + piece[:10] + bytes([15, 0, check]) + piece[10:22] + b"\0\0" + piece[22:]
        for number, piece in reversed(list(enumerate(pieces, 1)))
    ]  # fmt: skip


def with_root(raw: Image, *slots: bytes) -> Image:
    """Put slots behind those in the uppermost directory of a FAT16."""
    at = opened(raw).layout.root_at
    while raw[at]:
        at += 32
    raw[at : at + 32 * len(slots)] = b"".join(slots)
    return raw


def only(raw: Image, *slots: bytes) -> list[bytes]:
    """Return the names that slots add to a FAT16."""
    known = sizes(raw).keys()
    return [path[1:] for path in sizes(with_root(raw, *slots)) if path not in known]


@pytest.mark.parametrize(
    ("name", "case", "shown"),
    [
        (b"README  TXT", 0, "README.TXT"),
        (b"README  TXT", 8, "readme.TXT"),
        (b"README  TXT", 16, "README.txt"),
        (b"NO END     ", 24, "no end"),
        (b"\x05A\x84\x8eE     ", 0, "σAäÄE"),
        (b"\x9aBEL    TXT", 8, "übel.TXT"),
        (b"\xe4\xe4      ", 8, "σσ"),
        (bytes(range(0xB0, 0xBB)), 0, "░▒▓│┤╡╢╖.╕╣║"),
    ],
)
def test_short_names(fat16: Image, name: bytes, case: int, shown: str) -> None:
    assert only(fat16, slot(name.ljust(11), case=case)) == [shown.encode()]


@pytest.mark.parametrize(
    "name", ["x", "x" * 13, "x" * 14, "x" * 255, "half \ud83d", "whole 😀 of it", "\udc00", "a 😀" * 40, "<b>\n\x1b"]
)
def test_long_names(fat16: Image, name: str) -> None:
    short = b"SHORT      "
    assert only(fat16, *long_slots(name, short), slot(short)) == [name.encode("utf-8", "surrogatepass")]


def test_long_names_of_something_else(fat16: Image) -> None:
    """They were left behind by who does not know of them: wrong sum, order, gaps, or a file between."""
    parts = long_slots("a name that takes three slots, it does", short := b"SHORT      ")
    assert len(parts) == 3
    for slots in (
        long_slots("wrong", short, 1),
        parts[1:],
        parts[:2],
        [parts[0], parts[2], parts[1]],
        [*parts, b"\xe5" + slot(short)[1:]],
        [parts[0], slot(b"OTHER      "), *parts[1:]],
    ):
        assert b"SHORT" in only(fat16.copy(), *slots, slot(short))


def test_a_long_name_does_not_begin_in_another_directory(fat32: Image) -> None:
    """Where directories of one level follow each other, the end of one is not the name of the first in the next."""
    view = opened(fat32)
    place = view.layout.heap_at
    step = view.layout.cluster_bytes
    parts = long_slots("name", short := b"SHORT      ")
    for number, cluster in ((1, 100), (2, 101)):
        head = slot(b"DIR%d       " % number, flags=0x10, first=cluster)
        at = place + (view.layout.root - 2) * step
        while fat32[at]:
            at += 32
        fat32[at : at + 32] = head
        struct.pack_into("<I", fat32, view.layout.table_at + 4 * cluster, 0x0FFFFFFF)
    deleted = [b"\xe5" + bytes(31)] * (step // 32 - 1)
    fat32[place + 98 * step : place + 99 * step] = b"".join([*deleted, *parts])
    fat32[place + 99 * step : place + 99 * step + 32] = slot(short)
    assert {b"/DIR1", b"/DIR2/SHORT"} <= sizes(fat32).keys()


@pytest.mark.parametrize("name", ["", "a/b", ".", "..", "/"])
def test_names_that_cannot_be(fat16: Image, tmp_path: Path, name: str) -> None:
    if name:
        short = b"SHORT      "
        with pytest.raises(FilesystemError, match="cannot be one"):
            sizes(with_root(fat16.copy(), *long_slots(name, short), slot(short)))
        disk = exfat.make(tmp_path / "exfat")
        disk.file(disk.root, name, b"")
        with pytest.raises(FilesystemError, match="cannot be one"):
            sizes(disk.raw)
    else:
        with pytest.raises(FilesystemError, match="cannot be one"):
            sizes(with_root(fat16, slot(b" " * 11)))


def test_the_upper_half_of_a_cluster_is_none_where_there_are_few(fat16: Image) -> None:
    struct.pack_into("<H", fat16, fat16.index(BIG) + 20, 7)
    view = opened(fat16)
    node = lookup(view, b"/BIG.BIN")
    assert node is not None
    assert view.read(node.number, 0, 9000) == b"B" * 9000


def test_labels(fat16: Image) -> None:
    at = fat16.index(b"A LABEL    ", opened(fat16).layout.root_at)
    fat16[at + 11] = 0x28
    assert opened(fat16).label == "A LABEL"
    fat16[at] = 0xE5
    assert opened(fat16).label == "A LABEL", "as in the boot sector"
    fat16[43:54] = b"NO NAME    "
    assert opened(fat16).label == ""


@pytest.mark.parametrize("layout", ["fat12", "fat16", "fat32"])
def test_in_use(tmp_path: Path, layout: str) -> None:
    raw = made(tmp_path, layout)
    flags_at, table = 65 if layout == "fat32" else 37, opened(raw).layout.table_at
    assert not opened(raw).unclean
    mounted, windows = raw.copy(), raw.copy()
    mounted[flags_at] |= 1
    windows[table + (7 if layout == "fat32" else 3)] &= 0x7F if layout == "fat16" else 0xF7
    for changed in (mounted, *((windows,) if layout != "fat12" else ())):
        assert opened(changed).unclean
        assert said(changed).startswith("It was in use")


def test_two_tables(fat32: Image) -> None:
    view = opened(fat32)
    entry, copy = 4 * first_of(fat32), view.layout.copy_at
    assert "two tables" not in said(fat32)
    struct.pack_into("<I", fat32, copy + entry, 0x0FFFFFFF)
    assert "two tables" in said(fat32)
    assert sizes(fat32)[b"/BIG.BIN"] == 9000
    struct.pack_into("<H", fat32, 40, 0x81)
    assert "two tables" not in said(fat32), "the second one alone is in use"
    assert sizes(fat32)[b"/BIG.BIN"] == view.layout.cluster_bytes
    struct.pack_into("<H", fat32, 40, 0x80)
    assert sizes(fat32)[b"/BIG.BIN"] == 9000


def test_a_file_that_is_too_short_spoils_no_other(fat16: Image) -> None:
    view = opened(fat16)
    struct.pack_into("<H", fat16, view.layout.table_at + 2 * first_of(fat16), 0xFFFF)
    assert "damaged" in said(fat16)
    assert sizes(fat16)[b"/BIG.BIN"] == view.layout.cluster_bytes
    later = fat16.copy()
    at = later.index(b"o" * 300)
    later[at : at + 300] = b"z" * 300
    changed = ext.differences(bytes(fat16), bytes(later))
    assert [each.path for each in compare(opened(fat16), opened(later), changed)] == ["/other.txt"]


def test_a_file_that_leads_back_is_bounded(fat16: Image) -> None:
    view, first = opened(fat16), first_of(fat16)
    struct.pack_into("<H", fat16, view.layout.table_at + 2 * (first + 1), first)
    node = lookup(opened(fat16), b"/BIG.BIN")
    assert node is not None
    assert opened(fat16).read(node.number, 0, 9000) == b"B" * 9000
    struct.pack_into("<I", fat16, fat16.index(BIG) + 28, 2**32 - 1)
    with pytest.raises(FilesystemError, match="circles"):
        opened(fat16)


def test_files_that_share_clusters(fat16: Image) -> None:
    """Neither is known by the cluster; both are read, and each is told to change."""
    first = first_of(fat16)
    with_root(fat16, slot(b"TWIN    BIN", first=first, size=9000))
    found = {entry.path: entry.node for entry in entries(opened(fat16))}
    assert found[b"/BIG.BIN"].number != found[b"/TWIN.BIN"].number
    assert first not in {node.number for node in found.values()}
    later = fat16.copy()
    later[later.index(b"B" * 9000) + 5000] = 0
    changes = compare(opened(fat16), opened(later), ext.differences(bytes(fat16), bytes(later)))
    assert {each.path for each in changes} == {"/BIG.BIN", "/TWIN.BIN"}


@pytest.mark.parametrize("where", ["itself", "above", "root"])
def test_directories_in_circles(fat32: Image, where: str) -> None:
    view = opened(fat32)
    inner = first_of(fat32, b"D          ")
    place = view.layout.heap_at + (inner - 2) * view.layout.cluster_bytes
    target = {"itself": inner, "above": inner, "root": view.layout.root}[where]
    at = place + 32 * 8 if where == "itself" else fat32.index(b"D          ") if where == "root" else place + 32 * 9
    fat32[place + 32 * 5 : at] = (b"\xe5" + bytes(31)) * ((at - place) // 32 - 5) if at > place else b""
    fat32[at : at + 32] = slot(b"D          ", flags=0x10, first=target)
    with pytest.raises(FilesystemError, match="two places"):
        opened(fat32)


def test_many_directories_within_one_chain(fat32: Image) -> None:
    """A hundred thousand reads, if each were read up to its end."""
    view, count = opened(fat32), 3000
    layout = view.layout
    for cluster in range(100, 100 + count):
        following = cluster + 1 if cluster < 99 + count else 0x0FFFFFFF
        struct.pack_into("<I", fat32, layout.table_at + 4 * cluster, following)
    slots = b"".join(slot(b"D%-10d" % number, flags=0x10, first=101 + number) for number in range(count - 1))
    room = count * layout.cluster_bytes
    begin = layout.heap_at + 98 * layout.cluster_bytes
    fat32[begin : begin + room] = slots + (b"\xe5" + bytes(31)) * ((room - len(slots)) // 32)
    struct.pack_into("<I", fat32, 44, 100)
    began = time.process_time()
    with pytest.raises(FilesystemError, match="two places"):
        opened(fat32)
    assert time.process_time() - began < 5


def test_more_files_than_are_compared(fat32: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fat_directories, "MOST_BYTES", 64)
    with pytest.raises(FilesystemError, match="more files than are compared"):
        opened(fat32)


class Zeros:
    """A disk of which only the first bytes are anything."""

    def __init__(self, begin: bytes, size: int) -> None:
        self.begin, self.size = begin, size

    def read(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        return self.begin[offset : offset + length].ljust(length, b"\0")


def test_the_largest_table_takes_little_memory(fat32: Image) -> None:
    struct.pack_into("<I", fat32, 32, 2**32 - 1)
    struct.pack_into("<I", fat32, 36, MOST_BYTES // 512)
    fat32[13] = 128
    tracemalloc.start()
    view = open_filesystem(Zeros(bytes(fat32[:512]), 2**41))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not list(entries(view))
    assert MOST_BYTES < peak < 2 * MOST_BYTES


def test_too_many_pieces(fat16: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fat_table, "MOST_BREAKS", 1)
    with pytest.raises(FilesystemError, match="more pieces"):
        opened(fat16)


def test_what_looks_like_fat_and_is_encrypted(fat32: Image) -> None:
    fat32[424:440] = bytes.fromhex("3bd66749292ed84a8399f6a339e3d001")
    with pytest.raises(FilesystemError, match="encrypted \\(BitLocker\\)"):
        opened(fat32)


def test_versions_that_nobody_knows(fat32: Image, tmp_path: Path) -> None:
    fat32[42] = 1
    with pytest.raises(FilesystemError, match="version 1"):
        opened(fat32)
    disk = exfat.make(tmp_path / "exfat")
    disk.raw[105] = 2
    with pytest.raises(FilesystemError, match="version 2"):
        opened(disk.raw)


def test_a_new_file_on_an_old_cluster_is_another_file(fat16: Image) -> None:
    """Where nothing says when a file was made, the time it was modified has to do."""
    at = fat16.index(BIG)
    fat16[at + 13 : at + 18] = bytes(5)
    later = fat16.copy()
    later[at : at + 11] = b"NEW     BIN"
    assert [each.change for each in compare(opened(fat16), opened(later))] == [Change.RENAMED]
    later[at + 22 : at + 26] = struct.pack("<HH", 1, 0x5A21)
    assert {each.change for each in compare(opened(fat16), opened(later))} == {Change.ADDED, Change.REMOVED}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An exFAT with files of all sorts, in which fsck finds nothing wrong."""
    path = tmp_path_factory.mktemp("exfat") / "disk"
    disk = exfat.make(path)
    inner = disk.mkdir(disk.root, "directory")
    deeper = disk.mkdir(inner, "another directory with a name of several slots")
    disk.file(disk.root, "plain", b"p" * 5000)
    disk.file(inner, "scattered", bytes(range(256)) * 80, contiguous=False)
    disk.file(inner, "written in part", b"w" * 9000, written=100)
    disk.file(inner, "empty", b"")
    disk.file(deeper, "x" * 255, b"deep")
    return exfat.checked(path, disk)


def test_exfat(full: bytes) -> None:
    view = opened(full)
    found = ours(view)
    deeper = b"/directory/another directory with a name of several slots"
    assert {path: facts.content for path, facts in found.items()} == {
        b"/directory": b"",
        deeper: b"",
        b"/plain": b"p" * 5000,
        b"/directory/scattered": bytes(range(256)) * 80,
        b"/directory/written in part": b"w" * 100 + bytes(8900),
        b"/directory/empty": b"",
        deeper + b"/" + b"x" * 255: b"deep",
    }
    assert {facts.mtime for facts in found.values()} == {exfat.STAMP_S}
    assert (view.name, view.label, view.remarks) == ("exfat", "the label", ())


def test_zones_of_exfat(tmp_path: Path) -> None:
    disk = exfat.make(tmp_path / "disk")
    for name, zone in (("east", exfat.EAST), ("west", 0x80 | 0x7C)):
        disk.add(disk.root, exfat.entry(name, 0, 0, zone=zone))
    assert opened(disk.raw).remarks == ()
    disk.add(disk.root, exfat.entry("local", 0, 0, zone=8))
    assert "time zone" in said(disk.raw)
    times = {entry.path: entry.node.mtime_ns // 10**9 - exfat.STAMP_S for entry in entries(opened(disk.raw))}
    assert times == {b"/east": -2 * 3600, b"/west": 3600, b"/local": 0}


def test_sets_of_exfat_that_are_damaged(full: bytes) -> None:
    disk = exfat.Exfat(bytearray(full))
    at = next(at for at in range(disk.place(disk.root), len(full), 32) if disk.raw[at : at + 1] == b"\x85")
    for offset, value, shown in ((2, 1, True), (1, 3, False), (32, 0xC5, False), (64, 0xC5, False), (35, 200, False)):
        raw = disk.raw.copy()
        raw[at + offset] ^= value
        assert "damaged" in said(raw)
        assert (b"/directory" in sizes(raw)) is shown
    raw = disk.raw.copy()
    raw[at] = 0x05
    assert b"/directory" not in sizes(raw)
    assert "damaged" not in said(raw), "it was deleted"


def test_half_surrogates_in_exfat(tmp_path: Path) -> None:
    disk = exfat.make(tmp_path / "disk")
    disk.file(disk.root, "half \ud83d of 😀", b"")
    assert list(sizes(disk.raw)) == ["/half \ud83d of 😀".encode("utf-8", "surrogatepass")]


def test_sizes_of_exfat_that_cannot_be(full: bytes) -> None:
    disk = exfat.Exfat(bytearray(full))
    first = disk.store(b"x")
    disk.add(disk.root, exfat.entry("huge", first, 2**63 + 5))
    disk.add(disk.root, exfat.entry("a huge directory", disk.store(bytes(disk.step)), 2**64 - 1, flags=0x10))
    assert "damaged" in said(disk.raw)
    assert sizes(disk.raw)[b"/huge"] == disk.step * (opened(full).layout.clusters + 2 - first)


def test_the_boot_region_of_exfat_is_summed(full: bytes) -> None:
    raw = bytearray(full)
    raw[200] ^= 1
    with pytest.raises(FilesystemError, match="boot sector of the exFAT filesystem is damaged"):
        opened(raw)
    assert sizes(exfat.boot_summed(raw)) == sizes(full)
    raw[106] |= 2
    assert opened(raw).unclean, "which is not summed"


ENTRIES = {12: "<u2", 16: "<u2", 32: "<u4"}


@given(
    bits=st.sampled_from([12, 16, 32]),
    following=st.lists(st.integers(0, 45), min_size=3, max_size=40),
    asked=st.lists(st.tuples(st.integers(0, 45), st.integers(0, 60)), max_size=40),
    straight=st.booleans(),
)
@settings(max_examples=150)
def test_chains_are_what_a_walk_finds(
    bits: int, following: list[int], asked: list[tuple[int, int]], straight: bool
) -> None:
    if straight:
        following = [number + 3 if number % 5 else each for number, each in enumerate(following)]
    table = [0, 0, *following]
    raw = packed(table, bits)
    layout = Layout("fat", 0, bits, 512, len(following), 512 * 100, 512)
    reader = Table(Memory(bytes(512) + raw), layout)
    firsts, wanted = np.array([pair[0] for pair in asked], np.int64), np.array([pair[1] for pair in asked], np.int64)
    try:
        found = reader.chains(firsts, wanted)
    except FilesystemError:
        walked = [cluster for pair in asked for cluster in walk(table, *pair)]
        assert len(set(walked)) < len(walked), "in circles, or shared"
        return
    for number, pair in enumerate(asked):
        mine = [
            begin + step
            for owner, begin, count in zip(found.owners, found.begins, found.counts, strict=True)
            if owner == number
            for step in range(count)
        ]
        assert mine == walk(table, *pair)
    ends = found.offsets + found.counts
    follows = found.owners[1:] == found.owners[:-1]
    assert np.array_equal(found.offsets[1:], np.where(follows, ends[:-1], 0))


def walk(table: list[int], at: int, wanted: int) -> list[int]:
    found: list[int] = []
    while len(found) < wanted and 2 <= at < len(table):
        found.append(at)
        at = table[at]
    return found


def packed(table: list[int], bits: int) -> bytes:
    if bits != 12:
        return np.array(table, ENTRIES[bits]).tobytes()
    number = sum(each << 12 * at for at, each in enumerate(table))
    return number.to_bytes(-(-12 * len(table) // 8), "little")


def path_by_path(then: dict[bytes, Facts], later: dict[bytes, Facts]) -> dict[bytes, Change]:
    """Return what differs by a full walk of both, apart from times of directories in which names changed."""
    found = {}
    for path in then.keys() | later.keys():
        old, new = then.get(path), later.get(path)
        if old is None or new is None:
            found[path] = Change.ADDED if old is None else Change.REMOVED
        elif (old.kind, old.content) != (new.kind, new.content):
            found[path] = Change.CHANGED
        elif old != new and not (old.mode == new.mode and names_in(path, then) != names_in(path, later)):
            found[path] = Change.METADATA
    return found


def names_in(path: bytes, known: dict[bytes, Facts]) -> set[bytes]:
    return {each for each in known if each.rpartition(b"/")[0] == path}


@pytest.mark.parametrize("kind", ["fat12", "fat16", "fat32", "exfat"])
def test_no_change_is_missed_whatever_it_is(kind: str, tmp_path: Path, full: bytes) -> None:
    """Bytes of tables and directories are changed at random; the quick comparison tells what a full one does."""
    content = full if kind == "exfat" else bytes(made(tmp_path, kind))
    view = opened(content)
    layout = view.layout
    clusters = [node.number for entry in entries(view) if (node := entry.node).kind is Kind.DIRECTORY]
    places = [layout.heap_at + (cluster - 2) * layout.cluster_bytes for cluster in clusters]
    places.append(layout.root_at or layout.heap_at + (layout.root - 2) * layout.cluster_bytes)
    chance, compared, refused = random.Random(3), 0, 0
    olds = exact(view)
    for _ in range(100):
        raw, changed = Patched(content), []
        for _ in range(chance.choice((1, 1, 2, 5))):
            low, length = chance.choice([(layout.table_at, 200), *((place, 400) for place in places)])
            at = low + chance.randrange(length)
            raw.patches[at] = chance.choice((0, 1, 5, 0x0F, 0x10, 0xFF, chance.randrange(256)))
            changed.append((at // 512 * 512, at // 512 * 512 + 512))
        try:
            after = open_fat(raw)
            news = exact(after)
        except FilesystemError:
            refused += 1
            continue
        found: Told = told(list(compare(view, after, Ranges(changed))), olds, news)
        assert {path: each[0] for path, each in found.items()} == path_by_path(olds, news)
        compared += 1
    assert compared > 60
    assert refused < 40


class Patched:
    """A disk of which single bytes are others."""

    def __init__(self, content: bytes) -> None:
        self.content, self.size = content, len(content)
        self.patches: dict[int, int] = {}

    def read(self, offset: int, length: int) -> bytes:
        found = bytearray(self.content[offset : offset + length])
        for at, value in self.patches.items():
            if offset <= at < offset + len(found):
                found[at - offset] = value
        return bytes(found)


def exact(view: Fat) -> dict[bytes, Facts]:
    """Return what is read, with times of modification in nanoseconds."""
    times = {entry.path: entry.node.mtime_ns for entry in entries(view)}
    return {path: replace(facts, mtime=times[path]) for path, facts in ours(view).items()}


@pytest.mark.parametrize("kind", ["fat16", "fat32", "exfat"])
def test_truncated(kind: str, tmp_path: Path, full: bytes) -> None:
    content = full if kind == "exfat" else bytes(made(tmp_path, kind))
    begin = content[: opened(content).layout.heap_at]
    for length in (0, 1, 511, 512, 600, 6000, len(begin) // 2, len(begin) - 1, len(begin)):
        with pytest.raises(FilesystemError):
            opened(begin[:length])


def test_what_is_told_of_attributes(fat16: Image) -> None:
    later = fat16.copy()
    later[later.index(BIG) + 11] ^= 3
    (found,) = compare(opened(fat16), opened(later), ext.differences(bytes(fat16), bytes(later)))
    assert (found.path, found.change, found.aspects) == ("/BIG.BIN", Change.METADATA, {Aspect.FLAGS})


def test_what_was_last_read_is_no_difference(fat16: Image) -> None:
    later = fat16.copy()
    later[later.index(BIG) + 18] ^= 1
    before, after = opened(fat16), opened(later)
    numbers = after.differing(before, Ranges([(0, len(later))]))
    assert numbers is not None
    assert not len(numbers)


def test_another_disk_is_another_filesystem(fat16: Image) -> None:
    later = fat16.copy()
    later[39] ^= 1
    assert opened(later).differing(opened(fat16), Ranges.everything()) is None
    assert list(compare(opened(fat16), opened(later))) == []
    assert replace(opened(later).layout, serial=0) == replace(opened(fat16).layout, serial=0)
    assert len(fat16) == 16 * MIB
