"""Clones on real hypervisors: from every source, linked and full; the source is unchanged, the clone is another VM."""

import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import libvirt
import pytest
from lxml import etree

from snapgui.demo.guest import GuestChannel
from tests.qemu.commands import ok, refused, result, wait_until
from tests.qemu.images import is_sound
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack

UNDEFINE = libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM


def content(image: Path | str, *more: str) -> str:
    """The SHA-256 of a disk as a guest sees it, from an image and its bases."""
    raw = Path(f"/tmp/{uuid4()}.raw")
    try:
        subprocess.run(["qemu-img", "convert", "-U", "-f", "qcow2", *more, "-O", "raw", image, raw], check=True)
        with raw.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    finally:
        raw.unlink(missing_ok=True)


@contextmanager
def cloned(machine: Machine, source: str, *options: str) -> Iterator[tuple[libvirt.virDomain, list[str]]]:
    """Make a clone; yield its domain and its files; remove it at the end."""
    name = f"clone-{uuid4().hex[:8]}"
    made = result(machine.uri, "clone", source, name, *options)
    domain = machine.connection.lookupByUUIDString(made["vm"]["uuid"])
    try:
        yield domain, [disk["file"] for disk in made["disks"]]
    finally:
        if domain.isActive():
            domain.destroy()
        assert all(is_sound(Path(file)) for file in images(domain))
        domain.undefineFlags(UNDEFINE)


def images(domain: libvirt.virDomain) -> list[str]:
    root = etree.fromstring(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    return [source.get("file") for source in root.iterfind("devices/disk[@device='disk']/source")]


def unique(domain: libvirt.virDomain) -> set[str]:
    """What may exist only once: UUID, name, MAC addresses, images of writable disks."""
    root = etree.fromstring(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    macs = [mac.get("address") for mac in root.iterfind("devices/interface/mac")]
    return {domain.UUIDString(), domain.name(), *macs, *images(domain)}


@contextmanager
def guest_of(domain: libvirt.virDomain, machine: Machine) -> Iterator[GuestChannel]:
    """The clone's own command channel: its serial port ends nowhere until it gets a socket."""
    path = machine.directory / f"c-{domain.name()[-8:]}"
    root = etree.fromstring(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    ports = root.findall("devices/serial")
    for tag in ("serial", "console"):
        for port in root.findall(f"devices/{tag}"):
            if port is ports[-1]:
                port.set("type", "unix")
                for source in port.findall("source"):
                    port.remove(source)
                etree.SubElement(port, "source", mode="bind", path=str(path))
    machine.connection.defineXML(etree.tostring(root, encoding="unicode"))
    channel = GuestChannel(path)
    domain.create()
    try:
        channel.wait_until_up(120)
        yield channel
    finally:
        channel.close()


def test_in_full_of_a_running_vm(guest: Machine) -> None:
    guest.channel.run("echo now >/data/mark; sync")
    before = guest.channel.counter()
    with cloned(guest, guest.name, "--full") as (domain, _):
        wait_until(lambda: guest.channel.counter() > before, "the source was never stopped")
        assert guest.domain.snapshotNum() == 0
        with guest_of(domain, guest) as clone:
            assert clone.read_file("/data/mark") == "now\n"


def test_linked_to_a_running_vm(guest: Machine) -> None:
    guest.channel.run("echo now >/data/mark; sync")
    with cloned(guest, guest.name, "--linked") as (domain, _):
        (frozen,) = guest.domain.snapshotListNames()
        assert frozen.startswith("base-of-clone-")
        with guest_of(domain, guest) as clone:
            assert clone.read_file("/data/mark") == "now\n"
        guest.channel.run("echo later >/data/mark; sync")
        assert "based on an image" in refused(guest.uri, "delete", guest.name, frozen)


def test_what_is_refused_changes_nothing(stack: Stack, idle_guest: Machine) -> None:
    uri, vm = idle_guest.uri, idle_guest.name
    there = sorted(path.name for path in idle_guest.directory.iterdir())
    assert refused(uri, "clone", vm, vm) == f"There is already a VM named “{vm}”."
    assert refused(uri, "clone", f"{vm}@nothing", "x") == f"There is no snapshot “nothing” of {vm}."
    assert refused(uri, "clone", vm, "a/b").endswith("cannot be the name of a VM.")
    assert "There is no active pool “nowhere”" in refused(uri, "clone", vm, "x", "--pool", "nowhere")
    (idle_guest.directory / "x-vda.qcow2").write_bytes(b"precious")
    with cloned(idle_guest, vm, "--full") as (_, files):
        assert (idle_guest.directory / "x-vda.qcow2").read_bytes() == b"precious"
        assert Path(files[0]).name.startswith("clone-")
    made = {Path(files[0]).name, "x-vda.qcow2"}
    assert sorted(path.name for path in idle_guest.directory.iterdir()) == sorted({*there, *made})


@pytest.mark.parametrize("runs", [True, False], ids=["running", "off"])
def test_a_flattened_clone_lets_its_base_go(stack: Stack, guest: Machine, runs: bool) -> None:
    guest.channel.run("echo then >/data/mark; sync")
    ok(guest.uri, "take", guest.name, "before", "--kind", "external", "--memory", "none")
    with cloned(guest, f"{guest.name}@before", "--linked") as (domain, files):
        sentence = refused(guest.uri, "delete", guest.name, "before")
        assert sentence.startswith(f"{domain.name()} is based on an image of “before”")
        before = content(files[0])
        if runs:
            domain.create()
        ok(guest.uri, "flatten", domain.name())
        assert bool(domain.isActive()) is runs
        ok(guest.uri, "delete", guest.name, "before")
        if runs:
            domain.destroy()
        else:
            assert content(files[0]) == before
        assert refused(guest.uri, "flatten", domain.name()) == f"{domain.name()} depends on no other image."
        with guest_of(domain, guest) as clone:
            assert clone.read_file("/data/mark") == "then\n"
