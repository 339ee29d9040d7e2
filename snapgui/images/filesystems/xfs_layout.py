"""The superblock of an XFS filesystem, and where blocks and inodes lie that it numbers.

Format: "XFS Algorithms & Data Structures" (xfs-documentation), chapters "Superblocks" and "Inode Numbers", and the
kernel's fs/xfs/libxfs/xfs_format.h, from which the names of the features are. All numbers are big-endian.
"""

import uuid
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.filesystem import Disk, FilesystemError, Numbers, read_exactly

MAGIC = b"XFSB"
SUPERBLOCK_BYTES = 272

FTYPE, SPARSE_INODES, META_UUID, BIGTIME, NEEDS_REPAIR, MANY_EXTENTS, EXCHANGE, PARENT = (1 << bit for bit in range(8))
READABLE = FTYPE | SPARSE_INODES | META_UUID | BIGTIME | NEEDS_REPAIR | MANY_EXTENTS | EXCHANGE | PARENT
"""Incompatible features that are known here; a filesystem with any other is refused."""
_DIRECTORIES_2, _MORE_BITS = 0x2000, 0x8000  # bits of the version
_FTYPE_BEFORE_5 = 0x200  # bit of the second features
LARGEST_NUMBER_BITS = 56
MOST_GROUPS = 2**20
_LARGEST_DIRECTORY_BLOCK_BITS = 16
LEAF_BYTES = 2**35
"""Where in a directory the hashes of its names begin; before it are the names."""


@dataclass(frozen=True, slots=True)
class Superblock:
    """What the superblock says. Allocation groups are parts of the disk of the same size, but for the last one.

    ``group_bits`` are those of the number of a block that tell where in its group it lies, ``inode_bits`` those of
    the number of an inode that tell where in its block.
    """

    block_bytes: int
    blocks: int
    group_blocks: int
    groups: int
    group_bits: int
    inode_bytes: int
    inode_bits: int
    sector_bytes: int
    directory_bytes: int
    checked: bool
    typed: bool
    incompatible: int
    root: int
    log_block: int
    log_blocks: int
    realtime_blocks: int
    uuid: str
    label: str

    @property
    def core_bytes(self) -> int:
        """Bytes of fields at the beginning of each inode."""
        return 176 if self.checked else 100

    @property
    def number_bits(self) -> int:
        """The bits of the number of an inode that tell where in its group it lies."""
        return self.group_bits + self.inode_bits

    @property
    def most(self) -> int:
        """No inode has this number, or a larger one."""
        return self.groups << self.number_bits

    def blocks_of(self, group: int) -> int:
        """Return how many blocks a group has."""
        return min(self.group_blocks, self.blocks - group * self.group_blocks)

    def linear(self, block: int) -> int:
        """Return how many blocks lie before one. Raises FilesystemError where there is no such."""
        group, within = block >> self.group_bits, block & ((1 << self.group_bits) - 1)
        if group >= self.groups or within >= self.blocks_of(group):
            raise FilesystemError("the filesystem is damaged: it refers to blocks that there are not")
        return group * self.group_blocks + within

    def all_linear(self, blocks: Numbers, counts: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
        """Return how many blocks lie before each run of blocks, and which runs there can be."""
        group, within = blocks >> self.group_bits, blocks & ((1 << self.group_bits) - 1)
        sound = (group < self.groups) & (within + counts <= self.group_blocks)
        found = np.where(sound, group, 0) * self.group_blocks + within
        return found, sound & (found + counts <= self.blocks)


def is_xfs(disk: Disk) -> bool:
    """Whether the disk begins like one of these."""
    return disk.read(0, 4) == MAGIC


def read_superblock(disk: Disk) -> Superblock:
    """Return the superblock. Raises FilesystemError where it is damaged, or says what is not known here."""
    raw = read_exactly(disk, 0, SUPERBLOCK_BYTES)
    if raw[:4] != MAGIC:
        raise FilesystemError("this is no XFS filesystem")

    def number(at: int, length: int) -> int:
        return int.from_bytes(raw[at : at + length], "big")

    version = number(100, 2)
    checked = version & 15 == 5  # noqa: PLR2004 - the version with checksums
    if version & 15 not in (4, 5) or not version & _DIRECTORIES_2:
        raise FilesystemError("the filesystem is of a version of XFS that is not read here")
    incompatible = number(216, 4) if checked else 0
    typed = incompatible & FTYPE if checked else version & _MORE_BITS and number(200, 4) & _FTYPE_BEFORE_5
    found = Superblock(
        block_bytes=number(4, 4),
        blocks=number(8, 8),
        group_blocks=number(84, 4),
        groups=number(88, 4),
        group_bits=raw[124],
        inode_bytes=number(104, 2),
        inode_bits=raw[123],
        sector_bytes=number(102, 2),
        directory_bytes=number(4, 4) << min(raw[192], 16),
        checked=checked,
        typed=bool(typed),
        incompatible=incompatible,
        root=number(56, 8),
        log_block=number(48, 8),
        log_blocks=number(96, 4),
        realtime_blocks=number(16, 8),
        uuid=str(uuid.UUID(bytes=raw[32:48])),
        label=raw[108:120].split(b"\0", 1)[0].decode("utf-8", "replace"),
    )
    _check(found, disk)
    return found


def _check(found: Superblock, disk: Disk) -> None:
    if found.incompatible & ~READABLE:
        raise FilesystemError("the filesystem uses features that are not known here")
    sound = (
        found.block_bytes in (512 << step for step in range(8))
        and found.inode_bytes in (256 << step for step in range(4))
        and found.sector_bytes in (512 << step for step in range(7))
        and found.inode_bytes << found.inode_bits == found.block_bytes
        and found.directory_bytes <= 1 << _LARGEST_DIRECTORY_BLOCK_BITS
        and found.core_bytes < found.inode_bytes
        and 0 < found.group_blocks <= 1 << found.group_bits
        and found.number_bits <= 32  # noqa: PLR2004 - inodes within a group have numbers of 32 bits
        and 0 < found.groups == -(-found.blocks // found.group_blocks)
        and found.most.bit_length() <= LARGEST_NUMBER_BITS
        and 0 < found.root < found.most
    )
    if not sound:
        raise FilesystemError("the superblock is damaged")
    if found.blocks * found.block_bytes > disk.size:
        raise FilesystemError("the filesystem is larger than what it lies on")
    if found.groups > MOST_GROUPS:
        raise FilesystemError("the filesystem has more allocation groups than are read here")
