"""What differs between two views of a filesystem, file by file.

The walk goes only where the readers say that something may differ (``FileSystem.differing`` and ``leading``); a
directory that leads nowhere is not read. Views that are not of the same filesystem are walked whole, and compared by
path. Time of the last access, number of names and place on the disk are no differences.
"""

from collections import defaultdict
from collections.abc import Container, Iterator
from dataclasses import dataclass, field

from snapgui.images.filesystems.changes import SUBSTANCE, Aspect, FileChange, facts
from snapgui.images.filesystems.content import same_content
from snapgui.images.filesystems.filesystem import FileSystem, FilesystemError, Kind, Node, enter
from snapgui.images.filesystems.ranges import Ranges
from snapgui.model.difference import Change

LARGEST_DIRECTORY, NAME_BYTES = 100 * 2**20, 170
"""Bytes of names in one directory that may differ, and what each takes beside itself; both views of it are held."""


def compare(before: FileSystem, after: FileSystem, changed: Ranges | None = None) -> Iterator[FileChange]:
    """Yield what became of each path that differs, in no particular order; files that were renamed come last.

    ``changed`` are the places of their disk that may differ between the two views, None where that is not known. A
    directory that was renamed is one change; what is in it is named only if it differs as well. Raises
    FilesystemError, also between two changes.
    """
    yield from _Comparison(before, after, changed).changes()


class _All:
    """A container of every number."""

    def __contains__(self, number: object) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class _Pair:
    """A directory in both views: path and node in each, and how deep it lies."""

    path_before: bytes
    path_after: bytes
    before: Node
    after: Node
    depth: int
    renamed: bool = False


@dataclass(slots=True)
class _Side:
    """One of the views: which directories the walk has been in, and what it has that the other may have elsewhere."""

    filesystem: FileSystem
    change: Change
    seen: set[int] = field(default_factory=set)
    held: defaultdict[int, list[tuple[bytes, int]]] = field(default_factory=lambda: defaultdict(list))

    def node(self, number: int) -> Node | None:
        return self.filesystem.node(number)

    def names(self, directory: int) -> dict[bytes, int]:
        found, room = {}, LARGEST_DIRECTORY
        for link in self.filesystem.links(directory):
            found[link.name] = link.number
            room -= len(link.name) + NAME_BYTES
            if room < 0:
                raise FilesystemError("a directory has more names than are compared here")
        return found

    def only_here(self, path: bytes, node: Node) -> FileChange:
        told = facts(node)
        if self.change is Change.REMOVED:
            return FileChange(_text(path), self.change, before=told)
        return FileChange(_text(path), self.change, after=told)


