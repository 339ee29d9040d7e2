"""Where the inodes of an XFS filesystem are: chunks of 64, which each allocation group keeps in a tree.

Format: "XFS Algorithms & Data Structures", chapters "Inode Management" and "Sparse Inodes". Only inodes of these chunks
are read, whatever directories name.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from snapgui.images.filesystems.filesystem import Disk, FilesystemError, Numbers, read_exactly
from snapgui.images.filesystems.xfs_layout import SPARSE_INODES, Superblock

INODES = 64
"""Inodes in a chunk."""
MOST_CHUNKS = 2_000_000
DEEPEST_TREE = 9
_HOLE_INODES = 4
"""Inodes that each bit of a mask of holes is for."""
_RECORD_BYTES = 16


@dataclass(frozen=True, slots=True)
class Chunks:
    """Of all chunks: the number of the first inode, and 16 bits for four inodes each that are not there. Sorted."""

    firsts: Numbers
    holes: Numbers
    _list: list[int]

    @classmethod
    def of(cls, firsts: Numbers, holes: Numbers) -> "Chunks":
        """Return chunks that can be asked for single inodes, too."""
        return cls(firsts, holes, firsts.tolist())

    def holds(self, number: int) -> bool:
        """Whether there is an inode with this number, in use or not."""
        at = bisect_right(self._list, number) - 1
        if at < 0:
            return False
        within = number - self._list[at]
        return within < INODES and not int(self.holes[at]) >> within // _HOLE_INODES & 1

    def there(self, chosen: Numbers) -> Numbers:
        """Return for each inode of some chunks, given by index, whether it is there: a row of 64 for each chunk."""
        holes: Numbers = self.holes[chosen, None] >> (np.arange(INODES) // _HOLE_INODES) & 1
        return 1 - holes


def place_of(head: Superblock, number: int) -> int:
    """Return where an inode lies on the disk, in bytes."""
    group, within = number >> head.number_bits, number & ((1 << head.number_bits) - 1)
    return group * head.group_blocks * head.block_bytes + within * head.inode_bytes


def places_of(head: Superblock, numbers: Numbers) -> Numbers:
    """Return where inodes lie on the disk, in bytes."""
    groups, within = numbers >> head.number_bits, numbers & ((1 << head.number_bits) - 1)
    found: Numbers = groups * (head.group_blocks * head.block_bytes) + within * head.inode_bytes
    return found


def read_chunks(disk: Disk, head: Superblock) -> Chunks:
    """Return all chunks. Raises FilesystemError where a tree of them is damaged."""
    firsts, holes, count = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    for group in range(head.groups):
        records = _Tree(disk, head, group).records()
        count += len(records)
        if count > MOST_CHUNKS:
            raise FilesystemError("the filesystem has more files than are read here")
        words = records.view(">u4").astype(np.int64)
        firsts.append(words[:, 0] + (group << head.number_bits))
        holes.append(words[:, 1] >> 16 if head.incompatible & SPARSE_INODES else np.zeros(len(words), np.int64))
    return Chunks.of(np.concatenate(firsts), np.concatenate(holes))


class _Tree:
    """The tree of one group. Its blocks are numbered from the beginning of the group on."""

    def __init__(self, disk: Disk, head: Superblock, group: int) -> None:
        self._disk, self._head = disk, head
        self._begin, self._blocks = group * head.group_blocks, head.blocks_of(group)
        self._header, self._magic = (56, b"IAB3") if head.checked else (16, b"IABT")

    def records(self) -> Numbers:
        """Return the records as rows of bytes."""
        raw = read_exactly(self._disk, self._begin * self._head.block_bytes + 2 * self._head.sector_bytes, 512)
        blocks, level = np.frombuffer(raw, ">u4", 1, 20).astype(np.int64), int.from_bytes(raw[24:28], "big")
        if raw[:4] != b"XAGI" or not 0 < level <= DEEPEST_TREE:
            raise _damaged()
        for depth in range(level - 1, 0, -1):
            blocks = self._joined(blocks, depth, self._pointers).view(">u4").astype(np.int64)[:, 0]
        found = self._joined(blocks, 0, self._leaf)
        self._check(found)
        return found

    def _joined(self, blocks: Numbers, depth: int, taken: Callable[[bytes, int], Numbers]) -> Numbers:
        """Return what stands in all blocks of one level."""
        if len(np.unique(blocks)) != len(blocks) or len(blocks) > MOST_CHUNKS:
            raise _damaged()
        return np.concatenate([taken(*self._block(number, depth)) for number in blocks.tolist()])

    def _block(self, number: int, depth: int) -> tuple[bytes, int]:
        """Return a block, and how many records or pointers are in it."""
        if number >= self._blocks:
            raise _damaged()
        raw = read_exactly(self._disk, (self._begin + number) * self._head.block_bytes, self._head.block_bytes)
        count = int.from_bytes(raw[6:8], "big")
        width = 8 if depth else _RECORD_BYTES
        if (
            raw[:4] != self._magic
            or int.from_bytes(raw[4:6], "big") != depth
            or count > (len(raw) - self._header) // width
        ):
            raise _damaged()
        return raw, count

    def _pointers(self, raw: bytes, count: int) -> Numbers:
        at = self._header + (len(raw) - self._header) // 8 * 4
        return np.frombuffer(raw, np.uint8, 4 * count, at).reshape(-1, 4)  # type: ignore[return-value]

    def _leaf(self, raw: bytes, count: int) -> Numbers:
        return np.frombuffer(raw, np.uint8, _RECORD_BYTES * count, self._header).reshape(-1, _RECORD_BYTES)  # type: ignore[return-value]

    def _check(self, records: Numbers) -> None:
        firsts = records.view(">u4")[:, 0].astype(np.int64)
        inodes = self._blocks << self._head.inode_bits
        if np.any(np.diff(firsts) < INODES) or np.any(firsts + INODES > inodes):
            raise _damaged()


def _damaged() -> FilesystemError:
    return FilesystemError("the tree of inodes is damaged")
