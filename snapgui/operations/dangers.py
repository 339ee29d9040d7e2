"""What going back to a snapshot or deleting it would destroy, known before. Pure functions over facts.

libvirt itself allows some of this, and finds the rest in the middle of its work (libvirt-facts 5 and 6).
"""

from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

from snapgui.model.names import suits_qemu
from snapgui.model.plan import Finding, Severity
from snapgui.model.records import Kind, Place, Snapshot
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.doctor import SLEEPING, blocker, dotted, names_are_jobs, own_base_findings
from snapgui.operations.facts import Facts, is_missing
from snapgui.operations.protection import clone_findings

_WITH_CHILDREN = QT_TRANSLATE_NOOP("doctor", "Delete the snapshots below first, or delete it with children.")
_NEWER = QT_TRANSLATE_NOOP("doctor", "libvirt 9.9 or newer can.")
TRANSIENT_OFF = QT_TRANSLATE_NOOP(
    "doctor", "{vm} exists only while it runs: switched off, it and all its snapshots would be gone."
)
EXTERNAL_DELETE = (9, 0, 0)
"""The first libvirt that deletes external snapshots."""


def revert_findings(facts: Facts, snapshot: Snapshot) -> tuple[Finding, ...]:
    """Return what matters before going back to ``snapshot``."""
    return (
        *_external_revert_findings(facts, snapshot),
        *_overlay_findings(facts, snapshot),
        *_missing_findings(facts, snapshot),
        *_discarded_findings(facts, snapshot),
        *_unheld_findings(snapshot),
        *_transient_findings(facts, snapshot),
        *_managed_save_blocker(facts),
    )


def delete_findings(facts: Facts, snapshot: Snapshot, gone: Container[str] = ()) -> tuple[Finding, ...]:
    """Return what matters before ``snapshot`` is deleted, after those in ``gone`` have been."""
    return (*base_findings(facts, (snapshot,)), *own_delete_findings(facts, snapshot, gone))


def own_delete_findings(facts: Facts, snapshot: Snapshot, gone: Container[str] = ()) -> tuple[Finding, ...]:
    """Return what matters for the VM itself before a snapshot is deleted."""
    if snapshot.kind is Kind.INTERNAL:
        return (*_overlay_findings(facts, snapshot), *_name_findings(facts, snapshot))
    return (*own_base_findings(facts), *_external_delete_findings(facts, snapshot, gone))


def base_findings(facts: Facts, chosen: Iterable[Snapshot]) -> Iterator[Finding]:
    """Yield who would be destroyed by deleting these snapshots: all of them in one finding."""
    chosen = tuple(chosen)
    inside = [snapshot for snapshot in chosen if snapshot.kind is Kind.INTERNAL]
    yield from _lent_findings(facts, [snapshot for snapshot in chosen if snapshot not in inside])
    yield from _open_findings(facts, inside)


def _external_revert_findings(facts: Facts, snapshot: Snapshot) -> Iterator[Finding]:
    if snapshot.kind is not Kind.INTERNAL and not facts.capabilities.external_revert:
        yield blocker(
            "no-external-revert",
            QT_TRANSLATE_NOOP(
                "doctor", "“{name}” is an external snapshot; this libvirt ({version}) cannot revert to one."
            ).format(name=snapshot.label, version=dotted(facts.capabilities.libvirt)),
            QT_TRANSLATE_NOOP(
                "doctor", "libvirt 9.9 or newer can. A copy of the snapshot's files can be started as another VM."
            ),
        )


def _missing_findings(facts: Facts, snapshot: Snapshot) -> Iterator[Finding]:
    """libvirt switches the guest off first, and finds out then that a file is not there, or one of its bases."""
    if snapshot.kind is Kind.INTERNAL:
        return
    line = (facts.tree[name] for name in facts.tree.path(snapshot.name))
    needed = dict.fromkeys(disk.source for above in line for disk in above.disks if disk.place is Place.EXTERNAL)
    chains = dict(facts.chains)
    below = dict.fromkeys(path for disk in snapshot.disks for path in chains.get(disk.source, ()))
    every = dict.fromkeys(disk.source for disk in snapshot.machine.disks if disk.source.startswith("/"))
    for path in (*(needed | below | every), *([snapshot.memory_file] if snapshot.memory_file else [])):
        if is_missing(facts, path):
            text = QT_TRANSLATE_NOOP("doctor", "A file that “{name}” needs is missing: {path}.")
            yield blocker("file-missing", text.format(name=snapshot.label, path=path))


