"""Configurations are compared by meaning: what libvirt chose by itself is no difference, everything else is one."""

import re
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from snapgui.hypervisor.configuration import differences, disk_images
from snapgui.model.difference import Change, ConfigChange
from snapgui.model.errors import Broken
from tests.unit.domains import INACTIVE, RUNNING

ADDED, REMOVED, CHANGED = Change.ADDED, Change.REMOVED, Change.CHANGED
LEGACY = INACTIVE.replace(" firmware='efi'", "")
DISK = "<disk type='file' device='disk'><source file='/images/more.qcow2'/><target dev='vdb' bus='virtio'/></disk>"
HOSTDEV = (
    "<hostdev mode='subsystem' type='pci' managed='yes'><source>"
    "<address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/></source></hostdev>"
)
QEMU = (
    "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
    "<qemu:arg value='-device'/><qemu:arg value='x'/></qemu:commandline>"
)
GIB = 2**30


def compare(before: str, after: str, exchanged: Collection[str] = ()) -> tuple[ConfigChange, ...]:
    return differences(before, after, exchanged=exchanged, sizes={"/images/more.qcow2": 10 * GIB}).changes


def with_device(text: str) -> str:
    return INACTIVE.replace("</devices>", f"{text}</devices>")


def replaced(old: str, new: str, text: str = INACTIVE) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


def mirrored(changes: Collection[ConfigChange]) -> set[tuple[str, Change, str | None, str | None]]:
    turned = {ADDED: REMOVED, REMOVED: ADDED, CHANGED: CHANGED}
    return {(c.path, turned[c.change], c.after, c.before) for c in changes}


def plain(changes: Collection[ConfigChange]) -> set[tuple[str, Change, str | None, str | None]]:
    return {(c.path, c.change, c.before, c.after) for c in changes}


def test_a_running_vm_is_configured_as_it_was_started() -> None:
    assert compare(INACTIVE, RUNNING) == ()
    assert compare(RUNNING, INACTIVE) == ()


VALUES = [
    ("memory", ">2097152</memory>", ">4194304</memory>", str(2 * GIB), str(4 * GIB), "Memory 2 GiB → 4 GiB"),
    ("vcpu", ">2</vcpu>", ">4</vcpu>", "2", "4", "vCPUs 2 → 4"),
    ("vcpu/@current", "'static'>2<", "'static' current='1'>2<", None, "1", "vCPUs at the start set to 1"),
    ("title", ">Work<", ">&lt;b&gt;x\ny<", "Work", "<b>x\ny", "Title Work → <b>x y"),
    ("cpu/@mode", "'host-model'", "'host-passthrough'", "host-model", "host-passthrough",
     "CPU mode host-model → host-passthrough"),
    ("os/boot", "<boot dev='network'/>", "", "hd, network", "hd", "Boot order hd, network → hd"),
    ("os/type/@machine", "q35-7.2", "q35-8.0", "pc-q35-7.2", "pc-q35-8.0", "Machine type pc-q35-7.2 → pc-q35-8.0"),
    ("features/apic", "<apic/>", "", "", None, "features/apic removed"),
    ("features/hyperv/relaxed/@state", "relaxed state='on'", "relaxed state='off'", "on", "off",
     "features/hyperv/relaxed/@state: on → off"),
    ("clock/@offset", "'utc'", "'localtime'", "utc", "localtime", "Clock utc → localtime"),
    ("clock/timer[hpet]/@present", "'no'", "'yes'", "no", "yes", "clock/timer[hpet]/@present: no → yes"),
    ("on_poweroff", ">destroy<", ">preserve<", "destroy", "preserve", "on_poweroff: destroy → preserve"),
    ("devices/disk[vda]/target/@bus", "'vda' bus='virtio'", "'vda' bus='scsi'", "virtio", "scsi",
     "Disk vda: target bus virtio → scsi"),
    ("devices/disk[vda]/driver/@cache", "type='qcow2'/>", "type='qcow2' cache='none'/>", None, "none",
     "Disk vda: driver cache set to none"),
    ("devices/disk[sda]/source", "<target dev='sda'", "<source file='/a.iso'/><target dev='sda'", None, "/a.iso",
     "CD drive sda: source set to /a.iso"),
    ("devices/interface[52:54:00:00:00:01]/source/@network", "source network='default'", "source network='lan'",
     "default", "lan",
     "Network interface 52:54:00:00:00:01: source network default → lan"),
    ("devices/interface[1]/mac/@address", "00:01'", "00:02'", "52:54:00:00:00:01", "52:54:00:00:00:02",
     "Network interface 1: mac address 52:54:00:00:00:01 → 52:54:00:00:00:02"),
    ("devices/video/model/@type", "model type='virtio' heads", "model type='qxl' heads", "virtio", "qxl",
     "Video card: model type virtio → qxl"),
    ("devices/watchdog/@action", "'reset'", "'pause'", "reset", "pause", "Watchdog: action reset → pause"),
    ("devices/tpm/backend/@version", "'2.0'", "'1.2'", "2.0", "1.2", "TPM: backend version 2.0 → 1.2"),
    ("devices/rng/backend", "/dev/urandom", "/dev/random", "/dev/urandom", "/dev/random",
     "Random number generator: backend /dev/urandom → /dev/random"),
    ("devices/emulator", "/usr/bin/qemu", "/opt/qemu", "/usr/bin/qemu-system-x86_64", "/opt/qemu-system-x86_64",
     "Emulator /usr/bin/qemu-system-x86_64 → /opt/qemu-system-x86_64"),
    ("metadata/libosinfo/os/@id", "debian/12", "debian/13", "http://debian.org/debian/12",
     "http://debian.org/debian/13",
     "metadata/libosinfo/os/@id: http://debian.org/debian/12 → http://debian.org/debian/13"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "old", "new", "before", "after", "text"), VALUES, ids=[row[0] for row in VALUES])
