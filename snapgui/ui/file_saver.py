"""From the wish to have a copy of a file to the copy: asks where to, writes it in a worker, says what came of it."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QDir
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Cancelled, SnapguiError
from snapgui.operations.facts import read_facts
from snapgui.operations.file_saving import Saved, free_path, safe_name, save_copy
from snapgui.operations.history import History
from snapgui.ui.compare_look import Post
from snapgui.ui.file_look_loader import FileReading, FileWanted, Reports
from snapgui.ui.file_words import count_words, safe_short
from snapgui.ui.sides import Pair
from snapgui.ui.wording import elided_middle, plain_label, plain_tip, size_words, tr, words

Ask = Callable[..., None]
"""``ask(question, done, failed, told)``: run a question in a worker that has a connection of its own."""


class FileSaver(QWidget):
    """A line that says what is being saved, and what came of it."""

    def __init__(self, ask: Ask, history: History, parent: QWidget) -> None:
        super().__init__(parent)
        self._ask, self._history = ask, history
        self._cancel = threading.Event()
        self._whole = ""
        self.dialog: QFileDialog | None = None
        self.said = plain_label("", self, "muted")
        self.cancel = QPushButton(tr("Cancel"), self)
        self.cancel.clicked.connect(lambda _checked=False: self._cancel.set())
        self.cancel.hide()
        box = QHBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        box.addWidget(self.said)
        box.addWidget(self.cancel)

    def ask_where(self, pair: Pair, wanted: FileWanted, side: int) -> None:
        """Ask where to write a copy of one side of a file (0: before, 1: after)."""
        path = wanted.paths[side]
        if path is None or self.dialog is not None:
            return
        name = path.rpartition("/")[2].encode("utf-8", "surrogateescape")
        dialog = self.dialog = QFileDialog(self, tr("Save a Copy"), QDir.homePath())
        if wanted.directory:
            dialog.setFileMode(QFileDialog.FileMode.Directory)
            dialog.setOption(QFileDialog.Option.ShowDirsOnly)
            dialog.setWindowTitle(tr("Save a Copy of “{name}” in…").format(name=safe_name(name)))
            dialog.setLabelText(QFileDialog.DialogLabel.Accept, tr("Save Here"))
        else:
            dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
            dialog.setFileMode(QFileDialog.FileMode.AnyFile)
            dialog.selectFile(safe_name(name))
        dialog.fileSelected.connect(lambda chosen: self._save(pair, wanted, side, name, Path(chosen)))
        dialog.finished.connect(lambda _result: self._forget())
        dialog.open()

    def close_all(self) -> None:
        """Ask no more, and stop what is being written."""
        self._cancel.set()
        if self.dialog is not None:
            self.dialog.reject()

    def _forget(self) -> None:
        if self.dialog is not None:
            self.dialog.deleteLater()
            self.dialog = None

    def _save(self, pair: Pair, wanted: FileWanted, side: int, name: bytes, chosen: Path) -> None:
        path, snapshot = wanted.paths[side] or "", (pair.before, pair.after)[side].name
        self._cancel.set()
        cancel = self._cancel = threading.Event()
        self._say(tr("Saving {path}…").format(path=safe_short(path)))
        self.cancel.show()

        def question(connection: Connection, post: Post) -> Saved:
            reports = Reports(post)
            target = free_path(chosen, name) if wanted.directory else chosen
            facts = read_facts(connection, pair.vm.uuid)
            return save_copy(
                connection, facts, self._history, snapshot, wanted.place, path, target,
                report=lambda done: reports(done, 0), cancel=cancel,
            )  # fmt: skip

        def told(reading: FileReading) -> None:
            if cancel is self._cancel and not cancel.is_set():
                self._say(tr("{size} written…").format(size=size_words(reading.done)))

        def ended(text: str, *, loss: bool = False) -> None:
            if cancel is self._cancel:
                self.cancel.hide()
                self._say(text, loss=loss)

        self._ask(
            question,
            lambda saved: ended(_said(saved)),
            lambda error: ended(_failed(error), loss=not isinstance(error, Cancelled)),
            told,
        )

    def _say(self, text: str, *, loss: bool = False) -> None:
        self._whole = text
        self.said.setObjectName("loss" if loss else "muted")
        self.said.style().polish(self.said)
        self.said.setToolTip(plain_tip(text))
        self.said.setAccessibleName(text)
        self._elide()

    def _elide(self) -> None:
        window = self.window()
        self.said.setText(elided_middle(self._whole, self.said, max(120, window.width() // 2)))

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._elide()


def _said(saved: Saved) -> str:
    place = safe_short(str(saved.path))
    if saved.files == 1 and not saved.left_out:
        return tr("Saved {size} to {path}").format(size=size_words(saved.bytes), path=place)
    text = tr("Saved {count} files, {size}, to {path}").format(
        count=count_words(saved.files), size=size_words(saved.bytes), path=place
    )
    left = tr("{count} links or devices were left out").format(count=count_words(saved.left_out))
    return f"{text}; {left}" if saved.left_out else text


def _failed(error: SnapguiError) -> str:
    return tr("Cancelled, and nothing was left.") if isinstance(error, Cancelled) else words(error.text)
