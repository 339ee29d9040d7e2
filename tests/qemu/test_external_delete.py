"""Deleting external snapshots: the others keep their content, the files go, and what cannot be done is said before."""

import subprocess
from pathlib import Path

import libvirt
import pytest

from snapgui.hypervisor.connection import Connection
from snapgui.model.progress import Progress
from snapgui.operations import delete
from snapgui.operations.delete import DeleteRequest
from snapgui.operations.facts import read_facts
from snapgui.operations.history import History
from snapgui.operations.pipeline import run
from tests.qemu.commands import ok, refused, result
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack


def _chain(guest: Machine, *names: str) -> dict[str, list[Path]]:
    """Take a chain of external snapshots of a running guest; before each, the mark is set to its name."""
    files = {}
    for name in names:
        guest.channel.run(f"echo {name} >/data/mark; sync")
        record = result(guest.uri, "take", guest.name, name, "--kind", "external")
        files[name] = [Path(path) for path in record["files"]]
    guest.channel.run("echo now >/data/mark; sync")
    return files


@pytest.mark.parametrize("name", ["one", "two", "three"])
def test_one_of_a_running_chain(stack: Stack, guest: Machine, name: str) -> None:
    files = _chain(guest, "one", "two", "three")
    ok(guest.uri, "delete", guest.name, name)
    assert not any(path.suffix == ".mem" and path.exists() for path in files[name])
    assert guest.channel.read_file("/data/mark") == "now\n"
    if stack.native_external:
        for kept in {"one", "two", "three"} - {name}:
            ok(guest.uri, "revert", guest.name, kept)
            assert guest.channel.read_file("/data/mark") == f"{kept}\n"


def test_all_with_children(guest: Machine) -> None:
    files = _chain(guest, "one", "two", "three")
    ok(guest.uri, "delete", guest.name, "one", "--with-children")
    assert guest.domain.snapshotNum() == 0
    assert not [path for paths in files.values() for path in paths if path.exists()]
    assert guest.channel.read_file("/data/mark") == "now\n"


def test_the_middle_of_a_stopped_chain(stack: Stack, guest: Machine) -> None:
    _chain(guest, "one", "two")
    guest.domain.destroy()
    if stack.native_external:
        ok(guest.uri, "delete", guest.name, "one")
    else:
        assert "only while the VM runs" in refused(guest.uri, "delete", guest.name, "one")
        assert guest.domain.snapshotNum() == 2
    guest.start()
    assert guest.channel.read_file("/data/mark") == "now\n"


def test_a_branch_point_is_refused_before(stack: Stack, guest: Machine) -> None:
    if not stack.native_external:
        _chain(guest, "one")
        assert "cannot revert" in refused(guest.uri, "revert", guest.name, "one")
        return
    _chain(guest, "one", "two")
    ok(guest.uri, "revert", guest.name, "one", "--no-safety")
    assert "branches off" in refused(guest.uri, "delete", guest.name, "one")
    assert guest.domain.snapshotNum() == 2


def test_the_base_of_another_vm_is_never_changed(guest: Machine) -> None:
    files = _chain(guest, "one")
    clone = guest.directory / "clone.qcow2"
    base = guest.disk
    guest.connection.defineXML(_clone_xml(guest, clone, base))
    try:
        sentence = refused(guest.uri, "delete", guest.name, "one")
        assert "clone-of-it" in sentence
        assert all(path.exists() for path in files["one"])
    finally:
        guest.connection.lookupByName("clone-of-it").undefine()


def _clone_xml(guest: Machine, clone: Path, base: Path) -> str:
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(base), str(clone)]
    subprocess.run(command, check=True)
    xml = guest.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    overlay = next(path for path in guest.directory.glob("*.one.qcow2"))
    xml = xml.replace(f"<name>{guest.name}</name>", "<name>clone-of-it</name>").replace(str(overlay), str(clone))
    return xml.replace(guest.uuid, "11111111-2222-4333-8444-555555555555")


def test_merging_tells_how_far_it_is(guest: Machine) -> None:
    _take_disks(guest, "first")
    guest.channel.run("dd if=/dev/urandom of=/run/part bs=1M count=16 2>/dev/null")
    guest.channel.run("for n in $(seq 25); do cat /run/part; done >/data/large; sync", timeout=120)
    seen: list[Progress] = []
    with Connection(guest.uri) as connection:
        facts = read_facts(connection, guest.uuid)
        plan = delete.plan(facts, DeleteRequest(("first",)))
        run(plan, facts, connection, History(), seen.append)
    merging = [report for report in seen if report.fraction is not None and 0 < report.fraction < 1]
    assert merging, [report.fraction for report in seen]
    assert {report.disk for report in merging} == {"vda"}
    assert not any(report.estimated or report.cancellable for report in merging)
    assert seen[-1].fraction == 1.0


def _take_disks(guest: Machine, name: str) -> None:
    ok(guest.uri, "take", guest.name, name, "--kind", "external", "--memory", "none")
