"""Whether a qcow2 image is whole, as far as its beginning and its first-level table tell: no content is read.

Format: QEMU's docs/interop/qcow2.rst, section "Header".
"""

import struct
from enum import StrEnum

from snapgui.images.clusters import CORRUPT
from snapgui.images.qcow2 import LARGEST_L1, MAGIC, ImageError, Qcow2Head, read_head, read_l1
from snapgui.images.source import ByteSource

_OTHERS = (
    (0, b"KDMV"),
    (0, b"# Disk DescriptorFile"),
    (0, b"COWD"),
    (0, b"QED\0"),
    (0, b"LUKS\xba\xbe"),
    (0, b"vhdxfile"),
    (0, b"conectix"),
    (0, b"WithoutFreeSpace"),
    (0, b"WithouFreSpacExt"),
    (0, b"Bochs Virtual HD Image"),
    (64, struct.pack("<I", 0xBEDA107F)),
)
"""(place, bytes) by which QEMU knows the other formats of disks (block/*.c); of VHD its copy at the beginning."""


class Trouble(StrEnum):
    """What is wrong with an image."""

    NONE = ""
    UNREADABLE = "unreadable"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"


def trouble_of(source: ByteSource, *, still: bool) -> tuple[Qcow2Head | None, Trouble]:
    """Return (head, what is wrong) of an image that should be qcow2; ``still``: nobody writes to it meanwhile.

    Raises OSError where it cannot be read.
    """
    try:
        head = read_head(source)
    except ImageError:
        whole_magic = source.read(0, len(MAGIC)) == MAGIC
        return None, Trouble.TRUNCATED if whole_magic else Trouble.UNREADABLE
    if head.features & CORRUPT:
        return head, Trouble.CORRUPT
    try:
        _within(source, head, still=still)
    except ImageError:
        return head, Trouble.TRUNCATED
    return head, Trouble.NONE


def _within(source: ByteSource, head: Qcow2Head, *, still: bool) -> None:
    """Raise ImageError where a table lies behind the end of the file; of an image that grows, the end is not known."""
    if not still:
        return
    tables = [(head.refcounts_at, head.refcounts_clusters * head.cluster_bytes)]
    if head.l1_entries * 8 <= LARGEST_L1:
        tables += [(place, head.cluster_bytes) for place in read_l1(source, head.l1_offset, head.l1_entries) if place]
    end = source.size
    if any(place + length > end for place, length in tables):
        raise ImageError("a table lies behind the end of the image")


def foreign(first: bytes) -> bool:
    """Whether a file that is no qcow2 image begins as one of another format of disks does; if not, it is raw."""
    return any(first[place : place + len(magic)] == magic for place, magic in _OTHERS)
