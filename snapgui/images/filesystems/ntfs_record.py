"""One record of the master file table, and the attributes in it.

Format: the kernel's fs/ntfs3/ntfs.h (MFT_REC, ATTRIB). Files, and directories, are numbered by record and sequence
number together, for a record that is used again is another file.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from snapgui.images.filesystems.filesystem import FilesystemError
from snapgui.images.filesystems.ntfs_layout import mended

STANDARD_INFORMATION, ATTRIBUTE_LIST, FILE_NAME, OBJECT_ID, SECURITY_DESCRIPTOR = 0x10, 0x20, 0x30, 0x40, 0x50
VOLUME_NAME, VOLUME_INFORMATION, CONTENT, INDEX_ROOT, INDEX_ALLOCATION = 0x60, 0x70, 0x80, 0x90, 0xA0
REPARSE_POINT, EXTENDED_ATTRIBUTES, LOGGED_STREAM, END = 0xC0, 0xE0, 0x100, 0xFFFFFFFF
COMPRESSED, ENCRYPTED = 0x00FF, 0x4000
"""Flags of an attribute; the lower byte is the method, of which there is one."""
IN_USE, IS_DIRECTORY = 0x1, 0x2
_HEAD = struct.Struct("<4s4x8xHHHHIIQ")
"""Signature, sequence number, links, place of the first attribute, flags, bytes in use, bytes, base record."""
_ATTRIBUTE = struct.Struct("<IIBBHHH")
_RESIDENT = struct.Struct("<IH")
_ELSEWHERE = struct.Struct("<qqHH4xQQQ")
"""First and last cluster, place of the mapping pairs, clusters per unit (a power of two); bytes allocated, of content,
and of content that was written."""
_ELSEWHERE_AT = 16
_LARGEST_UNIT = 4
_LARGEST = 2**62


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute, or a piece of one. ``value`` is its content where that lies in the record, None elsewhere.

    ``first`` is the cluster that a piece begins with, and ``pairs`` say where it lies. Of the sizes in bytes, all
    behind ``written`` is zeros. ``unit_clusters`` are compressed together.
    """

    kind: int
    name: bytes
    flags: int
    value: bytes | None
    size: int
    first: int = 0
    pairs: bytes = b""
    written: int = 0
    unit_clusters: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """A record in use: ``number`` has its sequence number in it; ``base`` is the record that it goes on with, or 0."""

    number: int
    flags: int
    base: int
    raw: bytes
    attributes_at: int

    def attributes(self) -> Iterator[Attribute]:
        """Yield what is in it. Raises FilesystemError."""
        at = self.attributes_at
        while self.raw[at : at + 4] != b"\xff\xff\xff\xff":
            if at % 8 or at + _ATTRIBUTE.size > len(self.raw):
                raise _damaged()
            length = int.from_bytes(self.raw[at + 4 : at + 8], "little")
            if length < _ATTRIBUTE.size + _RESIDENT.size or at + length > len(self.raw):
                raise _damaged()
            yield _attribute(self.raw[at : at + length])
            at += length


def numbered(reference: int) -> int:
    """Return the number of a file from a reference: the record, and the sequence number in the lower 16 bits."""
    return (reference & 0xFFFFFFFFFFFF) << 16 | reference >> 48


def record(row: int, raw: bytes) -> Record | None:
    """Return the record that stands in a row of the table; None where none is in use. Raises FilesystemError."""
    if raw[:4] != b"FILE":
        return None
    raw = mended(raw, b"FILE")
    _, sequence, _, attributes_at, flags, _, _, base = _HEAD.unpack_from(raw)
    if not flags & IN_USE:
        return None
    return Record(row << 16 | sequence, flags, numbered(base), raw, attributes_at)


def text(raw: bytes) -> bytes:
    """Return as UTF-8 what is UTF-16; halves of surrogate pairs are kept."""
    raw = raw[:-1] if len(raw) % 2 else raw
    return raw.decode("utf-16-le", "surrogatepass").encode("utf-8", "surrogatepass")


def _attribute(raw: bytes) -> Attribute:
    kind, length, elsewhere, name_length, name_at, flags, _ = _ATTRIBUTE.unpack_from(raw)
    if name_length and name_at + 2 * name_length > length:
        raise _damaged()
    name = text(raw[name_at : name_at + 2 * name_length]) if name_length else b""
    if not elsewhere:
        size, at = _RESIDENT.unpack_from(raw, _ELSEWHERE_AT)
        if at + size > length or at % 8:
            raise _damaged()
        return Attribute(kind, name, flags, raw[at : at + size], size)
    if length < _ELSEWHERE_AT + _ELSEWHERE.size:
        raise _damaged()
    first, _, pairs_at, unit, _, size, written = _ELSEWHERE.unpack_from(raw, _ELSEWHERE_AT)
    if first < 0 or pairs_at > length or unit > _LARGEST_UNIT or max(size, written) > _LARGEST:
        raise _damaged()
    return Attribute(kind, name, flags, None, size, first, raw[pairs_at:], written, 1 << unit if unit else 0)


def _damaged() -> FilesystemError:
    return FilesystemError("a record of a file is damaged")
