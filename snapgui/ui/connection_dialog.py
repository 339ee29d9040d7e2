"""Which hypervisor to connect to: the usual ones to pick, any URI to type."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QVBoxLayout, QWidget

from snapgui.ui.wording import plain_label, tr


class ConnectionDialog(QDialog):
    """``chosen`` carries a URI that is not open yet."""

    chosen = Signal(str)

    def __init__(self, known: list[str], parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Add Connection"))
        self.setMinimumWidth(480)
        self._known = known
        self.kind = QComboBox(self)
        self.kind.setAccessibleName(tr("Hypervisor"))
        for text, uri in (
            (tr("QEMU/KVM on this computer"), "qemu:///system"),
            (tr("QEMU/KVM of this user"), "qemu:///session"),
            (tr("QEMU/KVM on another computer (ssh)"), "qemu+ssh://USER@HOST/system"),
            (tr("Another URI"), ""),
        ):
            self.kind.addItem(text, uri)
        self.uri = QLineEdit(self)
        self.uri.setAccessibleName(tr("URI"))
        self._problem = plain_label("", self, "muted")
        self._problem.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, self)
        self.connect_button = buttons.addButton(tr("Connect"), QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self._accept)
        buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(tr("&Hypervisor"), self.kind)
        form.addRow(tr("&URI"), self.uri)
        box = QVBoxLayout(self)
        box.setContentsMargins(20, 20, 20, 16)
        box.setSpacing(12)
        box.addLayout(form)
        box.addWidget(self._problem)
        box.addWidget(buttons)
        self.kind.currentIndexChanged.connect(self._on_kind)
        self.uri.textChanged.connect(self._check)
        self._on_kind()

    def _on_kind(self) -> None:
        self.uri.setText(str(self.kind.currentData()))
        if "USER@HOST" in self.uri.text():
            self.uri.setFocus(Qt.FocusReason.OtherFocusReason)
            self.uri.setSelection(self.uri.text().index("USER@HOST"), len("USER@HOST"))

    def _check(self) -> None:
        why = self._why_not(self.uri.text().strip())
        self._problem.setText(why)
        self.connect_button.setEnabled(not why)

    def _why_not(self, uri: str) -> str:
        if "://" not in uri:
            return tr("A URI looks like qemu:///system.")
        if "USER@HOST" in uri:
            return tr("Put the user's and the computer's name in place of USER@HOST. ssh keys must be set up.")
        return tr("This connection is open already.") if uri in self._known else ""

    def _accept(self) -> None:
        uri = self.uri.text().strip()
        if not self._why_not(uri):
            self.chosen.emit(uri)
            self.accept()
