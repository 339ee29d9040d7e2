"""What is wrong with the images that VMs read: missing or moved bases, formats that are not recorded, damage, depth."""

import posixpath
from collections.abc import Iterator
from dataclasses import replace

from snapgui.images.soundness import Trouble
from snapgui.model.health import Ail, Ailment, Mending
from snapgui.model.plan import Severity
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.doctor import DEEP
from snapgui.operations.health_evidence import FileKind, SeenFile, SeenVm
from snapgui.operations.health_scene import Scene

_TROUBLES = {
    Trouble.UNREADABLE: QT_TRANSLATE_NOOP("health", "its beginning makes no sense"),
    Trouble.TRUNCATED: QT_TRANSLATE_NOOP("health", "it ends before its tables do"),
    Trouble.CORRUPT: QT_TRANSLATE_NOOP("health", "QEMU has found it to be corrupt"),
}
_CHECK = QT_TRANSLATE_NOOP(
    "health", "Copy the file before anything else; “qemu-img check {path}” says more. A backup may be the only way."
)


def image_ailments(scene: Scene, vm: SeenVm) -> Iterator[Ailment]:
    """Return what is wrong with the images of one VM, each image once; of one that is being changed, nothing."""
    if vm.held:
        return
    done: set[str] = set()
    for root, (target, snapshot) in scene.roots(vm).items():
        above = ""
        for path in scene.chain(root):
            if path not in done:
                done.add(path)
                yield from _of_image(scene, replace(_blank(vm), target=target, snapshot=snapshot), path, above)
            above = path
    yield from _deep(scene, vm)


def _blank(vm: SeenVm) -> Ailment:
    return Ailment(Ail.IMAGE_DAMAGED, Severity.BLOCKER, QT_TRANSLATE_NOOP("health", ""), "", vm.vm.name, vm.vm.uuid)


def _of_image(scene: Scene, blank: Ailment, path: str, above: str) -> Iterator[Ailment]:
    if path in scene.evidence.missing:
        if above:
            yield _base_gone(scene, blank, path, above)
        elif not blank.snapshot:
            yield _image_gone(blank, path)
        return
    seen = scene.file(path)
    if seen is None or seen.kind is FileKind.UNSEEN:
        return
    if seen.trouble:
        yield _damaged(blank, path, _TROUBLES[seen.trouble])
    elif seen.kind is not FileKind.QCOW2 and not above and scene.formats.get(path) == {"qcow2"}:
        yield _damaged(blank, path, QT_TRANSLATE_NOOP("health", "it is no qcow2 image"))
    elif seen.base and seen.base not in scene.evidence.missing:
        yield from _told_wrong(scene, blank, seen)


def _image_gone(blank: Ailment, path: str) -> Ailment:
    text = QT_TRANSLATE_NOOP("health", "The image of disk {target} of {vm} does not exist: {path}.")
    fix = QT_TRANSLATE_NOOP("health", "If you moved it, move it back, or tell {vm} where it is (virsh edit).")
    return replace(
        blank,
        code=Ail.IMAGE_MISSING,
        text=text.format(target=blank.target, vm=blank.vm, path=path),
        path=path,
        fix=fix.format(vm=blank.vm),
    )


def _damaged(blank: Ailment, path: str, why: Text) -> Ailment:
    text = QT_TRANSLATE_NOOP("health", "The image {path}, which disk {target} of {vm} reads, is damaged: {why}.")
    text = text.format(path=path, target=blank.target, vm=blank.vm, why=why)
    return replace(blank, code=Ail.IMAGE_DAMAGED, text=text, path=path, fix=_CHECK.format(path=path))


# bases


def _base_gone(scene: Scene, blank: Ailment, path: str, above: str) -> Ailment:
    found = _moved_to(scene, path, above)
    text = QT_TRANSLATE_NOOP(
        "health", "Disk {target} of {vm} is layered on a file that does not exist: {path}. It cannot be read without."
    )
    lost = replace(
        blank,
        code=Ail.BASE_MISSING,
        text=text.format(target=blank.target, vm=blank.vm, path=path),
        path=path,
        fix=_bring_back(path, found),
    )
    if not found or not _is_named_by_snapshots_alone(scene, blank.vm_uuid, path):
        return lost
    text = QT_TRANSLATE_NOOP(
        "health", "Disk {target} of {vm} is layered on {path}, which does not exist; it seems to have moved to {found}."
    )
    fix = QT_TRANSLATE_NOOP("health", "Let {image} name {found} as its base.")
    upper = scene.file(above)
    return replace(
        lost,
        code=Ail.BASE_MOVED,
        text=text.format(target=blank.target, vm=blank.vm, path=path, found=found),
        fix=fix.format(image=above, found=found),
        mendings=(Mending.SET_BASE,),
        base=found,
        format="" if upper is None else upper.base_format,
        overlay=above,
    )


def _is_named_by_snapshots_alone(scene: Scene, vm_uuid: str, path: str) -> bool:
    """Whether nobody names a path but this VM's own snapshots, whose descriptions can follow the file."""
    mine = all(use.vm_uuid == vm_uuid and use.snapshot for use in scene.uses.get(path, ()))
    return mine and not any(path in vm.named for vm in scene.evidence.vms if vm.vm.uuid != vm_uuid)