def test_a_value(path: str, old: str, new: str, before: str | None, after: str | None, text: str) -> None:
    other = replaced(old, new)
    if path == "memory":
        other = replaced(">2097152</current", ">4194304</current", other)
    change = CHANGED if before is not None and after is not None else ADDED if before is None else REMOVED
    changes = compare(INACTIVE, other)
    assert [(c.path, c.change, c.before, c.after, str(c.text)) for c in changes] == [
        (path, change, before, after, text)
    ]
    assert plain(compare(other, INACTIVE)) == mirrored(changes)


DEVICES = [
    ("devices/disk[vdb]", DISK, "Disk vdb added (10 GiB …/more.qcow2)"),
    ("devices/disk[sdb]", "<disk device='cdrom'><target dev='sdb'/></disk>", "CD drive sdb added"),
    ("devices/interface[52:54:00:00:00:0a]",
     "<interface type='bridge'><mac address='52:54:00:00:00:0a'/><source bridge='br0'/></interface>",
     "Network interface 52:54:00:00:00:0a added (br0)"),
    ("devices/controller[scsi 0]", "<controller type='scsi' index='0'/>", "Controller scsi 0 added"),
    ("devices/controller[pci 2]", "<controller type='pci' index='2' model='pcie-root-port'/>",
     "Controller pci 2 added"),
    ("devices/hostdev[pci 0000 06 12 5]", HOSTDEV, "Host device pci 0000 06 12 5 added"),
    ("devices/filesystem[share]", "<filesystem><source dir='/srv/x'/><target dir='share'/></filesystem>",
     "Shared folder share added (…/x)"),
    ("devices/channel[com.redhat.spice.0]",
     "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>",
     "Channel com.redhat.spice.0 added"),
    ("devices/graphics[rdp]", "<graphics type='rdp'/>", "Display rdp added"),
    ("devices/input[mouse ps2]", "<input type='mouse' bus='ps2'/>", "Input device mouse ps2 added"),
    ("devices/video[2]", "<video><model type='qxl'/></video>", "Video card qxl added"),
    ("devices/sound[2]", "<sound model='ac97'/>", "Sound card ac97 added"),
    ("devices/serial[2]", "<serial type='pty'><target port='1'/></serial>", "Serial port 1 added"),
    ("devices/redirdev", "<redirdev bus='usb' type='spicevmc'/>", "USB redirection usb added"),
    ("devices/panic", "<panic model='isa'/>", "Panic device isa added"),
    ("devices/odd", "<odd kind='new'/>", "Device odd added"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "device", "text"), DEVICES, ids=[row[0] for row in DEVICES])
