"""Files that nothing refers to: overlays on the images of VMs, memory of snapshots, images in the directories of VMs.

Nothing is guessed: as long as one VM cannot be read, it may refer to any of them.
"""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from snapgui.model.adoption import Adoption
from snapgui.model.health import Ail, Ailment, Mending
from snapgui.model.lineage import Use
from snapgui.model.plan import Severity
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.health_evidence import FileKind, SeenFile, SeenVm
from snapgui.operations.health_scene import Scene
from snapgui.operations.outcome import binary_size

IN_FLIGHT = timedelta(seconds=60)
"""For so long after the last write a memory file that is not whole may still be being written."""


def orphan_ailments(scene: Scene, adoptable: Mapping[str, Adoption]) -> Iterator[Ailment]:
    """Return all files that nothing refers to; ``adoptable``: (memory file, the snapshot that it belongs to)."""
    if scene.evidence.unread:
        return
    for path, file in sorted(scene.evidence.files.items()):
        if scene.is_needed(file) or file.written or path in scene.evidence.making:
            continue
        if file.kind is FileKind.MEMORY:
            yield from _memory(scene, file, adoptable.get(path))
        elif file.kind is FileKind.QCOW2 and not file.trouble:
            yield from _image(scene, file)


def _memory(scene: Scene, file: SeenFile, adoption: Adoption | None) -> Iterator[Ailment]:
    memory = file.memory
    vm = None if memory is None else scene.vm(memory.vm_uuid)
    fresh = file.changed is not None and scene.evidence.now - file.changed < IN_FLIGHT
    being_written = memory is not None and not memory.whole and fresh
    if being_written or (vm is not None and vm.moves) or _is_managed_save(file.path):
        return
    if vm is None:
        text = QT_TRANSLATE_NOOP(
            "health", "{path} holds the saved memory of {vm}, which is no VM here. Nothing refers to it."
        )
        name = memory.vm if memory is not None and memory.vm else "?"
        yield Ailment(Ail.ORPHAN_MEMORY, Severity.NOTE, text.format(path=file.path, vm=name), file.path)
        return
    text = QT_TRANSLATE_NOOP(
        "health",
        "{path} ({size}) holds saved memory of {vm}, but no snapshot of it refers to that file. If you made it with "
        "“virsh save”, keep it.",
    )
    remove = QT_TRANSLATE_NOOP("health", "Remove the file.")
    adopt = QT_TRANSLATE_NOOP(
        "health", "Let libvirt know the snapshot “{name}” that it belongs to; or remove the file."
    )
    yield Ailment(
        Ail.ORPHAN_MEMORY,
        Severity.NOTE,
        text.format(path=file.path, size=binary_size(file.length), vm=vm.vm.name),
        file.path,
        vm.vm.name,
        vm.vm.uuid,
        fix=remove if adoption is None else adopt.format(name=adoption.name),
        mendings=(Mending.REMOVE,) if adoption is None else (Mending.ADOPT, Mending.REMOVE),
        adoption=adoption,
    )


def _is_managed_save(path: str) -> bool:
    """libvirt keeps the memory of sleeping VMs in a directory of its own, and does not say where."""
    return posixpath.basename(posixpath.dirname(path)) == "save" and path.endswith(".save")


def _image(scene: Scene, file: SeenFile) -> Iterator[Ailment]:
    below = _nearest(scene, file.path)
    upper = scene.above.get(file.path, [])
    if below is not None:
        vm = scene.vm(below.vm_uuid)
        if vm is not None and not vm.moves:
            yield _sure(scene, _overlay(file, vm, below, upper), vm)
    elif not upper:
        yield from _loose(scene, file)


def _nearest(scene: Scene, path: str) -> Use | None:
    """Return the use of the nearest image below that a VM has, as writable disk or frozen by a snapshot."""
    for base in scene.chain(path)[1:]:
        if uses := scene.uses.get(base):
            return min(uses, key=lambda use: (use.snapshot is None, use.vm))
    return None


def _overlay(file: SeenFile, vm: SeenVm, below: Use, upper: list[str]) -> Ailment:
    text = QT_TRANSLATE_NOOP(
        "health",
        "{path} is layered on an image of {vm}, but no VM, snapshot or image refers to it. It is what is left of a "
        "snapshot or a clone, takes room, and keeps {vm} from merging images.",
    )
    remove = QT_TRANSLATE_NOOP("health", "Remove the file.")
    first = QT_TRANSLATE_NOOP("health", "Remove what is layered on it first: {paths}.")
    return Ailment(
        Ail.ORPHAN_OVERLAY,
        Severity.WARNING,
        text.format(path=file.path, vm=vm.vm.name),
        file.path,
        vm.vm.name,
        vm.vm.uuid,
        below.target,
        fix=first.format(paths=", ".join(sorted(upper))) if upper else remove,
        mendings=() if upper else (Mending.REMOVE,),
    )


def _loose(scene: Scene, file: SeenFile) -> Iterator[Ailment]:
    """An image of its own: a template that waits for clones, a backup, or what is left of a removed VM."""
    vm = scene.only_vm_of(file.path)
    if vm is None:
        if scene.has_images(file.path):
            text = QT_TRANSLATE_NOOP("health", "No VM, snapshot or image refers to {path}. It may be a template.")
            yield _unused(file, text.format(path=file.path))
        return
    if vm.moves:
        return
    text = QT_TRANSLATE_NOOP(
        "health",
        "{path} lies in the directory of {vm}, but no VM, snapshot or image refers to it. It may be a backup, or what "
        "is left of a disk.",
    )
    yield _sure(scene, _unused(file, text.format(path=file.path, vm=vm.vm.name), vm), vm)


def _sure(scene: Scene, found: Ailment, vm: SeenVm) -> Ailment:
    """What an image needs that is missing or cannot be read nobody can tell: it may be this very file."""
    if scene.is_read_whole(vm):
        return found
    text = QT_TRANSLATE_NOOP("health", "Keep it until all images that VMs read are there and can be read.")
    return replace(found, fix=text, mendings=())


def _unused(file: SeenFile, text: Text, vm: SeenVm | None = None) -> Ailment:
    if vm is None:
        return Ailment(Ail.ORPHAN_IMAGE, Severity.NOTE, text, file.path)
    fix = QT_TRANSLATE_NOOP("health", "Remove the file, if you are sure.")
    vm_uuid, mendings = vm.vm.uuid, (Mending.REMOVE,)
    return Ailment(Ail.ORPHAN_IMAGE, Severity.NOTE, text, file.path, vm.vm.name, vm_uuid, fix=fix, mendings=mendings)
