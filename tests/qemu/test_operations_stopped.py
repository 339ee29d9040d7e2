"""Stopped VMs: every snapshot holds its own disk content, also after others around it were deleted."""

import libvirt
import pytest

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.domain_xml import NAMESPACE
from snapgui.model.errors import Gone, Refused
from snapgui.operations import delete, edit, revert, take
from snapgui.operations.facts import read_facts
from snapgui.operations.history import History
from snapgui.operations.pipeline import run
from tests.qemu.commands import INTERNAL, ok, refused, result
from tests.qemu.images import holds_pattern, is_sound, names_inside, write_pattern
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack

UNDEFINE = libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA


def take_with(machine: Machine, name: str, pattern: int) -> None:
    write_pattern(machine.disk, pattern)
    taken = result(machine.uri, "take", machine.name, name, *INTERNAL)
    assert (taken["state"], taken["memory"], taken["guest_paused_s"]) == ("shutoff", "none", None)


def parents(machine: Machine) -> dict[str, str | None]:
    return {s["name"]: s["parent"] for s in result(machine.uri, "tree", machine.name)["snapshots"]}


def test_children_are_kept_and_hold_what_they_held(idle_guest: Machine) -> None:
    uri, name, disk = idle_guest.uri, idle_guest.name, idle_guest.disk
    for number, snapshot in enumerate("abcd", start=1):
        take_with(idle_guest, snapshot, number)
    ok(uri, "revert", name, "b", "--no-safety")
    take_with(idle_guest, "e", 5)
    assert parents(idle_guest) == {"a": None, "b": "a", "c": "b", "d": "c", "e": "b"}
    ok(uri, "delete", name, "b")
    assert parents(idle_guest) == {"a": None, "c": "a", "d": "c", "e": "a"}
    assert holds_pattern(disk, 5), "the current state does not change"
    for number, snapshot in ((4, "d"), (1, "a"), (3, "c"), (5, "e")):
        ok(uri, "revert", name, snapshot, "--no-safety")
        assert holds_pattern(disk, number), snapshot
    assert result(uri, "delete", name, "c", "--with-children")["deleted"] == ["d", "c"]
    assert parents(idle_guest) == {"a": None, "e": "a"}
    assert names_inside(disk) == {"a", "e"}
    assert holds_pattern(disk, 5)
    assert result(uri, "delete", name, "a", "e")["deleted"] == ["e", "a"]
    assert names_inside(disk) == set()
    assert is_sound(disk)


def test_changed_tells_whether_a_revert_would_lose_something(idle_guest: Machine) -> None:
    uri, name = idle_guest.uri, idle_guest.name

    def changed() -> object:
        return result(uri, "tree", name)["changed"]

    assert changed() is None
    take_with(idle_guest, "a", 1)
    assert changed() is False
    write_pattern(idle_guest.disk, 2)
    assert changed() is True
    kept = result(uri, "revert", name, "a")["safety"]
    assert changed() is False
    assert result(uri, "revert", name, kept)["safety"] is None, "nothing was changed, so nothing had to be saved"
    assert holds_pattern(idle_guest.disk, 2), "the safety snapshot held the lost state"
    assert changed() is False
    idle_guest.start()
    assert changed() is True
    idle_guest.domain.destroy()
    assert changed() is True
    ok(uri, "revert", name, "a", "--no-safety")
    assert changed() is False


def test_other_hardware_counts_as_changed(idle_guest: Machine) -> None:
    uri, name = idle_guest.uri, idle_guest.name
    take_with(idle_guest, "a", 1)
    xml = idle_guest.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    idle_guest.connection.defineXML(xml.replace("262144", "393216"))
    assert result(uri, "tree", name)["changed"] is True
    plan = result(uri, "revert", name, "a", "--dry-run")
    assert "The configuration goes back too: memory 384 MiB → 256 MiB." in plan["notes"]
    ok(uri, "revert", name, "a")
    assert idle_guest.domain.maxMemory() == 262144
    assert result(uri, "tree", name)["changed"] is False


def test_a_title_stays_with_its_snapshot(idle_guest: Machine) -> None:
    uri, name = idle_guest.uri, idle_guest.name
    title = "<script>&amp; </title> ]]> 日本語"
    take_with(idle_guest, "a", 1)
    ok(uri, "edit", name, "a", f"--title={title}", "--description", "one\n\ttwo <i>&")
    ok(uri, "revert", name, "a")
    assert NAMESPACE not in idle_guest.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    take_with(idle_guest, "b", 2)
    found = {s["name"]: (s["title"], s["description"]) for s in result(uri, "tree", name)["snapshots"]}
    assert found == {"a": (title, "one\n\ttwo <i>&"), "b": (None, "")}
    assert result(uri, "tree", name)["current"] == "b"


