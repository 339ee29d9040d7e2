"""Made-up news of a comparison of files, for windows that ask no hypervisor."""

from snapgui.images.filesystems.changes import Aspect, FileChange, FileFacts
from snapgui.images.filesystems.filesystem import Kind, Node
from snapgui.model.difference import Change
from snapgui.model.text import Text
from snapgui.operations.file_look import FileLook
from snapgui.operations.file_news import FilesDiffer, FilesystemDone, FilesystemFound
from snapgui.ui.compare_window import CompareWindow
from snapgui.ui.file_look_loader import PairLook, _pictures, shown_rows
from snapgui.ui.files_batch import packed
from snapgui.ui.line_difference import words_of

MTIME = 1_790_000_000 * 10**9
HOSTILE = (
    "/odd/<b>bold & <img src=x>",
    "/odd/line\nbreak",
    "/odd/\x1b[31mred",
    "/odd/\udcff\udcfe no utf-8",
    "/odd/\u202egnp.exe",
    "/odd/" + "n" * 10_000,
)


def facts(number: int = 1, size: int = 1000, kind: Kind = Kind.FILE, mtime: int = MTIME) -> FileFacts:
    return FileFacts(number, kind, size, 0o644, 0, 0, mtime)


def added(path: str, size: int = 1000, kind: Kind = Kind.FILE) -> FileChange:
    return FileChange(path, Change.ADDED, after=facts(size=size, kind=kind))


def removed(path: str, size: int = 1000, kind: Kind = Kind.FILE) -> FileChange:
    return FileChange(path, Change.REMOVED, before=facts(size=size, kind=kind))


def changed(path: str, before: int = 1000, after: int = 3000) -> FileChange:
    sides = facts(size=before), facts(size=after, mtime=MTIME + 10**9)
    return FileChange(path, Change.CHANGED, *sides, frozenset({Aspect.CONTENT, Aspect.MODIFIED}))


def touched(path: str, kind: Kind = Kind.FILE) -> FileChange:
    return FileChange(path, Change.METADATA, facts(kind=kind), facts(kind=kind), frozenset({Aspect.MODE, Aspect.OWNER}))


def renamed(path: str, before: str) -> FileChange:
    return FileChange(path, Change.RENAMED, facts(), facts(), frozenset(), before)


ROOT = (
    changed("/etc/php/8.4/php.ini", 74_000, 74_210),
    changed("/etc/hosts", 200, 260),
    added("/etc/php/8.4/mods-available/opcache.ini", 90),
    removed("/etc/php/8.3/php.ini", 73_900),
    removed("/etc/php/8.3", kind=Kind.DIRECTORY),
    added("/usr/lib/php/20240924/opcache.so", 4_300_000),
    removed("/usr/lib/php/20230831/opcache.so", 4_100_000),
    touched("/var/log", Kind.DIRECTORY),
    touched("/var/log/auth.log"),
    renamed("/var/backups/dpkg.status.1", "/var/backups/dpkg.status.0"),
    added("/usr/bin/php", kind=Kind.SYMLINK, size=21),
)
REMARK = Text("filesystem", "Its log could not be replayed: changes of the last seconds may be missing.")


def tell(window: CompareWindow, *news: FilesystemFound | FilesystemDone | FilesDiffer, end: bool = True) -> None:
    """Give a window news as its worker would."""
    tab = window.files_page
    for each in news:
        tab.files.take(packed(each) if isinstance(each, FilesDiffer) else each)
    tab.show_content()
    tab.arranger.grown()
    if end:
        tab._end(None)


def upgrade(window: CompareWindow) -> None:
    """What an upgrade did, on two filesystems; a third one cannot be read."""
    tell(
        window,
        FilesystemFound("vda1", "ext4", "root"),
        FilesDiffer("vda1", ROOT),
        FilesystemDone("vda1"),
        FilesystemDone("vda2", "no filesystem that is read here lies on it"),
        FilesystemFound("vdb1", "xfs", "data", True, (REMARK,)),
        FilesDiffer("vdb1", tuple(added(path) for path in HOSTILE)),
        FilesystemDone("vdb1"),
    )


def look(before: str, after: str) -> PairLook:
    """Two texts of a file."""
    one, other = (
        FileLook(Node(12, Kind.FILE, size=len(text), mode=mode, mtime_ns=MTIME + 5), (), text, digest * 32)
        for text, mode, digest in ((before, 0o644, "a1"), (after, 0o4755, "b2"))
    )
    rows = shown_rows(one, other)
    return PairLook(one, other, rows, _pictures(one, other), words_of(rows or ()))
