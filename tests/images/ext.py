"""ext2, ext3 and ext4 filesystems made and changed by e2fsprogs, without mounting; and what dissect reads in them."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dissect.extfs import ExtFS

from snapgui.images.filesystems.filesystem import FileSystem, Kind, entries
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.filesystems.ranges import Ranges

MIB = 2**20
LONG_AGO = 1_500_000_000
"""Seconds since 1970, of all files that ``tree`` makes: mkfs keeps no fractions of seconds."""


@dataclass(frozen=True)
class Facts:
    """A file as any reader may tell it; content of files, target of links, nothing else for the others."""

    kind: int
    mode: int
    uid: int
    gid: int
    mtime: int
    links: int
    content: bytes


class Memory:
    """A disk that is a few bytes."""

    def __init__(self, content: bytes) -> None:
        self.content, self.size = content, len(content)

    def read(self, offset: int, length: int) -> bytes:
        return self.content[offset : offset + length]


def make(path: Path, tree: Path | None = None, *options: str, kind: str = "ext4", size: int = 32 * MIB) -> Path:
    """Make a filesystem that holds what is in a directory."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    run(tool(f"mkfs.{kind}"), "-q", "-F", *options, *(("-d", str(tree)) if tree else ()), str(path))
    return path


def debugfs(path: Path, *commands: str | bytes) -> str:
    """Let debugfs do something to a filesystem; its complaints fail the test."""
    with tempfile.NamedTemporaryFile() as script:
        script.write(b"\n".join(each.encode() if isinstance(each, str) else each for each in commands))
        script.flush()
        done = subprocess.run(
            [tool("debugfs"), "-w", "-f", script.name, str(path)],
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    complaints = done.stderr.decode("utf-8", "replace").splitlines()[1:]
    assert not complaints, complaints
    return done.stdout.decode("utf-8", "replace")


def checked(path: Path) -> Path:
    """Let e2fsck put right what debugfs leaves: numbers of links, directories above; replays the journal."""
    done = subprocess.run([tool("e2fsck"), "-fy", str(path)], capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stdout.decode("utf-8", "replace")
    return path


def tool(name: str) -> str:
    """Return where a program for administrators is: not in the path of everybody."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") or name


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def opened(path: Path) -> FileSystem:
    return open_filesystem(Memory(path.read_bytes()))


def ours(filesystem: FileSystem) -> dict[bytes, Facts]:
    """Return all that our reader finds."""
    return {
        entry.path: Facts(
            _TYPES[entry.node.kind],
            entry.node.mode,
            entry.node.uid,
            entry.node.gid,
            entry.node.mtime_ns // 10**9,
            entry.node.links,
            _content(filesystem, entry.node.number, entry.node.size)
            if entry.node.kind is Kind.FILE
            else entry.node.target,
        )
        for entry in entries(filesystem)
    }


_TYPES = {
    Kind.FILE: stat.S_IFREG,
    Kind.DIRECTORY: stat.S_IFDIR,
    Kind.SYMLINK: stat.S_IFLNK,
    Kind.CHARACTER: stat.S_IFCHR,
    Kind.BLOCK: stat.S_IFBLK,
    Kind.FIFO: stat.S_IFIFO,
    Kind.SOCKET: stat.S_IFSOCK,
}


def _content(filesystem: FileSystem, number: int, size: int) -> bytes:
    return b"".join(filesystem.read(number, at, MIB) for at in range(0, size, MIB))


def theirs(path: Path) -> dict[bytes, Facts]:
    """Return all that dissect finds."""
    with path.open("rb") as file:
        view = ExtFS(file)
        return dict(below(view.root, b"/", _known))


def _known(inode: Any) -> tuple[int, int, int, int]:
    uid, gid = inode.i_uid | inode.i_uid_high << 16, inode.i_gid | inode.i_gid_high << 16
    return inode.i_mode, uid, gid, inode.i_links_count


Known = Callable[[Any], tuple[int, int, int, int]]
"""Returns mode, user, group and number of names of an inode of dissect's."""


def below(directory: Any, above: bytes, known: Known) -> Iterator[tuple[bytes, Facts]]:
    """Yield what dissect reads below a directory."""
    for each in directory.iterdir():
        if each.filename in (".", ".."):
            continue
        path = above + each.filename.encode("utf-8", "surrogateescape")
        mode, uid, gid, links = known(each.inode)
        kind = stat.S_IFMT(mode)
        content = b""
        if kind == stat.S_IFREG:
            content = each.open().read()
        elif kind == stat.S_IFLNK:
            content = each.link.encode("utf-8", "surrogateescape")
        yield path, Facts(kind, stat.S_IMODE(mode), uid, gid, each.mtime_ns // 10**9, links, content)
        if kind == stat.S_IFDIR:
            yield from below(each, path + b"/", known)


def on_disk(tree: Path) -> dict[bytes, Facts]:
    """Return what is in a directory of this machine; links of directories are those of a copy of it."""
    found = {}
    for folder, folders, files in os.walk(os.fsencode(tree)):
        for name in [*folders, *files]:
            path = os.path.join(folder, name)  # noqa: PTH118 - pathlib knows no bytes
            known = os.lstat(path)
            content = b""
            if stat.S_ISREG(known.st_mode):
                content = Path(os.fsdecode(path)).read_bytes()
            elif stat.S_ISLNK(known.st_mode):
                content = os.readlink(path)  # noqa: PTH115
            links = known.st_nlink
            if stat.S_ISDIR(known.st_mode):
                links = 2 + sum(each.is_dir(follow_symlinks=False) for each in os.scandir(path))
            found[b"/" + os.path.relpath(path, os.fsencode(tree))] = Facts(
                stat.S_IFMT(known.st_mode),
                stat.S_IMODE(known.st_mode),
                known.st_uid,
                known.st_gid,
                int(known.st_mtime),
                links,
                content,
            )
    return found


HOSTILE = (
    b"with space",
    b"line\nbreak",
    b"\x1b[31mred\x1b[0m",
    b"<b>bold&amp;",
    "überraschung-日本語".encode(),
    b"\xff\xfe not utf-8",
    b"-rf",
    b"$(reboot)",
    b"n" * 255,
)


def tree(where: Path) -> Path:
    """Make one with all sorts of files in it."""
    where.mkdir()
    (where / "empty").touch()
    (where / "small").write_bytes(b"small\n")
    (where / "a kilobyte").write_bytes(bytes(range(256)) * 4)
    (where / "large").write_bytes(os.urandom(900_001))
    os.link(where / "large", where / "same as large")
    with (where / "sparse").open("wb") as file:
        for place in (0, 70_000, 3_000_000, 70 * MIB):
            file.seek(place)
            file.write(b"here")
    (where / "link").symlink_to("small")
    (where / "just in").symlink_to("x" * 59)
    (where / "just out").symlink_to("x" * 60)
    (where / "far").symlink_to("/".join(["x" * 100] * 9))
    os.mkfifo(where / "fifo", 0o640)
    many = where / "many"
    many.mkdir(mode=0o751)
    for number in range(2000):
        (many / f"file {number} of a directory with many").touch()
    deep = where
    for number in range(60):
        deep /= f"level {number}"
    deep.mkdir(parents=True)
    (deep / "bottom").write_bytes(b"bottom")
    odd = where / "odd"
    odd.mkdir()
    for name in HOSTILE:
        path = os.fsencode(odd) + b"/" + name
        Path(os.fsdecode(path)).write_bytes(name)
    (where / "small").chmod(0o4755)
    for folder, folders, files in os.walk(where, topdown=False):
        for name in [*folders, *files]:
            os.utime(Path(folder) / name, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    return where


def differences(before: bytes, after: bytes, granularity: int = 65536) -> Ranges:
    """Return which clusters of two disks differ."""
    places = range(0, max(len(before), len(after)), granularity)
    return Ranges(
        [(at, at + granularity) for at in places if before[at : at + granularity] != after[at : at + granularity]]
    )
