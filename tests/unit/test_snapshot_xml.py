"""Snapshot documents: read as libvirt writes them, edited without a change to anything else, hostile ones survived."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from snapgui.hypervisor.domain_xml import NAMESPACE
from snapgui.hypervisor.snapshot_xml import edited, new_internal, read_snapshot
from snapgui.model.errors import Broken
from snapgui.model.records import Kind, Place, SnapshotDisk

RUNNING = """\
<domainsnapshot>
  <name>fresh install</name>
  <description>first line
second line</description>
  <state>running</state>
  <parent>
    <name>base</name>
  </parent>
  <creationTime>1769860800</creationTime>
  <memory snapshot='internal'/>
  <disks>
    <disk name='vda' snapshot='internal'/>
    <disk name='sda' snapshot='no'/>
  </disks>
  <domain type='qemu'>
    <name>web01</name>
    <uuid>11111111-2222-3333-4444-555555555555</uuid>
    <metadata>
      <app:thing xmlns:app="http://example.org/app" app:kept="yes"><app:deep/></app:thing>
    </metadata>
    <memory unit='KiB'>262144</memory>
    <vcpu placement='static'>2</vcpu>
    <os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
    <devices>
      <disk type='file' device='disk'>
        <driver name='qemu' type='qcow2'/>
        <source file='/images/disk.qcow2' index='1'/>
        <target dev='vda' bus='virtio'/>
      </disk>
      <disk type='file' device='cdrom'>
        <driver name='qemu' type='raw'/>
        <target dev='sda' bus='sata'/>
        <readonly/>
      </disk>
      <graphics type='vnc' port='-1' passwd='secret'/>
    </devices>
    <qemu:commandline xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0"><qemu:arg value="-S"/></qemu:commandline>
  </domain>
  <inactiveDomain type='qemu'>
    <name>web01</name>
    <memory unit='KiB'>262144</memory>
  </inactiveDomain>
  <cookie><cpu mode='custom'/><!-- kept --></cookie>
</domainsnapshot>
"""

EXTERNAL = """\
<domainsnapshot>
  <name>ext</name><state>running</state><creationTime>1769860800</creationTime>
  <memory snapshot='external' file='/images/ext.mem'/>
  <disks>
    <disk name='vda' snapshot='external' type='file'><driver type='qcow2'/><source file='/images/ext.qcow2'/></disk>
  </disks>
  <domain type='kvm'><devices>
    <disk type='file' device='disk'><source file='/images/base.qcow2'/><target dev='vda'/></disk>
  </devices></domain>
