"""The boot sector of FAT: where the allocation tables, the clusters and the uppermost directory lie.

Format: Microsoft's "FAT: General Overview of On-Disk Format" 1.03, sections "Boot Sector and BPB" and on; of exFAT see
``exfat_layout``.
"""

import struct
from dataclasses import dataclass

from snapgui.images.filesystems.exfat_layout import EXFAT_NAME, Exfat, read_exfat
from snapgui.images.filesystems.filesystem import Disk, FilesystemError, read_exactly

FEWEST_16 = 4085
"""Clusters from which on a FAT has entries of 16 bits."""
FIRST = 2
"""The number of the first cluster."""
BOOT_BYTES = 512
_SECTORS = (512, 1024, 2048, 4096)
_JUMPS = (0xE9, 0xEB)
_BPB = struct.Struct("<HBHBHHBHHHII")
_LARGE = struct.Struct("<IHHI")
_ONE_TABLE_LIVES, _WHICH = 0x80, 0xF
_OTHERS = (b"NTFS    ", b"-FVE-FS-", b"ReFS\0\0\0\0")
_TO_GO = bytes.fromhex("3bd66749292ed84a8399f6a339e3d001")
"""BitLocker To Go looks like a FAT that holds a program to unlock it."""
_TO_GO_AT = 424
_NO_LABEL = "NO NAME"


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes and places are bytes. ``bits`` of an entry of the table: 12, 16 or 32; ``exfat`` has 32, too.

    ``root_at`` and ``root_bytes`` are those of an uppermost directory outside of the clusters, else ``root`` is its
    first cluster. ``copy_at`` is the other table, 0 for none. ``dirty``: the boot sector says that it is in use.
    """

    name: str
    serial: int
    bits: int
    cluster_bytes: int
    clusters: int
    heap_at: int
    table_at: int
    root: int = 0
    root_at: int = 0
    root_bytes: int = 0
    copy_at: int = 0
    label: str = ""
    dirty: bool = False
    exfat: bool = False

    @property
    def table_bytes(self) -> int:
        """What of the table says something of a cluster."""
        return -(-(self.clusters + 2) * self.bits // 8)


def is_fat(disk: Disk) -> bool:
    """Whether the boot sector is one of FAT or exFAT, as far as that can be told: FAT has no clear mark."""
    sector = disk.read(0, BOOT_BYTES)
    if len(sector) < BOOT_BYTES or sector[510:512] != b"\x55\xaa":
        return False
    return sector[3:11] == EXFAT_NAME or (_may_be_fat(sector) and not is_bitlocker_to_go(sector))


def is_bitlocker_to_go(sector: bytes) -> bool:
    """Whether a boot sector, which looks like one of FAT, is that of an encrypted disk."""
    return sector[_TO_GO_AT : _TO_GO_AT + len(_TO_GO)] == _TO_GO


def _may_be_fat(sector: bytes) -> bool:
    sector_bytes, per_cluster, reserved, tables, _, _, media, *_ = _BPB.unpack_from(sector, 11)
    return (
        sector[0] in _JUMPS
        and sector[3:11] not in _OTHERS
        and sector_bytes in _SECTORS
        and per_cluster > 0
        and per_cluster & (per_cluster - 1) == 0
        and reserved > 0
        and tables > 0
        and (media == 0xF0 or media >= 0xF8)  # noqa: PLR2004 - the values that are allowed
    )


def read_layout(disk: Disk) -> Layout:
    """Return what the boot sector says. Raises FilesystemError where that cannot be so."""
    if not is_fat(disk):
        raise _damaged()
    sector = read_exactly(disk, 0, BOOT_BYTES)
    layout = _of_exfat(read_exfat(disk, sector)) if sector[3:11] == EXFAT_NAME else _of_fat(sector)
    if not 0 < layout.table_at < layout.table_at + layout.table_bytes <= layout.heap_at:
        raise _damaged()
    if layout.heap_at + layout.cluster_bytes > disk.size:
        raise _damaged()
    if not layout.root_at and not FIRST <= layout.root < layout.clusters + FIRST:
        raise _damaged()
    return layout


def _of_exfat(found: Exfat) -> Layout:
    return Layout(
        name="exfat",
        serial=found.serial,
        bits=32,
        cluster_bytes=found.cluster_bytes,
        clusters=found.clusters,
        heap_at=found.heap_at,
        table_at=found.table_at,
        root=found.root,
        dirty=found.dirty,
        exfat=True,
    )


def _of_fat(sector: bytes) -> Layout:
    sector_bytes, per_cluster, reserved, tables, root_entries, few, _, per_table, _, _, _, many = _BPB.unpack_from(
        sector, 11
    )
    large = per_table == 0
    per_table, which, version, root = _LARGE.unpack_from(sector, 36) if large else (per_table, 0, 0, 0)
    if version:
        raise FilesystemError(f"the FAT filesystem is of version {version}, which is not known")
    root_at = (reserved + tables * per_table) * sector_bytes
    root_bytes = -(-root_entries * 32 // sector_bytes) * sector_bytes
    room = (few or many) * sector_bytes - root_at - root_bytes
    clusters = min(room // (per_cluster * sector_bytes), (2**28 if large else 2**16) - 12)
    if clusters <= 0 or per_table == 0 or (root_entries == 0) != large:
        raise _damaged()
    bits = 32 if large else 12 if clusters < FEWEST_16 else 16
    table_bytes = per_table * sector_bytes
    live = which & _WHICH if which & _ONE_TABLE_LIVES else 0
    fields = sector[64:90] if large else sector[36:62]
    return Layout(
        name=f"fat{bits}",
        serial=int.from_bytes(fields[3:7], "little"),
        bits=bits,
        cluster_bytes=per_cluster * sector_bytes,
        clusters=min(clusters, table_bytes * 8 // bits - 2),
        heap_at=root_at + root_bytes,
        table_at=reserved * sector_bytes + live % tables * table_bytes,
        root=root,
        root_at=0 if large else root_at,
        root_bytes=root_bytes,
        copy_at=0 if tables == 1 or which & _ONE_TABLE_LIVES else reserved * sector_bytes + table_bytes,
        label=_label(fields),
        dirty=bool(fields[1] & 1),
    )


def _label(fields: bytes) -> str:
    """Return the name in the boot sector, which only stands there with the extended signature."""
    named = fields[7:18].decode("cp437").rstrip(" \0") if fields[2] == 0x29 else ""  # noqa: PLR2004
    return "" if named == _NO_LABEL else named


def _damaged() -> FilesystemError:
    return FilesystemError("the boot sector of the FAT filesystem is damaged")
