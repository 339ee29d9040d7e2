"""The checksum of journals (CRC-32C, reflected polynomial 0x82F63B78), of many blocks at once.

Neither the standard library nor numpy has it; block by block in Python a journal would take seconds. Nothing is
inverted before or after, as in the kernel's crc32c().
"""

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
