"""One file of an NTFS filesystem: what its attributes say together.

Format: the kernel's fs/ntfs3/ntfs.h (ATTR_STD_INFO, ATTR_FILE_NAME).
"""

import struct
from collections import defaultdict
from functools import cached_property

from snapgui.images.filesystems import ntfs_reparse
from snapgui.images.filesystems.filesystem import FilesystemError, Kind, Node
from snapgui.images.filesystems.ntfs_index import Index
from snapgui.images.filesystems.ntfs_mft import MasterTable
from snapgui.images.filesystems.ntfs_record import (
    CONTENT,
    FILE_NAME,
    INDEX_ALLOCATION,
    INDEX_ROOT,
    IS_DIRECTORY,
    REPARSE_POINT,
    STANDARD_INFORMATION,
    Attribute,
    Record,
)
from snapgui.images.filesystems.ntfs_reparse import Reparse
from snapgui.images.filesystems.ntfs_stream import Stream

NAMES, DEVICE_NUMBERS, DEVICE_BYTES = b"$I30", b"$LXDEV", 8
WOF_CONTENT = b"WofCompressedData"
LARGEST_REPARSE = 64 * 2**10
_EPOCH = 116_444_736_000_000_000
"""1970, in steps of 100 ns since 1601."""
_ENCRYPTED = 0x4000
USERS_FLAGS = 0x0FFF_FFFF & ~0x80
"""Attributes of a file (read-only 0x1, hidden 0x2, system 0x4, archive 0x20, compressed 0x800, …) but ``normal`` and
those that say that it is a directory or an index."""
_STANDARD = struct.Struct("<QQQQI")
_SECURITY_AT, _DOS = 0x34, 2


class File:
    """A record with all that belongs to it. Raises FilesystemError, also when it is asked."""

    def __init__(self, table: MasterTable, head: Record) -> None:
        self._table, self.number, self._directory = table, head.number, bool(head.flags & IS_DIRECTORY)
        pieces: defaultdict[tuple[int, bytes], list[Attribute]] = defaultdict(list)
        for each in table.attributes(head):
            pieces[each.kind, each.name].append(each)
        self._pieces = pieces

    def stream(self, kind: int, name: bytes = b"") -> Stream | None:
        """Return one of its attributes; None where it has none of that kind and name."""
        pieces = self._pieces.get((kind, name))
        return Stream(self._table.disk, self._table.layout, pieces) if pieces else None

    def value(self, kind: int, most: int = 2**16, name: bytes = b"") -> bytes:
        """Return the content of a short attribute, empty where there is none."""
        found = self.stream(kind, name)
        if found is None:
            return b""
        if found.size > most:
            raise FilesystemError("an attribute of a file is damaged")
        return found.read(0, found.size)

    def streams(self, kind: int) -> list[bytes]:
        """Return the names of its attributes of a kind."""
        return [name for each, name in self._pieces if each == kind]

    @cached_property
    def reparse(self) -> Reparse | None:
        """Its reparse point."""
        raw = self.value(REPARSE_POINT, LARGEST_REPARSE)
        return ntfs_reparse.reparse(raw) if raw else None

    @cached_property
    def content(self) -> Stream | None:
        """Its content as it is stored: that of a file which Windows compressed by WOF lies in another stream."""
        if self.reparse is not None and self.reparse.tag == ntfs_reparse.WOF:
            return self.stream(CONTENT, WOF_CONTENT) or self.stream(CONTENT)
        return self.stream(CONTENT)

    @cached_property
    def kind(self) -> Kind:
        """What it is; links that are directories for Windows are links."""
        if self.reparse is not None and self.reparse.kind is not None:
            return self.reparse.kind
        return Kind.DIRECTORY if self._directory else Kind.FILE

    @cached_property
    def security(self) -> int:
        """The number of its security descriptor, 0 for none."""
        return int.from_bytes(self._standard[_SECURITY_AT : _SECURITY_AT + 4], "little")

    def index(self, name: bytes = NAMES) -> Index:
        """Return one of its indexes, that of the names in it mostly."""
        root, blocks = self.stream(INDEX_ROOT, name), self.stream(INDEX_ALLOCATION, name)
        if root is None or root.value is None or (blocks is not None and blocks.value is not None):
            raise FilesystemError("a directory is damaged")
        return Index(root.value, blocks, self._table.layout.cluster_bytes)

    def node(self, device: tuple[int, int] | None = None) -> Node:
        """Return what is told about it."""
        born, modified, changed, _, flags = _STANDARD.unpack_from(self._standard)
        names = [each for each in self._pieces[FILE_NAME, b""] if each.value and each.value[65:66] != bytes([_DOS])]
        content = self.content if self.kind is Kind.FILE else None
        return Node(
            number=self.number,
            kind=self.kind,
            generation=self.number & 0xFFFF,
            size=content.size if content else 0,
            mtime_ns=_time(modified),
            ctime_ns=_time(changed),
            born_ns=_time(born),
            links=max(1, len(names)),
            device=device,
            target=self.reparse.target if self.reparse else b"",
            flags=flags & USERS_FLAGS,
            encrypted=bool(flags & _ENCRYPTED) or (content is not None and content.encrypted),
            attributed=True,
        )

    @cached_property
    def _standard(self) -> bytes:
        found = self.value(STANDARD_INFORMATION)
        if len(found) < _STANDARD.size:
            raise FilesystemError("a record of a file is damaged")
        return found


def _time(steps: int) -> int:
    return (steps - _EPOCH) * 100
