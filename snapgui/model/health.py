"""What is wrong with the storage of VMs, as frozen records: damage, remains, and what can be done about each.

Sizes are bytes, times are UTC.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from snapgui.model.adoption import Adoption, HeldDisk
from snapgui.model.plan import Severity
from snapgui.model.text import Text


class Mending(StrEnum):
    """What can be done about an ailment, by its name on the command line."""

    ADOPT = "adopt"
    REMOVE = "remove"
    FLATTEN = "flatten"
    SET_FORMAT = "set-format"
    SET_BASE = "set-base"


class Ail(StrEnum):
    """What can be wrong: codes that users' scripts depend on."""

    ORPHAN_OVERLAY = "orphan-overlay"
    ORPHAN_MEMORY = "orphan-memory"
    ORPHAN_IMAGE = "orphan-image"
    UNKNOWN_SNAPSHOT = "unknown-snapshot"
    SNAPSHOT_LOST = "snapshot-lost"
    SNAPSHOT_INCOMPLETE = "snapshot-incomplete"
    BASE_MISSING = "base-missing"
    BASE_MOVED = "base-moved"
    MEMORY_MISSING = "memory-missing"
    FORMAT_MISSING = "format-missing"
    FORMAT_WRONG = "base-format-wrong"
    DEEP_CHAIN = "deep-chain"
    IMAGE_MISSING = "image-missing"
    IMAGE_DAMAGED = "image-damaged"
    LAYER_UNKNOWN = "layer-unknown"
    VM_UNREADABLE = "vm-unreadable"


@dataclass(frozen=True, slots=True)
class Ailment:
    """One thing that is wrong. ``text`` says what it means, ``fix`` what can be done, None for nothing.

    ``vm`` is empty where it is certain of no VM that it is its. ``mendings``: what can be carried out from here; the
    first is the one that can lose nothing, if any. ``base`` and ``format`` are what an image is to say of its base,
    ``adoption`` what libvirt is to know, ``inside`` the images that hold ``snapshot``, ``bytes`` what removing gives
    back, None for unknown. ``born`` is when the file was made, where that is known.
    """

    code: Ail
    severity: Severity
    text: Text
    path: str = ""
    vm: str = ""
    vm_uuid: str = ""
    target: str = ""
    snapshot: str = ""
    fix: Text | None = None
    mendings: tuple[Mending, ...] = ()
    overlay: str = ""
    base: str = ""
    format: str = ""
    adoption: Adoption | None = None
    inside: tuple[HeldDisk, ...] = ()
    bytes: int | None = None
    born: datetime | None = None
