"""Results of comparisons that cannot change any more, kept on disk: bounded, for this user alone, safe to delete.

Nothing in it is trusted: what cannot be read as it was written counts as not there.
"""

import contextlib
import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from snapgui import __version__
from snapgui.operations.paths import cache_directory

MOST_BYTES = 128 * 2**20
"""Of all results together; those that were not asked for the longest go first."""
LARGEST_RESULT, LARGEST_FILE = 256 * 2**20, 32 * 2**20
"""Bytes of one result, and of the file that it is compressed into."""
FORMAT = 1
"""Grows when results would be understood differently, or readers find more."""


def key_of(kind: str, parts: Iterable[str]) -> str:
    """Return the name of a result; ``parts`` say all that it depends on."""
    digest = hashlib.sha256()
    for part in (kind, str(FORMAT), __version__, *parts):
        digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()


def load(key: str) -> bytes | None:
    """Return a result, None where there is none. Reads a file: never in the window's thread."""
    path = _path(key)
    try:
        if path.stat().st_size > LARGEST_FILE:
            return None
        raw = path.read_bytes()
        check, packed = raw[:32], raw[32:]
        expand = zlib.decompressobj()
        found = expand.decompress(packed, LARGEST_RESULT)
    except (OSError, zlib.error):
        return None
    if not expand.eof or hashlib.sha256(found).digest() != check:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return found


def store(key: str, result: bytes) -> None:
    """Keep a result. A cache that cannot be written is no reason to fail."""
    if len(result) > LARGEST_RESULT:
        return
    packed = hashlib.sha256(result).digest() + zlib.compress(result, 1)
    if len(packed) > LARGEST_FILE:
        return
    path = _path(key)
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, packed)
        _prune(path.parent)


def _write(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix="new-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _path(key: str) -> Path:
    return cache_directory() / "comparisons" / key


def _prune(directory: Path) -> None:
    found = sorted(((entry.stat(), entry) for entry in directory.iterdir()), key=lambda item: item[0].st_mtime)
    total = sum(status.st_size for status, _ in found)
    for status, entry in found:
        if total <= MOST_BYTES:
            return
        entry.unlink(missing_ok=True)
        total -= status.st_size
