"""The setting that says how many safety snapshots stay."""

from PySide6.QtWidgets import QMenu, QWidget

from snapgui.ui.choice_menu import choice_menu
from snapgui.ui.settings import Settings
from snapgui.ui.wording import tr

COUNTS = (10, 5, 3)


def kept_safety_menu(settings: Settings, parent: QWidget) -> QMenu:
    """Return the menu; 0 stands for all."""
    latest = tr("The Latest {count}")
    several = ((count, latest.format(count=count)) for count in COUNTS)

    def choose(count: object) -> None:
        settings.kept_safety = int(str(count))

    choices = ((0, tr("All")), *several, (1, tr("The Latest")))
    return choice_menu(tr("&Keep Safety Snapshots"), choices, lambda: settings.kept_safety, choose, parent)
