"""What is told and drawn while something happens: the right files, in the right phase, for plans of all kinds."""

import itertools
from dataclasses import replace

import pytest

from snapgui.model.plan import Plan, Verb
from snapgui.model.progress import LIVE_PHASES, PAUSED_PHASES, TAKE_PHASES, Phase
from snapgui.model.records import Disk, KindWish, Lent, MemoryWish, Then, Vm
from snapgui.operations import clone, delete, edit, revert, take
from snapgui.operations.chain_then import known_chain, known_disk
from snapgui.operations.facts import Facts
from snapgui.operations.lesson import Lesson, lesson
from snapgui.operations.lesson_of_revert import NEW_OVERLAY
from snapgui.operations.sketch import CLONE, GUEST, Being, Flow, Guest, Picture, draw
from snapgui.operations.surroundings import Surroundings
from tests.unit.facts import DISK, MACHINE, NEW_LIBVIRT, OFF, PAUSED, RUNNING, facts, with_chains

DISK0, IMAGE_A, IMAGE_B = DISK.source, "/images/a.qcow2", "/images/b.qcow2"
INSIDE, BESIDE = "a+>b+*", "a!>b+!*"


def known(line: str, vm: Vm = RUNNING) -> Facts:
    return with_chains(facts(line, vm, capabilities=NEW_LIBVIRT))


def taking(found: Facts, kind: KindWish, memory: MemoryWish = MemoryWish.AUTO) -> Plan:
    return take.plan(found, take.TakeRequest("new", kind=kind, memory=memory))


def told(plan: Plan, found: Facts) -> Lesson:
    made = lesson(plan, found)
    assert made is not None
    return made


def titles(picture: Picture) -> list[str]:
    """The cards that are to be seen, with signs for what comes and goes."""
    signs = {Being.THERE: "", Being.NEW: "+", Being.GOES: "-"}
    shown = (piece for piece in picture.pieces if piece.being is not Being.COMING)
    return [f"{signs[piece.being]}{piece.title or f'({piece.count})'}" for piece in shown]


def flows(picture: Picture, flow: Flow) -> list[tuple[str, str]]:
    return [(arrow.start, arrow.end) for arrow in picture.arrows if arrow.flow is flow]


def lit(picture: Picture) -> set[tuple[Flow, str, str]]:
    return {(arrow.flow, arrow.start, arrow.end) for arrow in picture.lit_arrows}


def inside(picture: Picture, image: str) -> tuple[str, Being] | None:
    found = picture.piece(image).inside
    return None if found is None else (found.name, found.being)


# what is known of a chain


def test_a_chain_that_nobody_was_asked_about() -> None:
    found = replace(
        known("a!>b!>c*"),
        allocated=((DISK0, 5), (IMAGE_B, 7)),
        lent=(Lent(IMAGE_A, "web02"), Lent(IMAGE_A, "web02", snapshot="x")),
    )
    disk = known_disk(found, "vda")
    assert disk is not None
    assert disk.blocks is None
    assert [(i.path, i.format, i.allocated_bytes, i.frozen_by, i.clones, i.internal_snapshots) for i in disk.chain] == [
        (IMAGE_B, "qcow2", 7, (), (), ("c",)),
        (IMAGE_A, "qcow2", None, ("b",), ("web02",), ()),
        (DISK0, "qcow2", 5, ("a",), (), ()),
    ]
    assert known_disk(found, "vdz") is None


def test_links_to_images_are_seen_through() -> None:
    found = replace(known("a!*"), real=((DISK0, "/real/disk.qcow2"),), lent=(Lent("/real/disk.qcow2", "web02"),))
    (image,) = known_chain(found, DISK0)
    assert (image.frozen_by, image.clones) == (("a",), ("web02",))


# take


def test_take_inside() -> None:
    found = known(INSIDE)
    stage = told(taking(found, KindWish.INTERNAL), found).stages[0]
    assert tuple(scene.phase for scene in stage.scenes) == TAKE_PHASES
    pause, create, memory, protect, resume = stage.scenes
    assert inside(pause.picture, DISK0) == ("new", Being.COMING)
    assert inside(create.picture, DISK0) == ("new", Being.NEW)
    assert str(create.sentence) == "“new” begins inside disk.qcow2: it becomes a part of the same file."
    assert lit(memory.picture) == {(Flow.STATE, GUEST, DISK0)}
    assert flows(memory.picture, Flow.WRITES) == [], "it stands still"
    assert lit(protect.picture) == set()
    assert lit(resume.picture) == {(Flow.WRITES, GUEST, DISK0)}
    guests = [scene.picture.piece(GUEST).guest for scene in stage.scenes]
    assert guests == [Guest.STANDS] * 4 + [Guest.RUNS]


