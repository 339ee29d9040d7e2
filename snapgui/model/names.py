"""Which names a snapshot may have, and which name to propose.

libvirt accepts newlines, tabs and blank-only names and fails late on long ones; the rules here are stricter
(measured on libvirt 9.0 and 11.3: the metadata file ``NAME.xml.new`` must fit in 255 bytes).
"""

import re
import unicodedata
from collections.abc import Container, Iterable
from datetime import datetime

from snapgui.model.errors import Refused
from snapgui.model.text import QT_TRANSLATE_NOOP, Text

LONGEST_NAME = 246
LONGEST_DESCRIPTION = 1_000_000
SAFETY_PREFIX = "before-revert-"
LONGEST_PLAIN = 80
_JOB_NAME = re.compile(r"[A-Za-z0-9._-]+")
_NUMBERED = re.compile(r"snapshot-(\d{1,9})$")
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co"}


def problem(name: str, taken: Container[str] = ()) -> Text | None:
    """Return why ``name`` cannot be a snapshot's name, or None where it can."""
    if not name.strip():
        return QT_TRANSLATE_NOOP("names", "The snapshot needs a name.")
    if name != name.strip():
        return QT_TRANSLATE_NOOP("names", "A name cannot begin or end with a blank.")
    if "/" in name:
        return QT_TRANSLATE_NOOP("names", "A name cannot contain “/”.")
    if name.startswith("."):
        return QT_TRANSLATE_NOOP("names", "A name cannot begin with a dot.")
    if _unprintable(name, allowed="\u200c\u200d"):
        return QT_TRANSLATE_NOOP("names", "A name cannot contain line breaks or other invisible characters.")
    if len(name.encode()) > LONGEST_NAME:
        return QT_TRANSLATE_NOOP("names", "The name is too long: {length} bytes, at most {most} are possible.").format(
            length=len(name.encode()), most=LONGEST_NAME
        )
    if name in taken:
        return QT_TRANSLATE_NOOP("names", "There is already a snapshot named “{name}”.").format(name=name)
    return None


def check(name: str, taken: Container[str] = ()) -> str:
    """Return ``name`` without surrounding blanks, or raise Refused with the reason."""
    name = name.strip(" ")
    if (why := problem(name, taken)) is not None:
        raise Refused(why)
    return name


def check_title(title: str) -> str:
    """Return the title on one line without surrounding blanks, or raise Refused."""
    title = title.strip()
    if _unprintable(title, allowed="\u200c\u200d"):
        raise Refused(QT_TRANSLATE_NOOP("names", "A title cannot contain line breaks or other invisible characters."))
    if len(title) > LONGEST_NAME:
        raise Refused(
            QT_TRANSLATE_NOOP("names", "The title is too long; at most {most} characters are possible.").format(
                most=LONGEST_NAME
            )
        )
    return title


def check_description(description: str) -> str:
    """Return the description, or raise Refused: XML holds no control characters but tab and line breaks."""
    description = description.replace("\r\n", "\n").replace("\r", "\n")
    if (
        _unprintable(
            description,
            allowed="\n\t\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad",
            categories={"Cc", "Cs"},
        )
        or "\ufffe" in description
        or "\uffff" in description
    ):
        raise Refused(QT_TRANSLATE_NOOP("names", "A description cannot contain control characters."))
    if len(description.encode()) > LONGEST_DESCRIPTION:
        raise Refused(
            QT_TRANSLATE_NOOP("names", "The description is too long; at most {most} bytes are possible.").format(
                most=LONGEST_DESCRIPTION
            )
        )
    return description


def propose(taken: Iterable[str]) -> str:
    """Return the next free ``snapshot-N``."""
    numbers = [int(match[1]) for name in taken if (match := _NUMBERED.match(name))]
    return f"snapshot-{max(numbers, default=0) + 1}"


def propose_safety(taken: Container[str], now: datetime) -> str:
    """Return a free, recognisable name for a safety snapshot taken at ``now``."""
    base = f"{SAFETY_PREFIX}{now:%Y%m%d-%H%M%S}"
    name, number = base, 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    return name


def suits_qemu(name: str) -> bool:
    """Whether QEMU takes the name as part of a job's identifier: ``[A-Za-z0-9._-]`` only."""
    return _JOB_NAME.fullmatch(name) is not None


def for_qemu(name: str, taken: Container[str]) -> str:
    """Return a free name of harmless characters that reminds of ``name``."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._")[:LONGEST_PLAIN] or "snapshot"
    found, number = base, 2
    while found in taken:
        found, number = f"{base}-{number}", number + 1
    return found


def _unprintable(text: str, allowed: str, categories: Container[str] = _INVISIBLE) -> bool:
    return any(unicodedata.category(char) in categories and char not in allowed for char in text)
