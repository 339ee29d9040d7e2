"""What became of a file between two views: records that the window, the command line and the cache share."""

from dataclasses import dataclass
from enum import Enum

from snapgui.images.filesystems.filesystem import Kind, Node
from snapgui.model.difference import Change


class Aspect(Enum):
    """In what a file differs."""

    KIND = "kind"
    CONTENT = "content"
    TARGET = "target"
    DEVICE = "device"
    MODE = "mode"
    OWNER = "owner"
    MODIFIED = "modified"
    ATTRIBUTES = "attributes"
    FLAGS = "flags"


SUBSTANCE = frozenset({Aspect.KIND, Aspect.CONTENT, Aspect.TARGET, Aspect.DEVICE})
"""With one of these a file has changed; with the others alone, only what is known about it."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file in one of the views. ``number`` is the reader's, for reading it; ``sha256`` is hexadecimal, if known."""

    number: int
    kind: Kind
    size: int
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    links: int = 1
    device: tuple[int, int] | None = None
    target: bytes = b""
    encrypted: bool = False
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class FileChange:
    """One path that differs, as text with surrogates for what is no UTF-8; the newer path where there are two.

    ``path_before`` is the older path where it was another one: the file was renamed, or a directory above it.
    """

    path: str
    change: Change
    before: FileFacts | None = None
    after: FileFacts | None = None
    aspects: frozenset[Aspect] = frozenset()
    path_before: str | None = None


def facts(node: Node) -> FileFacts:
    """Return what is told about a file."""
    return FileFacts(
        number=node.number,
        kind=node.kind,
        size=node.size,
        mode=node.mode,
        uid=node.uid,
        gid=node.gid,
        mtime_ns=node.mtime_ns,
        links=node.links,
        device=node.device,
        target=node.target,
        encrypted=node.encrypted,
    )
