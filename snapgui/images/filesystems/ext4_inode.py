"""One inode of an ext filesystem, taken apart.

Format: the kernel's Documentation/filesystems/ext4/inodes.rst; the encoding of times and of device numbers is that of
fs/ext4/ext4.h and include/linux/kdev_t.h.
"""

import stat
import struct

from snapgui.images.filesystems.ext4_attributes import MAGIC
from snapgui.images.filesystems.ext4_layout import OLD_INODE_BYTES
from snapgui.images.filesystems.filesystem import Kind, Node, kind_of

EXTENTS, ENCRYPTED, EA_INODE, INLINE = 0x80000, 0x800, 0x200000, 0x10000000
USERS_FLAGS = 0x8 | 0x10 | 0x20 | 0x40 | 0x80 | 0x10000 | 0x40000000
"""Those that chattr changes: synchronous, immutable, append only, no dump, no access times, synchronous
directory, case folded."""
MAP_AT, MAP_BYTES = 0x28, 60
FAST_TARGET = 60
"""Symbolic links shorter than this lie in the inode."""
_SECOND_NS = 10**9
_FIELDS = struct.Struct("<HHIIiiIHHII4x60xIII6xHHH")
"""Mode, owner, size, times (access, change, modification, deletion), group, links, blocks, flags; generation, block of
attributes, upper half of the size; upper halves of that block, of owner and group."""
_SIZED = (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK)
_BORN_EXTRA = 0x98 - OLD_INODE_BYTES


class Inode:
    """What is in an inode: ``raw`` are its bytes."""

    __slots__ = (
        "_times", "attribute_block", "extra", "flags", "generation", "gid", "kind", "links", "mode", "number", "raw",
        "size", "uid",
    )  # fmt: skip

    def __init__(self, number: int, raw: bytes) -> None:
        fields: tuple[int, ...] = _FIELDS.unpack_from(raw)
        self.number, self.raw = number, raw
        self.mode, uid, low, _, changed, modified, _, gid, self.links, _, self.flags = fields[:11]
        self.generation, acl, high, acl_high, uid_high, gid_high = fields[11:]
        self.kind = kind_of(self.mode)
        self.size = low | high << 32
        self.uid, self.gid = uid | uid_high << 16, gid | gid_high << 16
        self.attribute_block = acl | acl_high << 32
        """The block with extended attributes, 0 for none."""
        self._times = (changed, modified)
        self.extra = 0
        """Bytes of fields behind the first 128."""
        if len(raw) > OLD_INODE_BYTES:
            self.extra = min(raw[0x80] | raw[0x81] << 8, len(raw) - OLD_INODE_BYTES)

    @property
    def used(self) -> bool:
        """Whether there is a file in it."""
        return self.links > 0 and self.mode != 0

    @property
    def map(self) -> bytes:
        """The 60 bytes that say where the content is, or are it."""
        return self.raw[MAP_AT : MAP_AT + MAP_BYTES]

    @property
    def attributes_within(self) -> bytes:
        """The room for extended attributes behind the last field."""
        return self.raw[OLD_INODE_BYTES + self.extra :] if self.extra else b""

    @property
    def fast_target(self) -> bool:
        """Whether it is a symbolic link whose target lies in the inode."""
        return self.kind is Kind.SYMLINK and self.size < FAST_TARGET and not self.flags & (EXTENTS | INLINE)

    @property
    def has_map(self) -> bool:
        """Whether its 60 bytes lead to blocks of content."""
        return self.kind in _SIZED and not self.flags & INLINE and not self.fast_target

    def node(self, target: bytes = b"") -> Node:
        """Return what is told about it."""
        changed, modified = self._times
        return Node(
            number=self.number,
            kind=self.kind,
            generation=self.generation,
            size=self.size if self.kind in _SIZED else 0,
            mode=stat.S_IMODE(self.mode),
            uid=self.uid,
            gid=self.gid,
            mtime_ns=self._time(modified, 0x88),
            ctime_ns=self._time(changed, 0x84),
            born_ns=self._time(_signed(self._word(0x90)), 0x94) if self.extra >= _BORN_EXTRA else 0,
            links=self.links,
            device=self._device(),
            target=target,
            flags=self.flags & USERS_FLAGS,
            encrypted=bool(self.flags & ENCRYPTED),
            attributed=self.attribute_block != 0 or self.attributes_within.startswith(MAGIC),
        )

    def _device(self) -> tuple[int, int] | None:
        if self.kind not in (Kind.CHARACTER, Kind.BLOCK):
            return None
        old, new = self._word(MAP_AT), self._word(MAP_AT + 4)
        if old:
            return old >> 8 & 0xFF, old & 0xFF
        return new >> 8 & 0xFFF, new & 0xFF | new >> 12 & 0xFFF00

    def _time(self, seconds: int, more_at: int) -> int:
        if self.extra < more_at + 4 - OLD_INODE_BYTES:
            return seconds * _SECOND_NS
        more = self._word(more_at)
        return (seconds + ((more & 3) << 32)) * _SECOND_NS + min(more >> 2, _SECOND_NS - 1)

    def _word(self, at: int) -> int:
        return int.from_bytes(self.raw[at : at + 4], "little")


def _signed(word: int) -> int:
    return word - (1 << 32) if word & 1 << 31 else word
