"""Read which image is layered on which: from the domains, their snapshots, the storage pools, and the images' heads.

A host may have hundreds of VMs. It is read in small pieces, between which others may ask it something, and what
cannot have changed since an earlier reading is not read again.
"""

import contextlib
import os
import posixpath
import time
from collections.abc import Generator, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from snapgui.hypervisor import inventory, pools, snapshots, volumes
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.domain_xml import read_machine
from snapgui.hypervisor.statistics import is_local
from snapgui.hypervisor.volumes import Volume
from snapgui.images.qcow2 import ImageError, file_meant, read_head
from snapgui.images.source import Prefetched
from snapgui.model.errors import SnapguiError
from snapgui.model.lineage import DEEPEST, Image, Lineage, Use
from snapgui.model.records import Disk, Place, Vm
from snapgui.operations.bases import canonical
from snapgui.operations.image_access import open_image

Stamp = tuple[object, ...]
Base = tuple[str, str]
"""What is recorded in an image: its base and the format of that."""
Frozen = tuple[str, str, str, str]
"""(path, format, target, snapshot) of an image that an external snapshot froze."""
Pieces = Generator[None, None, Lineage]
UNTOLD = ("", "")


@dataclass(slots=True)
class Remembered:
    """What earlier readings found, each with what tells whether it still holds.

    ``bases`` and ``volumes`` by image, with the file's time and size; ``disks`` by VM, with its document; ``frozen`` by
    VM, with the names of its snapshots (edits of these elsewhere give no sign). ``missed``: images that their pool does
    not know even after it looked for new files.
    """

    bases: dict[str, tuple[Stamp, Base]] = field(default_factory=dict)
    volumes: dict[str, tuple[Stamp, Volume]] = field(default_factory=dict)
    disks: dict[str, tuple[tuple[str, ...], tuple[Disk, ...]]] = field(default_factory=dict)
    frozen: dict[str, tuple[snapshots.Fingerprint, tuple[Frozen, ...]]] = field(default_factory=dict)
    missed: set[str] = field(default_factory=set)


def read_lineage(connection: Connection) -> Lineage:
    """Return the images of all VMs and pools. What vanishes while it is read is left out."""
    found = advance(in_pieces(connection, inventory.list_vms(connection), Remembered()), None)
    return found or Lineage()


def advance(pieces: Pieces, seconds: float | None) -> Lineage | None:
    """Read on for some time (to the end for None); return the lineage at the end, and None before."""
    end = None if seconds is None else time.monotonic() + seconds
    try:
        while end is None or time.monotonic() < end:
            next(pieces)
    except StopIteration as stop:
        found: Lineage = stop.value
        return found
    return None


def in_pieces(connection: Connection, vms: Iterable[Vm], remembered: Remembered) -> Pieces:
    """Yield after each VM, volume and image; return the lineage. Paths are without links as far as can be seen."""
    found = _Found(connection, remembered)
    for volume in volumes.each_volume(connection, found.known_volume):
        found.add_volume(volume)
        yield
    for vm in vms:
        try:
            _add_vm(connection, vm, found)
        except SnapguiError:
            continue
        yield
    for path in tuple(found.formats):
        yield from found.follow(path)
    _forget(remembered, {vm.uuid for vm in vms}, found)
    return Lineage(found.images())


@dataclass(slots=True)
class _Found:
    """What was read so far, by image: format, base and the format of that, users, and its volume."""

    connection: Connection
    remembered: Remembered
    formats: dict[str, str] = field(default_factory=dict)
    bases: dict[str, Base] = field(default_factory=dict)
    uses: dict[str, list[Use]] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    real: dict[str, str] = field(default_factory=dict)

    def known_volume(self, path: str) -> Volume | None:
        """Return what a pool said of a file that is as it was then, where that can be seen from here."""
        stamp, known = _stamp_of_file(self.connection, path), self.remembered.volumes.get(path)
        return known[1] if known is not None and stamp and known[0] == stamp else None

    def add_volume(self, volume: Volume) -> None:
        path = self.canonical(volume.path)
        if stamp := _stamp_of_file(self.connection, volume.path):
            self.remembered.volumes[volume.path] = stamp, volume
        self.volumes[path] = volume
        self.formats[path] = volume.format

    def add_use(self, path: str, image_format: str, use: Use) -> None:
        if path:
            path = self.canonical(path)
            if image_format or path not in self.formats:
                self.formats[path] = image_format
            self.uses.setdefault(path, []).append(use)

    def follow(self, path: str) -> Iterator[None]:
        """Read an image's base, the base of that, and so on."""
        for _ in range(DEEPEST):
            if path in self.bases or not path.startswith("/"):
                return
            base, base_format = self._read_base(path)
            self.bases[path] = base, base_format
            yield
            if not base.startswith("/"):
                return
            self.formats[base] = self.formats.get(base) or base_format
            path = base

    def canonical(self, path: str) -> str:
        if path not in self.real:
            self.real[path] = canonical(self.connection, path)
        return self.real[path]

    def images(self) -> Iterator[Image]:
        for path, image_format in self.formats.items():
            base = self.bases.get(path, UNTOLD)[0]
            yield Image(path, image_format, base or None, tuple(self.uses.get(path, ())))

    def _read_base(self, path: str) -> Base:
        volume = self.volumes.get(path)
        if self.formats[path] == "qcow2":
            base = self._in_head(path, volume)
        else:
            base = UNTOLD if volume is None else (volume.base, volume.base_format)
        return (self._from(path, base[0]), base[1]) if base[0] else base

    def _read_new(self, path: str, volume: Volume | None) -> Base | None:
        """Read an image that was put into a pool's directory behind its back, by somebody who may not open it here."""
        if volume is not None or path in self.remembered.missed:
            return None
        self.remembered.missed.add(path)
        if not pools.refresh_at(self.connection, str(PurePosixPath(path).parent)):
            return None
        return _read_head(self.connection, path)

    def _from(self, path: str, base: str) -> str:
        """Return where a base is that an image names: beside it, if not told from the root; or what is no file."""
        file = file_meant(base)
        return self.canonical(posixpath.normpath(PurePosixPath(path).parent / file)) if file else base

    def _in_head(self, path: str, volume: Volume | None) -> Base:
        """Read what the image itself says: a pool does not notice when an image gets another base."""
        stamp = _stamp(self.connection, path, volume)
        known = self.remembered.bases.get(path)
        if known is not None and stamp and known[0] == stamp:
            return known[1]
        read = _read_head(self.connection, path) or self._read_new(path, volume)
        if read is None:
            return UNTOLD if volume is None else (volume.base, volume.base_format)
        if stamp:
            self.remembered.bases[path] = stamp, read
        return read


