"""Which image is layered on which, across all VMs of a hypervisor, and who uses each."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from types import MappingProxyType

DEEPEST = 200
"""Images in one chain; more is a cycle."""


@dataclass(frozen=True, slots=True)
class Use:
    """A VM's disk that an image belongs to: ``snapshot`` is the one that froze it, None for the current state."""

    vm: str
    vm_uuid: str
    target: str
    snapshot: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """One image file: its format, the image below it, and the disks that it belongs to directly."""

    path: str
    format: str = ""
    base: str | None = None
    used_by: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class Clone:
    """A VM whose disk is layered on an image of another one: ``snapshot`` of that one, or its current state."""

    vm: str
    vm_uuid: str
    target: str
    source: str
    source_uuid: str
    snapshot: str | None
    base: str


@dataclass(frozen=True, slots=True)
class Offshoot:
    """What hangs off a VM's ``snapshot`` (None: its current state): another VM; or an image that no VM uses.

    Then ``vm_uuid`` is empty, and ``name`` is the image's path.
    """

    name: str
    vm_uuid: str
    snapshot: str | None


@dataclass(frozen=True, slots=True)
class Kinship:
    """Where one VM stands among others: the clone that it is itself, if it is one, and what hangs off it."""

    origin: Clone | None = None
    offshoots: tuple[Offshoot, ...] = ()


class Lineage:
    """All images, by path. A value that is replaced, never changed."""

    def __init__(self, images: Iterable[Image] = ()) -> None:
        self.images: Mapping[str, Image] = MappingProxyType({image.path: image for image in images})

    def chain(self, path: str | None) -> Iterator[Image]:
        """Yield an image and its bases, as far as they are known."""
        seen: set[str] = set()
        while path is not None and path in self.images and path not in seen and len(seen) < DEEPEST:
            seen.add(path)
            yield self.images[path]
            path = self.images[path].base

    def clones(self) -> tuple[Clone, ...]:
        """Return every VM disk that is layered on an image of another VM, with the nearest such image."""
        now = ((image, use) for image in self.images.values() for use in image.used_by if use.snapshot is None)
        found = [clone for image, use in now if (clone := self._clone(image, use)) is not None]
        return tuple(sorted(found, key=lambda clone: (clone.vm.casefold(), clone.vm_uuid, clone.target)))

    def clones_on(self, paths: Iterable[str], vm_uuid: str) -> dict[str, tuple[str, ...]]:
        """Return the names of other VMs, by the image of these that they read."""
        wanted = set(paths)
        found: dict[str, dict[str, None]] = {}
        for image in self.images.values():
            for use in image.used_by:
                if use.vm_uuid != vm_uuid:
                    for below in self.chain(image.path):
                        if below.path in wanted:
                            found.setdefault(below.path, {})[use.vm] = None
        return {path: tuple(names) for path, names in found.items()}

    def unused(self) -> tuple[tuple[str, Use], ...]:
        """Return (path, the use of the nearest image below it) of every image that nothing uses, no image either."""
        bases = {image.base for image in self.images.values()}
        free = [image for image in self.images.values() if not image.used_by and image.path not in bases]
        found = ((image.path, self._nearest(image, "")) for image in free)
        return tuple(sorted(((path, below[1]) for path, below in found if below is not None), key=itemgetter(0)))

    def kinship(self, vm_uuid: str) -> Kinship:
        """Return where a VM stands: each clone once for each snapshot that it hangs off, however many its disks are.

        Its own origin is that of its first disk; disks that a snapshot held go before those that it left out.
        """
        clones = self.clones()
        mine = [clone for clone in clones if clone.vm_uuid == vm_uuid]
        others = {Offshoot(c.vm, c.vm_uuid, c.snapshot): None for c in clones if c.source_uuid == vm_uuid}
        images = [Offshoot(path, "", use.snapshot) for path, use in self.unused() if use.vm_uuid == vm_uuid]
        origin = min(mine, key=lambda clone: (clone.snapshot is None, clone.target), default=None)
        return Kinship(origin, (*others, *images))

    def _clone(self, image: Image, use: Use) -> Clone | None:
        below = self._nearest(image, use.vm_uuid)
        if below is None:
            return None
        base, other = below
        return Clone(use.vm, use.vm_uuid, use.target, other.vm, other.vm_uuid, other.snapshot, base)

    def _nearest(self, image: Image, vm_uuid: str) -> tuple[str, Use] | None:
        """Return the nearest image below that another VM than this one uses, and its use."""
        for below in self.chain(image.base):
            others = [other for other in below.used_by if other.vm_uuid != vm_uuid]
            if others:
                # One that a snapshot froze is what the clone was made from; who runs on it now has moved there later.
                return below.path, min(others, key=lambda other: (other.snapshot is None, other.vm))
        return None
