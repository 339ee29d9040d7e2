"""What differs between two states of a VM, as records: level by level, older on the left."""

from dataclasses import dataclass
from enum import StrEnum

from snapgui.model.text import Text


class Change(StrEnum):
    """What happened to a part between the older and the newer state."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    METADATA = "metadata"
    RENAMED = "renamed"


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """One difference in how the VM is configured: ADDED, REMOVED or CHANGED.

    ``path`` names the place in the configuration (``devices/disk[vda]/driver/@cache``); ``before`` and ``after`` are
    whole values, None where there is nothing: a text, or the XML of a part that has parts of its own. Memory is in
    bytes. ``text`` says it for people, long values shortened.
    """

    path: str
    change: Change
    before: str | None
    after: str | None
    text: Text


@dataclass(frozen=True, slots=True)
class ConfigurationDifference:
    """All changes, what matters to people first, and both ``<domain>`` documents, indented, without passwords.

    ``before_folded`` and ``after_folded`` are the same documents without the noise, memory in bytes: what differs
    in them is in ``changes``.
    """

    changes: tuple[ConfigChange, ...]
    before_xml: str
    after_xml: str
    before_folded: str
    after_folded: str
