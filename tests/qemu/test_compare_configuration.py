"""How a real VM was configured: snapshots against each other and against now, by what the user changed and no more."""

import subprocess

import libvirt
import pytest

from snapgui.hypervisor.configuration import differences
from snapgui.hypervisor.connection import Connection
from snapgui.model.difference import Change, ConfigChange
from snapgui.model.errors import Gone
from snapgui.operations.compare_configuration import configurations
from tests.qemu.commands import INTERNAL, ok
from tests.stacks.machines import Machine

MIB = 2**20
TYPED = "hunter2"
EXTERNAL = ("--kind", "external")


def virsh(machine: Machine, *arguments: str) -> None:
    subprocess.run(["virsh", "-q", "-c", machine.uri, *arguments], check=True, capture_output=True, timeout=60)


def compare(machine: Machine, before: str, after: str | None = None) -> tuple[ConfigChange, ...]:
    with Connection(machine.uri) as connection:
        return configurations(connection, machine.uuid, before, after).changes


def said(changes: tuple[ConfigChange, ...]) -> list[tuple[str, Change, str]]:
    return [(change.path, change.change, str(change.text)) for change in changes]


def test_what_was_changed_between_is_told(idle_guest: Machine) -> None:
    more = idle_guest.directory / "more.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", more, "3G"], check=True)
    ok(idle_guest.uri, "take", idle_guest.name, "a", *INTERNAL)
    assert compare(idle_guest, "a") == ()
    for command in ("setmaxmem", "setmem"):
        virsh(idle_guest, command, idle_guest.name, "512M", "--config")
    virsh(idle_guest, "attach-disk", idle_guest.name, str(more), "vdb", "--subdriver", "qcow2", "--config")
    changed = [
        ("memory", Change.CHANGED, "Memory 256 MiB → 512 MiB"),
        ("devices/disk[vdb]", Change.ADDED, "Disk vdb added (3 GiB …/more.qcow2)"),
    ]
    now = compare(idle_guest, "a")
    assert said(now) == changed
    assert (now[0].before, now[0].after) == (str(256 * MIB), str(512 * MIB))
    ok(idle_guest.uri, "take", idle_guest.name, "b", *INTERNAL)
    assert said(compare(idle_guest, "a", "b")) == changed
    assert [(c.path, c.change) for c in compare(idle_guest, "b", "a")] == [
        ("memory", Change.CHANGED),
        ("devices/disk[vdb]", Change.REMOVED),
    ]
    assert compare(idle_guest, "b") == ()
    with pytest.raises(Gone):
        compare(idle_guest, "a", "c")


def test_overlays_are_no_change_and_another_image_is(idle_guest: Machine) -> None:
    other = idle_guest.directory / "other.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", other, "1G"], check=True)
    for name in "ab":
        ok(idle_guest.uri, "take", idle_guest.name, name, *EXTERNAL)
    assert compare(idle_guest, "a") == ()
    assert compare(idle_guest, "a", "b") == ()
    with Connection(idle_guest.uri) as connection:
        goes_back = connection.capabilities().external_revert
    if goes_back:
        ok(idle_guest.uri, "revert", idle_guest.name, "a", "--no-safety")
        assert compare(idle_guest, "b") == (), "a revert goes on in another file"
        ok(idle_guest.uri, "delete", idle_guest.name, "b")
        assert compare(idle_guest, "a") == ()
    xml = idle_guest.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    source = next(line for line in xml.splitlines() if "<source file=" in line)
    idle_guest.connection.defineXML(xml.replace(source, f"<source file='{other}'/>", 1))
    found = compare(idle_guest, "a")
    assert [(c.path, c.before, c.after) for c in found] == [
        ("devices/disk[vda]/source", str(idle_guest.disk), str(other))
    ]


def test_no_password_is_shown(idle_guest: Machine) -> None:
    xml = idle_guest.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    display = f"<graphics type='vnc' autoport='yes' passwd='{TYPED}'/></devices>"
    idle_guest.connection.defineXML(xml.replace("</devices>", display))
    ok(idle_guest.uri, "take", idle_guest.name, "a", *INTERNAL)
    with Connection(idle_guest.uri) as connection:
        found = configurations(connection, idle_guest.uuid, "a")
    assert found.changes == ()
    shown = (found.before_xml, found.after_xml, found.before_folded, found.after_folded)
    assert all("vnc" in text and TYPED not in text for text in shown)


def test_a_running_guest_is_configured_as_its_live_snapshot(guest: Machine) -> None:
    ok(guest.uri, "take", guest.name, "a", *INTERNAL)
    assert compare(guest, "a") == ()
    live = guest.domain.XMLDesc(0)
    with Connection(guest.uri) as connection:
        found = configurations(connection, guest.uuid, "a")
    assert differences(live, found.after_xml).changes == (), "the live document has nothing but noise besides"
