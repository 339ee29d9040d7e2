"""What a compare window shows, read in a worker. Asks libvirt and files, so never the window's own thread."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from snapgui.hypervisor.connection import Connection
from snapgui.model.difference import ConfigurationDifference
from snapgui.model.records import Snapshot
from snapgui.model.text import Text
from snapgui.operations import thumbnails
from snapgui.operations.block_difference import BlockDifference
from snapgui.operations.compare_blocks import compare_blocks, why_no_content
from snapgui.operations.compare_configuration import configurations
from snapgui.operations.facts import read_facts
from snapgui.operations.history import History
from snapgui.ui.line_difference import Row, aligned
from snapgui.ui.sides import Pair

REPORT_INTERVAL_S = 0.1
Post = Callable[[object], None]


@dataclass(frozen=True, slots=True)
class ConfigurationLook:
    """The changes, and both documents line by line: whole, and without the noise."""

    difference: ConfigurationDifference
    whole: tuple[Row, ...]
    folded: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class BlockLook:
    """What differs on the disks; ``looked``: by their content; ``why_no_content``: why that cannot be had."""

    blocks: BlockDifference
    looked: bool = False
    why_no_content: Text | None = None

    def mirrored(self) -> "BlockLook":
        """Return it as seen from the other side."""
        return BlockLook(self.blocks.mirrored(), self.looked, self.why_no_content)


@dataclass(frozen=True, slots=True)
class Reading:
    """How much of a disk's content has been read, in bytes of what may differ."""

    target: str
    done: int
    total: int


def look_at_configuration(connection: Connection, pair: Pair) -> ConfigurationLook:
    """Compare how the VM was configured."""
    found = configurations(connection, pair.vm.uuid, pair.before.name, pair.after.name)
    return ConfigurationLook(
        found, aligned(found.before_xml, found.after_xml), aligned(found.before_folded, found.after_folded)
    )


def look_at_blocks(
    connection: Connection, history: History, pair: Pair, post: Post, cancel: threading.Event, *, content: bool
) -> BlockLook:
    """Compare the disks; ``post`` gets a ``Reading`` now and then where the content is looked at."""
    before, after = pair.before.name, pair.after.name
    turned = before is None and after is not None
    if turned:
        before, after = after, before
    facts = read_facts(connection, pair.vm.uuid)
    reports = _Reports(post)
    found = compare_blocks(
        connection, facts, history, before or "", after, content=content, draw=True, report=reports, cancel=cancel
    )
    look = BlockLook(found, content, why_no_content(facts, after))
    return look.mirrored() if turned else look


def look_at_screens(pair: Pair) -> tuple[bytes, bytes] | None:
    """Return the pictures of both guests' screens; None where one is missing."""
    snapshots = [side.snapshot for side in (pair.before, pair.after)]
    pictures = [_picture(pair.vm.uuid, snapshot) for snapshot in snapshots if snapshot is not None]
    return (pictures[0], pictures[1]) if len(pictures) == len(snapshots) and all(pictures) else None


def _picture(vm_uuid: str, snapshot: Snapshot) -> bytes:
    with contextlib.suppress(OSError):
        return thumbnails.path_of(vm_uuid, snapshot).read_bytes()
    return b""


class _Reports:
    """Tells how far the reading is, not more often than anybody can follow."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._told = 0.0

    def __call__(self, target: str, done: int, total: int) -> None:
        if time.monotonic() - self._told >= REPORT_INTERVAL_S or done == total:
            self._told = time.monotonic()
            self._post(Reading(target, done, total))
