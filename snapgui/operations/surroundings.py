"""What a clone has to know of its hypervisor beside the VM itself."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from snapgui.hypervisor import clone_xml, files, inventory, pools, statistics, volumes
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.domain_xml import read_machine
from snapgui.model.errors import Refused
from snapgui.model.records import Directory, Disk
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.facts import Facts


@dataclass(frozen=True, slots=True)
class Surroundings:
    """``names`` of all VMs; ``place`` where the clone's images go; ``allocated`` bytes that the VM's images hold now.

    ``local``: whether this process may read the images and write beside them. ``host_devices`` stay with the
    source; ``own_arguments``: whether QEMU gets some that libvirt does not understand;
    ``live_only``: disks that are plugged in only until the VM is switched off.
    ``reachable``: whether there is a road to the images at all, by storage pools or as files of this process.
    ``remote``: whether the hypervisor is on another machine; ``volumes``: (pool, name, path) of disks that are volumes.
    ``uri`` is the hypervisor that the clone goes to, empty where it stays; names and place are of that one.
    """

    names: frozenset[str] = frozenset()
    place: Directory | None = None
    local: bool = False
    allocated: int | None = None
    host_devices: tuple[str, ...] = ()
    uri: str = ""
    remote: bool = False
    own_arguments: bool = False
    live_only: tuple[str, ...] = ()
    volumes: tuple[tuple[str, str, str], ...] = ()
    reachable: bool = True

    def path_of(self, disk: Disk) -> str:
        """Return the path of a disk's image, where it is a pool's volume, too."""
        known = ((pool, name, path) for pool, name, path in self.volumes if path)
        return next((path for pool, name, path in known if (pool, name) == (disk.pool, disk.source)), disk.source)


def read_surroundings(
    connection: Connection, facts: Facts, pool: str = "", target: Connection | None = None
) -> Surroundings:
    """Look around, on ``target`` where the clone goes to another hypervisor; raise Refused where no such pool is."""
    there = target or connection
    found = tuple(_volumes(connection, facts))
    paths = [*statistics.image_paths(facts.machine), *(path for _, _, path in found if path)]
    if pool:
        directory = _directory(there, pool)
    elif target is not None:
        directory = _any_directory(target)
    else:
        directory = str(PurePosixPath(paths[0]).parent) if paths else ""
    chains = [below for path, chain in facts.chains if path in paths for below in chain]
    local = statistics.is_local(connection)
    readable = local and bool(chains) and all(os.access(path, os.R_OK, effective_ids=True) for path in chains)
    writable = bool(directory) and os.access(directory, os.W_OK | os.X_OK, effective_ids=True)
    document = inventory.current_xml(connection, facts.vm.uuid)
    return Surroundings(
        names=frozenset(vm.name for vm in inventory.list_vms(there)),
        place=files.look(there, directory) if directory else None,
        local=readable and writable,
        allocated=statistics.allocated(connection, chains),
        host_devices=clone_xml.host_devices(document),
        own_arguments=clone_xml.has_own_arguments(document),
        live_only=tuple(_live_only(connection, facts)),
        uri="" if target is None else target.uri,
        remote=not statistics.is_local(connection),
        volumes=found,
        reachable=(readable and (writable or target is not None)) or pools.has_storage(connection),
    )


def _live_only(connection: Connection, facts: Facts) -> Iterator[str]:
    kept = {disk.target for disk in facts.machine.disks}
    for text in inventory.documents(connection, facts.vm.uuid):
        for disk in read_machine(text).disks:
            if disk.writable and disk.source and disk.target not in kept:
                yield disk.target


def _volumes(connection: Connection, facts: Facts) -> Iterator[tuple[str, str, str]]:
    for disk in facts.machine.disks:
        if disk.pool:
            yield disk.pool, disk.source, volumes.path_of(connection, disk.pool, disk.source)


def _any_directory(connection: Connection) -> str:
    """Return the directory of the pool “default”, or of the first that there is."""
    known = dict(pools.list_pools(connection))
    return known.get("default", next((known[name] for name in sorted(known)), ""))


def _directory(connection: Connection, pool: str) -> str:
    known = dict(pools.list_pools(connection))
    if pool not in known:
        text = QT_TRANSLATE_NOOP("errors", "There is no active pool “{name}”; there are: {known}.")
        raise Refused(text.format(name=pool, known=", ".join(sorted(known)) or "none"))
    return known[pool]
