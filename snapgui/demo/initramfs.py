"""Writes the guest's initial file system: a newc cpio archive with busybox, the few modules needed, and /init."""

import gzip
import lzma
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from snapgui.demo.errors import DemoUnavailable

MODULES = ("virtio_pci", "virtio_blk", "ext4", "button", "evdev")
"""Without the first three there is no disk; the others make the power button work."""

_DEPENDS = re.compile(rb"(?:^|\0)depends=([^\0]*)\0")
DIRECTORY, FILE, LINK = 0o040755, 0o100755, 0o120777
_SUFFIXES = (".ko", ".ko.xz", ".ko.gz", ".ko.zst")


def write_initramfs(target: Path, *, modules: Path, busybox: Path, init: bytes) -> None:
    """Pack everything that the guest needs besides its disk.

    Parameters: `modules` is the directory lib/modules/VERSION, `init` the text of the guest's first process.
    """
    archive = Archive()
    for name in ("bin", "data", "data2", "dev", "etc", "lib", "proc", "run", "sys", "tmp"):
        archive.add(name, DIRECTORY)
    archive.add("init", FILE, init)
    archive.add("bin/busybox", FILE, busybox.read_bytes())
    for applet in applets(busybox):
        archive.add(f"bin/{applet}", LINK, b"busybox")
    loaded = list(in_load_order(modules, MODULES))
    for name, content in loaded:
        archive.add(f"lib/{name}.ko", FILE, content)
    archive.add("lib/order", FILE, "".join(f"{name}\n" for name, _ in loaded).encode())
    target.write_bytes(gzip.compress(archive.finish(), compresslevel=9, mtime=0))


def applets(busybox: Path) -> list[str]:
    """Return the names that a busybox answers to."""
    listing = subprocess.run([str(busybox), "--list"], capture_output=True, text=True, check=True)
    return sorted(set(listing.stdout.split()) - {"busybox"})


def in_load_order(directory: Path, wanted: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the wanted modules, each after those it depends on.

    What is not there as a file is built into the kernel. The dependencies are read from the modules themselves
    (`depends=` in section .modinfo), because modules.dep is only made when a kernel package is installed.
    """
    files = {
        path.name.split(".")[0].replace("-", "_"): path
        for path in sorted(directory.rglob("*.ko*"))
        if path.name.endswith(_SUFFIXES)
    }
    done: set[str] = set()

    def visit(name: str) -> Iterator[tuple[str, bytes]]:
        if name in done or name not in files:
            return
        done.add(name)
        content = _uncompressed(files[name])
        found = _DEPENDS.search(content)
        for needed in found[1].decode().split(",") if found and found[1] else []:
            yield from visit(needed.replace("-", "_"))
        yield name, content

    for name in wanted:
        yield from visit(name)


def _uncompressed(module: Path) -> bytes:
    match module.suffix:
        case ".xz":
            return lzma.decompress(module.read_bytes())
        case ".gz":
            return gzip.decompress(module.read_bytes())
        case ".zst":
            return _unzstd(module)
        case _:
            return module.read_bytes()


def _unzstd(module: Path) -> bytes:
    try:
        return subprocess.run(["zstd", "-dcq", str(module)], capture_output=True, check=True).stdout
    except FileNotFoundError as missing:
        raise DemoUnavailable("The kernel's modules are compressed with zstd: install the package zstd.") from missing


class Archive:
    """A cpio archive in the "new ASCII" format (cpio(5), "New ASCII Format"): all fields are 8 hex digits."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._entries = 0

    def add(self, name: str, mode: int, content: bytes = b"") -> None:
        """Put in a file, a directory, or a link to what the content says; `mode` has the bits for its kind."""
        self._entries += 1
        path = name.encode() + b"\0"
        links = 2 if mode == DIRECTORY else 1
        fields = (self._entries, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(path), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self._parts += [_padded(header + path), _padded(content)]

    def finish(self) -> bytes:
        """Return the archive."""
        self.add("TRAILER!!!", 0)
        return b"".join(self._parts)


def _padded(part: bytes) -> bytes:
    return part + bytes(-len(part) % 4)
