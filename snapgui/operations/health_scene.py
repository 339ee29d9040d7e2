"""What follows from what was seen: who uses which image, which are layered on which, and what is referred to at all."""

import posixpath
from itertools import chain as chained

from snapgui.model.lineage import DEEPEST, Use
from snapgui.model.records import Place, Snapshot, SnapshotDisk
from snapgui.operations.health_evidence import Evidence, FileKind, SeenDisk, SeenFile, SeenVm


class Scene:
    """Evidence with what follows from it. ``formats``: what configurations call a path."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.uses: dict[str, list[Use]] = {}
        self.formats: dict[str, set[str]] = {}
        self.above: dict[str, list[str]] = {}
        self._inside: set[tuple[str, str]] = set()
        for vm in evidence.vms:
            self._add(vm)
        for file in evidence.files.values():
            if file.base:
                self.above.setdefault(file.base, []).append(file.path)
        self._directories = {path: self._owners(path) for path in evidence.listed}
        named = chained.from_iterable(vm.named for vm in evidence.vms)
        self.referred = {path for name in named for path in self.chain(name)}

    def file(self, path: str) -> SeenFile | None:
        """Return what was seen of a file."""
        return self.evidence.files.get(path)

    def chain(self, path: str) -> list[str]:
        """Return an image and its bases, the last one may be missing."""
        found: list[str] = []
        while path and path not in found and len(found) < DEEPEST:
            found.append(path)
            seen = self.file(path)
            path = "" if seen is None else seen.base
        return found

    def roots(self, vm: SeenVm) -> dict[str, tuple[str, str]]:
        """Return (disk, snapshot or nothing) by image, of all that a VM reads: now first, then at its snapshots."""
        found = {disk.path: (disk.target, "") for disk in vm.disks if disk.writable and disk.path.startswith("/")}
        for snapshot in vm.tree:
            for held in snapshot.disks:
                if held.place is Place.EXTERNAL and held.source.startswith("/"):
                    found.setdefault(held.source, (held.target, snapshot.name))
        return found

    def now(self, vm: SeenVm) -> tuple[SeenDisk, ...]:
        """Return the writable disks of a VM in files, each target once."""
        found = {disk.target: disk for disk in reversed(vm.disks) if disk.writable and disk.path.startswith("/")}
        return tuple(found[target] for target in sorted(found))

    def frozen(self, vm: SeenVm) -> dict[str, Snapshot]:
        """Return the external snapshot that froze each image."""
        return {
            self.froze(held): snapshot
            for snapshot in vm.tree
            for held in snapshot.disks
            if held.place is Place.EXTERNAL and held.source
        }

    def froze(self, held: SnapshotDisk) -> str:
        """Return the image that an external snapshot froze: the one below its overlay, as long as that is there.

        When the description of a snapshot is removed, libvirt writes another image into that of the next one, as if
        both had been merged.
        """
        overlay = self.file(held.overlay)
        return held.source if overlay is None or not overlay.base else overlay.base

    def vm(self, vm_uuid: str) -> SeenVm | None:
        """Return a VM that was read."""
        return next((vm for vm in self.evidence.vms if vm.vm.uuid == vm_uuid), None)

    def only_vm_of(self, path: str) -> SeenVm | None:
        """Return the VM whose own directory a file lies in: named as the VM, with images of no other VM in it."""
        directory = posixpath.dirname(path)
        owners = self._directories.get(directory, frozenset())
        vm = self.vm(next(iter(owners))) if len(owners) == 1 else None
        return vm if vm is not None and posixpath.basename(directory) in {vm.vm.name, vm.vm.uuid} else None

    def has_images(self, path: str) -> bool:
        """Whether some VM has an image in the directory of a file."""
        return bool(self._directories.get(posixpath.dirname(path)))

    def knows(self, vm: SeenVm, disk: SeenDisk, name: str) -> bool:
        """Whether libvirt knows a snapshot inside a disk's image.

        Another VM's may lie in an image that both use; and a VM's image may have moved since the snapshot.
        """
        return (disk.path, name) in self._inside or (f"{vm.vm.uuid} {disk.target}", name) in self._inside

    def is_image(self, path: str) -> bool:
        """Whether a file is a qcow2 image whose head can be trusted."""
        seen = self.file(path)
        return seen is not None and seen.kind is FileKind.QCOW2 and not seen.trouble

    def _add(self, vm: SeenVm) -> None:
        for disk in vm.disks:
            if disk.path:
                self.uses.setdefault(disk.path, []).append(Use(vm.vm.name, vm.vm.uuid, disk.target))
                self._call(disk.path, disk.format)
        for snapshot in vm.tree:
            formats = {disk.target: disk.format for disk in snapshot.machine.disks}
            for held in snapshot.disks:
                if held.place is Place.INTERNAL:
                    self._inside |= {(held.source, snapshot.name), (f"{vm.vm.uuid} {held.target}", snapshot.name)}
                elif held.place is Place.EXTERNAL and held.source:
                    use = Use(vm.vm.name, vm.vm.uuid, held.target, snapshot.name)
                    self.uses.setdefault(self.froze(held), []).append(use)
                    self._call(held.source, formats.get(held.target, ""))

    def _call(self, path: str, image_format: str) -> None:
        if image_format:
            self.formats.setdefault(path, set()).add(image_format)

    def _owners(self, directory: str) -> frozenset[str]:
        uses = [(path, use) for path, users in self.uses.items() for use in users]
        return frozenset(use.vm_uuid for path, use in uses if posixpath.dirname(path) == directory)
