"""What a lesson draws: the storage picture of one disk in one phase, with what is new, what goes, and what is lit.

Pure records, and the one function that turns a ``Sketch``, which steps change little by little, into cards and arrows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.stored import StoredImage

GUEST, CLONE = "guest", "clone"
"""The keys of those who read and write; all others are paths."""
FOLDED = "folded-{number}"
SHOWN_FIRST = 3
"""Images at the beginning of a long row that are shown in any case."""


class Being(StrEnum):
    """Whether something exists: room is kept for what is ``COMING``."""

    THERE = "there"
    COMING = "coming"
    NEW = "new"
    GOES = "goes"


class Guest(StrEnum):
    """What a guest does."""

    RUNS = "runs"
    STANDS = "stands"
    OFF = "off"

    @property
    def text(self) -> Text:
        """The state in words."""
        return _GUESTS[self]


class Flow(StrEnum):
    """What an arrow stands for."""

    READS = "reads"
    WRITES = "writes"
    FALLS = "falls"
    STATE = "state"
    MERGES = "merges"
    COPIES = "copies"

    @property
    def text(self) -> Text:
        """The arrow in words."""
        return _FLOWS[self]


_GUESTS = {
    Guest.RUNS: QT_TRANSLATE_NOOP("lesson", "running"),
    Guest.STANDS: QT_TRANSLATE_NOOP("lesson", "stands still"),
    Guest.OFF: QT_TRANSLATE_NOOP("lesson", "shut off"),
}
_FLOWS = {
    Flow.READS: QT_TRANSLATE_NOOP("lesson", "reads"),
    Flow.WRITES: QT_TRANSLATE_NOOP("lesson", "writes"),
    Flow.FALLS: QT_TRANSLATE_NOOP("lesson", "falls through"),
    Flow.STATE: QT_TRANSLATE_NOOP("lesson", "CPU + RAM"),
    Flow.MERGES: QT_TRANSLATE_NOOP("lesson", "merged into"),
    Flow.COPIES: QT_TRANSLATE_NOOP("lesson", "copied"),
}


class Sort(StrEnum):
    """What a card stands for."""

    GUEST = "guest"
    IMAGE = "image"
    MEMORY = "memory"
    FOLDED = "folded"


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow between two cards, by their keys."""

    flow: Flow
    start: str
    end: str
    lit: bool = False


@dataclass(frozen=True, slots=True)
class Inside:
    """A snapshot inside an image that comes or goes, or is looked at (``THERE``)."""

    image: str
    name: str
    being: Being = Being.THERE


