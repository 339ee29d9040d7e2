"""The head of a memory file that libvirt wrote: in which format the RAM follows, and of which VM it is.

Layout: libvirt's src/qemu/qemu_saveimage.h, struct _virQEMUSaveHeader: magic, version, length of the document with its
slack, whether the VM ran, format, place of the cookie in the document; the numbers are those of its table of formats.
"""

import struct
from collections.abc import Callable

from snapgui.images.qcow2 import ImageError
from snapgui.images.source import ByteSource

LARGEST_DOCUMENT = 16 * 2**20
_HEAD_BYTES = 92
_COOKIE_AT = 32
_HEAD = struct.Struct("<16sIIII")
_MAGICS = (b"LibvirtQemudSave", b"LibvirtQemudPart")
_FORMATS = ("raw", "gzip", "bzip2", "xz", "lzop", "zstd", "sparse")


def memory_format(source: ByteSource) -> str:
    """Return the format by libvirt's name (``raw``, ``sparse``, ``zstd``, …); empty for anything else."""
    raw = source.read(0, _HEAD.size)
    if len(raw) < _HEAD.size:
        return ""
    magic, _, _, _, number = _HEAD.unpack(raw)
    return _FORMATS[number] if magic in _MAGICS and number < len(_FORMATS) else ""


def is_whole(source: ByteSource) -> bool:
    """Whether libvirt wrote a memory file to its end; it marks one as such only then."""
    return source.read(0, len(_MAGICS[0])) == _MAGICS[0]


def document_of(source: ByteSource) -> str:
    """Return the ``<domain>`` document of the VM as it was when its memory was saved; raise ImageError."""
    raw = source.read(0, _HEAD_BYTES)
    if len(raw) < _HEAD_BYTES or _HEAD.unpack_from(raw)[0] not in _MAGICS:
        raise ImageError("the memory file is none of libvirt's")
    room = _HEAD.unpack_from(raw)[2]
    body = source.read(_HEAD_BYTES, min(room, LARGEST_DOCUMENT))
    if room > LARGEST_DOCUMENT or len(body) != room:
        raise ImageError("the memory file is truncated or damaged")
    return body.split(b"\0", 1)[0].decode("utf-8", "replace")


def head_with_document(source: ByteSource, change: Callable[[str], str]) -> bytes:
    """Return the beginning of a memory file with its ``<domain>`` document changed; the RAM stays where it is.

    Raises ImageError where the file is none of libvirt's, or the new document does not fit into the room of the old.
    """
    raw = source.read(0, _HEAD_BYTES)
    if len(raw) < _HEAD_BYTES or _HEAD.unpack_from(raw)[0] not in _MAGICS:
        raise ImageError("the memory file is none of libvirt's")
    room = _HEAD.unpack_from(raw)[2]
    (cookie_at,) = struct.unpack_from("<I", raw, _COOKIE_AT)
    body = source.read(_HEAD_BYTES, min(room, LARGEST_DOCUMENT))
    if room > LARGEST_DOCUMENT or len(body) != room or cookie_at > room:
        raise ImageError("the memory file is truncated or damaged")
    text = body[:cookie_at] if cookie_at else body
    cookie = body[cookie_at:].split(b"\0", 1)[0] if cookie_at else b""
    document = change(text.split(b"\0", 1)[0].decode("utf-8", "replace")).encode() + b"\0"
    packed = document + cookie + b"\0" if cookie_at else document
    if len(packed) > room:
        raise ImageError("the memory file has no room for the clone's configuration")
    head = bytearray(raw)
    struct.pack_into("<I", head, _COOKIE_AT, len(document) if cookie_at else 0)
    return bytes(head) + packed.ljust(room, b"\0")
