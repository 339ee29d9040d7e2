"""What a clone's dialog has to know, read in a worker. Asks libvirt, so never the window's own thread."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from snapgui.hypervisor import pools
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Broken, NoPermission, Unavailable
from snapgui.operations.facts import Facts, read_facts
from snapgui.operations.surroundings import Surroundings, read_surroundings


@dataclass(frozen=True, slots=True)
class CloneLook:
    """The source, and where its clone may go: ``around`` beside its images, ``pools`` as (name, directory)."""

    facts: Facts
    around: Surroundings
    pools: tuple[tuple[str, str], ...] = ()


def look(connection: Connection, vm_uuid: str, target: Connection | None) -> CloneLook:
    """Look at the VM and around it; ``target`` is the other hypervisor, where the clone is to go to one."""
    facts = read_facts(connection, vm_uuid)
    with _apart(target) as there:
        around = read_surroundings(connection, facts, target=there)
        return CloneLook(facts, around, pools.list_pools(there or connection))


def look_around(connection: Connection, facts: Facts, pool: str, target: Connection | None) -> Surroundings:
    """Look at another place for the clone's images."""
    with _apart(target) as there:
        return read_surroundings(connection, facts, pool, there)


@contextlib.contextmanager
def _apart(target: Connection | None) -> Iterator[Connection | None]:
    """Lend a connection of one's own; that the other hypervisor does not answer says nothing about the source's."""
    if target is None:
        yield None
        return
    with contextlib.ExitStack() as held:
        try:
            there = held.enter_context(target.apart())
        except (Unavailable, NoPermission) as error:
            raise Broken(error.text, error.detail) from error
        yield there
