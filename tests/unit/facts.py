"""Facts about an imagined VM, for tests of plans."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from snapgui.model.records import Capabilities, Directory, Disk, Lent, Machine, PauseReason, Place, Vm, VmState
from snapgui.model.tree import SnapshotTree
from snapgui.operations.facts import Facts
from tests.unit.trees import files_of, image_after, tree

DISK = Disk("vda", source="/images/disk.qcow2", format="qcow2")
MACHINE = Machine(vcpus=1, memory=256 * 2**20, architecture="x86_64", machine="pc", disks=(DISK,))
OLD_LIBVIRT = Capabilities(libvirt=(9, 0, 0), hypervisor=(7, 2, 0))
NEW_LIBVIRT = Capabilities(libvirt=(11, 3, 0), hypervisor=(10, 0, 2), external_revert=True)
RUNNING = Vm("11111111-2222-3333-4444-555555555555", "web01", VmState.RUNNING)
PAUSED = replace(RUNNING, state=VmState.PAUSED, pause=PauseReason.USER)
OFF = replace(RUNNING, state=VmState.SHUTOFF)
MIB = 2**20


def facts(
    line: str = "base>a+*",
    vm: Vm = RUNNING,
    *,
    machine: Machine | None = None,
    changed: bool | None = True,
    capabilities: Capabilities = OLD_LIBVIRT,
    managed_save: bool = False,
    resident: int | None = 100 * MIB,
    free: int | None = 10_000 * MIB,
    lent: tuple[Lent, ...] = (),
    agent: bool = False,
    memory_format: str = "sparse",
) -> Facts:
    """Return the facts about a VM whose snapshots ``line`` draws; without ``machine`` it runs on their newest image."""
    known = tree(line, MACHINE)
    machine = machine or running_on(known)
    return Facts(
        uri="qemu:///system",
        vm=vm,
        machine=machine,
        tree=known,
        capabilities=capabilities,
        now=datetime(2026, 1, 31, 13, 30, 5, tzinfo=UTC),
        changed=changed,
        managed_save=managed_save,
        resident=resident if vm.state.active else 0,
        free=free,
        places=(replace(place(known, machine), free=free),),
        lent=lent,
        agent=agent,
        memory_format=memory_format,
    )


def running_on(known: SnapshotTree) -> Machine:
    """Return the machine whose disk is the image that is written to after the current snapshot.

    Where that is frozen by now, the VM came there by a revert, which makes another image.
    """
    source = image_after(known, known.current, DISK.source)
    frozen = {disk.source for found in known for disk in found.disks if disk.place is Place.EXTERNAL}
    source = f"{source}.now" if source in frozen else source
    return replace(MACHINE, disks=(replace(DISK, source=source),))


def place(known: SnapshotTree, machine: Machine) -> Directory:
    """Return the directory of the images, with every file that the snapshots and the machine name."""
    named = {*files_of(known), *(disk.source for disk in machine.disks)}
    return Directory("/images", frozenset(path.rpartition("/")[2] for path in named if path), 10_000 * MIB)


def with_chains(found: Facts) -> Facts:
    """Return the facts with what the images of the drawn tree are layered on."""
    below = {disk.overlay: disk.source for snapshot in found.tree for disk in snapshot.disks if disk.overlay}
    images = [disk.source for disk in found.machine.disks]
    images += [disk.source for snapshot in found.tree for disk in snapshot.disks]
    chains = {image: tuple(_down(image, below)) for image in images}
    return replace(found, chains=tuple(chains.items()))


def _down(image: str, below: dict[str, str]) -> Iterator[str]:
    while image:
        yield image
        image = image.removesuffix(".now") if image.endswith(".now") else below.get(image, "")
