"""All names of a FAT or exFAT filesystem, with what is known of each, and the numbers that files are known by."""

from collections.abc import Callable

from snapgui.images.filesystems.fat_entries import ENTRY_BYTES, Listed, exfat_entries, fat_entries
from snapgui.images.filesystems.fat_layout import Layout
from snapgui.images.filesystems.fat_table import Table
from snapgui.images.filesystems.filesystem import DEEPEST, Disk, FilesystemError, Link, Numbers, read_exactly

MOST_FILES = 500_000
"""Of one filesystem; each takes some 500 bytes."""
LONGEST_DIRECTORY, LONGEST_EXFAT = 65536 * ENTRY_BYTES, 256 * 2**20
ROOT = 1
_ENTRIES_FROM, _ENTRIES_EACH = 2**40, 2**24
"""Numbers of files that have no cluster of their own: by directory and place in it."""


class Tree:
    """``files`` by number, and for each directory what lies ``below`` it; ``above``: the directory of each file."""

    def __init__(self, layout: Layout, uppermost: bytes, content_of: Callable[[Listed], bytes]) -> None:
        self.files: dict[int, Listed] = {}
        self.above: dict[int, int] = {}
        self.below: dict[int, tuple[Link, ...]] = {}
        self._layout = layout
        parsed = exfat_entries if layout.exfat else fat_entries
        waiting = [(ROOT, 0)]
        while waiting:
            number, depth = waiting.pop()
            content = uppermost if number == ROOT else content_of(self.files[number])
            links = [Link(listed.name, self._add(listed, number)) for listed in parsed(content)]
            self.below[number] = tuple(links)
            waiting += [(link.number, depth + 1) for link in links if self._may_enter(link.number, depth)]

    def _add(self, listed: Listed, directory: int) -> int:
        """Give a file its number: that of its first cluster, if that is its own."""
        number = listed.first
        if number <= ROOT or number in self.files or number == self._layout.root:
            number = _ENTRIES_FROM + directory % _ENTRIES_FROM * _ENTRIES_EACH + listed.place
        self.files[number], self.above[number] = listed, directory
        if len(self.files) > MOST_FILES:
            raise FilesystemError(f"it has more than {MOST_FILES:,} files, more than are compared here")
        return number

    def _may_enter(self, number: int, depth: int) -> bool:
        if not self.files[number].directory:
            return False
        if number >= _ENTRIES_FROM or depth > DEEPEST:
            raise FilesystemError("a directory lies in two places, or within itself")
        return True


class Contents:
    """Reads directories and says where files lie."""

    def __init__(self, disk: Disk, layout: Layout, table: Table) -> None:
        self._disk, self._layout, self._table = disk, layout, table

    def uppermost(self) -> bytes:
        """Return the uppermost directory."""
        if self._layout.root_at and not self._layout.root:
            return read_exactly(self._disk, self._layout.root_at, self._layout.root_bytes)
        return self._chain(self._layout.root)

    def directory(self, listed: Listed) -> bytes:
        """Return a directory."""
        if not listed.contiguous:
            return self._chain(listed.first)
        if listed.size > LONGEST_EXFAT:
            raise FilesystemError("a directory of the exFAT filesystem is damaged")
        return self._joined(self._table.rows(listed.first, listed.size, contiguous=True))

    def rows(self, listed: Listed) -> Numbers:
        """Return where what is written of a file lies."""
        size = 0 if listed.directory else listed.stored
        return self._table.rows(listed.first, size, contiguous=listed.contiguous)

    def _chain(self, first: int) -> bytes:
        most = LONGEST_EXFAT if self._layout.exfat else LONGEST_DIRECTORY
        clusters = self._table.length(first, max(1, most // self._layout.cluster_bytes))
        return self._joined(self._table.rows(first, clusters * self._layout.cluster_bytes))

    def _joined(self, rows: Numbers) -> bytes:
        return b"".join(read_exactly(self._disk, place, length) for _, place, length in rows.tolist())