def _unheld_findings(snapshot: Snapshot) -> Iterator[Finding]:
    """libvirt puts overlays on all disks, those too that the snapshot does not hold, and cannot on shared ones."""
    if snapshot.kind is Kind.INTERNAL:
        return
    held = {disk.target for disk in snapshot.disks if disk.place is not Place.NONE}
    for disk in snapshot.machine.disks:
        if disk.shareable and disk.writable:
            text = QT_TRANSLATE_NOOP(
                "doctor", "Disk {target} is shared with other VMs; libvirt cannot revert to external snapshots then."
            )
            yield blocker("shared-disk", text.format(target=disk.target))
        elif disk.writable and disk.source and disk.target not in held:
            text = QT_TRANSLATE_NOOP(
                "doctor",
                "Disk {target} is not part of “{name}”: libvirt puts it on a new file above {path}, which is neither "
                "as it was then nor as it is now.",
            )
            text = text.format(target=disk.target, name=snapshot.label, path=disk.source)
            yield Finding("disk-left-out", Severity.WARNING, text)


def _transient_findings(facts: Facts, snapshot: Snapshot) -> Iterator[Finding]:
    if not facts.vm.persistent and snapshot.memory is Place.NONE:
        yield blocker("transient-vm", TRANSIENT_OFF.format(vm=facts.vm.name))


def _external_delete_findings(facts: Facts, snapshot: Snapshot, gone: Container[str]) -> Iterator[Finding]:
    """What libvirt finds out in the middle, or never (libvirt-facts 6)."""
    tree, native = facts.tree, facts.capabilities.external_revert
    children = [name for name in tree.children(snapshot.name) if name not in gone]
    parent = tree.parent(snapshot.name)
    active = snapshot.name in tree.path(tree.current)
    if facts.capabilities.libvirt < EXTERNAL_DELETE:
        why = QT_TRANSLATE_NOOP("doctor", "this libvirt cannot delete external snapshots")
        yield _cannot_delete(snapshot, why, _NEWER)
    elif parent is not None and tree[parent].kind is not Kind.EXTERNAL:
        why = QT_TRANSLATE_NOOP("doctor", "its parent is an internal snapshot")
        fix = QT_TRANSLATE_NOOP("doctor", "It has to stay: libvirt merges images only between external snapshots.")
        yield _cannot_delete(snapshot, why, fix)
    elif len(children) > 1:
        yield _cannot_delete(snapshot, QT_TRANSLATE_NOOP("doctor", "several snapshots branch off from it"))
    elif tree.current == snapshot.name and children:
        why = QT_TRANSLATE_NOOP("doctor", "the current state branches off from it")
        yield _cannot_delete(snapshot, why, QT_TRANSLATE_NOOP("doctor", "Delete the snapshots below it first."))
    elif children and not active:
        yield _cannot_delete(snapshot, QT_TRANSLATE_NOOP("doctor", "it lies in a branch that the VM does not run on"))
    elif not native and not active:
        why, fix = QT_TRANSLATE_NOOP("doctor", "this libvirt deletes only what the VM runs on"), _NEWER
        yield _cannot_delete(snapshot, why, fix)
    elif not native and children and not facts.vm.state.active:
        why = QT_TRANSLATE_NOOP("doctor", "this libvirt deletes it only while the VM runs")
        yield _cannot_delete(snapshot, why, QT_TRANSLATE_NOOP("doctor", "Start the VM first."))


def _discarded_findings(facts: Facts, snapshot: Snapshot) -> Iterator[Finding]:
    """Going back deletes the overlays that are written to now, or writes an older state into the image itself."""
    touched = {disk.source for disk in facts.machine.disks if disk.writable}
    if snapshot.kind is Kind.INTERNAL:
        touched |= {disk.source for disk in snapshot.disks if disk.place is Place.INTERNAL}
    yield from clone_findings(
        facts,
        touched,
        QT_TRANSLATE_NOOP("doctor", "{clones} is based on an image that would be changed: {path}."),
        QT_TRANSLATE_NOOP("doctor", "{clones} are based on an image that would be changed: {path}."),
    )


