"""FAT filesystems made and changed by dosfstools and mtools, without mounting; and what dissect reads in them."""

import os
import stat
import subprocess
from datetime import UTC
from io import BytesIO
from pathlib import Path
from typing import Any

from dissect.fat.fat import FATFS

from tests.images.ext import MIB, Facts, run, tool

LAYOUTS = {
    "fat12": (2 * MIB, ("-F", "12", "-s", "2")),
    "fat12-4k": (8 * MIB, ("-F", "12", "-s", "8")),
    "fat16": (16 * MIB, ("-F", "16", "-s", "4")),
    "fat32": (40 * MIB, ("-F", "32", "-s", "1")),
    "fat32-4k-sectors": (300 * MIB, ("-F", "32", "-S", "4096", "-s", "1")),
}
ENVIRONMENT = os.environ | {"MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8", "TZ": "UTC", "MTOOLSRC": "/dev/null"}


def make(path: Path, layout: str) -> Path:
    """Make an empty filesystem."""
    size, options = LAYOUTS[layout]
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    run(tool("mkfs.fat"), *options, "-i", "1234abcd", "-n", "A LABEL", str(path))
    return path


def mtools(image: Path, command: str, *arguments: str, may_fail: bool = False) -> None:
    """Run one of the mtools; paths within the image begin with ``::``."""
    line = [command, "-i", str(image), *arguments]
    done = subprocess.run(
        line, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL
    )
    assert may_fail or done.returncode == 0, f"{command} {arguments}: {done.stderr}"


def checked(image: Path) -> Path:
    """Have fsck find nothing wrong."""
    run(tool("fsck.fat"), "-n", str(image))
    return image


def theirs(content: bytes) -> dict[bytes, Facts]:
    """Return what dissect reads, by path; a name without a long one is in small letters."""
    found: dict[bytes, Facts] = {}
    _walk(FATFS(BytesIO(content)).root, b"", found)
    return found


def _walk(directory: Any, above: bytes, found: dict[bytes, Facts]) -> None:
    for each in directory.iterdir():
        if each.short_name in (".", "..") or each.is_volume_id():
            continue
        name = each.name.rstrip("\0") if each.ldirents else small(each)
        path = above + b"/" + name.encode("utf-8", "surrogatepass")
        folder = each.is_directory()
        flags = each.dirent.DIR_Attr & 0x27
        content = b"" if folder or not each.size else each.open().read()
        kind = stat.S_IFDIR if folder else stat.S_IFREG
        mtime = int(each.mtime.replace(tzinfo=UTC).timestamp())
        found[path] = Facts(kind, flags, 0, 0, mtime, 1, content)
        if folder:
            _walk(each, path, found)


def small(entry: Any) -> str:
    """Return a short name with the case that its bits tell."""
    name, _, ending = entry.short_name.partition(".")
    case = entry.dirent.DIR_NTRes
    name = name.lower() if case & 8 else name
    ending = ending.lower() if case & 16 else ending
    return f"{name}.{ending}" if ending else name
