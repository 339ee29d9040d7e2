"""A disk as it is once a journal is replayed: some blocks are read from where the journal has them."""

import numpy as np

from snapgui.images.filesystems.filesystem import Disk, read_exactly
from snapgui.images.filesystems.jbd2 import MAGIC, Replay
from snapgui.images.filesystems.ranges import Ranges


class Replayed:
    """A disk, and over it the blocks of a journal."""

    def __init__(self, disk: Disk, replay: Replay, block_bytes: int) -> None:
        self._disk, self._places, self._block_bytes = disk, replay.places, block_bytes
        self._blocks = np.array(sorted(replay.places), dtype=np.int64)
        self.size = disk.size
        starts = self._blocks * block_bytes
        self.rewritten = Ranges(np.stack([starts, starts + block_bytes], axis=1))

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``; fewer only at the end."""
        found = self._disk.read(offset, length)
        first, behind = np.searchsorted(
            self._blocks, [offset // self._block_bytes, -(-(offset + length) // self._block_bytes)]
        )
        if first == behind:
            return found
        whole = bytearray(found)
        for block in self._blocks[first:behind].tolist():
            self._put(whole, block, offset)
        return bytes(whole)

    def _put(self, whole: bytearray, block: int, offset: int) -> None:
        place, escaped = self._places[block]
        content = read_exactly(self._disk, place, self._block_bytes)
        if escaped:
            content = MAGIC.to_bytes(4, "big") + content[4:]
        begin = block * self._block_bytes - offset
        low, high = max(0, begin), min(len(whole), begin + self._block_bytes)
        whole[low:high] = content[low - begin : high - begin]
