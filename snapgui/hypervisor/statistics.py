"""Numbers about a running save that libvirt gives without waiting for the save to end.

Measured (libvirt-facts 2): during an internal save job statistics, block info and memory statistics wait for its
end; the growth of the image that takes the VM state does not.
"""

import contextlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import libvirt

from snapgui.hypervisor.connection import Connection
from snapgui.model.records import Machine

PAGE = 4096
SECTOR = 512
"""Bytes per unit of ``st_blocks``, whatever the file system's block size (POSIX stat(2))."""


@dataclass(frozen=True, slots=True)
class JobNumbers:
    """How far a save of memory into a file is, in bytes, bytes per second and seconds."""

    total: int
    remaining: int
    processed: int
    rate: int = 0
    dirty_rate: int = 0
    passes: int = 0
    complete: bool = False
    disk: str = ""

    @property
    def fraction(self) -> float | None:
        """The share that is saved: exact, but it jumps at the end, where untouched pages cost nothing."""
        return None if self.total <= 0 else 1.0 - self.remaining / self.total


def job_numbers(connection: Connection, vm_uuid: str) -> JobNumbers | None:
    """Return the numbers of the running job, or None where there is none.

    Ask no earlier than 150 ms after the save was begun: a question before that waits for its end (libvirt-facts 3).
    """
    domain = connection.domain(vm_uuid)
    try:
        numbers = domain.jobStats(0)
    except libvirt.libvirtError:
        return None
    return _job_numbers(numbers)


def completed_numbers(connection: Connection, vm_uuid: str) -> JobNumbers | None:
    """Return libvirt's own numbers of the job that ended last."""
    domain = connection.domain(vm_uuid)
    try:
        numbers = domain.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)
    except libvirt.libvirtError:
        return None
    return _job_numbers(numbers)


def _job_numbers(numbers: dict[str, int]) -> JobNumbers | None:
    kind = numbers.get("type", libvirt.VIR_DOMAIN_JOB_NONE)
    if kind == libvirt.VIR_DOMAIN_JOB_NONE or "memory_total" not in numbers:
        return None
    return JobNumbers(
        total=numbers["memory_total"],
        remaining=numbers.get("memory_remaining", 0),
        processed=numbers.get("data_processed", numbers.get("memory_processed", 0)),
        rate=numbers.get("memory_bps", 0),
        dirty_rate=numbers.get("memory_dirty_rate", 0) * numbers.get("memory_page_size", PAGE),
        passes=numbers.get("memory_iteration", 0),
        complete=kind == libvirt.VIR_DOMAIN_JOB_COMPLETED,
    )


class Merge:
    """Asks how far the merging of images is, summed over disks; one that is merged is not forgotten."""

    def __init__(self, targets: Iterable[str]) -> None:
        self._seen: dict[str, tuple[int, int]] = dict.fromkeys(targets, (0, 0))

    def __call__(self, connection: Connection, vm_uuid: str) -> JobNumbers | None:
        """Return the numbers, with the disk that is being merged now; None before anything is."""
        domain = connection.domain(vm_uuid)
        now = ""
        for target, (_, end) in self._seen.items():
            info: dict[str, int] = {}
            with contextlib.suppress(libvirt.libvirtError):
                info = domain.blockJobInfo(target, 0) or {}
            if info:
                self._seen[target] = (info.get("cur", 0), info.get("end", 0))
                now = now or target
            else:
                self._seen[target] = (end, end)
        done, total = (sum(numbers) for numbers in zip(*self._seen.values(), strict=True))
        return JobNumbers(total, total - done, done, disk=now) if total else None


def resident_memory(connection: Connection, vm_uuid: str) -> int | None:
    """Return how many bytes of the guest's RAM are really in use on the host, or None where nobody tells.

    Call it before a save: during one it waits.
    """
    domain = connection.domain(vm_uuid)
    with contextlib.suppress(libvirt.libvirtError):
        most = int(domain.maxMemory()) * 1024
        resident = domain.memoryStats().get("rss")
        return None if resident is None else min(int(resident) * 1024, most)
    return None


def allocated(connection: Connection, paths: Iterable[str]) -> int | None:
    """Return the bytes on disk of image files together: locally where they can be seen, else by their volumes."""
    total, local = 0, is_local(connection)
    for path in paths:
        size = _local(path) if local else None
        if size is None:
            size = _volume(connection, path)
        if size is None:
            return None
        total += size
    return total


def block_jobs(connection: Connection, vm_uuid: str, machine: Machine) -> tuple[str, ...]:
    """Return the disks of a running VM that are being copied or merged right now."""
    domain = connection.domain(vm_uuid)
    busy = []
    for disk in machine.disks:
        with contextlib.suppress(libvirt.libvirtError):
            if disk.writable and domain.blockJobInfo(disk.target, 0):
                busy.append(disk.target)
    return tuple(busy)


def image_paths(machine: Machine) -> tuple[str, ...]:
    """Return the files of the writable disks of a VM."""
    return tuple(disk.source for disk in machine.disks if disk.writable and disk.source.startswith("/"))


def is_local(connection: Connection) -> bool:
    """Whether paths of the hypervisor are paths of this machine."""
    return is_local_uri(connection.uri)


def is_local_uri(uri: str) -> bool:
    """Whether an address is that of a hypervisor of this machine."""
    scheme, _, rest = uri.partition("://")
    return "+" not in scheme and rest.startswith("/")


def _local(path: str) -> int | None:
    """A block device is taken as a whole; who may not open it asks libvirt."""
    with contextlib.suppress(OSError):
        status = Path(path).stat()
        if not stat.S_ISBLK(status.st_mode):
            return status.st_blocks * SECTOR
        with Path(path).open("rb") as device:
            return device.seek(0, os.SEEK_END)
    return None


def _volume(connection: Connection, path: str) -> int | None:
    with contextlib.suppress(libvirt.libvirtError):
        return int(connection.libvirt.storageVolLookupByPath(path).info()[2])
    return None
