"""Who is named when a base would be changed, what can be done about it, and what removing a VM takes with it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from snapgui.cli.output import finding_record
from snapgui.model.errors import Refused
from snapgui.model.plan import Remedy, Severity, Verb
from snapgui.model.records import Directory, Disk, Lent, Machine, Vm
from snapgui.model.tree import SnapshotTree
from snapgui.operations import flatten, mend, remove, undo
from snapgui.operations.dangers import delete_findings
from snapgui.operations.delete import DeleteRequest
from snapgui.operations.delete import plan as plan_delete
from snapgui.operations.facts import Facts
from snapgui.operations.history import Past
from snapgui.operations.protection import CODE, NAMED, clones_on, listed, without_clones
from snapgui.operations.remove import RemoveRequest, own_files
from tests.unit.facts import DISK, MACHINE, MIB, NEW_LIBVIRT, OFF, RUNNING, facts

BASE = "/images/c.qcow2"


def clone(name: str, path: str = BASE, snapshot: str = "", *, active: bool = False) -> Lent:
    return Lent(path, name, f"uuid of {name}", snapshot, active)


def loose(path: str, base: str = BASE) -> Lent:
    return Lent(base, path)


def known(*lent: Lent, line: str = "a!>b!>c!*", vm: Vm = OFF) -> Facts:
    return facts(line, vm, capabilities=NEW_LIBVIRT, lent=lent)


# who is named


@pytest.mark.parametrize(
    ("lent", "sentence"),
    [
        ((clone("web02"),), "web02"),
        ((clone("web03"), clone("web02")), "web02 and web03"),
        ((clone("c"), clone("B"), clone("a")), "a, B and c"),
        ((loose("/images/x"), clone("web02")), "web02 and the image /images/x"),
        ((clone("web02", snapshot="old"),), "web02 (its snapshot “old”)"),
        (tuple(clone(f"vm{number}") for number in range(6)), "vm0, vm1, vm2, vm3, vm4 and vm5"),
        (tuple(clone(f"vm{number}") for number in range(9)), "vm0, vm1, vm2, vm3, vm4 and 4 more"),
        ((clone("{braces}"), clone("{0}")), "{0} and {braces}"),
    ],
)
def test_all_are_named_as_far_as_a_sentence_can(lent: tuple[Lent, ...], sentence: str) -> None:
    found = clones_on(known(*lent), [BASE])
    assert len(found) == len(lent)
    assert str(listed(found)) == sentence


def test_a_vm_with_several_disks_is_named_once() -> None:
    (finding,) = delete_findings(known(clone("web02"), clone("web02", "/images/b.qcow2")), known().tree["c"])
    assert [lent.vm for lent in finding.clones] == ["web02"]


def test_the_hint_has_the_commands_for_all_of_them_quoted() -> None:
    lent = (*(clone(f"vm{n}") for n in range(NAMED + 3)), clone("a b; rm"), clone("k", snapshot="s"), loose("/i/x y"))
    (finding,) = delete_findings(known(*lent), known().tree["c"])
    fix = str(finding.fix)
    assert all(f"snapgui flatten vm{n}" in fix for n in range(NAMED + 3))
    assert "snapgui flatten 'a b; rm'" in fix
    assert "Delete the snapshots of k that need it." in fix
    assert "qemu-img rebase -f qcow2 -b '' '/i/x y'" in fix


def test_scripts_get_all_of_them_apart() -> None:
    lent = (clone("web02"), clone("k", snapshot="s"), loose("/i/x"))
    (finding,) = delete_findings(known(*lent), known().tree["c"])
    assert finding_record(finding)["clones"] == [
        {"vm": {"name": "k", "uuid": "uuid of k"}, "image": None, "snapshot": "s", "base": BASE},
        {"vm": {"name": "web02", "uuid": "uuid of web02"}, "image": None, "snapshot": None, "base": BASE},
        {"vm": None, "image": "/i/x", "snapshot": None, "base": BASE},
    ]


def test_deleting_several_is_refused_in_one_sentence() -> None:
    made = plan_delete(known(clone("x"), clone("y", "/images/b.qcow2")), DeleteRequest(("b", "c")))
    (finding,) = (found for found in made.findings if found.code == CODE)
    assert str(finding.text) == (
        "x and y are based on images of “c”, “b”: /images/c.qcow2, /images/b.qcow2. "
        "Changing these would destroy all of them."
    )
    assert without_clones(made).blockers == ()


def test_the_overlay_that_a_revert_made_counts_as_well() -> None:
    """Its name stands in no snapshot, but libvirt merges it into the snapshot's image and removes it."""
    state = known(clone("x", "/images/new.1"))
    machine = replace(MACHINE, disks=(replace(DISK, source="/images/new.1"),))
    state = replace(state, machine=machine, chains=(("/images/new.1", ("/images/new.1", "/images/b.qcow2")),))
    frozen = state.tree["c"].disks[0].source
    assert frozen == "/images/b.qcow2"
    assert [found.code for found in delete_findings(state, state.tree["c"])] == [CODE]


