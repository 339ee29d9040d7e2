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


_PIECES = 1024
"""Into which one long block is cut, so that numpy has that many to do at once."""


def crc32c_long(content: bytes) -> int:
    """Return the usual checksum of a long block (inverted before and after), whose pieces are done side by side.

    Zeros in front of what is checked change nothing; two neighbours become one by what the left one's state turns
    into while as many zeros as the right one is long go through it.
    """
    step = 4
    while step * _PIECES < len(content):
        step *= 2
    count = 1 << max(0, -(-len(content) // step) - 1).bit_length()
    whole = np.zeros(count * step, dtype=np.uint8)
    begin = len(whole) - len(content)
    whole[begin:] = np.frombuffer(content, np.uint8)
    whole[begin : begin + 4] ^= 0xFF
    states = crc32c_rows(np.zeros(count, np.uint32), whole.reshape(count, step))
    while len(states) > 1:
        tables = _past(step)
        states = _through(tables, states[::2]) ^ states[1::2]
        step *= 2
    return int(states[0]) ^ 0xFFFFFFFF


def _through(tables: tuple[Words, Words], states: Words) -> Words:
    low, high = tables
    found: Words = low[states & np.uint32(0xFFFF)] ^ high[states >> np.uint32(16)]
    return found


@cache
def _past(count: int) -> tuple[Words, Words]:
    """Return what the halves of a state become when ``count`` zeros, a power of two from 4 on, have gone through it."""
    if count == 4:  # noqa: PLR2004 - what the first tables are made for
        return _LOW, _HIGH
    half = _past(count // 2)
    return _through(half, half[0]), _through(half, half[1])
