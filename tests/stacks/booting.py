"""Boots guests. What has booted before from the very same disks goes on from where that stood when it had booted.

To boot costs seconds in software emulation, to load the guest's RAM a fraction of it. A VM counts as the same if its
configuration and every byte in its directory are, apart from its name, its UUID and its directory.
"""

import os
import re
import shutil
import struct
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import libvirt

from snapgui.demo.guest import GuestChannel
from tests.stacks.privileges import as_root

BOOT_TIMEOUT_S = 120.0
LARGEST = 2**24
"""VMs with more bytes than this in their directory just boot."""
HEADER = struct.Struct("<16s2I")
"""Of what libvirt saves: magic, version, length of the description that follows after `DESCRIBED_AT` bytes."""
DESCRIBED_AT = 92


@dataclass
class BootedGuests:
    """The guests that have booted on one daemon, by what they booted from.

    Attributes: `directory`, where they are kept; `saved`, where the daemon looks for what a VM goes on from.
    """

    directory: Path
    saved: Path
    _met: set[str] = field(default_factory=set)

    def start(self, domain: libvirt.virDomain, directory: Path, channel: GuestChannel) -> None:
        """Start a VM that is off, and wait until its guest takes commands; all its files lie in `directory`."""
        origin = _origin(domain, directory)
        kept = self.directory / origin
        if not kept.is_dir():
            domain.create()
            channel.wait_until_up(BOOT_TIMEOUT_S)
            if origin not in self._met:
                self._met.add(origin)
                return
            self._keep(kept, domain, directory)  # it is no single one, so others will come
        self._go_on(kept, domain, directory)
        channel.wait_until_up(BOOT_TIMEOUT_S)
        channel.run(f"date -s @{time.time():.0f}")

    def _keep(self, kept: Path, domain: libvirt.virDomain, directory: Path) -> None:
        """Save a guest that has just booted, with its disks; it is off then."""
        unfinished = kept.with_suffix(".unfinished")
        (unfinished / "files").mkdir(parents=True)
        domain.managedSave()
        ram = unfinished / "ram"
        as_root("ln", str(self.saved / f"{domain.name()}.save"), str(ram))
        as_root("chown", f"{os.getuid()}:{os.getgid()}", str(ram))
        domain.managedSaveRemove()
        for path in directory.iterdir():
            if path.is_file():
                shutil.copyfile(path, unfinished / "files" / path.name)
        unfinished.rename(kept)

    def _go_on(self, kept: Path, domain: libvirt.virDomain, directory: Path) -> None:
        """Let a VM go on as the one that was kept; its disks become as they were then."""
        for path in (kept / "files").iterdir():
            shutil.copyfile(path, directory / path.name)
        _describe(kept / "ram", domain, directory)
        as_root("ln", str(kept / "ram"), str(self.saved / f"{domain.name()}.save"))
        domain.create()


def _origin(domain: libvirt.virDomain, directory: Path) -> str:
    """Return what stands for all that the guest boots from; of its own kind if that is too much, or unusual."""
    paths = sorted(path for path in directory.iterdir() if not path.is_socket())
    unusual = domain.hasManagedSaveImage() or not all(path.is_file() for path in paths)
    if unusual or sum(path.stat().st_size for path in paths) > LARGEST:
        return str(uuid4())
    told = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
    for own_part, common in _own_parts(domain, directory):
        told = told.replace(own_part, common)
    told += "".join(f"{path.name} {sha256(path.read_bytes()).hexdigest()}\n" for path in paths)
    return sha256(told.encode()).hexdigest()


def _own_parts(domain: libvirt.virDomain, directory: Path) -> list[tuple[str, str]]:
    """Return what is of this VM alone, each with what it is called in general; longer ones first."""
    return [(str(directory), "DIRECTORY"), (domain.UUIDString(), "UUID"), (domain.name(), "NAME")]


def _describe(ram: Path, domain: libvirt.virDomain, directory: Path) -> None:
    """Put a VM's name, UUID and directory, always as long, in place of those of whoever went on from here before."""
    with ram.open("r+b") as file:
        _, _, length = HEADER.unpack(file.read(HEADER.size))
        file.seek(DESCRIBED_AT)
        described = file.read(length)
        (name,) = re.findall(rb"<name>(.*?)</name>", described)[:1]
        (uuid,) = re.findall(rb"<uuid>(.*?)</uuid>", described)[:1]
        place = bytes(directory.parent) + b"/" + name
        changed = described.replace(place, bytes(directory)).replace(uuid, domain.UUIDString().encode())
        changed = changed.replace(b"<name>" + name + b"</name>", b"<name>" + domain.name().encode() + b"</name>")
        assert len(changed) == length
        file.seek(DESCRIBED_AT)
        file.write(changed)
