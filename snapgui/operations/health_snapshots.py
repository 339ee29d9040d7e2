"""What libvirt knows of snapshots against what the images hold: unknown, lost and incomplete ones, missing memory."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from snapgui.images.qcow2 import ImageSnapshot
from snapgui.model import names
from snapgui.model.adoption import Adoption, HeldDisk
from snapgui.model.errors import SnapguiError
from snapgui.model.health import Ail, Ailment, Mending
from snapgui.model.plan import Severity
from snapgui.model.records import Place, Snapshot
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.health_evidence import FileKind, SeenDisk, SeenVm
from snapgui.operations.health_scene import Scene


def snapshot_ailments(scene: Scene, vm: SeenVm) -> Iterator[Ailment]:
    """Return what is wrong with the snapshots of one VM; of one that is being worked on right now, nothing."""
    if vm.moves:
        return
    yield from _unknown(scene, vm)
    for snapshot in vm.tree:
        if any(held.place is Place.INTERNAL for held in snapshot.disks):
            yield from _inside(scene, vm, snapshot)
        else:
            yield from _outside(scene, vm, snapshot)


# inside an image, but unknown to libvirt


def _unknown(scene: Scene, vm: SeenVm) -> Iterator[Ailment]:
    disks = scene.now(vm)
    found: dict[str, list[tuple[SeenDisk, ImageSnapshot]]] = {}
    for disk in disks:
        seen = scene.file(disk.path)
        for entry in seen.inside if seen is not None and not seen.trouble else ():
            if not scene.knows(vm, disk, entry.name):
                found.setdefault(entry.name, []).append((disk, entry))
    for name, holders in found.items():
        yield _unknown_one(scene, vm, disks, name, holders)


def _unknown_one(
    scene: Scene,
    vm: SeenVm,
    disks: tuple[SeenDisk, ...],
    name: str,
    holders: list[tuple[SeenDisk, ImageSnapshot]],
) -> Ailment:
    (first, entry), whole = holders[0], len(holders) == len(disks)
    memory = any(each.memory_bytes for _, each in holders)
    adoption = Adoption(
        name,
        datetime.fromtimestamp(entry.taken[0], UTC),
        "running" if memory else "shutoff",
        tuple(HeldDisk(disk.target, disk.path) for disk in disks),
    )
    known = QT_TRANSLATE_NOOP(
        "health",
        "The image {path} of {vm} holds a snapshot “{name}” of which libvirt does not know: it takes room, and cannot "
        "be gone back to.",
    )
    part = QT_TRANSLATE_NOOP(
        "health",
        "The image {path} of {vm} holds a snapshot “{name}” of which libvirt does not know, and not all disks of {vm} "
        "have it: it cannot be gone back to.",
    )
    adopt = QT_TRANSLATE_NOOP("health", "Let libvirt know it; or remove it from the image.")
    remove = QT_TRANSLATE_NOOP("health", "Remove it from the image.")
    by_hand = QT_TRANSLATE_NOOP("health", "libvirt cannot know it. While {vm} is off, qemu-img snapshot -d removes it.")
    possible = _possible(scene, vm, disks, name)
    fix = (adopt if whole else remove) if possible else by_hand.format(vm=vm.vm.name)
    return Ailment(
        Ail.UNKNOWN_SNAPSHOT,
        Severity.WARNING,
        (known if whole else part).format(path=first.path, vm=vm.vm.name, name=name),
        first.path,
        vm.vm.name,
        vm.vm.uuid,
        first.target,
        name,
        fix=fix,
        mendings=((Mending.ADOPT,) if whole else ()) + (Mending.REMOVE,) if possible else (),
        adoption=adoption,
        inside=tuple(HeldDisk(disk.target, disk.path) for disk, _ in holders),
    )


def _possible(scene: Scene, vm: SeenVm, disks: tuple[SeenDisk, ...], name: str) -> bool:
    """libvirt wants a name that it could have given, and every writable disk to be a qcow2 image."""
    try:
        kept = names.check(name, vm.tree.snapshots)
    except SnapguiError:
        return False
    return kept == name and all(scene.is_image(disk.path) and disk.format == "qcow2" for disk in disks)


# known to libvirt, but not in the images


def _inside(scene: Scene, vm: SeenVm, snapshot: Snapshot) -> Iterator[Ailment]:
    now = {disk.target: disk.path for disk in scene.now(vm)}
    holding: list[HeldDisk] = []
    lacking: list[HeldDisk] = []
    for held in snapshot.disks:
        if held.place is not Place.INTERNAL:
            continue
        there = [path for path in (held.source, now.get(held.target, "")) if path]
        answers = [_holds(scene, path, snapshot.name) for path in dict.fromkeys(there)]
        if True in answers:
            holding.append(HeldDisk(held.target, held.source))
        elif None in answers or not answers:
            return
        else:
            lacking.append(HeldDisk(held.target, held.source))
    if lacking and not holding:
        yield _lost(vm, snapshot, lacking[0])
    elif lacking:
        yield _incomplete(vm, snapshot, lacking[0], tuple(holding))


def _holds(scene: Scene, path: str, name: str) -> bool | None:
    """Whether an image holds a snapshot, None where that cannot be seen."""
    if path in scene.evidence.missing:
        return False
    seen = scene.file(path)
    if seen is None or seen.kind is FileKind.UNSEEN or seen.trouble:
        return None
    return any(entry.name == name for entry in seen.inside)


def _lost(vm: SeenVm, snapshot: Snapshot, disk: HeldDisk) -> Ailment:
    text = QT_TRANSLATE_NOOP(
        "health", "The snapshot “{name}” of {vm} is only a description: what it held is not in {path} any more."
    )
    fix = QT_TRANSLATE_NOOP("health", "Remove the description; the disks of {vm} are not touched.")
    return Ailment(
        Ail.SNAPSHOT_LOST,
        Severity.WARNING,
        text.format(name=snapshot.label, vm=vm.vm.name, path=disk.path),
        disk.path,
        vm.vm.name,
        vm.vm.uuid,
        disk.target,
        snapshot.name,
        fix=fix.format(vm=vm.vm.name),
        mendings=(Mending.REMOVE,),
    )


def _incomplete(vm: SeenVm, snapshot: Snapshot, disk: HeldDisk, holding: tuple[HeldDisk, ...]) -> Ailment:
    text = QT_TRANSLATE_NOOP(
        "health",
        "The snapshot “{name}” of {vm} is not complete: disk {target} ({path}) does not hold it. It cannot be gone "
        "back to as a whole.",
    )
    fix = QT_TRANSLATE_NOOP("health", "Copy out what you still need of the other disks, then remove the snapshot.")
    return Ailment(
        Ail.SNAPSHOT_INCOMPLETE,
        Severity.WARNING,
        text.format(name=snapshot.label, vm=vm.vm.name, target=disk.target, path=disk.path),
        disk.path,
        vm.vm.name,
        vm.vm.uuid,
        disk.target,
        snapshot.name,
        fix=fix,
        mendings=(Mending.REMOVE,),
        inside=holding,
    )


# in files of its own


def _outside(scene: Scene, vm: SeenVm, snapshot: Snapshot) -> Iterator[Ailment]:
    missing = scene.evidence.missing
    read_now = {path for disk in vm.disks for path in scene.chain(disk.path)}
    gone = [held for held in snapshot.disks if held.place is Place.EXTERNAL and held.source in missing]
    for held in gone[:1]:
        if held.source not in read_now:  # else the base of what runs now is missing, which matters more
            lost = _lost(vm, snapshot, HeldDisk(held.target, held.source))
            text = QT_TRANSLATE_NOOP(
                "health", "The snapshot “{name}” of {vm} is only a description: its image does not exist: {path}."
            )
            text = text.format(name=snapshot.label, vm=vm.vm.name, path=held.source)
            fix = QT_TRANSLATE_NOOP("health", "Bring the file back if you moved it; or remove the description.")
            yield replace(lost, text=text, fix=fix)
    if snapshot.memory_file in missing and not gone:
        yield _without_memory(vm, snapshot)


def _without_memory(vm: SeenVm, snapshot: Snapshot) -> Ailment:
    text = QT_TRANSLATE_NOOP(
        "health",
        "The memory of the snapshot “{name}” of {vm} does not exist: {path}. Going back to it fails, and leaves {vm} "
        "off; its disks are there.",
    )
    fix = QT_TRANSLATE_NOOP("health", "Bring the file back; or make it a snapshot of the disks alone.")
    return Ailment(
        Ail.MEMORY_MISSING,
        Severity.WARNING,
        text.format(name=snapshot.label, vm=vm.vm.name, path=snapshot.memory_file),
        snapshot.memory_file,
        vm.vm.name,
        vm.vm.uuid,
        snapshot=snapshot.name,
        fix=fix,
        mendings=(Mending.ADOPT,),
        adoption=Adoption(snapshot.name, snapshot.created, "disk-snapshot", replaces=True),
    )
