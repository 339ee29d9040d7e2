"""Layers of a VM's own images that no snapshot describes: after “virsh snapshot-delete --metadata” of an external one.

A base that no snapshot describes may as well be a template. A layer counts as the VM's own only with a proof of that.
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from snapgui.model import names
from snapgui.model.adoption import Adoption, HeldDisk
from snapgui.model.health import Ail, Ailment, Mending
from snapgui.model.plan import Severity
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.file_names import harmless
from snapgui.operations.health_evidence import FileKind, SeenDisk, SeenFile, SeenVm
from snapgui.operations.health_scene import Scene

_IMAGES = {".qcow2", ".qcow", ".img", ".raw"}
_ADOPTED = "adopted"


@dataclass(frozen=True, slots=True)
class _Layer:
    """One image that was frozen under ``overlay``; ``name`` is what the snapshot seems to have been called."""

    disk: SeenDisk
    frozen: SeenFile
    overlay: str
    name: str
    format: str


def layer_ailments(scene: Scene, vm: SeenVm) -> Iterator[Ailment]:
    """Return the layers of one VM that no snapshot describes; disks that were frozen together are one finding."""
    if vm.moves:
        return
    layers = [layer for disk in scene.now(vm) for layer in _layers(scene, vm, disk)]
    taken = set(vm.tree.snapshots)
    for group, memory in _together(scene, vm, layers):
        ailment = _ailment(scene, vm, group, memory, taken)
        if ailment.adoption is not None:
            taken.add(ailment.adoption.name)
        yield ailment


def fitting_memory(scene: Scene, vm: SeenVm, layers: tuple[str, ...]) -> SeenFile | None:
    """Return the one memory file without a snapshot that was saved while the VM's disks were in these images."""
    found = [file for file in memories(scene, vm) if file.memory and set(layers) <= {p for _, p in file.memory.images}]
    return found[0] if len(found) == 1 else None


def memories(scene: Scene, vm: SeenVm) -> Iterator[SeenFile]:
    """Yield the whole memory files of a VM that nothing refers to."""
    for file in scene.evidence.files.values():
        memory = file.memory
        if memory is not None and memory.whole and memory.vm_uuid == vm.vm.uuid and file.path not in scene.referred:
            yield file


def _layers(scene: Scene, vm: SeenVm, disk: SeenDisk) -> Iterator[_Layer]:
    chain = scene.chain(disk.path)
    frozen = scene.frozen(vm)
    own = [path in frozen for path in chain]
    for number in range(1, len(chain)):
        path, overlay = chain[number], chain[number - 1]
        seen, upper = scene.file(path), scene.file(overlay)
        if seen is None or upper is None or seen.kind is FileKind.UNSEEN or seen.trouble or path in frozen:
            continue
        if scene.uses.get(path) or scene.above.get(path) != [overlay]:
            return
        name = _name(vm, disk, path, overlay)
        above_own = any(own[number + 1 :])
        saved = fitting_memory(scene, vm, (path,)) is not None
        if not (name or above_own or saved):
            return
        image_format = upper.base_format or ("qcow2" if seen.kind is FileKind.QCOW2 else "")
        yield _Layer(disk, seen, overlay, name, image_format)


def _name(vm: SeenVm, disk: SeenDisk, path: str, overlay: str) -> str:
    """Return the name in an overlay's file name, as libvirt or snapgui put it there; nothing for any other file."""
    if posixpath.dirname(path) != posixpath.dirname(overlay):
        return ""
    file = PurePosixPath(overlay)
    ours = f"{harmless(vm.vm.name)}-{harmless(disk.target)}."
    if file.name.startswith(ours) and file.suffix == ".qcow2":
        return file.stem.removeprefix(ours[:-1]).lstrip(".")
    theirs = f"{PurePosixPath(path).stem}."
    return file.name.removeprefix(theirs) if file.name.startswith(theirs) and file.suffix not in _IMAGES else ""