def _stamp(connection: Connection, path: str, volume: Volume | None) -> Stamp:
    """Return what changes whenever the file is written to; empty where that cannot be known."""
    return _stamp_of_file(connection, path) or ((volume.changed,) if volume is not None and volume.changed else ())


def _stamp_of_file(connection: Connection, path: str) -> Stamp:
    if is_local(connection):
        with contextlib.suppress(OSError):
            status = os.stat(path)  # noqa: PTH116 - thousands of paths that need not be taken apart
            return (status.st_mtime_ns, status.st_size, status.st_ino)
    return ()


def _read_head(connection: Connection, path: str) -> Base | None:
    """Return what the image says; None where it cannot be read or is none."""
    image = open_image(connection, path)
    if image is None:
        return None
    try:
        head = read_head(Prefetched(image))
    except (ImageError, OSError):
        return None
    else:
        return head.backing_file, head.backing_format
    finally:
        image.close()


def _add_vm(connection: Connection, vm: Vm, found: _Found) -> None:
    for disk in _disks(connection, vm, found.remembered):
        found.add_use(_path(connection, disk), disk.format, Use(vm.name, vm.uuid, disk.target))
    for path, image_format, target, snapshot in _frozen(connection, vm, found.remembered) if vm.snapshots else ():
        found.add_use(path, image_format, Use(vm.name, vm.uuid, target, snapshot))


def _disks(connection: Connection, vm: Vm, remembered: Remembered) -> tuple[Disk, ...]:
    texts = inventory.documents(connection, vm.uuid)
    known = remembered.disks.get(vm.uuid)
    if known is None or known[0] != texts:
        disks = {(disk.target, disk.pool, disk.source): disk for text in texts for disk in read_machine(text).disks}
        known = remembered.disks[vm.uuid] = texts, tuple(disks.values())
    return known[1]


def _frozen(connection: Connection, vm: Vm, remembered: Remembered) -> tuple[Frozen, ...]:
    names = snapshots.fingerprint(connection, vm.uuid)
    known = remembered.frozen.get(vm.uuid)
    if known is None or known[0] != names:
        known = remembered.frozen[vm.uuid] = names, tuple(_read_frozen(connection, vm))
    return known[1]


def _read_frozen(connection: Connection, vm: Vm) -> Iterator[Frozen]:
    for snapshot in snapshots.read_tree(connection, vm.uuid):
        formats = {disk.target: disk.format for disk in snapshot.machine.disks}
        for held in snapshot.disks:
            if held.place is Place.EXTERNAL and held.source.startswith("/"):
                yield held.source, formats.get(held.target, ""), held.target, snapshot.name


def _path(connection: Connection, disk: Disk) -> str:
    return volumes.path_of(connection, disk.pool, disk.source) if disk.pool else disk.source


def _forget(remembered: Remembered, vm_uuids: set[str], found: _Found) -> None:
    """What does not exist any more is kept no longer."""
    _keep(remembered.disks, vm_uuids)
    _keep(remembered.frozen, vm_uuids)
    _keep(remembered.bases, found.formats.keys())
    _keep(remembered.volumes, found.real.keys())
    remembered.missed &= found.formats.keys()


def _keep(entries: dict[str, Any], keys: AbstractSet[str]) -> None:
    for gone in entries.keys() - keys:
        del entries[gone]
