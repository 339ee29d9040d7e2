"""What stands in the way of an operation, known before anything is changed. Pure functions over facts.

The rules were measured on libvirt 9.0 and 11.3 (libvirt-facts 4 to 6); libvirt itself finds most of them only in the
middle of its work, and some never.
"""

from collections.abc import Iterable, Iterator

from snapgui.model.errors import Refused
from snapgui.model.plan import Finding, Remedy, Severity
from snapgui.model.records import Disk, Kind, MemoryWish, Place
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.choice import UEFI_INTERNAL, Choice, choose
from snapgui.operations.facts import Facts, is_missing, place_of
from snapgui.operations.outcome import binary_size
from snapgui.operations.protection import clone_findings

QEMU_JOBS = (10, 9, 0)
"""The first libvirt that saves and deletes internal snapshots of running VMs by QEMU jobs, named after them."""
SPARSE_MEMORY = (11, 2, 0)
"""The first libvirt with the sparse format of memory files."""
OVERLAY_BYTES = 2**20
"""More than an empty overlay takes."""
SLEEPING = (Remedy.START, Remedy.DISCARD_SAVED_STATE)
"""What can be done about a saved state."""
_LEAVE_OUT = QT_TRANSLATE_NOOP("doctor", "Take an external snapshot without this disk, and without the memory.")
DEEP = 20
"""Images in a chain; libvirt before 12.0 could not start a VM on more than about 25 (libvirt-facts 11)."""


def names_are_jobs(facts: Facts) -> bool:
    """Whether QEMU has to accept the names of internal snapshots now: it knows only ``[A-Za-z0-9._-]``."""
    modern = facts.capabilities.libvirt >= QEMU_JOBS and not facts.capabilities.is_test_driver
    return modern and facts.vm.state.active


def take_findings(facts: Facts, choice: Choice, *, quiesce: bool = False) -> tuple[Finding, ...]:
    """Return what matters before a snapshot of the chosen kind is taken."""
    kind = _internal_findings if choice.kind is Kind.INTERNAL else _external_findings
    return (
        *kind(facts, choice),
        *_mixing_findings(facts, choice),
        *_quiesce_findings(facts, choice, quiesce=quiesce),
        *own_base_findings(facts),
        *busy_findings(facts),
        *_file_findings(facts, choice),
        *_space_findings(facts, choice),
        *_saved_state_findings(facts),
    )


def examine(facts: Facts, choice: Choice | None = None, *, quiesce: bool = False) -> tuple[Finding, ...]:
    """Return everything that is worth knowing before a snapshot, of the kind that would be chosen where none is."""
    choice = choice or choose(facts)
    general = (*_general_findings(facts), *_memory_format_findings(facts, choice))
    return (*take_findings(facts, choice, quiesce=quiesce), *general)


def refuse(findings: Iterable[Finding]) -> None:
    """Raise Refused for the first blocker among findings: for a last look with fresh facts, before a change."""
    for finding in findings:
        if finding.severity is Severity.BLOCKER:
            raise Refused(finding.text, detail=str(finding.fix or ""))


def blocker(
    code: str, text: Text, fix: Text | None = None, remedies: tuple[Remedy, ...] = (), leave_out: str = ""
) -> Finding:
    """Return a finding that stands in the way."""
    return Finding(code, Severity.BLOCKER, text, fix, remedies, leave_out)


def _disk_findings(facts: Facts) -> Iterator[Finding]:
    if facts.capabilities.is_test_driver:
        return
    writable = [disk for disk in facts.machine.disks if disk.writable]
    if not writable:
        yield blocker(
            "no-disk", QT_TRANSLATE_NOOP("doctor", "The VM has no writable disk, so there is nothing to save.")
        )
    for disk in writable:
        yield from _one_disk_findings(facts, disk)


def _one_disk_findings(facts: Facts, disk: Disk) -> Iterator[Finding]:
    if disk.format != "qcow2":
        yield blocker(
            "raw-disk",
            QT_TRANSLATE_NOOP(
                "doctor", "Disk {target} is of format {format}; internal snapshots need qcow2 for every writable disk."
            ).format(target=disk.target, format=disk.format or "raw"),
            QT_TRANSLATE_NOOP("doctor", "Convert the disk to qcow2 while the VM is off, or make it read-only."),
        )
    if disk.shareable:
        yield _shared(facts, disk)
    if disk.transient:
        yield _transient(facts, disk)
    if disk.snapshot not in {"", "internal"}:
        yield blocker(
            "disk-left-out",
            QT_TRANSLATE_NOOP(
                "doctor", "The VM's configuration excludes disk {target} from internal snapshots (snapshot='{mode}')."
            ).format(target=disk.target, mode=disk.snapshot),
        )


