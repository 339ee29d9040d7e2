"""Small changes to the head of a qcow2 image: what it says of its base.

Format: QEMU's docs/interop/qcow2.rst, sections "Header" and "Header extensions": the name of the base lies anywhere in
the first cluster behind the extensions. A new name is written into room that nothing refers to; only then do a few
bytes in the file's first sector come to point there. Whoever is killed in between leaves the old head or the new one.
"""

import struct
from dataclasses import dataclass

from snapgui.images.qcow2 import (
    BACKING_FORMAT,
    EXTENSION,
    ImageError,
    Qcow2Head,
    extensions,
    extensions_at,
    read_bytes,
    read_head,
)
from snapgui.images.rebase import LONGEST_NAME
from snapgui.images.source import ByteSource

SECTOR = 512
_BACKING = struct.Struct(">QI")
_BACKING_AT = 8
_FEATURE_NAMES = 0x6803_F857


@dataclass(frozen=True, slots=True)
class Patch:
    """Bytes to be written at a place of a file; patches are written in their order, each flushed before the next."""

    offset: int
    content: bytes


def with_base(source: ByteSource, base: str) -> tuple[Patch, ...]:
    """Return what makes another path the base of an image that has one; raise ImageError where that cannot be."""
    head = read_head(source)
    if not head.backing_at:
        raise ImageError("the image has no base")
    name = base.encode()
    if len(name) > LONGEST_NAME:
        raise ImageError("the path of the base is too long")
    end = extensions_at(source, head.version) + len(_packed(_known(source, head)))
    room = _free_room(source, head, name, after=end)
    return Patch(room, name), Patch(_BACKING_AT, _BACKING.pack(room, len(name)))


def with_format(source: ByteSource, base_format: str) -> tuple[Patch, ...]:
    """Return what makes an image say the format of its base, instead of whatever it says; raise ImageError."""
    head = read_head(source)
    if not head.backing_at:
        raise ImageError("the image has no base")
    begin = extensions_at(source, head.version)
    packed = _with_extension(_known(source, head), base_format, SECTOR - begin)
    end = begin + len(packed)
    name = head.backing_file.encode()
    room = _free_room(source, head, name, after=max(end, SECTOR))
    first = bytearray(read_bytes(source, 0, SECTOR, most=SECTOR))
    _BACKING.pack_into(first, _BACKING_AT, room, len(name))
    first[begin:end] = packed
    return Patch(room, name), Patch(0, bytes(first))


def _with_extension(known: dict[int, bytes], base_format: str, room: int) -> bytes:
    """The names of features are there for people; QEMU writes them anew by itself. Where they do not fit, they go."""
    for dropped in ({BACKING_FORMAT}, {BACKING_FORMAT, _FEATURE_NAMES}):
        kept = {kind: content for kind, content in known.items() if kind not in dropped}
        packed = _packed({BACKING_FORMAT: base_format.encode(), **kept})
        if len(packed) <= room:
            return packed
    raise ImageError("the header has no room for the format of the base")


def _known(source: ByteSource, head: Qcow2Head) -> dict[int, bytes]:
    return extensions(source, head.version, end=head.backing_at)


def _packed(known: dict[int, bytes]) -> bytes:
    each = (EXTENSION.pack(kind, len(c)) + c.ljust((len(c) + 7) // 8 * 8, b"\0") for kind, c in known.items())
    return b"".join(each) + EXTENSION.pack(0, 0)


def _free_room(source: ByteSource, head: Qcow2Head, name: bytes, after: int) -> int:
    """Return where in the first cluster there is room for a name, behind ``after`` and behind the name of now.

    Room is zeros, or the name itself as far as it came when somebody who wrote it was killed.
    """
    begin = max(after, head.backing_at + len(head.backing_file.encode()))
    begin = (begin + 7) // 8 * 8
    if begin + len(name) > min(head.cluster_bytes, source.size):
        raise ImageError("the first cluster of the image has no room for the path of the base")
    there = read_bytes(source, begin, len(name), most=LONGEST_NAME)
    if any(old not in {0, new} for old, new in zip(there, name, strict=True)):
        raise ImageError("the first cluster of the image is full")
    return begin