def test_a_mark_that_virsh_brought_into_the_configuration_is_not_inherited(stack: Stack, idle_guest: Machine) -> None:
    uri, name = idle_guest.uri, idle_guest.name
    take_with(idle_guest, "a", 1)
    ok(uri, "edit", name, "a", "--title", "of a")
    stack.virsh("snapshot-revert", name, "a")
    assert NAMESPACE in idle_guest.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    assert result(uri, "take", name, "b")["title"] is None
    titles = {s["name"]: s["title"] for s in result(uri, "tree", name)["snapshots"]}
    assert titles == {"a": "of a", "b": None}


@pytest.mark.parametrize("name", ["ü" * 123, "x" * 246, "<b>,'\"&%s", "日本語 スナップ", "-rf", "a.qcow2,b"])
def test_unusual_names_are_taken_reverted_to_and_deleted(idle_guest: Machine, name: str) -> None:
    uri, vm = idle_guest.uri, idle_guest.name
    write_pattern(idle_guest.disk, 1)
    assert result(uri, "take", vm, *INTERNAL, "--", name)["name"] == name
    assert names_inside(idle_guest.disk) == {name} or len(name.encode()) > 200, "qemu-img cuts long names in its list"
    write_pattern(idle_guest.disk, 2)
    ok(uri, "revert", vm, "--no-safety", "--", name)
    assert holds_pattern(idle_guest.disk, 1)
    assert result(uri, "tree", vm)["changed"] is False
    ok(uri, "edit", vm, f"--title={name}", "--", name)
    ok(uri, "delete", vm, "--", name)
    assert names_inside(idle_guest.disk) == set()


def test_a_name_that_is_taken_or_impossible_changes_nothing(idle_guest: Machine) -> None:
    uri, vm = idle_guest.uri, idle_guest.name
    take_with(idle_guest, "a", 1)
    assert refused(uri, "take", vm, "a") == "There is already a snapshot named “a”."
    for name in ("a/b", ".a", "a\nb", "x" * 247):
        assert refused(uri, "take", vm, name)
    assert names_inside(idle_guest.disk) == {"a"}


def test_a_vm_that_vanishes_between_plan_and_run(idle_guest: Machine) -> None:
    take_with(idle_guest, "a", 1)
    history = History()
    with Connection(idle_guest.uri) as connection:
        facts = read_facts(connection, idle_guest.uuid)
        plans = (
            take.plan(facts, take.TakeRequest("b")),
            revert.plan(facts, revert.RevertRequest("a")),
            delete.plan(facts, delete.DeleteRequest(("a",))),
            edit.plan(facts, edit.EditRequest("a", title="t")),
        )
        idle_guest.domain.undefineFlags(UNDEFINE)
        for plan in plans:
            with pytest.raises(Gone):
                run(plan, facts, connection, history)
    assert [entry.outcome for entry in history.recent(4)] == ["failed"] * 4
    history.close()
    assert names_inside(idle_guest.disk) == {"a"}


def test_a_snapshot_that_was_replaced_between_plan_and_run_is_not_touched(idle_guest: Machine) -> None:
    take_with(idle_guest, "a", 1)
    history = History()
    with Connection(idle_guest.uri) as connection:
        facts = read_facts(connection, idle_guest.uuid)
        plans = (
            revert.plan(facts, revert.RevertRequest("a", safety=False)),
            delete.plan(facts, delete.DeleteRequest(("a",))),
            edit.plan(facts, edit.EditRequest("a", title="t")),
        )
        old = idle_guest.domain.snapshotLookupByName("a")
        created = facts.tree["a"].created
        text = old.getXMLDesc().replace(str(int(created.timestamp())), str(int(created.timestamp()) + 60))
        old.delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
        idle_guest.domain.snapshotCreateXML(
            text, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
        )
        write_pattern(idle_guest.disk, 2)
        for plan in plans:
            with pytest.raises(Refused, match="was replaced by another snapshot meanwhile"):
                run(plan, facts, connection, history)
    history.close()
    assert holds_pattern(idle_guest.disk, 2)
    assert names_inside(idle_guest.disk) == {"a"}
