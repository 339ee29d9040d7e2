"""One disk of the storage view: its chain as a picture, its strip, and what happens at the place that is followed."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from snapgui.operations.block_following import Followed
from snapgui.operations.stored import StoredDisk
from snapgui.ui.block_words import offset_words
from snapgui.ui.chain_picture import ChainPicture, light_of
from snapgui.ui.elided_label import ElidedLabel
from snapgui.ui.picture_row import sideways
from snapgui.ui.serving_strip import ServingStrip, summary_of
from snapgui.ui.wording import plain_label, size_words, tr, words

MARGIN = 16
LINES = 3
"""Lines that the sentences may take: what is below does not jump while the pointer moves."""


class DiskPanel(QFrame):
    """Everything about one disk."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.disk: StoredDisk | None = None
        self.title = ElidedLabel(self, 1.1)
        self.problem = plain_label("", self, "loss")
        self.problem.setWordWrap(True)
        self.picture = ChainPicture(self)
        self.picture.unfolded.connect(self._unfold)
        self._frame = sideways(self.picture, self)
        self.strip = ServingStrip(self)
        self.strip.followed.connect(self._show_followed)
        self.sentence = plain_label("", self)
        self.sentence.setWordWrap(True)
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.sentence.setMinimumHeight(LINES * self.fontMetrics().lineSpacing())
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        for part in (self.title, self.problem, self._frame, self.strip, self.sentence):
            box.addWidget(part)
        self._about = ("", "", False)

    def show_disk(self, disk: StoredDisk, vm: str, snapshot: str | None, *, running: bool) -> None:
        """Show a disk as it is now, or was at a snapshot."""
        self.disk = disk
        self._about = (vm, snapshot or "", running)
        self.title.set_text(f"{disk.target} · {size_words(disk.capacity)}" if disk.capacity else disk.target)
        self.problem.setText("" if disk.problem is None else words(disk.problem))
        self.problem.setVisible(disk.problem is not None)
        self._draw()
        self.strip.setVisible(disk.blocks is not None)
        self.sentence.setVisible(disk.blocks is not None)
        self._show_followed(None)
        self.strip.show_serving(disk, summary_of(disk))

    def _draw(self) -> None:
        if self.disk is None:
            return
        vm, snapshot, running = self._about
        self.picture.show_chain(self.disk, vm, snapshot or None, running=running)
        self.picture.adjustSize()
        bar = self._frame.horizontalScrollBar().sizeHint().height()
        self._frame.setFixedHeight(self.picture.sizeHint().height() + bar)

    def _unfold(self) -> None:
        self.picture.show_all()
        self._draw()

    def _show_followed(self, followed: Followed | None) -> None:
        self.picture.light(light_of(followed))
        card = None if followed is None or followed.reads is None else self.picture.card_of(followed.reads)
        if card is not None and self.strip.pinned:  # not while the pointer only passes over it
            self._frame.ensureWidgetVisible(card, MARGIN, 0)
        if followed is None:
            hint = tr("Point at a place of the disk to see which file answers there, and where a write would go.")
            self.sentence.setText(hint)
            self.sentence.setObjectName("muted")
        else:
            said = " ".join(words(sentence) for sentence in followed.sentences)
            self.sentence.setText(tr("At {place}: {said}").format(place=offset_words(followed.offset), said=said))
            self.sentence.setObjectName("")
        self.sentence.style().polish(self.sentence)
