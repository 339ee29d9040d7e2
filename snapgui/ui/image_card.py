"""The cards of a storage picture: the guest, an image with what is known of it, and many images folded into one."""

from collections.abc import Iterable, Iterator

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from snapgui.operations.stored import StoredDisk, StoredImage
from snapgui.ui.elided_label import ElidedLabel
from snapgui.ui.layer_look import LayerSwatch, Lock
from snapgui.ui.serving_strip import share_words
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import breakable, plain_label, plain_tip, short_name, size_words, tr

WIDTH, GUEST_WIDTH = 40, 22
"""Average characters of the font."""
ICON = 16
MOST_NAMES = 2
"""Snapshots or clones that are named on a card; the others are in its tooltip."""


class Card(QFrame):
    """A rounded box with a title; ``lit`` draws it as a part of what is followed."""

    def __init__(self, parent: QWidget, characters: int) -> None:
        super().__init__(parent)
        self.lit = False
        self.setFixedWidth(characters * self.fontMetrics().averageCharWidth())
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Maximum)
        self.box = QVBoxLayout(self)
        self.box.setContentsMargins(12, 10, 12, 10)
        self.box.setSpacing(4)

    def light(self, lit: bool) -> None:
        """Draw it as a part of what is followed, or as any other."""
        if lit != self.lit:
            self.lit = lit
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = 2 if self.lit else 1
        painter.setPen(QPen(color(Role.ACCENT if self.lit else Role.CARD_BORDER), width))
        painter.setBrush(color(Role.CARD))
        inset = width / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), 8, 8)
        painter.end()


class GuestCard(Card):
    """Who reads and writes: the VM, or the VM as it was at a snapshot."""

    def __init__(self, name: str, snapshot: str | None, *, running: bool, parent: QWidget) -> None:
        super().__init__(parent, GUEST_WIDTH)
        title = ElidedLabel(self)
        title.set_text(name)
        self.box.addWidget(title)
        if snapshot is None:
            said = tr("guest, running") if running else tr("guest, shut off")
            self.box.addWidget(plain_label(said, self, "muted"))
        else:
            label = plain_label(breakable(tr("as it was at “{name}”").format(name=short_name(snapshot))), self, "muted")
            label.setWordWrap(True)
            self.box.addWidget(label)


class ImageCard(Card):
    """One image of the chain. ``number`` counts from the top."""

    def __init__(self, disk: StoredDisk, number: int, parent: QWidget) -> None:
        super().__init__(parent, WIDTH)
        image = disk.chain[number]
        self.image, self.number = image, number
        self.box.addLayout(self._title(image, number))
        if not image.there:
            self.box.addWidget(plain_label(tr("This file is missing."), self, "loss"))
        facts = plain_label(" · ".join(_facts(image)), self, "muted")
        facts.setWordWrap(True)
        self.box.addWidget(facts)
        if image.serves_bytes is not None:
            share = tr("answers {share} of the disk").format(share=share_words(image.serves_bytes, disk))
            if not image.serves_bytes:
                share = tr("answers nothing of the disk")
            label = plain_label(share, self)
            label.setWordWrap(True)
            self.box.addWidget(label)
        if number == 0 and disk.written:
            self.box.addWidget(plain_label(tr("takes the writes"), self, "good"))
        for line in _reasons(disk, number):
            self.box.addLayout(self._reason(line))
        if image.internal_snapshots:
            self.box.addWidget(_Inside(image.internal_snapshots, disk.inside if number == 0 else "", self))
        self.setToolTip(plain_tip("\n".join(_everything(image))))
        self.setAccessibleName(image.path)
        self.setAccessibleDescription(". ".join(_everything(image)))

    def _title(self, image: StoredImage, number: int) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(LayerSwatch(number, self))
        title = ElidedLabel(self)
        title.set_text(image.path.rpartition("/")[2] or image.path)
        title.setToolTip("")  # the card's own tells more
        row.addWidget(title, 1)
        return row

    def _reason(self, text: str) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(Lock(ICON, self), 0, Qt.AlignmentFlag.AlignTop)
        label = plain_label(text, self)
        label.setWordWrap(True)
        row.addWidget(label, 1)
        return row


