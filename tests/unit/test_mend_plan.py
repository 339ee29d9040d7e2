"""What the doctor's remedies mean, and where they do not apply: one table over remedies and states of the VM."""

from dataclasses import replace

import pytest

from snapgui.model.errors import Refused
from snapgui.model.plan import Operation, Remedy, Verb
from snapgui.model.records import Capabilities, Machine, Vm, VmState
from snapgui.operations.facts import Facts
from snapgui.operations.mend import plan
from tests.unit.facts import MACHINE, NEW_LIBVIRT, OFF, OLD_LIBVIRT, RUNNING, facts

START, DISCARD, CONVERT = Remedy.START, Remedy.DISCARD_SAVED_STATE, Remedy.NVRAM_TO_QCOW2
UEFI = replace(MACHINE, firmware="uefi", nvram="/nvram/web01.fd", nvram_format="raw")
RUNS = "web01 is running; this can be done only while it is off."
NOT_SAVED = "web01 has no saved state that could be discarded."
NO_VARIABLES = "web01 has no file with UEFI variables."
QCOW2_ALREADY = "The UEFI variables of web01 are in a qcow2 file already."
TOO_OLD = "This libvirt cannot use UEFI variables in a qcow2 file for snapshots."
ASLEEP = "web01 sleeps in a saved state; start it, or discard that, first."


def known(
    vm: Vm = OFF, machine: Machine = UEFI, *, saved: bool = False, capabilities: Capabilities = NEW_LIBVIRT
) -> Facts:
    return facts("", vm, machine=machine, managed_save=saved, capabilities=capabilities)


@pytest.mark.parametrize("remedy", list(Remedy))
@pytest.mark.parametrize("state", [state for state in VmState if state.active])
def test_nothing_is_mended_while_the_vm_runs(remedy: Remedy, state: VmState) -> None:
    with pytest.raises(Refused) as refused:
        plan(known(replace(RUNNING, state=state), saved=True), remedy)
    assert str(refused.value.text) == RUNS


@pytest.mark.parametrize(
    ("remedy", "there", "sentence"),
    [
        (DISCARD, known(), NOT_SAVED),
        (CONVERT, known(machine=MACHINE), NO_VARIABLES),
        (CONVERT, known(machine=replace(MACHINE, nvram="/nvram/a.fd")), NO_VARIABLES),
        (CONVERT, known(machine=replace(UEFI, nvram="", nvram_format="")), NO_VARIABLES),
        (CONVERT, known(machine=replace(UEFI, nvram_format="qcow2")), QCOW2_ALREADY),
        (CONVERT, known(capabilities=OLD_LIBVIRT), TOO_OLD),
        (CONVERT, known(saved=True), ASLEEP),
    ],
)
def test_a_remedy_that_does_not_apply_says_why(remedy: Remedy, there: Facts, sentence: str) -> None:
    with pytest.raises(Refused) as refused:
        plan(there, remedy)
    assert str(refused.value.text) == sentence


@pytest.mark.parametrize(
    ("remedy", "there", "verb", "text", "virsh"),
    [
        (START, known(), Verb.START, "Start the VM", ("start", "web01")),
        (START, known(saved=True), Verb.START, "Wake the VM from its saved state", ("start", "web01")),
        (DISCARD, known(saved=True), Verb.DISCARD, "Discard the saved state", ("managedsave-remove", "web01")),
        (
            CONVERT,
            known(),
            Verb.CONVERT_NVRAM,
            "Copy the UEFI variables into a qcow2 file, and let the VM use that",
            ("edit", "web01"),
        ),
    ],
)
def test_a_remedy_is_one_step(remedy: Remedy, there: Facts, verb: Verb, text: str, virsh: tuple[str, ...]) -> None:
    made = plan(there, remedy)
    (step,) = made.steps
    assert (made.operation, str(made.title), made.blockers) == (Operation.MEND, text, ())
    assert (step.verb, str(step.text), step.virsh) == (verb, text, virsh)


@pytest.mark.parametrize("state", [VmState.SHUTOFF, VmState.CRASHED])
def test_a_crashed_vm_can_be_started_like_one_that_is_off(state: VmState) -> None:
    assert plan(known(replace(OFF, state=state)), START).steps[0].verb is Verb.START


def test_only_discarding_loses_something() -> None:
    losses = {remedy: plan(known(saved=remedy is DISCARD), remedy).losses for remedy in Remedy}
    assert [str(loss) for loss in losses.pop(DISCARD)] == [
        "The memory of the sleeping guest will be lost, as by a power cut."
    ]
    assert set(losses.values()) == {()}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/nvram/web01.fd", "/nvram/web01.qcow2"),
        ("/nvram/web01_VARS", "/nvram/web01_VARS.qcow2"),
        ("/nvram.d/a.b.fd", "/nvram.d/a.b.qcow2"),
    ],
)
def test_the_plan_names_the_new_file_and_the_old_one(old: str, new: str) -> None:
    made = plan(known(machine=replace(UEFI, nvram=old)), CONVERT)
    assert [str(note) for note in made.notes] == [f"New file: {new}", f"The old file stays: {old}"]
