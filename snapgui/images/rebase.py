"""Give the copy of an image another base, by the beginning of its file alone.

Format: QEMU's docs/interop/qcow2.rst, section "Header": the name of the base lies in the first cluster, behind header
and extensions.
"""

import struct

from snapgui.images.qcow2 import ImageError, read_bytes, read_head
from snapgui.images.source import ByteSource

_BACKING = struct.Struct(">QI")
_BACKING_AT = 8
LONGEST_NAME = 1023


def head_with_base(source: ByteSource, base: str) -> bytes:
    """Return the first cluster of an image that has a base, with another path in it; raise ImageError if it has not."""
    head = read_head(source)
    if not head.backing_at:
        raise ImageError("the image has no base")
    name = base.encode()
    if len(name) > LONGEST_NAME or head.backing_at + len(name) > head.cluster_bytes:
        raise ImageError("the path of the base is too long")
    first = bytearray(read_bytes(source, 0, min(head.cluster_bytes, source.size), most=head.cluster_bytes))
    first[head.backing_at :] = name.ljust(len(first) - head.backing_at, b"\0")
    _BACKING.pack_into(first, _BACKING_AT, head.backing_at, len(name))
    return bytes(first)
