"""What ``snapgui doctor`` finds: each code, how much it matters, what it says, and that nothing is found in vain."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from snapgui.model.errors import Refused
from snapgui.model.plan import Finding, Severity
from snapgui.model.records import Capabilities, Disk, KindWish, Machine, MemoryWish, Place, Vm
from snapgui.operations.choice import choose
from snapgui.operations.doctor import examine, refuse, take_findings
from snapgui.operations.facts import Facts
from snapgui.operations.take import TakeRequest, plan
from tests.unit.facts import DISK, MACHINE, MIB, NEW_LIBVIRT, OFF, OLD_LIBVIRT, PAUSED, RUNNING, facts

BLOCKER, WARNING, NOTE = Severity.BLOCKER, Severity.WARNING, Severity.NOTE
NO_AGENT = ("no-agent", NOTE)
TEST_DRIVER = Capabilities(driver="TEST", libvirt=(11, 3, 0))
RAW = replace(DISK, target="vdb", source="/images/b.img", format="raw")
SECOND = replace(RAW, format="qcow2", source="/images/b.qcow2")
CD = Disk("sda", "cdrom", "/images/cd.iso", "raw", read_only=True)
UEFI = replace(MACHINE, firmware="uefi", nvram="/nvram/a.fd", nvram_format="raw")
DEVICES = replace(MACHINE, blocked_devices=("hostdev pci", "virtiofs", "9p", "CPU feature invtsc", "nvme"))


def with_disks(*disks: Disk) -> Machine:
    return replace(MACHINE, disks=disks)


def told(findings: tuple[Finding, ...]) -> list[tuple[str, Severity]]:
    return [(finding.code, finding.severity) for finding in findings]


def external(
    known: Facts,
    memory: MemoryWish = MemoryWish.AUTO,
    disks: Mapping[str, Place] | None = None,
    *,
    quiesce: bool = False,
) -> tuple[Finding, ...]:
    return take_findings(known, choose(known, KindWish.EXTERNAL, memory, disks), quiesce=quiesce)


def new(vm: Vm = RUNNING, line: str = "", **more: object) -> Facts:
    return facts(line, vm, capabilities=NEW_LIBVIRT, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("vm", [RUNNING, PAUSED, OFF], ids=lambda vm: vm.state.value)
@pytest.mark.parametrize(
    "machine",
    [
        MACHINE,
        with_disks(DISK, RAW),
        with_disks(RAW),
        with_disks(DISK, SECOND),
        with_disks(DISK, CD),
        with_disks(DISK, replace(CD, source="")),
        with_disks(DISK, replace(RAW, read_only=True)),
        with_disks(DISK, replace(SECOND, snapshot="external")),
        with_disks(DISK, replace(CD, shareable=True, transient=True)),
    ],
)
def test_nothing_stands_in_the_way_of_external_snapshots(vm: Vm, machine: Machine) -> None:
    assert external(new(vm, machine=machine)) == ()
    findings = plan(new(vm, machine=machine), TakeRequest("n")).findings
    assert {finding.severity for finding in findings} <= {Severity.NOTE}


@pytest.mark.parametrize(
    ("known", "memory", "disks", "expected"),
    [
        (new(machine=with_disks()), MemoryWish.AUTO, {}, [("no-disk", BLOCKER)]),
        (new(machine=with_disks(CD)), MemoryWish.AUTO, {}, [("no-disk", BLOCKER)]),
        (new(OFF), MemoryWish.AUTO, {"vda": Place.NONE}, [("no-disk", BLOCKER)]),
        (
            new(machine=with_disks(DISK, SECOND)),
            MemoryWish.AUTO,
            {"vdb": Place.NONE},
            [("memory-without-disk", BLOCKER)],
        ),
        (new(machine=with_disks(DISK, SECOND)), MemoryWish.NONE, {"vdb": Place.NONE}, []),
        (new(OFF, machine=with_disks(DISK, SECOND)), MemoryWish.AUTO, {"vdb": Place.NONE}, []),
        (
            new(machine=with_disks(DISK, replace(SECOND, snapshot="no"))),
            MemoryWish.AUTO,
            {},
            [("memory-without-disk", BLOCKER)],
        ),
        (new(machine=with_disks(DISK, replace(SECOND, snapshot="no"))), MemoryWish.NONE, {}, []),
        (new(machine=with_disks(DISK, SECOND)), MemoryWish.AUTO, {"vdb": Place.INTERNAL}, [("mixed-disks", BLOCKER)]),
        (new(machine=with_disks(replace(DISK, transient=True))), MemoryWish.NONE, {}, [("transient-disk", BLOCKER)]),
        (new(machine=with_disks(replace(DISK, shareable=True))), MemoryWish.NONE, {}, [("shared-disk", BLOCKER)]),
        (new(machine=DEVICES), MemoryWish.AUTO, {}, []),
        (new(machine=DEVICES), MemoryWish.NONE, {}, []),
        (new(machine=DEVICES), MemoryWish.LIVE, {}, [("device-state", BLOCKER)] * 5),
        (new(machine=DEVICES), MemoryWish.PAUSED, {}, [("device-state", BLOCKER)] * 5),
        (new(OFF, machine=DEVICES), MemoryWish.AUTO, {}, []),
        (facts("", capabilities=OLD_LIBVIRT), MemoryWish.AUTO, {}, [("no-external-revert", WARNING)]),
        (new(machine=UEFI), MemoryWish.AUTO, {}, [("nvram-not-saved", WARNING)]),
        (new(machine=replace(MACHINE, tpm=True)), MemoryWish.AUTO, {}, []),
        (new(machine=replace(MACHINE, tpm=True)), MemoryWish.NONE, {}, [("tpm-not-saved", WARNING)]),
        (new(OFF, machine=replace(MACHINE, tpm=True)), MemoryWish.AUTO, {}, [("tpm-not-saved", WARNING)]),
        (new(free=0), MemoryWish.LIVE, {}, [("space", BLOCKER)]),
        (new(free=2 * MIB), MemoryWish.LIVE, {}, [("space", BLOCKER)]),
        (new(free=2 * MIB), MemoryWish.NONE, {}, []),
        (new(free=0), MemoryWish.NONE, {}, [("space", BLOCKER)]),
        (new(OFF, free=2 * MIB), MemoryWish.AUTO, {}, []),
        (new(OFF, managed_save=True), MemoryWish.AUTO, {}, [("managed-save", WARNING)]),
        (new(line="in*"), MemoryWish.AUTO, {}, [("mixed-kinds", WARNING)]),
        (new(line="ext!*"), MemoryWish.AUTO, {}, []),
        (replace(new(), places=()), MemoryWish.AUTO, {}, [("no-place", BLOCKER)]),
        (replace(new(), block_jobs=("vda",)), MemoryWish.AUTO, {}, [("block-job", BLOCKER)]),
    ],
)
def test_what_matters_to_an_external_snapshot(
    known: Facts, memory: MemoryWish, disks: Mapping[str, Place], expected: list[tuple[str, Severity]]
) -> None:
    assert told(external(known, memory, disks)) == expected


@pytest.mark.parametrize(
    ("memory", "disks", "expected"),
    [
        (MemoryWish.LIVE, {}, ["live-internal"]),
        (MemoryWish.NONE, {}, ["internal-needs-memory"]),
        (MemoryWish.PAUSED, {}, []),
        (MemoryWish.AUTO, {"vda": Place.NONE}, ["internal-partial"]),
        (MemoryWish.AUTO, {"vda": Place.EXTERNAL}, ["internal-partial"]),
    ],
)
def test_what_internal_snapshots_cannot_do(memory: MemoryWish, disks: Mapping[str, Place], expected: list[str]) -> None:
    known = new()
    found = take_findings(known, choose(known, KindWish.INTERNAL, memory, disks))
    assert told(found) == [(code, BLOCKER) for code in expected]


@pytest.mark.parametrize(
    ("vm", "agent", "memory", "expected"),
    [
        (RUNNING, True, MemoryWish.NONE, []),
        (RUNNING, False, MemoryWish.NONE, [("no-agent", BLOCKER)]),
        (RUNNING, True, MemoryWish.AUTO, [("quiesce-memory", BLOCKER)]),
        (RUNNING, False, MemoryWish.PAUSED, [("quiesce-memory", BLOCKER)]),
        (OFF, False, MemoryWish.AUTO, []),
    ],
)
def test_quiescing(vm: Vm, agent: bool, memory: MemoryWish, expected: list[tuple[str, Severity]]) -> None:
    assert told(external(new(vm, agent=agent), memory, quiesce=True)) == expected
    assert external(new(vm, agent=agent), memory) == ()
    step = plan(new(vm, agent=agent), TakeRequest("n", memory=memory, quiesce=True)).steps[0]
    assert step.quiesce is vm.state.active


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (new(agent=True), []),
        (new(agent=True, memory_format=""), [("memory-format", NOTE)]),
        (new(agent=True, memory_format="raw"), [("memory-format", NOTE)]),
        (new(OFF, memory_format="raw"), []),
        (new(), [NO_AGENT]),
        (new(OFF), []),
        (new(agent=True, machine=with_disks(DISK, replace(RAW, read_only=True))), [("read-only-disk", NOTE)]),
        (new(agent=True, machine=with_disks(DISK, CD)), []),
        (new(agent=True, machine=replace(MACHINE, tpm=True)), [("tpm", NOTE)]),
        (new(agent=True, machine=UEFI), [("nvram-not-saved", WARNING)]),
        (new(agent=True, machine=DEVICES), []),
        (new(OFF, managed_save=True), [("managed-save", WARNING)]),
        (facts("", capabilities=OLD_LIBVIRT), [NO_AGENT]),
        (
            facts("", machine=UEFI, capabilities=OLD_LIBVIRT),
            [("no-external-revert", WARNING), ("nvram-not-saved", WARNING), NO_AGENT],
        ),
        (
            facts("", machine=with_disks(DISK, RAW), capabilities=OLD_LIBVIRT),
            [("no-external-revert", WARNING), NO_AGENT],
        ),
        (new(line="in*", machine=with_disks(DISK, RAW)), [("raw-disk", BLOCKER), NO_AGENT]),
        (new(line="in>ext!*"), [("mixed-kinds", WARNING), NO_AGENT]),
        (facts("", machine=with_disks(), capabilities=TEST_DRIVER), [NO_AGENT]),
    ],
)
def test_the_whole_examination(known: Facts, expected: list[tuple[str, Severity]]) -> None:
    assert told(examine(known)) == expected


@pytest.mark.parametrize(("depth", "warned"), [(19, False), (20, True), (60, True)])
def test_deep_chains(depth: int, warned: bool) -> None:
    chain = ">".join(f"s{number}!" for number in range(depth)) + "*"
    found = [finding for finding in examine(new(OFF, line=chain)) if finding.code == "chain-depth"]
    assert bool(found) is warned
    if warned:
        assert str(depth) in str(found[0].text)
        assert found[0].severity is WARNING
    inside = ">".join(f"s{number}" for number in range(depth)) + "*"
    assert examine(new(OFF, line=inside)) == (), "those inside one image make no chain"


def test_every_blocker_says_what_can_be_done_or_names_the_thing() -> None:
    """Over all findings that these specifications know: a sentence, and no place left unfilled."""
    machine = replace(
        UEFI,
        tpm=True,
        disks=(replace(RAW, shareable=True, transient=True, target="vda", snapshot="no"), replace(DISK, target="vdb")),
        blocked_devices=("9p",),
    )
    known = replace(facts("a>b!*", machine=machine, free=0, managed_save=True), block_jobs=("vdb",))
    for kind in (KindWish.INTERNAL, KindWish.EXTERNAL):
        for memory in MemoryWish:
            findings = take_findings(known, choose(known, kind, memory), quiesce=True)
            assert findings
            for finding in findings:
                for text in (finding.text, finding.fix):
                    assert text is None or (str(text).endswith(".") and "{" not in str(text))


def test_the_last_look_refuses_what_blocks_and_nothing_else() -> None:
    refuse(external(new(machine=UEFI)))
    with pytest.raises(Refused, match="only 0 B are free in /images"):
        refuse(external(new(free=0, resident=50 * MIB, machine=UEFI)))
