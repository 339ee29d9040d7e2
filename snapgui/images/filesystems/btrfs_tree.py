"""One tree of a btrfs filesystem: its items in the order of their keys.

Each node must begin with the key that its pointer tells, and end before the next pointer's. So no node is found a
second time, however the pointers were crafted, and a walk ends.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from snapgui.images.filesystems.btrfs_node import Key, Nodes, Row, TreeNode, damaged

FIRST: Key = (0, 0, 0)
BEHIND: Key = (2**64, 0, 0)
"""A key behind all others."""
_FAR = float("inf")


class Pointer(NamedTuple):
    """Where a node is: logical place, generation, level; the keys that it begins with (if told) and ends before."""

    place: int
    generation: int
    level: int
    low: Key | None = None
    high: Key = BEHIND


class Item(NamedTuple):
    """An item of a tree."""

    key: Key
    content: bytes


class Tree:
    """A tree by its uppermost node. Raises FilesystemError wherever a node is damaged."""

    def __init__(self, nodes: Nodes, root: Pointer) -> None:
        self._nodes, self.root = nodes, root

    def items(self, low: Key = FIRST, high: Key = BEHIND) -> Iterator[Item]:
        """Yield the items from one key on, and before another one."""
        stack = [iter([self.root])]
        while stack:
            pointer = next(stack[-1], None)
            if pointer is None:
                stack.pop()
                continue
            node = node_at(self._nodes, pointer)
            if node.level:
                stack.append(_children(node, pointer, low, high))
                continue
            for row in node.rows[bisect_left(node.rows, low) :]:
                if row[:3] >= high:
                    return
                yield Item(row[:3], node.content(row))

    def of(self, number: int, kind: int) -> Iterator[Item]:
        """Yield all items of one kind that an object has."""
        return self.items((number, kind, 0), (number, kind + 1, 0))

    def find(self, key: Key) -> bytes | None:
        """Return the item with a key."""
        return next((item.content for item in self.items(key, (*key[:2], key[2] + 1))), None)

    def last(self, high: Key) -> Item | None:
        """Return the last item before a key."""
        pointer = self.root
        while True:
            node = node_at(self._nodes, pointer)
            index = bisect_left(node.rows, high) - 1
            if index < 0:
                return None
            if node.level == 0:
                row = node.rows[index]
                return Item(row[:3], node.content(row))
            pointer = _child(node, pointer, index)


def node_at(nodes: Nodes, pointer: Pointer) -> TreeNode:
    """Return the node that a pointer leads to. Raises FilesystemError where it has not the keys that it should have."""
    node = nodes.read(pointer.place, pointer.generation, pointer.level)
    if not node.rows:
        if pointer.low is None and pointer.level == 0:
            return node
        raise damaged()
    if (pointer.low is not None and node.rows[0][:3] != pointer.low) or node.rows[-1][:3] >= pointer.high:
        raise damaged()
    return node


def children(node: TreeNode, pointer: Pointer) -> Iterator[Pointer]:
    """Yield what the pointers of a node lead to."""
    return (_child(node, pointer, index) for index in range(len(node.rows)))


def _children(node: TreeNode, pointer: Pointer, low: Key, high: Key) -> Iterator[Pointer]:
    first = max(0, bisect_right(node.rows, (*low, _FAR)) - 1)
    behind = bisect_left(node.rows, high)
    return (_child(node, pointer, index) for index in range(first, behind))


def _child(node: TreeNode, pointer: Pointer, index: int) -> Pointer:
    row: Row = node.rows[index]
    high = node.rows[index + 1][:3] if index + 1 < len(node.rows) else pointer.high
    return Pointer(row[3], row[4], node.level - 1, row[:3], high)
