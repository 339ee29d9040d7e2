"""What stands in the way of a clone, and what people should know before. Pure functions over facts."""

from snapgui.model.plan import Finding, Severity
from snapgui.model.records import Disk, Machine, Snapshot
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.doctor import blocker
from snapgui.operations.facts import Facts, is_missing
from snapgui.operations.outcome import binary_size
from snapgui.operations.surroundings import Surroundings


def clone_findings(
    facts: Facts,
    around: Surroundings,
    keep_host_devices: bool,
    snapshot: Snapshot | None,
    disks: tuple[Disk, ...],
    *,
    full: bool,
) -> tuple[Finding, ...]:
    """Return what matters before a clone is made; ``disks`` are those that it will have."""
    machine = facts.machine if snapshot is None else snapshot.machine
    found = [*_disk_findings(facts, machine, disks), *_device_findings(around, keep=keep_host_devices, tpm=machine.tpm)]
    if facts.managed_save and snapshot is None:
        text = QT_TRANSLATE_NOOP("doctor", "The VM sleeps in a saved state; the clone will start from its disks.")
        found.append(Finding("managed-save", Severity.WARNING, text))
    if not around.reachable:
        text = QT_TRANSLATE_NOOP(
            "doctor",
            "There are no storage pools here, and this user may not read the images and write beside them.",
        )
        found.append(blocker("no-road", text))
    for target in around.live_only if snapshot is None else ():
        text = QT_TRANSLATE_NOOP(
            "doctor", "Disk {target} is plugged in only until {vm} is switched off; the clone will be without it."
        )
        found.append(Finding("live-only", Severity.WARNING, text.format(target=target, vm=facts.vm.name)))
    if around.uri and around.place is None:
        text = QT_TRANSLATE_NOOP("doctor", "There is no storage pool on {uri} that the images could go to.")
        found.append(blocker("no-place", text.format(uri=around.uri)))
    return (*found, *(_room_findings(around) if full else ()))


def _disk_findings(facts: Facts, machine: Machine, disks: tuple[Disk, ...]) -> list[Finding]:
    found = []
    if not disks:
        found.append(blocker("no-disk", QT_TRANSLATE_NOOP("doctor", "There is no disk that a clone could be made of.")))
    held = {disk.target for disk in disks}
    for disk in machine.disks:
        if disk.writable and disk.source and disk.target not in held:
            text = QT_TRANSLATE_NOOP("doctor", "Disk {target} is not part of the snapshot.")
            found.append(blocker("disk-left-out", text.format(target=disk.target)))
    for disk in disks:
        if not disk.source.startswith("/"):
            text = QT_TRANSLATE_NOOP("doctor", "Disk {target} is not a file; it cannot be cloned here.")
            found.append(blocker("no-file", text.format(target=disk.target)))
        elif is_missing(facts, disk.source):
            text = QT_TRANSLATE_NOOP("doctor", "A file that disk {target} needs is missing: {path}.")
            found.append(blocker("file-missing", text.format(target=disk.target, path=disk.source)))
        if disk.shareable:
            text = QT_TRANSLATE_NOOP("doctor", "Disk {target} is shared with other VMs; the clone gets one of its own.")
            found.append(Finding("shared-disk", Severity.WARNING, text.format(target=disk.target)))
    return found


def _room_findings(around: Surroundings) -> list[Finding]:
    needed, place = around.allocated, around.place
    if needed is None or place is None or place.free is None or place.free >= needed:
        return []
    text = QT_TRANSLATE_NOOP("doctor", "The copy needs up to {needed}, but only {free} are free in {place}.")
    text = text.format(needed=binary_size(needed), free=binary_size(place.free), place=place.path)
    return [blocker("space", text)]


def _device_findings(around: Surroundings, *, keep: bool, tpm: bool) -> list[Finding]:
    gone = QT_TRANSLATE_NOOP("doctor", "The clone will be without a device of the host: {device}.")
    shared = QT_TRANSLATE_NOOP(
        "doctor", "The clone shares a device of the host with its source: {device}. Only one of them can run at a time."
    )
    sentence = shared if keep else gone
    found = [Finding("host-device", Severity.WARNING, sentence.format(device=device)) for device in around.host_devices]
    if around.own_arguments:
        text = QT_TRANSLATE_NOOP(
            "doctor", "The VM has QEMU arguments of its own; the clone gets the same, whatever they name."
        )
        found.append(Finding("own-arguments", Severity.WARNING, text))
    if tpm:
        text = QT_TRANSLATE_NOOP(
            "doctor", "The clone will have a new, empty TPM: what the old one sealed, such as disk keys, stays closed."
        )
        found.append(Finding("new-tpm", Severity.WARNING, text))
    return found
