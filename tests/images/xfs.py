"""XFS filesystems made by mkfs.xfs and filled and changed by a kernel; what it, and what dissect, read in them."""

import fcntl
import io
import os
import random
import stat
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from dissect.xfs import XFS

from tests.images.ext import HOSTILE, LONG_AGO, MIB, Facts, below, tool
from tests.images.linux import run_in_linux

SIZE = 40 * MIB
LAYOUTS = {
    "v5": ("-d", "agcount=2"),
    "v5-1k": ("-b", "size=1024", "-m", "rmapbt=1", "-i", "nrext64=1"),
    "v5-2k": ("-b", "size=2048", "-n", "size=8192", "-i", "size=1024", "-l", "su=65536"),
    "v5-first": ("-m", "bigtime=0,inobtcount=0,reflink=0,finobt=0", "-i", "sparse=0", "-s", "size=4096"),
    "v4": ("-m", "crc=0", "-b", "size=4096", "-n", "ftype=1", "-i", "size=256"),
    "v4-512": ("-m", "crc=0", "-b", "size=512", "-n", "ftype=0", "-i", "size=256"),
}
"""Those that the kernel of the guest mounts; it cannot mount blocks that are larger than its pages."""
BY_DISSECT = sorted(LAYOUTS.keys() - {"v5-2k", "v5-1k", "v4-512"})
"""Those that dissect reads as well: not directories whose blocks are several, nor some with small blocks."""
MOST = {"v5": 600, "": 150}
"""So many files in one directory, for hashes of names in more than one block, where blocks are large and elsewhere."""


def make(path: Path, *options: str, size: int = SIZE, prototype: str = "") -> Path:
    """Make a filesystem, smaller than mkfs makes them but for its own tests; ``prototype`` is as in mkfs.xfs(8)."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    command = [tool("mkfs.xfs"), "-q", "-f", *options]
    if prototype:
        path.with_suffix(".prototype").write_text(prototype)
        command += ["-p", str(path.with_suffix(".prototype"))]
    allowed = {**os.environ, "TEST_DIR": "1", "TEST_DEV": "1", "QA_CHECK_FS": "1"}
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False, env=allowed)
    assert done.returncode == 0, done.stderr
    return path


def debugged(path: Path, *commands: str) -> str:
    """Let xfs_db change or show something."""
    arguments = [part for command in commands for part in ("-c", command)]
    done = subprocess.run([tool("xfs_db"), "-x", *arguments, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def once(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], None]) -> Path:
    """Return a directory that is filled by whichever worker of this session comes first."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    directory, finished = base / name, base / f"{name}.finished"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            directory.mkdir()
            fill(directory)
            finished.touch()
    return directory


class _Archive:
    """A tar archive that is being made; directories come behind what is in them, to get the time that is said."""

    def __init__(self) -> None:
        self._target = io.BytesIO()
        self._archive = tarfile.open(  # noqa: SIM115 - finished below
            fileobj=self._target, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape"
        )
        self._folders: list[str] = []

    def add(self, name: str | bytes, kind: bytes = tarfile.REGTYPE, content: bytes = b"", **fields: Any) -> None:
        entry = tarfile.TarInfo(os.fsdecode(name))
        entry.type, entry.size, entry.mtime, entry.mode = kind, len(content), LONG_AGO, 0o644
        for field, value in fields.items():
            setattr(entry, field, value)
        self._archive.addfile(entry, io.BytesIO(content))

    def folder(self, name: str, contents: Mapping[str, bytes] | Mapping[bytes, bytes]) -> None:
        self._folders.append(name)
        for each, content in contents.items():
            self.add(name.encode() + b"/" + (each if isinstance(each, bytes) else each.encode()), content=content)

    def finish(self) -> bytes:
        for folder in reversed(self._folders):
            self.add(folder, tarfile.DIRTYPE, mode=0o751)
        self._archive.close()
        return self._target.getvalue()


def tree(most: int) -> bytes:
    """Return a tar archive with all sorts of files, and up to so many in one directory."""
    archive = _Archive()
    archive.add("empty")
    archive.add("small", content=b"small\n", mode=0o4755, uid=70000, gid=2_000_000)
    archive.add("large", content=random.Random(7).randbytes(900_001))
    archive.add("same as large", tarfile.LNKTYPE, linkname="large")
    for length in (5, 155, 156, 157, 335, 336, 337, 900, 1023):
        archive.add(f"link {length}", tarfile.SYMTYPE, linkname="/".join(["x" * 100] * 11)[:length], mode=0o777)
    archive.add("fifo", tarfile.FIFOTYPE, mode=0o640)
    archive.add("null", tarfile.CHRTYPE, devmajor=1, devminor=3)
    archive.add("block", tarfile.BLKTYPE, devmajor=259, devminor=70000)
    for count in (3, 12, 40, 100, most):
        names = {f"file {number} of a directory with some": b"x" * (number % 3) for number in range(count)}
        archive.folder(f"dir {count}", names)
    deep = "/".join(f"level {number}" for number in range(40))
    for depth in range(deep.count("/") + 1):
        archive.folder("/".join(deep.split("/")[: depth + 1]), {})
    archive.add(f"{deep}/bottom", content=b"bottom")
    archive.folder("odd", {name: name for name in HOSTILE})
    for name in ("a", "b", "b/c"):
        archive.folder(name, {f"f{each}": f"{name}{each}".encode() * (7000 * (each % 2) + each) for each in range(10)})
    return archive.finish()


