"""Where the tables of an ext2, ext3 or ext4 filesystem lie: its superblock and its block groups.

Format: the kernel's Documentation/filesystems/ext4/ (super.rst, group_descr.rst, bigalloc.rst) and fs/ext4/ext4.h,
from which the names of the features are.
"""

import uuid
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from snapgui.images.filesystems.filesystem import Disk, FilesystemError, Numbers, read_exactly

MAGIC = 0xEF53
SUPERBLOCK_AT, SUPERBLOCK_BYTES = 1024, 1024
ROOT = 2
OLD_INODE_BYTES = 128

HAS_JOURNAL, SPARSE_SUPER2 = 0x4, 0x200  # compatible features
FILETYPE, RECOVER, JOURNAL_DEVICE, META_BG, EXTENTS, WIDE, MMP, FLEX_BG = 0x2, 0x4, 0x8, 0x10, 0x40, 0x80, 0x100, 0x200
EA_INODE, CSUM_SEED, LARGE_DIR, INLINE_DATA, ENCRYPT, CASEFOLD = 0x400, 0x2000, 0x4000, 0x8000, 0x10000, 0x20000
READABLE = (
    FILETYPE | RECOVER | META_BG | EXTENTS | WIDE | MMP | FLEX_BG
    | EA_INODE | CSUM_SEED | LARGE_DIR | INLINE_DATA | ENCRYPT | CASEFOLD
)  # fmt: skip
"""Incompatible features that are known here; a filesystem with any other is refused."""
SPARSE_SUPER, GROUP_CHECKSUMS, METADATA_CHECKSUMS = 0x1, 0x10, 0x400  # read-only compatible features
_ONLY_EXT4 = 0x8 | 0x10 | 0x20 | 0x40 | 0x100 | 0x200 | 0x400 | 0x1000 | 0x2000 | 0x8000
_EXT3 = FILETYPE | RECOVER | META_BG
_VALID = 1
"""Bit of the state: it was unmounted as it should be."""
LARGEST_DESCRIPTORS = 64 * 2**20
LARGEST_TABLES = 64 * 2**30
"""Bytes of inode tables in use, for 256 million files."""
_UNUSED = 1
"""Flag of a group whose inode table was never written."""


