"""What taking a snapshot does to the files: inside the image that the VM has, or with an overlay on top of it."""

from collections.abc import Iterator
from dataclasses import replace

from snapgui.model.plan import Step
from snapgui.model.progress import Phase
from snapgui.model.records import Kind
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.scene import Stage, stage
from snapgui.operations.sketch import GUEST, Being, Flow, Guest, Inside, Sketch, file_name
from snapgui.operations.stored import StoredImage

_PAUSE = QT_TRANSLATE_NOOP(
    "lesson", "The guest is made to stand still, so that memory and disk belong to the same moment."
)
_PAUSE_LIVE = QT_TRANSLATE_NOOP(
    "lesson", "{memory} is almost complete. The guest is made to stand still for the rest, and for the disk."
)
_INSIDE = {
    Phase.PAUSE: _PAUSE,
    Phase.CREATE: QT_TRANSLATE_NOOP("lesson", "“{name}” begins inside {image}: it becomes a part of the same file."),
    Phase.MEMORY: QT_TRANSLATE_NOOP("lesson", "CPU and RAM are written into {image}, beside the blocks of the disk."),
    Phase.PROTECT: QT_TRANSLATE_NOOP(
        "lesson",
        "The blocks that {image} has now belong to “{name}”, too, and stay as they are: from now on, a write to one of "
        "them goes to another place of the file.",
    ),
    Phase.RESUME: QT_TRANSLATE_NOOP("lesson", "The guest runs on, and writes to {image} as before; “{name}” is in it."),
}
_BESIDE = {
    Phase.PAUSE: _PAUSE,
    Phase.CREATE: QT_TRANSLATE_NOOP("lesson", "{overlay} is made, empty: it will take the writes."),
    Phase.MEMORY: QT_TRANSLATE_NOOP("lesson", "CPU and RAM are written into a file of their own: {memory}."),
    Phase.FLUSH: QT_TRANSLATE_NOOP(
        "lesson", "What is still on its way to {memory} is brought to the storage, and the file is closed."
    ),
    Phase.PROTECT: QT_TRANSLATE_NOOP(
        "lesson", "{overlay} is put on top of {image}. All writes go there now, and {image} is not changed any more."
    ),
    Phase.RESUME: QT_TRANSLATE_NOOP(
        "lesson",
        "The guest runs on: it writes to {overlay}, and reads from {image} whatever it has not written since.",
    ),
}
_MEMORY_BEGINS = QT_TRANSLATE_NOOP("lesson", "{memory} is made: CPU and RAM will be written into it.")
_MEMORY_LIVE = QT_TRANSLATE_NOOP(
    "lesson", "CPU and RAM are written into {memory} while the guest runs; what it changes meanwhile is written again."
)
_LEFT_OUT = QT_TRANSLATE_NOOP("lesson", "This disk is left out of the snapshot.")
_READ_AGAIN = QT_TRANSLATE_NOOP(
    "lesson", "“{name}” is read again: nothing is given up before it is certain that what is there now is kept."
)


def take(step: Step, target: str, sketch: Sketch) -> Stage:
    """Return what happens while a snapshot is taken."""
    return _take_inside(step, sketch) if step.kind is Kind.INTERNAL else _take_beside(step, target, sketch)


def verify(step: Step, sketch: Sketch) -> Stage:
    """Return what happens while a safety snapshot is made sure of."""
    kept = next((image for image in sketch.row if step.snapshot in (*image.frozen_by, *image.internal_snapshots)), None)
    lit = frozenset() if kept is None else frozenset({kept.path})
    return stage(
        step, sketch, [(Phase.CHECK, _READ_AGAIN.format(name=step.snapshot), replace(sketch, lit=lit))], sketch
    )


def _guests(step: Step, guest: Guest) -> Iterator[tuple[Phase, Guest]]:
    """Yield what the guest does in each phase."""
    for phase in step.phases:
        guest = {Phase.PAUSE: Guest.STANDS, Phase.RESUME: Guest.RUNS}.get(phase, guest)
        yield phase, guest


