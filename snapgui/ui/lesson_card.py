"""The small cards of a lesson's picture: what is there, what comes about (dashed), and what goes away."""

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QWidget

from snapgui.operations.sketch import Being, Inside, Piece, Sort
from snapgui.operations.stored import StoredImage
from snapgui.ui.elided_label import ElidedLabel
from snapgui.ui.image_card import Card
from snapgui.ui.layer_look import Lock
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import elided_middle, plain_label, plain_tip, size_words, tr, words

WIDTHS = {Sort.GUEST: 18, Sort.IMAGE: 24, Sort.MEMORY: 22, Sort.FOLDED: 18}
TIGHT_WIDTHS = {**WIDTHS, Sort.IMAGE: 22}
"""Average characters of the font, where there is room and where there is little."""
LINES = 3
ICON = 14
EDGE_X, EDGE_Y, GAP = 10, 6, 1
"""Pixels."""


class LessonCard(Card):
    """One card; ``show_piece`` changes what it says while its place stays."""

    def __init__(self, piece: Piece, parent: QWidget) -> None:
        super().__init__(parent, WIDTHS[piece.sort])
        self.piece = piece
        self.setFixedHeight(LINES * self.fontMetrics().lineSpacing() + 2 * EDGE_Y + (LINES - 1) * GAP + 2)
        policy = self.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.setSizePolicy(policy)
        self.box.setContentsMargins(EDGE_X, EDGE_Y, EDGE_X, EDGE_Y)
        self.box.setSpacing(GAP)
        named = piece.sort in {Sort.IMAGE, Sort.MEMORY}  # it is their ends that tell files of one VM apart
        self._title = ElidedLabel(self, mode=Qt.TextElideMode.ElideLeft if named else Qt.TextElideMode.ElideMiddle)
        self._note = plain_label("", self, "muted")
        self._mark = Lock(ICON, self)
        self._about = plain_label("", self, "muted")
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self._mark)
        row.addWidget(self._about, 1)
        self.box.addWidget(self._title)
        self.box.addWidget(self._note)
        self.box.addLayout(row)
        self.box.addStretch(1)
        self.show_piece(piece)

    def tighten(self, tight: bool) -> None:
        """Be as wide as there is room."""
        width = (TIGHT_WIDTHS if tight else WIDTHS)[self.piece.sort] * self.fontMetrics().averageCharWidth()
        if width != self.minimumWidth():
            self.setFixedWidth(width)
            self.show_piece(self.piece)

    def show_piece(self, piece: Piece) -> None:
        """Show the same part of the picture at another time."""
        self.piece = piece
        title = _title(piece)
        about, locked = _about(piece)
        self._title.set_text(title)
        font = self._title.font()
        font.setStrikeOut(piece.being is Being.GOES)
        self._title.setFont(font)
        room = self.minimumWidth() - 2 * EDGE_X  # fixed; the layout follows later
        self._note.setText(elided_middle(_note(piece), self._note, room))
        left = room - (ICON + 4 if locked else 0)
        self._about.setText(self._about.fontMetrics().elidedText(about, Qt.TextElideMode.ElideRight, left))
        self._mark.setVisible(locked)
        said = [text for text in (_note(piece), about) if text]
        self.setToolTip(plain_tip("\n".join([title if piece.image is None else piece.image.path, *said])))
        self._title.setToolTip("")
        self.setAccessibleName(title)
        self.setAccessibleDescription(". ".join(said))
        self.setVisible(piece.being is not Being.COMING)
        self.light(piece.lit)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.piece.being is Being.THERE:
            super().paintEvent(event)
            self._paint_inside()
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        new = self.piece.being is Being.NEW
        width = 2 if self.lit else 1.5
        painter.setPen(QPen(color(Role.ACCENT if new else Role.MUTED), width, Qt.PenStyle.DashLine))
        painter.setBrush(color(Role.ACCENT_SOFT if new else Role.GROUND))
        inset = width / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), 8, 8)
        painter.end()

    def _paint_inside(self) -> None:
        """Draw a box around a snapshot in the image that something happens to."""
        inside = self.piece.inside
        if inside is None or inside.being is Being.COMING:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        new = inside.being is Being.NEW
        painter.setPen(QPen(color(Role.MUTED if inside.being is Being.GOES else Role.ACCENT), 1, Qt.PenStyle.DashLine))
        painter.setBrush(color(Role.ACCENT_SOFT if new else Role.GROUND))
        painter.drawRoundedRect(QRectF(self._about.geometry()).adjusted(-4.5, 0.5, 4.5, 1.5), 4, 4)
        painter.end()


def _title(piece: Piece) -> str:
    if piece.sort is Sort.FOLDED:
        return tr("{count} more images").format(count=piece.count)
    return piece.title if isinstance(piece.title, str) else words(piece.title)


def _note(piece: Piece) -> str:
    if piece.guest is not None:
        return tr("new VM") if piece.being is Being.NEW else words(piece.guest.text)
    kind = tr("CPU + RAM") if piece.sort is Sort.MEMORY else ""
    if piece.being is Being.GOES:
        return tr("goes away")
    if piece.being is Being.NEW:
        return tr("new: {kind}").format(kind=kind) if kind else tr("new")
    if piece.image is None:
        return kind
    if piece.image.allocated_bytes is None:
        return piece.image.format
    return tr("{size} on disk").format(size=size_words(piece.image.allocated_bytes))


def _about(piece: Piece) -> tuple[str, bool]:
    """Return the last line, and whether a lock belongs to it."""
    image = piece.image
    if image is None:
        return "", False
    if piece.inside is not None and piece.inside.being is not Being.COMING:
        return _inside_words(piece.inside), False
    if image.frozen_by:
        return _locked(tr("frozen: {name}"), tr("frozen by {count} snapshots"), image.frozen_by), True
    if image.clones:
        return _locked(tr("base: {name}"), tr("base of {count} clones"), image.clones), True
    return _kept_inside(image), False


def _inside_words(inside: Inside) -> str:
    sign = {Being.NEW: "+ ", Being.GOES: "− "}.get(inside.being, "▸ ")
    return tr("Inside: {names}").format(names=sign + " ".join(inside.name.split()))


def _kept_inside(image: StoredImage) -> str:
    names = image.internal_snapshots
    if not names:
        return ""
    return tr("Inside: {names}").format(names=names[0]) if len(names) == 1 else _count_inside(len(names))


def _count_inside(count: int) -> str:
    return tr("Inside: {count} snapshots").format(count=count)


def _locked(one: str, many: str, names: tuple[str, ...]) -> str:
    return one.format(name=names[0]) if len(names) == 1 else many.format(count=len(names))