ATTRIBUTES = {
    "few": {"user.a": b"b", "trusted.x": b"y" * 20, "security.z": b"\0\1\xff", "user.empty": b""},
    "some": {f"user.number {number}": b"v" * number for number in range(30)},
    "many": {f"user.{number}.{'n' * 100}": b"v" * (number % 90) for number in range(150)},
    "large": {"user.large": b"l" * 3000, "user.largest": bytes(range(256)) * 200, "trusted.larger": b"m" * 9000},
    "dir 12": {"user.of a directory": b"1"},
}
"""What attributes the kernel is told to give to which files."""


def _restoring() -> bytes:
    """Return what setfattr --restore takes."""
    lines = []
    for name, values in ATTRIBUTES.items():
        lines.append(f"# file: {name}")
        lines += [f"{each.replace(' ', chr(92) + '040')}=0x{value.hex()}" for each, value in values.items()]
        lines.append("")
    return "\n".join(lines).encode()


FILL = """
mount -t xfs /dev/{disk} /mnt
cd /mnt
tar xf /{tree}
touch few some many large
setfattr --restore=/attributes
for number in 0 20 400 799; do dd if=/dev/urandom of=sparse bs=1k count=3 seek=$number conv=notrunc 2>/dev/null; done
xfs_io -f {pieces} -c "truncate 5000001" pieces >/dev/null
xfs_io -f -c "falloc 0 100k" -c "pwrite -S 0x41 8k 20k" reserved >/dev/null
mkdir fragments; for number in $(seq 100); do
    echo $number >"fragments/a rather long name of a file with the number $number"
    echo $number >>interleaved
done
xfs_io -f -c "reflink large" shared >/dev/null 2>&1 || cp large shared
xfs_io -c "pwrite -S 0x42 100k 8k" shared >/dev/null
rm fragments/*5
mkdir times
touch -d "1950-01-02 03:04:05" times/old
touch -d "2100-01-02 03:04:05" times/new
touch -h -d @{long_ago} link*
touch -d @{long_ago} sparse pieces reserved shared interleaved fragments few some many large
touch -d @{long_ago} "dir 3" .
xfs_io -c "chattr +i" "dir 3/file 0 of a directory with some"
xfs_io -c "chattr +ad" "dir 3"
cd /
umount /mnt
mount -t xfs -o ro /dev/{disk} /mnt
tar cf /dev/{truth} -C /mnt sparse pieces reserved shared interleaved fragments few some many
umount /mnt
"""


def filled(directory: Path) -> None:
    """Make one of each layout, and let the kernel fill it; NAME.tar is what it reads in it."""
    images = [make(directory / f"{name}.raw", *options) for name, options in LAYOUTS.items()]
    truths = [directory / f"{name}.tar" for name in LAYOUTS]
    for truth in truths:
        with truth.open("wb") as file:
            file.truncate(SIZE)
    pieces = " ".join(f"-c 'pwrite -S {number % 250 + 1} {number * 16}k 4k'" for number in range(200))
    disks = "abcdefghijklmnop"
    script = "".join(
        FILL.format(
            disk=f"vd{disks[index]}",
            truth=f"vd{disks[index + len(images)]}",
            tree=_archive_of(name),
            pieces=pieces,
            long_ago=LONG_AGO,
        )
        for index, name in enumerate(LAYOUTS)
    )
    files = {f"/{most}.tar": tree(most) for most in MOST.values()}
    for name, content in files.items():
        (directory / name[1:]).write_bytes(content)
    files["/attributes"] = _restoring()
    run_in_linux([*images, *truths], script, ["xfs"], ["xfs_io", "setfattr"], files=files)


def _archive_of(layout: str) -> str:
    return f"{MOST.get(layout, MOST[''])}.tar"


def by_kernel(directory: Path, layout: str) -> dict[bytes, Facts]:
    """Return what the kernel was told to put into a filesystem, or read in it; without numbers of links."""
    return _archived(directory / _archive_of(layout)) | _archived(directory / f"{layout}.tar")


def _archived(path: Path) -> dict[bytes, Facts]:
    found: dict[bytes, Facts] = {}
    kinds = {
        tarfile.REGTYPE: stat.S_IFREG,
        tarfile.DIRTYPE: stat.S_IFDIR,
        tarfile.SYMTYPE: stat.S_IFLNK,
        tarfile.FIFOTYPE: stat.S_IFIFO,
        tarfile.CHRTYPE: stat.S_IFCHR,
        tarfile.BLKTYPE: stat.S_IFBLK,
    }
    with tarfile.open(path, errors="surrogateescape", encoding="utf-8") as archive:
        for each in archive:
            name = b"/" + os.fsencode(each.name.removeprefix("./").rstrip("/"))
            if each.type == tarfile.LNKTYPE:
                found[name] = found[b"/" + os.fsencode(each.linkname.removeprefix("./"))]
            elif each.name != ".":
                source = archive.extractfile(each) if each.isreg() else None
                content = source.read() if source else os.fsencode(each.linkname)
                kind = kinds[each.type]
                found[name] = Facts(kind, each.mode, each.uid, each.gid, int(each.mtime), 0, content)
    return found


def without_times(found: dict[bytes, Facts]) -> dict[bytes, Facts]:
    """Leave out files of times that neither a tar archive nor dissect knows."""
    return {path: facts for path, facts in found.items() if not path.startswith(b"/times")}


def theirs(path: Path) -> dict[bytes, Facts]:
    """Return all that dissect finds."""
    with path.open("rb") as file:
        return dict(below(XFS(file).get(XFS(file).sb.sb_rootino), b"/", _known))


def _known(inode: Any) -> tuple[int, int, int, int]:
    return inode.di_mode, inode.di_uid, inode.di_gid, inode.di_nlink