@pytest.mark.parametrize("active", [True, False])
def test_a_snapshot_inside_a_base_is_only_deleted_while_nobody_reads_it(active: bool) -> None:
    state = known(clone("x", DISK.source, active=active), line="a>b*")
    assert [found.code for found in delete_findings(state, state.tree["a"])] == ([CODE] if active else [])


def test_a_vm_that_would_write_to_a_base_is_not_started() -> None:
    made = mend.plan(known(clone("x", DISK.source), line="a*"), Remedy.START)
    (finding,) = made.blockers
    assert str(finding.text).startswith("x is based on an image that this VM writes to")


def test_undo_leaves_a_safety_snapshot_that_something_is_based_on() -> None:
    state = known(clone("x", "/images/c.qcow2"), line="a!*>b!>c!")
    tree = SnapshotTree((replace(s, safety=s.name == "c") for s in state.tree), state.tree.current)
    past = Past("Revert to “a”", datetime(2026, 1, 31, tzinfo=UTC), "c")
    made = undo.plan(replace(state, tree=tree), past)
    assert [step.verb for step in made.steps] == [Verb.REVERT]
    assert any(str(note).startswith("“c” stays: x is based on an image") for note in made.notes)
    assert [step.verb for step in undo.plan(replace(state, tree=tree, lent=()), past).steps] == [
        Verb.REVERT,
        Verb.DELETE,
    ]


# flattening


def layered(line: str = "", **more: object) -> Facts:
    chain = ((DISK.source, (DISK.source, "/bases/base.raw")),)
    state = replace(facts(line, OFF, capabilities=NEW_LIBVIRT), chains=chain)
    return replace(state, **more)  # type: ignore[arg-type]


def test_a_clone_is_flattened_disk_by_disk() -> None:
    (step,) = flatten.plan(layered()).steps
    assert [disk.target for disk in step.disks] == ["vda"]
    assert step.cancellable


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (facts("", OFF), "web01 depends on no other image."),
        (layered("a*"), "web01 has snapshots inside its image"),
        (layered("a!*", machine=MACHINE), "The images below web01 hold its own external snapshots"),
        (layered(managed_save=True), "web01 sleeps in a saved state"),
    ],
)
def test_what_cannot_be_flattened_says_why(state: Facts, sentence: str) -> None:
    with pytest.raises(Refused) as refused:
        flatten.plan(state)
    assert str(refused.value.text).startswith(sentence)


@pytest.mark.parametrize(("free", "codes"), [(999 * MIB, ["space"]), (1000 * MIB, []), (None, [])])
def test_flattening_needs_room_for_all_that_lies_below(free: int | None, codes: list[str]) -> None:
    sizes = ((DISK.source, 5000 * MIB), ("/bases/base.raw", 1000 * MIB))
    places = (Directory("/images", frozenset({"disk.qcow2"}), free), Directory("/bases", None, 0))
    state = layered(allocated=sizes, places=places)
    assert [finding.code for finding in flatten.plan(state).blockers] == codes


