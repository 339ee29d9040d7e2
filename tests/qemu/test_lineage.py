"""Clones are found whoever made them: by their images, those of snapshots, and those of storage pools."""

import subprocess
from pathlib import Path

import libvirt

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.inventory import list_vms
from snapgui.hypervisor.statistics import is_local
from snapgui.model.lineage import Lineage
from snapgui.operations.lineage import Remembered, advance, in_pieces, read_lineage
from tests.qemu.commands import ok, result
from tests.stacks.machines import Machine


def layered(machine: Machine, name: str, base: Path) -> Path:
    path = machine.directory / name
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", path], check=True)
    return path


def test_clones_made_elsewhere_are_known(idle_guest: Machine) -> None:
    uri, vm = idle_guest.uri, idle_guest.name
    ok(uri, "take", vm, "before", "--kind", "external")
    overlay = next(idle_guest.directory.glob("*.before.qcow2"))
    clone = layered(idle_guest, "clone.qcow2", idle_guest.disk)
    volume = layered(idle_guest, "volume.qcow2", clone)
    pool = idle_guest.connection.storagePoolCreateXML(
        f"<pool type='dir'><name>{vm}</name><target><path>{idle_guest.directory}</path></target></pool>", 0
    )
    name = f"clone-{vm}"
    domain = idle_guest.connection.defineXML(
        f"<domain type='qemu'><name>{name}</name><memory>65536</memory><os><type>hvm</type></os><devices>"
        f"<disk type='volume'><driver name='qemu' type='qcow2'/><source pool='{vm}' volume='clone.qcow2'/>"
        "<target dev='vdb'/></disk></devices></domain>"
    )
    try:
        images = {image["path"]: image for image in result(uri, "lineage")["images"]}
        assert images[str(idle_guest.disk)]["used_by"] == [{"vm": vm, "target": "vda", "snapshot": "before"}]
        assert images[str(overlay)] == {
            "path": str(overlay),
            "format": "qcow2",
            "base": str(idle_guest.disk),
            "used_by": [{"vm": vm, "target": "vda", "snapshot": None}],
        }
        assert images[str(clone)]["used_by"] == [{"vm": name, "target": "vdb", "snapshot": None}]
        assert (images[str(clone)]["base"], images[str(volume)]["base"]) == (str(idle_guest.disk), str(clone))
        assert images[str(volume)]["used_by"] == []
        lines = ok(uri, "lineage").out.splitlines()
        assert f"{idle_guest.disk}  {vm} vda @ before" in lines
        assert f"├─ {clone}  {name} vdb" in lines
        assert f"│  └─ {volume}" in lines
    finally:
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
        pool.destroy()


def test_images_that_cannot_be_opened_here_are_read_through_their_pool(idle_guest: Machine) -> None:
    """As from another machine, and with an image that came after the pool had looked."""
    vm, connection = idle_guest.name, idle_guest.connection
    ok(idle_guest.uri, "take", vm, "before", "--kind", "external")
    pool = connection.storagePoolCreateXML(
        f"<pool type='dir'><name>{vm}</name><target><path>{idle_guest.directory}</path></target></pool>", 0
    )
    clone = layered(idle_guest, "clone.qcow2", Path(idle_guest.disk.name))
    domain = connection.defineXML(
        f"<domain type='qemu'><name>clone-{vm}</name><memory>65536</memory><os><type>hvm</type></os><devices>"
        f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{clone}'/><target dev='vda'/></disk>"
        "</devices></domain>"
    )
    try:
        with Connection(idle_guest.uri) as here, Connection(idle_guest.uri.replace("qemu:", "qemu+unix:")) as apart:
            assert not is_local(apart)
            found = read_lineage(apart)
            assert found.images == read_lineage(here).images
        assert found.images[str(clone)].base == str(idle_guest.disk)
        assert [(shoot.name, shoot.snapshot) for shoot in found.kinship(idle_guest.uuid).offshoots] == [
            (domain.name(), "before")
        ]
    finally:
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
        pool.destroy()


def test_a_second_reading_sees_what_has_changed_since(idle_guest: Machine) -> None:
    """What is remembered is believed only while the file is as it was: an image gets another base, and a name goes."""
    base, other = (
        layered(idle_guest, "base.qcow2", idle_guest.disk),
        layered(idle_guest, "other.qcow2", idle_guest.disk),
    )
    clone = layered(idle_guest, "clone.qcow2", base)
    pool = idle_guest.connection.storagePoolCreateXML(
        f"<pool type='dir'><name>{idle_guest.name}</name><target><path>{idle_guest.directory}</path></target></pool>", 0
    )
    remembered = Remembered()

    def read(connection: Connection) -> Lineage:
        found = advance(in_pieces(connection, list_vms(connection), remembered), None)
        assert found is not None
        return found

    try:
        with Connection(idle_guest.uri) as connection:
            assert read(connection).images[str(clone)].base == str(base)
            assert read(connection).images == read_lineage(connection).images
            rebase = ["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", other, clone]
            subprocess.run(rebase, check=True)
            assert read(connection).images[str(clone)].base == str(other)
            ok(idle_guest.uri, "take", idle_guest.name, "before", "--kind", "external")
            assert [use.snapshot for use in read(connection).images[str(idle_guest.disk)].used_by] == ["before"]
            clone.unlink()
            assert str(clone) not in read(connection).images
    finally:
        pool.destroy()
