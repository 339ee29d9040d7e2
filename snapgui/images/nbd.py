"""One disk that an NBD server lends on a unix socket, read and nothing else; the server is not trusted.

Format: the NBD protocol (doc/proto.md of the NetworkBlockDevice project): "Fixed newstyle negotiation", "Simple reply
message", "Structured reply chunk message", "Block size constraints".
"""

import contextlib
import errno
import os
import socket
import struct
import threading
import time

from snapgui.images.clusters import LARGEST_DISK
from snapgui.images.qcow2 import ImageError

PATIENCE_S = 30.0
"""How long one answer may take in all; a server that sends a byte now and then gets no more."""
PIECE = 2**20
"""Bytes that are asked for at once; every server has to answer 32 MiB."""
LONGEST_OPTION = 2**16
LARGEST_BLOCK = 2**16
"""Bytes; what a server may demand that reads are multiples of."""

LAST_ERROR = 4095
"""The largest number of an error that Linux knows (MAX_ERRNO)."""

_ENDED = "the NBD server has ended the connection"
_NBDMAGIC, _IHAVEOPT = b"NBDMAGIC", b"IHAVEOPT"
_HELLO = struct.Struct(">8s8sH")
_FIXED, _NO_ZEROES = 1, 2
_OPTION, _OPTION_REPLY = struct.Struct(">8sII"), struct.Struct(">QIII")
_OPTION_MAGIC = 0x0003_E889_0455_65A9
_GO, _STRUCTURED = 7, 8
_ACK, _INFO, _ERROR_BIT = 1, 3, 2**31
_INFO_EXPORT, _INFO_BLOCKS = 0, 3
_REQUEST = struct.Struct(">IHHQQI")
_REQUEST_MAGIC, _READ, _DISCONNECT = 0x2560_9513, 0, 2
_MAGIC = struct.Struct(">I")
_SIMPLE, _SIMPLE_MAGIC = struct.Struct(">IQ"), 0x6744_6698
_CHUNK, _CHUNK_MAGIC = struct.Struct(">HHQI"), 0x668E_33EF
_DONE = 1
_NONE, _DATA, _HOLE, _CHUNK_ERROR = 0, 1, 2, 2**15
_OFFSET, _EXTENT, _FAILURE = struct.Struct(">Q"), struct.Struct(">QI"), struct.Struct(">IH")


