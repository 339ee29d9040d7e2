"""What is no orphan, although no path leads to it: the same file under another name, and what nobody can tell of."""

from dataclasses import replace

import pytest

from snapgui.images.soundness import Trouble
from snapgui.operations.health import examine
from snapgui.operations.health_evidence import FileKind
from tests.unit.facts import MACHINE
from tests.unit.test_health import DISK, WEB, codes, host, qcow2, raw, vm
from tests.unit.trees import tree

HERE, THERE = ("4711", "1000", "5"), ("1000", "5.0")
"""What is known of a file of this machine, and of one of another."""


@pytest.mark.parametrize("identity", [HERE, THERE, ()])
def test_the_image_of_a_vm_by_another_path_is_no_orphan(identity: tuple[str, ...]) -> None:
    """By a link, or a directory that is mounted twice. What a running guest writes to is newer on a second look."""
    own, base = vm("web01", "/link/top.qcow2"), vm("web03", "/images/base.qcow2")
    frozen = qcow2("/images/base.qcow2")
    top = replace(qcow2("/link/top.qcow2", frozen.path), identity=identity)
    other = replace(top, path="/images/top.qcow2", identity=identity if identity == HERE else ("2000", "6.0"))
    assert codes(host(own, base, frozen, top, other)) == []
    left = replace(other, path="/images/left.qcow2", identity=("1", "2", "3"))
    assert codes(host(own, base, frozen, top, left)) == [("orphan-overlay", left.path, "web03")]


@pytest.mark.parametrize(
    "text", ["/images/web01/data.qcow2", "data.qcow2", 'json:{"file": {"x": {"filename": "/images/web01/data.qcow2"}}}']
)
def test_what_an_image_names_in_another_form_is_no_orphan(text: str) -> None:
    own = vm("web01", "/images/web01/disk.qcow2")
    data, disk = qcow2("/images/web01/data.qcow2"), qcow2("/images/web01/disk.qcow2")
    assert [code for code, *_ in codes(host(own, disk, data))] == ["orphan-image"]
    assert codes(host(own, replace(disk, also=(text,)), data)) == []


@pytest.mark.parametrize("why", ["missing", "unseen", "damaged", "device", "circle"])
def test_while_an_image_cannot_be_read_no_other_is_removed(why: str) -> None:
    """What lies below it may be any of them."""
    disk = qcow2("/images/web01/disk.qcow2")
    own = vm("web01", disk.path, more="/dev/vg/top" if why == "device" else "")
    loose, left = qcow2("/images/web01/loose.qcow2"), qcow2("/images/web01/left.qcow2", disk.path)
    parts = [replace(disk, kind=FileKind.UNSEEN)] if why == "unseen" else [replace(disk, trouble=Trouble.CORRUPT)]
    circle = [replace(disk, base=disk.path)]
    seen = {"missing": [], "device": [disk], "circle": circle}.get(why, parts)
    found = examine(host(own, *seen, loose, left, missing=(disk.path,) if why == "missing" else ()))
    assert {"orphan-image", "orphan-overlay"} <= {one.code for one in found}
    assert not any(one.mendings for one in found if one.code.startswith("orphan"))


def test_an_image_that_is_away_has_not_lost_its_snapshots() -> None:
    """It may lie on a file system that is not mounted."""
    known = replace(WEB, tree=tree("a*", MACHINE))
    assert [code for code, *_ in codes(host(known, missing=(DISK,)))] == ["image-missing"]


def test_images_in_a_circle() -> None:
    known = host(WEB, qcow2(DISK, "/images/b.qcow2"), qcow2("/images/b.qcow2", DISK))
    assert codes(known) == [("image-damaged", "/images/b.qcow2", "web01")]


def test_an_image_that_was_emptied_has_not_lost_its_snapshots() -> None:
    known = replace(WEB, tree=tree("a*", MACHINE))
    assert [code for code, *_ in codes(host(known, raw(DISK, 0)))] == ["image-damaged"]
