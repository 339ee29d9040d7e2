"""What stands beside the snapshots in a VM's tree: clones, images layered on it, and what it is a clone of itself."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from snapgui.model.lineage import Kinship
from snapgui.model.records import Vm
from snapgui.ui.theme import Role
from snapgui.ui.vm_list import vm_look
from snapgui.ui.wording import plain_tip, state_words, tr

Key = tuple[str, str, str | None]


class Relation(StrEnum):
    """How something is related to the VM that is shown."""

    CLONE = "clone"
    IMAGE = "image"
    ORIGIN = "origin"


@dataclass(frozen=True, slots=True)
class Relative:
    """A card that is no snapshot. ``snapshot``: what it hangs off; of an origin, which one the shown VM hangs off.

    ``name`` is a VM's name, or the path of an image that has no VM; ``vm`` None for that.
    """

    relation: Relation
    name: str
    vm: Vm | None = None
    snapshot: str | None = None

    @property
    def key(self) -> Key:
        """What stays the same while its name and its state change."""
        return (self.relation, self.vm.uuid if self.vm else self.name, None if self.leads_here else self.snapshot)

    @property
    def order(self) -> tuple[bool, str, str]:
        """VMs by name, then images."""
        return (self.vm is None, self.title.casefold(), self.name)

    @property
    def leads_here(self) -> bool:
        """Whether the shown VM hangs off it, and not the other way round."""
        return self.relation is Relation.ORIGIN

    @property
    def title(self) -> str:
        """The card's first line."""
        if self.leads_here:
            return tr("Clone of {vm}").format(vm=_line(self.name))
        return _line(PurePosixPath(self.name).name if self.vm is None else self.name)

    @property
    def subtitle(self) -> str:
        """The card's second line."""
        if self.leads_here:
            return tr("its current state") if self.snapshot is None else f"@ {_line(self.snapshot)}"
        return f"{self.kind} · {self.state}" if self.state else self.kind

    @property
    def kind(self) -> str:
        """What it is, in words."""
        return {
            Relation.CLONE: tr("linked clone"),
            Relation.IMAGE: tr("image without a VM"),
            Relation.ORIGIN: tr("origin"),
        }[self.relation]

    @property
    def state(self) -> str:
        """What its VM does."""
        return "" if self.vm is None else state_words(self.vm)

    @property
    def look(self) -> tuple[str, Role]:
        """The name of its icon, and its colour's."""
        if self.vm is None:
            return "disk", Role.MUTED
        return ("clone", Role.ACCENT) if self.leads_here else vm_look(self.vm)

    @property
    def spoken(self) -> str:
        """A screen reader's sentence."""
        name = _line(self.name)
        if self.relation is Relation.CLONE:
            return ", ".join((tr("Linked clone {vm}").format(vm=name), self.state))
        if self.relation is Relation.IMAGE:
            return tr("Image without a VM: {path}").format(path=name)
        return self.title if self.snapshot is None else f"{self.title} @ {_line(self.snapshot)}"

    @property
    def tip(self) -> str:
        """The tooltip: all of it, as plain text."""
        lines = [self.name, self.subtitle]
        if self.leads_here:
            lines = [self.spoken]
        if self.vm is not None:
            lines.append(tr("A click goes to {vm}.").format(vm=self.name))
        return plain_tip("\n".join(lines))


def relatives(kinship: Kinship, find: Callable[[str], Vm | None]) -> tuple[Relative | None, tuple[Relative, ...]]:
    """Return (origin, what hangs off) with the VMs as ``find`` knows them by UUID; those that are gone are left out."""
    origin, came_from = None, kinship.origin
    if came_from is not None and (vm := find(came_from.source_uuid)) is not None:
        origin = Relative(Relation.ORIGIN, vm.name, vm, came_from.snapshot)
    below = []
    for shoot in kinship.offshoots:
        vm = find(shoot.vm_uuid) if shoot.vm_uuid else None
        if vm is not None:
            below.append(Relative(Relation.CLONE, vm.name, vm, shoot.snapshot))
        elif not shoot.vm_uuid:
            below.append(Relative(Relation.IMAGE, shoot.name, None, shoot.snapshot))
    return origin, tuple(below)


def _line(text: str) -> str:
    return " ".join(text.split())
