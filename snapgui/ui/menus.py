"""Menu bar, toolbar and context menus, all made from the one table of actions."""

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLineEdit, QMainWindow, QMenu, QSizePolicy, QToolBar, QToolButton, QWidget

from snapgui.ui.actions import PRIMARY, Actions
from snapgui.ui.relatives import Relative
from snapgui.ui.wording import elided_middle, tr

LONGEST_NAME = 400
"""Pixels of a name in a menu."""
_SNAPSHOT = (
    "take",
    "",
    "revert",
    "clone",
    "compare",
    "undo_revert",
    "rename",
    "describe",
    "copy_name",
    "",
    "delete",
    "delete_children",
    "prune",
    "grace",
    "",
    "flatten",
    "check",
    "clone_at_once",
    "remove",
    "",
    "quit",
)
_ZOOM = ("graph", "outline", "storage", "", "zoom_in", "zoom_out", "zoom_reset", "zoom_fit", "overview", "")
_VIEW = (*_ZOOM, "collapse", "expand", "show_here", "", "find", "refresh", "", "details", "activity", "learn")
_CONNECTION = ("add_connection", "reconnect", "check_all", "", "remove_connection")
_NODE = (
    "revert",
    "clone",
    "compare",
    "",
    "rename",
    "describe",
    "copy_name",
    "",
    "collapse",
    "expand",
    "",
    "delete",
    "delete_children",
)
_HERE = ("take", "clone")
_VM = ("take", "clone", "flatten", "", "refresh", "check", "", "remove")
_TOOLS = ("take", "revert", "clone", "compare", "delete")


def fill_menu_bar(window: QMainWindow, actions: Actions, appearance: QMenu, kept_safety: QMenu) -> None:
    """Put every action of the table into the menu bar, and the menus of the settings."""
    bar = window.menuBar()
    for title, names in ((tr("&Snapshot"), _SNAPSHOT), (tr("&View"), _VIEW), (tr("&Connection"), _CONNECTION)):
        menu = bar.addMenu(title)
        menu.setToolTipsVisible(True)
        _fill(menu, actions, names)
        if names is _SNAPSHOT:
            menu.insertMenu(actions["grace"], kept_safety)
        if names is _VIEW:
            menu.addSeparator()
            menu.addMenu(appearance)
    _fill(bar.addMenu(tr("&Help")), actions, ("about",))


def make_toolbar(window: QMainWindow, actions: Actions, search: QLineEdit) -> QToolBar:
    """Return the toolbar: the verbs at the left, search at the right."""
    bar = QToolBar(tr("Tools"), window)
    bar.setObjectName("tools")
    bar.setMovable(False)
    bar.setIconSize(QSize(20, 20))
    bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    for name in _TOOLS:
        bar.addAction(actions[name])
        button = bar.widgetForAction(actions[name])
        if name == PRIMARY and isinstance(button, QToolButton):
            button.setObjectName("primary")
    space = QWidget(bar)
    space.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    bar.addWidget(space)
    search.setPlaceholderText(tr("Find snapshot or VM"))
    search.setAccessibleName(tr("Find snapshot or VM"))
    search.setClearButtonEnabled(True)
    search.setFixedWidth(search.fontMetrics().averageCharWidth() * 34)
    bar.addWidget(search)
    return bar


def node_menu(parent: QWidget, actions: Actions, *, here: bool) -> QMenu:
    """Return the context menu of a node."""
    return _context(parent, actions, _HERE if here else _NODE)


def relative_menu(parent: QWidget, relative: Relative, go: Callable[[], object]) -> QMenu:
    """Return the context menu of a clone, an image or an origin: one can go there, and do nothing to it."""
    menu = _context_menu(parent)
    name = "" if relative.vm is None else elided_middle(relative.vm.name, parent, LONGEST_NAME)
    text = tr("Show {vm}").format(vm=name) if name else tr("No VM uses this image")
    entry = menu.addAction(text.replace("&", "&&"))
    entry.setEnabled(relative.vm is not None)
    entry.triggered.connect(lambda _checked=False: go())
    return menu


def vm_menu(parent: QWidget, actions: Actions, *, is_vm: bool) -> QMenu:
    """Return the context menu of a VM, or of a connection."""
    return _context(parent, actions, _VM if is_vm else _CONNECTION)


def _context(parent: QWidget, actions: Actions, names: tuple[str, ...]) -> QMenu:
    menu = _context_menu(parent)
    _fill(menu, actions, names)
    return menu


def _context_menu(parent: QWidget) -> QMenu:
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    menu.setToolTipsVisible(True)
    return menu


def _fill(menu: QMenu, actions: Actions, names: tuple[str, ...]) -> list[QAction]:
    for name in names:
        if name:
            menu.addAction(actions[name])
        else:
            menu.addSeparator()
    return menu.actions()
