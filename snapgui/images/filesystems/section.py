"""A partition of a disk: the adapter between layers of images and the readers of filesystems."""

from collections import OrderedDict
from typing import Protocol

BLOCK_BYTES = 4 * 2**10
"""Read at once: 16 inodes, or a block of a directory, which mostly lies between files."""
MOST_BLOCKS = 16
"""Read and kept together; what is longer is read past the cache."""
CACHE_BYTES = 16 * 2**20


class Readable(Protocol):
    """Whatever has the bytes of a disk: ``layers.Layers``, or a connection to QEMU."""

    @property
    def virtual_bytes(self) -> int:
        """The size of the disk."""

    def read(self, start: int, length: int) -> bytes:
        """Return bytes of the disk; fewer only at its end."""


class Section:
    """A disk from one byte to another; short reads go through a bounded cache, in blocks of ``block_bytes``.

    Larger blocks are for what each reading of costs a question to a daemon.
    """

    def __init__(
        self, whole: Readable, start: int = 0, length: int | None = None, block_bytes: int = BLOCK_BYTES
    ) -> None:
        self._whole, self._start, self._block_bytes = whole, start, block_bytes
        room = max(0, whole.virtual_bytes - start)
        self.size = room if length is None else max(0, min(length, room))
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``; fewer only at the end."""
        length = min(length, self.size - offset)
        if offset < 0 or length <= 0:
            return b""
        first, last = offset // self._block_bytes, (offset + length - 1) // self._block_bytes
        if last - first >= MOST_BLOCKS:
            return self._whole.read(self._start + offset, length)
        found = self._block(first) if first == last else self._several(first, last)
        within = offset - first * self._block_bytes
        return found[within : within + length]

    def _several(self, first: int, last: int) -> bytes:
        numbers = range(first, last + 1)
        held = [self._blocks[number] for number in numbers if number in self._blocks]
        if len(held) == len(numbers):
            return b"".join(held)
        raw = self._fetched(first, len(numbers))
        for index, number in enumerate(numbers):
            self._keep(number, raw[index * self._block_bytes : (index + 1) * self._block_bytes])
        return raw

    def _block(self, number: int) -> bytes:
        found = self._blocks.get(number)
        if found is not None:
            self._blocks.move_to_end(number)
            return found
        found = self._fetched(number, 1)
        self._keep(number, found)
        return found

    def _fetched(self, number: int, count: int) -> bytes:
        at = number * self._block_bytes
        return self._whole.read(self._start + at, min(count * self._block_bytes, self.size - at))

    def _keep(self, number: int, content: bytes) -> None:
        self._blocks[number] = content
        if len(self._blocks) > CACHE_BYTES // self._block_bytes:
            self._blocks.popitem(last=False)