class NbdDisk:
    """An export as a disk; ``virtual_bytes`` is its size. Several threads may read from it, one after the other.

    Raises OSError where the server cannot be reached, is too slow or cannot read, ImageError where it talks nonsense;
    after that every further read raises OSError.
    """

    def __init__(self, path: str, export: str, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._until = 0.0
        self._lock = threading.Lock()
        self._number = 0
        self._block = 1
        self.virtual_bytes = -1
        self._socket: socket.socket | None = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._begin()
            self._socket.connect(path)
            self._greet()
            self._choose(export)
        except BaseException:
            self._drop()
            raise

    def read(self, start: int, length: int) -> bytes:
        """Return bytes of the disk; fewer only at its end."""
        end = min(start + length, self.virtual_bytes)
        if start < 0 or end <= start:
            return b""
        first = start // self._block * self._block
        last = min(-(-end // self._block) * self._block, self.virtual_bytes)
        found = bytearray(last - first)
        with self._lock:
            for offset in range(first, last, PIECE):
                within = memoryview(found)[offset - first : offset - first + PIECE]
                self._fill(offset, within)
        return bytes(found[start - first : end - first])

    def close(self) -> None:
        """Say good-bye, as far as the server still listens."""
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._begin()
                    self._socket.sendall(_REQUEST.pack(_REQUEST_MAGIC, 0, _DISCONNECT, 0, 0, 0))
            self._drop()

    # becoming acquainted

    def _greet(self) -> None:
        magic, option, flags = _HELLO.unpack(self._receive(_HELLO.size))
        if (magic, option) != (_NBDMAGIC, _IHAVEOPT) or not flags & _FIXED:
            raise ImageError("what answers on the socket does not speak NBD")
        self._send(_MAGIC.pack(flags & (_FIXED | _NO_ZEROES)))

    def _choose(self, export: str) -> None:
        """Ask for replies that know holes, where the server has them, and for the export."""
        self._ask(_STRUCTURED, b"")
        if self._option_reply(_STRUCTURED)[0] not in {_ACK, _ERROR_BIT}:
            raise ImageError("the NBD server answers what it was not asked")
        name = export.encode()
        self._ask(_GO, _MAGIC.pack(len(name)) + name + struct.pack(">HH", 1, _INFO_BLOCKS))
        for _ in range(16):  # pieces of information, of which there are five sorts
            kind, content = self._option_reply(_GO)
            if kind == _ACK:
                break
            if kind != _INFO or len(content) < 2:  # noqa: PLR2004
                raise OSError(f"the NBD server does not lend {export}")
            self._learn(content)
        if not 0 <= self.virtual_bytes <= LARGEST_DISK:
            raise ImageError("the NBD server tells no size that a disk can have")

    def _ask(self, option: int, content: bytes) -> None:
        self._send(_OPTION.pack(_IHAVEOPT, option, len(content)) + content)

    def _option_reply(self, option: int) -> tuple[int, bytes]:
        """Return (sort, content); every error is the same sort."""
        magic, about, kind, length = _OPTION_REPLY.unpack(self._receive(_OPTION_REPLY.size))
        if magic != _OPTION_MAGIC or about != option or length > LONGEST_OPTION:
            raise ImageError("the NBD server answers what it was not asked")
        content = self._receive(length)
        return (_ERROR_BIT if kind & _ERROR_BIT else kind), content

    def _learn(self, content: bytes) -> None:
        (kind,) = struct.unpack_from(">H", content)
        if kind == _INFO_EXPORT and len(content) == 12:  # noqa: PLR2004 - sort, size, flags
            self.virtual_bytes = int.from_bytes(content[2:10], "big")
        elif kind == _INFO_BLOCKS and len(content) == 14:  # noqa: PLR2004 - sort, least, best and most
            self._block = int.from_bytes(content[2:6], "big")
            if not 0 < self._block <= LARGEST_BLOCK or self._block & (self._block - 1):
                raise ImageError("the NBD server demands blocks of a size that is not allowed")

    # reading

    def _fill(self, offset: int, room: memoryview) -> None:
        if self._socket is None:
            raise OSError("the connection to the NBD server is lost")
        try:
            self._begin()
            self._number += 1
            self._send(_REQUEST.pack(_REQUEST_MAGIC, 0, _READ, self._number, offset, len(room)))
            self._take(offset, room)
        except BaseException:  # what comes next on the socket would be taken for something else
            self._drop()
            raise

    def _take(self, offset: int, room: memoryview) -> None:
        (magic,) = _MAGIC.unpack(self._receive(_MAGIC.size))
        if magic == _SIMPLE_MAGIC:
            failure, number = _SIMPLE.unpack(self._receive(_SIMPLE.size))
            self._expect(number == self._number)
            _refuse(failure)
            self._receive_into(room)
            return
        missing, done = len(room), False
        while not done:
            self._expect(magic == _CHUNK_MAGIC)
            flags, kind, number, length = _CHUNK.unpack(self._receive(_CHUNK.size))
            self._expect(number == self._number)
            done = bool(flags & _DONE)
            self._expect(done or kind in {_DATA, _HOLE})
            missing -= self._chunk(kind, length, offset, room)
            self._expect(missing >= 0)
            if not done:
                (magic,) = _MAGIC.unpack(self._receive(_MAGIC.size))
        self._expect(missing == 0)

    def _chunk(self, kind: int, length: int, offset: int, room: memoryview) -> int:
        """Take one piece of an answer; return for how many bytes it stands, at least one of data and holes."""
        if kind == _DATA:
            self._expect(_OFFSET.size < length <= _OFFSET.size + len(room))
            (at,) = _OFFSET.unpack(self._receive(_OFFSET.size))
            self._receive_into(self._part(at - offset, length - _OFFSET.size, room))
            return length - _OFFSET.size
        if kind == _HOLE:
            self._expect(length == _EXTENT.size)
            at, size = _EXTENT.unpack(self._receive(_EXTENT.size))
            self._expect(size > 0)
            hole = self._part(at - offset, size, room)
            hole[:] = bytes(len(hole))
            return len(hole)
        if kind & _CHUNK_ERROR:
            self._expect(_FAILURE.size <= length <= LONGEST_OPTION)
            failure, _ = _FAILURE.unpack_from(self._receive(length))
            _refuse(failure or errno.EIO)
        self._expect(kind == _NONE and length == 0)
        return 0

    def _part(self, start: int, length: int, room: memoryview) -> memoryview:
        self._expect(0 <= start <= start + length <= len(room))
        return room[start : start + length]

    def _expect(self, right: bool) -> None:
        if not right:
            raise ImageError("the NBD server answers what it was not asked")

    # the socket

    def _begin(self) -> None:
        self._until = time.monotonic() + self._patience_s
        self._wait()

    def _wait(self) -> socket.socket:
        """Return the socket; it waits no longer than there is patience left."""
        left = self._until - time.monotonic()
        if self._socket is None or left <= 0:
            raise TimeoutError("the NBD server does not answer")
        self._socket.settimeout(left)
        return self._socket

    def _send(self, content: bytes) -> None:
        try:
            self._wait().sendall(content)
        except ConnectionError as error:
            raise OSError(_ENDED) from error

    def _receive(self, length: int) -> bytes:
        found = bytearray(length)
        self._receive_into(memoryview(found))
        return bytes(found)

    def _receive_into(self, room: memoryview) -> None:
        while len(room):
            try:
                count = self._wait().recv_into(room)
            except ConnectionError:
                count = 0
            if count == 0:
                raise OSError(_ENDED)
            room = room[count:]

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _refuse(failure: int) -> None:
    """Raise OSError for an error that the server tells; NBD's numbers are those of Linux."""
    if failure:
        number = failure if failure <= LAST_ERROR else errno.EIO
        raise OSError(number, f"the NBD server could not read: {os.strerror(number)}")
