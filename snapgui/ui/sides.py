"""What is compared with what: two states of one VM, the older one at the left to begin with."""

from dataclasses import dataclass

from snapgui.model.records import Snapshot, Vm
from snapgui.ui.wording import moment_words, tr

LONGEST = 60
"""Characters of a name in a window's title."""


@dataclass(frozen=True, slots=True)
class Side:
    """A snapshot, or the current state (None)."""

    snapshot: Snapshot | None = None

    @property
    def name(self) -> str | None:
        """The name that libvirt knows it by; None for the current state."""
        return None if self.snapshot is None else self.snapshot.name

    @property
    def words(self) -> str:
        """What people call it, on one line."""
        return tr("current state") if self.snapshot is None else " ".join(self.snapshot.label.split())

    @property
    def when(self) -> str:
        """The moment that it shows."""
        return tr("now") if self.snapshot is None else moment_words(self.snapshot.created)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two states of one VM as they stand beside each other: ``before`` at the left, ``after`` at the right."""

    vm: Vm
    before: Side
    after: Side

    @property
    def title(self) -> str:
        """The title of a window about it."""
        text = tr("Compare {vm}: {before} → {after}")
        parts = (self.vm.name, self.before.words, self.after.words)
        vm, before, after = (shortened(part) for part in parts)
        return text.format(vm=vm, before=before, after=after)

    def swapped(self) -> "Pair":
        """Return it with the sides exchanged."""
        return Pair(self.vm, self.after, self.before)


def in_order(vm: Vm, one: Snapshot | None, other: Snapshot | None) -> Pair:
    """Return a pair with the older state at the left; nothing is newer than the current one (None)."""
    if one is None or (other is not None and other.created < one.created):
        one, other = other, one
    return Pair(vm, Side(one), Side(other))


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return a text on one line, without its middle where it is too long."""
    line = " ".join(text.split())
    half = longest // 2
    return line if len(line) <= longest else f"{line[:half]}…{line[-half:]}"
