"""What mending means: steps, losses, and what stands in the way."""

from dataclasses import replace
from datetime import timedelta

import pytest

from snapgui.model.adoption import Adoption, HeldDisk
from snapgui.model.errors import Refused
from snapgui.model.health import Ail, Ailment, Mending
from snapgui.model.plan import Operation, Plan, Severity, Verb
from snapgui.model.records import Lent
from snapgui.model.text import Text
from snapgui.operations.health_mending import plan
from tests.unit.facts import DISK, NEW_LIBVIRT, OFF, OLD_LIBVIRT, RUNNING, facts

IDLE = facts(vm=OFF)
FOUND = Text("test", "Something is wrong.")
REMOVE = (Mending.REMOVE,)


def ailment(code: Ail, mendings: tuple[Mending, ...], path: str = "/images/x.qcow2") -> Ailment:
    return Ailment(code, Severity.WARNING, FOUND, path, OFF.name, OFF.uuid, "vda", mendings=mendings, bytes=1000)


def adoption(*, external: bool = False) -> Adoption:
    overlay = "/images/o.qcow2" if external else ""
    return Adoption("x", IDLE.now.replace(microsecond=0), "shutoff", (HeldDisk("vda", DISK.source, overlay),))


def verbs(made: Plan) -> list[Verb]:
    return [step.verb for step in made.steps]


def test_a_file_is_removed() -> None:
    made = plan(IDLE, (ailment(Ail.ORPHAN_OVERLAY, REMOVE), ailment(Ail.ORPHAN_OVERLAY, REMOVE, "/images/y.qcow2")))
    assert (made.operation, made.vm_uuid, verbs(made)) == (Operation.MEND, OFF.uuid, [Verb.REMOVE_ORPHAN] * 2)
    assert [step.path for step in made.steps] == ["/images/x.qcow2", "/images/y.qcow2"]
    assert [str(loss) for loss in made.losses] == [f"What is in {step.path} will be lost." for step in made.steps]
    assert (made.freed, made.findings) == (2000, ())


def test_a_young_file_is_warned_of() -> None:
    young = replace(ailment(Ail.ORPHAN_MEMORY, REMOVE), born=IDLE.now - timedelta(seconds=5))
    assert [finding.code for finding in plan(IDLE, (young,)).warnings] == ["young-file"]
    old = replace(young, born=IDLE.now - timedelta(seconds=61))
    assert plan(IDLE, (old,)).findings == ()


def test_a_snapshot_is_adopted_or_removed() -> None:
    both = (Mending.ADOPT, Mending.REMOVE)
    found = replace(ailment(Ail.UNKNOWN_SNAPSHOT, both), snapshot="x", adoption=adoption())
    made = plan(IDLE, (found,))
    assert (verbs(made), made.losses, str(made.title)) == ([Verb.ADOPT], (), "Let libvirt know the snapshot “x”")
    made = plan(IDLE, (found,), Mending.REMOVE)
    assert (verbs(made), len(made.losses)) == ([Verb.ADOPT, Verb.DELETE], 1)
    assert [step.created for step in made.steps] == [adoption().created] * 2, "the one that was adopted is deleted"


@pytest.mark.parametrize(("capabilities", "warned"), [(OLD_LIBVIRT, ["no-external-revert"]), (NEW_LIBVIRT, [])])
def test_what_this_libvirt_cannot_go_back_to_is_said(capabilities: object, warned: list[str]) -> None:
    found = replace(ailment(Ail.LAYER_UNKNOWN, (Mending.ADOPT,)), adoption=adoption(external=True))
    known = replace(IDLE, capabilities=capabilities)  # type: ignore[arg-type]
    assert [finding.code for finding in plan(known, (found,)).warnings] == warned


def test_a_description_is_removed() -> None:
    found = replace(ailment(Ail.SNAPSHOT_LOST, REMOVE), snapshot="a")
    made = plan(IDLE, (found,))
    assert (verbs(made), made.steps[0].created) == ([Verb.FORGET], IDLE.tree["a"].created)
    assert made.steps[0].virsh == ("snapshot-delete", OFF.name, "a", "--metadata")


def test_an_incomplete_snapshot_is_deleted_as_every_other() -> None:
    made = plan(IDLE, (replace(ailment(Ail.SNAPSHOT_INCOMPLETE, REMOVE), snapshot="a"),))
    assert (made.operation, verbs(made), made.steps[0].snapshot) == (Operation.MEND, [Verb.DELETE], "a")


@pytest.mark.parametrize("way", [Mending.SET_FORMAT, Mending.SET_BASE])
def test_a_header_is_written_only_while_nobody_reads_it(way: Mending) -> None:
    found = replace(ailment(Ail.FORMAT_MISSING, (way,)), base="/images/base", format="raw")
    made = plan(IDLE, (found,))
    assert verbs(made) == [Verb(way.value)]
    assert (made.steps[0].base, made.steps[0].base_format, made.blockers) == ("/images/base", "raw", ())
    assert [finding.code for finding in plan(facts(vm=RUNNING), (found,)).blockers] == ["running"]
    read = replace(IDLE, lent=(Lent(found.path, "web02", "uuid", active=True),))
    assert [finding.code for finding in plan(read, (found,)).blockers] == ["image-in-use"]
    read = replace(IDLE, lent=(Lent(found.path, "web02", "uuid"),))
    assert plan(read, (found,)).blockers == ()


def test_what_cannot_be_mended_is_refused() -> None:
    with pytest.raises(Refused, match="nothing of that sort to mend about web01"):
        plan(IDLE, ())
    with pytest.raises(Refused, match=r"cannot be mended from here. Something is wrong\."):
        plan(IDLE, (ailment(Ail.IMAGE_DAMAGED, ()),))
    with pytest.raises(Refused, match="“orphan-overlay” cannot be mended by “adopt”, but by: remove"):
        plan(IDLE, (ailment(Ail.ORPHAN_OVERLAY, REMOVE),), Mending.ADOPT)
    with pytest.raises(Refused, match="depends on no other image"):
        plan(IDLE, (ailment(Ail.DEEP_CHAIN, (Mending.FLATTEN,)),))
