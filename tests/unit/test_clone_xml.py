"""The document of a clone: nothing in it that may exist only once on a host."""

from dataclasses import replace

from lxml import etree

from snapgui.hypervisor.clone_xml import Identity, Image, clone_xml, host_devices

SOURCE = """\
<domain type='kvm' id='7'>
  <name>web01</name>
  <uuid>11111111-1111-1111-1111-111111111111</uuid>
  <genid>22222222-2222-2222-2222-222222222222</genid>
  <title>The web server</title>
  <metadata>
    <other xmlns='urn:other'>kept</other>
    <snapgui:snapshot xmlns:snapgui='urn:snapgui:snapshot:1' safety='yes'/>
  </metadata>
  <sysinfo type='smbios'>
    <system>
      <entry name='uuid'>11111111-1111-1111-1111-111111111111</entry>
      <entry name='serial'>42</entry>
      <entry name='product'>kept</entry>
    </system>
  </sysinfo>
  <os>
    <type arch='x86_64'>hvm</type>
    <loader readonly='yes' type='pflash'>/fw/CODE.fd</loader>
    <nvram template='/fw/VARS.fd'>/nvram/web01_VARS.fd</nvram>
  </os>
  <devices>
    <disk type='volume' device='disk' snapshot='external'>
      <driver name='qemu' type='raw' cache='none'/>
      <source pool='default' volume='web01.img'/>
      <backingStore/>
      <target dev='vda' bus='virtio'/>
      <serial>S1</serial>
    </disk>
    <disk type='file' device='cdrom'>
      <source file='/iso/debian.iso'/><target dev='sda' bus='sata'/><readonly/>
    </disk>
    <interface type='network'>
      <mac address='52:54:00:aa:bb:cc'/><source network='default'/><target dev='vnet0'/>
    </interface>
    <serial type='file'><source path='/var/log/web01'/><log file='/var/log/x'/><target port='0'/></serial>
    <serial type='unix'><source mode='bind' path='/run/web01'/><target port='1'/></serial>
    <channel type='unix'>
      <source mode='bind' path='/run/agent'/><target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
    <graphics type='vnc' port='5901' autoport='no' websocket='5700'><listen type='address'/></graphics>
    <hostdev mode='subsystem' type='usb'/>
    <vsock model='virtio'><cid auto='no' address='3'/></vsock>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
  <seclabel type='dynamic' model='dac'/>
</domain>"""
NEW = Identity(
    "clone <&>",
    "33333333-3333-3333-3333-333333333333",
    ("52:54:00:00:00:01",),
    {"vda": Image("/images/clone.qcow2")},
    "/nvram/clone_VARS.fd",
    connected=False,
)


def made(identity: Identity = NEW) -> etree._Element:
    return etree.fromstring(clone_xml(SOURCE, identity))


def test_it_is_another_vm() -> None:
    domain = made()
    assert (domain.findtext("name"), domain.findtext("uuid"), domain.get("id")) == (NEW.name, NEW.uuid, None)
    assert domain.findtext("sysinfo/system/entry[@name='uuid']") == NEW.uuid
    assert domain.find("sysinfo/system/entry[@name='serial']") is None
    assert domain.findtext("sysinfo/system/entry[@name='product']") == "kept"
    assert domain.find("genid") is not None
    assert not domain.findtext("genid"), "libvirt makes a new one"
    assert (domain.find("title"), domain.find("seclabel")) == (None, None)
    assert domain.findtext("metadata/{urn:other}other") == "kept"
    assert domain.find("metadata/{urn:snapgui:snapshot:1}snapshot") is None


def test_its_images_are_its_own() -> None:
    disk, cd = made().findall("devices/disk")
    assert (disk.get("type"), disk.find("source").attrib) == ("file", {"file": "/images/clone.qcow2"})
    assert disk.find("driver").attrib == {"name": "qemu", "type": "qcow2", "cache": "none"}
    assert disk.get("snapshot") is None
    assert [disk.find(tag) for tag in ("serial", "backingStore")] == [None, None]
    assert cd.find("source").get("file") == "/iso/debian.iso", "what nobody writes to is shared"
    nvram = made().find("os/nvram")
    assert (nvram.text, nvram.get("template")) == ("/nvram/clone_VARS.fd", "/fw/VARS.fd")


def test_its_network_is_its_own_and_unplugged_if_wanted() -> None:
    interface = made().find("devices/interface")
    assert interface.find("mac").get("address") == "52:54:00:00:00:01"
    assert interface.find("target") is None
    assert interface.find("link").get("state") == "down"


def test_nothing_of_the_host_is_used_twice() -> None:
    devices = made().find("devices")
    assert devices.find("hostdev") is None
    graphics = devices.find("graphics")
    assert (graphics.get("port"), graphics.get("autoport"), graphics.get("websocket")) == (None, "yes", None)
    log, port = devices.findall("serial")
    assert (log.get("type"), log.find("source"), log.find("log")) == ("null", None, None)
    assert (port.get("type"), port.find("source")) == ("pty", None)
    channel = devices.find("channel")
    assert (channel.get("type"), channel.find("source")) == ("unix", None)
    assert devices.find("vsock/cid").attrib == {"auto": "yes"}
    assert devices.findtext("rng/backend") == "/dev/urandom"
    assert "/run/" not in clone_xml(SOURCE, NEW)


def test_devices_of_the_host_are_named() -> None:
    assert host_devices(SOURCE) == ("hostdev usb",)


def test_devices_of_the_host_stay_if_wanted() -> None:
    assert made(replace(NEW, keep_host_devices=True)).find("devices/hostdev") is not None


def test_another_hypervisor_takes_its_own_emulator() -> None:
    text = SOURCE.replace("<devices>", "<devices><emulator>/usr/bin/qemu</emulator>", 1)
    here, there = (etree.fromstring(clone_xml(text, replace(NEW, elsewhere=away))) for away in (False, True))
    assert here.findtext("devices/emulator") == "/usr/bin/qemu"
    assert there.find("devices/emulator") is None
