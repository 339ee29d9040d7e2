"""The boot sectors of FAT and exFAT: where the allocation table, the clusters and the uppermost directory lie.

Formats: Microsoft's "FAT: General Overview of On-Disk Format" 1.03, and "exFAT file system specification", section 3.
"""

import struct
from dataclasses import dataclass

from snapgui.images.filesystems.filesystem import Disk, FilesystemError, read_exactly

FEWEST_16, FEWEST_32 = 4085, 65525
"""Clusters from which on a FAT has entries of 16 and of 32 bits."""
MOST_CLUSTER_BYTES = 2**25
_SECTORS = (512, 1024, 2048, 4096)
_JUMPS = (0xE9, 0xEB)
_BPB = struct.Struct("<HBHBHHBHHHII")
_EXFAT = struct.Struct("<QQIIIIIIHHBBB")
_DIRTY_EXFAT = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes and places are bytes. ``bits`` of an entry of the table: 12, 16 or 32; ``exfat`` has 32, too.

    ``root_at`` and ``root_bytes`` are those of an uppermost directory outside of the clusters, else ``root`` is its
    first cluster. ``dirty``: the boot sector says that it is in use.
    """

    name: str
    serial: int
    bits: int
    cluster_bytes: int
    clusters: int
    heap_at: int
    table_at: int
    root: int
    root_at: int
    root_bytes: int
    dirty: bool
    exfat: bool = False


def is_fat(disk: Disk) -> bool:
    """Whether the boot sector is one of FAT or exFAT, as far as that can be told: it has no clear mark."""
    sector = disk.read(0, 512)
    if len(sector) < len(b"\0" * 512) or sector[510:512] != b"\x55\xaa":
        return False
    if sector[3:11] == b"EXFAT   ":
        return True
    sector_bytes, per_cluster, reserved, tables, _, _, media, *_ = _BPB.unpack_from(sector, 11)
    return (
        sector[0] in _JUMPS
        and sector[3:11] not in {b"NTFS    ", b"-FVE-FS-", b"ReFS\0\0\0\0"}
        and sector_bytes in _SECTORS
        and per_cluster > 0
        and per_cluster & (per_cluster - 1) == 0
        and reserved > 0
        and tables in {1, 2}
        and (media == 0xF0 or media >= 0xF8)  # noqa: PLR2004 - the values that are allowed
    )


def read_layout(disk: Disk) -> Layout:
    """Return what the boot sector says. Raises FilesystemError where that cannot be so."""
    if not is_fat(disk):
        raise FilesystemError("the boot sector of the FAT filesystem is damaged")
    sector = read_exactly(disk, 0, 512)
    layout = _exfat(sector) if sector[3:11] == b"EXFAT   " else _fat(sector)
    table_end = layout.table_at + -(-(layout.clusters + 2) * layout.bits // 8)
    if not 0 < layout.table_at < table_end <= layout.heap_at or layout.heap_at + layout.cluster_bytes > disk.size:
        raise FilesystemError("the boot sector of the FAT filesystem is damaged")
    return layout


def _fat(sector: bytes) -> Layout:
    (sector_bytes, per_cluster, reserved, tables, root_entries, few_sectors, _, table_sectors, _, _, _, sectors) = (
        _BPB.unpack_from(sector, 11)
    )
    large = table_sectors == 0
    if large:
        (table_sectors,) = struct.unpack_from("<I", sector, 36)
    root_at = (reserved + tables * table_sectors) * sector_bytes
    root_bytes = -(-root_entries * 32 // sector_bytes) * sector_bytes
    cluster_bytes = per_cluster * sector_bytes
    room = (few_sectors or sectors) * sector_bytes - root_at - root_bytes
    clusters = min(room // cluster_bytes, (2**28 if large else 2**16) - 12)
    if clusters <= 0 or table_sectors == 0 or (root_entries == 0) != large:
        raise FilesystemError("the boot sector of the FAT filesystem is damaged")
    bits = 32 if large else 12 if clusters < FEWEST_16 else 16
    (serial,) = struct.unpack_from("<I", sector, 67 if large else 39)
    (root,) = struct.unpack_from("<I", sector, 44) if large else (0,)
    return Layout(
        name=f"fat{bits}",
        serial=serial,
        bits=bits,
        cluster_bytes=cluster_bytes,
        clusters=min(clusters, table_sectors * sector_bytes * 8 // bits - 2),
        heap_at=root_at + root_bytes,
        table_at=reserved * sector_bytes,
        root=root,
        root_at=root_at,
        root_bytes=root_bytes,
        dirty=bool(sector[65 if large else 37] & 1),
    )


def _exfat(sector: bytes) -> Layout:
    _, sectors, table, table_sectors, heap, clusters, root, serial, revision, flags, sector_bits, more_bits, tables = (
        _EXFAT.unpack_from(sector, 64)
    )
    if revision >> 8 != 1 or not 9 <= sector_bits <= 12 or sector_bits + more_bits > 25:  # noqa: PLR2004 - as specified
        raise FilesystemError("the exFAT filesystem is damaged, or of a version that is not known")
    second = table_sectors if flags & 1 and tables > 1 else 0
    if clusters == 0 or clusters > 2**32 - 11 or table_sectors << sector_bits < 4 * (clusters + 2) or heap >= sectors:
        raise FilesystemError("the boot sector of the exFAT filesystem is damaged")
    return Layout(
        name="exfat",
        serial=serial,
        bits=32,
        cluster_bytes=1 << (sector_bits + more_bits),
        clusters=clusters,
        heap_at=heap << sector_bits,
        table_at=(table + second) << sector_bits,
        root=root,
        root_at=0,
        root_bytes=0,
        dirty=bool(flags & _DIRTY_EXFAT),
        exfat=True,
    )
