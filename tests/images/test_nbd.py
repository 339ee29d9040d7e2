"""The NBD client against servers that speak well, badly, slowly or not at all; and against QEMU's."""

import contextlib
import os
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from snapgui.images.nbd import NbdDisk
from snapgui.images.qcow2 import ImageError

SIZE = 2**20
HELLO = b"NBDMAGICIHAVEOPT" + struct.pack(">H", 3)
NAME = "vda"
Serve = Callable[[socket.socket], object]


def option_reply(option: int, kind: int, content: bytes = b"") -> bytes:
    return struct.pack(">QIII", 0x3E889045565A9, option, kind, len(content)) + content


def export(size: int, block: int = 1) -> bytes:
    about = struct.pack(">HQH", 0, size, 3)
    blocks = struct.pack(">HIII", 3, block, 4096, 2**25)
    return option_reply(7, 3, about) + option_reply(7, 3, blocks) + option_reply(7, 1)


def chunk(kind: int, cookie: int, content: bytes, *, done: bool = False) -> bytes:
    return struct.pack(">IHHQI", 0x668E33EF, int(done), kind, cookie, len(content)) + content


def simple(cookie: int, content: bytes, failure: int = 0) -> bytes:
    return struct.pack(">IIQ", 0x67446698, failure, cookie) + content


