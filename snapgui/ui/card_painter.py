"""Paints one node of the graph: as a card, at small zoom as a title, then as a dot. Edits its title in place."""

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QGuiApplication, QPainter, QPalette, QPen
from PySide6.QtWidgets import QLineEdit, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from snapgui.model.names import LONGEST_NAME
from snapgui.model.records import Kind, Place, Snapshot
from snapgui.ui.assets import pixmap
from snapgui.ui.cost_words import own_words
from snapgui.ui.graph_geometry import CardMetrics
from snapgui.ui.relatives import Relative
from snapgui.ui.snapshot_model import SnapshotModel
from snapgui.ui.theme import Role, color
from snapgui.ui.tree_node import Node
from snapgui.ui.wording import age_words, badge_words, kind_words, tr

TITLES_BELOW = 0.55
DOTS_BELOW = 0.25
RADIUS = 8.0
PADDING = 8.0
CURRENT_MARK, MARK, ARROW = 14, 20, 16
FADED = 0.3
SMALL = 0.85
"""Of the font's size."""


class CardPainter(QStyledItemDelegate):
    """The delegate of the graph. ``zoom`` decides how much is worth painting."""

    def __init__(self, model: SnapshotModel, parent: QObject) -> None:
        super().__init__(parent)
        self._model = model
        self.zoom = 1.0
        self.ratio = 1.0

    def card(
        self,
        painter: QPainter,
        rect: QRectF,
        node: Node,
        metrics: CardMetrics,
        *,
        selected: bool,
        focused: bool,
        faded: bool,
    ) -> None:
        """Paint a node into ``rect`` (unscaled; the painter is scaled)."""
        if faded:
            painter.setOpacity(FADED)
        if self.zoom < DOTS_BELOW:
            self._dot(painter, rect, node, selected=selected)
        else:
            self._frame(painter, rect, node, selected=selected, focused=focused)
            if self.zoom < TITLES_BELOW:
                self._title_only(painter, rect, node)
            elif node.relative is not None:
                self._relative(painter, rect, node.relative, metrics)
            elif node.snapshot is None:
                self._here(painter, rect, metrics)
            else:
                self._content(painter, rect, node.snapshot, metrics)
        if faded:
            painter.setOpacity(1.0)

    def _dot(self, painter: QPainter, rect: QRectF, node: Node, *, selected: bool) -> None:
        role = Role.ACCENT if selected else Role.GOOD if node.is_here else Role.EDGE
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color(role))
        painter.drawRoundedRect(rect, RADIUS * 2, RADIUS * 2)

    def _frame(self, painter: QPainter, rect: QRectF, node: Node, *, selected: bool, focused: bool) -> None:
        fill, line = self._colours(node)
        width = 2.0 if selected or node.is_here else 1.0
        painter.setBrush(color(Role.ACCENT_SOFT) if selected else fill)
        style = Qt.PenStyle.SolidLine if node.relative is None else Qt.PenStyle.DashLine
        painter.setPen(QPen(color(Role.ACCENT) if selected else line, width, style))
        painter.drawRoundedRect(rect, RADIUS, RADIUS)
        if focused:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(color(Role.ACCENT), 1.0, Qt.PenStyle.DashLine))
            painter.drawRoundedRect(rect.adjusted(-4, -4, 4, 4), RADIUS + 4, RADIUS + 4)

    def _colours(self, node: Node) -> tuple[QColor, QColor]:
        if node.relative is not None:
            return color(Role.GROUND), color(Role.MUTED)
        if not node.is_here:
            return color(Role.CARD), color(Role.CARD_BORDER)
        vm = self._model.vm
        if vm is None or not vm.state.active:
            return color(Role.GROUND), color(Role.EDGE)
        return (
            (color(Role.WAIT_SOFT), color(Role.WAIT))
            if vm.state == "paused"
            else (color(Role.GOOD_SOFT), color(Role.GOOD))
        )

    def _title_only(self, painter: QPainter, rect: QRectF, node: Node) -> None:
        font = QFont(painter.font())
        font.setPointSizeF(font.pointSizeF() * min(2.2, 0.8 / self.zoom))
        font.setBold(True)
        painter.save()
        painter.setFont(font)
        painter.setPen(_text())
        if node.relative is not None:
            title = node.relative.title
        else:
            title = tr("You are here") if node.snapshot is None else " ".join(node.snapshot.label.split())
        _line(painter, rect.adjusted(PADDING, 0, -PADDING, 0), title, Qt.AlignmentFlag.AlignCenter)
        painter.restore()

    def _here(self, painter: QPainter, rect: QRectF, metrics: CardMetrics) -> None:
        inner = rect.adjusted(PADDING * 1.5, PADDING, -PADDING, -PADDING)
        top = QRectF(inner.x(), inner.y(), inner.width(), metrics.line)
        _, line = self._colours(self._model.node(self._model.index_of(None)))
        active = self._model.vm is not None and self._model.vm.state.active
        painter.save()
        painter.setFont(_bold(painter))
        painter.setPen(line if active else _text())
        _line(painter, top, tr("You are here"))
        painter.restore()
        painter.setPen(_text())
        _line(painter, top.translated(0, metrics.line + 4), self._model.here_words())

    def _relative(self, painter: QPainter, rect: QRectF, relative: Relative, metrics: CardMetrics) -> None:
        """A card that leads elsewhere: what sort of thing, its name, what it does, and an arrow if one can go there."""
        inner = rect.adjusted(PADDING, PADDING, -PADDING, -PADDING)
        mark, role = relative.look
        at = QPointF(inner.x(), inner.center().y() - MARK / 2)
        painter.drawPixmap(at, pixmap(mark, MARK, color(role), self.ratio))
        inner.setLeft(inner.left() + MARK + PADDING)
        top = QRectF(inner.x(), inner.y(), inner.width(), metrics.line)
        below = top.translated(0, metrics.line + 4)
        if relative.vm is not None:
            arrow = pixmap("go-to", ARROW, color(Role.ACCENT), self.ratio)
            painter.drawPixmap(QPointF(top.right() - ARROW, top.center().y() - ARROW / 2), arrow)
            top.setRight(top.right() - ARROW - PADDING / 2)
        painter.save()
        painter.setFont(_bold(painter))
        painter.setPen(color(Role.ACCENT) if relative.vm is not None else _text())
        _line(painter, top, relative.title, elide=Qt.TextElideMode.ElideMiddle)
        painter.restore()
        painter.setPen(color(Role.MUTED))
        _line(painter, below, relative.subtitle, elide=Qt.TextElideMode.ElideMiddle)

    def _content(self, painter: QPainter, rect: QRectF, snapshot: Snapshot, metrics: CardMetrics) -> None:
        inner = rect.adjusted(PADDING, PADDING, -PADDING, -PADDING)
        picture = QRectF(inner.x(), inner.y(), metrics.line * 3.2, metrics.line * 2.3)
        self._picture(painter, picture, snapshot)
        text = QRectF(picture.right() + PADDING, inner.y(), inner.right() - picture.right() - PADDING, metrics.line)
        painter.save()
        painter.setFont(_bold(painter))
        painter.setPen(_text())
        _line(painter, text, " ".join(snapshot.label.split()), elide=Qt.TextElideMode.ElideMiddle)
        painter.restore()
        painter.setPen(color(Role.MUTED))
        _line(painter, text.translated(0, metrics.line + 2), age_words(snapshot.created))
        painter.save()
        painter.setFont(_small(painter))
        painter.setPen(color(Role.MUTED if snapshot.kind is Kind.INTERNAL else Role.WAIT))
        _line(painter, text.translated(0, metrics.line * 2 + 2), kind_words(snapshot.kind))
        self._badges(painter, inner, snapshot)
        painter.restore()

    def _picture(self, painter: QPainter, rect: QRectF, snapshot: Snapshot) -> None:
        picture = self._model.thumbnail(snapshot.name)
        painter.setPen(Qt.PenStyle.NoPen)
        if picture is None or picture.isNull():
            painter.setBrush(color(Role.GROUND))
            painter.drawRoundedRect(rect, 4, 4)
            name = "memory" if snapshot.memory is not Place.NONE else "disk"
            mark = pixmap(name, 20, color(Role.MUTED), self.ratio)
            painter.drawPixmap(rect.center() - QPointF(10, 10), mark)
            return
        painter.setBrush(color(Role.SCREEN))
        painter.drawRoundedRect(rect, 4, 4)
        size = picture.size().scaled(
            QSize(int(rect.width()) - 2, int(rect.height()) - 2), Qt.AspectRatioMode.KeepAspectRatio
        )
        target = QRectF(0, 0, size.width(), size.height())
        target.moveCenter(rect.center())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(target, picture, QRectF(picture.rect()))

    def _badges(self, painter: QPainter, inner: QRectF, snapshot: Snapshot) -> None:
        """At the right, what it costs, in full: badges make room for it."""
        metrics = QFontMetricsF(painter.font())
        height = metrics.height() + 4
        row = QRectF(inner.x(), inner.bottom() - height, inner.width(), height)
        painter.setPen(color(Role.MUTED))
        size = own_words(self._model.cost(snapshot.name))
        _line(painter, row, size, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row.setRight(row.right() - (metrics.horizontalAdvance(size) + 6 if size else 0.0))
        state = (Role.ACCENT_SOFT, Role.ACCENT) if snapshot.memory is not Place.NONE else (Role.GROUND, Role.MUTED)
        end = _pill(painter, row, badge_words(snapshot), *state)
        if snapshot.name == self._model.tree.current:
            mark = pixmap("you-are-here", CURRENT_MARK, color(Role.ACCENT), self.ratio)
            painter.drawPixmap(QPointF(end + 6, row.center().y() - CURRENT_MARK / 2), mark)
            end += 6 + CURRENT_MARK
        if snapshot.safety:
            _pill(painter, row.adjusted(end - row.x() + 4, 0, 0, 0), tr("safety"), Role.GOOD_SOFT, Role.GOOD)

    # editing in place

    def createEditor(
        self, parent: QWidget, _option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex
    ) -> QWidget:
        editor = QLineEdit(parent)
        editor.setMaxLength(LONGEST_NAME)
        editor.setAccessibleName(tr("Title"))
        return editor

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex
    ) -> None:
        height = editor.sizeHint().height()
        rect = option.rect
        editor.setGeometry(rect.x() + 2, rect.y() + 2, max(rect.width() - 4, 160), height)


