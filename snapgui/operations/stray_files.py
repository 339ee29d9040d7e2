"""Which of the files that a job was going to make are really left of it: there, and used by nobody."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from snapgui.hypervisor import strays, volumes
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import SnapguiError
from snapgui.operations.bases import Known, canonical, chain
from snapgui.operations.history import Intent, Making

IN_FLIGHT = timedelta(seconds=60)
"""For so long libvirt may still be about to make what a process asked for right before it was killed."""


@dataclass(frozen=True, slots=True)
class StrayFile:
    """A file of a job that was interrupted. ``user`` is who needs it by now; ``written`` by a program right now."""

    path: str
    bytes: int
    user: str = ""
    written: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is true about intended files: ``sizes`` in bytes, None for one that is not there; who uses and writes them.

    A file without a size is one that nobody can tell of. ``clone`` is the name of the VM, where it came about.
    """

    sizes: Mapping[str, int | None] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)
    written: frozenset[str] = frozenset()
    clone: str = ""


def judge(intents: Iterable[Intent], evidence: Evidence) -> tuple[StrayFile, ...]:
    """Return the files that are there, of a job whose VM did not come about."""
    paths = [intent.name for intent in intents if intent.kind is Making.FILE]
    if evidence.clone:
        return ()
    return tuple(
        StrayFile(path, size, evidence.users.get(path, ""), path in evidence.written)
        for path in paths
        if (size := evidence.sizes.get(path)) is not None
    )


def void(intents: Iterable[Intent], evidence: Evidence, now: datetime) -> tuple[str, ...]:
    """Return the names to forget: a file of that name that appears later is somebody else's."""
    if evidence.clone:
        return tuple(intent.name for intent in intents)
    return tuple(
        intent.name
        for intent in intents
        if intent.kind is Making.FILE
        and intent.name in evidence.sizes
        and evidence.sizes[intent.name] is None
        and now - intent.written > IN_FLIGHT
    )


def look(connection: Connection, paths: tuple[str, ...]) -> Evidence:
    """Look at files of the hypervisor's machine; raise where a VM cannot be read, for it may use any of them."""
    sizes: dict[str, int | None] = {}
    for path in paths:
        try:
            sizes[path] = strays.size(connection, path)
        except SnapguiError:
            continue
    there = tuple(path for path, size in sizes.items() if size is not None)
    written = frozenset(path for path in there if strays.is_written(connection, path))
    return Evidence(sizes, users(connection, there) if there else {}, written)


def users(connection: Connection, paths: tuple[str, ...]) -> dict[str, str]:
    """Return who needs which of these files: a VM or a snapshot that names it, or an image that is layered on it."""
    wanted = {canonical(connection, path): path for path in paths}
    mentions = strays.mentions(connection)
    found: dict[str, str] = {}
    with strays.seen(connection, [mention.path for mention in mentions if mention.image]):
        for path, user in _needed(connection, mentions, frozenset(wanted)):
            if (needed := wanted.get(canonical(connection, path))) is not None:
                found.setdefault(needed, user)
    return found


def _needed(
    connection: Connection, mentions: tuple[strays.Mention, ...], wanted: frozenset[str]
) -> Iterable[tuple[str, str]]:
    known: Known = {}
    for mention in mentions:
        yield mention.path, mention.vm
        if mention.image:
            for below in chain(connection, mention.path, "qcow2", known):
                yield below, mention.vm
    listed = volumes.list_volumes(connection)
    told: Known = {volume.path: (volume.base, volume.base_format) for volume in listed}
    for volume in listed:
        if canonical(connection, volume.path) not in wanted:
            for below in chain(connection, volume.path, volume.format, told)[1:]:
                yield below, volume.path