@dataclass(frozen=True, slots=True)
class Piece:
    """A card. ``title`` is a name, or words where nobody knows the name yet; ``image`` what is known of an image.

    ``guest`` is set for guests, ``count`` for images that are folded into one card.
    """

    key: str
    sort: Sort
    title: str | Text
    being: Being = Being.THERE
    lit: bool = False
    image: StoredImage | None = None
    inside: Inside | None = None
    guest: Guest | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """Cards from left to right, and the arrows between them."""

    pieces: tuple[Piece, ...]
    arrows: tuple[Arrow, ...]

    def piece(self, key: str) -> Piece:
        """Return a card by its key; raise KeyError where there is none."""
        return {piece.key: piece for piece in self.pieces}[key]

    @property
    def lit_arrows(self) -> tuple[Arrow, ...]:
        """What is happening."""
        return tuple(arrow for arrow in self.arrows if arrow.lit)


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is true of one disk. ``row``: images from left to right; ``used``: those that the VM reads, from the top.

    ``beings``: of images that are not simply there. ``unnamed``: images whose names nobody knows yet, with words for
    them. ``clone`` is the name of a new VM, ``clone_image`` its image, on ``clone_base`` unless that is a full copy.
    ``lit``: keys of cards; ``extra``: arrows besides those of reads and writes, all lit; ``flows``: those lit of these,
    by the key of their start. ``keep``: images that are never folded. ``branch``: the snapshots that the
    present state has grown from.
    """

    vm: str
    guest: Guest
    row: tuple[StoredImage, ...] = ()
    used: tuple[str, ...] = ()
    beings: tuple[tuple[str, Being], ...] = ()
    unnamed: tuple[tuple[str, Text], ...] = ()
    memory: str = ""
    memory_being: Being = Being.THERE
    inside: Inside | None = None
    clone: str = ""
    clone_guest: Guest = Guest.OFF
    clone_being: Being = Being.NEW
    clone_image: str = ""
    clone_image_being: Being = Being.NEW
    clone_base: str = ""
    lit: frozenset[str] = frozenset()
    flows: frozenset[tuple[str, Flow]] = frozenset()
    extra: tuple[tuple[Flow, str, str], ...] = ()
    keep: frozenset[str] = frozenset()
    branch: frozenset[str] = frozenset()

    @property
    def top(self) -> str:
        """The image that takes the writes; empty where none is known."""
        return self.used[0] if self.used else ""

    def named(self, path: str) -> str | Text:
        """Return what a file is called in sentences and on its card."""
        return dict(self.unnamed).get(path, file_name(path))


def file_name(path: str) -> str:
    """Return what a card calls a file."""
    return path.rpartition("/")[2] or path


def draw(sketch: Sketch) -> Picture:
    """Return the cards and arrows of a sketch."""
    pieces = tuple(_pieces(sketch))
    place_of = {path: piece for piece, paths in _folding(sketch) for path in paths}
    keys = {piece.key for piece in pieces if piece.being is not Being.COMING}
    arrows = []
    for flow, start, end in dict.fromkeys(_flows(sketch)):
        first, last = place_of.get(start, start), place_of.get(end, end)
        if first != last and {first, last} <= keys:
            lit = (start, flow) in sketch.flows or (flow, start, end) in sketch.extra
            arrows.append(Arrow(flow, first, last, lit))
    return Picture(pieces, _once(arrows))


def _once(arrows: list[Arrow]) -> tuple[Arrow, ...]:
    """Several images may be folded into one card: of the arrows between two cards a lit one counts."""
    found: dict[tuple[Flow, str, str], Arrow] = {}
    for arrow in arrows:
        key = (arrow.flow, arrow.start, arrow.end)
        if key not in found or arrow.lit:
            found[key] = arrow
    return tuple(found.values())


def _flows(sketch: Sketch) -> Iterator[tuple[Flow, str, str]]:
    saved = any(flow is Flow.STATE and {start, end} == {GUEST, sketch.top} for flow, start, end in sketch.extra)
    if sketch.used:
        yield Flow.READS, GUEST, sketch.top
    if sketch.used and not saved:  # a guest that stands still does not write
        yield Flow.WRITES, GUEST, sketch.top
    for upper, lower in pairwise(sketch.used):
        yield Flow.FALLS, upper, lower
    if sketch.clone and sketch.clone_image:
        yield Flow.READS, CLONE, sketch.clone_image
        yield Flow.WRITES, CLONE, sketch.clone_image
    if sketch.clone_base:
        yield Flow.FALLS, sketch.clone_image, sketch.clone_base
    yield from sketch.extra


def _pieces(sketch: Sketch) -> Iterator[Piece]:
    def lit(key: str) -> bool:
        return key in sketch.lit

    if sketch.memory:
        key = sketch.memory
        yield Piece(key, Sort.MEMORY, file_name(key), sketch.memory_being, lit(key))
    yield Piece(GUEST, Sort.GUEST, sketch.vm, lit=lit(GUEST), guest=sketch.guest)
    images = {image.path: image for image in sketch.row}
    beings = dict(sketch.beings)
    for key, paths in _folding(sketch):
        if key not in images:
            yield Piece(key, Sort.FOLDED, "", lit=any(lit(path) for path in paths), count=len(paths))
            continue
        inside = sketch.inside if sketch.inside is not None and sketch.inside.image == key else None
        being = beings.get(key, Being.THERE)
        yield Piece(key, Sort.IMAGE, sketch.named(key), being, lit(key), images[key], inside)
    if sketch.clone_image:
        key = sketch.clone_image
        image = StoredImage(key, "qcow2")
        yield Piece(key, Sort.IMAGE, file_name(key), sketch.clone_image_being, lit(key), image)
    if sketch.clone:
        yield Piece(CLONE, Sort.GUEST, sketch.clone, sketch.clone_being, lit(CLONE), guest=sketch.clone_guest)


def _folding(sketch: Sketch) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (key, paths) of the cards of the row: two images or more that nobody looks at become one card."""
    shown = {*sketch.keep, *(image.path for image in sketch.row[:SHOWN_FIRST])}
    run: list[str] = []
    for number, image in enumerate((*sketch.row, None)):
        if image is not None and image.path not in shown:
            run.append(image.path)
            continue
        if len(run) > 1:
            yield FOLDED.format(number=number), tuple(run)
        elif run:
            yield run[0], (run[0],)
        run = []
        if image is not None:
            yield image.path, (image.path,)