def test_a_device_that_came_or_went(path: str, device: str, text: str) -> None:
    changes = compare(INACTIVE, with_device(device))
    assert [(c.path, c.change, c.before, str(c.text)) for c in changes] == [(path, ADDED, None, text)]
    back = compare(with_device(device), INACTIVE)
    assert plain(back) == mirrored(changes)
    assert str(back[0].text) == text.replace(" added", " removed")


def test_the_only_device_of_a_kind_that_went() -> None:
    for device, text in (
        ("tpm", "TPM tpm-crb"),
        ("rng", "Random number generator virtio"),
        ("sound", "Sound card ich9"),
    ):
        other = re.sub(rf"<{device} .*</{device}>", "", INACTIVE)
        assert [str(c.text) for c in compare(INACTIVE, other)] == [f"{text} removed"]


def test_what_is_equal_belongs_together_also_at_another_place() -> None:
    two = with_device("<video><model type='vga'/></video><video><model type='qxl'/></video>")
    one = with_device("<video><model type='qxl'/></video>")
    assert [(c.path, c.change) for c in compare(two, one)] == [("devices/video[2]", REMOVED)]
    assert compare(INACTIVE, replaced("<acpi/><apic/>", "<apic/><!-- x --><acpi/>")) == ()


def test_another_address_at_the_same_place_is_a_change_only_where_the_rest_is_equal() -> None:
    other = replaced("00:01'", "00:02'", replaced("source network='default'", "source network='lan'"))
    assert {(c.path, c.change) for c in compare(INACTIVE, other)} == {
        ("devices/interface[52:54:00:00:00:01]", REMOVED),
        ("devices/interface[52:54:00:00:00:02]", ADDED),
    }


def test_the_kind_of_firmware_is_one_fact() -> None:
    assert [(c.path, c.before, c.after, str(c.text)) for c in compare(LEGACY, INACTIVE)] == [
        ("firmware", "BIOS", "UEFI", "Firmware BIOS → UEFI")
    ]
    loader = "<loader type='pflash'>/CODE.fd</loader>"
    manual = replaced("<boot dev='hd'/>", f"{loader}<boot dev='hd'/>", LEGACY)
    assert [str(c.text) for c in compare(LEGACY, manual)] == [
        "Firmware BIOS → UEFI",
        "Firmware file set to /CODE.fd, type pflash",
    ]


def test_firmware_files_that_both_name_are_compared() -> None:
    other = replaced("work_VARS.fd", "other_VARS.fd", RUNNING)
    assert [c.path for c in compare(RUNNING, other)] == ["os/nvram"]


def test_the_order_in_which_devices_boot() -> None:
    one, other = (replaced("<model type='virtio'/>", f"<model type='virtio'/><boot order='{n}'/>") for n in (1, 2))
    assert [str(c.text) for c in compare(one, other)] == ["Network interface 52:54:00:00:00:01: boot order 1 → 2"]


def test_cpu_models_and_features() -> None:
    custom = "<cpu mode='custom' match='exact'><model>{}</model><feature policy='{}' name='vmx'/></cpu>"
    one, other, bare = (
        replaced("<cpu mode='host-model' check='partial'/>", cpu)
        for cpu in (
            custom.format("Nehalem", "require"),
            custom.format("Haswell", "disable"),
            "<cpu mode='custom' match='exact'><model>Nehalem</model></cpu>",
        )
    )
    assert [str(c.text) for c in compare(one, other)] == [
        "CPU model Nehalem → Haswell",
        "CPU feature vmx require → disable",
    ]
    assert [str(c.text) for c in compare(bare, one)] == ["CPU feature vmx added"]
    full = replaced("match='exact'", "match='exact' check='full'", bare)
    assert [c.path for c in compare(bare, full)] == ["cpu/@check"], "asked for, where the VM does not run"


@pytest.mark.parametrize(("unit", "number"), [("GiB", 2), ("MiB", 2048), ("b", 2 * GIB), ("KiB", 2097152), ("G", 2)])
def test_the_unit_does_not_matter(unit: str, number: int) -> None:
    assert compare(INACTIVE, re.sub(r"'KiB'>2097152", f"'{unit}'>{number}", INACTIVE)) == ()


def test_a_balloon_that_is_not_full_is_told() -> None:
    other = replaced(">2097152</current", ">1572864</current")
    assert [(c.path, str(c.text)) for c in compare(INACTIVE, other)] == [
        ("currentMemory", "Memory given to the guest 2 GiB → 1536 MiB")
    ]


