"""Whether the log of an XFS filesystem was written back: its last record says that it was unmounted.

Format: "XFS Algorithms & Data Structures", chapter "Journaling Log"; how the last record is found, and what tells that
nothing is to be replayed, are those of the kernel's fs/xfs/xfs_log_recover.c. Blocks of the log have 512 bytes, and
begin with the number of the cycle in which they were written.
"""

from snapgui.images.filesystems.filesystem import Disk, read_exactly
from snapgui.images.filesystems.xfs_layout import Superblock

BLOCK_BYTES = 512
RECORD_MAGIC = b"\xfe\xed\xba\xbe"
BYTES_BACK = (16 * 2**10, 2**20)
"""How far before the end of the log its last record is looked for: one that tells of unmounting is short."""
_UNMOUNTED = 0x20
_HEADER_COVERS = 32 * 2**10
"""Bytes of a record for which each block of its header has the cycles."""


class Log:
    """A log that lies within the filesystem."""

    def __init__(self, disk: Disk, head: Superblock) -> None:
        self._disk = disk
        self._begin = head.linear(head.log_block) * head.block_bytes
        self._blocks = head.log_blocks * head.block_bytes // BLOCK_BYTES

    def is_clean(self) -> bool:
        """Whether nothing in it is missing elsewhere. Raises FilesystemError where it lies beyond the disk."""
        if self._blocks == 0:
            return False
        first = self._cycle(0)
        if first == 0:
            return not any(self._read(0, 1)) and self._cycle(self._blocks - 1) == 0
        end = self._end(first)
        return any(_tells_unmounting(self._last_record(end, length)) for length in BYTES_BACK)

    def _last_record(self, end: int, most: int) -> bytes:
        """Return what is written from the beginning of the last record on, if that begins within so many bytes."""
        low = max(end - most // BLOCK_BYTES, end - self._blocks)
        raw = self._read(low, end - low)
        at = raw.rfind(RECORD_MAGIC)
        while at % BLOCK_BYTES and at >= 0:
            at = raw.rfind(RECORD_MAGIC, 0, at + len(RECORD_MAGIC) - 1)
        return raw[at:] if at >= 0 else b""

    def _end(self, first: int) -> int:
        """Return the first block that was not written in the last cycle; all before it were."""
        low, high = 0, self._blocks
        while high - low > 1:
            middle = (low + high) // 2
            if self._cycle(middle) == first:
                low = middle
            else:
                high = middle
        return high

    def _cycle(self, block: int) -> int:
        raw = self._read(block, 1)
        return int.from_bytes(raw[4:8] if raw.startswith(RECORD_MAGIC) else raw[:4], "big")

    def _read(self, block: int, count: int) -> bytes:
        """Return blocks; those before the first are the last ones."""
        if block < 0:
            ahead = min(-block, count)
            return self._read(block + self._blocks, ahead) + self._read(0, count - ahead)
        return read_exactly(self._disk, self._begin + block * BLOCK_BYTES, count * BLOCK_BYTES)


def _tells_unmounting(record: bytes) -> bool:
    """Whether a record, with all behind it up to the end of the log, is a single operation: that of unmounting."""
    version, length, operations = (int.from_bytes(record[at : at + 4], "big") for at in (8, 12, 40))
    covered = int.from_bytes(record[320:324], "big") if version & 2 else 0
    header = max(1, -(-covered // _HEADER_COVERS)) * BLOCK_BYTES
    whole = header + -(-length // BLOCK_BYTES) * BLOCK_BYTES
    return len(record) == whole and operations == 1 and bool(record[header + 9] & _UNMOUNTED)