def _together(scene: Scene, vm: SeenVm, layers: list[_Layer]) -> Iterator[tuple[tuple[_Layer, ...], SeenFile | None]]:
    """Yield (layers of different disks, their memory): first by a memory file that knows them all, then by name."""
    left = list(layers)
    targets = {disk.target for disk in scene.now(vm)}
    for file in memories(scene, vm):
        known = dict(file.memory.images) if file.memory is not None else {}
        group = tuple(layer for layer in left if known.get(layer.disk.target) == layer.frozen.path)
        if {layer.disk.target for layer in group} == targets and _is_only(scene, vm, group, file):
            left = [layer for layer in left if layer not in group]
            yield group, file
    while left:
        first = left.pop(0)
        group = (first,)
        for layer in tuple(left):
            if (
                first.name
                and layer.name == first.name
                and layer.disk.target not in {each.disk.target for each in group}
            ):
                group = (*group, layer)
                left.remove(layer)
        yield group, None


def _is_only(scene: Scene, vm: SeenVm, group: tuple[_Layer, ...], file: SeenFile) -> bool:
    return fitting_memory(scene, vm, tuple(layer.frozen.path for layer in group)) is file


def _ailment(scene: Scene, vm: SeenVm, group: tuple[_Layer, ...], memory: SeenFile | None, taken: set[str]) -> Ailment:
    first = group[0]
    adoption = _adoption(scene, vm, group, memory, taken)
    text = QT_TRANSLATE_NOOP(
        "health",
        "Disk {target} of {vm} is layered on {path}, which no snapshot of {vm} describes: nobody can go back to it, "
        "and it is never merged.",
    )
    disks = QT_TRANSLATE_NOOP("health", "Let libvirt know it as a snapshot of the disks, “{name}”.")
    full = QT_TRANSLATE_NOOP(
        "health", "Let libvirt know it as a snapshot with memory, “{name}”: {memory} belongs to it."
    )
    fix = None
    if adoption is not None:
        fix = (full if memory else disks).format(name=adoption.name, memory=adoption.memory_file)
    return Ailment(
        Ail.LAYER_UNKNOWN,
        Severity.WARNING,
        text.format(target=first.disk.target, vm=vm.vm.name, path=first.frozen.path),
        first.frozen.path,
        vm.vm.name,
        vm.vm.uuid,
        first.disk.target,
        fix=fix,
        mendings=() if adoption is None else (Mending.ADOPT,),
        adoption=adoption,
        overlay=first.overlay,
    )


def _adoption(
    scene: Scene, vm: SeenVm, group: tuple[_Layer, ...], memory: SeenFile | None, taken: set[str]
) -> Adoption | None:
    """What was frozen was written to last just before; the snapshots around it are those of the images around it."""
    first = group[0]
    when = first.frozen.changed
    if when is None or not all(layer.format for layer in group):
        return None
    frozen, chain = scene.frozen(vm), scene.chain(first.disk.path)
    lower = (frozen[path].name for path in chain[chain.index(first.frozen.path) + 1 :] if path in frozen)
    upper = frozen.get(first.overlay)
    parent = next(lower, "")
    return Adoption(
        name=_free_name(first.name or _ADOPTED, taken),
        created=_between(when, vm, parent),
        state="running" if memory is not None else "disk-snapshot",
        disks=tuple(HeldDisk(one.disk.target, one.frozen.path, one.overlay, one.format) for one in group),
        memory_file="" if memory is None else memory.path,
        parent=parent,
        children=(upper.name,) if upper is not None and (upper.parent or "") == parent else (),
        current=first.overlay == first.disk.path,
    )


def _between(when: datetime, vm: SeenVm, parent: str) -> datetime:
    """A snapshot is not older than the one that it hangs off, whatever the file's time says."""
    return max(when, vm.tree[parent].created) if parent in vm.tree else when


def _free_name(wanted: str, taken: set[str]) -> str:
    begin = _ADOPTED if names.problem(wanted) is not None else wanted
    numbered = (begin if number == 1 else f"{begin}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in numbered if name not in taken)
