"""How files, and what became of them, are called; and how names that may hold anything are shown without harm."""

import stat
import unicodedata

from PySide6.QtCore import QDateTime, QLocale

from snapgui.images.filesystems.changes import Aspect
from snapgui.images.filesystems.filesystem import Kind
from snapgui.model.difference import Change
from snapgui.ui.theme import Role
from snapgui.ui.wording import size_words, tr

LONGEST = 300
"""Characters of a name or path that are shown; the middle of longer ones is left out."""
_FIRST_PICTURE, _DELETE, _DELETE_PICTURE = 0x2400, 0x7F, "\u2421"
"""Unicode has pictures of the control characters."""
_BYTES = 0xDC00
"""Where ``surrogateescape`` puts the bytes that are no UTF-8."""


def safe(text: str) -> str:
    """Return text whose control characters, odd bytes and marks of direction can be seen, and do nothing."""
    return text if text.isprintable() else "".join(map(_shown, text))


def safe_short(text: str, longest: int = LONGEST) -> str:
    """Return the same without the middle of what is too long to be read."""
    half = longest // 2
    return safe(text if len(text) <= longest else f"{text[:half]}…{text[-half:]}")


def _shown(letter: str) -> str:
    code = ord(letter)
    if letter.isprintable() or unicodedata.category(letter) == "Zs":
        return letter
    if code < 0x20:  # noqa: PLR2004 - the space
        return chr(_FIRST_PICTURE + code)
    if code == _DELETE:
        return _DELETE_PICTURE
    if _BYTES + 0x80 <= code <= _BYTES + 0xFF:
        return f"\\x{code - _BYTES:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004


def change_words(change: Change) -> str:
    """Return what became of a file, in a word."""
    return {
        Change.ADDED: tr("added"),
        Change.REMOVED: tr("removed"),
        Change.CHANGED: tr("changed"),
        Change.METADATA: tr("metadata"),
        Change.RENAMED: tr("renamed"),
    }[change]


def change_sign(change: Change) -> tuple[str, Role]:
    """Return the sign before the word, and the colour of both."""
    return {
        Change.ADDED: ("+", Role.GOOD),
        Change.REMOVED: ("−", Role.LOSS),
        Change.CHANGED: ("±", Role.ACCENT),
        Change.METADATA: ("≈", Role.MUTED),
        Change.RENAMED: ("→", Role.WAIT),
    }[change]


def aspect_words(aspect: Aspect) -> str:
    """Return in what a file differs."""
    return {
        Aspect.KIND: tr("kind"),
        Aspect.CONTENT: tr("content"),
        Aspect.TARGET: tr("target"),
        Aspect.DEVICE: tr("device"),
        Aspect.MODE: tr("mode"),
        Aspect.OWNER: tr("owner"),
        Aspect.MODIFIED: tr("time"),
        Aspect.ATTRIBUTES: tr("attributes"),
        Aspect.FLAGS: tr("flags"),
    }[aspect]


def kind_words(kind: Kind) -> str:
    """Return what a file is."""
    return {
        Kind.FILE: tr("file"),
        Kind.DIRECTORY: tr("directory"),
        Kind.SYMLINK: tr("symbolic link"),
        Kind.CHARACTER: tr("character device"),
        Kind.BLOCK: tr("block device"),
        Kind.FIFO: tr("fifo"),
        Kind.SOCKET: tr("socket"),
        Kind.UNKNOWN: tr("of unknown kind"),
    }[kind]


def count_words(count: int) -> str:
    """Return a number as the user writes it."""
    return QLocale().toString(count)


def sum_words(added: int, removed: int, others: int) -> str:
    """Return what became of everything below a directory."""
    parts = (
        (added, tr("{count} added")),
        (removed, tr("{count} removed")),
        (others, tr("{count} changed")),
    )
    return " · ".join(text.format(count=count_words(count)) for count, text in parts if count)


def growth_words(growth: int) -> str:
    """Return by how much something grew or shrank; empty where it did not."""
    if not growth:
        return ""
    return f"+{size_words(growth)}" if growth > 0 else f"−{size_words(-growth)}"


def sizes_words(before: int | None, after: int | None) -> str:
    """Return the size of both sides; one where both are the same, or where only one has the file."""
    if before is None or after is None or before == after:
        size = before if after is None else after
        return "" if size is None else size_words(size)
    return f"{size_words(before)} → {size_words(after)}"


def time_words(nanoseconds: int) -> str:
    """Return a time since 1970 in local time, as short as it can be told exactly."""
    made = QDateTime.fromSecsSinceEpoch(nanoseconds // 10**9)
    return QLocale().toString(made, "yyyy-MM-dd HH:mm:ss") if made.isValid() else f"@{nanoseconds // 10**9}"


def mode_words(mode: int) -> str:
    """Return the permission bits as ``ls`` shows them, and in octal."""
    return f"{stat.filemode(mode)[1:]} ({mode:04o})"


def found_words(shown: int, total: int) -> str:
    """Return how many differences there are, and how many of them are shown."""
    if shown == total:
        return tr("One difference") if total == 1 else tr("{count} differences").format(count=count_words(total))
    return tr("{shown} of {count} shown").format(shown=count_words(shown), count=count_words(total))
