"""What a plan to take a snapshot promises and refuses. These comparisons are the specification of safety."""

from dataclasses import replace

import pytest

from snapgui.model.errors import Refused
from snapgui.model.plan import Finding, Operation, Plan, Severity, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.records import Capabilities, KindWish, Machine, Vm, VmState
from snapgui.model.text import Text
from snapgui.operations.choice import choose
from snapgui.operations.doctor import take_findings
from snapgui.operations.facts import Facts
from snapgui.operations.take import TakeRequest, plan
from tests.unit.facts import DISK, MACHINE, MIB, NEW_LIBVIRT, OFF, OLD_LIBVIRT, PAUSED, RUNNING, facts

UEFI = replace(MACHINE, firmware="uefi", nvram="/nvram/a.fd", nvram_format="raw")
UEFI_QCOW2 = replace(UEFI, nvram_format="qcow2")
SAME_KIND = Text(
    "plan",
    "Internal, inside the image files: {why}",
    (("why", Text("choice", "The VM's other snapshots are internal.")),),
)


def test_a_running_vm_stands_still_while_memory_and_disks_are_saved() -> None:
    assert plan(facts(agent=True), TakeRequest("new", "why")) == Plan(
        Operation.TAKE,
        RUNNING.uuid,
        "web01",
        Text("plan", "Take “{name}”", (("name", "new"),)),
        steps=(
            Step(
                Verb.TAKE,
                Text("plan", "Take “{name}”: memory, CPU and disks, while the guest stands still", (("name", "new"),)),
                "new",
                phases=(Phase.PAUSE, Phase.CREATE, Phase.MEMORY, Phase.PROTECT, Phase.RESUME),
                virsh=("snapshot-create-as", "web01", "new", "--description", "why"),
                description="why",
            ),
        ),
        notes=(
            SAME_KIND,
            Text("estimate", "About {size} of memory will be written.", (("size", "100 MiB"),)),
            Text("plan", "An internal save cannot be cancelled once it has begun."),
        ),
    )


def test_a_stopped_vm_has_its_disks_saved_only() -> None:
    assert plan(facts(vm=OFF), TakeRequest("new")) == Plan(
        Operation.TAKE,
        OFF.uuid,
        "web01",
        Text("plan", "Take “{name}”", (("name", "new"),)),
        steps=(
            Step(
                Verb.TAKE,
                Text("plan", "Take “{name}”: the disks of the stopped VM", (("name", "new"),)),
                "new",
                phases=(Phase.CREATE, Phase.PROTECT),
                virsh=("snapshot-create-as", "web01", "new"),
                description="",
            ),
        ),
        notes=(SAME_KIND,),
    )


def test_a_paused_vm_is_neither_paused_nor_resumed() -> None:
    assert plan(facts(vm=PAUSED), TakeRequest("new")).steps[0].phases == (Phase.CREATE, Phase.MEMORY, Phase.PROTECT)


def test_without_a_name_the_next_free_one_is_proposed() -> None:
    step = plan(facts("snapshot-1>snapshot-2*"), TakeRequest()).steps[0]
    assert step.snapshot == "snapshot-3"


@pytest.mark.parametrize("name", ["a", "base", "a/b", ".a", "a\nb", "x" * 300, " ", "a\x1b[0m"])
def test_impossible_names_never_become_a_plan(name: str) -> None:
    with pytest.raises(Refused):
        plan(facts(), TakeRequest(name))


def test_impossible_descriptions_never_become_a_plan() -> None:
    with pytest.raises(Refused, match="control characters"):
        plan(facts(), TakeRequest("new", "bell\a"))


def internal_findings(known: Facts) -> tuple[Finding, ...]:
    return take_findings(known, choose(known, KindWish.INTERNAL))


def found(known: Facts) -> list[tuple[str, Severity]]:
    return [(finding.code, finding.severity) for finding in internal_findings(known)]


@pytest.mark.parametrize("vm", [RUNNING, PAUSED, OFF], ids=lambda vm: vm.state.value)
@pytest.mark.parametrize(
    ("machine", "code"),
    [
        (replace(MACHINE, disks=()), "no-disk"),
        (replace(MACHINE, disks=(replace(DISK, read_only=True),)), "no-disk"),
        (replace(MACHINE, disks=(DISK, replace(DISK, target="vdb", format="raw"))), "raw-disk"),
        (replace(MACHINE, disks=(replace(DISK, format=""),)), "raw-disk"),
        (replace(MACHINE, disks=(replace(DISK, shareable=True),)), "shared-disk"),
        (replace(MACHINE, disks=(replace(DISK, transient=True),)), "transient-disk"),
        (replace(MACHINE, disks=(replace(DISK, snapshot="no"),)), "disk-left-out"),
        (replace(MACHINE, disks=(replace(DISK, snapshot="external"),)), "disk-left-out"),
        (UEFI, "uefi-old-libvirt"),
        (UEFI_QCOW2, "uefi-old-libvirt"),
    ],
)
def test_disks_and_firmware_that_stand_in_the_way_in_every_state(vm: Vm, machine: Machine, code: str) -> None:
    assert found(facts(vm=vm, machine=machine)) == [(code, Severity.BLOCKER)]


