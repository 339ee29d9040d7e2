"""What a clone has to know of its hypervisor beside the VM itself."""

import os
from dataclasses import dataclass
from pathlib import PurePosixPath

from snapgui.hypervisor import clone_xml, files, inventory, pools, statistics
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Refused
from snapgui.model.records import Directory
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.facts import Facts


@dataclass(frozen=True, slots=True)
class Surroundings:
    """``names`` of all VMs; ``place`` where the clone's images go; ``allocated`` bytes that the VM's images hold now.

    ``local``: whether this process may read the images and write beside them. ``host_devices`` stay with the source.
    ``uri`` is the hypervisor that the clone goes to, empty where it stays; names and place are of that one.
    """

    names: frozenset[str] = frozenset()
    place: Directory | None = None
    local: bool = False
    allocated: int | None = None
    host_devices: tuple[str, ...] = ()
    uri: str = ""


def read_surroundings(
    connection: Connection, facts: Facts, pool: str = "", target: Connection | None = None
) -> Surroundings:
    """Look around, on ``target`` where the clone goes to another hypervisor; raise Refused where no such pool is."""
    there = target or connection
    paths = statistics.image_paths(facts.machine)
    directory = _directory(there, pool) if pool else str(PurePosixPath(paths[0]).parent) if paths else ""
    chains = [below for path, chain in facts.chains if path in paths for below in chain]
    readable = all(os.access(path, os.R_OK) for path in chains) and bool(chains)
    writable = bool(directory) and os.access(directory, os.W_OK | os.X_OK)
    return Surroundings(
        names=frozenset(vm.name for vm in inventory.list_vms(there)),
        place=files.look(there, directory) if directory else None,
        local=statistics.is_local(connection) and readable and writable,
        allocated=statistics.allocated(connection, chains),
        host_devices=clone_xml.host_devices(inventory.current_xml(connection, facts.vm.uuid)),
        uri="" if target is None else target.uri,
    )


def _directory(connection: Connection, pool: str) -> str:
    known = dict(pools.list_pools(connection))
    if pool not in known:
        text = QT_TRANSLATE_NOOP("errors", "There is no active pool “{name}”; there are: {known}.")
        raise Refused(text.format(name=pool, known=", ".join(sorted(known)) or "none"))
    return known[pool]
