"""What may exist only once: a clone of a VM with UEFI variables, devices of the host and fixed places."""

from pathlib import Path

import libvirt
from lxml import etree

from tests.qemu.commands import result
from tests.qemu.test_clone import UNDEFINE
from tests.stacks.access import Access
from tests.stacks.machines import Machine

DEVICES = """\
<devices>
  <controller type='usb' model='qemu-xhci'/>
  <hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>
  <graphics type='vnc' port='5999' autoport='no' listen='127.0.0.1'/>
</devices>"""


def equip(machine: Machine, variables: Path) -> None:
    """Give the VM, which is off and stays so, all that is hard to clone."""
    root = etree.fromstring(machine.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    system = root.find("os")
    loader = etree.SubElement(system, "loader", readonly="yes", type="pflash")
    loader.text = str(machine.directory / "CODE.fd")
    etree.SubElement(system, "nvram").text = str(variables)
    genid = etree.Element("genid")
    root.insert(2, genid)
    etree.SubElement(root.find("devices/disk"), "serial").text = "only-one"
    for hub in root.findall("devices/controller[@type='usb']"):
        hub.getparent().remove(hub)
    for device in etree.fromstring(DEVICES):
        root.find("devices").append(device)
    machine.connection.defineXML(etree.tostring(root, encoding="unicode"))


def test_everything_unique_is_new_or_gone(access: Access, idle_guest: Machine) -> None:
    variables = idle_guest.directory / "source_VARS.fd"
    variables.write_bytes(b"\0" * 65536 + b"variables" + b"\xff" * 1000)
    variables.chmod(0o600)
    equip(idle_guest, variables)
    source = etree.fromstring(idle_guest.connection.lookupByName(idle_guest.name).XMLDesc(0))
    name = f"clone-{access.way}-{idle_guest.name}"
    plan = result(access, "clone", idle_guest.name, name, "--full", "--dry-run")
    codes = {finding["code"]: finding["severity"] for finding in plan["findings"]}
    assert codes == {"host-device": "warning"}
    made = result(access, "clone", idle_guest.name, name, "--full")
    domain = idle_guest.connection.lookupByUUIDString(made["vm"]["uuid"])
    try:
        clone = etree.fromstring(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        nvram = Path(clone.findtext("os/nvram") or "")
        assert nvram != variables
        assert nvram.read_bytes() == variables.read_bytes()
        assert clone.findtext("genid") != source.findtext("genid")
        assert clone.find("devices/hostdev") is None
        assert clone.find("devices/disk/serial") is None
        assert clone.find("devices/graphics[@type='vnc']").get("port") in {None, "-1"}
    finally:
        domain.undefineFlags(UNDEFINE)
    kept = result(access, "clone", idle_guest.name, f"{name}-2", "--full", "--keep-host-devices")
    domain = idle_guest.connection.lookupByUUIDString(kept["vm"]["uuid"])
    try:
        assert etree.fromstring(domain.XMLDesc(0)).find("devices/hostdev") is not None
    finally:
        domain.undefineFlags(UNDEFINE)
    assert variables.exists()
