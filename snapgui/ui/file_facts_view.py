"""What is known about a file on both sides, as a small table: what differs is bold."""

from collections.abc import Iterator

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from snapgui.images.filesystems.filesystem import Kind
from snapgui.operations.file_look import FileLook
from snapgui.ui.file_look_loader import PairLook
from snapgui.ui.file_words import count_words, kind_words, mode_words, safe_short, time_words
from snapgui.ui.wording import plain_tip, size_words, tr

LONGEST_VALUE = 120
KIB = 1024
SECOND_NS = 10**9
Fact = tuple[str, str]


class FileFactsView(QTreeWidget):
    """Ctrl+C copies the values of the current line."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("facts")
        self.setAccessibleName(tr("What is known about the file"))
        self.setHeaderLabels(["", tr("Before"), tr("After")])
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.header().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)

    def show_look(self, look: PairLook) -> None:
        """Show what is known."""
        self.clear()
        fine = _same_second(look)
        one, other = (dict(_facts(side, fine=fine)) if side is not None else {} for side in look.sides)
        for name in dict.fromkeys((*one, *other)):
            self._add(name, (one.get(name, ""), other.get(name, "")), both=None not in look.sides)

    def _add(self, name: str, values: tuple[str, str], *, both: bool) -> None:
        item = QTreeWidgetItem([name, *(safe_short(value, LONGEST_VALUE) for value in values)])
        for column, value in enumerate(values, 1):
            item.setToolTip(column, plain_tip(safe_short(value, 10 * LONGEST_VALUE)))
        if both and values[0] != values[1]:
            bold = QFont(self.font())
            bold.setBold(True)
            for column in range(3):
                item.setFont(column, bold)
            spoken = tr("{name}, differs").format(name=name)
            item.setData(0, Qt.ItemDataRole.AccessibleTextRole, spoken)
        self.addTopLevelItem(item)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        item = self.currentItem()
        if event.matches(QKeySequence.StandardKey.Copy) and item is not None:
            values = (item.text(column) for column in (1, 2))
            QGuiApplication.clipboard().setText("\n".join(value for value in values if value))
        else:
            super().keyPressEvent(event)


def _same_second(look: PairLook) -> bool:
    """Whether only fractions of a second tell the times of both sides apart."""
    one, other = (None if side is None else side.node.mtime_ns for side in look.sides)
    return one is not None and other is not None and one != other and one // SECOND_NS == other // SECOND_NS


def _facts(side: FileLook, *, fine: bool) -> Iterator[Fact]:
    """Yield what is known; ``fine``: with the fraction of a second of its time."""
    node = side.node
    yield tr("Kind"), kind_words(node.kind)
    if node.kind is Kind.FILE:
        exact = f" ({count_words(node.size)})" if node.size >= KIB else ""
        yield tr("Size"), size_words(node.size) + exact
    yield tr("Mode"), mode_words(node.mode)
    yield tr("Owner"), f"{node.uid}:{node.gid}"
    yield tr("Modified"), time_words(node.mtime_ns) + (_fraction(node.mtime_ns) if fine else "")
    if node.kind is Kind.SYMLINK:
        yield tr("Leads to"), node.target.decode("utf-8", "surrogateescape")
    if node.device is not None:
        yield tr("Device"), "{}:{}".format(*node.device)
    if node.links > 1 and node.kind is not Kind.DIRECTORY:
        yield tr("Names"), count_words(node.links)
    if node.flags:
        yield tr("Flags"), f"0x{node.flags:x}"
    if node.encrypted:
        yield tr("Encrypted"), tr("yes")
    if side.sha256:
        yield "SHA-256", side.sha256
    for name, value in side.attributes:
        yield name.decode("utf-8", "surrogateescape"), _value(value)


def _fraction(nanoseconds: int) -> str:
    return f".{nanoseconds % SECOND_NS:09d}".rstrip("0")


def _value(value: bytes) -> str:
    text = value.removesuffix(b"\0")
    return text.decode() if text.isascii() and text.decode().isprintable() else value.hex(" ")
