"""The filesystems whose files are compared, a line each; what has to be said about a result stands beside it."""

from dataclasses import dataclass, field

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from snapgui.model.text import Text
from snapgui.operations.file_news import FilesystemDone, FilesystemFound
from snapgui.ui.file_words import found_words, safe_short
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import tr, words

HIGHEST_SHARE = 4
"""Of the height of the page, at most one part in so many; the rest is scrolled to."""
PADDING = 8


@dataclass(slots=True)
class Place:
    """What is known about the files of one partition or disk."""

    name: str
    filesystem: str = ""
    label: str = ""
    unclean: bool = False
    remarks: tuple[Text, ...] = ()
    done: bool = False
    problem: str = ""
    count: int = 0

    @property
    def comparable(self) -> bool:
        """Whether its files could be looked at."""
        return bool(self.filesystem)

    @property
    def line(self) -> str:
        """The name, what it is, and how much differs."""
        if not self.comparable:
            return tr("{place} · its files cannot be compared: {reason}.").format(
                place=self.name, reason=safe_short(self.problem)
            )
        parts = [self.name, self.filesystem, *([safe_short(self.label)] if self.label else [])]
        if self.count:
            parts.append(found_words(self.count, self.count))
        elif self.done and not self.problem:
            parts.append(tr("No file differs."))
        return " · ".join(parts)

    @property
    def notes(self) -> list[str]:
        """Sentences that belong next to the result."""
        said = [words(remark) for remark in self.remarks]
        if self.unclean and not said:
            said.append(tr("It was in use: changes of the last seconds may be missing."))
        if self.comparable and self.problem:
            said.append(tr("Not all of it could be compared: {reason}.").format(reason=safe_short(self.problem)))
        return said


@dataclass(slots=True)
class Places:
    """What is known about all of them, by name, in the order in which they were told."""

    known: dict[str, Place] = field(default_factory=dict)

    def note(self, news: FilesystemFound | FilesystemDone) -> None:
        """Take a piece of news."""
        place = self.known.setdefault(news.place, Place(news.place))
        if isinstance(news, FilesystemFound):
            place.filesystem, place.label = news.filesystem, news.label
            place.unclean, place.remarks = news.unclean, news.remarks
        else:
            place.done, place.problem = True, news.problem

    def count(self, place: str, more: int) -> None:
        """Note how many more files differ."""
        self.known.setdefault(place, Place(place)).count += more

    @property
    def comparable(self) -> list[Place]:
        """Those whose files could be looked at."""
        return [place for place in self.known.values() if place.comparable]

    @property
    def total(self) -> int:
        """How many files differ in all."""
        return sum(place.count for place in self.known.values())


class FilesystemsList(QListWidget):
    """``chosen``: the name of a filesystem, or nothing for all of them."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._name = ""
        self.setObjectName("disks")
        self.setAccessibleName(tr("Filesystems"))
        self.setWordWrap(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.currentItemChanged.connect(lambda item, _before: self._on_chosen(item))

    def forget(self) -> None:
        """Choose all of them."""
        self._name = ""
        self.show_places(Places())

    def show_places(self, places: Places) -> None:
        """Show what is known now; the one that was chosen stays."""
        self.blockSignals(True)
        self.clear()
        if len(places.comparable) > 1:
            self._add("", [tr("All filesystems · {count}").format(count=found_words(places.total, places.total))])
        for place in places.known.values():
            item = self._add(place.name, [place.line, *place.notes])
            if not place.comparable:
                item.setFlags(Qt.ItemFlag.ItemNeverHasChildren)
                item.setForeground(color(Role.MUTED))
        rows = [row for row in range(self.count()) if self.item(row).flags() & Qt.ItemFlag.ItemIsEnabled]
        same = [row for row in rows if self.item(row).data(Qt.ItemDataRole.UserRole) == self._name]
        if rows:
            self.setCurrentRow((same or rows)[0])
        self.blockSignals(False)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _add(self, name: str, lines: list[str]) -> QListWidgetItem:
        item = QListWidgetItem("\n".join(lines), self)
        item.setData(Qt.ItemDataRole.UserRole, name)
        item.setData(Qt.ItemDataRole.AccessibleTextRole, " ".join(lines))
        return item

    def _on_chosen(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self._name = str(item.data(Qt.ItemDataRole.UserRole))
            self.chosen.emit(self._name)

    def _fit(self) -> None:
        """Be as high as the lines are, wrapped to this width, up to a share of the page."""
        room = self.viewport().width() - 2 * PADDING
        flags = int(Qt.TextFlag.TextWordWrap)
        total = 0
        for row in range(self.count()):
            item = self.item(row)
            box = self.fontMetrics().boundingRect(0, 0, room - 8, 10_000, flags, item.text())
            item.setSizeHint(QSize(0, box.height() + 10))
            total += box.height() + 10
        page = self.parentWidget()
        most = max(60, (page.height() if page is not None else 400) // HIGHEST_SHARE)
        self.setFixedHeight(max(28, min(total, most) + 2))
