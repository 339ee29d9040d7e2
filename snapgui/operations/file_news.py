"""What a comparison of files tells while it goes on, for whoever shows or collects it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from snapgui.images.filesystems.changes import FileChange
from snapgui.model.text import Text


@dataclass(frozen=True, slots=True)
class FilesystemFound:
    """A filesystem whose files are compared now, by partition (``vda1``) or disk. ``unclean``: changes of the last
    seconds may be missing in at least one view; ``remarks`` belong next to whatever is said about its files.
    """

    place: str
    filesystem: str
    label: str = ""
    unclean: bool = False
    remarks: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class FilesDiffer:
    """Some more files that differ, in no particular order."""

    place: str
    changes: tuple[FileChange, ...]


@dataclass(frozen=True, slots=True)
class FilesystemDone:
    """All of a place has been told. ``problem`` says why its files could not be compared, or not all of them."""

    place: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FilesRead:
    """How many bytes of the content of files have been read so far."""

    place: str
    done: int


FileNews = FilesystemFound | FilesDiffer | FilesystemDone | FilesRead
Tell = Callable[[FileNews], object]


@dataclass(frozen=True, slots=True)
class FilesystemDifference:
    """What became of the files of one filesystem; see ``FilesystemFound`` and ``FilesystemDone``."""

    filesystem: str = ""
    unclean: bool = False
    remarks: tuple[Text, ...] = ()
    changes: tuple[FileChange, ...] = ()
    problem: str = ""


@dataclass(slots=True)
class FileCollection:
    """Collects what is told, by place."""

    _found: dict[str, FilesystemDifference] = field(default_factory=dict)
    _changes: dict[str, list[FileChange]] = field(default_factory=dict)

    def __call__(self, news: FileNews) -> None:
        """Take one piece of news."""
        match news:
            case FilesystemFound(place=place):
                self._found[place] = FilesystemDifference(news.filesystem, news.unclean, news.remarks)
            case FilesDiffer(place, changes):
                self._changes.setdefault(place, []).extend(changes)
            case FilesystemDone(place, problem):
                known = self._found.get(place, FilesystemDifference())
                self._found[place] = replace(known, problem=problem, changes=tuple(self._changes.pop(place, ())))
            case FilesRead():
                pass

    def by_place(self) -> dict[str, FilesystemDifference]:
        """Return what was found, by partition or disk."""
        return dict(self._found)
