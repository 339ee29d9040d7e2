"""A file for libvirt's test driver: one VM with three branches of snapshots, one without any."""

from pathlib import Path

from lxml import etree

UUID = "11111111-2222-3333-4444-555555555555"
TREE = "fresh install>web server>tls fresh install>web server>php*+ fresh install>desktop!"
"""As in tests/unit/trees.py; creation times go a minute at a time from 2026-01-31 12:00 UTC."""
BEGIN_S = 1769860800
NAMESPACE = "http://libvirt.org/schemas/domain/test/1.0"

_SNAPSHOTS = (
    ("fresh install", "", "shutoff", "internal", "", "as delivered\n<b>not bold</b>"),
    ("web server", "fresh install", "shutoff", "internal", "", ""),
    ("tls", "web server", "shutoff", "internal", "", ""),
    ("php", "web server", "running", "internal", "internal", ""),
    ("desktop", "fresh install", "disk-snapshot", "external", "", ""),
)


def write_seed(path: Path) -> str:
    """Write the file; return the URI under which libvirt reads it."""
    tree = etree.parse(Path(__file__).with_name("seed.xml"), etree.XMLParser(remove_blank_text=True))
    domain = tree.getroot()[0]
    plain = [child for child in domain if isinstance(child.tag, str) and not child.tag.startswith("{")]
    for number, facts in enumerate(_SNAPSHOTS):
        domain.append(_snapshot(number, plain, *facts))
    path.write_bytes(etree.tostring(tree))
    return f"test://{path}"


def _snapshot(
    number: int, plain: list[etree._Element], name: str, parent: str, state: str, disk: str, memory: str, text: str
) -> etree._Element:
    snapshot = etree.Element(f"{{{NAMESPACE}}}domainsnapshot")
    for tag, value in (("name", name), ("description", text), ("state", state)):
        etree.SubElement(snapshot, tag).text = value
    if parent:
        etree.SubElement(etree.SubElement(snapshot, "parent"), "name").text = parent
    etree.SubElement(snapshot, "creationTime").text = str(BEGIN_S + 60 * number)
    etree.SubElement(snapshot, "memory", snapshot=memory or "no")
    chosen = etree.SubElement(etree.SubElement(snapshot, "disks"), "disk", name="vda", snapshot=disk)
    if disk == "external":
        etree.SubElement(chosen, "source", file="/images/web01.desktop.qcow2")
    machine = etree.SubElement(snapshot, "domain", type="test")
    machine.extend(etree.fromstring(etree.tostring(element)) for element in plain)
    etree.SubElement(snapshot, "active").text = "1" if name == "php" else "0"
    return snapshot
