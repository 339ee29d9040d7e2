"""One inode of an XFS filesystem, taken apart.

Format: "XFS Algorithms & Data Structures", chapters "On-disk Inode" and "Timestamps", and xfs_format.h of the kernel
for the numbers of extents that are wider.
"""

import stat
import struct
from typing import NamedTuple

from snapgui.images.filesystems.filesystem import Kind, Node, kind_of

MAGIC = b"IN"
DEVICE, LOCAL, EXTENTS, TREE = range(4)
"""What the rest of an inode, or of its second part, holds: a device number, content, extents, the root of a tree."""
REALTIME = 1
USERS_FLAGS = 0x8 | 0x10 | 0x20 | 0x40 | 0x80 | 0x400 | 0x2000
"""Those that a user sets: immutable, append only, synchronous, no access times, no dump, no symbolic links, no
defragmentation."""
BIG_TIMES, MANY_EXTENTS = 8, 16  # second flags
_SECOND_NS = 10**9
_EPOCH_NS = 2**31 * _SECOND_NS
"""Wide times count from the earliest one of 32 bits, in 1901."""
_FIELDS = struct.Struct(">2sHBBHIII20x8s8sq12xIHBBIHHI")
"""Magic, mode, version, format, old links, uid, gid, links; modification, change, size; extents, of attributes, place
of those, their format; (two of DMAPI), flags, generation."""
_SECOND_FLAGS_AT, _BORN_AT, _NUMBER_AT = 120, 144, 152
_SIZED = (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK)


class Fork(NamedTuple):
    """A part of an inode that holds content or attributes, or leads to them."""

    format: int
    extents: int
    room: bytes


NONE = Fork(EXTENTS, 0, b"")


class Inode:
    """What is in an inode: ``raw`` are its bytes, the first ``core_bytes`` of them fields."""

    __slots__ = (
        "_born", "_times", "attributes", "content", "flags", "generation", "gid", "kind", "links", "mode", "number",
        "raw", "second_flags", "size", "sound", "uid",
    )  # fmt: skip

    def __init__(self, number: int, raw: bytes, core_bytes: int) -> None:
        magic, self.mode, version, form, old_links, self.uid, self.gid, links, *more = _FIELDS.unpack_from(raw)
        modified, changed, self.size, extents, extents_of_attributes, at, form_of_attributes, *last = more
        wide = core_bytes > _SECOND_FLAGS_AT
        self.number, self.raw = number, raw
        self.sound = magic == MAGIC and (not wide or int.from_bytes(raw[_NUMBER_AT : _NUMBER_AT + 8], "big") == number)
        """Whether it is this inode at all: places that are reserved for inodes need not be written."""
        self.flags, self.generation = last[2:]
        self.links = old_links if version == 1 else links
        self.kind = kind_of(self.mode)
        self.size = max(0, self.size)
        self._times = (modified, changed)
        self._born = raw[_BORN_AT : _BORN_AT + 8] if wide else b""
        self.second_flags = int.from_bytes(raw[_SECOND_FLAGS_AT : _SECOND_FLAGS_AT + 8], "big") if wide else 0
        if self.second_flags & MANY_EXTENTS:
            extents_of_attributes, extents = extents, int.from_bytes(raw[24:32], "big")
        behind = core_bytes + 8 * at if at else len(raw)
        self.content = Fork(form, extents, raw[core_bytes:behind])
        self.attributes = Fork(form_of_attributes, extents_of_attributes, raw[behind:]) if at else NONE

    @property
    def used(self) -> bool:
        """Whether there is a file in it."""
        return self.sound and self.links > 0 and self.mode != 0

    @property
    def realtime(self) -> bool:
        """Whether its content lies on the realtime device."""
        return bool(self.flags & REALTIME) and self.kind is Kind.FILE

    @property
    def attributed(self) -> bool:
        """Whether there are extended attributes."""
        if self.attributes.format == LOCAL:
            return self.attributes.room[2:3] not in (b"", b"\0")
        return self.attributes.extents > 0

    def node(self, target: bytes = b"") -> Node:
        """Return what is told about it."""
        modified, changed = self._times
        return Node(
            number=self.number,
            kind=self.kind,
            generation=self.generation,
            size=self.size if self.kind in _SIZED else 0,
            mode=stat.S_IMODE(self.mode),
            uid=self.uid,
            gid=self.gid,
            mtime_ns=self._time(modified),
            ctime_ns=self._time(changed),
            born_ns=self._time(self._born) if self._born else 0,
            links=self.links,
            device=self._device(),
            target=target,
            flags=self.flags & USERS_FLAGS,
            attributed=self.attributed,
        )

    def _device(self) -> tuple[int, int] | None:
        if self.kind not in (Kind.CHARACTER, Kind.BLOCK):
            return None
        number = int.from_bytes(self.content.room[:4], "big")
        return number >> 18, number & 0x3FFFF

    def _time(self, raw: bytes) -> int:
        if self.second_flags & BIG_TIMES:
            return int.from_bytes(raw, "big") - _EPOCH_NS
        seconds = int.from_bytes(raw[:4], "big", signed=True)
        return seconds * _SECOND_NS + min(int.from_bytes(raw[4:], "big"), _SECOND_NS - 1)
