"""The head of a qcow2 image: its header, its table of internal snapshots, and the first-level tables (L1).

Format: QEMU's docs/interop/qcow2.rst, sections "Header", "Snapshots", "Cluster mapping". Images may be crafted or
truncated: every size and place is checked against the file before anything is read or allocated.
"""

import json
import struct
from array import array
from dataclasses import dataclass

from snapgui.images.source import ByteSource

MAGIC = b"QFI\xfb"
MOST_SNAPSHOTS = 65536
LARGEST_L1 = 32 * 2**20
"""Bytes; QEMU itself refuses larger ones (QCOW_MAX_L1_SIZE)."""
LARGEST_SNAPSHOT_TABLE = 64 * 2**20
OFFSET_MASK = 0x00FF_FFFF_FFFF_FE00
"""Bits of an L1 entry that say where the L2 table lies; bit 63 flips when snapshots come and go."""

_HEADER = struct.Struct(">4sIQIIQIIQQIIQ")
_SNAPSHOT = struct.Struct(">QIHHIIQII")
_MEMORY_BYTES = struct.Struct(">Q")
_CLUSTER_BITS = range(9, 22)
_HEADER_BYTES_2 = 72
_LENGTH_AT, _LENGTH = 100, struct.Struct(">I")
_REFCOUNT_ORDER_AT, LARGEST_REFCOUNT_ORDER = 96, 6
_FEATURES_AT, _FEATURES = 72, struct.Struct(">Q")
_COMPRESSION_AT, _COMPRESSIONS = 104, ("zlib", "zstd")
EXTENSION = struct.Struct(">II")
"""Type and length of an extension of the header; its content follows, to the next multiple of eight bytes."""
BACKING_FORMAT, _DATA_FILE = 0xE279_2ACA, 0x4441_5441
"""Types of extensions."""
MOST_EXTENSIONS = 32
MOST_NESTED = 8
"""Block drivers above a file."""


class ImageError(Exception):
    """The file is not a qcow2 image that can be read."""


@dataclass(frozen=True, slots=True)
class ImageSnapshot:
    """One entry of the snapshot table. Sizes are bytes; ``taken`` is seconds since 1970 and nanoseconds."""

    identity: str
    name: str
    l1_offset: int
    l1_entries: int
    memory_bytes: int
    virtual_bytes: int
    taken: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Qcow2Head:
    """What the header says. Sizes and offsets are bytes. ``features`` are the incompatible ones, as a bit mask.

    ``backing_at`` is where the name of the base stands, 0 for none; ``compression`` is ``zlib`` or
    ``zstd``, empty where it is not known here. ``refcounts_at`` and ``refcounts_clusters`` say where the table of
    reference counts lies, ``refcount_bits`` how wide one is. ``data_file`` holds the content, where the image does not.
    """

    version: int
    cluster_bytes: int
    virtual_bytes: int
    l1_offset: int
    l1_entries: int
    backing_file: str
    backing_format: str
    snapshots: tuple[ImageSnapshot, ...]
    encrypted: bool = False
    features: int = 0
    compression: str = "zlib"
    backing_at: int = 0
    refcounts_at: int = 0
    refcounts_clusters: int = 0
    refcount_bits: int = 16
    data_file: str = ""

    def snapshot(self, name: str) -> ImageSnapshot | None:
        """Return the internal snapshot of that name."""
        return next((entry for entry in self.snapshots if entry.name == name), None)


def read_head(source: ByteSource) -> Qcow2Head:
    """Return header and snapshot table; raise ImageError for anything else than a sound qcow2 image."""
    raw = source.read(0, _HEADER.size)
    if len(raw) < _HEADER.size or not raw.startswith(MAGIC):
        raise ImageError("not a qcow2 image")
    fields = _HEADER.unpack(raw)
    _, version, backing_at, backing_bytes, bits, virtual, crypt, entries, l1_at = fields[:9]
    refcounts_at, refcounts, count, table_at = fields[9:]
    if version not in (2, 3) or bits not in _CLUSTER_BITS or count > MOST_SNAPSHOTS:
        raise ImageError("the qcow2 header makes no sense")
    backing = read_bytes(source, backing_at, backing_bytes, most=1023).decode("utf-8", "replace") if backing_at else ""
    snapshots = _snapshots(source, table_at, count, virtual)
    features, compression, refcount_bits = _features(source, version)
    told = extensions(source, version, end=backing_at or 1 << bits)
    base_format = told.get(BACKING_FORMAT, b"").decode("ascii", "replace")
    return Qcow2Head(
        version,
        1 << bits,
        virtual,
        l1_at,
        entries,
        backing,
        base_format,
        snapshots,
        encrypted=bool(crypt),
        features=features,
        compression=compression,
        backing_at=backing_at,
        refcounts_at=refcounts_at,
        refcounts_clusters=refcounts,
        refcount_bits=refcount_bits,
        data_file=told.get(_DATA_FILE, b"").decode("utf-8", "replace"),
    )


def _features(source: ByteSource, version: int) -> tuple[int, str, int]:
    """Return the incompatible features, the type of compression and the bits of a count; version 2 has one of each."""
    if version == 2:  # noqa: PLR2004 - a version number
        return 0, "zlib", 16
    (features,) = _FEATURES.unpack(read_bytes(source, _FEATURES_AT, _FEATURES.size, most=_FEATURES.size))
    (length,) = _LENGTH.unpack(read_bytes(source, _LENGTH_AT, _LENGTH.size, most=_LENGTH.size))
    (order,) = _LENGTH.unpack(read_bytes(source, _REFCOUNT_ORDER_AT, _LENGTH.size, most=_LENGTH.size))
    if order > LARGEST_REFCOUNT_ORDER:
        raise ImageError("the qcow2 header makes no sense")
    kind = read_bytes(source, _COMPRESSION_AT, 1, most=1)[0] if length > _COMPRESSION_AT else 0
    return features, _COMPRESSIONS[kind] if kind < len(_COMPRESSIONS) else "", 1 << order


