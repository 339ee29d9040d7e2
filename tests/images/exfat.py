"""An exFAT filesystem that is filled by hand: fsck.exfat has to find nothing wrong with what is made here."""

import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.images.ext import MIB, run, tool

STAMP = (2020 - 1980) << 25 | 5 << 21 | 17 << 16 | 12 << 11 | 34 << 5 | 28
"""2020-05-17 12:34:56."""
STAMP_S = 1589718896
UTC, EAST = 0x80, 0x80 | 8
"""Zones: none away, and two hours."""


@dataclass
class Exfat:
    """The bytes of a filesystem, and which cluster is the next free one."""

    raw: bytearray
    free: int = 0

    def __post_init__(self) -> None:
        at = struct.unpack_from("<III", self.raw, 88)
        self.sector, self.step = 1 << self.raw[108], 1 << self.raw[108] + self.raw[109]
        self.heap, self.root = at[0] * self.sector, struct.unpack_from("<I", self.raw, 96)[0]
        self.table = struct.unpack_from("<I", self.raw, 80)[0] * self.sector
        self.free = self.free or self.root + 1
        marks = next(at for at in range(self.place(self.root), len(self.raw), 32) if self.raw[at] == 0x81)
        self.bitmap = self.place(struct.unpack_from("<I", self.raw, marks + 20)[0])

    def place(self, cluster: int) -> int:
        return self.heap + (cluster - 2) * self.step

    def store(self, content: bytes, *, contiguous: bool = True) -> int:
        """Put content into free clusters, every other one unless it is contiguous; return the first."""
        count, by = -(-len(content) // self.step), 1 if contiguous else 2
        clusters = [self.free + by * number for number in range(count)]
        for number, cluster in enumerate(clusters):
            piece = content[number * self.step : (number + 1) * self.step]
            self.raw[self.place(cluster) : self.place(cluster) + len(piece)] = piece
            self.raw[self.bitmap + (cluster - 2) // 8] |= 1 << (cluster - 2) % 8
            if not contiguous:
                following = clusters[number + 1] if number + 1 < count else 0xFFFFFFFF
                struct.pack_into("<I", self.raw, self.table + 4 * cluster, following)
        self.free += count * by
        return clusters[0] if clusters else 0

    def add(self, directory: int, entry: bytes) -> int:
        """Put an entry behind those in a directory of one cluster; return where it stands."""
        at = self.place(directory)
        while self.raw[at]:
            at += 32
        self.raw[at : at + len(entry)] = entry
        return at

    def mkdir(self, directory: int, name: str) -> int:
        cluster = self.store(bytes(self.step))
        self.add(directory, entry(name, cluster, self.step, flags=0x10))
        return cluster

    def file(self, directory: int, name: str, content: bytes, *, contiguous: bool = True, written: int = -1) -> int:
        first = self.store(content, contiguous=contiguous)
        return self.add(directory, entry(name, first, len(content), contiguous=contiguous, written=written))


def entry(
    name: str, first: int, size: int, *, flags: int = 0x20, contiguous: bool = True, written: int = -1, zone: int = UTC
) -> bytes:
    """Return the slots of one file."""
    units = name.encode("utf-16-le", "surrogatepass")
    names = [units[at : at + 30].ljust(30, b"\0") for at in range(0, len(units), 30)]
    head = struct.pack("<BBHHHIIIBBBBB7x", 0x85, 1 + len(names), 0, flags, 0, STAMP, STAMP, STAMP, 0, 50, *[zone] * 3)
    stream_flags = (1 if first else 0) | (2 if contiguous and first else 0)
    hashed = name_hash(name)
    stream = struct.pack(
        "<BBxBHxxQIIQ",
        0xC0,
        stream_flags or 1,
        len(units) // 2,
        hashed,
        size if written < 0 else written,
        0,
        first,
        size,
    )
    return summed(head + stream + b"".join(b"\xc1\0" + each for each in names))


def name_hash(name: str) -> int:
    """Return the sum of a name in capitals: right for ASCII, which is what fsck is shown."""
    found = 0
    for byte in name.upper().encode("utf-16-le", "surrogatepass"):
        found = ((found << 15 | found >> 1) + byte) & 0xFFFF
    return found


def summed(slots: bytes) -> bytes:
    found = 0
    for at, byte in enumerate(slots):
        if at not in (2, 3):
            found = ((found << 15 | found >> 1) + byte) & 0xFFFF
    return slots[:2] + found.to_bytes(2, "little") + slots[4:]


def boot_summed(raw: bytearray) -> bytearray:
    """Put right the sum of the boot region."""
    sector, found = 1 << raw[108], 0
    for at in range(11 * sector):
        if at not in (106, 107, 112):
            found = ((found << 31 | found >> 1) + raw[at]) & 0xFFFFFFFF
    raw[11 * sector : 12 * sector] = found.to_bytes(4, "little") * (sector // 4)
    return raw


def make(path: Path, size: int = 4 * MIB) -> Exfat:
    path.write_bytes(bytes(size))
    run(tool("mkfs.exfat"), "-L", "the label", "-c", "4K", str(path))
    return Exfat(bytearray(path.read_bytes()))


def checked(path: Path, made: Exfat) -> bytes:
    """Have fsck find nothing wrong."""
    path.write_bytes(made.raw)
    done = subprocess.run([tool("fsck.exfat"), "-n", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return bytes(made.raw)
