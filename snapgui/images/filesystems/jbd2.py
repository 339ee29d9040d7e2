"""The journal of an ext filesystem, replayed in memory: which blocks have other bytes than the disk has.

Format: the kernel's Documentation/filesystems/ext4/journal.rst and include/linux/jbd2.h; the order in which things are
believed is that of fs/jbd2/recovery.c. The journal ends at the first block that is not the next one, or whose
checksum is wrong. Only places are kept, so a large journal costs little memory.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from snapgui.images.filesystems.filesystem import Disk, FilesystemError, Numbers, read_exactly
from snapgui.images.filesystems.jbd2_checksums import Checksums, Sum

MAGIC = 0xC03B3998
DESCRIPTOR, COMMIT, SUPERBLOCK_1, SUPERBLOCK_2, REVOKE = 1, 2, 3, 4, 5
WIDE, CHECKSUMS_2, CHECKSUMS_3, FAST_COMMITS = 0x2, 0x8, 0x10, 0x20
READABLE = 0x1 | WIDE | 0x4 | CHECKSUMS_2 | CHECKSUMS_3 | FAST_COMMITS
"""Incompatible features known here: also revoke records (1) and commits that were not waited for (4)."""
CHECKSUMS_1 = 0x1
"""A compatible feature: one sum over a whole transaction."""
MOST_LOGGED = 500_000
"""Blocks that are replayed; some 130 MiB of records. A journal has 262,144 at most unless asked for otherwise."""
_ESCAPED, _SAME_UUID, _LAST = 0x1, 0x2, 0x8
_HEAD = struct.Struct(">III")
_SUPERBLOCK = struct.Struct(">IIIIIII")
_SUPERBLOCK_BYTES = 1024
_FEATURES = struct.Struct(">III")
_FAST_BLOCKS_AT, _FAST_BLOCKS = 0x54, 256
_FAST_HEAD = struct.Struct("<HHII")
_FAST_HEAD_TAG = 9
_HEAD_BYTES, _REVOKE_HEAD_BYTES, _UUID_BYTES = 12, 16, 16


@dataclass(frozen=True, slots=True)
class Replay:
    """What a journal has for the filesystem: block → (place of its bytes on the disk, first four bytes are escaped).

    ``damaged``: it ends at something that is wrong; ``fast_commits``: behind it there is more that is not read here.
    """

    places: dict[int, tuple[int, bool]]
    damaged: bool = False
    fast_commits: bool = False


@dataclass(slots=True)
class _Transaction:
    """What was logged together: (block of the filesystem, block of the journal, escaped), what was revoked, sums."""

    blocks: list[tuple[int, int, bool]] = field(default_factory=list)
    revoked: list[int] = field(default_factory=list)
    sums: list[Sum] = field(default_factory=list)


class Journal:
    """A journal in a file whose content lies at ``extents`` (rows of bytes: in the file, on the disk, length).

    Raises FilesystemError where its superblock is damaged or asks for what is not known here.
    """

    def __init__(self, disk: Disk, extents: Numbers, block_bytes: int) -> None:
        self._disk, self._block_bytes = disk, block_bytes
        self._extents = extents.tolist()
        if not self._extents:
            raise FilesystemError("the journal is damaged: it lies nowhere")
        self._begins = [begin for begin, _, _ in self._extents]
        self._logged = 0
        raw = self._block(0)
        magic, kind, _, size, blocks, self._first, self._sequence = _SUPERBLOCK.unpack_from(raw)
        if magic != MAGIC or kind not in (SUPERBLOCK_1, SUPERBLOCK_2):
            raise FilesystemError("the journal is damaged")
        (self._start,) = struct.unpack_from(">I", raw, 0x1C)
        compatible, self._features, _ = _FEATURES.unpack_from(raw, 0x24) if kind == SUPERBLOCK_2 else (0, 0, 0)
        fast = 0
        if self._features & FAST_COMMITS:
            fast = int.from_bytes(raw[_FAST_BLOCKS_AT : _FAST_BLOCKS_AT + 4], "big") or _FAST_BLOCKS
        self._end = blocks - fast
        held = sum(length for _, _, length in self._extents) // block_bytes
        if size != block_bytes or blocks > held or not 0 < self._first < self._end or self._features & ~READABLE:
            raise FilesystemError("the journal is damaged, or of a sort that is not known here")
        self._checksums = Checksums(
            uuid=raw[0x30:0x40],
            version=_version(self._features, compatible),
            block=self._block,
        )
        if not self._checksums.superblock_is_sound(raw[:_SUPERBLOCK_BYTES]):
            raise FilesystemError("the journal is damaged")

    def replay(self, blocks: int) -> Replay:
        """Return what it has for a filesystem of so many blocks."""
        if self._start == 0:
            return Replay({})
        if not self._first <= self._start < self._end:
            raise FilesystemError("the journal is damaged")
        transactions = list(self._transactions())
        sound = self._checksums.first_unsound([each.sums for each in transactions])
        return Replay(
            places=self._places(transactions[:sound], blocks),
            damaged=sound < len(transactions),
            fast_commits=self._has_fast_commits((self._sequence + sound) & 0xFFFFFFFF),
        )

    def _transactions(self) -> Iterator[_Transaction]:
        """Yield those that were committed, from the oldest on."""
        at, sequence, current = self._start, self._sequence, _Transaction()
        left = self._end - self._first
        while left > 0:
            raw = self._block(at)
            magic, kind, number = _HEAD.unpack_from(raw)
            if magic != MAGIC or number != sequence or kind not in (DESCRIPTOR, COMMIT, REVOKE):
                return
            taken = 1
            current.sums.append(Sum(kind, at, sequence))
            if kind == DESCRIPTOR:
                taken += self._describe(raw, at, sequence, current)
            elif kind == REVOKE:
                current.revoked += self._revoked(raw)
            at, left = self._wrapped(at + taken), left - taken
            if kind == COMMIT:
                yield current
                current, sequence = _Transaction(), sequence + 1 & 0xFFFFFFFF

    def _describe(self, raw: bytes, at: int, sequence: int, current: _Transaction) -> int:
        """Note which blocks follow a descriptor, and return how many."""
        count = 0
        for block, flags, checksum in self._tags(raw):
            count += 1
            place = self._wrapped(at + count)
            current.blocks.append((block, place, bool(flags & _ESCAPED)))
            current.sums.append(Sum(0, place, sequence, checksum))
        self._logged += count
        if self._logged > MOST_LOGGED:
            raise FilesystemError("the journal is larger than is read here")
        return count

    def _tags(self, raw: bytes) -> Iterator[tuple[int, int, int]]:
        """Yield (block of the filesystem, flags, checksum) of a descriptor."""
        third, wide = self._features & CHECKSUMS_3, self._features & WIDE
        length = 16 if third else 8 + (4 if wide else 0) + (2 if self._features & CHECKSUMS_2 else 0)
        at, end = _HEAD_BYTES, self._block_bytes - self._checksums.tail
        while at + length <= end:
            if third:
                low, flags, high, checksum = struct.unpack_from(">IIII", raw, at)
            else:
                low, checksum, flags = struct.unpack_from(">IHH", raw, at)
                high = int.from_bytes(raw[at + 8 : at + 12], "big") if wide else 0
            yield low | (high << 32 if wide else 0), flags, checksum
            at += length + (0 if flags & _SAME_UUID else _UUID_BYTES)
            if flags & _LAST:
                return

    def _revoked(self, raw: bytes) -> list[int]:
        end = int.from_bytes(raw[12:16], "big")
        width = 8 if self._features & WIDE else 4
        end = min(end, self._block_bytes - self._checksums.tail)
        return [int.from_bytes(raw[at : at + width], "big") for at in range(_REVOKE_HEAD_BYTES, end - width + 1, width)]

    def _places(self, transactions: list[_Transaction], blocks: int) -> dict[int, tuple[int, bool]]:
        revoked: dict[int, int] = {}
        for index, each in enumerate(transactions):
            revoked.update(dict.fromkeys(each.revoked, index))
        found = {}
        for index, each in enumerate(transactions):
            for block, place, escaped in each.blocks:
                if block >= blocks:
                    raise FilesystemError("the journal is damaged: it refers to places beyond the filesystem's end")
                if revoked.get(block, -1) < index:
                    found[block] = (self._place(place), escaped)
        return found

    def _has_fast_commits(self, sequence: int) -> bool:
        if not self._features & FAST_COMMITS:
            return False
        tag, _, _, number = _FAST_HEAD.unpack_from(self._block(self._end))
        return bool(tag == _FAST_HEAD_TAG and number == sequence)

    def _wrapped(self, number: int) -> int:
        return number if number < self._end else self._first + (number - self._end) % (self._end - self._first)

    def _block(self, number: int) -> bytes:
        return read_exactly(self._disk, self._place(number), self._block_bytes)

    def _place(self, number: int) -> int:
        at = number * self._block_bytes
        begin, place, length = self._extents[max(0, bisect_right(self._begins, at) - 1)]
        if not begin <= at < begin + length:
            raise FilesystemError("the journal is damaged: a part of it lies nowhere")
        return int(place + at - begin)


def _version(features: int, compatible: int) -> int:
    if features & CHECKSUMS_3:
        return 3
    if features & CHECKSUMS_2:
        return 2
    return 1 if compatible & CHECKSUMS_1 else 0
