"""Whether the content of a file is text, and which."""

import re

_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
"""What no text in Latin-1 has; tab, line feed, form feed and carriage return are left out."""


def as_text(content: bytes) -> str | None:
    """Return what people would read: UTF-8, UTF-16 with its mark, else Latin-1 without controls; None for no text."""
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _decoded(content, encoding)
    if b"\0" in content:
        return None
    text = _decoded(content, "utf-8")
    if text is None and not _CONTROLS.search(content):
        return content.decode("latin-1")
    return text


def _decoded(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None