def _shared(facts: Facts, disk: Disk) -> Finding:
    text = QT_TRANSLATE_NOOP("doctor", "Disk {target} is shared with other VMs.")
    return _unfit(facts, disk, "shared-disk", text)


def _transient(facts: Facts, disk: Disk) -> Finding:
    text = QT_TRANSLATE_NOOP("doctor", "Disk {target} is transient: it forgets its changes at shutdown.")
    return _unfit(facts, disk, "transient-disk", text)


def _unfit(facts: Facts, disk: Disk, code: str, text: Text) -> Finding:
    """The only disk of a VM cannot be left out: nothing would remain to be saved."""
    text = text.format(target=disk.target)
    if sum(other.writable for other in facts.machine.disks) == 1:
        return blocker(code, text)
    return blocker(code, text, _LEAVE_OUT, leave_out=disk.target)


def _firmware_findings(facts: Facts) -> Iterator[Finding]:
    machine = facts.machine
    if machine.firmware != "uefi":
        return
    if facts.capabilities.libvirt < UEFI_INTERNAL:
        yield blocker(
            "uefi-old-libvirt",
            QT_TRANSLATE_NOOP(
                "doctor",
                "The VM starts by UEFI firmware; this libvirt ({version}) cannot take internal snapshots of it.",
            ).format(version=dotted(facts.capabilities.libvirt)),
            QT_TRANSLATE_NOOP("doctor", "libvirt 10.9 or newer can, where the NVRAM file is qcow2."),
        )
    elif machine.nvram_format != "qcow2" and facts.vm.state.active:
        yield blocker(
            "nvram-raw",
            QT_TRANSLATE_NOOP(
                "doctor", "The UEFI variables (NVRAM) lie in a raw file; internal snapshots of a running VM need qcow2."
            ),
            QT_TRANSLATE_NOOP("doctor", "Convert the NVRAM file to qcow2 while the VM is off."),
        )
    elif machine.nvram_format != "qcow2":
        yield Finding(
            "nvram-not-saved",
            Severity.WARNING,
            QT_TRANSLATE_NOOP(
                "doctor", "The UEFI variables (NVRAM) lie in a raw file and will not be part of the snapshot."
            ),
            QT_TRANSLATE_NOOP("doctor", "Convert the NVRAM file to qcow2 while the VM is off."),
            remedies=(Remedy.NVRAM_TO_QCOW2,) if machine.nvram else (),
        )


def _device_findings(facts: Facts) -> Iterator[Finding]:
    if not facts.vm.state.active:
        return
    for device in facts.machine.blocked_devices:
        yield blocker(
            "device-state",
            QT_TRANSLATE_NOOP("doctor", "The state of a device cannot be saved while the VM runs: {device}.").format(
                device=device
            ),
            QT_TRANSLATE_NOOP("doctor", "Shut the VM down first, then take the snapshot."),
        )


def _internal_findings(facts: Facts, choice: Choice) -> Iterator[Finding]:
    yield from _disk_findings(facts)
    yield from _firmware_findings(facts)
    yield from _device_findings(facts)
    if choice.memory is MemoryWish.LIVE:
        yield blocker(
            "live-internal",
            QT_TRANSLATE_NOOP("doctor", "The guest cannot run on while an internal snapshot is taken."),
            QT_TRANSLATE_NOOP("doctor", "Take an external snapshot, or let the guest stand still."),
        )
    if facts.vm.state.active and choice.disk_only:
        yield blocker(
            "internal-needs-memory",
            QT_TRANSLATE_NOOP("doctor", "An internal snapshot of a running VM always holds its memory."),
            QT_TRANSLATE_NOOP("doctor", "Take an external snapshot to leave the memory out."),
        )
    odd = [
        disk.target
        for disk in facts.machine.disks
        if disk.writable and disk.snapshot in {"", "internal"} and choice.places[disk.target] is not Place.INTERNAL
    ]
    if odd:
        yield blocker(
            "internal-partial",
            QT_TRANSLATE_NOOP(
                "doctor", "An internal snapshot holds all writable disks; {target} cannot be left out."
            ).format(target=odd[0]),
        )


