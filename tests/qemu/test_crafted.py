"""Images that name files in unusual ways, or that guests and others write to while they are copied."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from snapgui.cli.main import main
from snapgui.hypervisor import inventory
from snapgui.hypervisor.connection import Connection
from tests.qemu.commands import refused, result, running, wait_for_report
from tests.qemu.images import PLACE
from tests.qemu.matrix import RAW, add_device
from tests.qemu.test_bases import CLONE
from tests.qemu.test_clone import UNDEFINE, content
from tests.stacks.access import WAYS, access_to
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack


@contextlib.contextmanager
def layered(machine: Machine, base: str) -> Iterator[str]:
    """Have a VM whose image names its base like this."""
    image = machine.directory / "layered.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", str(image)], check=True)
    domain = machine.connection.defineXML(CLONE.format(name=f"over-{machine.name}", file=image))
    try:
        yield domain.name()
    finally:
        domain.undefineFlags(UNDEFINE)


@pytest.mark.parametrize("way", ["file:{}", 'json:{{"driver":"qcow2","file":{{"driver":"file","filename":"{}"}}}}'])
def test_a_base_is_protected_however_it_is_named(idle_guest: Machine, way: str) -> None:
    with layered(idle_guest, way.format(idle_guest.disk)) as name:
        said = refused(idle_guest.uri, "remove", idle_guest.name, "--with-storage")
        assert f"{name} is based on an image of {idle_guest.name}: {idle_guest.disk}." in said
        lineage = {image["path"]: image["base"] for image in result(idle_guest.uri, "lineage")["images"]}
        assert lineage[str(idle_guest.directory / "layered.qcow2")] == str(idle_guest.disk)


@pytest.mark.parametrize("way", WAYS)
def test_what_a_guest_wrote_into_its_raw_disk_is_no_format(
    stack: Stack, idle_guest: Machine, user_home: Path, way: str
) -> None:
    """Else the clone would be given any file of the host that the guest names as its base."""
    secret, crafted = idle_guest.directory / "secret", idle_guest.directory / "crafted.img"
    secret.write_bytes(b"secret" + bytes(2**16 - 6))
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(secret), "-F", "raw", str(crafted)]
    subprocess.run(command, check=True)
    os.truncate(crafted, 2**20)
    crafted.chmod(0o600)
    add_device(idle_guest, RAW.format(path=crafted))
    made = result(access_to(stack, way, user_home), "clone", idle_guest.name, f"copy-{idle_guest.name}", "--full")
    (copy,) = (disk["file"] for disk in made["disks"] if disk["target"] == "vdb")
    try:
        raw = idle_guest.directory / "seen.img"
        subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", copy, str(raw)], check=True)
        seen, written = raw.read_bytes(), crafted.read_bytes()
        assert seen == written
    finally:
        idle_guest.connection.lookupByUUIDString(made["vm"]["uuid"]).undefineFlags(UNDEFINE)


def test_a_copy_of_what_changes_meanwhile_is_no_clone(idle_guest: Machine) -> None:
    """qemu-img takes no lock here: anybody can start the VM, and does so while it is copied."""
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", "write -P 7 0 400M", str(idle_guest.disk)], check=True, capture_output=True
    )
    before = sorted(idle_guest.directory.iterdir())
    copy = f"copy-{idle_guest.name}"
    with running(idle_guest.uri, "clone", idle_guest.name, copy, "--full", "--progress", "json") as process:
        wait_for_report(process, "copy")
        subprocess.run(
            ["qemu-io", "-f", "qcow2", "-c", f"write -P 9 {PLACE}", str(idle_guest.disk)],
            check=True,
            capture_output=True,
        )
        assert process.wait(60) == 1
    assert sorted(idle_guest.directory.iterdir()) == before
    assert copy not in {domain.name() for domain in idle_guest.connection.listAllDomains()}
    assert content(idle_guest.disk)


@contextlib.contextmanager
def another(machine: Machine) -> Iterator[tuple[libvirt.virDomain, Path]]:
    """Have a second VM with an empty disk of its own, in the same directory."""
    image = machine.directory / "another.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "1M"], check=True)
    domain = machine.connection.defineXML(CLONE.format(name=f"another-{machine.name}", file=image))
    try:
        yield domain, image
    finally:
        if domain.isActive():
            domain.destroy()
        domain.undefineFlags(UNDEFINE)


def test_what_was_plugged_into_a_running_vm_is_protected(idle_guest: Machine) -> None:
    """It is not in the configuration that the VM starts with next time."""
    with another(idle_guest) as (domain, image):
        idle_guest.domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        disk = RAW.format(path=image).replace("'raw'", "'qcow2'").replace("vdb", "vdz")
        idle_guest.domain.attachDeviceFlags(disk, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        said = refused(idle_guest.uri, "remove", domain.name(), "--with-storage")
        assert f"{idle_guest.name} is based on an image of {domain.name()}: {image}." in said
        uses = {each["path"]: each["used_by"] for each in result(idle_guest.uri, "lineage")["images"]}
        assert {use["vm"] for use in uses[str(image)]} == {idle_guest.name, domain.name()}


def test_a_base_that_the_configuration_names_is_protected(idle_guest: Machine) -> None:
    with another(idle_guest) as (domain, _):
        base = f"<backingStore type='file'><format type='qcow2'/><source file='{idle_guest.disk}'/></backingStore>"
        machine = domain.XMLDesc().replace("<target dev=", f"{base}<target dev=", 1)
        idle_guest.connection.defineXML(machine)
        said = refused(idle_guest.uri, "remove", idle_guest.name, "--with-storage")
        assert f"{domain.name()} is based on an image of {idle_guest.name}: {idle_guest.disk}." in said


def test_a_vm_that_is_started_at_the_last_moment_keeps_everything(
    idle_guest: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    undefine = inventory.undefine
    with another(idle_guest) as (domain, image):

        def started_before(connection: Connection, vm_uuid: str) -> None:
            domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
            undefine(connection, vm_uuid)

        monkeypatch.setattr(inventory, "undefine", started_before)
        assert main(["-c", idle_guest.uri, "remove", domain.name(), "--with-storage"]) == 1
        assert image.exists()
        assert domain.isPersistent()
