"""The boot region of exFAT: where the allocation table, the clusters and the uppermost directory lie.

Format: Microsoft's "exFAT file system specification", section 3.
"""

import struct
from dataclasses import dataclass

import numpy as np

from snapgui.images.filesystems.filesystem import Disk, FilesystemError, read_exactly

EXFAT_NAME = b"EXFAT   "
MOST_CLUSTER_BITS = 25
MOST_CLUSTERS = 2**32 - 11
_BOOT = struct.Struct("<QQIIIIIIHHBBB")
_SUMMED_SECTORS = 11
_NOT_SUMMED = (106, 107, 112)
"""Flags, and how much of it is used: they change without the sum."""
_SECOND_TABLE, _DIRTY = 1, 2


@dataclass(frozen=True, slots=True)
class Exfat:
    """Sizes and places are bytes; ``root`` is the first cluster of the uppermost directory."""

    serial: int
    cluster_bytes: int
    clusters: int
    heap_at: int
    table_at: int
    root: int
    dirty: bool


def read_exfat(disk: Disk, sector: bytes) -> Exfat:
    """Return what the boot region says. Raises FilesystemError where that cannot be so, or its sum is wrong."""
    _, sectors, table, per_table, heap, clusters, root, serial, revision, flags, sector_bits, more_bits, tables = (
        _BOOT.unpack_from(sector, 64)
    )
    if revision >> 8 != 1:
        raise FilesystemError(f"the exFAT filesystem is of version {revision >> 8}, which is not known")
    if not 9 <= sector_bits <= 12 or sector_bits + more_bits > MOST_CLUSTER_BITS:  # noqa: PLR2004 - as specified
        raise _damaged()
    if not 0 < clusters <= MOST_CLUSTERS or per_table << sector_bits < 4 * (clusters + 2) or heap >= sectors:
        raise _damaged()
    if not 0 < tables <= 2 or not _is_sound(disk, 1 << sector_bits):  # noqa: PLR2004 - one, or two with TexFAT
        raise _damaged()
    second = per_table if flags & _SECOND_TABLE and tables > 1 else 0
    return Exfat(
        serial=serial,
        cluster_bytes=1 << (sector_bits + more_bits),
        clusters=clusters,
        heap_at=heap << sector_bits,
        table_at=(table + second) << sector_bits,
        root=root,
        dirty=bool(flags & _DIRTY),
    )


def _is_sound(disk: Disk, sector_bytes: int) -> bool:
    """Whether the sum of the region is what its twelfth sector says again and again."""
    region = read_exactly(disk, 0, (_SUMMED_SECTORS + 1) * sector_bytes)
    said = region[_SUMMED_SECTORS * sector_bytes :]
    found = boot_sum(region[: _SUMMED_SECTORS * sector_bytes])
    return bool(np.all(np.frombuffer(said, "<u4") == found))


def boot_sum(sectors: bytes) -> int:
    """Return the checksum of the first eleven sectors: turned right by a bit for each byte that is added."""
    found = 0
    for at, byte in enumerate(sectors):
        if at not in _NOT_SUMMED:
            found = ((found & 1) << 31 | found >> 1) + byte & 0xFFFFFFFF
    return found


def _damaged() -> FilesystemError:
    return FilesystemError("the boot sector of the exFAT filesystem is damaged")
