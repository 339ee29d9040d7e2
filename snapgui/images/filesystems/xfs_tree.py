"""Where the content or the attributes of a file lie on an XFS filesystem: a list of extents, or a tree of them.

Format: "XFS Algorithms & Data Structures", chapter "Data Extents". Results are rows of (block of the file, block of
the disk, count), blocks counted from the beginning of the disk. A tree that goes in circles, overlaps itself or points
beyond the disk is refused.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from snapgui.images.filesystems.filesystem import Disk, FilesystemError, Numbers, read_exactly
from snapgui.images.filesystems.xfs_inode import EXTENTS, TREE, Fork
from snapgui.images.filesystems.xfs_layout import Superblock

Words = NDArray[np.uint64]
RECORD_BYTES = 16
MOST_EXTENTS = 1_500_000
"""Of one file; 36 MiB of numbers, and some times as much while they are checked."""
DEEPEST_TREE = 9
_FARTHEST_BYTES = 2**63
_OFFSET_BITS = (1 << 54) - 1


def unpacked(raw: bytes) -> Numbers:
    """Return rows of (block of the file, number of a block, count, whether reserved only) from packed extents."""
    words = np.frombuffer(raw, ">u8").astype(np.uint64).reshape(-1, 2)
    high, low = words[:, 0], words[:, 1]
    return unpacked_words(high, low)


def unpacked_words(high: Words, low: Words) -> Numbers:
    """Return the same from the two halves of packed extents."""
    begins = high >> np.uint64(9) & np.uint64(_OFFSET_BITS)
    blocks = (high & np.uint64(0x1FF)) << np.uint64(43) | low >> np.uint64(21)
    counts = low & np.uint64(0x1FFFFF)
    return np.stack([begins, blocks, counts, high >> np.uint64(63)], axis=1).astype(np.int64)


class Map:
    """The extents of one fork of an inode, and the blocks of their tree. Raises FilesystemError where it is damaged."""

    def __init__(self, disk: Disk, head: Superblock, fork: Fork) -> None:
        self._disk, self._head = disk, head
        self.visited: list[int] = []
        """Blocks of the tree."""
        if fork.format == EXTENTS and fork.extents == 1:
            self.rows: Numbers = _single(fork.room, head)
            return
        if fork.format == EXTENTS:
            raw = fork.room[: RECORD_BYTES * fork.extents]
            if len(raw) != RECORD_BYTES * fork.extents:
                raise damaged()
        elif fork.format == TREE:
            raw = b"".join(self._leaves(fork.room))
        else:
            raw = b""
        self.rows = self._checked(raw)

    def _checked(self, raw: bytes) -> Numbers:
        found = unpacked(raw)
        begins, counts = found[:, 0], found[:, 2]
        linear, sound = self._head.all_linear(found[:, 1], counts)
        end = int((begins + counts).max(initial=0)) * self._head.block_bytes
        if np.any(begins[1:] < (begins + counts)[:-1]) or end > _FARTHEST_BYTES or not np.all(sound) or 0 in counts:
            raise damaged()
        rows: Numbers = np.stack([begins, linear, counts], axis=1)
        written: Numbers = rows[found[:, 3] == 0]
        return written

    def _leaves(self, room: bytes) -> Iterator[bytes]:
        """Yield the packed extents of all leaves, in order."""
        level, count = int.from_bytes(room[:2], "big"), int.from_bytes(room[2:4], "big")
        most = max(0, len(room) - 4) // 16
        if not 0 < level <= DEEPEST_TREE or count > most:
            raise damaged()
        blocks = _pointers(room, 4 + 8 * most, count)
        for depth in range(level - 1, 0, -1):
            blocks = [below for block in blocks for below in self._inner(block, depth)]
            self._bound(len(blocks))
        held = 0
        for block in blocks:
            raw, count, at = self._block(block, 0)
            held += count
            self._bound(held)
            yield raw[at : at + RECORD_BYTES * count]

    def _inner(self, block: int, depth: int) -> list[int]:
        raw, count, at = self._block(block, depth)
        return _pointers(raw, at + (len(raw) - at) // 16 * 8, count)

    def _block(self, number: int, depth: int) -> tuple[bytes, int, int]:
        """Return a block of the tree, how many records are in it, and where they begin."""
        header, magic = (72, b"BMA3") if self._head.checked else (24, b"BMAP")
        linear = self._head.linear(number)
        raw = read_exactly(self._disk, linear * self._head.block_bytes, self._head.block_bytes)
        count = int.from_bytes(raw[6:8], "big")
        if raw[:4] != magic or int.from_bytes(raw[4:6], "big") != depth or count > (len(raw) - header) // RECORD_BYTES:
            raise damaged()
        self.visited.append(linear)
        self._bound(len(self.visited))
        return raw, count, header

    def _bound(self, count: int) -> None:
        if count > MOST_EXTENTS:
            raise FilesystemError("a file lies in more pieces than are read here")


def _single(room: bytes, head: Superblock) -> Numbers:
    """Return the only extent of a file: most files have one, and need no arrays to be looked at."""
    packed = int.from_bytes(room[:RECORD_BYTES], "big")
    count, block, begin = packed & 0x1FFFFF, packed >> 21 & (1 << 52) - 1, packed >> 73 & _OFFSET_BITS
    linear = head.linear(block)
    group_end = min(linear // head.group_blocks * head.group_blocks + head.group_blocks, head.blocks)
    if len(room) < RECORD_BYTES or not count or linear + count > group_end:
        raise damaged()
    if (begin + count) * head.block_bytes > _FARTHEST_BYTES:
        raise damaged()
    return np.array([] if packed >> 127 else [(begin, linear, count)], np.int64).reshape(-1, 3)


def _pointers(raw: bytes, at: int, count: int) -> list[int]:
    found: list[int] = np.frombuffer(raw, ">u8", count, at).astype(np.int64).tolist()
    return found


def damaged() -> FilesystemError:
    """Return what is raised where the map of a file cannot be so."""
    return FilesystemError("the map of a file's blocks is damaged")
