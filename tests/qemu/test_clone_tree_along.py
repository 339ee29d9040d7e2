"""A clone that carries its snapshots along: going back to them gives what going back on the source gives."""

from pathlib import Path

import libvirt
import pytest

from tests.qemu.commands import INTERNAL, ok, refused, result
from tests.qemu.images import holds_pattern, write_pattern
from tests.qemu.test_clone import cloned, content, guest_of, images
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack

ALONG = ("--with-snapshots",)


def names(domain: libvirt.virDomain) -> list[str]:
    return sorted(domain.snapshotListNames())


def test_internal_snapshots_come_along(guest: Machine) -> None:
    guest.channel.run("echo then >/data/mark; sync; echo memory >/tmp/mark")
    ok(guest.uri, "take", guest.name, "running", *INTERNAL)
    guest.channel.run("echo now >/data/mark; sync")
    assert "stand still only while" in refused(guest.uri, "clone", guest.name, "x", *ALONG)
    guest.domain.destroy()
    ok(guest.uri, "take", guest.name, "off", "--description", "kept <&>")
    before = {name: content(guest.disk, "-l", f"snapshot.name={name}") for name in ("running", "off")}
    sums = guest.disk.read_bytes()
    with cloned(guest, guest.name, *ALONG) as (domain, _):
        (image,) = images(domain)
        tree = result(guest.uri, "tree", domain.name())
        assert [each["name"] for each in tree["snapshots"]] == ["running", "off"]
        assert (tree["current"], tree["snapshots"][1]["description"]) == ("off", "kept <&>")
        assert all(each["disks"][0]["source"] == image for each in tree["snapshots"])
        assert {name: content(image, "-l", f"snapshot.name={name}") for name in before} == before
        assert guest.disk.read_bytes() == sums
        with guest_of(domain, guest) as clone:
            assert clone.read_file("/data/mark") == "now\n"
        ok(guest.uri, "revert", domain.name(), "running", "--no-safety", "--then", "paused")
        assert domain.isActive()
        assert content(image, "-l", "snapshot.name=off") == before["off"]
        assert content(image) == before["running"]
        domain.destroy()
        ok(guest.uri, "delete", domain.name(), "running", "off")
        assert guest.domain.snapshotNum() == 2


def test_external_snapshots_come_along(stack: Stack, guest: Machine) -> None:
    guest.channel.run("echo then >/data/mark; sync")
    ok(guest.uri, "take", guest.name, "disk", "--kind", "external", "--memory", "none")
    guest.channel.run("echo later >/data/mark; sync")
    ok(guest.uri, "take", guest.name, "memory", "--kind", "external", "--memory", "paused")
    guest.domain.destroy()
    files = {path: path.read_bytes() for path in guest.directory.iterdir() if path.suffix in {".qcow2", ".mem"}}
    with cloned(guest, guest.name, *ALONG) as (domain, _):
        (image,) = images(domain)
        mine = {record["path"] for record in result(guest.uri, "lineage")["images"] if record["base"]}
        assert image in mine
        chain = _chain(guest.uri, image)
        assert len(chain) == 3
        assert not set(chain) & {str(path) for path in files}
        assert {path: path.read_bytes() for path in files} == files
        tree = result(guest.uri, "tree", domain.name())
        assert [each["name"] for each in tree["snapshots"]] == ["disk", "memory"]
        if stack.native_external:
            ok(guest.uri, "revert", domain.name(), "memory", "--no-safety")
            assert domain.isActive()
            ok(guest.uri, "revert", domain.name(), "disk", "--no-safety", "--then", "off")
            with guest_of(domain, guest) as clone:
                assert clone.read_file("/data/mark") == "then\n"
        assert {path: path.read_bytes() for path in files} == files


def _chain(uri: str, image: str) -> list[str]:
    bases = {record["path"]: record["base"] for record in result(uri, "lineage")["images"]}
    found = []
    path: str | None = image
    while path is not None:
        found.append(path)
        path = bases[path]
    return found


@pytest.mark.parametrize("wish", ["--linked", "@snapshot"])
def test_what_cannot_be_carried_is_said(idle_guest: Machine, wish: str) -> None:
    ok(idle_guest.uri, "take", idle_guest.name, "one")
    if wish == "--linked":
        said = refused_usage(idle_guest.uri, "clone", idle_guest.name, "x", *ALONG, wish)
        assert "does not go with --linked" in said
    else:
        said = refused(idle_guest.uri, "clone", f"{idle_guest.name}@one", "x", *ALONG)
        assert said.startswith("The snapshots come along only with the VM as it is now")


def refused_usage(uri: str, *arguments: str) -> str:
    from tests.qemu.commands import snapgui

    said = snapgui(uri, *arguments)
    assert said.status == 2
    return said.err


def test_the_clone_and_its_source_stay_apart(idle_guest: Machine) -> None:
    write_pattern(idle_guest.disk, 5)
    ok(idle_guest.uri, "take", idle_guest.name, "one")
    with cloned(idle_guest, idle_guest.name, *ALONG) as (domain, _):
        (image,) = images(domain)
        write_pattern(Path(image), 6)
        assert holds_pattern(idle_guest.disk, 5)
        ok(idle_guest.uri, "revert", domain.name(), "one", "--no-safety")
        assert holds_pattern(Path(*images(domain)), 5)
        assert names(domain) == names(idle_guest.domain) == ["one"]
