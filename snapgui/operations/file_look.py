"""Look closely at one file of a VM as it was at a snapshot: what is known about it, its text, its hash."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from snapgui.hypervisor.connection import Connection
from snapgui.images.filesystems.content import pieces
from snapgui.images.filesystems.filesystem import FileSystem, Kind, Node
from snapgui.operations.facts import Facts
from snapgui.operations.file_text import as_text
from snapgui.operations.history import History
from snapgui.operations.lent_files import lent_file

TEXT_BYTES = 2**20
"""The largest file that is shown as text."""
PICTURE_BYTES = 8 * 2**20
"""The largest file that is shown as a picture."""
HASHED_BYTES = 64 * 2**20
"""The largest file that is read to its end without being asked to."""
MOST_ATTRIBUTES, ATTRIBUTE_BYTES = 64, 256
"""Extended attributes that are kept, and how much of each."""
_PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
)
"""How files begin that hold a picture, and the names of these formats."""
Report = Callable[[int, int], object]
"""Gets how many bytes of how many have been read."""


@dataclass(frozen=True, slots=True)
class FileLook:
    """A file in one state. ``text`` is None for what is none, or is too long; ``sha256`` is hexadecimal, if known.

    ``picture`` is the whole content where it begins like a picture of ``picture_format``.
    """

    node: Node
    attributes: tuple[tuple[bytes, bytes], ...] = ()
    text: str | None = None
    sha256: str = ""
    picture: bytes = b""
    picture_format: str = ""


def look_at_file(
    connection: Connection,
    facts: Facts,
    history: History,
    snapshot: str | None,
    place: str,
    path: str,
    *,
    report: Report,
    cancel: threading.Event,
    whole: bool = False,
) -> FileLook | None:
    """Return what lies at a path; None where nothing does. ``whole``: read it to its end, however long it is.

    Raises as ``lent_filesystem``.
    """
    with lent_file(connection, facts, history, snapshot, place, path, cancel) as (files, node):
        if node is None:
            return None
        attributes = tuple(_attributes(files, node))
        if node.kind is not Kind.FILE or node.encrypted:
            return FileLook(node, attributes)
        return _with_content(files, node, attributes, report, whole=whole)


def _with_content(
    files: FileSystem, node: Node, attributes: tuple[tuple[bytes, bytes], ...], report: Report, *, whole: bool
) -> FileLook:
    if node.size > HASHED_BYTES and not whole:
        return FileLook(node, attributes)
    digest, kept = hashlib.sha256(), b""
    for piece in reported(files, node, report):
        digest.update(piece)
        if len(kept) + len(piece) <= PICTURE_BYTES >= node.size:
            kept += piece
    text = as_text(kept) if node.size <= TEXT_BYTES else None
    shape = "" if text is not None else next((name for begin, name in _PICTURES if kept.startswith(begin)), "")
    return FileLook(node, attributes, text, digest.hexdigest(), kept if shape else b"", shape)


def reported(files: FileSystem, node: Node, report: Report) -> Iterator[bytes]:
    """Yield the content of a file; ``report`` gets how much of it has been read."""
    done = 0
    for piece in pieces(files, node.number, node.size):
        yield piece
        done += len(piece)
        report(done, node.size)


def _attributes(files: FileSystem, node: Node) -> Iterator[tuple[bytes, bytes]]:
    found = files.attributes(node.number) if node.attributed else {}
    for name in sorted(found)[:MOST_ATTRIBUTES]:
        yield name, found[name][:ATTRIBUTE_BYTES]