def test_a_base_that_is_missing_is_found_before() -> None:
    state = layered(places=(Directory("/images", None), Directory("/bases", frozenset())))
    assert [finding.code for finding in flatten.plan(state).blockers] == ["file-missing"]


def test_what_somebody_runs_on_is_not_written_to() -> None:
    for active in (True, False):
        state = layered(lent=(clone("x", DISK.source, active=active),))
        assert [finding.code for finding in flatten.plan(state).blockers] == ([CODE] if active else [])


# removing


def test_own_files_are_those_of_its_disks_and_snapshots_overlays_first() -> None:
    chain = ("/images/c.qcow2", "/images/b.qcow2", "/images/a.qcow2", "/images/disk.qcow2", "/bases/golden.qcow2")
    chains = tuple((path, chain[number:]) for number, path in enumerate(chain[:-1]))
    state = replace(known(), chains=chains)
    assert own_files(state) == chain[:-1]


def test_memory_files_go_before_the_images() -> None:
    state = known(line="a!+*")
    memory = state.tree["a"].memory_file
    assert memory
    assert memory in own_files(state)


@pytest.mark.parametrize(
    "disk",
    [
        Disk("vdb", source="/dev/vg/lv", format="raw"),
        Disk("vdb", source="/images/shared.qcow2", format="qcow2", shareable=True),
        Disk("vdb", source="/images/only.qcow2", format="qcow2", read_only=True),
        Disk("vdb", device="cdrom", source="/images/cd.iso", format="raw"),
        Disk("vdb", source="volume", format="qcow2", pool="default"),
        Disk("vdb", source=DISK.source, format="qcow2", shareable=True),
    ],
    ids=["block", "shared", "read-only", "cdrom", "pool", "same"],
)
def test_what_may_be_anybodys_stays(disk: Disk) -> None:
    names = frozenset({"disk.qcow2", "shared.qcow2", "only.qcow2", "cd.iso"})
    state = facts("", OFF, machine=Machine(disks=(DISK, disk)))
    state = replace(state, places=(Directory("/images", names),))
    assert disk.source not in own_files(state)
    made = remove.plan(state, RemoveRequest(with_storage=True))
    assert f"Stays: {disk.source}" in [str(note) for note in made.notes]


def test_files_that_are_gone_already_are_not_asked_for() -> None:
    state = replace(facts("", OFF), places=(Directory("/images", frozenset()),))
    assert own_files(state) == ()


def test_the_plan_lists_files_with_sizes_and_what_is_lost() -> None:
    state = replace(facts("a>b*", OFF), allocated=((DISK.source, 3 * MIB),), managed_save=True)
    made = remove.plan(state, RemoveRequest(with_storage=True))
    assert f"Goes: {DISK.source} (3.0 MiB)" in [str(note) for note in made.notes]
    assert made.freed == 3 * MIB
    assert [str(loss) for loss in made.losses] == [
        "Everything on the disks of web01 will be lost.",
        "The configuration of web01 will be lost.",
        "Its 2 snapshots will be lost.",
        "The memory of the sleeping guest will be lost.",
    ]
    (step,) = made.steps
    assert step.paths == (DISK.source,)
    assert DISK.source in str(step.text), "whoever finds it half done in the history is told what may be left"


def test_without_storage_every_image_stays_and_clones_are_in_no_danger() -> None:
    made = remove.plan(facts("", OFF, lent=(clone("x", DISK.source),)), RemoveRequest())
    assert made.steps[0].files == ()
    assert made.blockers == ()
    assert f"Stays: {DISK.source}" in [str(note) for note in made.notes]


def test_a_running_vm_and_bases_are_not_removed() -> None:
    made = remove.plan(facts("", RUNNING, lent=(clone("x", DISK.source),)), RemoveRequest(with_storage=True))
    assert [finding.code for finding in made.blockers] == ["running", CODE]
    assert all(finding.severity is Severity.BLOCKER for finding in made.findings)