def _external_findings(facts: Facts, choice: Choice) -> Iterator[Finding]:
    held = [disk for disk in facts.machine.disks if choice.places[disk.target] is Place.EXTERNAL]
    if not held and Place.INTERNAL not in choice.places.values():
        yield blocker("no-disk", QT_TRANSLATE_NOOP("doctor", "No disk is chosen, so there is nothing to save."))
    for disk in facts.machine.disks:
        yield from _external_disk_findings(facts, disk, choice)
    if not choice.disk_only:
        yield from _device_findings(facts)
    if not facts.capabilities.external_revert:
        yield Finding(
            "no-external-revert",
            Severity.WARNING,
            QT_TRANSLATE_NOOP(
                "doctor", "This libvirt ({version}) takes external snapshots, but cannot revert to them."
            ).format(version=dotted(facts.capabilities.libvirt)),
            QT_TRANSLATE_NOOP("doctor", "libvirt 9.9 or newer can."),
        )
    if facts.machine.firmware == "uefi":
        yield Finding(
            "nvram-not-saved",
            Severity.WARNING,
            QT_TRANSLATE_NOOP("doctor", "The UEFI variables (NVRAM) are not part of an external snapshot."),
        )
    if facts.machine.tpm and choice.disk_only:
        yield Finding(
            "tpm-not-saved",
            Severity.WARNING,
            QT_TRANSLATE_NOOP("doctor", "The state of the TPM is saved only together with the memory."),
        )


def _external_disk_findings(facts: Facts, disk: Disk, choice: Choice) -> Iterator[Finding]:
    place = choice.places[disk.target]
    if place is Place.INTERNAL:
        yield blocker(
            "mixed-disks",
            QT_TRANSLATE_NOOP(
                "doctor", "libvirt cannot hold disk {target} inside its image while others are external."
            ).format(target=disk.target),
        )
    if place is Place.NONE and disk.writable and not choice.disk_only:
        yield blocker(
            "memory-without-disk",
            QT_TRANSLATE_NOOP(
                "doctor",
                "Disk {target} is left out, but the memory is saved: after going back they would not fit together.",
            ).format(target=disk.target),
            QT_TRANSLATE_NOOP("doctor", "Leave the memory out as well, or take the disk in."),
        )
    if place is Place.EXTERNAL and disk.transient:
        yield _transient(facts, disk)
    if place is Place.EXTERNAL and disk.shareable:
        yield _shared(facts, disk)
    if place is Place.EXTERNAL and not facts.places:
        yield blocker(
            "no-place",
            QT_TRANSLATE_NOOP(
                "doctor", "No directory is known in which an overlay for disk {target} could lie."
            ).format(target=disk.target),
        )


def _general_findings(facts: Facts) -> Iterator[Finding]:
    for disk in facts.machine.disks:
        if disk.device in {"disk", "lun"} and disk.read_only:
            text = QT_TRANSLATE_NOOP("doctor", "Disk {target} is read-only; snapshots leave it out.")
            yield _note("read-only-disk", text.format(target=disk.target))
    depth = sum(1 for name in facts.tree.path(facts.tree.current) if facts.tree[name].kind is not Kind.INTERNAL)
    if depth >= DEEP:
        text = QT_TRANSLATE_NOOP(
            "doctor", "The VM runs on a chain of {depth} images; libvirt before 12.0 may not start it."
        )
        fix = QT_TRANSLATE_NOOP("doctor", "Delete snapshots that are no longer needed: their images are merged.")
        yield Finding("chain-depth", Severity.WARNING, text.format(depth=depth), fix)
    if facts.machine.tpm:
        yield _note(
            "tpm", QT_TRANSLATE_NOOP("doctor", "The VM has a TPM; its state is saved only together with the memory.")
        )
    yield from written_base_findings(facts, Severity.WARNING)
    yield from _lost_findings(facts)
    if not facts.vm.persistent:
        text = QT_TRANSLATE_NOOP("doctor", "{vm} exists only while it runs: its snapshots will be gone when it ends.")
        yield Finding("transient-vm", Severity.WARNING, text.format(vm=facts.vm.name))
    kept = [snapshot for snapshot in facts.tree if snapshot.safety]
    if kept:
        oldest = min(snapshot.created for snapshot in kept).astimezone()
        text = QT_TRANSLATE_NOOP("doctor", "Snapshots that were taken before reverts: {count}, the oldest of {when}.")
        fix = QT_TRANSLATE_NOOP("doctor", "Delete those that are no longer needed.")
        yield _note("safety-snapshots", text.format(count=len(kept), when=f"{oldest:%Y-%m-%d}"), fix)
    if facts.vm.state.active and not facts.agent:
        yield _note(
            "no-agent",
            QT_TRANSLATE_NOOP(
                "doctor", "No guest agent answers: file systems cannot be quiesced, the clock not be set."
            ),
            QT_TRANSLATE_NOOP("doctor", "Install and start qemu-guest-agent in the guest."),
        )


