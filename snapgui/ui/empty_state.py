"""What the middle shows when there is no tree: a sentence on what to do next, and one button."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from snapgui.model.errors import NoPermission
from snapgui.ui.assets import pixmap
from snapgui.ui.host import Host, Link
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import plain_label, tr, words

ICON = 48
WIDEST = 460


class EmptyState(QWidget):
    """``wanted`` carries the name of the action behind the button."""

    wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._action = ""
        self._mark = QLabel(self)
        self._title = plain_label("", self)
        font = QFont(self._title.font())
        font.setBold(True)
        font.setPointSizeF(font.pointSizeF() * 1.2)
        self._title.setFont(font)
        self._text = plain_label("", self, "muted")
        self._button = QPushButton(self)
        self._button.clicked.connect(lambda: self.wanted.emit(self._action))
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 24, 24, 24)
        box.setSpacing(12)
        box.addStretch(2)
        for label in (self._mark, self._title, self._text):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        for label in (self._title, self._text):
            label.setWordWrap(True)
            label.setFixedWidth(WIDEST)
        for part in (self._mark, self._title, self._text, self._button):
            box.addWidget(part, 0, Qt.AlignmentFlag.AlignHCenter)
        box.addStretch(3)

    def show_host(self, host: Host | None) -> None:
        """Explain a connection that shows no VM."""
        if host is None:
            self._fill(
                "connection",
                tr("No connection"),
                tr("Add the hypervisor whose machines you want to see."),
                "add_connection",
                tr("Add Connection…"),
            )
        elif host.link is Link.CONNECTING:
            self._fill("connection", tr("Connecting…"), tr("Waiting for the hypervisor's answer."))
        elif host.up and not host.vms:
            self._fill(
                "vm-off",
                tr("No virtual machines here yet"),
                tr("Create one with virt-manager or virt-install; it appears here by itself."),
            )
        elif host.up:
            self._fill("graph", tr("Select a virtual machine"), tr("Its snapshots appear here as a tree."))
        elif isinstance(host.error, NoPermission):
            self._fill(
                "lock",
                tr("You are not allowed to use this hypervisor"),
                tr("Add yourself to the group “libvirt” (usermod -aG libvirt USER), log in again, and try again."),
                "reconnect",
                tr("Try Again Now"),
            )
        else:
            reason = "" if host.error is None else words(host.error.text).rstrip(".") + ". "
            self._fill(
                "connection",
                tr("The hypervisor does not answer"),
                reason + tr("Is libvirt installed and running? snapgui tries again by itself."),
                "reconnect",
                tr("Try Again Now"),
            )

    def show_no_snapshots(self) -> None:
        """Invite to take the first snapshot."""
        self._fill(
            "take",
            tr("No snapshots yet"),
            tr("Take the first one, then try anything: you can always come back to it."),
            "take",
            tr("Take Snapshot…"),
        )

    @property
    def title(self) -> str:
        """What is said in bold."""
        return self._title.text()

    def _fill(self, mark: str, title: str, text: str, action: str = "", button: str = "") -> None:
        self._mark.setPixmap(pixmap(mark, ICON, color(Role.EDGE), self.devicePixelRatioF()))
        self._title.setText(title)
        self._text.setText(text)
        self._action = action
        self._button.setText(button)
        for label in (self._title, self._text):
            label.setFixedHeight(label.heightForWidth(WIDEST))
        self._button.setVisible(bool(button))
