"""Pictures of the guest's screen, kept in the cache by VM, snapshot name and creation time."""

import contextlib
import hashlib
import re
import struct
import zlib
from pathlib import Path

from snapgui.model.records import Snapshot
from snapgui.operations.paths import cache_directory

MOST_BYTES = 256 * 2**20
"""Size that the cache of thumbnails may have; the oldest go first."""

_PPM = re.compile(rb"P6\s+(\d{1,5})\s+(\d{1,5})\s+255\s", re.ASCII)


def path_of(vm_uuid: str, snapshot: Snapshot) -> Path:
    """Return where the picture of a snapshot lies, if there is one. Names never become file names."""
    identity = f"{snapshot.name}\0{snapshot.created.isoformat()}".encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(identity).hexdigest()[:32]
    return _directory() / re.sub(r"[^0-9a-fA-F-]", "_", vm_uuid) / f"{digest}.png"


def store(vm_uuid: str, snapshot: Snapshot, picture: bytes) -> None:
    """Keep a screenshot (PPM or PNG). A cache that cannot be written is no reason to fail."""
    path = path_of(vm_uuid, snapshot)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(_as_png(picture))
        fresh.replace(path)
        _prune()


def forget(vm_uuid: str, snapshot: Snapshot) -> None:
    """Remove the picture of a deleted snapshot."""
    with contextlib.suppress(OSError):
        path_of(vm_uuid, snapshot).unlink()


def _directory() -> Path:
    return cache_directory() / "thumbnails"


def _as_png(picture: bytes) -> bytes:
    """Return a binary PPM as PNG (RFC 2083); anything else as it is."""
    header = _PPM.match(picture)
    if header is None:
        return picture
    width, height = int(header[1]), int(header[2])
    body, row = picture[header.end() :], width * 3
    if len(body) < row * height:
        return picture
    lines = b"".join(b"\0" + body[line * row : (line + 1) * row] for line in range(height))
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", size), (b"IDAT", zlib.compress(lines, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _prune() -> None:
    found = [(entry.stat(), entry) for entry in _directory().glob("*/*.png")]
    total = sum(stat.st_size for stat, _ in found)
    for stat, entry in sorted(found, key=lambda item: item[0].st_mtime):
        if total <= MOST_BYTES:
            return
        entry.unlink()
        total -= stat.st_size
