"""``revert --force``, ``--reset-nvram``, ``prune`` and ``doctor --fix``: what only happens where the user insists."""

import gc
from collections.abc import Iterator

import libvirt
import pytest

from snapgui.hypervisor import snapshots
from snapgui.hypervisor.connection import Connection
from snapgui.operations.history import History
from tests.driver.conftest import Command, Said
from tests.driver.reluctant import REASON, make_reluctant
from tests.unit.trees import drawn

RISKY = f"libvirt calls this risky, and does it only if forced to: {REASON}"
FORCE, PAUSED = libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE, libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED


def ok(said: Said) -> Said:
    assert said.status == 0, said.err
    return said


def refused(said: Said) -> str:
    assert (said.status, said.out) == (1, "")
    assert said.err.count("\n") == 1, "one sentence"
    gc.collect()  # until then, what a job raised keeps the connection, and with it the pretended VMs
    return said.err.removeprefix("snapgui: ").strip()


@pytest.fixture
def history() -> Iterator[History]:
    opened = History()
    yield opened
    opened.close()


def tree_of(connection: Connection) -> str:
    return drawn(snapshots.read_tree(connection, connection.find("test")))


# revert


def test_a_risky_revert_is_refused_with_libvirts_reason(
    snapgui: Command, default: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok(snapgui("take", "test", "a"))
    ok(snapgui("take", "test", "b"))
    make_reluctant(monkeypatch)
    assert refused(snapgui("revert", "test", "a", "--no-safety")) == f"{RISKY}."
    assert tree_of(default) == "a+>b*+"


def test_a_risky_revert_is_done_where_it_is_forced(
    snapgui: Command, default: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok(snapgui("take", "test", "a"))
    ok(snapgui("take", "test", "b"))
    asked = make_reluctant(monkeypatch)
    ok(snapgui("revert", "test", "a", "--no-safety", "--force", "--then", "paused"))
    assert asked == [FORCE | PAUSED]
    assert tree_of(default) == "a*+>b+"


def test_a_risky_revert_says_where_the_state_before_is_kept(
    snapgui: Command, default: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok(snapgui("take", "test", "a"))
    make_reluctant(monkeypatch)
    sentence = refused(snapgui("revert", "test", "a", "--safety", "kept"))
    assert sentence == f"{RISKY}. Its state before is kept in “kept”."
    assert tree_of(default) == "a+>kept*+"


def test_a_dry_run_shows_that_it_is_forced(snapgui: Command) -> None:
    ok(snapgui("take", "test", "a"))
    plan = ok(snapgui("revert", "test", "a", "--no-safety", "--force", "--dry-run", "--json")).json
    assert [step["virsh"] for step in plan["steps"]] == [["virsh", "snapshot-revert", "test", "a", "--force"]]


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_vm_without_uefi_has_no_variables_to_reset(
    snapgui: Command, default: Connection, dry: tuple[str, ...]
) -> None:
    ok(snapgui("take", "test", "a"))
    sentence = refused(snapgui("revert", "test", "a", "--reset-nvram", *dry))
    assert sentence == "test does not start by UEFI firmware: it has no variables to reset."
    assert tree_of(default) == "a*+"


# take


@pytest.mark.parametrize("place", ["none", "external"])
def test_a_disk_of_an_internal_snapshot_cannot_be_left_out(snapgui: Command, default: Connection, place: str) -> None:
    options = ("--kind", "internal") if place == "external" else ()
    sentence = refused(snapgui("take", "test", "a", "--disk", f"vda={place}", *options))
    assert sentence == "An internal snapshot holds all writable disks; vda cannot be left out."
    assert tree_of(default) == ""


# prune


def reverted(snapgui: Command, *safety: str) -> None:
    """Take “a” and go back to it, once for each name of a safety snapshot."""
    ok(snapgui("take", "test", "a"))
    for name in safety:
        ok(snapgui("revert", "test", "a", "--safety", name))


@pytest.mark.parametrize(
    ("options", "deleted"),
    [((), ["s1", "s2"]), (("--keep", "2"), ["s1"]), (("--keep", "0"), ["s1", "s2", "s3"])],
)
def test_the_oldest_safety_snapshots_are_deleted(
    snapgui: Command, options: tuple[str, ...], deleted: list[str]
) -> None:
    reverted(snapgui, "s1", "s2", "s3")
    said = ok(snapgui("prune", "test", *options, "--json"))
    assert (list(said.json), said.json["deleted"]) == (["vm", "deleted"], deleted)


def test_what_was_deleted_is_said(snapgui: Command, default: Connection) -> None:
    reverted(snapgui, "s1", "s2")
    assert ok(snapgui("prune", "test")).out == "Deleted “s1” of test.\n"
    assert tree_of(default) == "a*+>s2+"


@pytest.mark.parametrize("options", [(), ("--keep", "7")])
def test_with_nothing_to_prune_that_is_said(snapgui: Command, options: tuple[str, ...]) -> None:
    reverted(snapgui, "s1")
    assert refused(snapgui("prune", "test", *options)) == "test has no old safety snapshot that could be deleted."


def test_a_dry_run_of_pruning_deletes_nothing(snapgui: Command, default: Connection) -> None:
    reverted(snapgui, "s1", "s2")
    plan = ok(snapgui("prune", "test", "--keep", "0", "--dry-run", "--json")).json
    assert (plan["operation"], len(plan["steps"])) == ("delete", 2)
    assert tree_of(default) == "a*+>s1+ a>s2+"


def test_the_latest_revert_can_be_undone_after_pruning(snapgui: Command, default: Connection) -> None:
    reverted(snapgui, "s1", "s2")
    ok(snapgui("prune", "test"))
    ok(snapgui("undo", "test"))
    assert tree_of(default) == "a*+"


def test_the_tree_marks_safety_snapshots(snapgui: Command) -> None:
    reverted(snapgui, "s1")
    lines = ok(snapgui("tree", "test")).out.splitlines()
    assert [line.endswith("running, internal, safety") for line in lines if "internal" in line] == [False, True]


# doctor


def test_a_saved_state_is_discarded_on_demand(snapgui: Command, machine: libvirt.virDomain, history: History) -> None:
    machine.managedSave()
    said = ok(snapgui("doctor", "test", "--fix", "discard-saved-state"))
    assert said.out.startswith("Done: discard-saved-state of test, ")
    assert not machine.hasManagedSaveImage()
    assert [(entry.title, entry.outcome) for entry in history.recent()] == [("Discard the saved state", "done")]


def test_a_sleeping_vm_is_woken_on_demand(snapgui: Command, machine: libvirt.virDomain) -> None:
    machine.managedSave()
    said = ok(snapgui("doctor", "test", "--fix", "start", "--json"))
    assert (list(said.json), said.json["fixed"]) == (["vm", "fixed"], "start")
    assert (machine.state()[0], machine.hasManagedSaveImage()) == (libvirt.VIR_DOMAIN_RUNNING, 0)


def test_a_dry_run_of_a_remedy_changes_nothing(snapgui: Command, machine: libvirt.virDomain) -> None:
    machine.managedSave()
    plan = ok(snapgui("doctor", "test", "--fix", "discard-saved-state", "--dry-run", "--json")).json
    assert plan["losses"] == ["The memory of the sleeping guest will be lost, as by a power cut."]
    assert machine.hasManagedSaveImage()


@pytest.mark.parametrize("remedy", ["start", "discard-saved-state", "nvram-to-qcow2"])
def test_a_running_vm_is_not_mended(snapgui: Command, remedy: str) -> None:
    sentence = refused(snapgui("doctor", "test", "--fix", remedy))
    assert sentence == "test is running; this can be done only while it is off."


# usage


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("prune",), "VM"),
        (("prune", "test", "--keep"), "--keep"),
        (("prune", "test", "--keep", "-1"), "--keep"),
        (("prune", "test", "--keep", "two"), "'two' is not a number"),
        (("prune", "test", "--keep", "1.5"), "'1.5' is not a number"),
        (("prune", "test", "--keep", ""), "'' is not a number"),
        (("prune", "test", "--keep", "9" * 5000), "--keep"),
        (("doctor", "test", "--fix"), "--fix"),
        (("doctor", "test", "--fix", "everything"), "discard-saved-state"),
        (("take", "test", "--disk", "vda=none", "--disk", "vda=external"), "--disk is given twice for vda"),
        (("take", "test", "--disk", "vda"), "TARGET=internal|external|none"),
        (("-c", "", "list"), "-c/--connect needs a URI"),
        (("-c", " ", "list"), "-c/--connect needs a URI"),
        (("--vm", "test", "list"), "--vm belongs to the window"),
        (("--vm", "test", "tree", "test"), "--vm belongs to the window"),
    ],
)
def test_what_nobody_can_mean_is_wrong_usage(snapgui: Command, arguments: tuple[str, ...], reason: str) -> None:
    said = snapgui(*arguments)
    assert (said.status, said.out) == (2, "")
    assert reason in said.err.splitlines()[-1]
    assert "Traceback" not in said.err


def test_two_disks_may_be_named(snapgui: Command) -> None:
    said = snapgui("take", "test", "a", "--disk", "vda=internal", "--disk", "vdb=none", "--dry-run")
    assert said.status != 2, said.err


def test_one_snapshot_is_counted_as_one(snapgui: Command) -> None:
    ok(snapgui("take", "test", "a"))
    assert ok(snapgui("list")).out.rstrip().endswith(" 1 snapshot")
    ok(snapgui("take", "test", "b"))
    assert ok(snapgui("list")).out.rstrip().endswith(" 2 snapshots")
