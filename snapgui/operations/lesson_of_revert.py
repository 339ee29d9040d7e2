"""What going back does to the files: an image takes back what lies inside it, or a new overlay replaces the old one."""

from collections.abc import Iterator
from dataclasses import replace

from snapgui.model.plan import Plan, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.records import Place, Snapshot, Then
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.chain_then import known_chain
from snapgui.operations.facts import Facts
from snapgui.operations.scene import Stage, stage
from snapgui.operations.sketch import GUEST, Being, Flow, Guest, Inside, Sketch, file_name
from snapgui.operations.stored import StoredImage

NEW_OVERLAY = "new-overlay"
"""The key of an overlay whose name libvirt chooses by the second."""
NEW_OVERLAY_WORDS = QT_TRANSLATE_NOOP("lesson", "a new overlay")
_KEPT = QT_TRANSLATE_NOOP("lesson", "The guest is stopped. What there was is kept in “{safety}”.")
_GIVEN_UP = QT_TRANSLATE_NOOP("lesson", "The guest is stopped. What it did since its last snapshot is given up.")
_LOAD_INSIDE = QT_TRANSLATE_NOOP(
    "lesson", "{image} takes back what “{name}” keeps inside it: the same file, with the blocks of then."
)
_LOAD_BESIDE = QT_TRANSLATE_NOOP(
    "lesson", "A new, empty overlay is made on {image}, which is as it was at “{name}” and stays so."
)
_LOAD_LEAVES = QT_TRANSLATE_NOOP(
    "lesson",
    "A new, empty overlay is made on {image}, which is as it was at “{name}” and stays so; {old} goes away.",
)
_LOAD_NOTHING = QT_TRANSLATE_NOOP("lesson", "The VM becomes what it was at “{name}”; “{name}” does not hold this disk.")
_WITH_MEMORY = QT_TRANSLATE_NOOP("lesson", "{text} CPU and RAM come from {file}.")
_GOES_ON = QT_TRANSLATE_NOOP("lesson", "The guest goes on where it was at “{name}”, and writes to {top}.")
_STARTS = QT_TRANSLATE_NOOP("lesson", "The guest starts from the disk of “{name}”, and writes to {top}.")
_STANDS = QT_TRANSLATE_NOOP("lesson", "The guest stands where it was at “{name}”; its writes will go to {top}.")
_STOP = QT_TRANSLATE_NOOP("lesson", "The guest is switched off; its disk stays as it is now.")


def revert(step: Step, plan: Plan, facts: Facts, target: str, sketch: Sketch) -> Stage:
    """Return what happens while the VM goes back to a snapshot."""
    snapshot = facts.tree[step.snapshot]
    held = next((disk for disk in snapshot.disks if disk.target == target), None)
    if held is not None and held.place is Place.EXTERNAL:
        before, loaded = _beside(snapshot, held.source, facts, sketch)
    else:
        before = sketch
        inside = held is not None and held.place is Place.INTERNAL
        loaded = _inside(snapshot, sketch) if inside else replace(sketch, lit=frozenset())
    told = list(_told(step, plan, snapshot, before, loaded))
    gone = {path for path, being in loaded.beings if being is Being.GOES}
    after = replace(
        loaded,
        guest=told[-1][2].guest,
        branch=frozenset(facts.tree.path(snapshot.name)),
        row=tuple(image for image in loaded.row if image.path not in gone and image.path in loaded.used),
        memory="",
        inside=None,
        beings=(),
        lit=frozenset(),
        flows=frozenset(),
        extra=(),
    )
    return stage(step, before, told, after)


def stop(step: Step, sketch: Sketch) -> Stage:
    """Return what happens while a VM is switched off that went back to a state with memory."""
    off = replace(sketch, guest=Guest.OFF)
    return stage(step, sketch, [(Phase.STOP, _STOP, replace(off, lit=frozenset({GUEST})))], off)


