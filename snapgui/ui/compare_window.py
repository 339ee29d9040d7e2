"""A window about two states of a VM: what differs between them, level by level. Several may be open."""

import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QImage, QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QTabWidget, QVBoxLayout, QWidget

from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Cancelled, SnapguiError, Unavailable
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.history import History
from snapgui.ui.blocks_page import BlocksPage
from snapgui.ui.bridge import Bridge, Submit
from snapgui.ui.compare_look import (
    BlockLook,
    ConfigurationLook,
    Post,
    Reading,
    look_at_blocks,
    look_at_configuration,
    look_at_screens,
)
from snapgui.ui.compare_page import MARGIN, ComparePage
from snapgui.ui.configuration_page import ConfigurationPage
from snapgui.ui.elided_label import ElidedLabel
from snapgui.ui.files_tab import FilesTab
from snapgui.ui.host import Host
from snapgui.ui.screens_page import ScreensPage
from snapgui.ui.sides import Pair
from snapgui.ui.wording import plain_label, tr

SIZE = QSize(1080, 720)


class CompareWindow(QWidget):
    """``closed``: it goes away. It asks its questions in workers that have a connection of their own."""

    closed = Signal(object)

    def __init__(self, host: Host, bridge: Bridge, history: History, pair: Pair) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(SIZE)
        self.pair = pair
        self._host, self._bridge, self._history = host, bridge, history
        self._cancel = threading.Event()
        self._awaited: Pair | None = None
        self._reading = False
        self.configuration, self.blocks = ConfigurationPage(self), BlocksPage(self)
        self.screens = ScreensPage(self)
        self.configuration_page = ComparePage(self.configuration, tr("Comparing the configuration…"), self)
        self.blocks_page = ComparePage(self.blocks, tr("Comparing the blocks…"), self)
        self.files_page = FilesTab(self._ask, bridge, history, pair, self)
        self.tabs = QTabWidget(self)
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.addTab(self.configuration_page, tr("Configuration"))
        self.tabs.addTab(self.blocks_page, tr("Blocks"))
        self.tabs.addTab(self.files_page, tr("Files"))
        self.tabs.currentChanged.connect(self._on_tab)
        self.screens.hide()
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addLayout(self._make_head())
        box.addWidget(self.tabs, 1)
        self.configuration_page.again.connect(self._ask_configuration)
        self.blocks_page.again.connect(self._ask_blocks)
        self.configuration_page.cancelled.connect(self._cancel_configuration)
        self.blocks_page.cancelled.connect(self._cancel_blocks)
        self.blocks.content_wanted.connect(self._ask_content)
        self.blocks.content_cancelled.connect(self._stop_reading)
        QShortcut(QKeySequence.StandardKey.Close, self, self.close)
        QShortcut(QKeySequence(Qt.Key.Key_Escape), self, self.close)
        self._name_sides()
        self._ask_configuration()
        self._ask_blocks()
        self._ask_screens()

    # the two sides

    def swap(self) -> None:
        """Exchange left and right; what the blocks are is known already."""
        self.pair = self.pair.swapped()
        self._name_sides()
        look = self.blocks.look
        if look is not None:
            self.blocks.show_look(look.mirrored(), reading=self._reading)
        self.files_page.show_pair(self.pair)
        self._ask_configuration()
        self._ask_screens()

    def _on_tab(self, number: int) -> None:
        if self.tabs.widget(number) is self.files_page:
            self.files_page.first_shown()

    def _name_sides(self) -> None:
        self.setWindowTitle(self.pair.title)
        for side, (name, when) in zip((self.pair.before, self.pair.after), self._sides, strict=True):
            name.set_text(side.words)
            when.setText(side.when)

    def _make_head(self) -> QVBoxLayout:
        self._sides = tuple((ElidedLabel(self, 1.1), plain_label("", self, "muted")) for _ in range(2))
        columns = []
        for (name, when), place in zip(self._sides, (tr("Before"), tr("After")), strict=True):
            column = QVBoxLayout()
            column.setSpacing(2)
            for part in (plain_label(place, self, "muted"), name, when):
                column.addWidget(part)
            columns.append(column)
        self.swap_button = QPushButton(tr("Swap Sides"), self)
        self.swap_button.setToolTip(tr("Exchange left and right"))
        self.swap_button.clicked.connect(self.swap)
        arrow = QLabel("→", self)
        arrow.setAccessibleName(tr("compared with"))
        top = QHBoxLayout()
        top.setContentsMargins(MARGIN, 12, MARGIN, 12)
        top.setSpacing(16)
        top.addLayout(columns[0], 1)
        top.addWidget(arrow)
        top.addLayout(columns[1], 1)
        top.addWidget(self.swap_button)
        line = QFrame(self)
        line.setObjectName("hairline")
        line.setFixedHeight(1)
        box = QVBoxLayout()
        box.setSpacing(0)
        box.addLayout(top)
        box.addWidget(line)
        return box

    # questions

    def _ask_configuration(self) -> None:
        pair = self._awaited = self.pair
        self.configuration_page.show_waiting()

        def done(look: ConfigurationLook) -> None:
            if pair is self._awaited:
                self.configuration.show_look(look)
                self.configuration_page.show_content()

        def failed(error: SnapguiError) -> None:
            if pair is self._awaited:
                self._fail(self.configuration_page, error)

        self._ask(lambda connection, _post: look_at_configuration(connection, pair), done, failed)

    def _cancel_configuration(self) -> None:
        self._awaited = None
        self.configuration_page.show_error(_cancelled())

    def _ask_blocks(self) -> None:
        self.blocks_page.show_waiting()
        self._look_at_blocks(lambda error: self._fail(self.blocks_page, error), content=False)

    def _ask_content(self) -> None:
        self._look_at_blocks(self.blocks.show_content_error, content=True)

    def _look_at_blocks(self, failed: Callable[[SnapguiError], None], *, content: bool) -> None:
        pair, history = self.pair, self._history
        cancel = self._cancel = threading.Event()
        self._reading = content

        def done(look: BlockLook) -> None:
            if not cancel.is_set():
                self._reading = False
                self.blocks.show_look(look if self.pair.before is pair.before else look.mirrored())
                self.blocks_page.show_content()

        def ended(error: SnapguiError) -> None:
            if not cancel.is_set():
                self._reading = False
                failed(error)

        def told(reading: Reading) -> None:
            if not cancel.is_set():
                self.blocks.show_reading(reading)

        def look(connection: Connection, post: Post) -> BlockLook:
            return look_at_blocks(connection, history, pair, post, cancel, content=content)

        self._ask(look, done, ended, told)

    def _cancel_blocks(self) -> None:
        """Wait no longer: what is being read stops by itself, and can be asked for again."""
        self._cancel.set()
        self.blocks_page.show_error(_cancelled())

    def _stop_reading(self) -> None:
        self._cancel.set()
        self._reading = False
        if self.blocks.look is not None:
            self.blocks.show_look(self.blocks.look)

    def _ask_screens(self) -> None:
        pair = self.pair

        def done(pictures: tuple[bytes, bytes] | None) -> None:
            if pictures is not None and pair is self.pair:
                self._show_screens(pair, pictures)

        self._ask(lambda _connection, _post: look_at_screens(pair), done, lambda _error: None)

    def _show_screens(self, pair: Pair, pictures: tuple[bytes, bytes]) -> None:
        images = (QImage.fromData(pictures[0]), QImage.fromData(pictures[1]))
        if any(image.isNull() for image in images):
            return
        self.screens.show_screens(pair, images)
        if self.tabs.indexOf(self.screens) < 0:
            self.tabs.addTab(self.screens, tr("Screens"))

    def _ask(
        self,
        question: Callable[[Connection, Post], Any],
        done: Callable[[Any], None],
        failed: Callable[[SnapguiError], None],
        told: Callable[[Any], None] = lambda _message: None,
        submit: Submit | None = None,
    ) -> None:
        connection = self._host.connection
        if connection is None:
            failed(self._host.error or Unavailable(QT_TRANSLATE_NOOP("errors", "There is no connection.")))
            return

        def work(post: Post) -> Any:
            with connection.apart() as own:
                return question(own, post)

        self._bridge.run(submit or self._host.lanes.aside, work, self, done, failed, told)

    def _fail(self, page: ComparePage, error: SnapguiError) -> None:
        if isinstance(error, Unavailable) and self._host.up:
            self._host.lost(error)
        page.show_error(error)

    # the window

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.configuration.recolour()
            self.blocks.recolour()
            self.files_page.files.recolour()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._cancel.set()
        self.files_page.close_all()
        self._bridge.drop(self)
        self._bridge.drop(self.files_page.arranger)
        self.closed.emit(self)
        event.accept()


def _cancelled() -> SnapguiError:
    return Cancelled(QT_TRANSLATE_NOOP("errors", "Cancelled."))
