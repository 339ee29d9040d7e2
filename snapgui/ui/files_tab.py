"""Asks for what the page of files shows: the comparison, the order of what it told, one file, and copies of files."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget

from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Cancelled, SnapguiError
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.compare_files import compare_files
from snapgui.operations.facts import read_facts
from snapgui.operations.file_news import FileNews, FilesDiffer, FilesRead
from snapgui.operations.history import History
from snapgui.ui.bridge import Bridge, Submit
from snapgui.ui.compare_look import Post
from snapgui.ui.compare_page import ComparePage
from snapgui.ui.file_look_loader import FileReading, FileWanted, PairLook, look_at_pair
from snapgui.ui.file_saver import FileSaver
from snapgui.ui.files_arrangement import Arrangement
from snapgui.ui.files_arranger import TURN_S, FilesArranger
from snapgui.ui.files_batch import packed
from snapgui.ui.files_page import FilesPage
from snapgui.ui.settings import Settings
from snapgui.ui.sides import Pair
from snapgui.ui.slices import Slices
from snapgui.ui.wording import tr

WORKERS = 3
"""One puts in order, one looks at a file, one writes a copy."""
SETTLED_MS = 120
"""A file is looked at when it has been the current one for so long: keys that are held go over many."""
Question = Callable[[Connection, Post], Any]
Ask = Callable[
    [Question, Callable[[Any], None], Callable[[SnapguiError], None], Callable[[Any], None], Submit | None], None
]
"""Run a question in a worker that has a connection of its own."""


@dataclass(frozen=True, slots=True)
class _End:
    """The last piece of news."""

    error: SnapguiError | None = None


class FilesTab(ComparePage):
    """Reads nothing before it is shown for the first time."""

    def __init__(self, ask: Ask, bridge: Bridge, history: History, pair: Pair, parent: QWidget) -> None:
        files = FilesPage(Settings(), parent)
        super().__init__(files, tr("Comparing the files…"), parent)
        self.files = files
        self._ask, self._history, self._pair = ask, history, pair
        self._asked: Pair | None = None
        self._pool = ThreadPoolExecutor(WORKERS, "files")
        self._comparing, self._looking = threading.Event(), threading.Event()
        self.arranger = FilesArranger(bridge, self._submit, self.files.model.table, self)
        self.saver = FileSaver(self._ask_here, history, self.files)
        self.files.status.addWidget(self.saver)
        self._news = Slices(self._take, self)
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLED_MS)
        self._settled.timeout.connect(lambda: self._look(whole=False))
        self.again.connect(self.compare)
        self.files.again.connect(self.compare)
        self.cancelled.connect(self._on_cancelled)
        self.files.cancelled.connect(self._on_cancelled)
        self.files.wished.connect(self.arranger.want)
        self.files.file_chosen.connect(self._on_chosen)
        self.files.save_wanted.connect(self._on_save)
        self.files.details.content.whole_wanted.connect(lambda: self._look(whole=True))
        self.files.details.content.cancelled.connect(self._stop_looking)
        self.arranger.arranged.connect(self._on_arranged)

    def first_shown(self) -> None:
        """Compare, if that has not been done."""
        if self._asked is None:
            self.compare()

    def show_pair(self, pair: Pair) -> None:
        """Exchange the sides; what differs is known already."""
        self._pair = pair
        if self._asked is not None:
            self.files.mirror(self._is_mirrored())

    def compare(self) -> None:
        """Find out which files differ."""
        self._comparing.set()
        self._news.forget()
        cancel = self._comparing = threading.Event()
        pair, history = self._pair, self._history
        turned = pair.before.name is None and pair.after.name is not None
        asked = self._asked = pair.swapped() if turned else pair
        self.show_waiting()
        self.files.start()
        self.arranger.use(self.files.model.table)
        self.files.mirror(self._is_mirrored())
        self.arranger.want(self.files.wish)

        def question(connection: Connection, post: Post) -> None:
            facts = read_facts(connection, asked.vm.uuid)
            before, after = asked.before.name or "", asked.after.name

            compare_files(connection, facts, history, before, after, lambda news: _pass_on(news, post), cancel=cancel)

        def told(news: Any) -> None:
            if not cancel.is_set():
                self._news.add(news)

        self._ask(question, lambda _nothing: told(_End()), lambda error: told(_End(error)), told, None)

    def close_all(self) -> None:
        """Ask no more: the window goes away."""
        for event in (self._comparing, self._looking):
            event.set()
        self._settled.stop()
        self._news.forget()
        self.arranger.close()
        self.saver.close_all()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask_here(
        self,
        question: Question,
        done: Callable[[Any], None],
        failed: Callable[[SnapguiError], None],
        told: Callable[[Any], None],
    ) -> None:
        """Ask in a worker of this page: those that all pages share may be busy for long."""
        self._ask(question, done, failed, told, self._submit)

    def _submit(self, work: Callable[[], None]) -> "Future[None]":
        return self._pool.submit(work)

    def _is_mirrored(self) -> bool:
        return self._asked is not None and self._asked.before is not self._pair.before

    def _take(self, news: Any) -> None:
        if isinstance(news, _End):
            self._end(news.error)
            return
        self.files.take(news)
        self.arranger.grown()
        self.show_content()

    def _on_cancelled(self) -> None:
        self._comparing.set()
        self._news.forget()
        self._end(Cancelled(QT_TRANSLATE_NOOP("errors", "Cancelled.")))

    def _end(self, error: SnapguiError | None) -> None:
        if error is not None and not self.files.places.known:
            self.show_error(error)
            return
        self.files.end(error)
        self.arranger.grown(last=True)
        self.show_content()

    def _on_arranged(self, arrangement: Arrangement) -> None:
        self.files.show_arrangement(arrangement)

    # one file

    def _on_chosen(self, wanted: FileWanted | None) -> None:
        self._looking.set()
        self.files.details.show_wanted(wanted, self.files.below())
        if wanted is None:
            self._settled.stop()
        else:
            self._settled.start()

    def _look(self, *, whole: bool) -> None:
        self._looking.set()
        cancel = self._looking = threading.Event()
        wanted, pair, details = self.files.wanted, self._pair, self.files.details
        history = self._history
        if wanted is None:
            return

        def done(look: PairLook) -> None:
            if not cancel.is_set():
                details.show_look(look, self.files.below())

        def failed(error: SnapguiError) -> None:
            if not cancel.is_set():
                details.show_error(error)

        def told(reading: FileReading) -> None:
            if not cancel.is_set():
                details.content.show_reading(reading)

        def question(connection: Connection, post: Post) -> PairLook:
            return look_at_pair(connection, history, pair, wanted, post, cancel, whole=whole)

        self._ask_here(question, done, failed, told)

    def _stop_looking(self) -> None:
        self._looking.set()
        self.files.details.show_error(Cancelled(QT_TRANSLATE_NOOP("errors", "Cancelled.")))

    def _on_save(self, wanted: FileWanted | None, side: int) -> None:
        if wanted is not None:
            self.saver.ask_where(self._pair, wanted, side)


def _pass_on(news: FileNews, post: Post) -> None:
    """Give news to the window, and a turn; changes packed, for they may be very many."""
    if not isinstance(news, FilesRead):
        post(packed(news) if isinstance(news, FilesDiffer) else news)
        time.sleep(TURN_S)
