"""What a plan to revert promises: nothing is lost without a word, and what libvirt would destroy is refused."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from snapgui.model.errors import Gone, Refused
from snapgui.model.plan import Operation, Plan, Severity, Step, Verb
from snapgui.model.progress import TAKE_PHASES, Phase
from snapgui.model.records import Then, Vm, VmState
from snapgui.model.text import Text
from snapgui.operations.facts import Facts
from snapgui.operations.revert import RevertRequest, plan
from tests.unit.facts import DISK, MACHINE, NEW_LIBVIRT, OFF, OLD_LIBVIRT, PAUSED, RUNNING, facts

SAFETY = "before-revert-20260131-133005"
CANNOT_CANCEL = Text("plan", "A revert cannot be cancelled once it has begun.")
CHANGES = Text("plan", "Files that change: {files}", (("files", "/images/disk.qcow2"),))
DISCONNECTS = Text("plan", "Consoles and remote displays of the VM will be disconnected.")


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Safety snapshots are named after the local time."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def revert_step(name: str, marks: str = "", **fields: object) -> Step:
    memory = Text("plan", "memory, CPU, ") if "+" in marks else ""
    text = Text("plan", "Go back to “{name}”: disks, {memory}configuration", (("name", name), ("memory", memory)))
    return replace(Step(Verb.REVERT, text, name, virsh=("snapshot-revert", "web01", name)), **fields)  # type: ignore[arg-type]


def test_a_changed_running_vm_is_saved_and_looked_at_before_it_is_thrown_away() -> None:
    known = facts("base+>a+*")
    assert plan(known, RevertRequest("base")) == Plan(
        Operation.REVERT,
        RUNNING.uuid,
        "web01",
        Text("plan", "Revert to “{name}”", (("name", "base"),)),
        steps=(
            Step(
                Verb.TAKE,
                Text("plan", "Take “{name}”: memory, CPU and disks, while the guest stands still", (("name", SAFETY),)),
                SAFETY,
                phases=TAKE_PHASES,
                virsh=("snapshot-create-as", "web01", SAFETY),
                description="",
                safety=True,
            ),
            Step(
                Verb.VERIFY,
                Text("plan", "Make sure that “{name}” exists and holds the current state", (("name", SAFETY),)),
                SAFETY,
                phases=(Phase.CHECK,),
                virsh=("snapshot-info", "web01", SAFETY),
            ),
            revert_step("base", "+", created=known.tree["base"].created, phases=(Phase.STOP, Phase.LOAD, Phase.START)),
        ),
        notes=(CHANGES, DISCONNECTS, CANNOT_CANCEL),
    )


def test_an_unchanged_stopped_vm_loses_nothing_and_needs_no_safety() -> None:
    known = facts("base>a*", OFF, changed=False)
    assert plan(known, RevertRequest("base")) == Plan(
        Operation.REVERT,
        OFF.uuid,
        "web01",
        Text("plan", "Revert to “{name}”", (("name", "base"),)),
        steps=(revert_step("base", created=known.tree["base"].created, phases=(Phase.LOAD,)),),
        notes=(CHANGES, CANNOT_CANCEL),
    )


@pytest.mark.parametrize("vm", [RUNNING, PAUSED, OFF], ids=lambda vm: vm.state.value)
@pytest.mark.parametrize(
    ("changed", "asked", "taken"),
    [
        (True, None, True),
        (None, None, True),
        (False, None, False),
        (False, True, True),
        (True, True, True),
        (True, False, False),
        (None, False, False),
    ],
)
def test_safety_is_on_unless_nothing_can_be_lost(vm: Vm, changed: bool | None, asked: bool | None, taken: bool) -> None:
    made = plan(facts("base>a*", vm, changed=changed), RevertRequest("base", safety=asked))
    assert [step.verb for step in made.steps] == [Verb.TAKE, Verb.VERIFY, Verb.REVERT][0 if taken else 2 :]
    lost = not taken and changed is not False
    assert bool(made.losses) is lost, "what is lost is said, and only that"


@pytest.mark.parametrize(
    ("line", "vm", "loss"),
    [
        ("base>a*", RUNNING, "Everything in memory and on the disks since “a” ({when}) will be lost."),
        ("base>a*", OFF, "Everything written to the disks since “a” ({when}) will be lost."),
        ("base>a", RUNNING, "The current memory and disks will be lost; no snapshot holds them."),
        ("base>a", OFF, "The current content of the disks will be lost; no snapshot holds it."),
    ],
)
def test_what_will_be_lost_without_safety(line: str, vm: Vm, loss: str) -> None:
    known = facts(line, vm)
    made = plan(known, RevertRequest("base", safety=False))
    when = f"{known.tree['a'].created.astimezone():%Y-%m-%d %H:%M}"
    assert [str(text) for text in made.losses] == [loss.format(when=when)]


@pytest.mark.parametrize(
    ("then", "target", "vm", "phases", "flags", "stops"),
    [
        (Then.AS_TAKEN, "off", RUNNING, (Phase.STOP, Phase.LOAD), (), False),
        (Then.AS_TAKEN, "off", OFF, (Phase.LOAD,), (), False),
        (Then.AS_TAKEN, "live", OFF, (Phase.LOAD, Phase.START), (), False),
        (Then.AS_TAKEN, "live", PAUSED, (Phase.STOP, Phase.LOAD, Phase.START), (), False),
        (Then.RUNNING, "off", OFF, (Phase.LOAD, Phase.START), ("--running",), False),
        (Then.RUNNING, "live", RUNNING, (Phase.STOP, Phase.LOAD, Phase.START), ("--running",), False),
        (Then.PAUSED, "live", OFF, (Phase.LOAD, Phase.START), ("--paused",), False),
        (Then.OFF, "off", RUNNING, (Phase.STOP, Phase.LOAD), (), False),
        (Then.OFF, "live", OFF, (Phase.LOAD, Phase.START), ("--paused",), True),
    ],
)
def test_the_state_afterwards(
    then: Then, target: str, vm: Vm, phases: tuple[Phase, ...], flags: tuple[str, ...], stops: bool
) -> None:
    """Switched off from a snapshot with memory: load it paused, so that the guest never runs, then switch it off."""
    made = plan(facts("off>live+*", vm), RevertRequest(target, then, safety=False))
    revert = made.steps[0]
    assert (revert.phases, revert.virsh) == (phases, ("snapshot-revert", "web01", target, *flags))
    assert [step.verb for step in made.steps[1:]] == ([Verb.STOP] if stops else [])


def test_force_is_passed_on() -> None:
    step = plan(facts("base>a*"), RevertRequest("base", safety=False, force=True)).steps[0]
    assert step.force
    assert step.virsh[-1] == "--force"


def blocked(known: Facts, request: RevertRequest) -> list[str]:
    return [finding.code for finding in plan(known, request).blockers]


@pytest.mark.parametrize("vm", [RUNNING, PAUSED, OFF], ids=lambda vm: vm.state.value)
@pytest.mark.parametrize("force", [True, False])
def test_an_image_under_overlays_is_never_written_to(vm: Vm, force: bool) -> None:
    """libvirt 9.0 and 11.3 allow it, and every overlay above is garbage afterwards."""
    request = RevertRequest("base", safety=False, force=force)
    assert blocked(facts("base>ext!*", vm), request) == ["under-overlay"]
    assert blocked(facts("base>a>ext!>b*", vm), request) == ["under-overlay"]
    overlay = replace(MACHINE, disks=(replace(DISK, source="/images/overlay.qcow2"),))
    assert blocked(facts("base>a*", vm, machine=overlay), request) == ["under-overlay"]


def test_overlays_of_another_branch_matter_too() -> None:
    assert blocked(facts("base>a>b* base>ext!"), RevertRequest("a", safety=False)) == ["under-overlay"]


def test_external_snapshots_are_refused_where_libvirt_cannot_revert_to_them() -> None:
    request = RevertRequest("ext", safety=False)
    assert blocked(facts("ext!*", capabilities=OLD_LIBVIRT), request) == ["no-external-revert"]
    assert blocked(facts("ext!*", capabilities=NEW_LIBVIRT), request) == []


def test_a_saved_state_would_be_woken_over_other_disks() -> None:
    assert blocked(facts("base>a*", OFF, managed_save=True), RevertRequest("base")) == ["managed-save"]


def test_where_no_safety_snapshot_is_possible_the_revert_is_refused_and_the_way_out_said() -> None:
    raw = replace(MACHINE, disks=(DISK, replace(DISK, target="vdb", format="raw", source="/images/b.img")))
    known = facts("base>a*", machine=raw)
    made = plan(known, RevertRequest("base"))
    assert [finding.code for finding in made.blockers] == ["raw-disk"]
    assert blocked(known, RevertRequest("base", safety=False)) == []
    full = plan(facts("base>a*", free=0), RevertRequest("base"))
    assert [finding.code for finding in full.blockers] == ["space"]
    assert all(finding.fix is not None for finding in full.blockers)


def test_unknown_snapshots_and_taken_safety_names() -> None:
    with pytest.raises(Gone, match="no snapshot “nowhere” of web01"):
        plan(facts(), RevertRequest("nowhere"))
    with pytest.raises(Refused, match="already a snapshot"):
        plan(facts(), RevertRequest("base", safety=True, safety_name="a"))
    with pytest.raises(Refused):
        plan(facts(), RevertRequest("base", safety=True, safety_name="a/b"))


def test_the_safety_name_can_be_chosen_and_is_never_one_that_exists() -> None:
    assert plan(facts(), RevertRequest("base", safety_name="mine")).steps[0].snapshot == "mine"
    assert plan(facts(f"base>{SAFETY}*"), RevertRequest("base")).steps[0].snapshot == f"{SAFETY}-2"


def test_a_configuration_that_goes_back_is_told() -> None:
    bigger = replace(MACHINE, vcpus=4, memory=512 * 2**20)
    notes = [str(note) for note in plan(facts("base>a*", OFF, machine=bigger), RevertRequest("base")).notes]
    assert "The configuration goes back too: memory 512 MiB → 256 MiB." in notes
    assert "The configuration goes back too: 4 → 1 virtual CPUs." in notes


@pytest.mark.parametrize("state", list(VmState))
@pytest.mark.parametrize("changed", [True, None])
def test_no_plan_loses_a_changed_state_in_silence(state: VmState, changed: bool | None) -> None:
    made = plan(facts("base>a+*", replace(RUNNING, state=state), changed=changed), RevertRequest("base"))
    verbs = [step.verb for step in made.steps]
    assert made.losses or verbs[: verbs.index(Verb.REVERT)] == [Verb.TAKE, Verb.VERIFY]
    assert not [finding for finding in made.findings if finding.severity is Severity.BLOCKER]
