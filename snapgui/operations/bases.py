"""Which images other VMs are layered on: what must not be changed under them."""

import contextlib
import os
import posixpath
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from snapgui.hypervisor import inventory, pools, snapshots, stamps, volumes
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.domain_xml import images_below, read_machine
from snapgui.hypervisor.statistics import is_local
from snapgui.images.qcow2 import ImageError, file_meant, read_head
from snapgui.model.errors import Gone, SnapguiError
from snapgui.model.lineage import DEEPEST
from snapgui.model.records import Lent, Place, Vm
from snapgui.model.tree import SnapshotTree
from snapgui.operations.image_access import open_image, readable

Known = dict[str, tuple[str, str]]
"""What is recorded in an image: its base and the format of that. A directory that was looked through is in it, too."""
ATTEMPTS, ATTEMPT_S = 3, 0.2
_NO_IMAGES = ("/dev/", "/proc/", "/sys/")


def images_of_others(connection: Connection, vm_uuid: str, own: Collection[str] = ()) -> tuple[Lent, ...]:
    """Return every image that another VM reads, its bases included, once for each VM.

    ``own`` are all files of the VM itself. What is layered on them without being a file of any VM is found in the
    storage pools, and in the directories of these files where this user may look.
    """
    if connection.uri.startswith("test:"):  # its VMs have no images, and their paths mean nothing
        return ()
    found: dict[tuple[str, str], Lent] = {}
    known: Known = {}
    for vm in inventory.list_vms(connection):
        if vm.uuid == vm_uuid:
            continue
        try:
            read = tuple(_read_by(connection, vm, known))
        except Gone:
            continue
        for lent in read:
            found.setdefault((lent.path, lent.vm_uuid), lent)
    mine = {canonical(connection, path) for path in own}
    used = {lent.path for lent in found.values()}
    every = (*found.values(), *_read_by_nobody(connection, mine, used, known))
    return every if is_local(connection) else (*every, *_by_other_paths(connection, mine, every))


def _by_other_paths(connection: Connection, mine: Collection[str], every: Iterable[Lent]) -> Iterator[Lent]:
    """Elsewhere nobody tells of links: one file may be read by another path, through a linked directory say.

    Where two files of one name cannot be told apart, they count as one: nothing is lost by protecting what is none.
    """
    named: dict[str, list[str]] = {}
    for path in mine:
        named.setdefault(posixpath.basename(path), []).append(path)
    for lent in every:
        for path in named.get(posixpath.basename(lent.path), ()):
            if path != lent.path and lent.path not in mine and _may_be_one(connection, path, lent.path):
                yield replace(lent, path=path)


def _may_be_one(connection: Connection, one: str, other: str) -> bool:
    """What a guest writes to while it is looked at looks different every time."""
    first, second = _look_of(connection, one), _look_of(connection, other)
    if not (first and second) or first == second:
        return True
    return first[0] == second[0] and _look_of(connection, one) != first


def _look_of(connection: Connection, path: str) -> stamps.Stamp:
    """Return the size of a file, and when it was written to, to the nanosecond; nothing where nobody tells."""
    with contextlib.suppress(SnapguiError), pools.pool_at(connection, posixpath.dirname(path)):
        return stamps.stamps(connection, (path,))[0]
    return ()


def _read_by(connection: Connection, vm: Vm, known: Known) -> Iterator[Lent]:
    """What its current state reads comes first: it says more than a snapshot."""
    for source, image_format in _named(connection, vm):
        for path in chain(connection, source, image_format, known, thorough=True):
            yield Lent(canonical(connection, path), vm.name, vm.uuid, active=vm.state.active)
    for label, source, image_format in _frozen(snapshots.read_tree(connection, vm.uuid)) if vm.snapshots else ():
        for path in chain(connection, source, image_format, known, thorough=True):
            yield Lent(canonical(connection, path), vm.name, vm.uuid, label)


def _named(connection: Connection, vm: Vm) -> Iterator[tuple[str, str]]:
    """Yield (image, format) of all that the VM runs on, and will start with."""
    for text in inventory.documents(connection, vm.uuid):
        for disk in read_machine(text).disks:
            source = volumes.path_of(connection, disk.pool, disk.source) if disk.pool else disk.source
            yield source, disk.format
        yield from images_below(text)


