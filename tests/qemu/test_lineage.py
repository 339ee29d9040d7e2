"""Clones are found whoever made them: by their images, those of snapshots, and those of storage pools."""

import subprocess
from pathlib import Path

import libvirt

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