def _cannot_delete(snapshot: Snapshot, why: Text, fix: Text = _WITH_CHILDREN) -> Finding:
    text = QT_TRANSLATE_NOOP("doctor", "“{name}” cannot be deleted: {why}.")
    return blocker("external-delete", text.format(name=snapshot.label, why=why), fix)


def _lent_findings(facts: Facts, chosen: list[Snapshot]) -> Iterator[Finding]:
    """libvirt merges what was written after the snapshot into the image that it froze, and removes the overlay.

    Which overlay that is, its description only knows as long as nobody went back to it: then it is the one above.
    """
    held = [disk for snapshot in chosen for disk in snapshot.disks if disk.place is Place.EXTERNAL]
    frozen = {disk.source for disk in held}
    above = {upper for _, chain in facts.chains for upper, lower in pairwise(chain) if lower in frozen}
    now = {disk.source for disk in facts.machine.disks if disk.writable}
    active = {path for image, chain in facts.chains if image in now for path in chain}
    yield from clone_findings(
        facts,
        frozen | {disk.overlay for disk in held} | (above & active),
        QT_TRANSLATE_NOOP(
            "doctor", "{clones} is based on an image of “{name}”: {path}. Changing it would destroy {clones}."
        ),
        QT_TRANSLATE_NOOP(
            "doctor", "{clones} are based on images of “{name}”: {path}. Changing these would destroy all of them."
        ),
        name=_labels(chosen),
    )


def _open_findings(facts: Facts, chosen: list[Snapshot]) -> Iterator[Finding]:
    """Deleting a snapshot inside an image leaves all else in it as it is (measured), but QEMU wants it for itself."""
    inside = {disk.source for snapshot in chosen for disk in snapshot.disks if disk.place is Place.INTERNAL}
    yield from clone_findings(
        replace(facts, lent=tuple(lent for lent in facts.lent if lent.active)),
        inside,
        QT_TRANSLATE_NOOP("doctor", "{clones} runs on the image that holds “{name}”: {path}."),
        QT_TRANSLATE_NOOP("doctor", "{clones} run on the image that holds “{name}”: {path}."),
        name=_labels(chosen),
    )


def _labels(chosen: list[Snapshot]) -> str:
    """What stands between the quotation marks of a sentence."""
    return "”, “".join(snapshot.label for snapshot in chosen)


def _overlay_findings(facts: Facts, snapshot: Snapshot) -> Iterator[Finding]:
    """libvirt allows this and destroys every overlay above (measured on both stacks)."""
    if snapshot.kind is not Kind.INTERNAL:
        return
    now = {disk.target: disk.source for disk in facts.machine.disks}
    moved = [
        disk.target
        for disk in snapshot.disks
        if disk.place is Place.INTERNAL and disk.source and now.get(disk.target, disk.source) != disk.source
    ]
    external = facts.tree.kinds - {Kind.INTERNAL} and [
        name for name in facts.tree.descendants(snapshot.name) if facts.tree[name].kind is not Kind.INTERNAL
    ]
    if moved or external:
        yield blocker(
            "under-overlay",
            QT_TRANSLATE_NOOP(
                "doctor",
                "The image that holds “{name}” has become the base of later external overlays. Changing it would "
                "destroy them.",
            ).format(name=snapshot.label),
        )


def _managed_save_blocker(facts: Facts) -> Iterator[Finding]:
    if facts.managed_save:
        yield blocker(
            "managed-save",
            QT_TRANSLATE_NOOP(
                "doctor",
                "The VM sleeps in a saved state. After going back, waking it would put old memory onto other disks.",
            ),
            QT_TRANSLATE_NOOP("doctor", "Start the VM, or discard the saved state, first."),
            SLEEPING,
        )


def _name_findings(facts: Facts, snapshot: Snapshot) -> Iterator[Finding]:
    """Measured on libvirt 11.3: "Invalid job ID 'internal-snapshot-delete-a b'"."""
    if names_are_jobs(facts) and not suits_qemu(snapshot.name):
        yield blocker(
            "name-needs-stop",
            QT_TRANSLATE_NOOP(
                "doctor",
                "“{name}” cannot be deleted while the VM runs: QEMU takes only letters, digits and . _ - in names.",
            ).format(name=snapshot.name),
            QT_TRANSLATE_NOOP("doctor", "Shut the VM down first."),
        )
