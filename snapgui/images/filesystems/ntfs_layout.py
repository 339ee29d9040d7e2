"""Where an NTFS filesystem has its master file table, and how its records are protected against half a write.

Format: Microsoft's documentation of NTFS as far as there is one, and the kernel's fs/ntfs3/ntfs.h.
"""

import struct
from dataclasses import dataclass

from snapgui.images.filesystems.filesystem import Disk, FilesystemError, read_exactly

SIGNATURE = b"NTFS    "
BOOT_BYTES = 512
STRIDE = 512
"""Bytes of a record that share one word of protection, however large the sectors of the disk are."""
LARGEST_CLUSTER = 2 * 2**20
RECORD_SIZES = (1024, 2048, 4096)
LARGEST_INDEX_BLOCK = 64 * 2**10
MOST_RECORDS = 2**26
"""More would take minutes to be looked through."""
_MOST_SECTORS = 0x80
"""Of a cluster; larger codes are powers of two."""
_LARGEST_POWER = 31
_SECTORS = (512, 1024, 2048, 4096)
_BPB = struct.Struct("<HB")
_GEOMETRY = struct.Struct("<QQQb3xb3xQ")
"""Sectors, cluster of the master file table and of its mirror, sizes of a record and of an index block, serial number.
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the boot sector says: sizes in bytes, ``clusters`` of the volume, ``mft_cluster`` where its table begins."""

    sector_bytes: int
    cluster_bytes: int
    record_bytes: int
    index_bytes: int
    clusters: int
    mft_cluster: int
    serial: int


def is_ntfs(disk: Disk) -> bool:
    """Whether a disk begins with a boot sector of NTFS."""
    return disk.read(0, BOOT_BYTES)[3:11] == SIGNATURE


def read_layout(disk: Disk) -> Layout:
    """Return what the boot sector says. Raises FilesystemError where it cannot be so."""
    boot = read_exactly(disk, 0, BOOT_BYTES)
    sector, per_cluster = _BPB.unpack_from(boot, 0x0B)
    sectors, mft, _, record, index, serial = _GEOMETRY.unpack_from(boot, 0x28)
    if boot[3:11] != SIGNATURE or sector not in _SECTORS:
        raise _damaged()
    cluster = sector * (per_cluster if per_cluster <= _MOST_SECTORS else 1 << min(256 - per_cluster, _LARGEST_POWER))
    if cluster == 0 or cluster & (cluster - 1) or cluster > LARGEST_CLUSTER:
        raise _damaged()
    found = Layout(
        sector, cluster, _size(record, cluster), _size(index, cluster), sectors * sector // cluster, mft, serial
    )
    if found.record_bytes not in RECORD_SIZES or not STRIDE <= found.index_bytes <= LARGEST_INDEX_BLOCK:
        raise _damaged()
    if not 0 < found.clusters <= disk.size // cluster + 1 or not 0 < mft < found.clusters:
        raise FilesystemError("the filesystem is truncated or damaged: it is larger than its disk")
    return found


def mended(record: bytes, signature: bytes) -> bytes:
    """Return a record with the words put back that were replaced at the end of each stride when it was written.

    Raises FilesystemError where it is another sort of record, or was written only in part.
    """
    words_at, words = struct.unpack_from("<HH", record, 4)
    strides = len(record) // STRIDE
    if record[:4] != signature or words != strides + 1 or words_at + 2 * words > STRIDE - 2 or words_at % 2:
        raise FilesystemError("a record of its tables is damaged")
    found = bytearray(record)
    written = record[words_at : words_at + 2]
    for number in range(1, words):
        at, end = words_at + 2 * number, number * STRIDE
        if record[end - 2 : end] != written:
            raise FilesystemError("a record of its tables was written only in part")
        found[end - 2 : end] = record[at : at + 2]
    return bytes(found)


def _size(code: int, cluster: int) -> int:
    """Return a size in bytes: positive codes count clusters, negative ones are powers of two."""
    return code * cluster if code > 0 else 1 << -code if -code < _LARGEST_POWER else 0


def _damaged() -> FilesystemError:
    return FilesystemError("the boot sector is damaged, or of a sort that is not read here")
