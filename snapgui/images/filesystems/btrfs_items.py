"""The items of btrfs trees that tell of files: inodes, names, attributes, pieces of content.

Format: the kernel's include/uapi/linux/btrfs_tree.h; the kinds are its ``BTRFS_…_KEY``.
"""

import stat
import struct
from collections.abc import Iterator
from typing import NamedTuple

from snapgui.images.filesystems.filesystem import FilesystemError, Kind, Node, kind_of

INODE, INODE_REF, INODE_EXTENDED_REF, ATTRIBUTE, DIRECTORY_INDEX, EXTENT = 1, 12, 13, 24, 96, 108
ROOT, ROOT_BACK_REF, ROOT_REF = 132, 144, 156
FIRST_FREE = 256
"""The least number of a file, and of a subvolume but the uppermost one."""
USERS_FLAGS = 0x2 | 0x20 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800
"""Those that chattr changes, but for "do not compress", which the kernel sets where it finds that this is in vain."""
PLAIN, ZLIB, LZO, ZSTD = range(4)
INLINE, REGULAR, RESERVED = range(3)
LARGEST = 2**62
_SECOND_NS = 10**9
_INODE = struct.Struct("<QQQQQIIIIQQQ32xqIqIqIqI")
"""Generation, transaction, size, bytes, group; links, owner, group, mode, device; flags, sequence; four times."""
_ENTRY = struct.Struct("<QBQQHHB")
_EXTENT, _PLACE = struct.Struct("<QQBBHB"), struct.Struct("<QQQQ")
_SIZED = (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK)


class Entry(NamedTuple):
    """A name and what it stands for: an inode, or the uppermost directory of another tree. Or an attribute."""

    number: int
    kind: int
    name: bytes
    value: bytes


class Piece(NamedTuple):
    """A part of a file's content: from ``begin`` on, ``length`` bytes.

    Either they are held ``within``, or lie at a logical ``place`` that has ``stored`` bytes, from ``into`` on; in both
    cases all of it is ``whole`` bytes long when decompressed. ``place`` is 0 for zeros.
    """

    begin: int
    length: int
    compression: int
    whole: int
    place: int
    stored: int
    into: int
    within: bytes | None


class Above(NamedTuple):
    """A name of an inode or subvolume: the directory that has it."""

    directory: int
    name: bytes


def node(number: int, item: bytes) -> Node:
    """Return what an inode's item tells."""
    if len(item) < _INODE.size:
        raise FilesystemError("an inode is damaged")
    fields: tuple[int, ...] = _INODE.unpack_from(item)
    generation, _, size, _, _, links, uid, gid, mode, device, flags = fields[:11]
    changed, changed_ns, modified, modified_ns, born, born_ns = fields[14:]
    kind = kind_of(mode)
    if size > LARGEST:
        raise FilesystemError("an inode is damaged")
    return Node(
        number=number,
        kind=kind,
        generation=generation,
        size=size if kind in _SIZED else 0,
        mode=stat.S_IMODE(mode),
        uid=uid,
        gid=gid,
        mtime_ns=_time(modified, modified_ns),
        ctime_ns=_time(changed, changed_ns),
        born_ns=_time(born, born_ns),
        links=links,
        device=(device >> 20, device & 0xFFFFF) if kind in (Kind.CHARACTER, Kind.BLOCK) else None,
        flags=flags & USERS_FLAGS,
        attributed=True,
    )


def substance(kind: int, content: bytes) -> bytes:
    """Return of an item what tells two views apart: of an inode all but access time, transactions and bookkeeping."""
    return content[:8] + content[16:24] + content[40:72] + content[124:160] if kind == INODE else content


def entries(item: bytes) -> Iterator[Entry]:
    """Yield the names, or attributes, in an item; several where their hashes are the same."""
    at = 0
    while at < len(item):
        if at + _ENTRY.size > len(item):
            raise FilesystemError("a directory is damaged")
        number, kind, _, _, value, length, _ = _ENTRY.unpack_from(item, at)
        at += _ENTRY.size
        if at + length + value > len(item):
            raise FilesystemError("a directory is damaged")
        yield Entry(number, kind, item[at : at + length], item[at + length : at + length + value])
        at += length + value


def names(kind: int, offset: int, item: bytes) -> Iterator[Above]:
    """Yield the names that an item INODE_REF or INODE_EXTENDED_REF has. ``offset`` is that of its key."""
    extended = kind == INODE_EXTENDED_REF
    head = 18 if extended else 10
    at = 0
    while at < len(item):
        length = int.from_bytes(item[at + head - 2 : at + head], "little")
        if at + head + length > len(item):
            raise FilesystemError("the names of a file are damaged")
        directory = int.from_bytes(item[at : at + 8], "little") if extended else offset
        yield Above(directory, item[at + head : at + head + length])
        at += head + length


def root_name(item: bytes) -> Above:
    """Return the name that an item ROOT_REF or ROOT_BACK_REF has."""
    length = int.from_bytes(item[16:18], "little")
    if len(item) < 18 + length:
        raise FilesystemError("the name of a subvolume is damaged")
    return Above(int.from_bytes(item[:8], "little"), item[18 : 18 + length])


def piece(begin: int, item: bytes) -> Piece:
    """Return a part of content from its item. Raises FilesystemError where it is encoded in an unknown way."""
    if len(item) < _EXTENT.size:
        raise damaged()
    _, whole, compression, encryption, encoding, kind = _EXTENT.unpack_from(item)
    if encryption or encoding or compression > ZSTD or kind > RESERVED:
        raise FilesystemError("a file is encoded in a way that is not known here")
    if kind == INLINE:
        within = item[_EXTENT.size :]
        length = whole if compression else len(within)
        return _bounded(Piece(begin, length, compression, whole, 0, 0, 0, within))
    if len(item) < _EXTENT.size + _PLACE.size:
        raise damaged()
    place, stored, into, length = _PLACE.unpack_from(item, _EXTENT.size)
    if kind == RESERVED or place == 0:
        return _bounded(Piece(begin, length, PLAIN, length, 0, 0, 0, None))
    return _bounded(Piece(begin, length, compression, whole, place, stored, into, None))


def _bounded(found: Piece) -> Piece:
    if max(found.begin, found.length, found.whole, found.place, found.stored, found.into) > LARGEST // 4:
        raise damaged()
    return found


def damaged() -> FilesystemError:
    """Return what is raised where the pieces of a file cannot be so."""
    return FilesystemError("the map of a file's content is damaged")


def _time(seconds: int, nanoseconds: int) -> int:
    return seconds * _SECOND_NS + min(nanoseconds, _SECOND_NS - 1)
