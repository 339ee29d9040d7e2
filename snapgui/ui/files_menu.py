"""What can be done with a file that differs: get it back from either side, or copy its path."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu, QPushButton, QWidget

from snapgui.ui.file_look_loader import FileWanted
from snapgui.ui.wording import tr


def why_no_copy(side: int) -> str:
    """Return why nothing can be saved from a side (0: before, 1: after) that does not have the file."""
    return (tr("It was not there before."), tr("It is not there after."))[side]


def file_menu(
    parent: QWidget, buttons: Sequence[QPushButton], wanted: FileWanted, save: Callable[[int], None]
) -> QMenu:
    """Return the context menu of a file; ``buttons`` do the same, ``save`` gets the side."""
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    menu.setToolTipsVisible(True)
    for side, button in enumerate(buttons):
        action = menu.addAction(button.text())
        action.setEnabled(wanted.paths[side] is not None)
        if not action.isEnabled():
            action.setToolTip(why_no_copy(side))
        action.triggered.connect(lambda _checked=False, side=side: save(side))
    menu.addSeparator()
    copy = menu.addAction(tr("Copy Path"))
    copy.triggered.connect(lambda _checked=False: _copy(wanted.path))
    return menu


def _copy(path: str) -> None:
    """Copy a path; bytes that are no text cannot be copied, and are shown instead."""
    QGuiApplication.clipboard().setText(path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))
