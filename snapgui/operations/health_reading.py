"""Looks at the storage of a hypervisor: its VMs, their directories, the pools, and the beginning of each file there.

What cannot be read is left out, and never taken for missing. Files that this user may not open are seen through pools.
"""

import contextlib
import os
import posixpath
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from types import MappingProxyType

from snapgui.hypervisor import adopted_xml, inventory, pools, snapshots, stamps, strays, volumes
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.domain_xml import read_machine
from snapgui.hypervisor.statistics import is_local
from snapgui.images.clusters import DATA_FILE
from snapgui.images.memory import document_of, is_whole, memory_format
from snapgui.images.qcow2 import MAGIC, ImageError, file_meant
from snapgui.images.soundness import foreign, trouble_of
from snapgui.images.source import ByteSource, Prefetched
from snapgui.model.errors import Gone, SnapguiError
from snapgui.model.lineage import DEEPEST
from snapgui.model.records import Place, Vm
from snapgui.model.tree import SnapshotTree
from snapgui.operations.bases import canonical
from snapgui.operations.health_evidence import Evidence, FileKind, SavedMemory, SeenDisk, SeenFile, SeenVm
from snapgui.operations.history import Entry, History, Making
from snapgui.operations.image_access import open_image, readable
from snapgui.operations.lanes import is_held