def _told(
    step: Step, plan: Plan, snapshot: Snapshot, before: Sketch, loaded: Sketch
) -> Iterator[tuple[Phase, Text, Sketch]]:
    for phase in step.phases:
        if phase is Phase.STOP:
            yield phase, _stop_words(plan), replace(before, guest=Guest.OFF, lit=frozenset({GUEST}))
        elif phase is Phase.LOAD:
            yield phase, _load_words(snapshot, before, loaded), replace(loaded, guest=Guest.OFF)
        else:
            text = _start_words(step, snapshot).format(name=snapshot.label, top=loaded.named(loaded.top))
            yield phase, text, _started(loaded, stands=step.then is Then.PAUSED)


def _start_words(step: Step, snapshot: Snapshot) -> Text:
    if step.then is Then.PAUSED:
        return _STANDS
    return _STARTS if snapshot.memory is Place.NONE else _GOES_ON


def _started(loaded: Sketch, *, stands: bool) -> Sketch:
    flows = frozenset() if stands else frozenset({(GUEST, Flow.READS), (GUEST, Flow.WRITES)})
    guest = Guest.STANDS if stands else Guest.RUNS
    return replace(loaded, guest=guest, lit=frozenset({GUEST, loaded.top}), flows=flows, extra=())


def _stop_words(plan: Plan) -> Text:
    safety = next((before.snapshot for before in plan.steps if before.verb is Verb.TAKE), "")
    return _KEPT.format(safety=safety) if safety else _GIVEN_UP


def _load_words(snapshot: Snapshot, before: Sketch, loaded: Sketch) -> Text:
    old = next((path for path, being in loaded.beings if being is Being.GOES), "")
    if loaded.inside is not None:
        text = _LOAD_INSIDE.format(image=file_name(loaded.top), name=snapshot.label)
    elif loaded.used == before.used:
        text = _LOAD_NOTHING.format(name=snapshot.label)
    else:
        text = (_LOAD_LEAVES if old else _LOAD_BESIDE).format(
            image=file_name(loaded.used[1]), name=snapshot.label, old=file_name(old)
        )
    source = loaded.memory or (loaded.top if snapshot.memory is Place.INTERNAL else "")
    return _WITH_MEMORY.format(text=text, file=file_name(source)) if source else text


def _inside(snapshot: Snapshot, sketch: Sketch) -> Sketch:
    image = sketch.top
    extra = ((Flow.STATE, image, GUEST),) if snapshot.memory is Place.INTERNAL else ()
    lit = frozenset({image, GUEST}) if extra else frozenset({image})
    return replace(sketch, inside=Inside(image, snapshot.label), lit=lit, extra=extra)


def _beside(snapshot: Snapshot, base: str, facts: Facts, sketch: Sketch) -> tuple[Sketch, Sketch]:
    """Return the disk with room for the new overlay, and with that overlay in use."""
    known = {image.path: image for image in sketch.row}
    below = tuple(known.get(image.path, image) for image in known_chain(facts, base))
    left = tuple(image for image in sketch.row if image.path not in {found.path for found in below})
    memory = snapshot.memory_file
    before = replace(
        sketch,
        row=(StoredImage(NEW_OVERLAY, "qcow2"), *left, *below),
        beings=((NEW_OVERLAY, Being.COMING),),
        unnamed=((NEW_OVERLAY, NEW_OVERLAY_WORDS),),
        memory=memory,
        keep=frozenset({base, *sketch.used[:1]}),
    )
    old = next((image.path for image in left if image.path == sketch.top and not _needed(image)), "")
    beings = ((NEW_OVERLAY, Being.NEW), *(((old, Being.GOES),) if old else ()))
    loaded = replace(
        before,
        used=(NEW_OVERLAY, *(image.path for image in below)),
        beings=beings,
        lit=frozenset({NEW_OVERLAY, base, *((GUEST, memory) if memory else ())}),
        flows=frozenset({(NEW_OVERLAY, Flow.FALLS)}),
        extra=((Flow.STATE, memory, GUEST),) if memory else (),
    )
    return before, loaded


def _needed(image: StoredImage) -> bool:
    return bool(image.frozen_by or image.clones)
