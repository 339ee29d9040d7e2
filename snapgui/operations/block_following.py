"""Follow one block of a disk: which file answers a read, which takes a write, and what happens on the way."""

from dataclasses import dataclass

from snapgui.images.block_map import Answer
from snapgui.images.clusters import Holds
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.outcome import binary_size
from snapgui.operations.stored import StoredDisk, StoredImage

NOTHING = QT_TRANSLATE_NOOP("storage", "Nothing was ever written here: a read gives zeros, and no file is asked.")


@dataclass(frozen=True, slots=True)
class Followed:
    """One byte of the disk. ``reads``: the number of the image that answers, from the top; None for nobody.

    ``place`` is where in that file, None for zeros and compressed data. ``writes``: the image that takes a write, None
    where nobody can write. ``copies``: whether the first write copies the rest of the block from the image that
    answers, or leaves it to a snapshot inside the same image. ``sentences``: the same in words.
    """

    offset: int
    reads: int | None
    place: int | None
    writes: int | None
    copies: bool
    sentences: tuple[Text, ...]


def follow(disk: StoredDisk, offset: int) -> Followed | None:
    """Return what happens at a byte of the disk; None where the disk was not mapped, or ends before."""
    if disk.blocks is None or not 0 <= offset < disk.blocks.capacity:
        return None
    answer = disk.blocks.at(offset)
    writes = 0 if disk.written else None
    copies = disk.written and _copies(answer)
    sentences = (_read(disk, answer), _write(disk, answer, copies=copies))
    return Followed(offset, answer.depth, answer.place, writes, copies, sentences)


def _copies(answer: Answer) -> bool:
    if answer.depth is None or answer.holds is Holds.ZEROS:
        return False
    return answer.depth > 0 or answer.shared


def _read(disk: StoredDisk, answer: Answer) -> Text:
    if answer.depth is None:
        return NOTHING
    image = disk.chain[answer.depth]
    if answer.holds is Holds.ZEROS:
        text = QT_TRANSLATE_NOOP("storage", "A read is answered with zeros: {file} says that there is nothing else.")
    elif answer.holds is Holds.COMPRESSED:
        text = QT_TRANSLATE_NOOP("storage", "A read is answered by {file}, where this block is compressed.")
    elif disk.inside and answer.depth == 0:
        text = QT_TRANSLATE_NOOP(
            "storage", "At “{inside}” a read was answered by {file}, at byte {place}, which is kept for it."
        )
    elif answer.depth:
        text = QT_TRANSLATE_NOOP(
            "storage", "A read falls through to {file} and is answered there, at byte {place}: nothing above has it."
        )
    else:
        text = QT_TRANSLATE_NOOP("storage", "A read is answered by {file}, at byte {place}.")
    return text.format(file=name_of(image), place=grouped(answer.place or 0), inside=disk.inside)


def _write(disk: StoredDisk, answer: Answer, *, copies: bool) -> Text:
    if not disk.written:
        return QT_TRANSLATE_NOOP("storage", "Nobody writes here any more: this is how the disk was at the snapshot.")
    return _copy(disk, answer) if copies else _plain_write(disk.chain[0], answer)


def _plain_write(top: StoredImage, answer: Answer) -> Text:
    if answer.depth == 0 and answer.holds is Holds.DATA:
        return QT_TRANSLATE_NOOP("storage", "A write goes to the same place of {file}.").format(file=name_of(top))
    text = QT_TRANSLATE_NOOP("storage", "The first write takes a new block of {size} in {file}.")
    if answer.depth == 0 and answer.holds is Holds.COMPRESSED:
        text = QT_TRANSLATE_NOOP("storage", "The first write unpacks it into a new block of {size} in {file}.")
    return text.format(size=binary_size(top.cluster_bytes), file=name_of(top))


def _copy(disk: StoredDisk, answer: Answer) -> Text:
    top, size = disk.chain[0], binary_size(disk.chain[0].cluster_bytes)
    if answer.depth == 0:
        kept = QT_TRANSLATE_NOOP(
            "storage",
            "The first write copies this block of {size} to a new place of {file}; the old one is kept for the "
            "snapshots inside it: {names}.",
        )
        return kept.format(size=size, file=name_of(top), names=", ".join(top.internal_snapshots))
    base = disk.chain[answer.depth or 0]
    text = QT_TRANSLATE_NOOP(
        "storage", "The first write copies the block of {size} from {base} to {file}, and changes it there; {why}."
    )
    return text.format(size=size, base=name_of(base), file=name_of(top), why=why_frozen(base))


def why_frozen(image: StoredImage) -> Text:
    """Return why an image below another one is never written to."""
    if image.frozen_by:
        text = QT_TRANSLATE_NOOP("storage", "{base} is frozen by snapshot “{name}”")
        many = QT_TRANSLATE_NOOP("storage", "{base} is frozen by the snapshots {name}")
        names = ", ".join(image.frozen_by)
        return (text if len(image.frozen_by) == 1 else many).format(base=name_of(image), name=names)
    if image.clones:
        text = QT_TRANSLATE_NOOP("storage", "{base} is the base of {names}")
        return text.format(base=name_of(image), names=", ".join(image.clones))
    return QT_TRANSLATE_NOOP("storage", "{base} is the base of another image, and stays as it is").format(
        base=name_of(image)
    )


def name_of(image: StoredImage) -> str:
    """Return the name of the file, without its directory."""
    return image.path.rpartition("/")[2] or image.path


def grouped(number: int) -> str:
    """Return a place of a file with its digits in threes."""
    return f"{number:,}".replace(",", " ")
