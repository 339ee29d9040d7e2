"""What the columns say of one file or directory that differs. An id is 2 · row + 1, or 2 · directory."""

from dataclasses import dataclass

from snapgui.images.filesystems.filesystem import Kind
from snapgui.model.difference import Change
from snapgui.ui.file_words import (
    aspect_words,
    change_sign,
    change_words,
    growth_words,
    safe_short,
    sizes_words,
    sum_words,
    time_words,
)
from snapgui.ui.files_arrangement import ADDED, OTHERS, REMOVED, Arrangement
from snapgui.ui.files_batch import ASPECTS, CHANGES, KINDS, NOTHING
from snapgui.ui.files_table import FilesTable
from snapgui.ui.wording import tr

LONGEST_TIP = 1200


@dataclass(frozen=True, slots=True)
class FilesCells:
    """Looks at the table only for what is asked."""

    table: FilesTable
    shown: Arrangement

    def text(self, number: int, column: int) -> str:
        """Return what a column says."""
        row = self.row(number)
        match column:
            case 0:
                return self._name(number)
            case 1:
                change = self.change(number)
                return "" if change is None else f"{change_sign(change)[0]} {change_words(change)}"
            case 2:
                return self._sizes(number // 2) if number % 2 else growth_words(int(self.shown.growth[number // 2]))
            case 3:
                return self._differing(number, row)
        return "" if row is None else self._modified(row)

    def row(self, number: int) -> int | None:
        """Return the row of the table; of a directory the one that it is itself, None where only files in it differ."""
        if number % 2:
            return number // 2
        own = int(self.shown.frame.own[number // 2])
        return own if own >= 0 else None

    def path(self, number: int) -> str:
        """Return the whole path, as the disk has it."""
        frame = self.shown.frame
        return frame.path(number // 2) if number % 2 else frame.paths[number // 2] or "/"

    def other_path(self, number: int) -> str | None:
        """Return the path on the left side, where it was another one."""
        row = self.row(number)
        return None if row is None else self.table.other_path(row, mirrored=self.shown.wish.mirrored)

    def change(self, number: int) -> Change | None:
        """Return what became of it; None for a directory that does not differ itself."""
        row = self.row(number)
        return None if row is None else CHANGES[int(self.shown.frame.change[row])]

    def tip(self, number: int) -> str:
        """Return the whole path, and where it was."""
        text, other = safe_short(self.path(number), LONGEST_TIP), self.other_path(number)
        return text if other is None else f"{text}\n{tr('was {path}').format(path=safe_short(other, LONGEST_TIP))}"

    def icon(self, number: int) -> str:
        """Return the name of its drawing."""
        if number % 2 == 0:
            return "disk" if number // 2 in self.table.roots else "folder"
        before, after = self.shown.frame.kind[number // 2].tolist()
        kind = KINDS[before if after == NOTHING else after]
        return {Kind.DIRECTORY: "folder", Kind.SYMLINK: "link"}.get(kind, "file")

    def _name(self, number: int) -> str:
        frame, wish = self.shown.frame, self.shown.wish
        if number % 2:
            return safe_short(frame.path(number // 2) if wish.flat else frame.name(number // 2) or "/")
        place = self.table.place_of(number // 2)
        if number // 2 == self.table.roots[place]:
            return self.table.places[place]
        return safe_short(frame.directory_name(number // 2))

    def _differing(self, number: int, row: int | None) -> str:
        parts = []
        if row is not None:
            bits = int(self.shown.frame.aspects[row])
            parts = [aspect_words(each) for place, each in enumerate(ASPECTS) if bits >> place & 1]
        other = self.other_path(number) if self.change(number) is Change.RENAMED else None
        if other is not None:
            parts.insert(0, tr("was {path}").format(path=safe_short(other)))
        text = ", ".join(parts)
        below = "" if number % 2 else self.sums(number // 2)
        return f"{text}; {below}" if text and below else text or below

    def sums(self, directory: int) -> str:
        """Return what became of everything in a directory that is shown."""
        sums = self.shown.sums[directory].tolist()
        return sum_words(sums[ADDED], sums[REMOVED], sums[OTHERS])

    def _sizes(self, row: int) -> str:
        kinds, sizes = self.shown.frame.kind[row].tolist(), self.shown.frame.size[row].tolist()
        before, after = (size if _has_size(kind) else None for kind, size in zip(kinds, sizes, strict=True))
        return sizes_words(before, after)

    def _modified(self, row: int) -> str:
        kinds, times = self.shown.frame.kind[row].tolist(), self.shown.frame.modified[row].tolist()
        return time_words(times[0] if kinds[1] == NOTHING else times[1])


def _has_size(kind: int) -> bool:
    return kind != NOTHING and KINDS[kind] in {Kind.FILE, Kind.SYMLINK}