def _take_inside(step: Step, sketch: Sketch) -> Stage:
    name, image = step.title or step.snapshot, sketch.top
    before = replace(sketch, inside=Inside(image, name, Being.COMING))
    new = replace(before, inside=Inside(image, name, Being.NEW))
    writes = frozenset({(GUEST, Flow.WRITES)})
    shown = {
        Phase.PAUSE: replace(before, lit=frozenset({GUEST})),
        Phase.CREATE: replace(new, lit=frozenset({image})),
        Phase.MEMORY: replace(new, lit=frozenset({GUEST, image}), extra=((Flow.STATE, GUEST, image),)),
        Phase.PROTECT: replace(new, lit=frozenset({image})),
        Phase.RESUME: replace(new, lit=frozenset({GUEST, image}), flows=writes),
    }
    told = [
        (phase, _INSIDE[phase].format(image=file_name(image), name=name), replace(shown[phase], guest=guest))
        for phase, guest in _guests(step, sketch.guest)
    ]
    row = tuple(
        replace(found, internal_snapshots=(*found.internal_snapshots, step.snapshot)) if found.path == image else found
        for found in sketch.row
    )
    return stage(step, before, told, replace(sketch, row=row))


def _take_beside(step: Step, target: str, sketch: Sketch) -> Stage:
    image, memory = sketch.top, step.memory_file
    overlay = next((disk.file for disk in step.disks if disk.target == target), "")
    before = replace(sketch, memory=memory, memory_being=Being.COMING)
    if overlay:
        before = replace(before, row=(StoredImage(overlay, "qcow2"), *sketch.row), beings=((overlay, Being.COMING),))
    after = _on_top(step, before, overlay)
    told = []
    for phase, guest in _guests(step, sketch.guest):
        now = replace(after if phase in {Phase.PROTECT, Phase.RESUME} else before, guest=guest)
        told.append((phase, _beside_words(step, phase, overlay, image), _beside(step, phase, now, overlay, image)))
    settled = replace(after, memory="", memory_being=Being.THERE, beings=())
    return stage(step, before, told, settled)


def _on_top(step: Step, sketch: Sketch, overlay: str) -> Sketch:
    """From PROTECT on: the overlay takes the writes, what is below it is frozen."""
    sketch = replace(sketch, memory_being=Being.NEW)
    if not overlay:
        return sketch
    row = tuple(
        replace(image, frozen_by=(*image.frozen_by, step.snapshot)) if image.path == sketch.top else image
        for image in sketch.row
    )
    return replace(sketch, row=row, used=(overlay, *sketch.used), beings=((overlay, Being.NEW),))


def _beside(step: Step, phase: Phase, sketch: Sketch, overlay: str, image: str) -> Sketch:
    memory = step.memory_file
    if phase is Phase.PAUSE:
        being = Being.NEW if step.live else Being.COMING
        return replace(sketch, memory_being=being, lit=frozenset({GUEST}))
    if phase is Phase.CREATE and memory:
        return replace(sketch, memory_being=Being.NEW, lit=frozenset({memory}))
    if phase is Phase.CREATE:
        return replace(sketch, beings=((overlay, Being.NEW),), lit=frozenset({overlay}))
    if phase is Phase.MEMORY:
        lit = frozenset({GUEST, memory})
        return replace(sketch, memory_being=Being.NEW, lit=lit, extra=((Flow.STATE, GUEST, memory),))
    if phase is Phase.FLUSH:
        return replace(sketch, memory_being=Being.NEW, lit=frozenset({memory}))
    writes = frozenset({(GUEST, Flow.WRITES)})
    if phase is Phase.PROTECT:
        return replace(sketch, lit=frozenset({overlay, image}), flows=writes)
    reads = frozenset({(GUEST, Flow.READS), (overlay, Flow.FALLS)})
    return replace(sketch, lit=frozenset({GUEST, overlay, image}), flows=writes | reads)


def _beside_words(step: Step, phase: Phase, overlay: str, image: str) -> Text:
    text = _BESIDE[phase]
    if phase is Phase.CREATE and step.memory_file:
        text = _MEMORY_BEGINS
    elif phase is Phase.MEMORY and step.live:
        text = _MEMORY_LIVE
    elif phase is Phase.PAUSE and step.live:
        text = _PAUSE_LIVE
    elif not overlay and phase in {Phase.CREATE, Phase.PROTECT, Phase.RESUME}:
        text = _LEFT_OUT
    return text.format(
        overlay=file_name(overlay), image=file_name(image), memory=file_name(step.memory_file), name=step.snapshot
    )
