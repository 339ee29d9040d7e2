"""What reverts and deletions would destroy or cannot do, known from the tree and its files before anything is done."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from snapgui.model.plan import Severity
from snapgui.model.records import Capabilities, Directory, Kind, Lent, Place, SnapshotDisk, Vm
from snapgui.model.tree import SnapshotTree
from snapgui.operations.dangers import delete_findings, revert_findings
from snapgui.operations.delete import DeleteRequest
from snapgui.operations.delete import plan as plan_delete
from snapgui.operations.facts import Facts
from snapgui.operations.revert import RevertRequest
from snapgui.operations.revert import plan as plan_revert
from tests.unit.facts import NEW_LIBVIRT, OFF, OLD_LIBVIRT, RUNNING, facts

BEFORE_DELETE = Capabilities(libvirt=(8, 10, 0), hypervisor=(7, 2, 0))
STACKS: Mapping[str, Capabilities] = {"old": OLD_LIBVIRT, "new": NEW_LIBVIRT, "oldest": BEFORE_DELETE}
CHAIN = "a!>b!>c!*"
BRANCHES = "a!>b!>c! a!>d!*"
DEEP_BRANCH = "a!>b!>c! a!>b!>d!*"
INNER = "a!>b!*>c!"
BRANCH_POINT = "several snapshots branch off from it"
CURRENT_BRANCHES = "the current state branches off from it"
ELSEWHERE = "it lies in a branch that the VM does not run on"
INTERNAL_PARENT = "its parent is an internal snapshot"
ONLY_ACTIVE = "this libvirt deletes only what the VM runs on"
ONLY_RUNNING = "this libvirt deletes it only while the VM runs"
TOO_OLD = "this libvirt cannot delete external snapshots"


def known(line: str, stack: str, vm: Vm = RUNNING, **more: object) -> Facts:
    return facts(line, vm, capabilities=STACKS[stack], **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "stack", "vm", "name", "why"),
    [
        (CHAIN, "old", RUNNING, "a", None),
        (CHAIN, "old", RUNNING, "b", None),
        (CHAIN, "old", RUNNING, "c", None),
        (CHAIN, "old", OFF, "a", ONLY_RUNNING),
        (CHAIN, "old", OFF, "b", ONLY_RUNNING),
        (CHAIN, "old", OFF, "c", None),
        (CHAIN, "new", RUNNING, "b", None),
        (CHAIN, "new", OFF, "a", None),
        (CHAIN, "new", OFF, "b", None),
        (CHAIN, "new", OFF, "c", None),
        (CHAIN, "oldest", RUNNING, "c", TOO_OLD),
        (CHAIN, "oldest", OFF, "c", TOO_OLD),
        (BRANCHES, "old", RUNNING, "a", BRANCH_POINT),
        (BRANCHES, "old", RUNNING, "b", ELSEWHERE),
        (BRANCHES, "old", RUNNING, "c", ONLY_ACTIVE),
        (BRANCHES, "old", RUNNING, "d", None),
        (BRANCHES, "new", RUNNING, "a", BRANCH_POINT),
        (BRANCHES, "new", RUNNING, "b", ELSEWHERE),
        (BRANCHES, "new", OFF, "b", ELSEWHERE),
        (BRANCHES, "new", RUNNING, "c", None),
        (BRANCHES, "new", RUNNING, "d", None),
        (DEEP_BRANCH, "new", RUNNING, "a", None),
        (DEEP_BRANCH, "new", RUNNING, "b", BRANCH_POINT),
        (INNER, "new", RUNNING, "a", None),
        (INNER, "new", RUNNING, "b", CURRENT_BRANCHES),
        (INNER, "old", OFF, "b", CURRENT_BRANCHES),
        (INNER, "new", RUNNING, "c", None),
        ("in>ext!*", "old", RUNNING, "ext", INTERNAL_PARENT),
        ("in>ext!*", "new", OFF, "ext", INTERNAL_PARENT),
        ("in>ext!>more!*", "new", RUNNING, "more", None),
        ("a!>b!", "new", RUNNING, "b", None),
        ("a!>b!", "new", RUNNING, "a", ELSEWHERE),
        ("a!+>b!+>c!+*", "old", RUNNING, "b", None),
    ],
)
def test_which_external_snapshots_can_be_deleted(line: str, stack: str, vm: Vm, name: str, why: str | None) -> None:
    state = known(line, stack, vm)
    found = delete_findings(state, state.tree[name])
    if why is None:
        assert found == ()
        return
    (finding,) = found
    assert (finding.code, finding.severity) == ("external-delete", Severity.BLOCKER)
    assert str(finding.text) == f"“{name}” cannot be deleted: {why}."
    assert finding.fix is not None


@pytest.mark.parametrize(
    ("line", "stack", "vm", "names", "order", "blocked"),
    [
        (CHAIN, "old", RUNNING, ("a",), ["c", "b", "a"], 0),
        (CHAIN, "new", OFF, ("a",), ["c", "b", "a"], 0),
        (CHAIN, "old", OFF, ("a",), ["c", "b", "a"], 0),
        (BRANCHES, "new", RUNNING, ("a",), ["c", "b", "d", "a"], 0),
        (BRANCHES, "new", RUNNING, ("b",), ["c", "b"], 0),
        (BRANCHES, "old", RUNNING, ("a",), ["c", "b", "d", "a"], 2),
        (INNER, "new", RUNNING, ("b",), ["c", "b"], 0),
        ("in>ext!*", "new", RUNNING, ("in",), ["ext", "in"], 2),
    ],
)
def test_with_children_the_last_are_the_first(
    line: str, stack: str, vm: Vm, names: tuple[str, ...], order: list[str], blocked: int
) -> None:
    """Judged one after another, as they go."""
    made = plan_delete(known(line, stack, vm), DeleteRequest(names, with_children=True))
    assert [step.snapshot for step in made.steps] == order
    assert len(made.blockers) == blocked


def test_only_the_children() -> None:
    made = plan_delete(known(BRANCHES, "new"), DeleteRequest(("b",), children_only=True))
    assert [step.snapshot for step in made.steps] == ["c"]
    assert made.blockers == ()


@pytest.mark.parametrize(("stack", "codes"), [("old", ["no-external-revert"]), ("new", [])])
@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_external_snapshots_are_gone_back_to_where_libvirt_can(name: str, stack: str, codes: list[str]) -> None:
    state = known(BRANCHES, stack)
    found = revert_findings(state, state.tree[name])
    assert [finding.code for finding in found] == codes
    for finding in found:
        assert str(finding.text) == (f"“{name}” is an external snapshot; this libvirt (9.0.0) cannot revert to one.")
        assert "libvirt 9.9 or newer can" in str(finding.fix)


def without(state: Facts, *names: str) -> Facts:
    (place,) = state.places
    assert place.names is not None
    assert set(names) <= place.names
    return replace(state, places=(replace(place, names=place.names - set(names)),))


@pytest.mark.parametrize(
    ("gone", "name", "missing"),
    [
        (("c.mem",), "c", ["/images/c.mem"]),
        (("b.qcow2",), "c", ["/images/b.qcow2"]),
        (("a.qcow2",), "c", ["/images/a.qcow2"]),
        (("disk.qcow2",), "c", ["/images/disk.qcow2"]),
        (("disk.qcow2", "b.mem"), "c", ["/images/disk.qcow2"]),
        (("disk.qcow2", "c.mem"), "c", ["/images/disk.qcow2", "/images/c.mem"]),
        (("c.qcow2",), "c", []),
        (("b.qcow2", "c.mem"), "a", []),
    ],
)
def test_every_file_that_a_revert_needs_is_looked_for(gone: tuple[str, ...], name: str, missing: list[str]) -> None:
    """Measured: libvirt ends the guest first. The images below the one that is gone back to are needed as well."""
    state = without(known("a!+>b!+>c!+*", "new"), *gone)
    found = revert_findings(state, state.tree[name])
    assert [finding.code for finding in found] == ["file-missing"] * len(missing)
    assert [str(finding.text) for finding in found] == [
        f"A file that “{name}” needs is missing: {path}." for path in missing
    ]


@pytest.mark.parametrize("places", [(), (Directory("/images"),), (Directory("/elsewhere", frozenset()),)])
def test_what_nobody_can_see_is_not_called_missing(places: tuple[Directory, ...]) -> None:
    state = replace(known(CHAIN, "new"), places=places)
    assert revert_findings(state, state.tree["b"]) == ()


@pytest.mark.parametrize(
    ("lent", "name", "refused"),
    [
        ("/images/disk.qcow2", "a", True),
        ("/images/a.qcow2", "a", True),
        ("/images/b.qcow2", "a", False),
        ("/images/a.qcow2", "b", True),
        ("/images/b.qcow2", "b", True),
        ("/images/disk.qcow2", "b", False),
        ("/images/b.qcow2", "c", True),
        ("/images/c.qcow2", "c", True),
        ("/images/other.qcow2", "c", False),
    ],
)
@pytest.mark.parametrize("stack", ["old", "new"])
def test_no_image_is_changed_that_another_vm_is_based_on(lent: str, name: str, refused: bool, stack: str) -> None:
    """libvirt merges the overlay into its base; a clone that is switched off would silently be destroyed."""
    state = known(CHAIN, stack, lent=(Lent(lent, "clone", "99"),))
    found = delete_findings(state, state.tree[name])
    assert [finding.code for finding in found] == (["base-of-clone"] if refused else [])
    if refused:
        assert str(found[0].text) == (
            f"clone is based on an image of “{name}”: {lent}. Changing it would destroy clone."
        )


@pytest.mark.parametrize(("lent", "refused"), [("/images/c.qcow2", True), ("/images/b.qcow2", False)])
def test_a_revert_gives_up_no_image_that_another_vm_is_based_on(lent: str, refused: bool) -> None:
    state = known(CHAIN, "new", lent=(Lent(lent, "clone", "99"),))
    codes = [finding.code for finding in revert_findings(state, state.tree["a"])]
    assert codes == (["base-of-clone"] if refused else [])


@pytest.mark.parametrize("stack", ["old", "new"])
@pytest.mark.parametrize(
    ("line", "name", "refused"),
    [
        ("in>ext!*", "in", True),
        ("in>more>ext!>last*", "in", True),
        ("in>more>ext!>last*", "more", True),
        ("in>more*", "in", False),
        ("in>other in>ext!*", "other", True),
        ("ext!>in*", "in", False),
        ("ext!>in>more*", "in", False),
        ("ext!>in>over!*", "in", True),
    ],
)
def test_an_internal_snapshot_below_overlays_is_neither_gone_back_to_nor_deleted(
    line: str, name: str, refused: bool, stack: str
) -> None:
    """“other” lies in the same image as “in”, which has become the base of the overlay."""
    state = known(line, stack)
    expected = ["under-overlay"] if refused else []
    assert [finding.code for finding in revert_findings(state, state.tree[name])] == expected
    assert [finding.code for finding in delete_findings(state, state.tree[name])] == expected


def test_an_image_that_was_exchanged_outside_counts_as_an_overlay() -> None:
    state = known("in>more*", "new")
    moved = tuple(replace(disk, source="/images/by-hand.qcow2") for disk in state.machine.disks)
    state = replace(state, machine=replace(state.machine, disks=moved))
    assert [finding.code for finding in revert_findings(state, state.tree["in"])] == ["under-overlay"]


def test_a_snapshot_that_is_both_is_treated_as_external() -> None:
    """virsh can hold one disk inside and another beside."""
    state = known("a!*", "old")
    both = replace(
        state.tree["a"], disks=(*state.tree["a"].disks, SnapshotDisk("vdb", Place.INTERNAL, "/images/second.qcow2"))
    )
    assert both.kind is Kind.MIXED
    state = replace(state, tree=SnapshotTree([both], "a"))
    assert [finding.code for finding in revert_findings(state, both)] == ["no-external-revert"]


def test_a_saved_state_stands_in_the_way_of_every_revert() -> None:
    for line in ("a*", "a!*"):
        state = known(line, "new", OFF, managed_save=True)
        assert [finding.code for finding in revert_findings(state, state.tree["a"])] == ["managed-save"]


def test_a_plan_with_a_danger_is_blocked_however_it_is_asked_for() -> None:
    state = known(CHAIN, "old")
    for safety in (True, False, None):
        for force in (True, False):
            request = RevertRequest("a", safety=safety, force=force)
            assert [finding.code for finding in plan_revert(state, request).blockers] == ["no-external-revert"]
