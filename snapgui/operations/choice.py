"""Which kind of snapshot fits this VM, and why: the rule table, as one pure function.

Kinds are never mixed by itself: a tree with internal and external snapshots has destroyed people's data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from snapgui.model.records import Disk, Kind, KindWish, MemoryWish, Place, VmState
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.facts import Facts

UEFI_INTERNAL = (10, 9, 0)
"""The first libvirt that takes internal snapshots of VMs with UEFI firmware."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What will be taken. ``memory`` is never ``auto``; ``places`` says for every disk where its state goes."""

    kind: Kind
    memory: MemoryWish
    why: Text
    places: Mapping[str, Place] = field(default_factory=dict)

    @property
    def disk_only(self) -> bool:
        """Whether a running guest's RAM is left out."""
        return self.memory is MemoryWish.NONE


def choose(
    facts: Facts,
    kind: KindWish = KindWish.AUTO,
    memory: MemoryWish = MemoryWish.AUTO,
    disks: Mapping[str, Place] | None = None,
) -> Choice:
    """Return the kind, the fate of the RAM, and the place of every disk's state, with the reason for the kind."""
    disks = disks or {}
    if kind is KindWish.AUTO and Place.EXTERNAL in disks.values():
        kind = KindWish.EXTERNAL
    chosen, why = _kind(facts, kind, memory)
    return Choice(chosen, _memory(facts, chosen, memory), why, _places(facts, chosen, disks))


def _kind(facts: Facts, wish: KindWish, memory: MemoryWish) -> tuple[Kind, Text]:
    """The rules, the first that applies decides."""
    if wish is not KindWish.AUTO:
        return Kind(wish.value), QT_TRANSLATE_NOOP("choice", "You chose it.")
    if facts.capabilities.is_test_driver:
        return Kind.INTERNAL, QT_TRANSLATE_NOOP("choice", "The test driver knows no other kind.")
    if facts.tree.kinds and facts.tree.kinds <= {Kind.INTERNAL}:
        return Kind.INTERNAL, QT_TRANSLATE_NOOP("choice", "The VM's other snapshots are internal.")
    if facts.tree.kinds:
        return Kind.EXTERNAL, QT_TRANSLATE_NOOP("choice", "The VM's other snapshots are external.")
    if memory in {MemoryWish.LIVE, MemoryWish.NONE} and facts.vm.state.active:
        return Kind.EXTERNAL, QT_TRANSLATE_NOOP("choice", "Only external snapshots can be taken in this way.")
    if (why := _no_internal(facts)) is not None:
        return Kind.EXTERNAL, why
    if facts.capabilities.external_revert and _memory(facts, Kind.EXTERNAL, memory) is MemoryWish.LIVE:
        return Kind.EXTERNAL, QT_TRANSLATE_NOOP("choice", "The guest runs on while its memory is saved.")
    if facts.capabilities.external_revert:
        return Kind.EXTERNAL, QT_TRANSLATE_NOOP("choice", "This libvirt can revert to external snapshots.")
    return Kind.INTERNAL, QT_TRANSLATE_NOOP("choice", "This libvirt cannot revert to external snapshots.")


def _no_internal(facts: Facts) -> Text | None:
    """Why an internal snapshot is impossible, or None where it is possible."""
    machine, active = facts.machine, facts.vm.state.active
    raw = [disk.target for disk in machine.disks if disk.writable and disk.format != "qcow2"]
    if raw:
        return QT_TRANSLATE_NOOP("choice", "Disk {target} cannot hold snapshots inside.").format(target=raw[0])
    if active and machine.blocked_devices:
        return QT_TRANSLATE_NOOP("choice", "The state of a device cannot be saved with the memory: {device}.").format(
            device=machine.blocked_devices[0]
        )
    if machine.firmware == "uefi" and facts.capabilities.libvirt < UEFI_INTERNAL:
        return QT_TRANSLATE_NOOP("choice", "This libvirt takes no internal snapshots of VMs with UEFI firmware.")
    if machine.firmware == "uefi" and machine.nvram_format != "qcow2":
        return QT_TRANSLATE_NOOP("choice", "The UEFI variables lie in a raw file, which holds no snapshots.")
    return None


def _memory(facts: Facts, kind: Kind, wish: MemoryWish) -> MemoryWish:
    if not facts.vm.state.active:
        return MemoryWish.NONE
    if wish is not MemoryWish.AUTO:
        return wish
    if kind is Kind.INTERNAL:
        return MemoryWish.PAUSED
    if facts.machine.blocked_devices:
        return MemoryWish.NONE
    return MemoryWish.PAUSED if facts.vm.state is VmState.PAUSED else MemoryWish.LIVE


def _places(facts: Facts, kind: Kind, disks: Mapping[str, Place]) -> dict[str, Place]:
    held = Place.INTERNAL if kind is Kind.INTERNAL else Place.EXTERNAL
    return {disk.target: disks.get(disk.target, _default(disk, held)) for disk in facts.machine.disks}


def _default(disk: Disk, held: Place) -> Place:
    left_out = not disk.writable or disk.snapshot == "no" or not disk.source
    return Place.NONE if left_out else held
