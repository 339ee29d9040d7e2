"""Carries out what mends an ailment. Everything is looked at again right before; what has changed is left alone."""

import contextlib
from collections.abc import Iterator

from snapgui.hypervisor import adopted_xml, inventory, pools, snapshots, strays
from snapgui.hypervisor.domain_xml import images_below
from snapgui.hypervisor.overwriting import overwrite
from snapgui.images.head_patch import Patch, with_base, with_format
from snapgui.images.qcow2 import ImageError, read_head
from snapgui.model.adoption import Adoption, HeldDisk
from snapgui.model.errors import Broken, Refused, SnapguiError
from snapgui.model.health import Ailment
from snapgui.model.plan import Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations import thumbnails
from snapgui.operations.health import examine_host
from snapgui.operations.image_access import lent_image
from snapgui.operations.stray_files import users
from snapgui.operations.task import Task


def adopt(step: Step, task: Task) -> None:
    """Let libvirt know a snapshot; those that lie above it come to hang off it."""
    task.report_phase(step, Phase.RECORD)
    adoption = _still_there(step, task).adoption
    if adoption is None or step.adoption is None or not _same(adoption, step.adoption):
        raise _changed(step)
    if adoption.replaces:
        _forget_memory(task, adoption.name)
        return
    connection, vm_uuid = task.connection, task.vm_uuid
    text = adopted_xml.adopted_snapshot(adoption, inventory.secure_xml(connection, vm_uuid))
    snapshots.define(connection, vm_uuid, text, current=adoption.current)
    _hang(task, adoption.name, adoption.children, adoption.disks)


def _same(now: Adoption, then: Adoption) -> bool:
    """Another snapshot of the same plan may have come to lie above or below."""
    return (now.name, now.disks, now.memory_file, now.state, now.replaces) == (
        then.name,
        then.disks,
        then.memory_file,
        then.state,
        then.replaces,
    )


def _forget_memory(task: Task, name: str) -> None:
    """libvirt does not change the kind of a snapshot: it is described anew, and as it was where that fails."""
    connection, vm_uuid = task.connection, task.vm_uuid
    tree = snapshots.read_tree(connection, vm_uuid)
    text = snapshots.secure_xml(connection, vm_uuid, name)
    changed = adopted_xml.without_memory(text)
    snapshots.forget(connection, vm_uuid, name)
    try:
        snapshots.define(connection, vm_uuid, changed, current=tree.current == name)
    except SnapguiError:
        snapshots.define(connection, vm_uuid, text, current=tree.current == name)
        raise
    finally:
        _hang(task, name, tree.children(name))


def _hang(task: Task, parent: str, children: tuple[str, ...], moved: tuple[HeldDisk, ...] = ()) -> None:
    tree = snapshots.read_tree(task.connection, task.vm_uuid)
    for child in children:
        if parent in tree and child in tree:
            text = adopted_xml.below(snapshots.secure_xml(task.connection, task.vm_uuid, child), parent, moved)
            snapshots.define(task.connection, task.vm_uuid, text, current=tree.current == child)


def forget(step: Step, task: Task) -> None:
    """Remove the description of a snapshot of which nothing is left."""
    task.report_phase(step, Phase.DELETE)
    _still_there(step, task)
    found = snapshots.read_one(task.connection, task.vm_uuid, step.snapshot)
    if found.created != step.created:
        raise _changed(step)
    snapshots.forget(task.connection, task.vm_uuid, step.snapshot)
    thumbnails.forget(task.vm_uuid, found)
    task.deleted.append(step.snapshot)


def remove_orphan(step: Step, task: Task) -> None:
    """Remove a file that still nothing refers to, and that nobody has open."""
    task.report_phase(step, Phase.DELETE)
    connection, path = task.connection, step.path
    _still_there(step, task)
    if user := users(connection, (path,)).get(path):
        text = QT_TRANSLATE_NOOP("errors", "The file {path} is used by {user} now; it was not removed.")
        raise Refused(text.format(path=path, user=user))
    _refuse_written(task, path)
    strays.remove(connection, path)
    task.removed.append(path)


def write_head(step: Step, task: Task) -> None:
    """Change what an image says of its base; a kill on the way leaves the old head or the new one."""
    task.report_phase(step, Phase.RECORD)
    found = _still_there(step, task)
    if (found.base, found.format) != (step.base, step.base_format):
        raise _changed(step)
    image = found.overlay or found.path
    _refuse_written(task, image)
    if step.verb is Verb.SET_BASE:  # a kill after this leaves a base that is still found to have moved
        _follow(task, found.path, step.base)
    with _told(image):
        for patch in _patches(step, task, image):
            overwrite(task.connection, image, patch.offset, patch.content)
        with lent_image(task.connection, image) as source:
            head = read_head(source)
    pools.refresh_at(task.connection, image.rpartition("/")[0])
    if step.verb is Verb.SET_FORMAT and head.backing_format != step.base_format:
        raise _unwritten(image, "format")
    if step.verb is Verb.SET_BASE and head.backing_file != step.base:
        raise _unwritten(image, "base")


def _follow(task: Task, old: str, new: str) -> None:
    """Let the VM's snapshots name an image where it is now; its configuration must not name it otherwise."""
    connection, vm_uuid = task.connection, task.vm_uuid
    if any(path == old for path, _ in images_below(inventory.secure_xml(connection, vm_uuid))):
        text = QT_TRANSLATE_NOOP("errors", "The configuration of {vm} names {path} as a base itself: see “virsh edit”.")
        raise Refused(text.format(vm=task.facts.vm.name, path=old))
    tree = snapshots.read_tree(connection, vm_uuid)
    for snapshot in tree:
        text_now = snapshots.secure_xml(connection, vm_uuid, snapshot.name)
        changed = adopted_xml.with_path(text_now, old, new)
        if changed != text_now:
            snapshots.define(connection, vm_uuid, changed, current=tree.current == snapshot.name)


def _patches(step: Step, task: Task, image: str) -> tuple[Patch, ...]:
    with lent_image(task.connection, image) as source:
        if step.verb is Verb.SET_BASE:
            return with_base(source, step.base)
        return with_format(source, step.base_format)


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except (ImageError, OSError) as error:
        raise _unwritten(path, str(error)) from error


def _unwritten(path: str, reason: str) -> Broken:
    text = QT_TRANSLATE_NOOP("errors", "The header of {path} could not be changed: {reason}.")
    return Broken(text.format(path=path, reason=reason))


def _refuse_written(task: Task, path: str) -> None:
    if strays.is_written(task.connection, path):
        text = QT_TRANSLATE_NOOP("errors", "Some program has the file {path} open; nothing was changed.")
        raise Refused(text.format(path=path))


def _still_there(step: Step, task: Task) -> Ailment:
    """Examine the hypervisor anew, and return what is to be mended; raise Refused where it is not so any more."""
    for found in examine_host(task.connection, task.vm_uuid, held=task.vm_uuid):
        named = found.adoption.name if step.verb is Verb.ADOPT and found.adoption is not None else found.snapshot
        if (found.code, found.path) == (step.ailment, step.path) and named == step.snapshot:
            return found
    raise _changed(step)


def _changed(step: Step) -> Refused:
    text = QT_TRANSLATE_NOOP("errors", "{what}: it is not as it was found any more; nothing was changed. Look again.")
    return Refused(text.format(what=step.text))
