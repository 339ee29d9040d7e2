"""The SHA-256 of files that differ, read in pieces."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from snapgui.images.filesystems.changes import Aspect, FileChange, FileFacts
from snapgui.images.filesystems.content import pieces
from snapgui.images.filesystems.filesystem import FileSystem, Kind
from snapgui.operations.file_news import FilesRead, Tell


def sha256(files: FileSystem, number: int, size: int) -> Iterator[int | str]:
    """Read a file; yield how many bytes each piece had, and at last its SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    for piece in pieces(files, number, size):
        digest.update(piece)
        yield len(piece)
    yield digest.hexdigest()


class Hashes:
    """Adds the hashes of both views to changes, and tells how much has been read for it."""

    def __init__(self, place: str, before: FileSystem, after: FileSystem, tell: Tell) -> None:
        self._place, self._before, self._after, self._tell = place, before, after, tell
        self._read = 0

    def added(self, changes: Iterable[FileChange]) -> Iterator[FileChange]:
        """Yield the changes with hashes; files whose content is the same are read once."""
        for change in changes:
            before = self._hashed(self._before, change.before)
            if before is not None and change.after is not None and _same_content(change):
                yield replace(change, before=before, after=replace(change.after, sha256=before.sha256))
            else:
                yield replace(change, before=before, after=self._hashed(self._after, change.after))

    def _hashed(self, files: FileSystem, file: FileFacts | None) -> FileFacts | None:
        if file is None or file.kind is not Kind.FILE or file.encrypted:
            return file
        for found in sha256(files, file.number, file.size):
            if isinstance(found, str):
                return replace(file, sha256=found)
            self._read += found
            self._tell(FilesRead(self._place, self._read))
        return file


def _same_content(change: FileChange) -> bool:
    return change.before is not None and not change.aspects & {Aspect.KIND, Aspect.CONTENT}
