"""NTFS filesystems made by mkntfs and changed by libntfs-3g, without mounting; and what dissect reads in them."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dissect.ntfs import NTFS
from dissect.ntfs.c_ntfs import ATTRIBUTE_TYPE_CODE as KINDS

from snapgui.images.filesystems.filesystem import FileSystem, Kind, entries
from snapgui.images.filesystems.opening import open_filesystem
from tests.images import ext
from tests.images.ext import MIB, Memory
from tests.images.ntfs3g import Command, change

STEP = 2**16
_LINKS = {0xA000000C, 0xA0000003}
_SHOWN_FLAGS = 0x0FFF_FF7F
COMPRESSED = 0x800


@dataclass(frozen=True)
class Facts:
    """A file as any reader may tell it; content of files, target of links."""

    number: int
    kind: Kind
    born: int
    mtime: int
    ctime: int
    flags: int
    links: int
    content: bytes
    streams: tuple[tuple[bytes, bytes], ...]
    security: bytes
    others: tuple[tuple[bytes, bytes], ...]


def make(path: Path, *options: str, size: int = 24 * MIB) -> Path:
    """Make an empty filesystem."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    geometry = () if "-p" in options else ("-p", "0", "-H", "16", "-S", "63")
    ext.run(ext.tool("mkntfs"), "-q", "-F", "-Q", *geometry, *options, str(path))
    return path


def opened(path: Path) -> FileSystem:
    return open_filesystem(Memory(path.read_bytes()))


def ours(filesystem: FileSystem) -> dict[bytes, Facts]:
    """Return all that our reader finds."""
    found = {}
    root = filesystem.node(filesystem.root)
    assert root is not None
    for path, node in ((b"/", root), *((entry.path, entry.node) for entry in entries(filesystem))):
        told = filesystem.attributes(node.number)
        security = told.pop(b"system.ntfs_acl", b"")
        streams = tuple(sorted(each for each in told.items() if each[0].startswith(b"stream:")))
        others = tuple(sorted(set(told.items()) - set(streams)))
        content = node.target
        if node.kind is Kind.FILE:
            content = b"".join(filesystem.read(node.number, at, MIB) for at in range(0, node.size, MIB))
        times = (node.born_ns, node.mtime_ns, node.ctime_ns)
        found[path] = Facts(node.number, node.kind, *times, node.flags, node.links, content, streams, security, others)
    return found


def theirs(path: Path) -> dict[bytes, Facts]:
    """Return all that dissect finds."""
    with path.open("rb") as file:
        view = NTFS(file)
        root = view.mft.get(5)
        return {b"/": _facts(view, root), **dict(_below(view, root, b"/"))}


def _below(view: Any, directory: Any, above: bytes) -> Iterator[tuple[bytes, Facts]]:
    for each in directory.iterdir(ignore_dos=True):
        record = each.dereference()
        if record.segment < 24:
            continue
        path = above + each.attribute.file_name.encode()
        facts = _facts(view, record)
        yield path, facts
        if facts.kind is Kind.DIRECTORY:
            yield from _below(view, record, path + b"/")


def _facts(view: Any, record: Any) -> Facts:
    standard = record.attributes[KINDS.STANDARD_INFORMATION][0]
    points = record.attributes[KINDS.REPARSE_POINT]
    kind = Kind.DIRECTORY if record.is_dir() else Kind.FILE
    content = b""
    if points and int(points[0].tag) in _LINKS:
        kind, content = Kind.SYMLINK, points[0].substitute_name.removeprefix("\\??\\").encode()
    names = {each.name for each in record.attributes[KINDS.DATA]}
    if kind is Kind.FILE and "" in names:
        content = record.open().read()
    return Facts(
        record.segment << 16 | record.header.SequenceNumber,
        kind,
        standard.creation_time_ns,
        standard.last_modification_time_ns,
        standard.last_change_time_ns,
        int(standard.file_attributes) & _SHOWN_FLAGS,
        len(record.filenames(ignore_dos=True)),
        content,
        tuple(sorted((b"stream:" + name.encode(), shown(record.open(name).read())) for name in names - {""})),
        _security(view, record, standard.security_id),
        tuple(sorted(_others(record, kind))),
    )


def _others(record: Any, kind: Kind) -> Iterator[tuple[bytes, bytes]]:
    for each in record.attributes[KINDS.OBJECT_ID]:
        yield b"system.ntfs_object_id", bytes(each.header.data())
    for each in record.attributes[KINDS.REPARSE_POINT] if kind is not Kind.SYMLINK else ():
        yield b"system.ntfs_reparse_data", bytes(each.header.data())


def _security(view: Any, record: Any, number: int | None) -> bytes:
    """Return the descriptor as it lies in the record, or in the table of all, which dissect reads as a stream."""
    if not number:
        own = record.attributes[KINDS.SECURITY_DESCRIPTOR]
        return bytes(own[0].header.data()) if own else b""
    head = next(each for each in view.secure._iter_entries() if each.SecurityId == number)
    view.secure.sds.seek(head.Offset + 20)
    return bytes(view.secure.sds.read(head.Length - 20))


