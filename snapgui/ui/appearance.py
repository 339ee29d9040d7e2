"""Light or dark: as the desktop is, or as the user chose."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from snapgui.ui import theme
from snapgui.ui.choice_menu import choice_menu
from snapgui.ui.settings import Settings
from snapgui.ui.wording import tr


class Appearance(QObject):
    """Puts the palette on the application; ``changed`` afterwards, for what keeps pictures."""

    changed = Signal()

    def __init__(self, settings: Settings, window: QWidget) -> None:
        super().__init__(window)
        self._settings = settings
        choices = (("desktop", tr("As the Desktop")), ("light", tr("Light")), ("dark", tr("Dark")))
        self.menu = choice_menu(
            tr("&Appearance"), choices, lambda: settings.appearance, lambda choice: self.choose(str(choice)), window
        )
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_scheme)

    def choose(self, choice: str) -> None:
        """Be ``light``, ``dark``, or as the ``desktop`` is."""
        self._settings.appearance = choice
        self.apply()

    def apply(self) -> None:
        """Put on what is wanted."""
        theme.put_on(self._settings.appearance)
        self.changed.emit()

    def _on_scheme(self) -> None:
        self.apply()
