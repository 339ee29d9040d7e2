"""Clones to another hypervisor: read here, written there, through libvirt alone where the files cannot be seen."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import libvirt
import pytest

from tests.qemu.commands import INTERNAL, ok, refused, result, wait_until
from tests.qemu.images import is_sound, write_pattern
from tests.qemu.test_clone import UNDEFINE, content, images
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack


@pytest.fixture
def there(second_stack: Stack) -> Iterator[libvirt.virConnect]:
    """The other hypervisor, with a pool of its own."""
    connection = libvirt.open(second_stack.uri)
    place = second_stack.images / "arrivals"
    place.mkdir()
    pool = connection.storagePoolCreateXML(
        f"<pool type='dir'><name>default</name><target><path>{place}</path></target></pool>", 0
    )
    yield connection
    pool.destroy()
    for path in place.iterdir():
        path.unlink()
    place.rmdir()
    connection.close()


@contextmanager
def sent(machine: Machine, source: str, stack: Stack, there: libvirt.virConnect, *options: str) -> Iterator[list[str]]:
    """Clone to the other hypervisor over the network; yield the images there."""
    made = result(machine.uri, "clone", source, "arrived", "--to", stack.remote_uri, *options)
    domain = there.lookupByUUIDString(made["vm"]["uuid"])
    try:
        assert [disk["file"] for disk in made["disks"]] == images(domain)
        assert not made["linked"]
        yield images(domain)
    finally:
        assert all(is_sound(Path(path)) for path in images(domain))
        domain.undefineFlags(UNDEFINE)


def sums(machine: Machine) -> dict[str, str]:
    paths = (path for path in machine.directory.iterdir() if path.suffix == ".qcow2")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_of_a_stopped_vm_and_its_snapshots(idle_guest: Machine, second_stack: Stack, there: libvirt.virConnect) -> None:
    vm = idle_guest.name
    write_pattern(idle_guest.disk, 1)
    ok(idle_guest.uri, "take", vm, "inside", *INTERNAL)
    write_pattern(idle_guest.disk, 2)
    before, now = sums(idle_guest), content(idle_guest.disk)
    inside = content(idle_guest.disk, "-l", "snapshot.name=inside")
    with sent(idle_guest, vm, second_stack, there) as (image,):
        assert content(image) == now
        assert Path(image).parent == second_stack.images / "arrivals"
    with sent(idle_guest, f"{vm}@inside", second_stack, there) as (image,):
        assert content(image) == inside
    with sent(idle_guest, vm, second_stack, there, "--with-snapshots") as (image,):
        assert content(image) == now
        assert content(image, "-l", "snapshot.name=inside") == inside
        assert there.lookupByName("arrived").snapshotListNames() == ["inside"]
    assert sums(idle_guest) == before


def test_of_a_running_vm_and_its_external_snapshot(
    guest: Machine, second_stack: Stack, there: libvirt.virConnect
) -> None:
    guest.channel.run("echo then >/data/mark; sync")
    ok(guest.uri, "take", guest.name, "before", "--kind", "external", "--memory", "none")
    frozen, files = content(guest.disk), sorted(sums(guest))
    guest.channel.run("echo now >/data/mark; sync")
    with sent(guest, f"{guest.name}@before", second_stack, there) as (image,):
        assert content(image) == frozen
    counter = guest.channel.counter()
    with sent(guest, guest.name, second_stack, there) as (image,):
        wait_until(lambda: guest.channel.counter() > counter, "the source runs on")
        assert content(image) != frozen
    assert sorted(sums(guest)) == files, "what was only needed on the way is gone"
    assert content(guest.disk) == frozen


def test_what_is_refused_changes_nothing(idle_guest: Machine, second_stack: Stack, there: libvirt.virConnect) -> None:
    uri, vm, to = idle_guest.uri, idle_guest.name, ("--to", second_stack.remote_uri)
    assert "cannot be layered on those of another" in refused(uri, "clone", vm, "x", "--linked", *to)
    assert "There is no active pool “nowhere”" in refused(uri, "clone", vm, "x", "--pool", "nowhere", *to)
    assert refused(uri, "clone", vm, "x", "--to", "qemu+tcp://127.0.0.1:1/system").startswith(
        "The hypervisor cannot be"
    )
    with sent(idle_guest, vm, second_stack, there):
        assert refused(uri, "clone", vm, "arrived", *to) == "There is already a VM named “arrived”."
    assert idle_guest.connection.listStoragePools() == []
