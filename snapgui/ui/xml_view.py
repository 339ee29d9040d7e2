"""Two documents side by side, aligned line by line; what differs has a colour and a sign."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase, QTextCharFormat, QTextFormat
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QTextEdit, QWidget

from snapgui.ui.line_difference import Row
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import tr

_GROUNDS = {"+": Role.GOOD_SOFT, "−": Role.LOSS_SOFT, "±": Role.ACCENT_SOFT}


class XmlView(QWidget):
    """Both scroll together."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._rows: tuple[Row, ...] = ()
        self.before, self.after = self._side(tr("XML, left")), self._side(tr("XML, right"))
        box = QHBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        for side, other in ((self.before, self.after), (self.after, self.before)):
            box.addWidget(side, 1)
            side.verticalScrollBar().valueChanged.connect(other.verticalScrollBar().setValue)
            side.horizontalScrollBar().valueChanged.connect(other.horizontalScrollBar().setValue)

    def show_rows(self, rows: tuple[Row, ...]) -> None:
        """Show other documents, from their first difference on."""
        self._rows = rows
        self._fill(self.before, [row.before for row in rows], lambda sign: "" if sign == "+" else sign)
        self._fill(self.after, [row.after for row in rows], lambda sign: "" if sign == "−" else sign)
        self.colour()
        first = next((number for number, row in enumerate(rows) if not row.same), 0)
        self.before.verticalScrollBar().setValue(max(0, first - 3))

    def colour(self) -> None:
        """Colour what differs, anew after the scheme was changed."""
        for side, mine in ((self.before, "−±"), (self.after, "+±")):
            wanted = [(number, row.sign) for number, row in enumerate(self._rows) if row.sign and row.sign in mine]
            side.setExtraSelections([_selection(side, number, sign) for number, sign in wanted])

    def _side(self, name: str) -> QPlainTextEdit:
        side = QPlainTextEdit(self)
        side.setReadOnly(True)
        side.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        side.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        side.setAccessibleName(name)
        side.setTabChangesFocus(True)
        side.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        return side

    def _fill(self, side: QPlainTextEdit, lines: Sequence[str | None], sign: Callable[[str], str]) -> None:
        side.setPlainText(
            "\n".join(
                "" if line is None else f"{sign(row.sign) or ' '} {line}"
                for line, row in zip(lines, self._rows, strict=True)
            )
        )


def _selection(side: QPlainTextEdit, number: int, sign: str) -> QTextEdit.ExtraSelection:
    made = QTextEdit.ExtraSelection()
    look = QTextCharFormat()
    look.setBackground(color(_GROUNDS[sign]))
    look.setProperty(QTextFormat.Property.FullWidthSelection, True)
    block = side.document().findBlockByNumber(number)
    cursor = side.textCursor()
    cursor.setPosition(block.position())
    made.format, made.cursor = look, cursor
    return made
