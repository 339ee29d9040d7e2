"""What deleting a snapshot does to the files: blocks inside an image are given back, or an overlay is merged down."""

from dataclasses import replace
from itertools import pairwise

from snapgui.model.plan import Step
from snapgui.model.progress import Phase
from snapgui.model.records import Place, Snapshot, SnapshotDisk
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.chain_then import known_chain
from snapgui.operations.facts import Facts, is_missing
from snapgui.operations.scene import Stage, stage
from snapgui.operations.sketch import Being, Flow, Inside, Sketch, file_name
from snapgui.operations.stored import StoredImage

_INSIDE = QT_TRANSLATE_NOOP(
    "lesson",
    "“{name}” is taken out of {image}: blocks that only it needed are given back, all others stay where they are.",
)
_MERGED = QT_TRANSLATE_NOOP(
    "lesson", "{overlay} is merged into {base}: its blocks are copied down there, then {overlay} goes away."
)
_ASIDE = QT_TRANSLATE_NOOP(
    "lesson", "The VM does not run on the branch of “{name}”: {overlay} goes away, and nothing is copied."
)
_ONLY_NAME = QT_TRANSLATE_NOOP("lesson", "“{name}” is forgotten; nothing of this disk is copied.")
_MEMORY = QT_TRANSLATE_NOOP("lesson", "{text} Its memory file goes, too.")


def delete(step: Step, facts: Facts, target: str, sketch: Sketch) -> Stage:
    """Return what happens while a snapshot is deleted."""
    snapshot = facts.tree[step.snapshot]
    held = next((disk for disk in snapshot.disks if disk.target == target), None)
    if held is None or held.place is Place.NONE:
        text, before, shown, after = _ONLY_NAME.format(name=snapshot.label), sketch, sketch, sketch
    elif held.place is Place.INTERNAL:
        text, before, shown, after = _inside(snapshot, held, facts, sketch)
    else:
        text, before, shown, after = _beside(snapshot, held, facts, sketch)
    if memory := snapshot.memory_file:
        text = _MEMORY.format(text=text)
        before = replace(before, memory=memory)
        shown = replace(shown, memory=memory, memory_being=Being.GOES)
    return stage(step, before, [(Phase.DELETE, text, shown)], after)


_Told = tuple[Text, Sketch, Sketch, Sketch]
"""What is said, and the disk before, meanwhile and afterwards."""


def _inside(snapshot: Snapshot, held: SnapshotDisk, facts: Facts, sketch: Sketch) -> _Told:
    image = held.source or sketch.top
    before = _with_chain(sketch, image, facts)
    before = replace(before, inside=Inside(image, snapshot.label), keep=frozenset({image}))
    shown = replace(before, inside=Inside(image, snapshot.label, Being.GOES), lit=frozenset({image}))
    text = _INSIDE.format(name=snapshot.label, image=file_name(image))
    return text, before, shown, _settled(sketch, snapshot.name)


def _beside(snapshot: Snapshot, held: SnapshotDisk, facts: Facts, sketch: Sketch) -> _Told:
    base = held.source
    overlay = next((upper for upper, lower in pairwise(sketch.used) if lower == base), "")
    if not overlay or snapshot.name not in sketch.branch:
        return _aside(snapshot, held, facts, sketch)
    before = replace(sketch, keep=frozenset({overlay, base}))
    shown = replace(
        _settled(before, snapshot.name),
        beings=((overlay, Being.GOES),),
        lit=frozenset({overlay, base}),
        extra=((Flow.MERGES, overlay, base),),
    )
    text = _MERGED.format(overlay=sketch.named(overlay), base=file_name(base))
    return text, before, shown, _without(_settled(sketch, snapshot.name), overlay)


def _aside(snapshot: Snapshot, held: SnapshotDisk, facts: Facts, sketch: Sketch) -> _Told:
    """A snapshot on a branch that the VM does not run on."""
    overlay = held.overlay
    if not overlay or is_missing(facts, overlay):
        return _ONLY_NAME.format(name=snapshot.label), sketch, sketch, _settled(sketch, snapshot.name)
    before = replace(_with_chain(sketch, overlay, facts), keep=frozenset({overlay}))
    shown = replace(before, beings=((overlay, Being.GOES),), lit=frozenset({overlay}))
    text = _ASIDE.format(name=snapshot.label, overlay=file_name(overlay))
    return text, before, shown, _settled(sketch, snapshot.name)


def _with_chain(sketch: Sketch, image: str, facts: Facts) -> Sketch:
    """Show an image beside those of the VM, where it is none of them."""
    if any(found.path == image for found in sketch.row):
        return sketch
    return replace(sketch, row=(*sketch.row, *known_chain(facts, image)[:1]))


def _settled(sketch: Sketch, name: str) -> Sketch:
    """No image is frozen by the snapshot, or holds it, any more."""
    return replace(sketch, row=tuple(_freed(image, name) for image in sketch.row))


def _freed(image: StoredImage, name: str) -> StoredImage:
    if name not in image.frozen_by and name not in image.internal_snapshots:
        return image
    return replace(
        image,
        frozen_by=tuple(found for found in image.frozen_by if found != name),
        internal_snapshots=tuple(found for found in image.internal_snapshots if found != name),
    )


def _without(sketch: Sketch, overlay: str) -> Sketch:
    return replace(
        sketch,
        row=tuple(image for image in sketch.row if image.path != overlay),
        used=tuple(path for path in sketch.used if path != overlay),
    )
