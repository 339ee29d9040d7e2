"""The superblock of a btrfs filesystem, its copies, and the checksums of all its blocks.

Format: "On-disk Format" of btrfs.readthedocs.io and the kernel's include/uapi/linux/btrfs_tree.h, from which the
names of the features are.
"""

import hashlib
import uuid
from dataclasses import dataclass

from snapgui.images.filesystems.crc32c import crc32c_long
from snapgui.images.filesystems.filesystem import Disk, FilesystemError, read_exactly

MAGIC = b"_BHRfS_M"
MAGIC_AT = 0x40
SUPERBLOCK_BYTES = 4096
COPIES = (64 * 2**10, 64 * 2**20, 256 * 2**30)
"""Where the superblock and its copies stand."""
CHECKSUM_BYTES = 32
"""Room for the checksum at the beginning of every block; it covers what is behind."""
CRC32C, XXHASH, SHA256, BLAKE2 = range(4)
LEAST_SECTOR, LARGEST_NODE = 4096, 65536
DEEPEST_TREE = 7
"""Levels above the leaves."""

MIXED_BACKREF, DEFAULT_SUBVOLUME, MIXED_GROUPS, LZO, ZSTD, BIG_METADATA = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
EXTENDED_REF, RAID56, SKINNY_METADATA, NO_HOLES, METADATA_UUID, RAID1C34 = 0x40, 0x80, 0x100, 0x200, 0x400, 0x800
SIMPLE_QUOTA = 0x10000
READABLE = (
    MIXED_BACKREF | DEFAULT_SUBVOLUME | MIXED_GROUPS | LZO | ZSTD | BIG_METADATA
    | EXTENDED_REF | RAID56 | SKINNY_METADATA | NO_HOLES | METADATA_UUID | RAID1C34 | SIMPLE_QUOTA
)  # fmt: skip
"""Incompatible features that are known here; a filesystem with any other is refused."""
_SYSTEM_CHUNKS_AT, _SYSTEM_CHUNKS_BYTES = 0x32B, 2048
_LABEL = slice(0x12B, 0x22B)


@dataclass(frozen=True, slots=True)
class Superblock:
    """What the superblock says. ``owner`` is the identity that stands in each node of a tree.

    Places are logical: chunks say where on the disk they are. ``copy``: it is not the first one, which is damaged.
    """

    uuid: str
    owner: bytes
    label: str
    generation: int
    root: int
    root_level: int
    chunk_root: int
    chunk_root_level: int
    chunk_root_generation: int
    log_root: int
    device: int
    devices: int
    sector_bytes: int
    node_bytes: int
    checksum: int
    incompatible: int
    system_chunks: bytes
    copy: bool = False


def is_btrfs(disk: Disk) -> bool:
    """Whether the disk has the first superblock of one."""
    return disk.read(COPIES[0] + MAGIC_AT, len(MAGIC)) == MAGIC


def read_superblock(disk: Disk) -> Superblock:
    """Return the superblock: the first one, as the kernel would, or the newest copy where that one is damaged.

    Raises FilesystemError where none is whole, or it says what is not known here.
    """
    found = [(place, raw) for place in COPIES if (raw := _whole(disk, place)) is not None]
    if not found:
        raise FilesystemError("its superblock and the copies of it are damaged")
    place, raw = found[0] if found[0][0] == COPIES[0] else max(found, key=lambda each: _word(each[1], 0x48))
    return _checked(_parsed(raw, copy=place != COPIES[0]))


def is_whole(block: bytes, checksum: int) -> bool:
    """Whether a block agrees with the checksum that it begins with; those by xxhash are not verified."""
    stored, content = block[:CHECKSUM_BYTES], block[CHECKSUM_BYTES:]
    if checksum == CRC32C:
        return int.from_bytes(stored[:4], "little") == crc32c_long(content)
    if checksum == SHA256:
        return stored == hashlib.sha256(content).digest()
    if checksum == BLAKE2:
        return stored == hashlib.blake2b(content, digest_size=CHECKSUM_BYTES).digest()
    return checksum == XXHASH


def _whole(disk: Disk, place: int) -> bytes | None:
    if place + SUPERBLOCK_BYTES > disk.size:
        return None
    raw = read_exactly(disk, place, SUPERBLOCK_BYTES)
    if raw[MAGIC_AT : MAGIC_AT + len(MAGIC)] != MAGIC or _word(raw, 0x30) != place:
        return None
    return raw if is_whole(raw, _word(raw, 0xC4, 2)) else None


def _parsed(raw: bytes, *, copy: bool) -> Superblock:
    incompatible = _word(raw, 0xBC)
    used = _word(raw, 0xA0, 4)
    if used > _SYSTEM_CHUNKS_BYTES:
        raise FilesystemError("its superblock is damaged")
    return Superblock(
        uuid=str(uuid.UUID(bytes=raw[0x20:0x30])),
        owner=raw[0x23B:0x24B] if incompatible & METADATA_UUID else raw[0x20:0x30],
        label=raw[_LABEL].split(b"\0", 1)[0].decode("utf-8", "replace"),
        generation=_word(raw, 0x48),
        root=_word(raw, 0x50),
        root_level=raw[0xC6],
        chunk_root=_word(raw, 0x58),
        chunk_root_level=raw[0xC7],
        chunk_root_generation=_word(raw, 0xA4),
        log_root=_word(raw, 0x60),
        device=_word(raw, 0xC9),
        devices=_word(raw, 0x88),
        sector_bytes=_word(raw, 0x90, 4),
        node_bytes=_word(raw, 0x94, 4),
        checksum=_word(raw, 0xC4, 2),
        incompatible=incompatible,
        system_chunks=raw[_SYSTEM_CHUNKS_AT : _SYSTEM_CHUNKS_AT + used],
        copy=copy,
    )


def _checked(head: Superblock) -> Superblock:
    if head.incompatible & ~READABLE:
        raise FilesystemError(f"it uses features that are not known here ({head.incompatible & ~READABLE:#x})")
    sizes = (LEAST_SECTOR, head.sector_bytes, head.node_bytes, LARGEST_NODE)
    if sorted(sizes) != list(sizes) or any(each & (each - 1) for each in sizes):
        raise FilesystemError("its superblock is damaged")
    return head


def _word(raw: bytes, at: int, length: int = 8) -> int:
    return int.from_bytes(raw[at : at + length], "little")
