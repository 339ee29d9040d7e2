"""The snapshot tree of one VM: an immutable value that is replaced, never changed."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from snapgui.model.records import Kind, Snapshot

if TYPE_CHECKING:
    import networkx as nx


class SnapshotTree:
    """A forest of snapshots, and which of them the current state descends from.

    A parent that does not exist, or a cycle (libvirt forbids both, broken metadata has them), makes the snapshot a
    root, so that every snapshot is always reachable.
    """

    def __init__(self, snapshots: Iterable[Snapshot] = (), current: str | None = None) -> None:
        by_name = {snapshot.name: snapshot for snapshot in snapshots}
        ordered = _ordered(by_name)
        self.snapshots: Mapping[str, Snapshot] = MappingProxyType(ordered)
        self.current = current if current in by_name else None
        self._parents = _parents(ordered)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SnapshotTree):
            return NotImplemented
        return self.current == other.current and dict(self.snapshots) == dict(other.snapshots)

    def __hash__(self) -> int:
        return hash((self.current, tuple(self.snapshots)))

    def __len__(self) -> int:
        return len(self.snapshots)

    def __iter__(self) -> Iterator[Snapshot]:
        """Oldest first."""
        return iter(self.snapshots.values())

    def __contains__(self, name: object) -> bool:
        return name in self.snapshots

    def __getitem__(self, name: str) -> Snapshot:
        return self.snapshots[name]

    @cached_property
    def graph(self) -> "nx.DiGraph[str]":
        """The same as a frozen graph, with an edge from each parent to each child.

        Its library takes longer to load than all else that a command needs, so it is loaded here.
        """
        import networkx as nx  # noqa: PLC0415

        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(self.snapshots)
        graph.add_edges_from((parent, name) for name, parent in self._parents.items() if parent is not None)
        nx.freeze(graph)
        return graph

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """Names without a parent, oldest first."""
        return tuple(name for name in self._by_age if self._parents[name] is None)

    def children(self, name: str | None) -> tuple[str, ...]:
        """Names below ``name`` (the roots for None), oldest first."""
        return self.roots if name is None else tuple(self._children.get(name, ()))

    def parent(self, name: str) -> str | None:
        """The name above, or None for a root."""
        return self._parents[name]

    def descendants(self, name: str) -> tuple[str, ...]:
        """All names below ``name``, parents first, without itself."""
        order, waiting = [], list(self.children(name))[::-1]
        while waiting:
            order.append(found := waiting.pop())
            waiting += self.children(found)[::-1]
        return tuple(order)

    def path(self, name: str | None) -> tuple[str, ...]:
        """From the root down to ``name``, both included; empty for None."""
        found: list[str] = []
        while name is not None:
            found.append(name)
            name = self.parent(name)
        return tuple(reversed(found))

    def leaves_first(self, names: Iterable[str]) -> tuple[str, ...]:
        """The given names in an order in which every child comes before its parent."""
        wanted = set(names)
        order, waiting = [], list(self.roots)
        while waiting:
            order.append(name := waiting.pop())
            waiting += self.children(name)
        return tuple(name for name in reversed(order) if name in wanted)

    @cached_property
    def kinds(self) -> frozenset[Kind]:
        """The kinds that occur in this tree."""
        return frozenset(snapshot.kind for snapshot in self)

    @cached_property
    def _children(self) -> Mapping[str, list[str]]:
        children: dict[str, list[str]] = {}
        for name in self._by_age:
            if (parent := self._parents[name]) is not None:
                children.setdefault(parent, []).append(name)
        return children

    @cached_property
    def _by_age(self) -> list[str]:
        """By time, then by name: what stands below a name must not move the name itself among its neighbours."""
        return sorted(self.snapshots, key=lambda name: self.snapshots[name].key[::-1])


def _ordered(by_name: Mapping[str, Snapshot]) -> dict[str, Snapshot]:
    """Oldest first; of those made in the same second, parents first, then by name."""
    ordered: dict[str, Snapshot] = {}
    for snapshot in sorted(by_name.values(), key=lambda snapshot: snapshot.key[::-1]):
        line: dict[str, Snapshot] = {}
        above: Snapshot | None = snapshot
        while (
            above is not None
            and above.created == snapshot.created
            and not (above.name in ordered or above.name in line)
        ):
            line[above.name] = above
            above = by_name.get(above.parent or "")
        ordered |= reversed(line.items())
    return ordered


def _parents(snapshots: Mapping[str, Snapshot]) -> dict[str, str | None]:
    """Return every snapshot's parent; a ring is opened above the first of its snapshots that is met."""
    parents = {name: found.parent if found.parent in snapshots else None for name, found in snapshots.items()}
    seen: dict[str, str] = {}
    for start in parents:
        name: str | None = start
        while name is not None and name not in seen:
            seen[name] = start
            name = parents[name]
        if name is not None and seen[name] == start:
            parents[name] = None
    return parents
