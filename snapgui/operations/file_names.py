"""Names of the files that an external snapshot makes: predictable, harmless, never one that exists.

libvirt's own names are not used: a comma in a snapshot's name makes a guest that cannot start, disks with one stem
collide, and a memory file that exists is silently overwritten (libvirt-facts 4 and 9).
"""

import re
from collections.abc import Container
from pathlib import PurePosixPath

from snapgui.model.records import Directory, DiskRequest, MemoryWish, Place
from snapgui.operations.choice import Choice
from snapgui.operations.facts import Facts, place_of

LONGEST_PART = 80
OVERLAY, MEMORY = "qcow2", "mem"


def harmless(text: str) -> str:
    """Return text as part of a file name: ``[A-Za-z0-9._-]`` only."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._")[:LONGEST_PART] or "_"


def overlay_requests(facts: Facts, name: str, choice: Choice) -> tuple[DiskRequest, ...]:
    """Return how every disk is to be held, overlays beside the images that they protect."""
    taken = _named(facts)
    requests = []
    for disk in facts.machine.disks:
        place = choice.places.get(disk.target, Place.NONE)
        file = ""
        if place is Place.EXTERNAL:
            directory = place_of(facts, disk.source)
            stem = f"{harmless(facts.vm.name)}-{harmless(disk.target)}.{harmless(name)}"
            file = _free(facts, directory, stem, OVERLAY, taken)
            taken.add(file)
        requests.append(DiskRequest(disk.target, place, file))
    return tuple(requests)


def memory_path(facts: Facts, name: str, choice: Choice) -> str:
    """Return the file for RAM and CPU beside the first image that is snapshotted; empty where they are not saved."""
    if choice.memory is MemoryWish.NONE:
        return ""
    first = next((d.source for d in facts.machine.disks if choice.places.get(d.target) is Place.EXTERNAL), "")
    stem = f"{harmless(facts.vm.name)}.{harmless(name)}"
    return _free(facts, place_of(facts, first), stem, MEMORY, _named(facts))


def _named(facts: Facts) -> set[str]:
    """Return every file that the VM or its snapshots name, also where nobody tells what is there."""
    named = {disk.source for disk in facts.machine.disks}
    for snapshot in facts.tree:
        named |= {snapshot.memory_file, *(path for disk in snapshot.disks for path in (disk.source, disk.overlay))}
    return named


def _free(facts: Facts, directory: Directory, stem: str, suffix: str, taken: Container[str]) -> str:
    """Return the first free path; where nobody tells what is there, the time of the facts makes it unique."""
    if directory.names is None:
        stem = f"{stem}.{facts.now:%Y%m%d-%H%M%S}"
    there = directory.names or frozenset()
    number = 1
    while True:
        name = f"{stem}.{suffix}" if number == 1 else f"{stem}-{number}.{suffix}"
        path = str(PurePosixPath(directory.path) / name)
        if name not in there and path not in taken:
            return path
        number += 1
