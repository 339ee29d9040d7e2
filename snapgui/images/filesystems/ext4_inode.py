"""One inode of an ext filesystem, taken apart.

Format: the kernel's Documentation/filesystems/ext4/inodes.rst; the encoding of times and of device numbers is that of
fs/ext4/ext4.h and include/linux/kdev_t.h.
"""

import stat
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Inode:
    """What is in an inode. ``raw`` are its bytes."""

    number: int
    raw: bytes

    @property
    def mode(self) -> int:
        """Kind and permissions."""
        return self._half(0)

    @property
    def kind(self) -> Kind:
        """What it is."""
        return kind_of(self.mode)

    @property
    def links(self) -> int:
        """How many names it has; 0 for one that is deleted."""
        return self._half(0x1A)

    @property
    def used(self) -> bool:
        """Whether there is a file in it."""
        return self.links > 0 and self.mode != 0

    @property
    def flags(self) -> int:
        """All its flags."""
        return self._word(0x20)

    @property
    def size(self) -> int:
        """Bytes of content."""
        return self._word(0x4) | self._word(0x6C) << 32

    @property
    def map(self) -> bytes:
        """The 60 bytes that say where the content is, or are it."""
        return self.raw[MAP_AT : MAP_AT + MAP_BYTES]

    @property
    def attribute_block(self) -> int:
        """The block with extended attributes, 0 for none."""
        return self._word(0x68) | self._half(0x76) << 32

    @property
    def attributes_within(self) -> bytes:
        """The room for extended attributes behind the last field."""
        return self.raw[OLD_INODE_BYTES + self._extra :] if self._extra else b""

    @property
    def fast_target(self) -> bool:
        """Whether it is a symbolic link whose target lies in the inode."""
        return self.kind is Kind.SYMLINK and self.size < FAST_TARGET and not self.flags & (EXTENTS | INLINE)

    @property
    def has_map(self) -> bool:
        """Whether its 60 bytes lead to blocks of content."""
        if self.flags & INLINE or self.fast_target:
            return False
        return self.kind in (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK)

    def node(self, target: bytes = b"") -> Node:
        """Return what is told about it."""
        return Node(
            number=self.number,
            kind=self.kind,
            generation=self._word(0x64),
            size=self.size if self.kind in (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK) else 0,
            mode=stat.S_IMODE(self.mode),
            uid=self._half(0x2) | self._half(0x78) << 16,
            gid=self._half(0x18) | self._half(0x7A) << 16,
            mtime_ns=self._time(0x10, 0x88),
            ctime_ns=self._time(0xC, 0x84),
            born_ns=self._time(0x90, 0x94) if self._extra >= 0x98 - OLD_INODE_BYTES else 0,
            links=self.links,
            device=self._device(),
            target=target,
            flags=self.flags & USERS_FLAGS,
            encrypted=bool(self.flags & ENCRYPTED),
            attributed=self.attribute_block != 0 or self.attributes_within[:1] != b"",
        )

    @property
    def _extra(self) -> int:
        if len(self.raw) <= OLD_INODE_BYTES:
            return 0
        return min(self._half(0x80), len(self.raw) - OLD_INODE_BYTES)

    def _device(self) -> tuple[int, int] | None:
        if self.kind not in (Kind.CHARACTER, Kind.BLOCK):
            return None
        old, new = self._word(MAP_AT), self._word(MAP_AT + 4)
        if old:
            return old >> 8 & 0xFF, old & 0xFF
        return new >> 8 & 0xFFF, new & 0xFF | new >> 12 & 0xFFF00

    def _time(self, at: int, more_at: int) -> int:
        seconds = int.from_bytes(self.raw[at : at + 4], "little", signed=True)
        if self._extra < more_at + 4 - OLD_INODE_BYTES:
            return seconds * _SECOND_NS
        more = self._word(more_at)
        return (seconds + ((more & 3) << 32)) * _SECOND_NS + min(more >> 2, _SECOND_NS - 1)

    def _half(self, at: int) -> int:
        return int.from_bytes(self.raw[at : at + 2], "little")

    def _word(self, at: int) -> int:
        return int.from_bytes(self.raw[at : at + 4], "little")