def test_take_beside_while_the_guest_runs() -> None:
    found = known(BESIDE)
    plan = taking(found, KindWish.EXTERNAL, MemoryWish.LIVE)
    overlay, memory_file = plan.steps[0].disks[0].file, plan.steps[0].memory_file
    made = told(plan, found)
    assert tuple(scene.phase for scene in made.stages[0].scenes) == LIVE_PHASES
    memory, pause, _flush, protect, resume = made.stages[0].scenes
    assert titles(memory.picture) == ["+web01.new.mem", "web01", "b.qcow2", "a.qcow2", "disk.qcow2"]
    assert lit(memory.picture) == {(Flow.STATE, GUEST, memory_file)}
    assert flows(memory.picture, Flow.WRITES) == [(GUEST, IMAGE_B)]
    assert "almost complete" in str(pause.sentence)
    assert titles(protect.picture)[2:4] == ["+web01-vda.new.qcow2", "b.qcow2"]
    assert flows(protect.picture, Flow.WRITES) == [(GUEST, overlay)]
    frozen = protect.picture.piece(IMAGE_B).image
    assert frozen is not None
    assert frozen.frozen_by == ("new",)
    assert (Flow.FALLS, overlay, IMAGE_B) in lit(resume.picture)
    assert str(made.end.sentence) == (
        "web01 writes to web01-vda.new.qcow2; what was not written there, it reads from b.qcow2."
    )
    assert made.end.picture.piece(overlay).being is Being.THERE


def test_take_beside_while_the_guest_stands_still() -> None:
    found = known(BESIDE)
    made = told(taking(found, KindWish.EXTERNAL, MemoryWish.PAUSED), found)
    assert tuple(scene.phase for scene in made.stages[0].scenes) == PAUSED_PHASES
    pause, create, memory = made.stages[0].scenes[:3]
    assert titles(pause.picture) == ["web01", "b.qcow2", "a.qcow2", "disk.qcow2"]
    assert titles(create.picture)[0] == "+web01.new.mem"
    assert str(memory.sentence) == "CPU and RAM are written into a file of their own: web01.new.mem."


@pytest.mark.parametrize(("vm", "phases"), [(RUNNING, [Phase.PROTECT]), (OFF, [Phase.CREATE, Phase.PROTECT])])
def test_take_disks_alone(vm: Vm, phases: list[Phase]) -> None:
    found = known(BESIDE, vm)
    scenes = told(taking(found, KindWish.EXTERNAL, MemoryWish.NONE), found).stages[0].scenes
    assert [scene.phase for scene in scenes] == phases
    assert titles(scenes[-1].picture) == ["web01", "+web01-vda.new.qcow2", "b.qcow2", "a.qcow2", "disk.qcow2"]
    assert flows(scenes[0].picture, Flow.WRITES)[0][1] == (IMAGE_B if vm is OFF else flows_top(scenes[-1].picture))


def flows_top(picture: Picture) -> str:
    return flows(picture, Flow.WRITES)[0][1]


# revert


def test_revert_inside_keeps_the_file() -> None:
    found = known(INSIDE)
    plan = revert.plan(found, revert.RevertRequest("a"))
    made = told(plan, found)
    check = made.scene(2, Phase.CHECK)
    assert plan.steps[0].snapshot in str(check.sentence)
    assert check.picture.piece(DISK0).lit
    stop, load, start = (made.scene(3, phase) for phase in (Phase.STOP, Phase.LOAD, Phase.START))
    assert f"is kept in “{plan.steps[0].snapshot}”" in str(stop.sentence)
    assert str(load.sentence) == (
        "disk.qcow2 takes back what “a” keeps inside it: the same file, with the blocks of then. "
        "CPU and RAM come from disk.qcow2."
    )
    assert lit(load.picture) == {(Flow.STATE, DISK0, GUEST)}
    assert inside(load.picture, DISK0) == ("a", Being.THERE)
    assert start.picture.piece(GUEST).guest is Guest.RUNS


def test_revert_without_safety_gives_up_what_there_was() -> None:
    found = known(INSIDE)
    made = told(revert.plan(found, revert.RevertRequest("a", safety=False)), found)
    assert "is given up" in str(made.scene(1, Phase.STOP).sentence)


def test_revert_beside_makes_a_new_overlay() -> None:
    found = known(BESIDE)
    made = told(revert.plan(found, revert.RevertRequest("b", safety=False)), found)
    stop, load, start = made.stages[0].scenes
    assert titles(stop.picture) == ["b.mem", "web01", "b.qcow2", "a.qcow2", "disk.qcow2"]
    assert titles(load.picture) == ["b.mem", "web01", "+a new overlay", "-b.qcow2", "a.qcow2", "disk.qcow2"]
    assert lit(load.picture) == {(Flow.FALLS, NEW_OVERLAY, IMAGE_A), (Flow.STATE, "/images/b.mem", GUEST)}
    assert str(load.sentence).startswith("A new, empty overlay is made on a.qcow2")
    assert "b.qcow2 goes away" in str(load.sentence)
    assert flows_top(start.picture) == NEW_OVERLAY
    assert titles(made.end.picture) == ["web01", "a new overlay", "a.qcow2", "disk.qcow2"]


