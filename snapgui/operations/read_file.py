"""Read one file of a VM's disk as it was at a snapshot, or as it is now. Nothing is mounted."""

from collections.abc import Iterator

from snapgui.hypervisor.connection import Connection
from snapgui.images.filesystems.content import pieces
from snapgui.images.filesystems.filesystem import FileSystem, Kind, Node
from snapgui.model.errors import Gone, Refused
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.facts import Facts
from snapgui.operations.history import History
from snapgui.operations.lent_files import lent_filesystem

MOST_LINKS = 40
"""Symbolic links that are followed on the way to a file, as the kernel counts them; more go round in circles."""


def read_file(
    connection: Connection, facts: Facts, history: History, snapshot: str | None, place: str, path: str
) -> Iterator[bytes]:
    """Yield the content of a file in pieces; ``place`` is a disk (``vda``) or a partition of it (``vda1``).

    Symbolic links are followed within the filesystem. Raises Gone, Refused, or Broken where it cannot be read.
    A running VM does not stand still for it, but is held meanwhile: raises Busy where it cannot be.
    """
    with lent_filesystem(connection, facts, history, snapshot, place) as files:
        node = _found(files, path)
        yield from pieces(files, node.number, node.size)


def _found(files: FileSystem, path: str) -> Node:
    """Walk down from the root; raise Gone, or Refused for what has no content."""
    missing = QT_TRANSLATE_NOOP("errors", "There is no file {path}.").format(path=path)
    waiting = [
        part for part in reversed(path.encode("utf-8", "surrogateescape").split(b"/")) if part not in {b"", b"."}
    ]
    way = [files.root]
    links = 0
    while waiting:
        part = waiting.pop()
        if part == b"..":
            way = way[:-1] or [files.root]
            continue
        number = next((link.number for link in files.links(way[-1]) if link.name == part), None)
        node = None if number is None else files.node(number)
        if node is None:
            raise Gone(missing)
        if node.kind is Kind.SYMLINK:
            links += 1
            if links > MOST_LINKS:
                raise Gone(missing)
            way = [files.root] if node.target.startswith(b"/") else way
            waiting += _parts(node.target)
            continue
        if waiting and node.kind is not Kind.DIRECTORY:
            raise Gone(missing)
        way.append(node.number)
    node = files.node(way[-1])
    if node is None or node.kind is not Kind.FILE:
        raise Refused(QT_TRANSLATE_NOOP("errors", "{path} is no file with content.").format(path=path))
    return node


def _parts(path: bytes) -> list[bytes]:
    """Return the parts of a path, the last one first."""
    return [part for part in reversed(path.split(b"/")) if part not in {b"", b"."}]