_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""In the name of a base, which is no text then: nobody can tell which file that is."""
_NO_IMAGES = ("/dev", "/proc", "/sys", "/run")


def read_evidence(connection: Connection, history: History | None = None, held: str = "") -> Evidence:
    """Return what is seen of a whole hypervisor; one VM that cannot be read does not hide the others.

    ``held`` is the UUID of the VM that the caller itself is changing; ``history`` knows what else is being made.
    """
    vms, unread = _read_vms(connection, held)
    with contextlib.ExitStack() as stack:
        look = _Look(connection, stack, vms)
        for directory in sorted(_directories(connection, vms)):
            look.through(directory)
        for path in _needed(vms):
            look.follow(path)
        for path in (*(image for vm in vms for image in sorted(vm.images)), *look.files):
            look.follow(path)
        later, silent = _read_vms(connection, held)
        return Evidence(
            now=datetime.now(UTC),
            vms=settled(vms, later),
            unread=tuple(dict.fromkeys((*unread, *silent))),
            files=MappingProxyType(look.files),
            listed=MappingProxyType(look.listed),
            missing=frozenset(look.missing),
            making=frozenset(canonical(connection, path) for path in _making(connection, history)),
        )


def settled(before: tuple[SeenVm, ...], after: tuple[SeenVm, ...]) -> tuple[SeenVm, ...]:
    """Return the VMs as they were in the end; one that changed while all was looked at counts as being changed."""
    known = {vm.vm.uuid: vm for vm in before}
    return tuple(_settled(known.get(vm.vm.uuid), vm) for vm in after)


def _settled(before: SeenVm | None, after: SeenVm) -> SeenVm:
    if before is not None and _state(before) == _state(after):
        return after
    return replace(after, held=True, named=after.named | (frozenset() if before is None else before.named))


def _state(vm: SeenVm) -> tuple[object, ...]:
    snapshots_now = tuple((snapshot.key, snapshot.parent) for snapshot in vm.tree)
    return vm.vm, vm.disks, vm.named, vm.managed_save, vm.held, snapshots_now


def _read_vms(connection: Connection, held: str) -> tuple[tuple[SeenVm, ...], tuple[str, ...]]:
    found, unread = [], []
    for vm in inventory.list_vms(connection):
        try:
            found.append(_read_vm(connection, vm, held=vm.uuid != held and is_held(vm.uuid)))
        except Gone:
            continue
        except SnapguiError:
            unread.append(vm.name)
    return tuple(found), tuple(unread)


def _read_vm(connection: Connection, vm: Vm, *, held: bool) -> SeenVm:
    disks: dict[SeenDisk, None] = {}
    for text in inventory.documents(connection, vm.uuid):
        for disk in read_machine(text).disks:
            source = volumes.path_of(connection, disk.pool, disk.source) if disk.pool else disk.source
            disks[SeenDisk(disk.target, canonical(connection, source), disk.format, disk.writable)] = None
    mentions = strays.mentions_of(connection, vm.uuid)
    named = frozenset(canonical(connection, mention.path) for mention in mentions)
    images = frozenset(canonical(connection, mention.path) for mention in mentions if mention.image)
    tree = _real(connection, snapshots.read_tree(connection, vm.uuid)) if vm.snapshots else SnapshotTree()
    return SeenVm(vm, tuple(disks), tree, named, images, inventory.has_managed_save(connection, vm.uuid), held)


def _real(connection: Connection, tree: SnapshotTree) -> SnapshotTree:
    """Return the tree with paths that have no links in them."""
    return SnapshotTree(
        [
            replace(
                snapshot,
                memory_file=canonical(connection, snapshot.memory_file),
                disks=tuple(
                    replace(
                        disk, source=canonical(connection, disk.source), overlay=canonical(connection, disk.overlay)
                    )
                    for disk in snapshot.disks
                ),
            )
            for snapshot in tree
        ],
        tree.current,
    )


def _needed(vms: Iterable[SeenVm]) -> Iterator[str]:
    """Every image or memory file that a VM, now or at a snapshot, cannot do without."""
    for vm in vms:
        yield from (disk.path for disk in vm.disks if disk.writable and disk.path.startswith("/"))
        for snapshot in vm.tree:
            held = [disk.source for disk in snapshot.disks if disk.place is not Place.NONE]
            yield from (path for path in (*held, snapshot.memory_file) if path.startswith("/"))


def _directories(connection: Connection, vms: Iterable[SeenVm]) -> set[str]:
    found = {posixpath.dirname(path) for path in _needed(vms)}
    found |= {canonical(connection, directory) for _, directory in pools.list_pools(connection)}
    return {path for path in found if path != "/" and not f"{path}/".startswith(tuple(f"{d}/" for d in _NO_IMAGES))}


def _making(connection: Connection, history: History | None) -> Iterator[str]:
    entries: tuple[Entry, ...] = () if history is None else history.unfinished()
    for entry in entries:
        for intent in history.intents(entry.job) if history is not None else ():
            if intent.kind is Making.FILE and intent.uri == connection.uri:
                yield intent.name


class _Look:
    """Looks through directories and at files; pools that are needed for that exist until ``stack`` is closed."""

    def __init__(self, connection: Connection, stack: contextlib.ExitStack, vms: tuple[SeenVm, ...]) -> None:
        self.files: dict[str, SeenFile] = {}
        self.listed: dict[str, frozenset[str]] = {}
        self.missing: set[str] = set()
        self._connection, self._stack = connection, stack
        self._written = {disk.path for vm in vms if vm.vm.state.active for disk in vm.disks}
        self._raw = _called_raw(vms)
        self._opened: dict[str, frozenset[str] | None] = {}

    def through(self, directory: str) -> None:
        """Look at every file of a directory."""
        paths = self._paths(directory)
        if paths is not None:
            self.listed[directory] = paths
            for path in sorted(paths):
                self.file(path)

    def follow(self, path: str) -> None:
        """Look at an image and its bases."""
        for _ in range(DEEPEST):
            path = canonical(self._connection, path)
            if not path.startswith("/") or path.startswith("/dev/"):
                return
            seen = self.file(path)
            if seen is None or not seen.base:
                return
            path = seen.base

    def file(self, path: str) -> SeenFile | None:
        """Return what a file is, None where it does not exist."""
        if path in self.missing:
            return None
        if path not in self.files:
            there = self._exists(path)
            if there is False:
                self.missing.add(path)
                return None
            self.files[path] = self._seen(path)
        return self.files[path]

    def _paths(self, directory: str) -> frozenset[str] | None:
        """Return the regular files of a directory, None where nobody tells."""
        if is_local(self._connection):
            with contextlib.suppress(OSError), os.scandir(directory) as entries:
                return frozenset(entry.path for entry in entries if entry.is_file(follow_symlinks=False))
        return self._by_pool(directory)

    def _by_pool(self, directory: str) -> frozenset[str] | None:
        if directory not in self._opened:
            self._opened[directory] = None
            if pools.has_storage(self._connection) and not f"{directory}/".startswith(("/dev/", "/proc/", "/sys/")):
                with contextlib.suppress(SnapguiError):
                    there = self._stack.enter_context(pools.listed_at(self._connection, directory))
                    self._opened[directory] = there
        return self._opened[directory]

    def _exists(self, path: str) -> bool | None:
        if is_local(self._connection):
            try:
                os.stat(path)  # noqa: PTH116 - many paths that need not be taken apart
            except (FileNotFoundError, NotADirectoryError):
                return False
            except OSError:
                pass
            else:
                return True
        there = self._by_pool(posixpath.dirname(path))
        return None if there is None else path in there

    def _seen(self, path: str) -> SeenFile:
        if _is_special(self._connection, path):
            return SeenFile(path, FileKind.UNSEEN)
        if not readable(self._connection, path):
            self._by_pool(posixpath.dirname(path))
        image = open_image(self._connection, path)
        if image is None:
            return SeenFile(path, FileKind.UNSEEN)
        written = path in self._written or strays.is_written(self._connection, path)
        try:
            seen = self._read(path, Prefetched(image), written=written)
            # What QEMU changes just now may have been seen half done.
            return self._read(path, Prefetched(image), written=written) if written and seen.trouble else seen
        except OSError:
            return SeenFile(path, FileKind.UNSEEN, written=written)
        finally:
            image.close()

    def _read(self, path: str, image: ByteSource, *, written: bool) -> SeenFile:
        first = image.read(0, 128)
        (identity,) = stamps.stamps(self._connection, (path,))
        changed = _changed(identity)
        if path not in self._raw and memory_format(image):
            return SeenFile(
                path,
                FileKind.MEMORY,
                image.size,
                memory=self._memory(image),
                written=written,
                changed=changed,
                identity=identity,
            )
        if path in self._raw or not first.startswith(MAGIC):
            kind = FileKind.FOREIGN if path not in self._raw and foreign(first) else FileKind.PLAIN
            return SeenFile(path, kind, image.size, written=written, changed=changed)
        head, trouble = trouble_of(image, still=not written)
        if head is None:
            return SeenFile(path, FileKind.QCOW2, image.size, trouble=trouble, written=written, changed=changed)
        base = "" if _UNKNOWN in head.backing_file else file_meant(head.backing_file)
        also = (head.data_file, "" if base else head.backing_file)
        if base:
            base = canonical(self._connection, posixpath.normpath(PurePosixPath(path).parent / base))
        return SeenFile(
            path,
            FileKind.QCOW2,
            image.size,
            head.virtual_bytes,
            bool(head.backing_file),
            base,
            head.backing_format,
            head.snapshots,
            trouble,
            written,
            changed=changed,
            data_elsewhere=bool(head.features & DATA_FILE),
            also=tuple(text for text in also if text),
            identity=identity,
        )

    def _memory(self, image: ByteSource) -> SavedMemory | None:
        try:
            uuid, name, disks = adopted_xml.owner_of(document_of(image))
        except (ImageError, SnapguiError):
            return None
        return SavedMemory(
            uuid, name, tuple((t, canonical(self._connection, path)) for t, path in disks.items()), is_whole(image)
        )


def _called_raw(vms: Iterable[SeenVm]) -> set[str]:
    """What VMs call raw, and never otherwise: what a guest has written there is not taken for the head of an image."""
    called = {(disk.path, disk.format) for vm in vms for disk in vm.disks}
    for vm in vms:
        for snapshot in vm.tree:
            formats = {disk.target: disk.format for disk in snapshot.machine.disks}
            called |= {(held.source, formats.get(held.target, "")) for held in snapshot.disks}
    return {path for path, kind in called if kind == "raw"} - {path for path, kind in called if kind not in {"raw", ""}}


def _is_special(connection: Connection, path: str) -> bool:
    """Whether a path of this machine is a device or a pipe, which opening might disturb or never come back from."""
    if is_local(connection):
        with contextlib.suppress(OSError):
            return not stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - as above
    return False


def _changed(stamp: stamps.Stamp) -> datetime | None:
    """Return when a file was written to last, in whole seconds."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        if len(stamp) == 3:  # noqa: PLR2004 - inode, size and nanoseconds of a local file
            return datetime.fromtimestamp(int(stamp[2]) // 10**9, UTC)
        if len(stamp) == 2 and stamp[1]:  # noqa: PLR2004 - size and libvirt's seconds with a fraction
            return datetime.fromtimestamp(int(stamp[1].partition(".")[0]), UTC)
    return None