class _Inside(QFrame):
    """The snapshots inside an image: they are parts of the same file."""

    def __init__(self, names: tuple[str, ...], looked_at: str, parent: QWidget) -> None:
        super().__init__(parent)
        box = QVBoxLayout(self)
        box.setContentsMargins(8, 6, 8, 6)
        box.setSpacing(2)
        one, many = tr("Inside this file: 1 snapshot"), tr("Inside this file: {count} snapshots")
        box.addWidget(plain_label(one if len(names) == 1 else many.format(count=len(names)), self, "muted"))
        shown = [looked_at, *(name for name in names if name != looked_at)] if looked_at in names else list(names)
        for name in shown[:MOST_NAMES]:
            label = ElidedLabel(self)
            label.set_text(f"▸ {name}" if name == looked_at else name)
            font = label.font()
            font.setBold(name == looked_at)
            label.setFont(font)
            box.addWidget(label)
        if len(names) > MOST_NAMES:
            more = tr("and {count} more").format(count=len(names) - MOST_NAMES)
            box.addWidget(plain_label(more, self, "muted"))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(color(Role.EDGE), 1, Qt.PenStyle.DashLine))
        painter.setBrush(color(Role.GROUND))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.end()


class FoldedCard(Card):
    """Images in the middle of a long chain; ``unfolded`` when the user wants to see them."""

    unfolded = Signal()

    def __init__(self, first: int, last: int, disk: StoredDisk, parent: QWidget) -> None:
        super().__init__(parent, GUEST_WIDTH)
        self.numbers = range(first, last)
        self.box.addWidget(plain_label(tr("{count} more images").format(count=len(self.numbers)), self))
        served = [disk.chain[number].serves_bytes for number in self.numbers]
        if all(size is not None for size in served):
            together = share_words(sum(size for size in served if size is not None), disk)
            share = tr("answer {share} of the disk").format(share=together)
            label = plain_label(share, self, "muted")
            label.setWordWrap(True)
            self.box.addWidget(label)
        button = QPushButton(tr("Show All"), self)
        button.setFlat(True)
        button.clicked.connect(self.unfolded)
        self.box.addWidget(button)

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        self.unfolded.emit()

    def sizeHint(self) -> QSize:
        return QSize(self.width(), super().sizeHint().height())


def _facts(image: StoredImage) -> Iterator[str]:
    yield image.format or tr("unknown format")
    if image.allocated_bytes is not None:
        yield tr("{size} on disk").format(size=size_words(image.allocated_bytes))


def _reasons(disk: StoredDisk, number: int) -> Iterator[str]:
    image = disk.chain[number]
    if image.frozen_by:
        yield _named(image.frozen_by, tr("frozen by snapshot {names}"), tr("frozen by snapshots {names}"))
    if image.clones:
        yield _named(image.clones, tr("base of clone {names}"), tr("base of clones {names}"))
    if number > 0 and not image.frozen_by and not image.clones:
        yield tr("base of the image above it")


def _named(names: tuple[str, ...], one: str, many: str) -> str:
    shown = ", ".join(f"“{short_name(name)}”" for name in names[:MOST_NAMES])
    if len(names) > MOST_NAMES:
        shown = tr("{names} and {count} more").format(names=shown, count=len(names) - MOST_NAMES)
    return breakable((one if len(names) == 1 else many).format(names=shown))


def _everything(image: StoredImage) -> Iterable[str]:
    yield image.path
    if image.virtual_bytes is not None:
        yield tr("Disk: {size}").format(size=size_words(image.virtual_bytes))
    if image.allocated_bytes is not None:
        yield tr("On disk: {size} ({count} bytes)").format(
            size=size_words(image.allocated_bytes), count=image.allocated_bytes
        )
    if image.pool:
        yield tr("Pool: {name}").format(name=image.pool)
    if image.backing:
        kind = image.backing_format or tr("format not recorded")
        yield tr("Base as recorded: {base} ({format})").format(base=image.backing, format=kind)
    for title, names in (
        (tr("Frozen by: {names}"), image.frozen_by),
        (tr("Base of: {names}"), image.clones),
        (tr("Inside: {names}"), image.internal_snapshots),
    ):
        if names:
            yield title.format(names=", ".join(names))
