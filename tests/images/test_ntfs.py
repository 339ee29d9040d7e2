"""Whatever libntfs-3g puts into an NTFS filesystem is found in it, and nothing else; damaged ones give an error."""

import contextlib
import random
import struct
import subprocess
import time
import tracemalloc
from pathlib import Path

import pytest

from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.filesystem import FileSystem, FilesystemError, Kind, entries, lookup
from snapgui.images.filesystems.lznt1 import decompressed
from snapgui.images.filesystems.ntfs import Ntfs
from snapgui.images.filesystems.opening import open_filesystem
from tests.images import ext, ntfs
from tests.images.ext import MIB, Memory
from tests.images.ntfs_changes import small_tree

LAYOUTS = {
    "4k": (),
    "512": ("-c", "512"),
    "1k": ("-c", "1024"),
    "64k": ("-c", "65536"),
    "4k-sectors": ("-s", "4096"),
    "1k-sectors": ("-s", "1024", "-c", "2048"),
}


class File:
    """A disk that is a file."""

    def __init__(self, path: Path) -> None:
        self._path, self.size = path, path.stat().st_size

    def read(self, offset: int, length: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(offset)
            return file.read(length)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    image = ntfs.make(tmp_path_factory.mktemp("ntfs") / "small", "-L", "Größe", size=12 * MIB)
    return ntfs.changed(image, small_tree()).read_bytes()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_dissect_finds_the_same(tmp_path: Path, layout: str) -> None:
    image = ntfs.make(tmp_path / "disk", *LAYOUTS[layout], size=32 * MIB)
    ntfs.changed(image, ntfs.tree() + ntfs.fragmented("/pieces", 300))
    view = ntfs.opened(image)
    found, wanted = ntfs.ours(view), ntfs.theirs(image)
    assert found.keys() == wanted.keys()
    for path, facts in wanted.items():
        assert found[path] == facts, path
    assert view.name == "ntfs"
    assert (view.unclean, view.replayed, view.remarks) == (False, False, ())


def test_large_clusters(tmp_path: Path) -> None:
    """Sizes of clusters above 64 KiB are written as powers of two."""
    image = ntfs.make(tmp_path / "disk", "-c", str(2 * MIB), size=512 * MIB)
    ntfs.changed(image, [*small_tree(), ["create", "/large"], ["write", "/large", "77" * 100, 5 * MIB]])
    assert ntfs.ours(open_filesystem(File(image))) == ntfs.theirs(image)


def test_the_tools_of_the_system_find_the_same(tmp_path: Path, small: bytes) -> None:
    image = tmp_path / "disk"
    image.write_bytes(small)
    view = open_filesystem(Memory(small))
    for path, facts in ntfs.ours(view).items():
        if facts.kind is Kind.FILE:
            said = subprocess.run(["ntfscat", "-f", image, path], capture_output=True, check=True)
            assert said.stdout == facts.content
        elif facts.kind is Kind.DIRECTORY:
            listed = subprocess.run(["ntfsls", "-f", "-p", path, image], capture_output=True, check=True).stdout
            names = {each.name for each in view.links(facts.number)}
            assert names == set(listed.splitlines()) - {b".", b".."}


def test_label_and_identity(small: bytes) -> None:
    view = open_filesystem(Memory(small))
    assert view.label == "Größe"
    assert view.uuid == small[0x48:0x50][::-1].hex().upper()
    assert open_filesystem(Memory(small)).differing(view, ext.differences(small, small)) is not None


def extended(name: bytes, value: bytes) -> str:
    length = -(-(8 + len(name) + 1 + len(value)) // 4) * 4
    return (struct.pack("<IBBH", length, 0, len(name), len(value)) + name + b"\0" + value).ljust(length, b"\0").hex()


def test_names_that_are_no_text_and_special_files(tmp_path: Path) -> None:
    wsl = ntfs.reparse(0xA000_001D, b"\2\0\0\0" + "../wohin/ö".encode())
    points = {"/wof": ntfs.reparse(0x8000_0017, struct.pack("<IIII", 1, 2, 1, 0))}
    points |= dict.fromkeys(("/wsl", "/block", "/fifo", "/socket"), wsl)
    image = ntfs.make(tmp_path / "disk")
    ntfs.changed(
        image,
        [
            *(["create", path] for path in (*points, "/half \ud800", "/more")),
            ["ea", "/block", extended(b"$LXDEV", struct.pack("<II", 8, 1))],
            ["ea", "/more", extended(b"user.abc", b"value")],
            ["truncate", "/wof", 5 * MIB],
            ["write", "/wof", "bb" * 9000, 0, "WofCompressedData"],
            *(["reparse", path, point] for path, point in points.items()),
        ],
    )
    raw, view = bytearray(image.read_bytes()), ntfs.opened(image)
    for path, tag in ((b"/block", 0x26), (b"/fifo", 0x24), (b"/socket", 0x23)):
        node = lookup(view, path)
        assert node is not None
        at = attribute(bytes(raw), place(view, node.number >> 16), 0xC0)
        struct.pack_into("<I", raw, at + 0x18, 0x8000_0000 | tag)
    view = open_filesystem(Memory(bytes(raw)))
    nodes = {entry.path: entry.node for entry in entries(view)}
    assert nodes.keys() == {*(path.encode() for path in points), b"/half \xed\xa0\x80", b"/more"}
    assert (nodes[b"/wsl"].kind, nodes[b"/wsl"].target) == (Kind.SYMLINK, "../wohin/ö".encode())
    assert (nodes[b"/block"].kind, nodes[b"/block"].device) == (Kind.BLOCK, (8, 1))
    assert (nodes[b"/fifo"].kind, nodes[b"/socket"].kind) == (Kind.FIFO, Kind.SOCKET)
    assert view.attributes(nodes[b"/more"].number)[b"user.abc"] == b"value"
    assert view.read(nodes[b"/wof"].number, 0, MIB) == b"\xbb" * 9000
    assert b"system.ntfs_reparse_data" in view.attributes(nodes[b"/wof"].number)
    assert ["CompactOS" in str(remark) for remark in view.remarks] == [True]


def place(view: FileSystem, row: int) -> int:
    """Return where a record of the master file table lies on the disk."""
    assert isinstance(view, Ntfs)
    at = row * view.layout.record_bytes
    return next(
        disk + at - begin for begin, disk, length in view.table.extents.tolist() if begin <= at < begin + length
    )


def attribute(raw: bytes, at: int, kind: int, name: str = "") -> int:
    """Return where an attribute of the record at ``at`` begins."""
    here = at + int.from_bytes(raw[at + 0x14 : at + 0x16], "little")
    while (found := struct.unpack_from("<IIBBH", raw, here))[0] != 0xFFFFFFFF:
        named = raw[here + found[4] : here + found[4] + 2 * found[3]].decode("utf-16-le")
        if (found[0], named) == (kind, name):
            return here
        here += found[1]
    raise AssertionError(hex(kind))


def test_encrypted_files_are_said_to_be_so(small: bytes) -> None:
    raw, view = bytearray(small), open_filesystem(Memory(small))
    node = lookup(view, b"/a/f1")
    assert node is not None
    assert not node.encrypted
    at = attribute(small, place(view, node.number >> 16), 0x10)
    raw[at + 0x18 + 0x21] |= 0x40
    now = open_filesystem(Memory(bytes(raw))).node(node.number)
    assert now is not None
    assert now.encrypted


def test_what_was_in_use_is_unclean(small: bytes, tmp_path: Path) -> None:
    view, marked, logged = open_filesystem(Memory(small)), bytearray(small), bytearray(small)
    volume = place(view, 3)
    marked[attribute(small, volume, 0x70) + 0x18 + 10] |= 1
    log = place_of_log(view)
    logged[log : log + 8192] = restart(in_use=0, flags=0) * 2
    for raw in (marked, logged):
        found = open_filesystem(Memory(bytes(raw)))
        assert found.unclean
        assert "log is not replayed" in str(found.remarks[0])
    for in_use, flags in ((0xFFFF, 0), (0, 2)):
        logged[log : log + 8192] = restart(in_use, flags) * 2
        assert not open_filesystem(Memory(bytes(logged))).unclean
    logged[log + 510] ^= 1
    logged[log + 4096 + 510] ^= 1
    assert open_filesystem(Memory(bytes(logged))).unclean
    logged[log : log + 4096] = restart(0, 0, newest=9)
    logged[log + 4096 : log + 8192] = restart(0xFFFF, 0, newest=8)
    assert open_filesystem(Memory(bytes(logged))).unclean


def place_of_log(view: FileSystem) -> int:
    assert isinstance(view, Ntfs)
    record = view.table.row(2)
    assert record is not None
    extents = view.extents(record.number)
    assert extents is not None
    return int(extents[0, 1])


def restart(in_use: int, flags: int, newest: int = 1) -> bytes:
    """Return a restart page of the log, as Windows writes it."""
    page = bytearray(4096)
    struct.pack_into("<4sHHQIIHHH", page, 0, b"RSTR", 0x1E, 9, 0, 4096, 4096, 0x30, 1, 1)
    struct.pack_into("<QHHHH", page, 0x30, newest, 1, 0xFFFF, in_use, flags)
    struct.pack_into("<H", page, 0x1E, 7)
    for end in range(512, 4097, 512):
        struct.pack_into("<H", page, end - 2, 7)
    return bytes(page)


@pytest.mark.parametrize(("begin", "sleeps"), [(b"hibr", True), (b"HIBR", True), (b"wake", False), (b"", False)])
def test_a_sleeping_windows_is_said(tmp_path: Path, begin: bytes, sleeps: bool) -> None:
    image = ntfs.make(tmp_path / "disk")
    ntfs.changed(image, [["create", "/hiberfil.sys"], ["write", "/hiberfil.sys", (begin + bytes(9000)).hex()]])
    view = ntfs.opened(image)
    assert view.unclean is sleeps
    assert [("hibernated" in str(remark)) for remark in view.remarks] == ([False, True] if sleeps else [])


def test_a_table_of_files_that_is_in_pieces(tmp_path: Path) -> None:
    """Its list of attributes leads to a record that lies in the part which the first record tells of."""
    image = ntfs.changed(ntfs.make(tmp_path / "disk", "-c", "512", size=8 * MIB), ntfs.scattered(1500))
    wanted = ntfs.theirs(image)
    raw = split_table(bytearray(image.read_bytes()), ntfs.opened(image))
    image.write_bytes(raw)
    view = ntfs.opened(image)
    assert len(wanted) > 1500
    assert ntfs.ours(view) == wanted == ntfs.theirs(image)
    later = tmp_path / "later"
    cut = wanted[b"/many/1400"].number
    changed = bytearray(raw)
    changed[attribute(bytes(raw), place(view, cut >> 16), 0x10) + 0x18 + 0x20] ^= 0x3
    later.write_bytes(changed)
    (found,) = compare(view, ntfs.opened(later), ext.differences(raw, bytes(changed)))
    assert found.path == "/many/1400"


def split_table(raw: bytearray, view: FileSystem, row: int = 16, kept: int = 9) -> bytes:
    """Move all runs of the table but the first few into another record."""
    assert isinstance(view, Ntfs)
    size, first, other = view.layout.record_bytes, place(view, 0), place(view, row)
    record = view.table.row(0)
    assert record is not None
    whole = record.raw
    at = attribute(whole, 0, 0x80)
    length = int.from_bytes(whole[at + 4 : at + 8], "little")
    pairs_at = at + int.from_bytes(whole[at + 32 : at + 34], "little")
    pairs, clusters, cluster = whole[pairs_at : at + length], 0, 0
    end = 0
    for _ in range(kept):
        counted, placed = pairs[end] & 15, pairs[end] >> 4
        clusters += int.from_bytes(pairs[end + 1 : end + 1 + counted], "little")
        end += 1 + counted + placed
        cluster += int.from_bytes(pairs[end - placed : end], "little", signed=True)
    counted, placed = pairs[end] & 15, pairs[end] >> 4
    step = int.from_bytes(pairs[end + 1 + counted : end + 1 + counted + placed], "little", signed=True)
    rest = bytes([counted | 4 << 4]) + pairs[end + 1 : end + 1 + counted] + (cluster + step).to_bytes(4, "little")
    rest += pairs[end + 1 + counted + placed :]
    head = bytearray(whole[at : at + 64])
    further = bytearray(head)
    struct.pack_into("<Q", head, 24, clusters - 1)
    struct.pack_into("<Q", further, 16, clusters)
    listed = b"".join(
        struct.pack("<IHBBQQH6x", kind, 32, 0, 26, lowest, reference, 0)
        for kind, lowest, reference in (
            (0x10, 0, 1 << 48), (0x30, 0, 1 << 48), (0x80, 0, 1 << 48), (0x80, clusters, row | 1 << 48),
            (0xB0, 0, 1 << 48),
        )
    )  # fmt: skip
    parts = [whole[0x38:at], attribute_of(head[:64], pairs[:end] + b"\0"), whole[at + length :]]
    named = attribute(whole, 0, 0x30)
    parts[0] = whole[0x38:named] + resident(0x20, listed) + whole[named:at]
    raw[first : first + size] = protected(whole[:0x38], b"".join(parts), size)
    header = bytearray(whole[:0x38])
    struct.pack_into("<HHHH", header, 0x10, 1, 0, 0x38, 1)
    struct.pack_into("<QHHI", header, 0x20, 1 << 48, 1, 0, row)
    raw[other : other + size] = protected(header, attribute_of(further, rest) + b"\xff\xff\xff\xff\0\0\0\0", size)
    return bytes(raw)


def attribute_of(head: bytes, pairs: bytes) -> bytes:
    """Return an attribute that lies outside, with other pairs."""
    found = bytearray(head + pairs)
    found += bytes(-len(found) % 8)
    struct.pack_into("<I", found, 4, len(found))
    struct.pack_into("<H", found, 32, 64)
    return bytes(found)


def resident(kind: int, value: bytes) -> bytes:
    length = 24 + -(-len(value) // 8) * 8
    return struct.pack("<IIBBHHHIHH", kind, length, 0, 0, 24, 0, 7, len(value), 24, 0) + value.ljust(length - 24, b"\0")


def protected(header: bytes, attributes: bytes, size: int) -> bytes:
    """Return a record with the words at the end of its strides replaced."""
    found = bytearray((bytes(header) + attributes).ljust(size, b"\0")[:size])
    struct.pack_into("<HH", found, 4, 0x30, size // 512 + 1)
    struct.pack_into("<I", found, 0x18, min(size, -(-(len(header) + len(attributes)) // 8) * 8))
    struct.pack_into("<H", found, 0x30, 3)
    for number in range(1, size // 512 + 1):
        end = number * 512
        found[0x30 + 2 * number : 0x32 + 2 * number] = found[end - 2 : end]
        struct.pack_into("<H", found, end - 2, 3)
    return bytes(found)


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"\xeb\x52\x90NTFS    " + b"\xff" * 5000, b"NTFS"])
def test_what_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(FilesystemError):
        open_filesystem(Memory(content))


def consumed(filesystem: FileSystem) -> int:
    """Read all that there is, a little of each file."""
    count = 0
    for entry in entries(filesystem):
        filesystem.attributes(entry.node.number)
        filesystem.extents(entry.node.number)
        for at in (0, max(0, entry.node.size - 5000)):
            filesystem.read(entry.node.number, at, min(200_000, entry.node.size))
        count += 1
    return count


def outcome(sound: FileSystem, raw: bytes) -> str:
    try:
        view = open_filesystem(Memory(raw))
        for changed in (ext.differences(sound.disk.content, raw, 4096), None):  # type: ignore[attr-defined]
            with contextlib.suppress(FilesystemError):
                list(compare(sound, view, changed))
        consumed(view)
    except FilesystemError:
        return "refused"
    return "answered"


def test_a_damaged_filesystem_gives_files_or_an_error(small: bytes) -> None:
    sound, chance = open_filesystem(Memory(small)), random.Random(5)
    assert isinstance(sound, Ntfs)
    places = [place(sound, row) for row in range(sound.table.records)]
    places = [at for at in places if small[at : at + 4] == b"FILE"]
    places += [at for at in range(0, len(small), 4096) if small[at : at + 4] == b"INDX"]
    outcomes = []
    for number in range(160):
        raw, at = bytearray(small), 0 if number % 20 == 0 else chance.choice(places)
        for _ in range(chance.choice((1, 1, 3, 20))):
            raw[at + chance.randrange(512)] = chance.choice((0, 1, 8, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        began = time.thread_time()
        outcomes.append(outcome(sound, bytes(raw)))
        assert time.thread_time() - began < 20
    for _ in range(20):
        outcomes.append(outcome(sound, small[: chance.randrange(len(small))]))  # noqa: PERF401
    assert set(outcomes) == {"refused", "answered"}


class Sparse:
    """A disk of any size that is zeros beyond its first bytes."""

    def __init__(self, first: bytes, size: int) -> None:
        self.first, self.size = first, size

    def read(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        return self.first[offset : offset + length].ljust(length, b"\0")


@pytest.mark.parametrize("field", ["table", "file", "compressed", "stream", "directory"])
def test_crafted_sizes_cost_neither_time_nor_memory(small: bytes, field: str) -> None:
    raw, view = bytearray(small), open_filesystem(Memory(small))
    path = {"compressed": b"/packed/f1", "stream": b"/a/f2"}.get(field, b"/a/f1")
    node = lookup(view, b"/b" if field == "directory" else path)
    assert node is not None
    kind, name = {"stream": (0x80, "of 70000"), "directory": (0xA0, "$I30")}.get(field, (0x80, ""))
    at = attribute(small, place(view, 0 if field == "table" else node.number >> 16), kind, name)
    struct.pack_into("<QQQ", raw, at + 40, 2**50, 2**50, 2**50)
    pairs = at + int.from_bytes(raw[at + 32 : at + 34], "little")
    raw[pairs : pairs + 8] = bytes([0x16, 0, 0, 0, 0, 0, 0x10, 1])
    struct.pack_into("<Q", raw, 0x28, 2**53)
    tracemalloc.start()
    began = time.thread_time()
    with contextlib.suppress(FilesystemError):
        crafted = open_filesystem(Sparse(bytes(raw), 2**62))
        list(compare(view, crafted, None))
        consumed(crafted)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 200 * MIB
    assert time.thread_time() - began < 20


def test_a_directory_that_goes_in_circles_is_refused(small: bytes) -> None:
    raw = bytearray(small)
    blocks = [at for at in range(0, len(small), 4096) if small[at : at + 4] == b"INDX"]
    for at in blocks:
        entry = at + 24 + int.from_bytes(raw[at + 24 : at + 28], "little")
        raw[at + 36] |= 1
        flags = int.from_bytes(raw[entry + 12 : entry + 14], "little")
        struct.pack_into("<H", raw, entry + 12, flags | 1)
        length = int.from_bytes(raw[entry + 8 : entry + 10], "little")
        struct.pack_into("<Q", raw, entry + length - 8, 0)
    with pytest.raises(FilesystemError):
        consumed(open_filesystem(Memory(bytes(raw))))


@pytest.mark.parametrize(
    ("packed", "wanted"),
    [
        (b"", bytes(16)),
        (b"\x03\x30abcd", b"abcd" + bytes(12)),
        (b"\x03\xb0\x02a\x05\x00", b"a" * 9 + bytes(7)),
        (b"\x04\xb0\x04ab\x05\x10", b"ab" * 5 + bytes(6)),
    ],
)
def test_units_are_decompressed(packed: bytes, wanted: bytes) -> None:
    assert decompressed(packed, 16) == wanted


@pytest.mark.parametrize("packed", [b"\x09\xb0\x02a", b"\x03\xb0\x01\x05\x00a", b"\x03\xb0\x02a\x05\x10"])
def test_damaged_units_are_refused(packed: bytes) -> None:
    with pytest.raises(FilesystemError):
        decompressed(packed, 4096)
