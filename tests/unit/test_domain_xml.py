"""VM configurations: what a person wants to know of them, from all the ways libvirt writes them."""

import pytest
from lxml import etree

from snapgui.hypervisor.domain_xml import read_machine, read_mark, write_mark
from snapgui.model.records import Disk, Interface, Machine

FULL = """\
<domain type='qemu'>
  <memory unit='GiB'>2</memory>
  <vcpu>4</vcpu>
  <os firmware='efi'>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader>
    <nvram template='/usr/share/OVMF/OVMF_VARS.fd' format='qcow2'>/var/lib/libvirt/qemu/nvram/a.fd</nvram>
  </os>
  <devices>
    <disk type='file' device='disk' snapshot='no'>
      <driver name='qemu' type='qcow2'/><source file='/images/a.qcow2'/><target dev='vda'/><shareable/>
    </disk>
    <disk type='block' device='disk'>
      <driver name='qemu' type='raw'/><source dev='/dev/vg/a'/><target dev='vdb'/><transient/>
    </disk>
    <disk type='volume' device='disk'>
      <source pool='default' volume='a.img'/><target dev='vdc'/>
    </disk>
    <disk type='network' device='disk'>
      <source protocol='rbd' name='pool/image'/><target dev='vdd'/>
    </disk>
    <disk type='file' device='cdrom'><target dev='sda'/><readonly/></disk>
    <interface type='network'>
      <mac address='52:54:00:00:00:01'/><source network='default'/><model type='virtio'/>
    </interface>
    <interface type='vdpa'><mac address='52:54:00:00:00:02'/><source dev='/dev/vhost-vdpa-0'/></interface>
    <hostdev mode='subsystem' type='usb'/>
    <filesystem type='mount'><driver type='virtiofs'/></filesystem>
    <filesystem type='mount'/>
    <tpm model='tpm-crb'/>
    <video><model type='qxl'/></video>
  </devices>
</domain>
"""


def test_everything_is_read() -> None:
    assert read_machine(FULL) == Machine(
        vcpus=4,
        memory=2 * 2**30,
        architecture="x86_64",
        machine="pc-q35-7.2",
        firmware="uefi",
        nvram="/var/lib/libvirt/qemu/nvram/a.fd",
        nvram_format="qcow2",
        tpm=True,
        video="qxl",
        emulated=True,
        disks=(
            Disk("vda", source="/images/a.qcow2", format="qcow2", shareable=True, snapshot="no"),
            Disk("vdb", source="/dev/vg/a", format="raw", transient=True),
            Disk("vdc", source="a.img", format="raw", pool="default"),
            Disk("vdd", source="pool/image", format="raw"),
            Disk("sda", device="cdrom", format="raw", read_only=True),
        ),
        interfaces=(
            Interface("52:54:00:00:00:01", "default", "virtio"),
            Interface("52:54:00:00:00:02", "/dev/vhost-vdpa-0", ""),
        ),
        blocked_devices=("hostdev usb", "virtiofs", "9p", "vdpa"),
    )


def test_an_empty_configuration_is_a_machine_of_nothing() -> None:
    assert read_machine("<domain/>") == Machine()


@pytest.mark.parametrize(
    ("memory", "size"),
    [
        ("<memory>262144</memory>", 2**28),
        ("<memory unit='b'>1000</memory>", 1000),
        ("<memory unit='MB'>3</memory>", 3_000_000),
        ("<memory unit='TiB'>1</memory>", 2**40),
        ("<memory unit='nonsense'>1</memory>", 1024),
        ("<memory>a lot</memory>", 0),
        ("<memory/>", 0),
    ],
)
def test_memory_is_bytes_whatever_the_unit(memory: str, size: int) -> None:
    assert read_machine(f"<domain>{memory}</domain>").memory == size


@pytest.mark.parametrize(
    ("os", "firmware", "nvram_format"),
    [
        ("", "bios", ""),
        ("<loader>/usr/share/seabios/bios.bin</loader>", "bios", ""),
        ("<loader type='rom'>x</loader>", "bios", ""),
        ("<loader type='pflash'>x</loader>", "uefi", ""),
        ("<nvram>/a.fd</nvram>", "uefi", "raw"),
        ("<nvram format='qcow2'>/a.fd</nvram>", "uefi", "qcow2"),
        ("<nvram type='file'><source file='/a.fd'/></nvram>", "uefi", "raw"),
    ],
)
def test_firmware_and_its_variables(os: str, firmware: str, nvram_format: str) -> None:
    machine = read_machine(f"<domain><os><type>hvm</type>{os}</os></domain>")
    assert (machine.firmware, machine.nvram_format) == (firmware, nvram_format)
    assert machine.nvram == ("/a.fd" if "nvram" in os else "")


@pytest.mark.parametrize(
    ("disk", "writable"),
    [
        (Disk("vda"), True),
        (Disk("sda", device="lun"), True),
        (Disk("sda", device="cdrom"), False),
        (Disk("fda", device="floppy"), False),
        (Disk("vda", read_only=True), False),
    ],
)
def test_which_disks_the_guest_can_change(disk: Disk, writable: bool) -> None:
    assert disk.writable is writable


@pytest.mark.parametrize(("title", "safety"), [(None, False), ("t", False), (None, True), ("<&>\"'", True)])
def test_a_mark_is_read_back_as_it_was_written(title: str | None, safety: bool) -> None:
    domain = etree.fromstring("<domain><metadata><o:x xmlns:o='urn:other'/></metadata></domain>")
    write_mark(domain, "before", not safety, "name")
    write_mark(domain, title, safety, "name")
    again = etree.fromstring(etree.tostring(domain))
    assert read_mark(again, "name") == (title, safety)
    assert again.find("metadata/{urn:other}x") is not None


def test_no_domain_has_no_mark() -> None:
    assert read_mark(None, "name") == (None, False)
