"""Two documents side by side, aligned line by line; what differs has a colour and a sign."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase, QTextCharFormat, QTextFormat
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QTextEdit, QWidget

from snapgui.ui.line_difference import Row, Words
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import tr

_GROUNDS = {"+": Role.GOOD_SOFT, "−": Role.LOSS_SOFT, "±": Role.ACCENT_SOFT}


MOST_COLOURED = 300
"""Lines that are coloured: with each of them, painting takes longer. All that differ have a sign."""


class XmlView(QWidget):
    """Both scroll together. ``names``: what screen readers call the two sides."""

    def __init__(self, parent: QWidget, names: tuple[str, str] | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[Row, ...] = ()
        self._words: Words = {}
        spoken = names or (tr("XML, left"), tr("XML, right"))
        self.before, self.after = self._side(spoken[0]), self._side(spoken[1])
        box = QHBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        for side, other in ((self.before, self.after), (self.after, self.before)):
            box.addWidget(side, 1)
            side.verticalScrollBar().valueChanged.connect(other.verticalScrollBar().setValue)
            side.horizontalScrollBar().valueChanged.connect(other.horizontalScrollBar().setValue)

    def show_rows(self, rows: tuple[Row, ...], words: Words | None = None) -> None:
        """Show other documents, from their first difference on; ``words``: those that are others, by line."""
        self._rows = rows
        self._words = words or {}
        for side in (self.before, self.after):
            side.setExtraSelections([])  # each would follow while the text is replaced
        self._fill(self.before, [row.before for row in rows], lambda sign: "" if sign == "+" else sign)
        self._fill(self.after, [row.after for row in rows], lambda sign: "" if sign == "−" else sign)
        self.colour()
        first = next((number for number, row in enumerate(rows) if not row.same), 0)
        self.before.verticalScrollBar().setValue(max(0, first - 3))

    def colour(self) -> None:
        """Colour what differs, anew after the scheme was changed."""
        for place, (side, mine) in enumerate(((self.before, "−±"), (self.after, "+±"))):
            wanted = [(number, row.sign) for number, row in enumerate(self._rows) if row.sign and row.sign in mine]
            made = [_selection(side, number, sign) for number, sign in wanted[:MOST_COLOURED]]
            for number, spans in self._words.items():
                made += [_word(side, number, begin, end) for begin, end in spans[place]]
            side.setExtraSelections(made)

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


def _word(side: QPlainTextEdit, number: int, begin: int, end: int) -> QTextEdit.ExtraSelection:
    """Mark a part of a line; before it stand the sign and a space."""
    made = QTextEdit.ExtraSelection()
    look = QTextCharFormat()
    look.setBackground(color(Role.ACCENT))
    look.setForeground(color(Role.ON_ACCENT))
    start = side.document().findBlockByNumber(number).position() + 2
    cursor = side.textCursor()
    cursor.setPosition(start + begin)
    cursor.setPosition(start + end, cursor.MoveMode.KeepAnchor)
    made.format, made.cursor = look, cursor
    return made
