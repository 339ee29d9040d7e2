"""What differs in how a VM is configured: as sentences, and as XML."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QHeaderView,
    QStackedWidget,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from snapgui.model.difference import Change, ConfigChange
from snapgui.ui.compare_look import ConfigurationLook
from snapgui.ui.compare_page import MARGIN, row
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import plain_label, plain_tip, tr, words
from snapgui.ui.xml_view import XmlView

LONGEST_TIP = 600
_SIGNS = {Change.ADDED: ("+", Role.GOOD), Change.REMOVED: ("−", Role.LOSS)}
_CHANGED = ("±", Role.ACCENT)


class ConfigurationPage(QWidget):
    """Sentences first, the documents on demand."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._look: ConfigurationLook | None = None
        self.sentences = self._make_sentences()
        self._same = plain_label(tr("The configuration is the same."), self, "muted")
        self._same.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.xml = XmlView(self)
        self._parts = QStackedWidget(self)
        for part in (self.sentences, self._same, self.xml):
            self._parts.addWidget(part)
        self._noise = QCheckBox(tr("Hide what means nothing (aliases, addresses, labels)"), self)
        self._noise.setChecked(True)
        self._noise.toggled.connect(self._show_xml)
        self._buttons = QButtonGroup(self)
        for number, text in enumerate((tr("Changes"), tr("XML"))):
            self._buttons.addButton(self._segment(text, "first" if number == 0 else "last"), number)
        self._buttons.button(0).setChecked(True)
        self._buttons.idToggled.connect(lambda _number, _on: self._choose())
        box = QVBoxLayout(self)
        box.setContentsMargins(MARGIN, 12, MARGIN, MARGIN)
        box.setSpacing(12)
        bar = row(self._noise, 1)
        segments = row(*self._buttons.buttons())
        segments.setSpacing(0)
        bar.insertLayout(0, segments)
        box.addLayout(bar)
        box.addWidget(self._parts, 1)
        self._choose()

    def show_look(self, look: ConfigurationLook) -> None:
        """Show a result."""
        self._look = look
        self.sentences.clear()
        for change in look.difference.changes:
            self.sentences.addTopLevelItem(_item(change))
        self._show_xml()
        self._choose()

    def recolour(self) -> None:
        """The scheme was changed."""
        self.xml.colour()
        changes = () if self._look is None else self._look.difference.changes
        for number, change in enumerate(changes):
            item = self.sentences.topLevelItem(number)
            if item is not None:
                item.setForeground(0, color(_sign(change)[1]))

    def _choose(self) -> None:
        as_xml = self._buttons.checkedId() == 1
        self._noise.setVisible(as_xml)
        same = self._look is not None and not self._look.difference.changes
        self._parts.setCurrentWidget(self.xml if as_xml else self._same if same else self.sentences)

    def _show_xml(self) -> None:
        if self._look is not None:
            self.xml.show_rows(self._look.folded if self._noise.isChecked() else self._look.whole)

    def _make_sentences(self) -> QTreeWidget:
        made = QTreeWidget(self)
        made.setColumnCount(2)
        made.setHeaderHidden(True)
        made.setRootIsDecorated(False)
        made.setWordWrap(True)
        made.setObjectName("outline")
        made.setAccessibleName(tr("Changes of the configuration"))
        made.setIconSize(QSize(0, 0))
        made.header().setStretchLastSection(True)
        made.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        return made

    def _segment(self, text: str, place: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName("segment")
        button.setProperty("place", place)
        button.setText(text)
        button.setCheckable(True)
        return button


def _item(change: ConfigChange) -> QTreeWidgetItem:
    sign, role = _sign(change)
    text = " ".join(words(change.text).split())
    made = QTreeWidgetItem([sign, text])
    bold = QFont()
    bold.setBold(True)
    made.setFont(0, bold)
    made.setForeground(0, color(role))
    made.setTextAlignment(0, Qt.AlignmentFlag.AlignCenter)
    spoken = {Change.ADDED: tr("added"), Change.REMOVED: tr("removed")}.get(change.change, tr("changed"))
    made.setData(0, Qt.ItemDataRole.AccessibleTextRole, spoken)
    values = [_short(value) for value in (change.before, change.after)]
    made.setToolTip(1, plain_tip(f"{text}\n{change.path}\n{values[0]} → {values[1]}"))
    return made


def _sign(change: ConfigChange) -> tuple[str, Role]:
    return _SIGNS.get(change.change, _CHANGED)


def _short(value: str | None) -> str:
    if value is None:
        return tr("nothing")
    return value if len(value) <= LONGEST_TIP else f"{value[:LONGEST_TIP]}…"