def extensions_at(source: ByteSource, version: int) -> int:
    """Return where the header's extensions begin; only version 2 does not say how long its header is."""
    if version == 2:  # noqa: PLR2004 - a version number
        return _HEADER_BYTES_2
    (offset,) = _LENGTH.unpack(read_bytes(source, _LENGTH_AT, _LENGTH.size, most=_LENGTH.size))
    return int(offset)


def extensions(source: ByteSource, version: int, end: int) -> dict[int, bytes]:
    """Return the header's extensions, by their type; what lies behind ``end`` is none, even without an end mark."""
    offset = extensions_at(source, version)
    found: dict[int, bytes] = {}
    for _ in range(MOST_EXTENSIONS):
        if offset + EXTENSION.size > end:
            break
        kind, size = EXTENSION.unpack(read_bytes(source, offset, EXTENSION.size, most=EXTENSION.size))
        if kind == 0:
            break
        found[kind] = read_bytes(source, offset + EXTENSION.size, size, most=2**16)
        offset += EXTENSION.size + (size + 7) // 8 * 8
    return found


def file_meant(base: str) -> str:
    """Return the path of the file that an image names as its base, as written; empty where that is no file.

    QEMU takes a path, ``file:`` or ``host_device:`` and a path, or ``json:`` and the options of a block driver, nested
    or with dots.
    """
    if base.startswith("json:"):
        try:
            options = json.loads(base.removeprefix("json:"))
        except (ValueError, RecursionError):
            return ""
        return _file_in(options)
    plain = base.removeprefix("file:").removeprefix("host_device:")
    return "" if ":" in plain.partition("/")[0] else plain


def _file_in(options: object) -> str:
    for _ in range(MOST_NESTED):
        if not isinstance(options, dict):
            return ""
        name = next((value for key, value in options.items() if f".{key}".endswith(".filename")), None)
        if isinstance(name, str):
            return "" if name.startswith("json:") else file_meant(name)
        options = options.get("file", options.get("image"))
    return ""


def same_as_snapshot(source: ByteSource, name: str) -> bool | None:
    """Whether nothing was written since the internal snapshot ``name`` was taken or reverted to.

    Taking copies the L1 table and reverting copies it back; the first write after either replaces an L2 table and
    so changes an L1 entry. None where the image has no such snapshot. Only for images that no VM has open: the
    active table of a running VM is written late.
    """
    head = read_head(source)
    snapshot = next((entry for entry in head.snapshots if entry.name == name), None)
    if snapshot is None:
        return None
    active = read_l1(source, head.l1_offset, head.l1_entries)
    frozen = read_l1(source, snapshot.l1_offset, snapshot.l1_entries)
    longest = max(len(active), len(frozen))
    return _padded(active, longest) == _padded(frozen, longest)


def untouched(source: ByteSource) -> bool:
    """Whether nothing was ever written to an image (an overlay): its L1 table is empty."""
    head = read_head(source)
    return not any(read_l1(source, head.l1_offset, head.l1_entries))


def _snapshots(source: ByteSource, offset: int, count: int, virtual: int) -> tuple[ImageSnapshot, ...]:
    """Snapshots without a size of their own (version 2) have that of the disk now."""
    found: list[ImageSnapshot] = []
    end = offset + LARGEST_SNAPSHOT_TABLE
    for _ in range(count):
        fields = _SNAPSHOT.unpack(read_bytes(source, offset, _SNAPSHOT.size, most=_SNAPSHOT.size))
        l1_at, entries, id_bytes, name_bytes, seconds, nanoseconds, _, memory, extra_bytes = fields
        body = read_bytes(source, offset + _SNAPSHOT.size, extra_bytes + id_bytes + name_bytes, most=2**20)
        extra, rest = body[:extra_bytes], body[extra_bytes:]
        if len(extra) >= _MEMORY_BYTES.size:
            (memory,) = _MEMORY_BYTES.unpack_from(extra)
        (size,) = _MEMORY_BYTES.unpack_from(extra, 8) if len(extra) >= 2 * _MEMORY_BYTES.size else (virtual,)
        identity, name = rest[:id_bytes].decode("utf-8", "replace"), rest[id_bytes:].decode("utf-8", "replace")
        found.append(ImageSnapshot(identity, name, l1_at, entries, memory, size, (seconds, nanoseconds)))
        offset += (_SNAPSHOT.size + len(body) + 7) // 8 * 8
        if offset > end:
            raise ImageError("the snapshot table is too large")
    return tuple(found)


def read_l1(source: ByteSource, offset: int, entries: int) -> "array[int]":
    """Return where the second-level tables lie, 0 for none: there may be millions, of 8 bytes each."""
    raw = read_bytes(source, offset, entries * 8, most=LARGEST_L1)
    return array("Q", (entry & OFFSET_MASK for (entry,) in struct.iter_unpack(">Q", raw)))


def _padded(entries: "array[int]", length: int) -> "array[int]":
    return entries + array("Q", [0]) * (length - len(entries))


def read_bytes(source: ByteSource, offset: int, length: int, most: int) -> bytes:
    """Return exactly these bytes; raise ImageError where the file has not that many, or they are more than ``most``."""
    if length > most or offset + length > source.size:
        raise ImageError("the image is truncated or damaged")
    raw = source.read(offset, length)
    if len(raw) != length:
        raise ImageError("the image is truncated or damaged")
    return raw