class _Comparison:
    def __init__(self, before: FileSystem, after: FileSystem, changed: Ranges | None) -> None:
        self._before, self._after = _Side(before, Change.REMOVED), _Side(after, Change.ADDED)
        self._changed = (changed or Ranges()) | before.rewritten | after.rewritten
        if changed is None:
            self._changed = Ranges.everything()
        numbers = after.differing(before, self._changed)
        self._related = numbers is not None
        self._may_differ: Container[int] = _All()
        self._leading: Container[int] = _All()
        if numbers is not None:
            self._may_differ = set(numbers.tolist())
            self._leading = after.leading(numbers) if changed is not None and len(numbers) else _All()
        self._nothing = numbers is not None and len(numbers) == 0
        self._pairs: list[_Pair] = []
        self._judged: dict[tuple[int, int], frozenset[Aspect]] = {}

    def changes(self) -> Iterator[FileChange]:
        if self._nothing:
            return
        roots = (self._before.node(self._before.filesystem.root), self._after.node(self._after.filesystem.root))
        if roots[0] is None or roots[1] is None:
            raise FilesystemError("the uppermost directory is missing")
        self._pairs.append(_Pair(b"/", b"/", roots[0], roots[1], 0))
        yield from self._walk()
        while self._before.held or self._after.held:
            renamed = [number for number in self._before.held if number in self._after.held]
            for number in renamed:
                yield from self._renamed(number)
            yield from self._walk()
            if not renamed:
                yield from self._nowhere_else()

    def _walk(self) -> Iterator[FileChange]:
        while self._pairs:
            yield from self._directory(self._pairs.pop())

    def _directory(self, pair: _Pair) -> Iterator[FileChange]:
        enter(self._before.seen, pair.before.number, pair.depth)
        enter(self._after.seen, pair.after.number, pair.depth)
        above, above_before = _inside(pair.path_after), _inside(pair.path_before)
        if self._surely_same(pair.before.number, pair.after.number):
            yield from _told_of(pair, frozenset())
            for name, number in self._after.filesystem.links(pair.after.number):
                if number in self._may_differ or number in self._leading:
                    yield from self._both(above_before + name, above + name, number, number, pair.depth + 1)
            return
        then, now = self._before.names(pair.before.number), self._after.names(pair.after.number)
        aspects = self._aspects(pair.before, pair.after)
        yield from _told_of(pair, aspects if then == now else aspects - {Aspect.MODIFIED})
        for name in then.keys() - now.keys():
            yield from self._only(self._before, self._after, above_before + name, then[name], pair.depth + 1)
        for name, number in now.items():
            if name not in then:
                yield from self._only(self._after, self._before, above + name, number, pair.depth + 1)
            elif not self._leads_nowhere(then[name], number):
                yield from self._both(above_before + name, above + name, then[name], number, pair.depth + 1)

    def _surely_same(self, before: int, after: int) -> bool:
        return self._related and before == after and after not in self._may_differ

    def _leads_nowhere(self, before: int, after: int) -> bool:
        return self._surely_same(before, after) and after not in self._leading

    def _both(self, path_before: bytes, path: bytes, before: int, after: int, depth: int) -> Iterator[FileChange]:
        """Compare what has one name in both views."""
        new = self._after.node(after)
        old = new if self._surely_same(before, after) else self._before.node(before)
        if old is None or new is None:
            yield from self._only(self._before, self._after, path_before, before, depth)
            yield from self._only(self._after, self._before, path, after, depth)
            return
        if old.kind is Kind.DIRECTORY and new.kind is Kind.DIRECTORY:
            self._pairs.append(_Pair(path_before, path, old, new, depth))
            return
        aspects = frozenset[Aspect]() if self._surely_same(before, after) else self._aspects(old, new)
        yield from _told(path_before, path, old, new, aspects)
        if old.kind is Kind.DIRECTORY:
            yield from self._within(self._before, self._after, path_before, old, depth)
        if new.kind is Kind.DIRECTORY:
            yield from self._within(self._after, self._before, path, new, depth)

    def _only(self, here: _Side, there: _Side, path: bytes, number: int, depth: int) -> Iterator[FileChange]:
        """Tell of what has a name in one view alone, unless it may have another name in the other one."""
        stack = [(path, number, depth)]
        while stack:
            path, number, depth = stack.pop()
            node = here.node(number)
            if node is None:
                continue
            if self._may_be_elsewhere(node, there):
                here.held[number].append((path, depth))
                continue
            yield here.only_here(path, node)
            if node.kind is Kind.DIRECTORY:
                enter(here.seen, number, depth)
                stack += [(_inside(path) + link.name, link.number, depth + 1) for link in here.filesystem.links(number)]

    def _within(self, here: _Side, there: _Side, path: bytes, node: Node, depth: int) -> Iterator[FileChange]:
        enter(here.seen, node.number, depth)
        for link in here.filesystem.links(node.number):
            yield from self._only(here, there, _inside(path) + link.name, link.number, depth + 1)

    def _may_be_elsewhere(self, node: Node, there: _Side) -> bool:
        if not self._related:
            return False
        other = there.node(node.number)
        return other is not None and other.is_still(node)

    def _renamed(self, number: int) -> Iterator[FileChange]:
        """Tell of one file that has names in each view which the other one lacks, as far as they make pairs."""
        old, new = self._before.node(number), self._after.node(number)
        olds, news = self._before.held[number], self._after.held[number]
        while olds and news and old is not None and new is not None:
            (path_before, depth_before), (path, depth) = olds.pop(), news.pop()
            if new.kind is Kind.DIRECTORY:
                self._pairs.append(_Pair(path_before, path, old, new, max(depth, depth_before), renamed=True))
            else:
                yield from _told(path_before, path, old, new, self._aspects(old, new), renamed=True)
        for side in (self._before, self._after):
            if not side.held[number]:
                del side.held[number]

    def _nowhere_else(self) -> Iterator[FileChange]:
        """Tell of what was held and has no other name: first of directories, whose files may be what others were."""
        nodes = [(side, node) for side in (self._before, self._after) for node in map(side.node, side.held) if node]
        chosen = [(side, node) for side, node in nodes if node.kind is Kind.DIRECTORY] or nodes
        for here, node in chosen:
            there = self._after if here is self._before else self._before
            for path, depth in here.held.pop(node.number):
                yield here.only_here(path, node)
                if node.kind is Kind.DIRECTORY:
                    yield from self._within(here, there, path, node, depth)

    def _aspects(self, old: Node, new: Node) -> frozenset[Aspect]:
        key = (old.number, new.number)
        if key in self._judged:
            return self._judged[key]
        found = frozenset(self._each_aspect(old, new))
        if old.links > 1 and old.kind is not Kind.DIRECTORY:
            self._judged[key] = found
        return found

    def _each_aspect(self, old: Node, new: Node) -> Iterator[Aspect]:
        before, after = self._before.filesystem, self._after.filesystem
        if old.kind is not new.kind:
            yield Aspect.KIND
        if old.mode != new.mode:
            yield Aspect.MODE
        if (old.uid, old.gid) != (new.uid, new.gid):
            yield Aspect.OWNER
        if old.mtime_ns != new.mtime_ns:
            yield Aspect.MODIFIED
        if old.flags != new.flags:
            yield Aspect.FLAGS
        if old.device != new.device:
            yield Aspect.DEVICE
        if old.target != new.target:
            yield Aspect.TARGET
        if (old.attributed or new.attributed) and before.attributes(old.number) != after.attributes(new.number):
            yield Aspect.ATTRIBUTES
        if old.kind is new.kind is Kind.FILE and (
            old.size != new.size or not same_content(before, old.number, after, new.number, self._changed)
        ):
            yield Aspect.CONTENT


def _told_of(pair: _Pair, aspects: frozenset[Aspect]) -> Iterator[FileChange]:
    return _told(pair.path_before, pair.path_after, pair.before, pair.after, aspects, renamed=pair.renamed)


def _told(
    path_before: bytes, path: bytes, old: Node, new: Node, aspects: frozenset[Aspect], *, renamed: bool = False
) -> Iterator[FileChange]:
    """Yield what became of a file that is in both views; nothing where it is the same."""
    if not aspects and not renamed:
        return
    change = Change.RENAMED if renamed else Change.CHANGED if aspects & SUBSTANCE else Change.METADATA
    elsewhere = _text(path_before) if path_before != path else None
    yield FileChange(_text(path), change, facts(old), facts(new), aspects, elsewhere)


def _inside(path: bytes) -> bytes:
    return path if path.endswith(b"/") else path + b"/"


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
