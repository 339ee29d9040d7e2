"""What the main window does about comparing: from the action or a drop to a window of its own, and its end."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMenu

from snapgui.model.records import Snapshot, Vm
from snapgui.operations.history import History
from snapgui.ui.bridge import Bridge
from snapgui.ui.compare_menu import compare_menu
from snapgui.ui.compare_window import CompareWindow
from snapgui.ui.host import Host
from snapgui.ui.sides import in_order

if TYPE_CHECKING:
    from snapgui.ui.main_window import MainWindow


class CompareWishes(QObject):
    """Knows the compare windows that are open; they go with the main window."""

    def __init__(self, window: "MainWindow", bridge: Bridge, history: History) -> None:
        super().__init__(window)
        self._window, self._bridge, self._history = window, bridge, history
        self.windows: list[CompareWindow] = []

    def compare(self) -> None:
        """Compare the two selected states; one with the current state."""
        situation = self._window.situation()
        host, vm, chosen = situation.host, situation.vm, situation.selected
        if host is not None and vm is not None and not self._window.actions_.why_not("compare", situation):
            self.open(host, vm, chosen[0], chosen[1] if len(chosen) > 1 else None)

    def add_to(self, menu: QMenu) -> None:
        """Put into a node's menu what it can be compared with, where one node is selected."""
        window = self._window
        situation, actions = window.situation(), window.actions_
        host, vm, chosen = situation.host, situation.vm, situation.selected
        if host is None or vm is None or len(chosen) + situation.here != 1:
            return
        one = chosen[0] if chosen else None
        below = compare_menu(menu, one, situation.tree, lambda other: self.open(host, vm, one, other))
        below.menuAction().setEnabled(below.isEnabled() and situation.busy is None and host.up)
        shown = menu.actions()
        place = shown.index(actions["compare"]) + 1 if actions["compare"] in shown else len(shown)
        menu.insertMenu(shown[place] if place < len(shown) else None, below)  # type: ignore[arg-type]

    def open(self, host: Host, vm: Vm, one: Snapshot | None, other: Snapshot | None) -> None:
        """Open a window about two states of a VM; None is the current one."""
        made = CompareWindow(host, self._bridge, self._history, in_order(vm, one, other))
        self.windows.append(made)
        made.closed.connect(self.windows.remove)
        made.show()
        made.activateWindow()

    def close(self) -> None:
        """Close them all."""
        for window in tuple(self.windows):
            window.close()
