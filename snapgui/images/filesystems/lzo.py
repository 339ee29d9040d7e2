"""Decompresses LZO1X, which neither Python nor its usual libraries do.

Format: the kernel's Documentation/staging/lzo.rst.
"""

from snapgui.images.filesystems.filesystem import FilesystemError

_FIRST_LITERAL = 17
_MANY = 4
"""State after four literals or more, where the number does not matter."""
_FARTHEST, _FAR, _NEAR = 16, 32, 64
"""The least codes of matches in ever shorter distances; smaller ones tell literals, or short matches after some."""
_FARTHEST_BYTES, _BESIDE_BYTES = 0x4000, 0x800
"""Distances that are counted from there on."""


def decompress(source: bytes, most: int) -> bytes:
    """Return what was compressed. Raises FilesystemError where it is damaged, or becomes more than ``most`` bytes."""
    try:
        return _Decoder(source, most).whole()
    except IndexError as error:
        raise _damaged() from error


class _Decoder:
    def __init__(self, source: bytes, most: int) -> None:
        self._source, self._most, self._at = source, most, 0
        self._found = bytearray()

    def whole(self) -> bytes:
        state = 0
        if self._source[0] > _FIRST_LITERAL:
            state = self._literals(self._byte() - _FIRST_LITERAL)
        while True:
            code = self._byte()
            if code < _FARTHEST and state == 0:
                state = self._literals(3 + self._length(code, 15))
                continue
            length, distance, state = self._match(code, state)
            if length == 0:
                return bytes(self._found)
            self._copy(length, distance)
            self._literals(state)

    def _match(self, code: int, state: int) -> tuple[int, int, int]:
        """Return length, distance, and how many literals follow; length 0 at the end."""
        if code >= _NEAR:
            return (code >> 5) + 1, (self._byte() << 3) + (code >> 2 & 7) + 1, code & 3
        if code >= _FAR:
            length = 2 + self._length(code & 31, 31)
            word = self._word()
            return length, (word >> 2) + 1, word & 3
        if code >= _FARTHEST:
            length = 2 + self._length(code & 7, 7)
            word = self._word()
            distance = (code >> 3 & 1) * _FARTHEST_BYTES + (word >> 2)
            return length if distance else 0, distance + _FARTHEST_BYTES, word & 3
        near = (self._byte() << 2) + (code >> 2) + 1
        return (3, near + _BESIDE_BYTES, code & 3) if state == _MANY else (2, near, code & 3)

    def _length(self, bits: int, most: int) -> int:
        """Return a length that goes on in further bytes where its bits are all zero."""
        if bits:
            return bits
        while self._source[self._at] == 0:
            most += 255
            self._at += 1
        return most + self._byte()

    def _literals(self, count: int) -> int:
        """Copy bytes as they are, and return the state after it."""
        if self._at + count > len(self._source):
            raise _damaged()
        self._found += self._source[self._at : self._at + count]
        self._at += count
        self._bound()
        return min(count, _MANY)

    def _copy(self, length: int, distance: int) -> None:
        begin = len(self._found) - distance
        if begin < 0 or length > self._most:
            raise _damaged()
        seen = self._found[begin : begin + length]
        self._found += (seen * (length // len(seen) + 1))[:length]
        self._bound()

    def _bound(self) -> None:
        if len(self._found) > self._most:
            raise _damaged()

    def _byte(self) -> int:
        self._at += 1
        return self._source[self._at - 1]

    def _word(self) -> int:
        return self._byte() | self._byte() << 8


def _damaged() -> FilesystemError:
    return FilesystemError("compressed content is damaged")