def test_what_the_safety_snapshot_froze_stays() -> None:
    found = known(BESIDE)
    plan = revert.plan(found, revert.RevertRequest("a"))
    load = told(plan, found).scene(3, Phase.LOAD)
    assert load.picture.piece(IMAGE_B).being is Being.THERE
    assert [piece.key for piece in load.picture.pieces if piece.being is Being.GOES] == [plan.steps[0].disks[0].file]


def test_revert_to_another_branch() -> None:
    found = known("a!>b! a>c!*")
    made = told(revert.plan(found, revert.RevertRequest("b", safety=False)), found)
    assert flows(made.end.picture, Flow.FALLS) == [(NEW_OVERLAY, IMAGE_A), (IMAGE_A, DISK0)]


@pytest.mark.parametrize(
    ("then", "guest"), [(Then.AS_TAKEN, Guest.RUNS), (Then.PAUSED, Guest.STANDS), (Then.OFF, Guest.OFF)]
)
def test_what_the_guest_does_then(then: Then, guest: Guest) -> None:
    found = known(INSIDE)
    made = told(revert.plan(found, revert.RevertRequest("a", then=then)), found)
    assert made.end.picture.piece(GUEST).guest is guest


# delete


def test_delete_inside() -> None:
    found = known(INSIDE)
    made = told(delete.plan(found, delete.DeleteRequest(("a",))), found)
    (scene,) = made.stages[0].scenes
    assert inside(scene.picture, DISK0) == ("a", Being.GOES)
    left = made.end.picture.piece(DISK0).image
    assert left is not None
    assert left.internal_snapshots == ("b",)


def test_delete_beside_merges_down_one_after_another() -> None:
    found = known(BESIDE)
    made = told(delete.plan(found, delete.DeleteRequest(("a", "b"))), found)
    first, second = (stage.scenes[0] for stage in made.stages)
    assert lit(first.picture) == {(Flow.MERGES, IMAGE_B, IMAGE_A)}
    assert titles(first.picture) == ["-b.mem", "web01", "-b.qcow2", "a.qcow2", "disk.qcow2"]
    assert "Its memory file goes, too." in str(first.sentence)
    assert lit(second.picture) == {(Flow.MERGES, IMAGE_A, DISK0)}
    assert titles(made.end.picture) == ["web01", "disk.qcow2"]


def test_delete_in_the_middle() -> None:
    found = known(BESIDE)
    made = told(delete.plan(found, delete.DeleteRequest(("a",))), found)
    assert lit(made.stages[0].scenes[0].picture) == {(Flow.MERGES, IMAGE_A, DISK0)}
    assert flows(made.end.picture, Flow.FALLS) == [(IMAGE_B, DISK0)]


def test_delete_on_another_branch_copies_nothing() -> None:
    found = known("a!>b! a>c!*")
    made = told(delete.plan(found, delete.DeleteRequest(("b",))), found)
    (scene,) = made.stages[0].scenes
    assert str(scene.sentence).startswith("The VM does not run on the branch of “b”: b.qcow2 goes away")
    assert scene.picture.piece(IMAGE_B).being is Being.GOES
    assert lit(scene.picture) == set()


# clone


def test_a_linked_clone_of_the_current_state() -> None:
    found = known(BESIDE, OFF)
    plan = clone.plan(found, Surroundings(), clone.CloneRequest("web02", start=True))
    made = told(plan, found)
    assert [stage.step.verb for stage in made.stages] == [Verb.TAKE, Verb.COPY, Verb.DEFINE, Verb.START_CLONE]
    file = plan.steps[1].copies[0].file
    copy, define, start = made.scene(2, Phase.COPY), made.scene(3, Phase.RECORD), made.scene(4, Phase.START)
    assert lit(copy.picture) == {(Flow.FALLS, file, IMAGE_B)}
    assert titles(copy.picture)[-1] == "+web02-vda.qcow2"
    assert define.picture.piece(CLONE).being is Being.NEW
    assert {(Flow.READS, CLONE, file), (Flow.WRITES, CLONE, file)} <= lit(start.picture)
    assert "b.qcow2 is only read, by both" in str(start.sentence)


def test_full_clones() -> None:
    found = known(BESIDE, OFF)
    plan = clone.plan(found, Surroundings(), clone.CloneRequest("web02", "a", full=True))
    made = told(plan, found)
    file = plan.steps[0].copies[0].file
    assert lit(made.scene(1, Phase.COPY).picture) == {(Flow.COPIES, DISK0, file)}
    assert flows(made.end.picture, Flow.FALLS) == [(IMAGE_B, IMAGE_A), (IMAGE_A, DISK0)]
    assert str(made.end.sentence) == "web02 reads and writes web02-vda.qcow2."


