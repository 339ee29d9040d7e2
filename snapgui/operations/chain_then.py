"""The chain of a disk as it was when facts were read: no image is opened, and nobody is asked, for it."""

from collections.abc import Iterator

from snapgui.model.records import Place
from snapgui.operations.facts import Facts, is_missing
from snapgui.operations.stored import StoredDisk, StoredImage


def known_disk(facts: Facts, target: str) -> StoredDisk | None:
    """Return how a disk of the VM is stored, without a map of its blocks; None where it has no such disk."""
    disk = next((disk for disk in facts.machine.disks if disk.target == target and disk.source), None)
    return None if disk is None else StoredDisk(target, 0, known_chain(facts, disk.source))


def known_chain(facts: Facts, path: str) -> tuple[StoredImage, ...]:
    """Return an image and its bases, as far as they are known."""
    known = _Known(facts)
    return tuple(known.image(below) for below in dict(facts.chains).get(path, (path,)))


class _Known:
    """What facts say about images, by their paths without links."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._real, self._allocated = dict(facts.real), dict(facts.allocated)
        machines = (*(snapshot.machine for snapshot in facts.tree), facts.machine)
        self._formats = {disk.source: disk.format for machine in machines for disk in machine.disks}
        self._frozen: dict[str, list[str]] = {}
        self._inside: dict[str, list[str]] = {}
        self._clones: dict[str, list[str]] = {}
        for name, place, source in _held(facts):
            found = self._frozen if place is Place.EXTERNAL else self._inside
            found.setdefault(self._real_of(source), []).append(name)
        for lent in facts.lent:
            self._clones.setdefault(lent.path, []).append(lent.vm)
        for snapshot in facts.tree:
            self._formats |= {disk.overlay: "qcow2" for disk in snapshot.disks if disk.overlay}

    def image(self, path: str) -> StoredImage:
        real = self._real_of(path)
        return StoredImage(
            path,
            self._formats.get(path, ""),
            allocated_bytes=self._allocated.get(path),
            frozen_by=tuple(self._frozen.get(real, ())),
            clones=tuple(dict.fromkeys(self._clones.get(real, ()))),
            internal_snapshots=tuple(self._inside.get(real, ())),
            there=not is_missing(self._facts, path),
        )

    def _real_of(self, path: str) -> str:
        return self._real.get(path, path)


def _held(facts: Facts) -> Iterator[tuple[str, Place, str]]:
    """Yield (snapshot, where, image) of all that snapshots hold."""
    for snapshot in facts.tree:
        for disk in snapshot.disks:
            if disk.place is not Place.NONE and disk.source:
                yield snapshot.name, disk.place, disk.source
