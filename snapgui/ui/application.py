"""Starts the window: first it is on the screen, then it connects."""

import gc
import logging
import logging.handlers
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QPaintEvent
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from snapgui.operations.paths import state_directory
from snapgui.ui import theme
from snapgui.ui.assets import application_icon
from snapgui.ui.settings import APPLICATION_ID, Settings

if TYPE_CHECKING:
    from snapgui.ui.main_window import MainWindow

LOG_BYTES, LOG_FILES = 1_000_000, 3
SIGNALS_MS = 250
SIZE = (1440, 900)


def make_application() -> QApplication:
    """Return the one QApplication, with the project's style."""
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    application.setApplicationName("snapgui")
    application.setApplicationDisplayName("snapgui")
    application.setStyle("Fusion")
    QGuiApplication.setDesktopFileName(APPLICATION_ID)
    application.setWindowIcon(application_icon())
    return application


def run_window(uri: str | None, vm: str | None, *, debug: bool = False) -> int:
    """Show the window until it is closed; return the exit status."""
    start_log(debug=debug)
    status = show_window(uri, vm or "")
    logging.shutdown()
    # A worker may still wait for a hypervisor that never answers; Python would wait for it for ever.
    sys.stdout.flush()
    os._exit(status)


def show_window(uri: str | None, vm: str, extend: Callable[["MainWindow"], object] = lambda _window: None) -> int:
    """Show the window until it is closed; return Qt's exit status. ``extend`` may add to its content."""
    application = make_application()
    settings = Settings()
    theme.put_on(settings.appearance)
    frame = Frame(settings.layout("window"))

    def furnish() -> None:
        from snapgui.ui.main_window import make_window  # noqa: PLC0415 - loaded when the window is on the screen

        content = make_window(vm)
        extend(content)
        frame.take_in(content)
        gc.freeze()  # all that was loaded stays: Python need not search it for garbage while the window waits
        QTimer.singleShot(0, lambda: content.connections.open_all(uri))

    frame.on_the_screen.connect(furnish, Qt.ConnectionType.QueuedConnection)
    frame.show()
    _quit_on_signals(frame)
    return application.exec()


class Frame(QWidget):
    """The window itself, on the screen before its content is loaded; ``on_the_screen`` when it was painted first."""

    on_the_screen = Signal()

    def __init__(self, geometry: QByteArray) -> None:
        super().__init__()
        self.setWindowTitle("snapgui")
        self.resize(QSize(*SIZE).boundedTo(self.screen().availableSize()))
        self.restoreGeometry(geometry)
        self._content: QWidget | None = None
        self._painted = False
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)

    def take_in(self, content: QWidget) -> None:
        """Show the content, and follow its wish to be closed."""
        self._content = content
        self._box.addWidget(content)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            self.on_the_screen.emit()

    def closeEvent(self, event: QCloseEvent) -> None:
        event.setAccepted(self._content is None or self._content.close())


def start_log(*, debug: bool) -> None:
    """Write a rotating log under the state directory; everything with ``debug``."""
    root = logging.getLogger()
    root.setLevel(logging.DEBUG if debug else logging.WARNING)
    try:
        state_directory().mkdir(parents=True, exist_ok=True, mode=0o700)
        path = state_directory() / "snapgui.log"
        keeper: logging.Handler = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES)
    except OSError:
        keeper = logging.StreamHandler()
    keeper.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"))
    root.addHandler(keeper)


def _quit_on_signals(window: QWidget) -> None:
    """Ctrl-C and ``kill`` close the window as a click does; Python looks for them only between Qt's events."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Not at once: a window that is closed before Qt's loop runs would leave a loop that nobody ends.
        signal.signal(number, lambda _number, _frame: QTimer.singleShot(0, window.close))
    alive = QTimer(window)
    alive.timeout.connect(lambda: None)
    alive.start(SIGNALS_MS)