def _bring_back(path: str, found: str) -> Text:
    if found:
        text = QT_TRANSLATE_NOOP("health", "Move it back: others know it by its path. It seems to be {found} now.")
        return text.format(found=found)
    text = QT_TRANSLATE_NOOP("health", "Bring {path} back from where it was moved to, or from a backup.")
    return text.format(path=path)


def _moved_to(scene: Scene, path: str, above: str) -> str:
    """Return the only file of the same name, format and size that nobody writes to; nothing where that is not sure."""
    upper = scene.file(above)
    if upper is None:
        return ""
    name = posixpath.basename(path)
    found = [
        file.path
        for file in scene.evidence.files.values()
        if posixpath.basename(file.path) == name
        and _fits(file, upper)
        and not file.written
        and above not in scene.chain(file.path)
        and not any(use.snapshot is None for use in scene.uses.get(file.path, ()))
    ]
    return found[0] if len(found) == 1 else ""


def _fits(file: SeenFile, upper: SeenFile) -> bool:
    if file.kind is FileKind.QCOW2:
        return upper.base_format in {"qcow2", ""} and not file.trouble and file.virtual == upper.virtual
    return file.kind is FileKind.PLAIN and upper.base_format == "raw" and file.length == upper.virtual


def _told_wrong(scene: Scene, blank: Ailment, seen: SeenFile) -> Iterator[Ailment]:
    """What an image says of the format of its base, against what that is."""
    base = scene.file(seen.base)
    if base is None:
        return
    known = _format_of(scene, base)
    blank = replace(blank, path=seen.path, base=seen.base, format=known)
    where = {"path": seen.path, "base": seen.base}
    if not seen.base_format:
        text = QT_TRANSLATE_NOOP(
            "health",
            "{path} does not say which format its base {base} has. QEMU would have to guess by the content, with "
            "which a guest could make it read files of the host; libvirt may refuse to start the VM.",
        )
        unsure = QT_TRANSLATE_NOOP(
            "health", "Which format that is cannot be told for sure: see “man qemu-img”, rebase."
        )
        fix = QT_TRANSLATE_NOOP("health", "Write into {path} that the format is {format}.")
        yield replace(
            blank,
            code=Ail.FORMAT_MISSING,
            severity=Severity.WARNING,
            text=text.format(**where),
            fix=fix.format(path=seen.path, format=known) if known else unsure,
            mendings=(Mending.SET_FORMAT,) if known else (),
        )
    elif known and seen.base_format in {"raw", "qcow2"} and known != seen.base_format and _is_told(scene, base, known):
        text = QT_TRANSLATE_NOOP(
            "health",
            "{path} says that its base {base} is of format {told}, but it is {format}: disk {target} of {vm} reads "
            "the wrong content, or cannot be read.",
        )
        fix = QT_TRANSLATE_NOOP("health", "Write into {path} that the format is {format}.")
        yield replace(
            blank,
            code=Ail.FORMAT_WRONG,
            text=text.format(**where, told=seen.base_format, format=known, target=blank.target, vm=blank.vm),
            fix=fix.format(path=seen.path, format=known),
            mendings=(Mending.SET_FORMAT,),
        )
    elif seen.base_format == "qcow2" and base.kind in {FileKind.PLAIN, FileKind.FOREIGN}:
        yield _damaged(blank, base.path, QT_TRANSLATE_NOOP("health", "it is no qcow2 image"))


def _format_of(scene: Scene, base: SeenFile) -> str:
    """Return the format of a base where it is sure: a guest may have written the head of qcow2 into a raw disk.

    What a VM's configuration calls the file counts; without that, that it is a whole qcow2 image which leads to no
    other file, or that it bears no other format's mark.
    """
    called = scene.formats.get(base.path, set())
    if called:
        if len(called) > 1:
            return ""
        (name,) = called
        return name if (name == "qcow2") <= (base.kind is FileKind.QCOW2 and not base.trouble) else ""
    if base.kind is FileKind.QCOW2 and not base.trouble:
        return "" if base.layered or base.data_elsewhere else "qcow2"
    return "raw" if base.kind is FileKind.PLAIN else ""


def _is_told(scene: Scene, base: SeenFile, known: str) -> bool:
    """Whether a VM's configuration says so, too: then what the image says is wrong."""
    return known in scene.formats.get(base.path, set())


def _deep(scene: Scene, vm: SeenVm) -> Iterator[Ailment]:
    for disk in scene.now(vm):
        depth = len(scene.chain(disk.path))
        if depth <= DEEP:
            continue
        text = QT_TRANSLATE_NOOP(
            "health",
            "Disk {target} of {vm} reads through {depth} images, which is slow; libvirt before 12.0 may not start it "
            "on more than about 25.",
        )
        flat = QT_TRANSLATE_NOOP("health", "Make {vm} independent of the images below: copy into it what they hold.")
        less = QT_TRANSLATE_NOOP("health", "Delete snapshots of {vm}: their images are merged.")
        flattens = not vm.tree.snapshots
        yield replace(
            _blank(vm),
            code=Ail.DEEP_CHAIN,
            severity=Severity.WARNING,
            text=text.format(target=disk.target, vm=vm.vm.name, depth=depth),
            path=disk.path,
            target=disk.target,
            fix=(flat if flattens else less).format(vm=vm.vm.name),
            mendings=(Mending.FLATTEN,) if flattens else (),
        )