@pytest.mark.parametrize(
    "disk",
    [
        replace(DISK, snapshot="internal"),
        replace(DISK, target="sda", device="cdrom", format="raw"),
        replace(DISK, target="vdb", format="raw", read_only=True),
    ],
)
def test_disks_that_do_not_stand_in_the_way(disk: object) -> None:
    machine = replace(MACHINE, disks=(DISK, disk))  # type: ignore[arg-type]
    assert found(facts(machine=machine)) == []


@pytest.mark.parametrize(
    ("machine", "vm", "capabilities", "expected"),
    [
        (UEFI, RUNNING, NEW_LIBVIRT, [("nvram-raw", Severity.BLOCKER)]),
        (UEFI, PAUSED, NEW_LIBVIRT, [("nvram-raw", Severity.BLOCKER)]),
        (UEFI, OFF, NEW_LIBVIRT, [("nvram-not-saved", Severity.WARNING)]),
        (UEFI_QCOW2, RUNNING, NEW_LIBVIRT, []),
        (UEFI_QCOW2, OFF, NEW_LIBVIRT, []),
        (UEFI_QCOW2, RUNNING, Capabilities(libvirt=(10, 8, 9)), [("uefi-old-libvirt", Severity.BLOCKER)]),
        (UEFI_QCOW2, RUNNING, Capabilities(libvirt=(10, 9, 0)), []),
    ],
)
def test_uefi_by_version_and_state(
    machine: Machine, vm: Vm, capabilities: Capabilities, expected: list[tuple[str, Severity]]
) -> None:
    assert found(facts(vm=vm, machine=machine, capabilities=capabilities)) == expected


@pytest.mark.parametrize(("vm", "blocked"), [(RUNNING, 2), (PAUSED, 2), (OFF, 0)])
def test_devices_whose_state_cannot_be_saved_matter_while_the_vm_runs(vm: Vm, blocked: int) -> None:
    machine = replace(MACHINE, blocked_devices=("hostdev pci", "virtiofs"))
    assert found(facts(vm=vm, machine=machine)) == [("device-state", Severity.BLOCKER)] * blocked


@pytest.mark.parametrize("line", ["base>ext!*", "base+>ext+!>c*"])
def test_an_internal_snapshot_among_external_ones_is_warned_of(line: str) -> None:
    assert found(facts(line)) == [("mixed-kinds", Severity.WARNING)]
    (finding,) = internal_findings(facts(line))
    assert "is refused, because it would destroy all overlays above" in str(finding.text), "the consequence is named"


@pytest.mark.parametrize(
    ("vm", "free", "resident", "blocked"),
    [
        (RUNNING, 99 * MIB, 100 * MIB, True),
        (RUNNING, 100 * MIB, 100 * MIB, False),
        (RUNNING, None, 100 * MIB, False),
        (RUNNING, 0, None, False),
        (OFF, 1, 100 * MIB, False),
    ],
)
def test_space_for_the_memory(vm: Vm, free: int | None, resident: int | None, blocked: bool) -> None:
    expected = [("space", Severity.BLOCKER)] if blocked else []
    assert found(facts(vm=vm, free=free, resident=resident)) == expected


def test_the_refusal_for_space_says_how_much_and_what_to_do() -> None:
    (finding,) = internal_findings(facts(free=5 * MIB))
    assert str(finding.text) == "The snapshot may need 100 MiB, but only 5.0 MiB are free beside the image."
    assert str(finding.fix).startswith("Free some space")


def test_a_sleeping_vm_is_warned_of_and_not_refused() -> None:
    assert found(facts(vm=OFF, managed_save=True)) == [("managed-save", Severity.WARNING)]


def test_the_test_driver_has_no_disks_to_complain_about() -> None:
    pretended = Capabilities(driver="TEST", libvirt=(9, 0, 0))
    assert found(facts(machine=replace(MACHINE, disks=()), capabilities=pretended)) == []


def test_several_reasons_are_all_told() -> None:
    machine = replace(UEFI, disks=(replace(DISK, format="raw", shareable=True),), blocked_devices=("9p",))
    codes = [code for code, _ in found(facts("e!*", machine=machine, free=0))]
    assert codes == ["raw-disk", "shared-disk", "uefi-old-libvirt", "device-state", "mixed-kinds", "own-base", "space"]


@pytest.mark.parametrize("capabilities", [OLD_LIBVIRT, NEW_LIBVIRT])
@pytest.mark.parametrize("state", list(VmState))
def test_an_ordinary_vm_has_no_findings_in_any_state(state: VmState, capabilities: Capabilities) -> None:
    known = facts(vm=replace(RUNNING, state=state), capabilities=capabilities)
    assert internal_findings(known) == ()
    assert plan(known, TakeRequest("new")).blockers == ()


def test_blockers_are_findings_of_that_severity_only() -> None:
    blocker, warning = (Finding("a", severity, Text("t", "x")) for severity in (Severity.BLOCKER, Severity.WARNING))
    both = Plan(Operation.TAKE, "", "", Text("t", "x"), findings=(warning, blocker))
    assert (both.blockers, both.warnings) == ((blocker,), (warning,))
