"""Light or dark: as the desktop is, or as the user chose."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from snapgui.ui import theme
from snapgui.ui.settings import Settings
from snapgui.ui.wording import tr


class Appearance(QObject):
    """Puts the palette on the application; ``changed`` afterwards, for what keeps pictures."""

    changed = Signal()

    def __init__(self, settings: Settings, window: QWidget) -> None:
        super().__init__(window)
        self._settings = settings
        self.menu = QMenu(tr("&Appearance"), window)
        for value, text in (("desktop", tr("As the Desktop")), ("light", tr("Light")), ("dark", tr("Dark"))):
            action = self.menu.addAction(text)
            action.setCheckable(True)
            action.setData(value)
            action.triggered.connect(lambda _checked, value=value: self.choose(value))
        self.menu.aboutToShow.connect(self._tick)
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

    def _tick(self) -> None:
        for action in self.menu.actions():
            action.setChecked(action.data() == self._settings.appearance)
