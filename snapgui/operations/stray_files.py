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
COARSE = timedelta(seconds=2)
"""By how much the clocks of file systems are behind."""


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

    A file without a size is one that nobody can tell of. ``born``: when it was made, where that is known. ``clone`` is
    the name of the VM, where it came about.
    """

    sizes: Mapping[str, int | None] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)
    born: Mapping[str, datetime] = field(default_factory=dict)
    written: frozenset[str] = frozenset()
    clone: str = ""


def judge(intents: Iterable[Intent], evidence: Evidence) -> tuple[StrayFile, ...]:
    """Return the files that the job made, of one whose VM did not come about."""
    if evidence.clone:
        return ()
    return tuple(
        StrayFile(intent.name, size, evidence.users.get(intent.name, ""), intent.name in evidence.written)
        for intent in intents
        if intent.kind is Making.FILE
        and (size := evidence.sizes.get(intent.name)) is not None
        and is_of(intent, evidence.born.get(intent.name))
    )


def is_of(intent: Intent, born: datetime | None) -> bool:
    """Whether a file can be the one that was meant, by the time when it was made; yes where nobody knows that."""
    return born is None or intent.written - COARSE <= born <= intent.written + IN_FLIGHT


def void(intents: Iterable[Intent], evidence: Evidence, now: datetime) -> tuple[str, ...]:
    """Return the names to forget: a file of that name is, or will be, somebody else's."""
    if evidence.clone:
        return tuple(intent.name for intent in intents)
    return tuple(intent.name for intent in intents if intent.kind is Making.FILE and _is_void(intent, evidence, now))


def _is_void(intent: Intent, evidence: Evidence, now: datetime) -> bool:
    if intent.name not in evidence.sizes:
        return False
    if evidence.sizes[intent.name] is None:
        return now - intent.written > IN_FLIGHT
    return not is_of(intent, evidence.born.get(intent.name))


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
    born = {path: when for path in there if (when := strays.born(connection, path)) is not None}
    return Evidence(sizes, users(connection, there) if there else {}, born, written)


def users(connection: Connection, paths: tuple[str, ...]) -> dict[str, str]:
    """Return who needs which of these files: a VM or a snapshot that names it, or an image that is layered on it."""
    wanted = {canonical(connection, path): path for path in paths}
    mentions = strays.mentions(connection)
    found: dict[str, str] = {}
    with strays.seen(connection, [*paths, *(mention.path for mention in mentions if mention.image)]):
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
    for path in strays.neighbours(connection, wanted):
        if path not in wanted:
            for below in chain(connection, path, "qcow2", known)[1:]:
                yield below, path
    listed = volumes.list_volumes(connection)
    told: Known = {volume.path: (volume.base, volume.base_format) for volume in listed}
    for volume in listed:
        if canonical(connection, volume.path) not in wanted:
            for below in chain(connection, volume.path, volume.format, told)[1:]:
                yield below, volume.path