def _memory_format_findings(facts: Facts, choice: Choice) -> Iterator[Finding]:
    """Measured: what is left of the pause of a live save is the closing of the memory file (libvirt-facts 3)."""
    live = choice.memory is MemoryWish.LIVE and facts.capabilities.libvirt >= SPARSE_MEMORY
    if not live or facts.memory_format == "sparse":
        return
    text = QT_TRANSLATE_NOOP(
        "doctor", "The host can be set to a format of memory files that shortens the guest's pause."
    )
    fix = QT_TRANSLATE_NOOP(
        "doctor", 'Write snapshot_image_format = "sparse" into qemu.conf there, and restart libvirt.'
    )
    yield _note("memory-format", text, fix)


def _lost_findings(facts: Facts) -> Iterator[Finding]:
    for snapshot in facts.tree:
        if snapshot.kind is Kind.INTERNAL:
            continue
        files = [disk.source for disk in snapshot.disks if disk.place is Place.EXTERNAL]
        for path in (*files, *([snapshot.memory_file] if snapshot.memory_file else ())):
            if is_missing(facts, path):
                text = QT_TRANSLATE_NOOP("doctor", "“{name}” cannot be gone back to: a file is missing: {path}.")
                yield Finding("file-missing", Severity.WARNING, text.format(name=snapshot.label, path=path))


def written_base_findings(facts: Facts, severity: Severity = Severity.BLOCKER) -> Iterator[Finding]:
    """Return who is based on an image that this VM writes to whenever it runs."""
    yield from clone_findings(
        facts,
        (disk.source for disk in facts.machine.disks if disk.writable),
        QT_TRANSLATE_NOOP(
            "doctor",
            "{clones} is based on an image that this VM writes to: {path}. Every write may destroy {clones}.",
        ),
        QT_TRANSLATE_NOOP(
            "doctor",
            "{clones} are based on images that this VM writes to: {path}. Every write may destroy them.",
        ),
        severity,
    )


def _note(code: str, text: Text, fix: Text | None = None) -> Finding:
    return Finding(code, Severity.NOTE, text, fix)


def _mixing_findings(facts: Facts, choice: Choice) -> Iterator[Finding]:
    if not facts.tree.kinds - {choice.kind}:
        return
    text = (
        QT_TRANSLATE_NOOP(
            "doctor",
            "The VM has external snapshots. An internal one among them ties their files together: going back to one "
            "below an overlay is refused, because it would destroy all overlays above.",
        )
        if choice.kind is Kind.INTERNAL
        else QT_TRANSLATE_NOOP(
            "doctor",
            "The VM has internal snapshots. Under an external one they can no longer be reverted to or deleted: that "
            "would destroy the overlay.",
        )
    )
    yield Finding("mixed-kinds", Severity.WARNING, text)


def _quiesce_findings(facts: Facts, choice: Choice, *, quiesce: bool) -> Iterator[Finding]:
    if not quiesce or not facts.vm.state.active:
        return
    if not choice.disk_only:
        yield blocker(
            "quiesce-memory",
            QT_TRANSLATE_NOOP(
                "doctor", "Only snapshots without memory are quiesced; with memory nothing is lost anyway."
            ),
        )
    elif not facts.agent:
        yield blocker(
            "no-agent",
            QT_TRANSLATE_NOOP("doctor", "The guest agent does not answer, so file systems cannot be quiesced."),
            QT_TRANSLATE_NOOP(
                "doctor", "Install and start qemu-guest-agent in the guest, or take it without quiescing."
            ),
        )


