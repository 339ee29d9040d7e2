"""The news of a comparison of files as a text, for the cache: what is told again is what was told."""

import json
from collections.abc import Iterable
from enum import Enum
from typing import Any

from snapgui.images.filesystems.changes import Aspect, FileChange, FileFacts
from snapgui.images.filesystems.filesystem import Kind
from snapgui.model.difference import Change
from snapgui.model.text import Text
from snapgui.operations.file_news import FileNews, FilesDiffer, FilesRead, FilesystemDone, FilesystemFound, Tell

MOST_CHANGES = 50_000
"""Of one comparison that is kept."""


class Recording:
    """Passes news on, and keeps it, as long as it is not too much."""

    def __init__(self, tell: Tell) -> None:
        self.news: list[FileNews] | None = []
        self._tell = tell
        self._changes = 0

    def __call__(self, news: FileNews) -> None:
        """Take one piece of news."""
        self._tell(news)
        if self.news is None or isinstance(news, FilesRead):
            return
        self.news.append(news)
        self._changes += len(news.changes) if isinstance(news, FilesDiffer) else 0
        if self._changes > MOST_CHANGES:
            self.forget()

    def forget(self) -> None:
        """Keep nothing: the result is not to be relied on another time, or it is too much."""
        self.news = None


def packed(news: Iterable[FileNews]) -> bytes:
    """Return news as JSON."""
    return json.dumps([(type(each).__name__, each) for each in news], default=_plain).encode()


def unpacked(text: bytes) -> tuple[FileNews, ...] | None:
    """Return what was packed; None where it is something else."""
    try:
        return tuple(_read(*each) for each in json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _plain(value: object) -> object:
    match value:
        case bytes():
            return value.decode("latin-1")
        case frozenset():
            return sorted(value, key=str)
        case Enum():
            return value.value
        case Text():
            return (value.context, value.source, [(name, str(each)) for name, each in value.arguments])
    return {name: getattr(value, name) for name in type(value).__dataclass_fields__}  # type: ignore[attr-defined]


def _read(kind: str, parts: dict[str, Any]) -> FileNews:
    if kind == FilesystemFound.__name__:
        return FilesystemFound(**parts | {"remarks": tuple(_text(each) for each in parts["remarks"])})
    if kind == FilesDiffer.__name__:
        return FilesDiffer(parts["place"], tuple(_change(each) for each in parts["changes"]))
    if kind == FilesystemDone.__name__:
        return FilesystemDone(**parts)
    raise ValueError(kind)


def _text(parts: list[Any]) -> Text:
    context, source, arguments = parts
    return Text(context, source, tuple((name, value) for name, value in arguments))


def _change(parts: dict[str, Any]) -> FileChange:
    return FileChange(
        parts["path"],
        Change(parts["change"]),
        _facts(parts["before"]),
        _facts(parts["after"]),
        frozenset(Aspect(each) for each in parts["aspects"]),
        parts["path_before"],
    )


def _facts(parts: dict[str, Any] | None) -> FileFacts | None:
    if parts is None:
        return None
    device = parts["device"]
    changed = {
        "kind": Kind(parts["kind"]),
        "target": parts["target"].encode("latin-1"),
        "device": None if device is None else (int(device[0]), int(device[1])),
    }
    return FileFacts(**parts | changed)
