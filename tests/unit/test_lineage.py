"""Which image is layered on which, and which VM is a clone of what."""

from snapgui.cli.records import lineage_record
from snapgui.cli.treetext import lineage_lines
from snapgui.model.lineage import Clone, Image, Lineage, Use

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
