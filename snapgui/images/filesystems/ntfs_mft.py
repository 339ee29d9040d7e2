"""The master file table: where it lies, one record of it, and all attributes of a file that has several.

Format: the kernel's fs/ntfs3/attrlist.c. The table is a file of its own, described in its first record.
"""

import struct
from collections.abc import Iterator

from snapgui.images.filesystems.filesystem import Disk, FilesystemError, Numbers, read_exactly
from snapgui.images.filesystems.ntfs_layout import MOST_RECORDS, Layout
from snapgui.images.filesystems.ntfs_record import ATTRIBUTE_LIST, CONTENT, Attribute, Record, numbered, record
from snapgui.images.filesystems.ntfs_stream import Stream

MOST_LISTED = 2**20
"""Bytes of a list of attributes; Windows stops at 256 KiB."""
_LISTED = struct.Struct("<IHBBQQ")
"""Kind, length, length and place of the name, first cluster, record."""


class MasterTable:
    """The records of a filesystem. Raises FilesystemError where its own cannot be read."""

    def __init__(self, disk: Disk, layout: Layout) -> None:
        self.disk, self.layout = disk, layout
        at = layout.mft_cluster * layout.cluster_bytes
        first = record(0, read_exactly(disk, at, layout.record_bytes))
        if first is None:
            raise FilesystemError("the master file table is missing")
        self._stream = self._found(first)
        self.extents = self._extents()
        self.records = self._stream.size // layout.record_bytes
        if self.records > MOST_RECORDS:
            raise FilesystemError("there are more files than are read here")

    def read(self, first: int, count: int) -> bytes:
        """Return the bytes of some records."""
        size = self.layout.record_bytes
        return self._stream.read(first * size, count * size)

    def row(self, row: int) -> Record | None:
        """Return the record in a row of the table; None where none is in use. Raises FilesystemError."""
        return record(row, self.read(row, 1)) if 0 <= row < self.records else None

    def record(self, number: int) -> Record | None:
        """Return the record with a number; None where there is none, or one that was used again."""
        found = self.row(number >> 16)
        return found if found is not None and found.number == number else None

    def attributes(self, head: Record) -> list[Attribute]:
        """Return all attributes of a file, those of its further records among them. Raises FilesystemError."""
        found = list(head.attributes())
        for piece in [each for each in found if each.kind == ATTRIBUTE_LIST]:
            for number in self._elsewhere(head, piece):
                found += self._further(head, number).attributes()
        return found

    def _further(self, head: Record, number: int) -> Record:
        found = self.record(number)
        if found is None or found.base != head.number:
            raise FilesystemError("a record of a file with several is missing")
        return found

    def _elsewhere(self, head: Record, piece: Attribute) -> list[int]:
        """Return the further records of a file, in the order of its list."""
        return list(dict.fromkeys(number for _, _, number in self._listed(piece) if number != head.number))

    def _listed(self, piece: Attribute) -> Iterator[tuple[int, int, int]]:
        """Yield the list of a file's attributes: kind, first cluster, number of the record."""
        if piece.size > MOST_LISTED:
            raise FilesystemError("a file has more attributes than are read here")
        content, at = Stream(self.disk, self.layout, [piece]).read(0, piece.size), 0
        while at + _LISTED.size <= len(content):
            kind, length, _, _, first, reference = _LISTED.unpack_from(content, at)
            if length < _LISTED.size:
                raise FilesystemError("the list of a file's attributes is damaged")
            yield kind, first, numbered(reference)
            at += length

    def _found(self, head: Record) -> Stream:
        """Return the table as a file: each of its further records lies in what the ones before it tell of."""
        attributes = list(head.attributes())
        pieces = [each for each in attributes if each.kind == CONTENT and not each.name]
        if not pieces or pieces[0].value is not None:
            raise FilesystemError("the master file table is missing")
        listed = [entry for each in attributes if each.kind == ATTRIBUTE_LIST for entry in self._listed(each)]
        further = sorted((first, number) for kind, first, number in listed if kind == CONTENT)
        for _, number in dict.fromkeys(each for each in further if each[1] != head.number):
            self._stream = _Partial(self.disk, self.layout, pieces)
            self.records = self._stream.size // self.layout.record_bytes
            known = self._further(head, number)
            pieces += [each for each in known.attributes() if each.kind == CONTENT and not each.name]
        return Stream(self.disk, self.layout, pieces)

    def _extents(self) -> Numbers:
        found = self._stream.extents()
        if found is None:
            raise FilesystemError("the master file table is damaged")
        return found


class _Partial(Stream):
    """The beginning of an attribute: it ends where its runs do."""

    def _checked(self, written: int) -> None:
        ends = self._places[:, 0] + self._places[:, 2]
        self.size = self._written = min(written, int(ends.max(initial=0)))
