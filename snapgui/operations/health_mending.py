"""What mending an ailment means: a plan like every other, from what was found and the facts about the VM."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

from snapgui.model.errors import Refused
from snapgui.model.health import Ail, Ailment, Mending
from snapgui.model.plan import Finding, Operation, Plan, Severity, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations import delete, flatten
from snapgui.operations.delete import DeleteRequest
from snapgui.operations.doctor import blocker
from snapgui.operations.facts import Facts
from snapgui.operations.protection import clones_on, listed

YOUNG = timedelta(seconds=60)
"""A file that is younger may have been made for something that is still going to refer to it."""
_WRITES = {Mending.SET_BASE, Mending.SET_FORMAT}


def plan(facts: Facts, ailments: tuple[Ailment, ...], wanted: Mending | None = None) -> Plan:
    """Return what mending these means, all of one VM and of one code; raise Refused where it cannot be done.

    ``wanted`` None takes for each the way that can lose nothing, if there is one.
    """
    if not ailments:
        text = QT_TRANSLATE_NOOP("errors", "There is nothing of that sort to mend about {vm}.")
        raise Refused(text.format(vm=facts.vm.name))
    able = tuple(one for one in ailments if one.mendings and wanted in {None, *one.mendings})
    chosen = tuple((one, way_of(one, wanted)) for one in able or ailments)
    if whole := _by_other_operation(facts, chosen):
        return replace(whole, operation=Operation.MEND)
    return Plan(
        operation=Operation.MEND,
        vm_uuid=facts.vm.uuid,
        vm_name=facts.vm.name,
        title=_title(facts, chosen),
        steps=tuple(step for one, way in chosen for step in _steps(facts, one, way)),
        losses=tuple(loss for one, way in chosen for loss in _losses(one, way)),
        findings=tuple(dict.fromkeys(found for one, way in chosen for found in _findings(facts, one, way))),
        notes=tuple(dict.fromkeys(note for one, way in chosen for note in _notes(facts, one, way))),
        freed=_freed(chosen),
    )


def way_of(ailment: Ailment, wanted: Mending | None) -> Mending:
    """Return how an ailment is mended; raise Refused where that cannot be done from here."""
    if not ailment.mendings:
        text = QT_TRANSLATE_NOOP("errors", "This cannot be mended from here. {text} {fix}")
        raise Refused(text.format(text=ailment.text, fix=ailment.fix or ""))
    if wanted is None:
        return ailment.mendings[0]
    if wanted not in ailment.mendings:
        text = QT_TRANSLATE_NOOP("errors", "“{code}” cannot be mended by “{wanted}”, but by: {known}.")
        raise Refused(text.format(code=ailment.code, wanted=wanted, known=", ".join(ailment.mendings)))
    return wanted


def _by_other_operation(facts: Facts, chosen: tuple[tuple[Ailment, Mending], ...]) -> Plan | None:
    """Making a VM independent, and deleting snapshots that libvirt knows, is done as everywhere else."""
    if chosen[0][1] is Mending.FLATTEN:
        return flatten.plan(facts)
    if chosen[0][0].code is Ail.SNAPSHOT_INCOMPLETE:
        return delete.plan(facts, DeleteRequest(tuple(dict.fromkeys(one.snapshot for one, _ in chosen))))
    return None


def _title(facts: Facts, chosen: tuple[tuple[Ailment, Mending], ...]) -> Text:
    if len(chosen) > 1:
        text = QT_TRANSLATE_NOOP("plan", "Mend {count} findings of {vm}")
        return text.format(count=len(chosen), vm=facts.vm.name)
    return _steps(facts, *chosen[0])[-1].text


# steps


def _steps(facts: Facts, ailment: Ailment, way: Mending) -> tuple[Step, ...]:
    if way is Mending.ADOPT:
        return (_adopt(facts, ailment),)
    if way in _WRITES:
        return (_write(ailment, way),)
    if ailment.code is Ail.UNKNOWN_SNAPSHOT:
        return _adopt(facts, ailment), _delete(facts, ailment)
    if ailment.code is Ail.SNAPSHOT_LOST:
        return (_forget(facts, ailment),)
    return (_remove(ailment),)


def _adopt(facts: Facts, ailment: Ailment) -> Step:
    known = QT_TRANSLATE_NOOP("plan", "Let libvirt know the snapshot “{name}”")
    alone = QT_TRANSLATE_NOOP("plan", "Make “{name}” a snapshot of the disks alone")
    adoption = ailment.adoption
    name = "" if adoption is None else adoption.name
    replaces = adoption is not None and adoption.replaces
    return Step(
        Verb.ADOPT,
        (alone if replaces else known).format(name=name),
        name,
        None if adoption is None else adoption.created,
        phases=(Phase.RECORD,),
        virsh=("snapshot-create", facts.vm.name, "FILE", "--redefine"),
        path=ailment.path,
        ailment=ailment.code,
        adoption=adoption,
    )


def _delete(facts: Facts, ailment: Ailment) -> Step:
    text = QT_TRANSLATE_NOOP("plan", "Delete “{name}”").format(name=ailment.snapshot)
    created = None if ailment.adoption is None else ailment.adoption.created
    virsh = ("snapshot-delete", facts.vm.name, ailment.snapshot)
    return Step(Verb.DELETE, text, ailment.snapshot, created, phases=(Phase.DELETE,), virsh=virsh)


def _forget(facts: Facts, ailment: Ailment) -> Step:
    text = QT_TRANSLATE_NOOP("plan", "Remove the description of “{name}”")
    return Step(
        Verb.FORGET,
        text.format(name=ailment.snapshot),
        ailment.snapshot,
        facts.tree[ailment.snapshot].created if ailment.snapshot in facts.tree else None,
        phases=(Phase.DELETE,),
        virsh=("snapshot-delete", facts.vm.name, ailment.snapshot, "--metadata"),
        path=ailment.path,
        ailment=ailment.code,
    )


def _remove(ailment: Ailment) -> Step:
    text = QT_TRANSLATE_NOOP("plan", "Remove the file {path}").format(path=ailment.path)
    virsh = ("vol-delete", ailment.path)
    return Step(Verb.REMOVE_ORPHAN, text, phases=(Phase.DELETE,), virsh=virsh, path=ailment.path, ailment=ailment.code)


def _write(ailment: Ailment, way: Mending) -> Step:
    base = QT_TRANSLATE_NOOP("plan", "Let {image} name {base} as its base")
    kind = QT_TRANSLATE_NOOP("plan", "Write into {image} that its base is of format {format}")
    image = ailment.overlay or ailment.path
    text = base if way is Mending.SET_BASE else kind
    return Step(
        Verb.SET_BASE if way is Mending.SET_BASE else Verb.SET_FORMAT,
        text.format(image=image, base=ailment.base, format=ailment.format),
        phases=(Phase.RECORD,),
        path=ailment.path,
        ailment=ailment.code,
        base=ailment.base,
        base_format=ailment.format,
    )


# what it costs, and what stands in the way


def _losses(ailment: Ailment, way: Mending) -> Iterator[Text]:
    if way is not Mending.REMOVE:
        return
    if ailment.code is Ail.UNKNOWN_SNAPSHOT:
        text = QT_TRANSLATE_NOOP("plan", "The state of the VM at “{name}” will be lost.")
        yield text.format(name=ailment.snapshot)
    elif ailment.code is Ail.SNAPSHOT_LOST:
        text = QT_TRANSLATE_NOOP("plan", "What is written down about “{name}” will be lost.")
        yield text.format(name=ailment.snapshot)
    else:
        yield QT_TRANSLATE_NOOP("plan", "What is in {path} will be lost.").format(path=ailment.path)


def _findings(facts: Facts, ailment: Ailment, way: Mending) -> Iterator[Finding]:
    if way in _WRITES:
        yield from _in_use(facts, ailment.overlay or ailment.path)
    removes = way is Mending.REMOVE and ailment.code in {Ail.ORPHAN_OVERLAY, Ail.ORPHAN_MEMORY, Ail.ORPHAN_IMAGE}
    if removes and ailment.born is not None and facts.now - ailment.born < YOUNG:
        text = QT_TRANSLATE_NOOP(
            "doctor", "{path} was made less than a minute ago: something may still be about to use it."
        )
        yield Finding("young-file", Severity.WARNING, text.format(path=ailment.path))
    external = ailment.adoption is not None and way is Mending.ADOPT and ailment.adoption.external
    if external and not facts.capabilities.external_revert:
        text = QT_TRANSLATE_NOOP("doctor", "This libvirt will know the snapshot, but cannot go back to external ones.")
        yield Finding("no-external-revert", Severity.WARNING, text)


def _in_use(facts: Facts, path: str) -> Iterator[Finding]:
    if facts.vm.state.active:
        text = QT_TRANSLATE_NOOP("doctor", "{vm} is running; its images can be changed only while it is off.")
        fix = QT_TRANSLATE_NOOP("doctor", "Shut the VM down first.")
        yield blocker("running", text.format(vm=facts.vm.name), fix)
    readers = clones_on(replace(facts, lent=tuple(lent for lent in facts.lent if lent.active)), (path,))
    if readers:
        text = QT_TRANSLATE_NOOP("doctor", "{path} is read by {clones}, which runs.")
        yield blocker("image-in-use", text.format(path=path, clones=listed(readers)))


def _notes(facts: Facts, ailment: Ailment, way: Mending) -> Iterator[Text]:
    adoption = ailment.adoption
    if way is Mending.SET_BASE:
        text = QT_TRANSLATE_NOOP(
            "plan", "{base} is the only file of that name, format and size here; what is in it was not looked at."
        )
        yield text.format(base=ailment.base)
        yield QT_TRANSLATE_NOOP("plan", "Snapshots that name the file by its old path come to name the new one.")
    elif way is Mending.SET_FORMAT:
        yield QT_TRANSLATE_NOOP("plan", "Only the header of the image changes, not what is on the disk.")
    elif way is Mending.ADOPT and adoption is not None and not adoption.replaces:
        yield QT_TRANSLATE_NOOP("plan", "No image is changed.")
        known = QT_TRANSLATE_NOOP(
            "plan",
            "How {vm} was configured then is not known: going back to “{name}” gives it the configuration of now.",
        )
        yield known.format(vm=facts.vm.name, name=adoption.name)
    if way is Mending.ADOPT and ailment.code is Ail.LAYER_UNKNOWN:
        text = QT_TRANSLATE_NOOP(
            "plan",
            "If {path} is a template that other VMs shall be based on, leave it as it is: deleting the snapshot will "
            "merge into it.",
        )
        yield text.format(path=ailment.path)


def _freed(chosen: Iterable[tuple[Ailment, Mending]]) -> int | None:
    sizes = [one.bytes for one, way in chosen if way is Mending.REMOVE and one.bytes is not None]
    return sum(sizes) if sizes else None