</domainsnapshot>
"""

BOMB = (
    '<!DOCTYPE domainsnapshot [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><domainsnapshot><name>&j;</name></domainsnapshot>"
)
READS_A_FILE = """\
<!DOCTYPE domainsnapshot [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<domainsnapshot><name>&x;</name><description>&x;</description></domainsnapshot>
"""


def test_a_snapshot_of_a_running_vm_is_read() -> None:
    found = read_snapshot(RUNNING)
    assert (found.name, found.parent, found.description) == ("fresh install", "base", "first line\nsecond line")
    assert found.created == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert (found.state, found.memory, found.kind) == ("running", Place.INTERNAL, Kind.INTERNAL)
    assert found.disks == (
        SnapshotDisk("vda", Place.INTERNAL, "/images/disk.qcow2"),
        SnapshotDisk("sda", Place.NONE, ""),
    )
    assert (found.machine.vcpus, found.machine.memory) == (2, 256 * 2**20)
    assert (found.title, found.safety) == (None, False)


def test_the_state_of_an_external_snapshot_lies_in_the_file_below_its_overlay() -> None:
    found = read_snapshot(EXTERNAL)
    assert found.kind is Kind.EXTERNAL
    assert found.memory_file == "/images/ext.mem"
    assert found.disks == (SnapshotDisk("vda", Place.EXTERNAL, "/images/base.qcow2", "/images/ext.qcow2"),)


def test_a_document_with_nothing_in_it_is_a_snapshot_all_the_same() -> None:
    found = read_snapshot(
        "<domainsnapshot><name>bare</name><creationTime>99999999999999999999</creationTime></domainsnapshot>"
    )
    assert (found.name, found.state, found.memory, found.disks) == ("bare", "shutoff", Place.NONE, ())
    assert found.created.year == 9999


def test_old_documents_without_memory_element() -> None:
    text = "<domainsnapshot><name>old</name><state>{}</state></domainsnapshot>"
    assert read_snapshot(text.format("running")).memory is Place.INTERNAL
    assert read_snapshot(text.format("shutoff")).memory is Place.NONE


def test_editing_changes_nothing_else() -> None:
    changed = edited(RUNNING, title="A <b>title</b>", safety=True, description="new")
    found, before = read_snapshot(changed), read_snapshot(RUNNING)
    assert (found.title, found.safety, found.description) == ("A <b>title</b>", True, "new")
    assert (found.created, found.parent, found.disks, found.machine) == (
        before.created,
        before.parent,
        before.disks,
        before.machine,
    )
    restored = edited(changed, title=None, safety=False, description=before.description)
    assert _canonical(_without_empty_metadata(restored)) == _canonical(_without_empty_metadata(RUNNING))


def _canonical(text: str) -> bytes:
    return etree.tostring(etree.fromstring(text, etree.XMLParser(remove_blank_text=True)), method="c14n")


def _without_empty_metadata(text: str) -> str:
    root = etree.fromstring(text)
    for domain in root:
        for metadata in domain.findall("metadata"):
            if len(metadata) == 0:
                domain.remove(metadata)
    return etree.tostring(root, encoding="unicode")


def test_foreign_elements_prefixes_comments_and_passwords_survive() -> None:
    changed = edited(RUNNING, title="t", safety=False, description="")
    for kept in (
        '<app:thing xmlns:app="http://example.org/app" app:kept="yes"><app:deep/></app:thing>',
        '<qemu:arg value="-S"/>',
        'passwd="secret"',
        "<!-- kept -->",
    ):
        assert kept in changed
    assert "<description" not in changed


def test_the_mark_stands_in_both_configurations_once() -> None:
    twice = edited(edited(RUNNING, title="a", safety=True, description=""), title="b", safety=True, description="")
    root = etree.fromstring(twice)
    title = f"metadata/{{{NAMESPACE}}}snapshot/{{{NAMESPACE}}}title"
    assert [(domain.tag, mark.text) for domain in root for mark in domain.iterfind(title)] == [
        ("domain", "b"),
        ("inactiveDomain", "b"),
    ]


@given(st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), min_size=1))
def test_titles_and_descriptions_are_kept_to_the_letter(text: str) -> None:
    found = read_snapshot(edited(RUNNING, title=text, safety=False, description=text))
    assert (found.title, found.description) == (text, text)


@given(st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), min_size=1))
def test_requests_hold_hostile_names_as_text(name: str) -> None:
    root = etree.fromstring(new_internal(name, name))
    assert [(child.tag, child.text) for child in root] == [("name", name), ("description", name)]


@pytest.mark.parametrize("hostile", [BOMB, READS_A_FILE], ids=["entity-bomb", "external-entity"])
def test_entities_are_neither_expanded_nor_fetched(hostile: str) -> None:
    try:
        found = read_snapshot(hostile)
    except Broken:
        return
    assert len(found.name) + len(found.description) < 100
    assert "root:" not in found.name + found.description


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not xml",
        "<domainsnapshot>",
        "<a></b>",
        "<a>\0</a>",
        "<a/><b/>",
        "<domainsnapshot><name>\x1b</name></domainsnapshot>",
        "&undefined;",
        "<" * 5000,
    ],
)
def test_malformed_documents_are_broken(text: str) -> None:
    with pytest.raises(Broken, match="cannot be read"):
        read_snapshot(text)


def test_deep_nesting_does_not_end_the_process() -> None:
    deep = "<domainsnapshot>" + "<a>" * 100_000 + "</a>" * 100_000 + "<name>n</name></domainsnapshot>"
    with contextlib.suppress(Broken):
        assert read_snapshot(deep).name == "n"


@given(st.text(max_size=60))
def test_any_text_is_read_or_broken(text: str) -> None:
    for document in (text, f"<domainsnapshot>{text}</domainsnapshot>"):
        with contextlib.suppress(Broken):
            read_snapshot(document)
