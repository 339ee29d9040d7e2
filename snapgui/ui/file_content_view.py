"""What is in a file, on both sides: its text with what differs, its picture, or a sentence and a hash."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from snapgui.images.filesystems.filesystem import Kind
from snapgui.model.errors import Cancelled, SnapguiError
from snapgui.operations.file_look import HASHED_BYTES, TEXT_BYTES, FileLook
from snapgui.ui.file_look_loader import FileReading, PairLook
from snapgui.ui.screens_page import Picture
from snapgui.ui.wording import plain_label, plain_tip, size_words, tr, words
from snapgui.ui.xml_view import XmlView


class FileContentView(QWidget):
    """``whole_wanted``: read a long file to its end; ``cancelled``: read no further."""

    whole_wanted = Signal()
    cancelled = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.text = XmlView(self, (tr("Content before"), tr("Content after")))
        self.pictures = (Picture(self), Picture(self))
        self.said = plain_label("", self, "muted")
        self.said.setWordWrap(True)
        self.said.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.whole = QPushButton(tr("Read It and Compare"), self)
        self.whole.clicked.connect(self.whole_wanted)
        self.progress = QProgressBar(self)
        self.progress.setRange(0, 1000)
        self.progress.setAccessibleName(tr("Content that was read"))
        self.cancel = QPushButton(tr("Cancel"), self)
        self.cancel.clicked.connect(self.cancelled)
        self._parts = QStackedWidget(self)
        self._pictures, self._nothing = self._make_pictures(), QWidget(self)
        for part in (self._nothing, self.text, self._pictures):
            self._parts.addWidget(part)
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.said, 1)
        for part in (self.whole, self.progress, self.cancel):
            line.addWidget(part)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(6)
        box.addLayout(line)
        box.addWidget(self._parts, 1)
        self.say("")

    def say(self, text: str, *, loss: bool = False) -> None:
        """Show nothing but a sentence."""
        self._parts.setCurrentWidget(self._nothing)
        self._say(text, loss=loss)

    def show_reading(self, reading: FileReading) -> None:
        """Say how far the reading is; that it goes on is only shown where it takes a while."""
        self.say(tr("{done} of {size} read").format(done=size_words(reading.done), size=size_words(reading.total)))
        self.progress.setValue(round(1000 * reading.done / reading.total) if reading.total else 1000)
        self.progress.show()
        self.cancel.show()

    def show_error(self, error: SnapguiError) -> None:
        """It could not be read."""
        self.say(words(error.text), loss=not isinstance(error, Cancelled))

    def show_look(self, look: PairLook) -> None:
        """Show what was read."""
        self.say(_sentence(look))
        if look.rows is not None:
            for side, has in (
                (self.text.before, any(row.before is not None for row in look.rows)),
                (self.text.after, any(row.after is not None for row in look.rows)),
            ):
                side.setVisible(has)
            self.text.show_rows(look.rows, look.words)
            self._parts.setCurrentWidget(self.text)
        elif look.pictures is not None:
            for picture, image, when in zip(
                self.pictures, look.pictures, (tr("Picture before"), tr("Picture after")), strict=True
            ):
                picture.set_image(image, when)
                picture.setVisible(not image.isNull())
            self._parts.setCurrentWidget(self._pictures)
        self.whole.setVisible(any(_unread(side) for side in look.sides))

    def recolour(self) -> None:
        """The scheme was changed."""
        self.text.colour()

    def _say(self, text: str, *, loss: bool = False) -> None:
        for part in (self.whole, self.progress, self.cancel):
            part.hide()
        self.said.setObjectName("loss" if loss else "muted")
        self.said.style().polish(self.said)
        self.said.setText(text)
        self.said.setToolTip(plain_tip(text) if text else "")
        self.said.setVisible(bool(text))

    def _make_pictures(self) -> QWidget:
        page = QWidget(self)
        box = QHBoxLayout(page)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        for picture in self.pictures:
            box.addWidget(picture, 1)
        return page


def _unread(side: FileLook | None) -> bool:
    return side is not None and side.node.kind is Kind.FILE and not side.sha256 and not side.node.encrypted


def _sentence(look: PairLook) -> str:
    """Return what is to be said about the content."""
    files = [side for side in look.sides if side is not None and side.node.kind is Kind.FILE]
    if not files:
        return ""
    if any(side.node.encrypted for side in files):
        return tr("It is encrypted: its content cannot be read.")
    if any(not side.sha256 for side in files):
        return tr("It is larger than {size}: its content has not been read.").format(size=size_words(HASHED_BYTES))
    hashes = {side.sha256 for side in files}
    if len(files) > 1 and len(hashes) == 1:
        return tr("The content is the same.")
    if look.rows is not None and len(files) > 1 and all(row.same for row in look.rows):
        return tr("What is shown is the same: it differs in the ends of lines, or further on.")
    if look.rows is not None:
        return tr("It is empty.") if not any(side.node.size for side in files) else ""
    if look.pictures is not None:
        return ""
    if all(side.node.size > TEXT_BYTES for side in files):
        return tr("It is longer than {size}, and shown by its hash.").format(size=size_words(TEXT_BYTES))
    return tr("It is no text, and shown by its hash.")
