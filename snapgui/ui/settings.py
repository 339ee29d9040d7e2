"""What the window remembers, behind typed properties."""

from PySide6.QtCore import QByteArray, QSettings

APPLICATION_ID = "io.github.snapgui.Snapgui"


class Settings:
    """The user's settings; written at once, kept by Qt where the desktop keeps such things."""

    def __init__(self) -> None:
        self._store = QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "snapgui", "snapgui")

    @property
    def connections(self) -> list[str]:
        """URIs that the window opens by itself."""
        value = self._store.value("connections", [])
        items = value if isinstance(value, list) else [value]
        return [str(uri) for uri in items if uri]

    @connections.setter
    def connections(self, uris: list[str]) -> None:
        self._store.setValue("connections", uris)

    @property
    def last_vm(self) -> tuple[str, str]:
        """(URI, UUID) of the VM that was selected last."""
        return self._text("last_vm/uri"), self._text("last_vm/uuid")

    @last_vm.setter
    def last_vm(self, vm: tuple[str, str]) -> None:
        self._store.setValue("last_vm/uri", vm[0])
        self._store.setValue("last_vm/uuid", vm[1])

    @property
    def appearance(self) -> str:
        """``desktop``, ``light`` or ``dark``."""
        return self._text("appearance") or "desktop"

    @appearance.setter
    def appearance(self, choice: str) -> None:
        self._store.setValue("appearance", choice)

    @property
    def kept_safety(self) -> int:
        """How many safety snapshots of a VM stay when a revert has made another; 0 means all."""
        text = self._text("kept_safety", "0")
        return int(text) if text.isdecimal() else 0

    @kept_safety.setter
    def kept_safety(self, count: int) -> None:
        self._store.setValue("kept_safety", str(count))

    @property
    def view(self) -> str:
        """``graph`` or ``outline``."""
        return self._text("view") or "graph"

    @view.setter
    def view(self, name: str) -> None:
        self._store.setValue("view", name)

    def layout(self, name: str) -> QByteArray:
        """Return a remembered geometry or splitter state; empty at first."""
        value = self._store.value(f"layout/{name}", QByteArray())
        return value if isinstance(value, QByteArray) else QByteArray()

    def remember_layout(self, name: str, state: QByteArray) -> None:
        """Keep a geometry or splitter state."""
        self._store.setValue(f"layout/{name}", state)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a remembered switch."""
        return self._text(f"flags/{name}", "true" if default else "false") == "true"

    def set_flag(self, name: str, value: bool) -> None:
        """Keep a switch."""
        self._store.setValue(f"flags/{name}", "true" if value else "false")

    def _text(self, key: str, default: str = "") -> str:
        return str(self._store.value(key, default))