def test_image_files_move_by_themselves() -> None:
    overlay = replaced("'/images/work.qcow2'", "'/images/overlay.qcow2'")
    assert compare(INACTIVE, overlay) == ()
    raw = replaced("type='qcow2'/>", "type='raw'/>")
    assert compare(raw, overlay) == (), "the overlay on a raw image is qcow2"
    assert [c.path for c in compare(INACTIVE, raw)] == ["devices/disk[vda]/driver/@type"], "the same file is none"
    found = compare(INACTIVE, overlay, exchanged={"vda"})
    assert [(c.path, c.before, c.after) for c in found] == [
        ("devices/disk[vda]/source", "/images/work.qcow2", "/images/overlay.qcow2")
    ]


def test_a_medium_is_what_somebody_put_in() -> None:
    one, other = (replaced("<target dev='sda'", f"<source file='/{x}.iso'/><target dev='sda'") for x in "ab")
    assert [str(c.text) for c in compare(one, other)] == ["CD drive sda: source /a.iso → /b.iso"]
    assert disk_images(one) == {"vda": ("/images/work.qcow2", "qcow2")}


def test_what_somebody_chose_is_no_noise() -> None:
    chosen = [
        ("<model type='virtio'/>\n      <address", "<model type='virtio'/><target dev='lan0'/><address"),
        ("<target type='virtio' name='org", "<source mode='bind' path='/srv/agent'/><target type='virtio' name='org"),
        ("port='-1' autoport='yes'", "port='5910' autoport='no'"),
        ("<graphics type='spice' autoport='yes'><listen type='address'/>",
         "<graphics type='spice' autoport='yes'><listen type='address' address='0.0.0.0'/>"),
        ("<memballoon model='virtio'/>", "<memballoon model='virtio'><alias name='ua-mine'/></memballoon>"),
        ("</metadata>", "<x:alias xmlns:x='urn:x' name='y'/></metadata>"),
    ]  # fmt: skip
    for old, new in chosen:
        assert compare(INACTIVE, replaced(old, new)), new


def test_arguments_of_qemu_keep_their_order() -> None:
    one = replaced("</domain>", f"{QEMU}</domain>")
    other = replaced("'-y'", "'x'", replaced("'x'", "'-device'", replaced("'-device'", "'-y'", one)))
    assert [(c.path, c.before, c.after) for c in compare(one, other)] == [
        ("commandline/arg", "-device, x", "x, -device")
    ]


def test_what_matters_comes_first() -> None:
    other = replaced(">Work<", ">Play<", with_device(DISK + "<controller type='scsi' index='0'/><panic model='isa'/>"))
    other = replaced(">2</vcpu>", ">3</vcpu>", replaced("'utc'", "'localtime'", other))
    assert [c.path for c in compare(INACTIVE, other)] == [
        "vcpu",
        "devices/disk[vdb]",
        "devices/panic",
        "clock/@offset",
        "title",
        "devices/controller[scsi 0]",
    ]


def test_long_values_are_shortened_in_the_sentence_only() -> None:
    one, other = (replaced("</title>", f"</title><description>{'ä' * 10_000}{end}</description>") for end in "xy")
    (change,) = compare(one, other)
    assert (change.before, change.after) == ("ä" * 10_000 + "x", "ä" * 10_000 + "y")
    assert str(change.text) == "Description …" + "ä" * 12 + "x → …" + "ä" * 12 + "y"
    (change,) = compare(INACTIVE, one)
    assert len(str(change.text)) < 100
    assert change.after == "ä" * 10_000 + "x"


def test_hostile_values_stay_plain_text_on_one_line() -> None:
    hostile = "&lt;b&gt;{name}&#10;&#9;../../x\N{RIGHT-TO-LEFT OVERRIDE}"
    other = with_device(f"<filesystem><target dir='{hostile}'/></filesystem>")
    (change,) = compare(INACTIVE, other)
    assert str(change.text) == "Shared folder <b>{name} ../../x\ufffd added"
    assert change.path == "devices/filesystem[<b>{name}\n\t../../x\N{RIGHT-TO-LEFT OVERRIDE}]"