def _frozen(tree: SnapshotTree) -> Iterator[tuple[str, str, str]]:
    """Yield (label, image, format) of every image that an external snapshot needs."""
    for snapshot in tree:
        formats = {disk.target: disk.format for disk in snapshot.machine.disks}
        for disk in snapshot.disks:
            if disk.place is Place.EXTERNAL:
                yield snapshot.label, disk.source, formats.get(disk.target, "")


def _read_by_nobody(connection: Connection, mine: set[str], used: set[str], known: Known) -> Iterator[Lent]:
    """Images that no VM has yet, or any more: what is below them is theirs all the same."""
    candidates = dict.fromkeys(_volumes(connection, known))
    candidates |= dict.fromkeys(_beside(connection, {posixpath.dirname(path) for path in mine}, known))
    for candidate in candidates:
        name = canonical(connection, candidate)
        if name in mine or name in used:
            continue
        for path in chain(connection, candidate, "qcow2", known, thorough=True)[1:]:
            below = canonical(connection, path)
            if below in mine:
                yield Lent(below, candidate)


def _volumes(connection: Connection, known: Known) -> Iterator[str]:
    """What libvirt found in an image counts where this user cannot read the image."""
    volumes.refresh(connection)
    for volume in volumes.list_volumes(connection):
        if volume.format == "qcow2":
            if not readable(connection, volume.path):
                known.setdefault(volume.path, (volume.base, volume.base_format))
            yield volume.path


def _beside(connection: Connection, directories: Iterable[str], known: Known) -> Iterator[str]:
    for directory in directories:
        there = _files_in(connection, directory)
        if there is None:
            _look_through(connection, directory, known)
            there = [path for path in known if posixpath.dirname(path) == directory and path != f"{directory}/"]
        yield from there


def _files_in(connection: Connection, directory: str) -> list[str] | None:
    """Return the paths of the files of a directory, or None where this user cannot look."""
    try:
        return (
            sorted(entry.path for entry in os.scandir(directory) if entry.is_file()) if is_local(connection) else None
        )
    except OSError:
        return None


def _look_through(connection: Connection, directory: str, known: Known) -> None:
    """Have libvirt look at the images of a directory that this user cannot read; note their bases in ``known``.

    Where the directory is no pool it becomes one meanwhile; two who do that at once are in each other's way.
    """
    looked = f"{directory}/"
    if looked in known or looked.startswith(_NO_IMAGES):
        return
    known[looked] = ("", "")
    for _ in range(ATTEMPTS):
        with contextlib.suppress(SnapguiError):
            for volume in pools.images_at(connection, directory):
                known.setdefault(volume.path, (volume.base, volume.base_format))
            return
        time.sleep(ATTEMPT_S)


def canonical(connection: Connection, path: str) -> str:
    """Return the path of a file without links and detours, as far as they can be seen from here."""
    if not path.startswith("/"):
        return path
    return os.path.realpath(path) if is_local(connection) else posixpath.normpath(path)


def same_file(connection: Connection, one: str, other: str) -> bool:
    """Whether two paths name one file."""
    return canonical(connection, one) == canonical(connection, other)


def chain(connection: Connection, path: str, image_format: str, known: Known, *, thorough: bool = False) -> list[str]:
    """Return an image and its bases, as far as their heads can be read; ``known`` keeps what was read.

    ``thorough``: where this user cannot read an image that lies in no pool, make its directory one meanwhile; and look
    for a base where no format is recorded: nothing is lost by protecting what is none.
    """
    found: list[str] = []
    while path.startswith("/") and path not in found and len(found) < DEEPEST:
        found.append(path)
        if image_format != "qcow2" and not (thorough and not image_format):
            break
        if path not in known:
            _learn(connection, path, known, thorough=thorough)
        backing, image_format = known[path]
        backing = file_meant(backing)
        if not backing:  # none, or something else than a file
            break
        path = backing if backing.startswith("/") else str(PurePosixPath(path).parent / backing)
    return found


def _learn(connection: Connection, path: str, known: Known, *, thorough: bool) -> None:
    image = open_image(connection, path)
    if image is None:
        directory = posixpath.dirname(path)
        there = _files_in(connection, directory)
        if thorough and (there is None or path in there):
            _look_through(connection, directory, known)
        known.setdefault(path, ("", ""))
        return
    try:
        head = read_head(image)
        known[path] = (head.backing_file, head.backing_format)
    except (ImageError, OSError):
        known[path] = ("", "")
    finally:
        image.close()