def _file_findings(facts: Facts, choice: Choice) -> Iterator[Finding]:
    """A running VM still holds the files that somebody removed; one that is off cannot even be started."""
    sources = {disk.source: disk.target for disk in facts.machine.disks if disk.writable}
    for image, chain in facts.chains:
        for path in chain if image in sources else ():
            if is_missing(facts, path):
                text = QT_TRANSLATE_NOOP("doctor", "A file that disk {target} needs is missing: {path}.")
                severity = Severity.WARNING if facts.vm.state.active else Severity.BLOCKER
                yield Finding("file-missing", severity, text.format(target=sources[image], path=path))
    for place in facts.places if choice.kind is Kind.EXTERNAL else ():
        if place.writable is False:
            text = QT_TRANSLATE_NOOP("doctor", "You may not make new files in {directory}.")
            yield blocker("permissions", text.format(directory=place.path))


def own_base_findings(facts: Facts) -> Iterator[Finding]:
    """A revert that failed on the way may leave a VM on the image that its own snapshots are layered on."""
    if facts.capabilities.is_test_driver:
        return
    real = dict(facts.real)
    frozen = {
        real.get(disk.source, disk.source): snapshot.label
        for snapshot in facts.tree
        for disk in snapshot.disks
        if disk.place is Place.EXTERNAL
    }
    for disk in facts.machine.disks:
        name = frozen.get(real.get(disk.source, disk.source))
        if disk.writable and name is not None:
            text = QT_TRANSLATE_NOOP(
                "doctor", "Disk {target} lies in {path}, which holds “{name}”: to write to it would destroy that."
            )
            fix = QT_TRANSLATE_NOOP("doctor", "Do not start the VM; revert to a snapshot first.")
            yield blocker("own-base", text.format(target=disk.target, path=disk.source, name=name), fix)


def _space_findings(facts: Facts, choice: Choice) -> Iterator[Finding]:
    memory = None if choice.disk_only else facts.resident
    if choice.kind is Kind.INTERNAL:
        rooms = [("", facts.free, memory)]
    else:
        held = [d.source for d in facts.machine.disks if choice.places.get(d.target) is Place.EXTERNAL]
        places = [place_of(facts, source) for source in held]
        rooms = [(place.path, place.free, OVERLAY_BYTES) for place in dict.fromkeys(places)]
        rooms += [(place.path, place.free, memory) for place in places[:1]]  # the memory lies beside the first image
    for path, free, needed in rooms:
        if free is not None and needed is not None and free < needed:
            yield _too_little(path, free, needed)
            return


def _too_little(path: str, free: int, needed: int) -> Finding:
    there = QT_TRANSLATE_NOOP("doctor", "The snapshot may need {needed}, but only {free} are free in {place}.")
    beside = QT_TRANSLATE_NOOP("doctor", "The snapshot may need {needed}, but only {free} are free beside the image.")
    fix = QT_TRANSLATE_NOOP("doctor", "Free some space, or shut the VM down first: then no memory has to be saved.")
    text = (there if path else beside).format(needed=binary_size(needed), free=binary_size(free), place=path)
    return blocker("space", text, fix)


def busy_findings(facts: Facts) -> Iterator[Finding]:
    """Return what is being done to the VM's disks right now."""
    for target in facts.block_jobs:
        text = QT_TRANSLATE_NOOP("doctor", "Disk {target} is being copied or merged right now.")
        yield blocker(
            "block-job", text.format(target=target), QT_TRANSLATE_NOOP("doctor", "Wait until that has ended.")
        )


def _saved_state_findings(facts: Facts) -> Iterator[Finding]:
    if facts.managed_save:
        yield Finding(
            "managed-save",
            Severity.WARNING,
            QT_TRANSLATE_NOOP(
                "doctor", "The VM sleeps in a saved state. The snapshot will hold its disks, not the sleeping memory."
            ),
            QT_TRANSLATE_NOOP("doctor", "Start the VM first to have its memory in the snapshot, or discard it."),
            remedies=SLEEPING,
        )


def dotted(version: tuple[int, int, int]) -> str:
    """Return a version as people write it."""
    return ".".join(str(part) for part in version)
