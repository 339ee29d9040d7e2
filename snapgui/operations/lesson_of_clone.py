"""What cloning does to the files: a new image on top of one that is frozen, or a copy of everything."""

from dataclasses import replace

from snapgui.model.plan import Road, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.records import ImageCopy
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.chain_then import known_chain
from snapgui.operations.facts import Facts
from snapgui.operations.scene import Stage, stage
from snapgui.operations.sketch import CLONE, Being, Flow, Guest, Sketch, file_name
from snapgui.operations.stored import StoredImage

_LINKED = QT_TRANSLATE_NOOP(
    "lesson", "{file} is made on top of {source}, empty: everything is read from there, and nothing is copied."
)
_FULL = QT_TRANSLATE_NOOP(
    "lesson", "Everything that the disk holds is copied into {file}, which will need no other file."
)
_RUNNING = QT_TRANSLATE_NOOP(
    "lesson", "What the disk held a moment ago is copied into {file}, while the guest runs and writes to {source}."
)
_FROM_INSIDE = QT_TRANSLATE_NOOP(
    "lesson", "What “{inside}” keeps inside {source} is copied into {file}, which will need no other file."
)
_ACROSS = QT_TRANSLATE_NOOP("lesson", "The copy {source} goes to the other hypervisor, as {file}.")
_FILES = QT_TRANSLATE_NOOP(
    "lesson", "All {count} files of the VM and its snapshots are copied as they are; {source} becomes {file}."
)
_DEFINED = QT_TRANSLATE_NOOP("lesson", "“{clone}” becomes a VM of its own, with {file} as its disk.")
_CARRIED = QT_TRANSLATE_NOOP("lesson", "“{clone}” gets the snapshots, too: each lies in the clone's own files.")
_STARTED = QT_TRANSLATE_NOOP("lesson", "“{clone}” starts, and writes to {file} alone.")
_STARTED_LINKED = QT_TRANSLATE_NOOP(
    "lesson", "“{clone}” starts, and writes to {file} alone; {base} is only read, by both."
)


def clone(step: Step, facts: Facts, target: str, sketch: Sketch) -> Stage:
    """Return what happens in a step that makes a clone."""
    if step.verb is Verb.COPY:
        return _copy(step, facts, target, sketch)
    name = "" if step.new_vm is None else step.new_vm.name
    shown = replace(sketch, clone=name, lit=frozenset({CLONE, sketch.clone_image}))
    settled = replace(sketch, clone=name, clone_being=Being.THERE)
    before = replace(settled, clone_being=Being.COMING) if not sketch.clone else sketch
    if step.verb is Verb.START_CLONE:
        flows = frozenset({(CLONE, Flow.READS), (CLONE, Flow.WRITES), (sketch.clone_image, Flow.FALLS)})
        shown = replace(shown, clone_guest=Guest.RUNS, clone_being=Being.THERE, flows=flows)
        settled = replace(settled, clone_guest=Guest.RUNS)
    phase = step.phases[0] if step.phases else Phase.RECORD
    return stage(step, before, [(phase, _words(step, name, sketch), shown)], settled)


def _words(step: Step, name: str, sketch: Sketch) -> Text:
    if step.verb is Verb.CARRY:
        text = _CARRIED
    elif step.verb is Verb.START_CLONE:
        text = _STARTED_LINKED if sketch.clone_base else _STARTED
    else:
        text = _DEFINED
    return text.format(clone=name, file=file_name(sketch.clone_image), base=file_name(sketch.clone_base))


def _copy(step: Step, facts: Facts, target: str, sketch: Sketch) -> Stage:
    copy = next((copy for copy in step.copies if copy.target == target), None)
    if copy is None:
        return stage(step, sketch, [], sketch)
    source = copy.scratch or copy.source
    linked = step.road is Road.LAYER
    before = replace(
        _with_source(sketch, source, facts),
        clone_image=copy.file,
        clone_image_being=Being.COMING,
        clone_base=source if linked else "",
        keep=frozenset({source}),
    )
    shown = replace(before, clone_image_being=Being.NEW, lit=frozenset({source, copy.file}))
    if linked:
        shown = replace(shown, flows=frozenset({(copy.file, Flow.FALLS)}))
    else:
        shown = replace(shown, extra=((Flow.COPIES, source, copy.file),))
    after = replace(before, clone_image_being=Being.NEW)
    return stage(step, before, [(Phase.COPY, _copy_words(step, copy, sketch), shown)], after)


def _copy_words(step: Step, copy: ImageCopy, sketch: Sketch) -> Text:
    if step.road is Road.LAYER:
        text = _LINKED
    elif step.road is Road.FILES:
        text = _FILES
    elif copy.scratch:
        text = _ACROSS
    elif copy.inside:
        text = _FROM_INSIDE
    else:
        text = _RUNNING if step.road is Road.BACKUP and sketch.guest is Guest.RUNS else _FULL
    return text.format(
        file=file_name(copy.file),
        source=file_name(copy.scratch or copy.source),
        inside=copy.inside,
        count=len(step.files),
    )


def _with_source(sketch: Sketch, source: str, facts: Facts) -> Sketch:
    """Show the image that is cloned at the right of those of the VM, where it is none of them."""
    there = {image.path for image in sketch.row}
    if source in there:
        return sketch
    found = known_chain(facts, source)[:1] or (StoredImage(source),)
    return replace(sketch, row=(*sketch.row, *found))
