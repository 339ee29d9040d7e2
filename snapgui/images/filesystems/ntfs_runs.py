"""Where the content of an attribute lies on an NTFS filesystem: its mapping pairs.

Format: the kernel's fs/ntfs3/run.c. Results are rows of (cluster of the file, cluster of the disk, count); clusters of
the disk are -1 where there are none, and the content is zeros.
"""

import numpy as np

from snapgui.images.filesystems.filesystem import FilesystemError, Numbers

MOST_RUNS = 1_500_000
"""Of one attribute; 36 MiB of numbers, and some times as much while they are checked."""
NOWHERE = -1
_LARGEST, _WIDEST = 2**48, 8


def runs(pairs: bytes, first: int, clusters: int) -> list[tuple[int, int, int]]:
    """Return the runs of an attribute, or of a piece of one that begins at cluster ``first``.

    ``clusters`` are those of the volume. Raises FilesystemError.
    """
    found, at, begin, place = [], 0, first, 0
    while at < len(pairs) and pairs[at]:
        counted, placed = pairs[at] & 15, pairs[at] >> 4
        behind = at + 1 + counted + placed
        if not 0 < counted <= _WIDEST or placed > _WIDEST or behind > len(pairs):
            raise damaged()
        count = int.from_bytes(pairs[at + 1 : at + 1 + counted], "little", signed=True)
        place += int.from_bytes(pairs[at + 1 + counted : behind], "little", signed=True)
        if not 0 < count < _LARGEST or begin + count > _LARGEST:
            raise damaged()
        if placed and not 0 <= place <= clusters - count:
            raise damaged()
        found.append((begin, place if placed else NOWHERE, count))
        begin, at = begin + count, behind
    return found


def joined(pieces: list[list[tuple[int, int, int]]], clusters: int) -> Numbers:
    """Return the runs of all pieces of an attribute as one. Raises FilesystemError where a piece is missing."""
    if sum(map(len, pieces)) > MOST_RUNS:
        raise FilesystemError("a file lies in more pieces than are read here")
    if len(pieces) == 1 and len(pieces[0]) == 1 and pieces[0][0][0] == 0:
        return np.array(pieces[0], np.int64)
    rows = np.array([run for piece in pieces for run in piece], np.int64).reshape(-1, 3)
    ends = np.cumsum(rows[:, 2])
    if not np.array_equal(rows[:, 0], ends - rows[:, 2]) or int(rows[rows[:, 1] >= 0, 2].sum()) > clusters:
        raise damaged()
    return rows


def damaged() -> FilesystemError:
    """Return what is raised where the map of a file cannot be so."""
    return FilesystemError("the map of a file's clusters is damaged")
