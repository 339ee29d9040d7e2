"""Everything that a plan is made from, read from the hypervisor in one go."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath

from snapgui.hypervisor import files, inventory, snapshots, space, statistics
from snapgui.hypervisor.connection import Connection
from snapgui.images import qcow2
from snapgui.images.memory import memory_format
from snapgui.model.errors import Gone
from snapgui.model.records import (
    Capabilities,
    Directory,
    Disk,
    Kind,
    Lent,
    Machine,
    PauseReason,
    Place,
    Snapshot,
    Vm,
    VmState,
)
from snapgui.model.storage import SnapshotCost
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.model.tree import SnapshotTree
from snapgui.operations.bases import Known, canonical, chain, images_of_others, same_file
from snapgui.operations.image_access import open_image


@dataclass(frozen=True, slots=True)
class Facts:
    """The truth about one VM at one moment.

    ``changed``: whether the current state differs from its snapshot, None where that cannot be known.
    ``sizes``: (path, bytes on disk) of the files of external snapshots.
    ``memory_format``: of the newest memory file, empty where nobody can tell.
    ``lent``: images that something else reads; ``real``: (path, the same without links) of own files;
    ``chains``: (image, it and its bases) of every disk now and in an external snapshot;
    ``places``: the directories of all these files; ``agent``: whether the guest agent answers;
    ``block_jobs``: disks that are being copied or merged right now.
    ``allocated``: (image, bytes on disk) of all these chains, where that can be known.
    ``costs``: what snapshots cost, of those where that was asked for.
    ``resident``: bytes of guest RAM in use; ``free``: bytes of room where the RAM would be saved; None for unknown.
    """

    uri: str
    vm: Vm
    machine: Machine
    tree: SnapshotTree
    capabilities: Capabilities
    now: datetime
    changed: bool | None = None
    managed_save: bool = False
    resident: int | None = None
    free: int | None = None
    places: tuple[Directory, ...] = ()
    sizes: tuple[tuple[str, int], ...] = ()
    lent: tuple[Lent, ...] = ()
    allocated: tuple[tuple[str, int], ...] = ()
    chains: tuple[tuple[str, tuple[str, ...]], ...] = ()
    real: tuple[tuple[str, str], ...] = ()
    memory_format: str = ""
    agent: bool = False
    block_jobs: tuple[str, ...] = ()
    costs: tuple[SnapshotCost, ...] = ()


def read_facts(connection: Connection, vm_uuid: str) -> Facts:
    """Read everything about one VM, and which images others read; raise Gone where it does not exist."""
    vm = inventory.read_vm(connection, vm_uuid)
    machine = inventory.read_current_machine(connection, vm_uuid)
    tree = snapshots.read_tree(connection, vm_uuid)
    images = statistics.image_paths(machine)
    chains = _chains(connection, machine, tree)
    based = dict.fromkeys(path for _, files_of_chain in chains for path in files_of_chain)
    overlays = [disk.overlay for snapshot in tree for disk in snapshot.disks if disk.overlay.startswith("/")]
    return Facts(
        uri=connection.uri,
        vm=vm,
        machine=machine,
        tree=tree,
        capabilities=connection.capabilities(),
        now=datetime.now(UTC),
        changed=read_changed(connection, vm, tree, machine),
        managed_save=inventory.has_managed_save(connection, vm_uuid),
        resident=statistics.resident_memory(connection, vm_uuid) if vm.state.active else 0,
        free=space.free_bytes(connection, images[0]) if images else None,
        places=tuple(files.look(connection, place) for place in _directories((*images, *_files_of(tree), *based))),
        sizes=tuple(_sizes(connection, tree)),
        lent=images_of_others(connection, vm_uuid, (*images, *based, *_files_of(tree), *overlays)),
        allocated=tuple(_allocated(connection, based)),
        real=tuple((path, canonical(connection, path)) for path in dict.fromkeys((*based, *_files_of(tree)))),
        chains=chains,
        memory_format=_memory_format(connection, tree),
        block_jobs=statistics.block_jobs(connection, vm_uuid, machine) if vm.state.active else (),
        agent=vm.state.active and inventory.agent_connected(connection, vm_uuid),
    )


def snapshot_of(facts: Facts, name: str) -> Snapshot:
    """Return the snapshot of that name; raise Gone where there is none."""
    found = facts.tree.snapshots.get(name)
    if found is None:
        missing = QT_TRANSLATE_NOOP("errors", "There is no snapshot “{name}” of {vm}.")
        raise Gone(missing.format(name=name, vm=facts.vm.name))
    return found


def _chains(connection: Connection, machine: Machine, tree: SnapshotTree) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """A chain is read from the images themselves: metadata of snapshots do not know what lies below the first."""
    known: Known = {}
    images = {disk.source: disk.format for disk in machine.disks if disk.writable}
    for snapshot in tree:
        formats = {disk.target: disk.format for disk in snapshot.machine.disks}
        for disk in snapshot.disks:
            if disk.place is Place.EXTERNAL:
                images.setdefault(disk.source, formats.get(disk.target, ""))
    return tuple((path, tuple(chain(connection, path, kind, known, thorough=True))) for path, kind in images.items())


def _files_of(tree: SnapshotTree) -> Iterator[str]:
    """Every file that an external snapshot needs to be gone back to."""
    for snapshot in tree:
        if snapshot.kind is not Kind.INTERNAL:
            sources = [disk.source for disk in snapshot.disks] + [disk.source for disk in snapshot.machine.disks]
            yield from (source for source in sources if source.startswith("/"))
            if snapshot.memory_file.startswith("/"):
                yield snapshot.memory_file


def _sizes(connection: Connection, tree: SnapshotTree) -> Iterator[tuple[str, int]]:
    for snapshot in tree:
        for path in (*(disk.overlay for disk in snapshot.disks), snapshot.memory_file):
            size = statistics.allocated(connection, (path,)) if path.startswith("/") else None
            if size is not None:
                yield path, size


def _allocated(connection: Connection, paths: Iterable[str]) -> Iterator[tuple[str, int]]:
    for path in paths:
        size = statistics.allocated(connection, (path,))
        if size is not None:
            yield path, size


def _memory_format(connection: Connection, tree: SnapshotTree) -> str:
    newest = max((s for s in tree if s.memory_file), key=lambda snapshot: snapshot.created, default=None)
    image = None if newest is None else open_image(connection, newest.memory_file)
    if image is None:
        return ""
    try:
        return memory_format(image)
    except OSError:
        return ""
    finally:
        image.close()


def _directories(paths: Iterable[str]) -> dict[str, None]:
    return dict.fromkeys(path.rpartition("/")[0] or "/" for path in paths)


def place_of(facts: Facts, source: str) -> Directory:
    """Return the directory of an image; for sources that are no files, that of the first image that is one."""
    wanted = str(PurePosixPath(source).parent)
    found = next((place for place in facts.places if place.path == wanted), None)
    return found or (facts.places[0] if facts.places else Directory(wanted))


def is_missing(facts: Facts, path: str) -> bool:
    """Whether it is certain that a file does not exist."""
    directory, _, name = path.rpartition("/")
    place = next((place for place in facts.places if place.path == (directory or "/")), None)
    return place is not None and place.names is not None and name not in place.names


@dataclass(frozen=True, slots=True)
class Glance:
    """What the window shows of one VM."""

    vm: Vm
    tree: SnapshotTree
    machine: Machine
    changed: bool | None
    fingerprint: snapshots.Fingerprint


def glance(connection: Connection, vm_uuid: str, known: Glance | None = None) -> Glance:
    """Look at one VM. What ``known`` shows already is kept where nothing can have changed: a look costs 1 ms then."""
    vm = inventory.read_vm(connection, vm_uuid)
    fingerprint = snapshots.fingerprint(connection, vm_uuid)
    if known is not None and (fingerprint, vm.state, vm.pause) == (known.fingerprint, known.vm.state, known.vm.pause):
        return replace(known, vm=vm)
    tree = snapshots.read_tree(connection, vm_uuid, None if known is None else known.tree)
    machine = inventory.read_current_machine(connection, vm_uuid)
    return Glance(vm, tree, machine, read_changed(connection, vm, tree, machine), fingerprint)


def read_changed(connection: Connection, vm: Vm, tree: SnapshotTree, machine: Machine) -> bool | None:
    """Whether the current state differs from its snapshot; None where that cannot be known."""
    if tree.current is None:
        return None
    snapshot = tree[tree.current]
    if vm.state is VmState.PAUSED:
        return False if vm.pause is PauseReason.FROM_SNAPSHOT else None
    if vm.state.active or snapshot.memory is not Place.NONE:
        return True
    if _reconfigured(machine, snapshot):
        return True
    return _written(connection, machine, snapshot)


def _reconfigured(machine: Machine, snapshot: Snapshot) -> bool:
    """Whether somebody changed the hardware; a revert would take it back. Image files move by themselves."""
    then = snapshot.machine
    facts = ("vcpus", "memory", "firmware", "tpm", "interfaces")
    return any(getattr(machine, fact) != getattr(then, fact) for fact in facts) or (
        [disk.target for disk in machine.disks] != [disk.target for disk in then.disks]
    )


def _written(connection: Connection, machine: Machine, snapshot: Snapshot) -> bool | None:
    answers = [_disk_written(connection, disk, snapshot) for disk in machine.disks if disk.writable]
    if any(answers):
        return True
    return None if None in answers or not answers else False


def _disk_written(connection: Connection, disk: Disk, snapshot: Snapshot) -> bool | None:
    """A disk that the snapshot left out, or that lies in another image than the snapshot says, may hold anything."""
    held = next((held for held in snapshot.disks if held.target == disk.target), None)
    if held is None or held.place is Place.NONE:
        return None
    image = open_image(connection, disk.source) if disk.format == "qcow2" else None
    if image is None:
        return None
    try:
        if held.place is Place.EXTERNAL:
            directly = same_file(connection, qcow2.read_head(image).backing_file, held.source)
            return not qcow2.untouched(image) if directly else None
        if not same_file(connection, disk.source, held.source):
            return None
        same = qcow2.same_as_snapshot(image, snapshot.name)
    except (qcow2.ImageError, OSError):
        return None
    else:
        return None if same is None else not same
    finally:
        image.close()