def shown(raw: bytes) -> bytes:
    """Return what is told of a stream: a digest of what is not zeros, if it is long."""
    if len(raw) <= 4096:
        return raw
    found = hashlib.sha256()
    for number in range(-(-len(raw) // STEP)):
        piece = raw[number * STEP : (number + 1) * STEP]
        if any(piece):
            found.update(number.to_bytes(8, "little") + piece)
    return b"%d bytes, %s" % (len(raw), found.hexdigest().encode())


HOSTILE = (
    "with space",
    "line\nbreak",
    "\x1b[31mred\x1b[0m",
    "<b>bold&amp;",
    "überraschung-日本語-😀",
    "-rf",
    "$(reboot)",
    "n" * 255,
    "ü" * 255,
)


def link(target: str, *, junction: bool = False) -> str:
    """Return a reparse point that leads somewhere."""
    raw = target.encode("utf-16-le", "surrogatepass")
    paths = raw + b"\0\0" + b"s\0h\0o\0w\0n\0\0\0" if junction else raw + b"s\0h\0o\0w\0n\0"
    shown_at = len(raw) + (2 if junction else 0)
    names = b"".join(each.to_bytes(2, "little") for each in (0, len(raw), shown_at, 10))
    return reparse(0xA0000003 if junction else 0xA000000C, names + (b"" if junction else b"\1\0\0\0") + paths)


def reparse(tag: int, content: bytes) -> str:
    return (tag.to_bytes(4, "little") + len(content).to_bytes(2, "little") + b"\0\0" + content).hex()


def tree() -> list[Command]:
    """Return what makes all sorts of files."""
    chance = random.Random(7)
    found: list[Command] = [["create", "/empty"]]
    for path, content in (
        ("/small", b"small\n"),
        ("/a kilobyte", bytes(range(256)) * 4),
        ("/large", chance.randbytes(900_001)),
    ):
        found += [["create", path], ["write", path, content.hex()]]
    found += [["link", "/large", "/same as large"], ["create", "/sparse"], ["attrib", "/sparse", 0x200]]
    found += [["write", "/sparse", b"here".hex(), at] for at in (0, 70_000, 3_000_000, 60 * MIB)]
    found += [["mkdir", "/many"], ["mkdir", "/odd"]]
    found += [["create", f"/many/file {number} of a directory with many"] for number in range(600)]
    found += [["delete", f"/many/file {number} of a directory with many"] for number in range(0, 600, 7)]
    deep = ""
    for number in range(60):
        deep += f"/level {number}"
        found.append(["mkdir", deep])
    found += [["create", deep + "/bottom"], ["write", deep + "/bottom", b"bottom".hex()]]
    for name in HOSTILE:
        found += [["create", f"/odd/{name}"], ["write", f"/odd/{name}", name.encode().hex()]]
    found += [["write", "/small", (b"s" * length).hex(), 0, f"stream {length}"] for length in (10, 500, 5000)]
    found += [["write", "/many", b"of a directory".hex(), 0, "ströme"], ["write", "/large", "77", 9 * MIB, "long"]]
    found += [["create", "/a long name"], ["dos", "/a long name", "ALONGN~1"], ["attrib", "/small", 0x3]]
    found += [["create", "/link"], ["reparse", "/link", link("odd\\<b>bold")]]
    found += [["mkdir", "/junction"], ["reparse", "/junction", link("\\??\\C:\\Users", junction=True)]]
    found += [["create", "/cloud"], ["reparse", "/cloud", reparse(0x9000_001A, b"somewhere else")]]
    found += [["times", "/small", 1, 131_000_000_000_000_001]]
    found += [["create", "/listed"]]
    found += [
        ["write", "/listed", name.encode().hex(), 0, name] for name in (f"stream number {at}" for at in range(40))
    ]
    found += [["link", "/listed", f"/odd/another name of it {at}"] for at in range(17)]
    return found + compressed(chance)


def compressed(chance: random.Random) -> list[Command]:
    """Return what makes files that are compressed well, badly, and not at all."""
    noise, text = chance.randbytes(200_000), b"".join(b"%d bottles of beer, " % number for number in range(9000))
    mixed = b"".join(part for at in range(0, 150_000, 5000) for part in (noise[at : at + 5000], text[at : at + 9000]))
    found: list[Command] = [["mkdir", "/packed"], ["attrib", "/packed", COMPRESSED]]
    for name, content in (("noise", noise), ("text", text), ("mixed", mixed), ("runs", b"ab" * 70_000), ("tiny", b"t")):
        found += [["create", f"/packed/{name}"], ["write", f"/packed/{name}", content.hex()]]
    return [*found, ["create", "/packed/holes"], ["write", "/packed/holes", text.hex(), 700_000]]


def fragmented(path: str, pieces: int, size: int = 4096) -> list[Command]:
    """Return what makes a file of many runs: it and another grow in turn."""
    found: list[Command] = [["create", path], ["create", path + " other"]]
    for number in range(pieces):
        content = (b"%08d" % number * (size // 8)).hex()
        found += [["write", each, content, size * number] for each in (path, path + " other")]
    return found


def scattered(files: int, pieces: int = 2600) -> list[Command]:
    """Return what fills a disk of 8 MiB in pieces, and then makes so many files that their table is in pieces too."""
    found = [*fragmented("/pieces", pieces, 1024), ["delete", "/pieces other"], ["mkdir", "/many"]]
    return found + [["create", f"/many/{number}"] for number in range(files)]


def changed(path: Path, commands: list[Command]) -> Path:
    change(path, commands)
    return path
