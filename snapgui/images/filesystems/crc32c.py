"""The checksum of journals (CRC-32C, reflected polynomial 0x82F63B78), of many blocks at once.

Neither the standard library nor numpy has it; block by block in Python a journal would take seconds. Nothing is
inverted before or after, as in the kernel's crc32c().
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
Words = NDArray[np.uint32]


def _shifted(values: Words, bits: int) -> Words:
    for _ in range(bits):
        values = np.where(
            values & np.uint32(1), (values >> np.uint32(1)) ^ np.uint32(_POLYNOMIAL), values >> np.uint32(1)
        )
    return values


_LOW = _shifted(np.arange(65536, dtype=np.uint32), 32)
"""What the lower half of a state becomes when four bytes have gone through it."""
_HIGH = _shifted(np.arange(65536, dtype=np.uint32), 16)
_BYTE = _shifted(np.arange(256, dtype=np.uint32), 8)


def crc32c(state: int, content: bytes) -> int:
    """Return the state after a few bytes."""
    for byte in content:
        state = int(_BYTE[(state ^ byte) & 0xFF]) ^ state >> 8
    return state


def crc32c_rows(states: Words, rows: NDArray[np.uint8]) -> Words:
    """Return the states after each row of bytes went through its own; the rows' length is a multiple of 4."""
    for column in np.ascontiguousarray(rows.view("<u4").T):
        states = states ^ column
        states = _LOW[states & np.uint32(0xFFFF)] ^ _HIGH[states >> np.uint32(16)]
    return states


_PIECE_BYTES = 256
MOST_BYTES = 256 * _PIECE_BYTES


def crc32c_long(content: bytes) -> int:
    """Return the usual checksum (inverted before and after) of 4 bytes to 64 KiB, of which all are done side by side.

    What a byte adds to the state depends on nothing but its value and how many bytes are behind it.
    """
    pieces = -(-len(content) // _PIECE_BYTES)
    whole = np.zeros(pieces * _PIECE_BYTES, dtype=np.uint8)
    begin = len(whole) - len(content)
    whole[begin:] = np.frombuffer(content, np.uint8)
    whole[begin : begin + 4] ^= 0xFF  # zeros in front change nothing
    states = _sum(_behind_bytes(), whole.reshape(pieces, _PIECE_BYTES))
    return int(_sum(_behind_pieces()[-pieces:].reshape(-1, 256), states.view(np.uint8))) ^ 0xFFFFFFFF


def _sum(tables: Words, values: NDArray[np.uint8]) -> Words:
    """Return the sum of each row of bytes, to each of which a table of its own tells what it adds."""
    places = np.arange(0, tables.size, 256, dtype=np.intp) + values
    found: Words = np.bitwise_xor.reduce(tables.take(places), axis=-1)
    return found


@cache
def _behind_bytes() -> Words:
    """Return a table for each byte of a piece: what its values become until the end of the piece."""
    tables = [_BYTE]
    while len(tables) < _PIECE_BYTES:
        last = tables[-1]
        tables.append(_BYTE[last & np.uint32(0xFF)] ^ last >> np.uint32(8))
    return np.stack(tables[::-1])


@cache
def _behind_pieces() -> Words:
    """Return tables for each piece: what each of four bytes of the state after it becomes until the end of the last."""
    values = np.arange(256, dtype=np.uint32)
    tables = [np.stack([values << np.uint32(shift) for shift in (0, 8, 16, 24)])]
    while len(tables) * _PIECE_BYTES < MOST_BYTES:
        tables.append(_sum(_behind_bytes()[:4], tables[-1].reshape(-1, 1).view(np.uint8)).reshape(4, 256))
    return np.stack(tables[::-1])