def _text() -> QColor:
    return QGuiApplication.palette().color(QPalette.ColorRole.Text)


def _bold(painter: QPainter) -> QFont:
    font = QFont(painter.font())
    font.setBold(True)
    return font


def _small(painter: QPainter) -> QFont:
    font = QFont(painter.font())
    font.setPointSizeF(font.pointSizeF() * SMALL)
    return font


def _line(
    painter: QPainter,
    rect: QRectF,
    text: str,
    alignment: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
    elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
) -> None:
    """Draw one line of plain text that never leaves its rectangle."""
    shown = QFontMetricsF(painter.font()).elidedText(text, elide, rect.width())
    painter.drawText(rect, int(alignment | Qt.TextFlag.TextSingleLine), shown)


def _pill(painter: QPainter, row: QRectF, text: str, ground: Role, front: Role) -> float:
    """Draw a badge at the left of ``row``, if there is room, and return where it ends."""
    width = min(QFontMetricsF(painter.font()).horizontalAdvance(text) + 12, row.width())
    if width < row.height():
        return row.x()
    pill = QRectF(row.x(), row.y(), width, row.height())
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color(ground))
    painter.drawRoundedRect(pill, row.height() / 2, row.height() / 2)
    painter.setPen(color(front))
    _line(painter, pill, text, Qt.AlignmentFlag.AlignCenter)
    return pill.right()
