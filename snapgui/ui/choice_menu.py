"""A menu of which one entry is always ticked."""

from collections.abc import Callable, Iterable

from PySide6.QtWidgets import QMenu, QWidget


def choice_menu(
    title: str,
    choices: Iterable[tuple[object, str]],
    chosen: Callable[[], object],
    choose: Callable[[object], object],
    parent: QWidget,
) -> QMenu:
    """Return a menu of (value, text); the tick is put anew whenever the menu opens."""
    menu = QMenu(title, parent)
    for value, text in choices:
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setData(value)
        action.triggered.connect(lambda _checked, value=value: choose(value))

    def tick() -> None:
        for action in menu.actions():
            action.setChecked(action.data() == chosen())

    menu.aboutToShow.connect(tick)
    return menu
