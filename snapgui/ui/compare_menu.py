"""The submenu that names what a state can be compared with: the other snapshots of its VM, and the current state."""

from collections.abc import Callable, Iterable

from PySide6.QtWidgets import QMenu, QWidget

from snapgui.model.records import Snapshot
from snapgui.ui.assets import icon
from snapgui.ui.menus import LONGEST_NAME
from snapgui.ui.wording import age_words, elided_middle, tr

MOST = 20
"""Snapshots that are named; the others are within reach by selecting both."""


def others_of(one: Snapshot | None, known: Iterable[Snapshot]) -> tuple[list[Snapshot], int]:
    """Return what a state (None: the current one) can be compared with, newest first, and how many more there are.

    Of very many, those nearest in time are named.
    """
    others = [snapshot for snapshot in known if one is None or snapshot.name != one.name]
    newest = max((snapshot.created for snapshot in others), default=None)
    middle = newest if one is None else one.created
    if middle is not None:
        others.sort(key=lambda snapshot: abs(snapshot.created - middle))
    named = sorted(others[:MOST], key=lambda snapshot: snapshot.created, reverse=True)
    return named, len(others) - len(named)


def compare_menu(
    parent: QWidget, one: Snapshot | None, known: Iterable[Snapshot], chosen: Callable[[Snapshot | None], None]
) -> QMenu:
    """Return the submenu; ``chosen`` gets the other snapshot, or None for the current state."""
    menu = QMenu(tr("Compare with…"), parent)
    menu.setIcon(icon("compare"))
    menu.setToolTipsVisible(True)
    if one is not None:
        now = menu.addAction(tr("Current State"))
        now.triggered.connect(lambda _checked=False: chosen(None))
        menu.addSeparator()
    named, more = others_of(one, known)
    for snapshot in named:
        text = f"{elided_middle(snapshot.label, parent, LONGEST_NAME)}\t{age_words(snapshot.created)}"
        action = menu.addAction(text.replace("&", "&&"))
        action.triggered.connect(lambda _checked=False, snapshot=snapshot: chosen(snapshot))
    if more:
        hint = menu.addAction(tr("Others: select both with Ctrl+click, then Compare"))
        hint.setEnabled(False)
    menu.setEnabled(one is not None or bool(named))
    return menu
