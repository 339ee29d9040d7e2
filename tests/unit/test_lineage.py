"""Which image is layered on which, and which VM is a clone of what."""

from snapgui.cli.records import lineage_record
from snapgui.cli.treetext import lineage_lines
from snapgui.model.lineage import Clone, Image, Kinship, Lineage, Offshoot, Use

SOURCE, CLONE = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
FROZEN = Use("web01", SOURCE, "vda", "before")
RUNS = Use("web01", SOURCE, "vda")
BASE = Image("/i/base.qcow2", "qcow2", None, (FROZEN,))
NOW = Image("/i/now.qcow2", "qcow2", "/i/base.qcow2", (RUNS,))
OTHER = Image("/i/clone.qcow2", "qcow2", "/i/base.qcow2", (Use("clone", CLONE, "vda"),))


def test_a_clone_hangs_off_the_snapshot_that_froze_its_base() -> None:
    found = Lineage((BASE, NOW, OTHER)).clones()
    assert found == (Clone("clone", CLONE, "vda", "web01", SOURCE, "before", "/i/base.qcow2"),)


def test_a_clone_of_a_current_state_has_no_snapshot() -> None:
    other = Image("/i/clone.qcow2", "qcow2", "/i/now.qcow2", OTHER.used_by)
    assert [(clone.source, clone.snapshot) for clone in Lineage((BASE, NOW, other)).clones()] == [("web01", None)]


def test_images_between_that_nobody_uses_are_passed() -> None:
    between = Image("/i/between.qcow2", "qcow2", "/i/base.qcow2")
    other = Image("/i/clone.qcow2", "qcow2", "/i/between.qcow2", OTHER.used_by)
    assert [clone.base for clone in Lineage((BASE, NOW, between, other)).clones()] == ["/i/base.qcow2"]


def test_a_vm_on_its_own_images_is_no_clone() -> None:
    assert Lineage((BASE, NOW)).clones() == ()


def test_who_is_layered_on_what() -> None:
    lineage = Lineage((BASE, NOW, OTHER))
    assert lineage.clones_on(("/i/base.qcow2", "/i/now.qcow2"), SOURCE) == {"/i/base.qcow2": ("clone",)}
    assert lineage.clones_on(("/i/base.qcow2",), CLONE) == {"/i/base.qcow2": ("web01",)}


def test_images_in_a_circle_come_to_an_end() -> None:
    one, two = Image("/i/1", "qcow2", "/i/2", (RUNS,)), Image("/i/2", "qcow2", "/i/1", OTHER.used_by)
    lineage = Lineage((one, two))
    assert [image.path for image in lineage.chain("/i/1")] == ["/i/1", "/i/2"]
    assert len(lineage_lines(lineage)) == 2
    assert {clone.vm for clone in lineage.clones()} == {"clone", "web01"}


def test_the_forest_as_text() -> None:
    missing = Image("/i/orphan.qcow2", "qcow2", "/gone.qcow2")
    assert lineage_lines(Lineage((OTHER, NOW, BASE, missing))) == [
        "/i/base.qcow2  web01 vda @ before",
        "├─ /i/clone.qcow2  clone vda",
        "└─ /i/now.qcow2  web01 vda",
        "/i/orphan.qcow2",
    ]


def test_the_promised_json() -> None:
    assert lineage_record(Lineage((NOW, BASE))) == {
        "images": [
            {
                "path": "/i/base.qcow2",
                "format": "qcow2",
                "base": None,
                "used_by": [{"vm": "web01", "target": "vda", "snapshot": "before"}],
            },
            {
                "path": "/i/now.qcow2",
                "format": "qcow2",
                "base": "/i/base.qcow2",
                "used_by": [{"vm": "web01", "target": "vda", "snapshot": None}],
            },
        ]
    }


THIRD = "33333333-3333-3333-3333-333333333333"


def test_the_kinship_of_source_and_clone() -> None:
    lineage = Lineage((BASE, NOW, OTHER))
    assert lineage.kinship(SOURCE) == Kinship(None, (Offshoot("clone", CLONE, "before"),))
    assert lineage.kinship(CLONE) == Kinship(Clone("clone", CLONE, "vda", "web01", SOURCE, "before", BASE.path), ())
    assert lineage.kinship(THIRD) == Kinship()


def test_a_clone_of_a_clone_hangs_off_that_one_alone() -> None:
    third = Image("/i/third.qcow2", "qcow2", "/i/clone.qcow2", (Use("third", THIRD, "vda"),))
    lineage = Lineage((BASE, NOW, OTHER, third))
    assert [shoot.name for shoot in lineage.kinship(SOURCE).offshoots] == ["clone"]
    assert lineage.kinship(CLONE).offshoots == (Offshoot("third", THIRD, None),)
    origin = lineage.kinship(THIRD).origin
    assert origin is not None
    assert (origin.source, origin.snapshot) == ("clone", None)


def test_a_clone_of_several_disks_is_one_for_each_snapshot() -> None:
    frozen = Image("/i/b.qcow2", "qcow2", None, (Use("web01", SOURCE, "vdb", "before"),))
    left_out = Image("/i/c.qcow2", "qcow2", None, (Use("web01", SOURCE, "vdc"),))
    second = Image("/i/clone.b.qcow2", "qcow2", "/i/b.qcow2", (Use("clone", CLONE, "vdb"),))
    third = Image("/i/clone.c.qcow2", "qcow2", "/i/c.qcow2", (Use("clone", CLONE, "sda"),))
    lineage = Lineage((left_out, third, BASE, NOW, OTHER, frozen, second))
    assert set(lineage.kinship(SOURCE).offshoots) == {
        Offshoot("clone", CLONE, "before"),
        Offshoot("clone", CLONE, None),
    }
    origin = lineage.kinship(CLONE).origin
    assert origin is not None
    assert (origin.target, origin.snapshot) == ("vda", "before"), "what a snapshot held goes first"


def test_a_clone_that_has_snapshots_of_its_own_is_one_still() -> None:
    overlay = Image("/i/clone.s.qcow2", "qcow2", "/i/clone.qcow2", (Use("clone", CLONE, "vda"),))
    frozen = Image("/i/clone.qcow2", "qcow2", "/i/base.qcow2", (Use("clone", CLONE, "vda", "s"),))
    lineage = Lineage((BASE, NOW, frozen, overlay))
    assert lineage.kinship(SOURCE).offshoots == (Offshoot("clone", CLONE, "before"),)
    assert lineage.kinship(CLONE).offshoots == ()


def test_images_without_a_vm_are_told_once_with_the_last_of_their_chain() -> None:
    one = Image("/i/one.qcow2", "qcow2", "/i/base.qcow2")
    two = Image("/i/two.qcow2", "qcow2", "/i/one.qcow2")
    alone, golden = Image("/i/alone.qcow2", "qcow2"), Image("/i/golden.qcow2", "qcow2", "/i/alone.qcow2")
    lineage = Lineage((BASE, NOW, one, two, alone, golden))
    assert lineage.kinship(SOURCE).offshoots == (Offshoot("/i/two.qcow2", "", "before"),)


def test_vms_on_one_template_are_no_clones_of_each_other() -> None:
    template = Image("/i/base.qcow2", "qcow2")
    assert Lineage((template, NOW, OTHER)).kinship(SOURCE) == Kinship()
