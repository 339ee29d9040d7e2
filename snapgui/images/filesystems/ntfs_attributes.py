"""What belongs to a file of NTFS beside its content: alternate streams, extended attributes, its security descriptor.

Format: the kernel's fs/ntfs3/ntfs.h (EA_FULL, SECURITY_HDR). Streams are named ``stream:`` and their name, extended
attributes as they are, all else as ``ntfs-3g`` names it.
"""

import hashlib
import struct
from collections.abc import Iterator

import numpy as np

from snapgui.images.filesystems.filesystem import FilesystemError
from snapgui.images.filesystems.ntfs_file import WOF_CONTENT, File
from snapgui.images.filesystems.ntfs_record import (
    CONTENT,
    EXTENDED_ATTRIBUTES,
    LOGGED_STREAM,
    OBJECT_ID,
    SECURITY_DESCRIPTOR,
)
from snapgui.images.filesystems.ntfs_reparse import WOF
from snapgui.images.filesystems.ntfs_stream import Stream

LONGEST_VALUE = 4096
"""Bytes of a stream that are given as they are; of longer ones only a digest."""
LONGEST_OF_SYSTEM = 64 * 2**10
LARGEST_DESCRIPTORS = 16 * 2**20
STEP_BYTES = 64 * 2**10
ENCRYPTION = b"$EFS"
_EA = struct.Struct("<IBBH")
_DESCRIPTOR = struct.Struct("<IIQI")
_DESCRIPTOR_STEP, _COPIED = 16, 256 * 2**10
"""Where descriptors begin, and how many bytes of them are followed by a copy of the same length."""

Descriptors = dict[int, bytes]


def attributes(file: File, descriptors: Descriptors) -> dict[bytes, bytes]:
    """Return all attributes of a file. ``descriptors`` are those of the filesystem. Raises FilesystemError."""
    found = dict(extended(file.value(EXTENDED_ATTRIBUTES)))
    wof = file.reparse is not None and file.reparse.tag == WOF
    for name in file.streams(CONTENT):
        stream = file.stream(CONTENT, name)
        if name and stream and not (wof and name == WOF_CONTENT):
            found[b"stream:" + name] = _shown(stream)
    if file.reparse is not None and file.reparse.kind is None:
        found[b"system.ntfs_reparse_data"] = file.reparse.raw
    for kind, name, shown in (
        (OBJECT_ID, b"", b"system.ntfs_object_id"),
        (LOGGED_STREAM, ENCRYPTION, b"system.ntfs_efsinfo"),
        (SECURITY_DESCRIPTOR, b"", b"system.ntfs_acl"),
    ):
        stream = file.stream(kind, name)
        if stream is not None:
            found[shown] = _shown(stream, LONGEST_OF_SYSTEM)
    if file.security:
        found[b"system.ntfs_acl"] = descriptors.get(file.security, b"number %d" % file.security)
    return found


def extended(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield names and values of extended attributes."""
    at = 0
    while at + _EA.size <= len(raw):
        step, _, name_length, length = _EA.unpack_from(raw, at)
        value_at = at + _EA.size + name_length + 1
        if value_at + length > len(raw) or (step and step < _EA.size):
            raise FilesystemError("the extended attributes of a file are damaged")
        yield raw[at + _EA.size : value_at - 1], raw[value_at : value_at + length]
        if step == 0:
            return
        at += step


def security_descriptors(stream: Stream | None) -> Descriptors:
    """Return the descriptors of a filesystem by their numbers, as far as they are found.

    ``stream`` is ``$Secure:$SDS``: entries, each with a head of its own, in pieces of 256 KiB with a copy behind each.
    """
    found: Descriptors = {}
    for at in range(0, min(stream.size, LARGEST_DESCRIPTORS) if stream else 0, 2 * _COPIED):
        found.update(_in_piece(stream.read(at, _COPIED)) if stream else ())
    return found


def _in_piece(piece: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _DESCRIPTOR.size <= len(piece):
        _, number, _, length = _DESCRIPTOR.unpack_from(piece, at)
        if length < _DESCRIPTOR.size:
            return
        yield number, piece[at + _DESCRIPTOR.size : at + length]
        at += -(-length // _DESCRIPTOR_STEP) * _DESCRIPTOR_STEP


def _shown(stream: Stream, longest: int = LONGEST_VALUE) -> bytes:
    """Return a short stream, or what tells a long one from any other."""
    if stream.size <= longest:
        return stream.read(0, stream.size)
    return b"%d bytes, %s" % (stream.size, _digest(stream).encode())


def _digest(stream: Stream) -> str:
    """Return a hash of what is not zeros in a stream, and where: streams of the same size are alike if this is."""
    found = hashlib.sha256()
    for number in _steps(stream):
        piece = stream.read(number * STEP_BYTES, STEP_BYTES)
        if piece.strip(b"\0"):
            found.update(number.to_bytes(8, "little") + piece)
    return found.hexdigest()


def _steps(stream: Stream) -> Iterator[int]:
    """Yield the numbers of pieces of a stream that may not be zeros."""
    behind = 0
    rows = stream.occupied() // STEP_BYTES
    for low, high in rows[np.argsort(rows[:, 0], kind="stable")].tolist():
        yield from range(max(low, behind), high + 1)
        behind = max(behind, high + 1)