def test_equal_keys_and_deep_trees_do_no_harm() -> None:
    assert [(c.path, c.change) for c in compare(with_device(DISK), with_device(DISK * 3))] == [
        ("devices/disk[vdb#2]", ADDED),
        ("devices/disk[vdb#3]", ADDED),
    ]
    deep = "<domain>" + "<a>" * 1500 + "{}" + "</a>" * 1500 + "</domain>"
    assert len(compare(deep.format("x"), deep.format("y"))) == 1
    assert compare(deep.format("x"), deep.format("x")) == ()


def test_documents_are_shown_whole_and_folded() -> None:
    found = differences(INACTIVE, RUNNING)
    assert "vnet12" in found.after_xml
    assert "vnet12" not in found.after_folded
    assert found.before_xml.count("\n") > 60
    lines = found.after_folded.splitlines()
    assert "    <emulator>/usr/bin/qemu-system-x86_64</emulator>" in lines
    assert differences(found.before_folded, found.after_folded).changes == ()
    assert compare(found.before_xml, INACTIVE) == ()


@pytest.mark.parametrize("text", ["", "<domain>", "no XML", "<domain/><domain/>", "<network/>"])
def test_what_is_no_configuration_is_refused(text: str) -> None:
    for pair in ((text, INACTIVE), (INACTIVE, text)):
        with pytest.raises(Broken):
            differences(*pair)


def test_nothing_goes_unseen() -> None:
    """Take every value and every part of what was compared away, one at a time: each is told."""
    text = differences(INACTIVE, INACTIVE).before_folded
    count = len(list(etree.fromstring(text).iter()))
    unseen = []
    for place in range(1, count):
        names = list(list(etree.fromstring(text).iter())[place].attrib)
        for name in (*names, None):
            domain = etree.fromstring(text)
            part = list(domain.iter())[place]
            if name is None:
                part.getparent().remove(part)
            else:
                del part.attrib[name]
            if not compare(text, etree.tostring(domain, encoding="unicode")):
                unseen.append((part.tag, name))
    assert unseen == [
        ("source", "file"),  # an image, whose format and kind of place go with it
        ("source", None),
    ]


NAMES = st.sampled_from(
    ["memory", "disk", "interface", "video", "hostdev", "source", "target", "mac", "cpu", "os", "boot", "x"]
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["dev", "type", "address", "name", "unit", "index", "file", "check", "order"]),
    st.sampled_from(["vda", "vdb", "1", "KiB", "full", "52:54:00:00:00:01", "<&\n", "pci"]),
    max_size=2,
)
TREES = st.recursive(
    st.tuples(NAMES, ATTRIBUTES, st.sampled_from(["", "7", "a\nb"]), st.just([])),
    lambda inner: st.tuples(NAMES, ATTRIBUTES, st.just(""), st.lists(inner, max_size=4)),
    max_leaves=12,
)


def element(tree: tuple[str, dict[str, str], str, list]) -> etree._Element:  # type: ignore[type-arg]
    name, attributes, text, children = tree
    made = etree.Element(name, attributes)
    made.text = text
    made.extend([element(child) for child in children])
    return made


@st.composite
def domains(draw: st.DrawFn) -> str:
    domain = etree.Element("domain")
    domain.extend([element(tree) for tree in draw(st.lists(TREES, max_size=3))])
    devices = etree.SubElement(domain, "devices")
    devices.extend([element(tree) for tree in draw(st.lists(TREES, max_size=5))])
    return etree.tostring(domain, encoding="unicode")


@given(domains())
def test_nothing_differs_from_itself(text: str) -> None:
    assert compare(text, text) == ()


@given(domains(), domains())
def test_the_way_back_is_the_same_mirrored(one: str, other: str) -> None:
    assert plain(compare(other, one)) == mirrored(compare(one, other))


@given(domains(), domains())
def test_no_change_means_equal_without_noise(one: str, other: str) -> None:
    """What is told is all there is: where nothing is told, the folded documents say the same."""
    found = differences(one, other)
    if not found.changes:
        folded = (etree.fromstring(text) for text in (found.before_folded, found.after_folded))
        assert len({tuple(sorted(said(domain))) for domain in folded}) == 1


def said(domain: etree._Element) -> list[str]:
    """Every value with the tags above it, in any order."""
    found = []
    for part in domain.iter():
        above = "/".join(reversed([part.tag, *(a.tag for a in part.iterancestors())]))
        found += [f"{above} {(part.text or '').strip()}", *(f"{above}@{k}={v}" for k, v in part.attrib.items())]
    return found