@dataclass(frozen=True, slots=True)
class Superblock:
    """What the superblock says. ``blocks`` counts from the beginning of the disk."""

    block_bytes: int
    blocks: int
    first_block: int
    blocks_per_group: int
    inodes_per_group: int
    inodes: int
    inode_bytes: int
    descriptor_bytes: int
    first_meta_group: int
    compatible: int
    incompatible: int
    read_only: int
    clean: bool
    journal_inode: int
    uuid: str
    label: str
    backups: tuple[int, int]

    @property
    def name(self) -> str:
        """``ext2``, ``ext3`` or ``ext4``, by its features."""
        if self.incompatible & ~_EXT3 or self.read_only & _ONLY_EXT4:
            return "ext4"
        return "ext3" if self.compatible & HAS_JOURNAL else "ext2"

    @property
    def groups(self) -> int:
        """How many groups of blocks there are."""
        return -(-(self.blocks - self.first_block) // self.blocks_per_group)


def is_ext(disk: Disk) -> bool:
    """Whether the disk begins like one of these."""
    return disk.read(SUPERBLOCK_AT + 0x38, 2) == MAGIC.to_bytes(2, "little")


def read_superblock(disk: Disk) -> Superblock:
    """Return the superblock. Raises FilesystemError where it is damaged, or says what is not known here."""
    raw = read_exactly(disk, SUPERBLOCK_AT, SUPERBLOCK_BYTES)

    def word(at: int) -> int:
        return int.from_bytes(raw[at : at + 4], "little")

    def half(at: int) -> int:
        return int.from_bytes(raw[at : at + 2], "little")

    if half(0x38) != MAGIC:
        raise FilesystemError("this is no ext2, ext3 or ext4 filesystem")
    incompatible = word(0x60)
    wide = bool(incompatible & WIDE)
    found = Superblock(
        block_bytes=1024 << min(word(0x18), 16),
        blocks=word(0x4) | (word(0x150) << 32 if wide else 0),
        first_block=word(0x14),
        blocks_per_group=word(0x20),
        inodes_per_group=word(0x28),
        inodes=word(0x0),
        inode_bytes=half(0x58) if word(0x4C) else OLD_INODE_BYTES,
        descriptor_bytes=half(0xFE) if wide else 32,
        first_meta_group=word(0x104),
        compatible=word(0x5C),
        incompatible=incompatible,
        read_only=word(0x64),
        clean=bool(half(0x3A) & _VALID),
        journal_inode=word(0xE0),
        uuid=str(uuid.UUID(bytes=raw[0x68:0x78])),
        label=raw[0x78:0x88].split(b"\0", 1)[0].decode("utf-8", "replace"),
        backups=(word(0x24C), word(0x250)),
    )
    _check(found, disk)
    return found


def _check(found: Superblock, disk: Disk) -> None:
    if found.incompatible & JOURNAL_DEVICE:
        raise FilesystemError("this is a journal of a filesystem that lies elsewhere")
    if found.incompatible & ~READABLE:
        raise FilesystemError("the filesystem uses features that are not known here")
    sound = (
        found.block_bytes <= 65536  # noqa: PLR2004 - the largest that any kernel mounts
        and found.inode_bytes in (OLD_INODE_BYTES << step for step in range(10))
        and found.inode_bytes <= found.block_bytes
        and found.descriptor_bytes in (32, 64, 128, 256, 512, 1024)
        and found.first_block <= 1
        and found.first_block < found.blocks
        and 0 < found.blocks_per_group <= 2**31
        and 0 < found.inodes_per_group <= found.block_bytes * 8
    )
    if not sound:
        raise FilesystemError("the superblock is damaged")
    if found.blocks * found.block_bytes > disk.size:
        raise FilesystemError("the filesystem is larger than what it lies on")
    if found.groups * found.inodes_per_group != found.inodes:
        raise FilesystemError("the superblock is damaged")
    if found.groups * found.descriptor_bytes > LARGEST_DESCRIPTORS:
        raise FilesystemError("the filesystem has more groups of blocks than are read here")


class Groups:
    """The groups of blocks: ``tables`` are the places of their inode tables, ``used`` the inodes in use at most."""

    def __init__(self, disk: Disk, head: Superblock) -> None:
        self._disk, self._head = disk, head
        raw = np.frombuffer(self._descriptors(), np.uint8)
        words = raw[: head.groups * head.descriptor_bytes].view("<u4").reshape(head.groups, -1)

        def column(number: int) -> Numbers:
            return words[:, number].astype(np.int64)

        blocks, flags, unused = column(2), column(4) >> 16, column(7) & 0xFFFF
        if head.descriptor_bytes > 32:  # noqa: PLR2004 - the length without the upper halves
            blocks |= column(10) << 32
            unused |= column(12) >> 16 << 16
        self.tables: Numbers = blocks * head.block_bytes
        self.used: Numbers = self._in_use(unused, flags)
        self._check(blocks)
        self._places: list[int] = self.tables.tolist()

    @cached_property
    def inodes_in_use(self) -> int:
        """At most so many."""
        return int(self.used.sum())

    def place(self, number: int) -> int:
        """Return where an inode lies on the disk. Raises FilesystemError for numbers that there are not."""
        if not 0 < number <= self._head.inodes:
            raise FilesystemError("a directory names a file that cannot be")
        group, within = divmod(number - 1, self._head.inodes_per_group)
        return self._places[group] + within * self._head.inode_bytes

    def _in_use(self, unused: Numbers, flags: Numbers) -> Numbers:
        head = self._head
        if not head.read_only & (GROUP_CHECKSUMS | METADATA_CHECKSUMS):
            return np.full(head.groups, head.inodes_per_group, dtype=np.int64)
        return np.where(flags & _UNUSED, 0, np.clip(head.inodes_per_group - unused, 0, None))

    def _check(self, blocks: Numbers) -> None:
        table_blocks = -(-self._head.inodes_per_group * self._head.inode_bytes // self._head.block_bytes)
        if np.any((blocks <= self._head.first_block) | (blocks < 0) | (blocks + table_blocks > self._head.blocks)):
            raise FilesystemError("the table of block groups is damaged")
        if self.inodes_in_use * self._head.inode_bytes > LARGEST_TABLES:
            raise FilesystemError("the filesystem has more files than are read here")

    def _descriptors(self) -> bytes:
        head = self._head
        per_block = head.block_bytes // head.descriptor_bytes
        count = -(-head.groups // per_block)
        plain = min(count, head.first_meta_group) if head.incompatible & META_BG else count
        behind = (SUPERBLOCK_AT // head.block_bytes + 1) * head.block_bytes
        found = [read_exactly(self._disk, behind, plain * head.block_bytes)]
        for number in range(plain, count):
            block = self._meta_block(number, number * per_block)
            found.append(read_exactly(self._disk, block * head.block_bytes, head.block_bytes))
        return b"".join(found)

    def _meta_block(self, number: int, group: int) -> int:
        behind = int(_has_superblock(self._head, group))
        if self._head.block_bytes == SUPERBLOCK_AT and number == 0 and self._head.first_block == 0:
            behind += 1
        return self._head.first_block + group * self._head.blocks_per_group + behind


def _has_superblock(head: Superblock, group: int) -> bool:
    if group == 0:
        return True
    if head.compatible & SPARSE_SUPER2:
        return group in head.backups
    return not head.read_only & SPARSE_SUPER or group == 1 or any(_is_power(group, base) for base in (3, 5, 7))


def _is_power(number: int, base: int) -> bool:
    power = base
    while power < number:
        power *= base
    return power == number
