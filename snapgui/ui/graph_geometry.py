"""Where every card of the graph lies, in unscaled pixels, and which of them a region touches. Knows no painting."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QFontMetrics

from snapgui.model.layout import tidy
from snapgui.ui.tree_node import Node

GRID = 4


@dataclass(frozen=True, slots=True)
class CardMetrics:
    """Sizes of cards and gaps; they grow with the font and sit on a 4-pixel grid."""

    width: int
    height: int
    here_height: int
    gap_x: int
    gap_y: int
    line: int

    @classmethod
    def of(cls, font: QFontMetrics) -> "CardMetrics":
        """Return the sizes for a font: about 196 × 84 for one of 15 pixels."""
        line = font.height()
        return cls(_grid(line * 13), _grid(line * 5.6), _grid(line * 3.5), _grid(line * 1.6), _grid(line * 2.4), line)


def _grid(size: float) -> int:
    return round(size / GRID) * GRID


class GraphGeometry:
    """One placement of all visible nodes. Rebuilt when the tree or a collapsed branch changes, never patched."""

    def __init__(self, root: Node, collapsed: set[int], metrics: CardMetrics) -> None:
        self.metrics = metrics
        self._root = root
        self._collapsed = collapsed
        self._nodes: dict[int, Node] = {}
        placed = tidy(root.children, self.children)
        step_x, step_y = metrics.width + metrics.gap_x, metrics.height + metrics.gap_y
        self._rects: dict[int, QRectF] = {}
        self._rows: list[list[tuple[float, Node]]] = []
        for node, (column, row) in placed.items():
            x, height = round(column * step_x), metrics.here_height if node.snapshot is None else metrics.height
            self._rects[node.number] = QRectF(x, row * step_y, metrics.width, height)
            self._nodes[node.number] = node
            while len(self._rows) <= row:
                self._rows.append([])
            self._rows[row].append((x, node))
        for line in self._rows:
            line.sort(key=itemgetter(0))
        self._starts = [[x for x, _ in line] for line in self._rows]
        width = max((line[-1] for line in self._starts), default=-metrics.width) + metrics.width
        bottom = max((self._rects[node.number].bottom() for line in self._rows[-1:] for _, node in line), default=0.0)
        self.size = QRectF(0, 0, width, bottom)

    def children(self, node: Node) -> list[Node]:
        """Return the children that are shown."""
        return [] if node.number in self._collapsed else node.children

    def rect(self, node: Node) -> QRectF:
        """Return a node's card; an empty rectangle where it is hidden in a collapsed branch."""
        return self._rects.get(node.number, QRectF())

    def shows(self, node: Node) -> bool:
        """Whether the node is not hidden in a collapsed branch."""
        return node.number in self._rects

    def rects(self) -> Iterator[tuple[Node, QRectF]]:
        """Yield every visible node with its card."""
        for number, rect in self._rects.items():
            yield self._nodes[number], rect

    def at(self, point: QPointF) -> Node | None:
        """Return the node whose card is at a point."""
        row = int(point.y() // (self.metrics.height + self.metrics.gap_y))
        if not 0 <= row < len(self._rows):
            return None
        place = bisect_right(self._starts[row], point.x()) - 1
        if place < 0:
            return None
        node = self._rows[row][place][1]
        return node if self._rects[node.number].contains(point) else None

    def within(self, region: QRectF) -> list[Node]:
        """Return the nodes whose cards a region touches, row by row from the left."""
        return [node for row in self._rows_of(region) for node in self._slice(row, region)]

    def edges(self, region: QRectF) -> Iterator[tuple[Node, Node]]:
        """Yield (parent, child) for every edge that may be seen in a region."""
        seen: set[int] = set()
        above = region.adjusted(0, -(self.metrics.height + self.metrics.gap_y), 0, 0)
        for row in self._rows_of(above):
            for child in self._slice(row + 1, region) if row + 1 < len(self._rows) else ():
                seen.add(child.number)
                yield child.parent, child
            for parent in self._around(row, region):
                below = self.children(parent)
                for child in {below[0].number: below[0], below[-1].number: below[-1]}.values() if below else ():
                    if child.number not in seen:
                        yield parent, child

    def neighbour(self, node: Node, steps: int) -> Node | None:
        """Return the node ``steps`` to the right (negative: left) in the same row."""
        row = int(self.rect(node).y() // (self.metrics.height + self.metrics.gap_y))
        line = [entry for _, entry in self._rows[row]] if self.shows(node) else []
        place = line.index(node) + steps if node in line else -1
        return line[place] if 0 <= place < len(line) else None

    def _rows_of(self, region: QRectF) -> range:
        step = self.metrics.height + self.metrics.gap_y
        first, last = int(region.top() // step), int(region.bottom() // step)
        return range(max(0, first), min(len(self._rows), last + 1))

    def _slice(self, row: int, region: QRectF) -> list[Node]:
        starts = self._starts[row]
        first = bisect_left(starts, region.left() - self.metrics.width)
        return [node for _, node in self._rows[row][first : bisect_right(starts, region.right())]]

    def _around(self, row: int, region: QRectF) -> list[Node]:
        """Nodes of a row in the region and one beyond each side: edges of these may reach in or cross."""
        starts = self._starts[row]
        first = bisect_left(starts, region.left() - self.metrics.width)
        last = bisect_right(starts, region.right())
        return [node for _, node in self._rows[row][max(0, first - 1) : last + 1]]
