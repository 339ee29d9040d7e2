"""Starts the window: first it is on the screen, then it connects."""

import gc
import logging
import logging.handlers
import os
import signal
import sys
from collections.abc import Callable

from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from snapgui.hypervisor.connection import default_uri
from snapgui.operations.history import History
from snapgui.operations.paths import state_directory
from snapgui.ui.assets import application_icon
from snapgui.ui.bridge import Bridge
from snapgui.ui.main_window import MainWindow
from snapgui.ui.settings import APPLICATION_ID, Settings

LOG_BYTES, LOG_FILES = 1_000_000, 3
SIGNALS_MS = 250


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


def make_window(wanted_vm: str = "") -> MainWindow:
    """Return a window with no connection yet, in the light or dark that is wanted."""
    window = MainWindow(Bridge(), History(), Settings(), wanted_vm)
    window.appearance.apply()
    return window


def run_window(uri: str | None, vm: str | None, *, debug: bool = False) -> int:
    """Show the window until it is closed; return the exit status."""
    start_log(debug=debug)
    status = show_window(uri, vm or "")
    logging.shutdown()
    # A worker may still wait for a hypervisor that never answers; Python would wait for it for ever.
    sys.stdout.flush()
    os._exit(status)


def show_window(uri: str | None, vm: str, extend: Callable[[MainWindow], object] = lambda _window: None) -> int:
    """Show the window until it is closed; return Qt's exit status. ``extend`` may add to it before it is shown."""
    application = make_application()
    window = make_window(vm)
    extend(window)
    window.show()
    gc.freeze()  # all that was loaded stays: Python need not search it for garbage while the window waits
    QTimer.singleShot(0, lambda: open_connections(window, uri))
    _quit_on_signals(window)
    return application.exec()


def open_connections(window: MainWindow, uri: str | None) -> None:
    """Open what the command line asks for, else the default and what the user added."""
    window.connections.open(uri or default_uri())
    if uri is None:
        for known in window.settings.connections:
            if known != default_uri():
                window.connections.open(known)


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


def _quit_on_signals(window: MainWindow) -> None:
    """Ctrl-C and ``kill`` close the window as a click does; Python looks for them only between Qt's events."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Not at once: a window that is closed before Qt's loop runs would leave a loop that nobody ends.
        signal.signal(number, lambda _number, _frame: QTimer.singleShot(0, window.close))
    alive = QTimer(window)
    alive.timeout.connect(lambda: None)
    alive.start(SIGNALS_MS)