def take(peer: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        if not (more := peer.recv(length - len(found))):
            raise ConnectionError
        found += more
    return found


def greet(peer: socket.socket, *, size: int = SIZE, structured: bool = True, block: int = 1) -> None:
    peer.sendall(HELLO)
    take(peer, 4 + 16)
    peer.sendall(option_reply(8, 1 if structured else 2**31 + 1))
    take(peer, 16 + 4 + len(NAME) + 4)
    peer.sendall(export(size, block))


def asked(peer: socket.socket) -> tuple[int, int, int]:
    """The (number, offset, length) of a question."""
    magic, flags, kind, cookie, offset, length = struct.unpack(">IHHQQI", take(peer, 28))
    if kind == 2:
        raise ConnectionError
    assert (magic, flags, kind) == (0x25609513, 0, 0)
    return cookie, offset, length


@contextlib.contextmanager
def serving(serve: Serve) -> Iterator[str]:
    """A server for one client."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory, socket.socket(socket.AF_UNIX) as listening:
        path = f"{directory}/nbd"
        listening.bind(path)
        listening.listen(1)

        def work() -> None:
            with contextlib.suppress(OSError):
                peer, _ = listening.accept()
                with peer:
                    serve(peer)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield path
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def disk_of(offset: int, length: int) -> bytes:
    return bytes((place * 7 + place // 256) % 256 for place in range(offset, offset + length))


@contextlib.contextmanager
def connected(serve: Serve, patience_s: float = 5.0) -> Iterator[NbdDisk]:
    with serving(serve) as path, contextlib.closing(NbdDisk(path, NAME, patience_s)) as disk:
        yield disk


def test_simple_replies() -> None:
    def serve(peer: socket.socket) -> None:
        greet(peer, structured=False)
        while True:
            cookie, offset, length = asked(peer)
            peer.sendall(simple(cookie, disk_of(offset, length)))

    with connected(serve) as disk:
        assert disk.virtual_bytes == SIZE
        assert disk.read(5, 1000) == disk_of(5, 1000)
        assert disk.read(SIZE - 10, 100) == disk_of(SIZE - 10, 10)
        assert (disk.read(SIZE, 10), disk.read(-1, 10), disk.read(0, 0)) == (b"", b"", b"")


def test_pieces_in_any_order_and_holes() -> None:
    def serve(peer: socket.socket) -> None:
        greet(peer)
        cookie, offset, length = asked(peer)
        assert (offset, length) == (100, 300)
        peer.sendall(chunk(1, cookie, struct.pack(">Q", 300) + b"c" * 100))
        peer.sendall(chunk(2, cookie, struct.pack(">QI", 200, 100)))
        peer.sendall(chunk(1, cookie, struct.pack(">Q", 100) + b"a" * 100))
        peer.sendall(chunk(0, cookie, b"", done=True))

    with connected(serve) as disk:
        assert disk.read(100, 300) == b"a" * 100 + bytes(100) + b"c" * 100


def test_blocks_that_a_server_demands() -> None:
    def serve(peer: socket.socket) -> None:
        greet(peer, block=512)
        cookie, offset, length = asked(peer)
        assert (offset, length) == (512, 1024)
        peer.sendall(chunk(1, cookie, struct.pack(">Q", offset) + disk_of(offset, length), done=True))

    with connected(serve) as disk:
        assert disk.read(1000, 100) == disk_of(1000, 100)


GREETINGS: dict[str, bytes] = {
    "nothing": b"",
    "another protocol": b"HTTP/1.1 400 Bad Request",
    "the old handshake": b"NBDMAGIC\x00\x00\x42\x02\x81\x86\x12\x53\x00\x00",
    "not fixed": b"NBDMAGICIHAVEOPT\x00\x00",
    "an answer to something else": HELLO + option_reply(5, 1),
    "a huge answer": HELLO + struct.pack(">QIII", 0x3E889045565A9, 8, 1, 2**32 - 1),
    "no such disk": HELLO + option_reply(8, 1) + option_reply(7, 2**31 + 6, b"no"),
    "no size": HELLO + option_reply(8, 1) + option_reply(7, 1),
    "a disk beyond all": HELLO + option_reply(8, 1) + export(2**63),
    "an odd block": HELLO + option_reply(8, 1) + export(SIZE, block=3),
    "no block": HELLO + option_reply(8, 1) + export(SIZE, block=0),
    "a giant block": HELLO + option_reply(8, 1) + export(SIZE, block=2**31),
    "empty news": HELLO + option_reply(8, 1) + option_reply(7, 3),
    "news for ever": HELLO + option_reply(8, 1) + option_reply(7, 3, struct.pack(">HIII", 3, 1, 1, 1)) * 1000,
}


@pytest.mark.parametrize("said", GREETINGS.values(), ids=GREETINGS)
def test_bad_greetings(said: bytes) -> None:
    def serve(peer: socket.socket) -> None:
        peer.sendall(said)
        peer.shutdown(socket.SHUT_WR)
        peer.recv(2**16)

    with serving(serve) as path, pytest.raises((OSError, ImageError)):
        NbdDisk(path, NAME, patience_s=5)


ANSWERS: dict[str, Callable[[int], bytes]] = {
    "nothing": lambda _: b"",
    "nonsense": lambda _: b"\0" * 64,
    "another number": lambda cookie: simple(cookie + 1, b"x" * 100),
    "too little": lambda cookie: simple(cookie, b"x" * 99),
    "an error": lambda cookie: simple(cookie, b"", failure=5),
    "an unknown error": lambda cookie: simple(cookie, b"", failure=2**31),
    "an error of a piece": lambda cookie: chunk(2**15 + 1, cookie, struct.pack(">IH", 5, 0), done=True),
    "an error without one": lambda cookie: chunk(2**15 + 1, cookie, struct.pack(">IH", 0, 0), done=True),
    "a short error": lambda cookie: chunk(2**15 + 1, cookie, b"", done=True),
    "data before it": lambda cookie: chunk(1, cookie, struct.pack(">Q", 0) + b"x" * 100, done=True),
    "data behind it": lambda cookie: chunk(1, cookie, struct.pack(">Q", 512 + 50) + b"x" * 100, done=True),
    "more data": lambda cookie: chunk(1, cookie, struct.pack(">Q", 512) + b"x" * 101, done=True),
    "huge data": lambda cookie: struct.pack(">IHHQI", 0x668E33EF, 1, 1, cookie, 2**32 - 1),
    "a huge hole": lambda cookie: chunk(2, cookie, struct.pack(">QI", 512, 2**32 - 1), done=True),
    "an empty hole": lambda cookie: chunk(2, cookie, struct.pack(">QI", 512, 0)) * 10,
    "twice the same": lambda cookie: chunk(1, cookie, struct.pack(">Q", 512) + b"x" * 60) * 2,
    "not all of it": lambda cookie: chunk(1, cookie, struct.pack(">Q", 512) + b"x" * 60, done=True),
    "none without end": lambda cookie: chunk(0, cookie, b""),
    "an unknown sort": lambda cookie: chunk(77, cookie, b"", done=True),
    "a simple one in the middle": lambda cookie: (
        chunk(1, cookie, struct.pack(">Q", 512) + b"x" * 60) + simple(cookie, b"y" * 40)
    ),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_bad_answers(answer: Callable[[int], bytes]) -> None:
    """None of them is taken for content, and nothing that comes after one is."""

    def serve(peer: socket.socket) -> None:
        greet(peer)
        cookie, _, _ = asked(peer)
        peer.sendall(answer(cookie))
        peer.shutdown(socket.SHUT_WR)
        peer.recv(2**16)

    with connected(serve) as disk:
        with pytest.raises((OSError, ImageError)):
            disk.read(512, 100)
        with pytest.raises(OSError, match=r"lost"):
            disk.read(512, 100)


def test_a_server_that_trickles() -> None:
    """A byte now and then is no answer: the patience is for all of it."""

    def serve(peer: socket.socket) -> None:
        greet(peer)
        cookie, _, _ = asked(peer)
        for byte in simple(cookie, b"x" * 100):
            peer.sendall(bytes([byte]))
            time.sleep(0.05)

    with connected(serve, patience_s=0.5) as disk:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            disk.read(0, 100)
        assert time.monotonic() - began < 4, "all of it would take longer than 5"


def test_a_server_that_never_answers() -> None:
    with serving(lambda peer: peer.recv(1)) as path, pytest.raises(TimeoutError):
        NbdDisk(path, NAME, patience_s=0.3)


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No such file|too long"):
        NbdDisk(str(tmp_path / "none"), NAME)


def test_a_disk_that_qemu_lends() -> None:
    """Real replies with holes, by two threads, larger than one question."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        image, path = Path(directory) / "disk.raw", f"{directory}/nbd"
        content = os.urandom(3 * 2**20 + 512)
        with image.open("wb") as file:
            file.truncate(16 * 2**20)
            file.seek(2**20 + 4096)
            file.write(content)
        command = ["qemu-nbd", "-r", "-t", "-x", NAME, "-k", path, "-f", "raw", str(image)]
        with subprocess.Popen(command) as server:
            try:
                while not Path(path).exists():
                    time.sleep(0.01)
                with contextlib.closing(NbdDisk(path, NAME)) as disk:
                    whole = image.read_bytes()
                    assert disk.virtual_bytes == len(whole)
                    assert disk.read(0, 2 * len(whole)) == whole
                    found: list[bytes] = []
                    threads = [
                        threading.Thread(target=lambda: found.append(disk.read(2**20 + 1, 5 * 2**20))) for _ in range(2)
                    ]
                    for thread in threads:
                        thread.start()
                    for thread in threads:
                        thread.join()
                    assert found == [whole[2**20 + 1 : 6 * 2**20 + 1]] * 2
                with pytest.raises(OSError, match="does not lend vdb"):
                    NbdDisk(path, "vdb")
            finally:
                server.terminate()
