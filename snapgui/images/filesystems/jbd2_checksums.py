"""The checksums of a journal, verified in batches: of transactions as a whole (1), or of each block (2 and 3).

Format: as jbd2.py; version 1 is the CRC-32 of the most significant bit first, which zlib does not have but for which
it can be used with all bits reversed.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from snapgui.images.filesystems.crc32c import Words, crc32c, crc32c_rows

_DATA, _DESCRIPTOR, _COMMIT = 0, 1, 2
_BATCH = 1024
"""Blocks that are verified at once: 4 MiB, mostly."""
_SUPERBLOCK_SUM_AT, _COMMIT_SUM_AT = 0xFC, 16
_NONE = 0xFFFFFFFF
_CRC32, _CRC32_BYTES = 1, 4
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True, slots=True)
class Sum:
    """Something to verify: a block of the journal. ``kind`` is that of its head, 0 for a block of the filesystem."""

    kind: int
    place: int
    sequence: int
    expected: int = 0


class Checksums:
    """How one journal is verified. ``block`` returns one of its blocks; ``version`` is 0 where nothing can be."""

    def __init__(self, uuid: bytes, version: int, block: Callable[[int], bytes]) -> None:
        self._block, self._version = block, version
        self._seed = crc32c(_NONE, uuid)
        self.of_blocks = version > 1
        self.of_transactions = version == 1
        self.tail = 4 if self.of_blocks else 0
        """Bytes of the checksum at the end of descriptors and revoke records."""

    def superblock_is_sound(self, raw: bytes) -> bool:
        """Whether the superblock of the journal has the checksum that it says."""
        if not self.of_blocks:
            return True
        said = int.from_bytes(raw[_SUPERBLOCK_SUM_AT : _SUPERBLOCK_SUM_AT + 4], "big")
        return said == crc32c(_NONE, _without(raw, _SUPERBLOCK_SUM_AT))

    def first_unsound(self, transactions: list[list[Sum]]) -> int:
        """Return the index of the first transaction of which something is wrong; their number where nothing is."""
        if self.of_transactions:
            sound = (self._is_sound(sums) for sums in transactions)
            return next((index for index, fine in enumerate(sound) if not fine), len(transactions))
        if not self.of_blocks:
            return len(transactions)
        every = ((index, each) for index, sums in enumerate(transactions) for each in sums)
        while batch := list(islice(every, _BATCH)):
            wrong = self._wrong([each for _, each in batch])
            if wrong:
                return batch[wrong[0]][0]
        return len(transactions)

    def _wrong(self, batch: list[Sum]) -> list[int]:
        """Return the indexes of blocks that do not have the checksum that they should, in order."""
        rows, states, expected = [], [], []
        for each in batch:
            raw = self._block(each.place)
            state, said = self._seed, each.expected
            if each.kind == _DATA:
                state = crc32c(self._seed, struct.pack(">I", each.sequence))
            else:
                at = _COMMIT_SUM_AT if each.kind == _COMMIT else len(raw) - 4
                said, raw = int.from_bytes(raw[at : at + 4], "big"), _without(raw, at)
            rows.append(raw)
            states.append(state)
            expected.append(said)
        table = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)
        found = crc32c_rows(np.array(states, dtype=np.uint32), table)
        mask = np.array([self._width(each) for each in batch], dtype=np.uint32)
        wanted: Words = np.array(expected, dtype=np.uint32)
        return [int(index) for index in np.flatnonzero((found & mask) != (wanted & mask))]

    def _width(self, each: Sum) -> int:
        return 0xFFFF if each.kind == _DATA and self._version == 2 else _NONE  # noqa: PLR2004 - half a word there

    def _is_sound(self, sums: list[Sum]) -> bool:
        state = _NONE
        for each in sums:
            if each.kind in (_DATA, _DESCRIPTOR):
                state = _crc32_upwards(state, self._block(each.place))
        commit = next(self._block(each.place) for each in sums if each.kind == _COMMIT)
        kind, size, said = commit[12], commit[13], int.from_bytes(commit[_COMMIT_SUM_AT : _COMMIT_SUM_AT + 4], "big")
        return (kind, size, said) in ((_CRC32, _CRC32_BYTES, state), (0, 0, 0))


def _without(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes(4) + raw[at + 4 :]


def _crc32_upwards(state: int, raw: bytes) -> int:
    return _turned(zlib.crc32(raw.translate(_REVERSED), _turned(state) ^ _NONE) ^ _NONE)


def _turned(word: int) -> int:
    return int(f"{word:032b}"[::-1], 2)