def test_a_full_clone_of_what_lies_inside() -> None:
    found = known(INSIDE, OFF)
    made = told(clone.plan(found, Surroundings(), clone.CloneRequest("web02", "a", full=True)), found)
    assert str(made.scene(1, Phase.COPY).sentence).startswith("What “a” keeps inside disk.qcow2 is copied into web02")


def test_a_full_clone_of_a_running_vm() -> None:
    found = known(BESIDE)
    made = told(clone.plan(found, Surroundings(), clone.CloneRequest("web02", full=True)), found)
    assert "while the guest runs and writes to b.qcow2" in str(made.scene(1, Phase.COPY).sentence)


def test_a_clone_with_its_snapshots() -> None:
    found = known(BESIDE, OFF)
    plan = clone.plan(found, Surroundings(), clone.CloneRequest("web02", full=True, with_snapshots=True))
    made = told(plan, found)
    carry = next(number for number, step in enumerate(plan.steps, 1) if step.verb is Verb.CARRY)
    assert "gets the snapshots, too" in str(made.scene(carry, Phase.RECORD).sentence)


# in general


def test_a_long_chain_is_folded() -> None:
    line = ">".join(f"s{number}!" for number in range(60)) + "*"
    found = known(line)
    made = told(delete.plan(found, delete.DeleteRequest(("s30",))), found)
    assert titles(made.stages[0].scenes[0].picture) == [
        "web01", "s59.qcow2", "s58.qcow2", "s57.qcow2", "(26)", "-s30.qcow2", "s29.qcow2", "(30)",
    ]  # fmt: skip
    assert flows(made.stages[0].scenes[0].picture, Flow.FALLS)[2][1].startswith("folded")


def test_several_disks_are_counted() -> None:
    machine = replace(MACHINE, disks=(DISK, replace(DISK, target="vdb", source="/images/b"), Disk("sda", "cdrom")))
    found = facts("", machine=machine, capabilities=NEW_LIBVIRT)
    made = told(taking(found, KindWish.EXTERNAL, MemoryWish.NONE), found)
    assert (made.target, made.others) == ("vda", 1)


def test_before_the_first_phase() -> None:
    found = known(BESIDE)
    made = told(taking(found, KindWish.EXTERNAL, MemoryWish.LIVE), found)
    screen = made.scene(1, Phase.SCREEN)
    assert "screen" in str(screen.sentence)
    assert titles(screen.picture) == ["web01", "b.qcow2", "a.qcow2", "disk.qcow2"]


def test_what_teaches_nothing() -> None:
    found = known(INSIDE)
    assert lesson(edit.plan(found, edit.EditRequest("a", title="x")), found) is None
    bare = facts("", machine=replace(MACHINE, disks=()))
    assert lesson(taking(bare, KindWish.INTERNAL), bare) is None


def plans(found: Facts) -> list[Plan]:
    """Plans of every sort that can be made of facts."""
    made = [taking(found, kind, memory) for kind, memory in itertools.product(KindWish, MemoryWish)]
    for name in found.tree.snapshots:
        made += [revert.plan(found, revert.RevertRequest(name, then)) for then in Then]
        made.append(delete.plan(found, delete.DeleteRequest((name,), with_children=True)))
        made += [clone.plan(found, Surroundings(), clone.CloneRequest("c", name, full)) for full in (True, False)]
    return made


@pytest.mark.parametrize("vm", [RUNNING, PAUSED, OFF], ids=["running", "paused", "off"])
@pytest.mark.parametrize(
    "line", ["", "a*", "a+>b+*", "a!*", "a!>b+!*", "a!>b! a>c!*", "a>b!>c+!*", "a!>b+*", "a+!>b+! a>c+!*"]
)
def test_every_phase_of_every_plan_is_told(line: str, vm: Vm) -> None:
    found = known(line, vm)
    for plan in plans(found):
        made = told(plan, found)
        assert len(made.stages) == len(plan.steps)
        for step, stage in zip(plan.steps, made.stages, strict=True):
            assert [scene.phase for scene in stage.scenes] == list(step.phases)
            layout = [piece.key for piece in draw(stage.before).pieces]
            for scene in stage.scenes:
                assert "{" not in str(scene.sentence)
                assert "  " not in str(scene.sentence)
                keys = [piece.key for piece in scene.picture.pieces]
                assert len(set(keys)) == len(keys)
                assert keys == layout, "cards stay where they are during a step"
                shown = {piece.key for piece in scene.picture.pieces if piece.being is not Being.COMING}
                assert {end for arrow in scene.picture.arrows for end in (arrow.start, arrow.end)} <= shown
