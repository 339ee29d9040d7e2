"""The rule table of kinds: what is chosen for which VM, what happens to its memory and disks, and the reason given."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from snapgui.model.records import Capabilities, Disk, Kind, KindWish, MemoryWish, Place, Vm, VmState
from snapgui.operations.choice import choose
from snapgui.operations.facts import Facts
from tests.unit.facts import DISK, MACHINE, NEW_LIBVIRT, OFF, OLD_LIBVIRT, PAUSED, RUNNING, facts

AUTO, INTERNAL, EXTERNAL = KindWish.AUTO, KindWish.INTERNAL, KindWish.EXTERNAL
LIVE, STILL, NO_MEMORY = MemoryWish.LIVE, MemoryWish.PAUSED, MemoryWish.NONE
TEST_DRIVER = Capabilities(driver="TEST", libvirt=(11, 3, 0))
RAW = replace(DISK, target="vdb", source="/images/b.img", format="raw")
WITH_RAW = replace(MACHINE, disks=(DISK, RAW))
WITH_DEVICE = replace(MACHINE, blocked_devices=("virtiofs", "hostdev pci"))
UEFI_RAW = replace(MACHINE, firmware="uefi", nvram="/nvram/a.fd", nvram_format="raw")
UEFI_QCOW2 = replace(UEFI_RAW, nvram_format="qcow2")
NO_SNAPSHOTS = ""

CHOSEN = "You chose it."
ONLY_KIND = "The test driver knows no other kind."
SAME_INTERNAL = "The VM's other snapshots are internal."
SAME_EXTERNAL = "The VM's other snapshots are external."
ONLY_THIS_WAY = "Only external snapshots can be taken in this way."
NO_ROOM_INSIDE = "Disk vdb cannot hold snapshots inside."
DEVICE = "The state of a device cannot be saved with the memory: virtiofs."
OLD_UEFI = "This libvirt takes no internal snapshots of VMs with UEFI firmware."
RAW_NVRAM = "The UEFI variables lie in a raw file, which holds no snapshots."
RUNS_ON = "The guest runs on while its memory is saved."
CAN_REVERT = "This libvirt can revert to external snapshots."
NO_REVERT = "This libvirt cannot revert to external snapshots."


def new(line: str = NO_SNAPSHOTS, vm: Vm = RUNNING, **known: object) -> Facts:
    return facts(line, vm, capabilities=NEW_LIBVIRT, **known)  # type: ignore[arg-type]


def old(line: str = NO_SNAPSHOTS, vm: Vm = RUNNING, **known: object) -> Facts:
    return facts(line, vm, capabilities=OLD_LIBVIRT, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "kind", "memory", "chosen", "saved", "why"),
    [
        # the user's word, whatever speaks against it (the doctor does)
        (new(), INTERNAL, MemoryWish.AUTO, Kind.INTERNAL, STILL, CHOSEN),
        (old(), EXTERNAL, MemoryWish.AUTO, Kind.EXTERNAL, LIVE, CHOSEN),
        (old("a!*"), INTERNAL, MemoryWish.AUTO, Kind.INTERNAL, STILL, CHOSEN),
        (new("a*"), EXTERNAL, MemoryWish.AUTO, Kind.EXTERNAL, LIVE, CHOSEN),
        (new(machine=WITH_RAW), INTERNAL, MemoryWish.AUTO, Kind.INTERNAL, STILL, CHOSEN),
        (new(), INTERNAL, LIVE, Kind.INTERNAL, LIVE, CHOSEN),
        (new(), INTERNAL, NO_MEMORY, Kind.INTERNAL, NO_MEMORY, CHOSEN),
        # the test driver
        (facts("", capabilities=TEST_DRIVER), AUTO, MemoryWish.AUTO, Kind.INTERNAL, STILL, ONLY_KIND),
        (facts("a!*", capabilities=TEST_DRIVER), AUTO, NO_MEMORY, Kind.INTERNAL, NO_MEMORY, ONLY_KIND),
        # the kind that the tree has; kinds are never mixed by themselves
        (new("a>b*"), AUTO, MemoryWish.AUTO, Kind.INTERNAL, STILL, SAME_INTERNAL),
        (new("a*", machine=WITH_RAW), AUTO, MemoryWish.AUTO, Kind.INTERNAL, STILL, SAME_INTERNAL),
        (new("a*"), AUTO, LIVE, Kind.INTERNAL, LIVE, SAME_INTERNAL),
        (new("a*", OFF), AUTO, MemoryWish.AUTO, Kind.INTERNAL, NO_MEMORY, SAME_INTERNAL),
        (old("a!*"), AUTO, MemoryWish.AUTO, Kind.EXTERNAL, LIVE, SAME_EXTERNAL),
        (old("a!*", OFF), AUTO, MemoryWish.AUTO, Kind.EXTERNAL, NO_MEMORY, SAME_EXTERNAL),
        (old("a>b!*"), AUTO, MemoryWish.AUTO, Kind.EXTERNAL, LIVE, SAME_EXTERNAL),
        # a way that only external ones have
        (old(), AUTO, LIVE, Kind.EXTERNAL, LIVE, ONLY_THIS_WAY),
        (old(), AUTO, NO_MEMORY, Kind.EXTERNAL, NO_MEMORY, ONLY_THIS_WAY),
        (new(vm=PAUSED), AUTO, NO_MEMORY, Kind.EXTERNAL, NO_MEMORY, ONLY_THIS_WAY),
        (old(vm=OFF), AUTO, NO_MEMORY, Kind.INTERNAL, NO_MEMORY, NO_REVERT),
        (old(vm=OFF), AUTO, LIVE, Kind.INTERNAL, NO_MEMORY, NO_REVERT),
        # what cannot be inside
        (old(machine=WITH_RAW), AUTO, MemoryWish.AUTO, Kind.EXTERNAL, LIVE, NO_ROOM_INSIDE),
        (old(vm=OFF, machine=WITH_RAW), AUTO, MemoryWish.AUTO, Kind.EXTERNAL, NO_MEMORY, NO_ROOM_INSIDE),
        (old(machine=WITH_DEVICE), AUTO, MemoryWish.AUTO, Kind.EXTERNAL, NO_MEMORY, DEVICE),
        (new(machine=WITH_DEVICE), AUTO, MemoryWish.AUTO, Kind.EXTERNAL, NO_MEMORY, DEVICE),
        (old(vm=OFF, machine=WITH_DEVICE), AUTO, MemoryWish.AUTO, Kind.INTERNAL, NO_MEMORY, NO_REVERT),
        (old(machine=UEFI_QCOW2), AUTO, MemoryWish.AUTO, Kind.EXTERNAL, LIVE, OLD_UEFI),
        (old(vm=OFF, machine=UEFI_RAW), AUTO, MemoryWish.AUTO, Kind.EXTERNAL, NO_MEMORY, OLD_UEFI),
        (new(machine=UEFI_RAW), AUTO, MemoryWish.AUTO, Kind.EXTERNAL, LIVE, RAW_NVRAM),
        (new(vm=OFF, machine=UEFI_RAW), AUTO, MemoryWish.AUTO, Kind.EXTERNAL, NO_MEMORY, RAW_NVRAM),
        # what this libvirt does best
        (new(), AUTO, MemoryWish.AUTO, Kind.EXTERNAL, LIVE, RUNS_ON),
        (new(machine=UEFI_QCOW2), AUTO, MemoryWish.AUTO, Kind.EXTERNAL, LIVE, RUNS_ON),
        (new(), AUTO, STILL, Kind.EXTERNAL, STILL, CAN_REVERT),
        (new(vm=PAUSED), AUTO, MemoryWish.AUTO, Kind.EXTERNAL, STILL, CAN_REVERT),
        (new(vm=OFF), AUTO, MemoryWish.AUTO, Kind.EXTERNAL, NO_MEMORY, CAN_REVERT),
        (old(), AUTO, MemoryWish.AUTO, Kind.INTERNAL, STILL, NO_REVERT),
        (old(), AUTO, STILL, Kind.INTERNAL, STILL, NO_REVERT),
        (old(vm=PAUSED), AUTO, MemoryWish.AUTO, Kind.INTERNAL, STILL, NO_REVERT),
        (old(vm=OFF), AUTO, MemoryWish.AUTO, Kind.INTERNAL, NO_MEMORY, NO_REVERT),
    ],
)
def test_the_rules(known: Facts, kind: KindWish, memory: MemoryWish, chosen: Kind, saved: MemoryWish, why: str) -> None:
    choice = choose(known, kind, memory)
    assert (choice.kind, choice.memory, str(choice.why)) == (chosen, saved, why)
    held = Place.INTERNAL if chosen is Kind.INTERNAL else Place.EXTERNAL
    assert choice.places == {disk.target: held for disk in known.machine.disks}


CD = Disk("sda", "cdrom", "/images/cd.iso", "raw", read_only=True)
EMPTY_CD = replace(CD, source="")
FLOPPY = Disk("fda", "floppy", "/images/f.img", "raw")
READ_ONLY = replace(RAW, read_only=True)
LEFT_OUT = replace(RAW, snapshot="no")
SECOND = replace(DISK, target="vdb", source="/images/b.qcow2")


@pytest.mark.parametrize(
    ("disks", "wishes", "places"),
    [
        ((DISK, SECOND), {}, {"vda": "external", "vdb": "external"}),
        ((DISK, RAW), {}, {"vda": "external", "vdb": "external"}),
        ((DISK, CD), {}, {"vda": "external", "sda": "none"}),
        ((DISK, EMPTY_CD), {}, {"vda": "external", "sda": "none"}),
        ((DISK, FLOPPY), {}, {"vda": "external", "fda": "none"}),
        ((DISK, READ_ONLY), {}, {"vda": "external", "vdb": "none"}),
        ((DISK, LEFT_OUT), {}, {"vda": "external", "vdb": "none"}),
        ((DISK, LEFT_OUT), {"vdb": Place.EXTERNAL}, {"vda": "external", "vdb": "external"}),
        ((DISK, SECOND), {"vdb": Place.NONE}, {"vda": "external", "vdb": "none"}),
        ((DISK, SECOND), {"vdb": Place.INTERNAL}, {"vda": "external", "vdb": "internal"}),
    ],
)
def test_where_every_disk_is_held(
    disks: tuple[Disk, ...], wishes: Mapping[str, Place], places: Mapping[str, str]
) -> None:
    known = new(machine=replace(MACHINE, disks=disks))
    assert choose(known, EXTERNAL, disks=wishes).places == {target: Place(place) for target, place in places.items()}
    assert choose(known, disks=wishes).places == {target: Place(place) for target, place in places.items()}


def test_a_disk_that_is_wanted_external_makes_the_whole_external() -> None:
    for known in (old(), old("a*")):
        choice = choose(known, disks={"vda": Place.EXTERNAL})
        assert (choice.kind, choice.places) == (Kind.EXTERNAL, {"vda": Place.EXTERNAL})
    assert choose(old(), INTERNAL, disks={"vda": Place.EXTERNAL}).kind is Kind.INTERNAL, "contradicted by the doctor"


@pytest.mark.parametrize("wish", list(MemoryWish))
@pytest.mark.parametrize("kind", list(KindWish))
@pytest.mark.parametrize("state", list(VmState))
def test_memory_is_decided_and_a_vm_without_a_process_has_none(
    state: VmState, kind: KindWish, wish: MemoryWish
) -> None:
    choice = choose(new(vm=replace(RUNNING, state=state)), kind, wish)
    assert choice.memory is not MemoryWish.AUTO
    assert choice.memory is MemoryWish.NONE or state.active
    assert choice.disk_only is (choice.memory is MemoryWish.NONE)
