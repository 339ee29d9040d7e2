"""The head of a memory file that libvirt wrote: in which format the RAM follows.

Layout: libvirt's src/qemu/qemu_saveimage.h, struct _virQEMUSaveHeader; the numbers are those of its table of formats.
"""

import struct

from snapgui.images.source import ByteSource

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
