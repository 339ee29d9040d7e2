"""What is wrong by what was seen: one imagined host for each rule, and as many where all is as it should be."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest

from snapgui.images.qcow2 import ImageSnapshot
from snapgui.images.soundness import Trouble
from snapgui.model.health import Ailment, Mending
from snapgui.model.records import PauseReason, Vm, VmState
from snapgui.operations.health import examine
from snapgui.operations.health_evidence import Evidence, FileKind, SavedMemory, SeenDisk, SeenFile, SeenVm
from snapgui.operations.health_reading import settled
from tests.unit.facts import MACHINE
from tests.unit.trees import files_of, image_after, tree

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
OLD = NOW - timedelta(days=1)
GIB = 2**30


def qcow2(path: str, base: str = "", base_format: str = "qcow2", inside: tuple[str, ...] = ()) -> SeenFile:
    held = tuple(ImageSnapshot("1", name, 0, 1, 0, GIB, (1_700_000_000, 0)) for name in inside)
    told = base_format if base else ""
    return SeenFile(
        path, FileKind.QCOW2, 1000, GIB, layered=bool(base), base=base, base_format=told, inside=held, changed=OLD
    )


def raw(path: str, length: int = GIB) -> SeenFile:
    return SeenFile(path, FileKind.PLAIN, length, changed=OLD)


def memory(path: str, vm: SeenVm, image: str, *, whole: bool = True) -> SeenFile:
    saved = SavedMemory(vm.vm.uuid, vm.vm.name, (("vda", image),), whole)
    return SeenFile(path, FileKind.MEMORY, 5000, memory=saved, changed=NOW - timedelta(seconds=5))


def vm(name: str, image: str, line: str = "", *, state: VmState = VmState.SHUTOFF, more: str = "") -> SeenVm:
    """A VM whose disk is this image, with snapshots of it as in ``tests.unit.trees``."""
    known = tree(line, MACHINE) if line else tree("", MACHINE)
    disks = [SeenDisk("vda", image, "qcow2", writable=True)]
    disks += [SeenDisk("vdb", more, "qcow2", writable=True)] if more else []
    named = {image, *([more] if more else []), *files_of(known)} - {""}
    return SeenVm(Vm(f"uuid-{name}", name, state), tuple(disks), known, frozenset(named))


def host(
    *parts: SeenVm | SeenFile, missing: tuple[str, ...] = (), unread: tuple[str, ...] = (), making: tuple[str, ...] = ()
) -> Evidence:
    files = {part.path: part for part in parts if isinstance(part, SeenFile)}
    listed: dict[str, set[str]] = {}
    for path in files:
        listed.setdefault(path.rpartition("/")[0], set()).add(path)
    return Evidence(
        now=NOW,
        vms=tuple(part for part in parts if isinstance(part, SeenVm)),
        unread=unread,
        files=MappingProxyType(files),
        listed=MappingProxyType({directory: frozenset(paths) for directory, paths in listed.items()}),
        missing=frozenset(missing),
        making=frozenset(making),
    )


def codes(evidence: Evidence) -> list[tuple[str, str, str]]:
    return [(one.code.value, one.path, one.vm) for one in examine(evidence)]


def only(evidence: Evidence) -> Ailment:
    (found,) = examine(evidence)
    return found


DISK = "/images/disk.qcow2"
WEB = vm("web01", DISK)


# all is as it should be


def test_a_plain_host() -> None:
    assert codes(host(WEB, qcow2(DISK), raw("/images/medium.iso"), raw("/images/disk.raw"))) == []


def test_clones_and_templates() -> None:
    clone, other = vm("web02", "/images/web02.qcow2"), vm("web03", "/images/web03.qcow2")
    template = qcow2("/images/template.qcow2")
    layers = [qcow2(found.disks[0].path, template.path) for found in (clone, other)]
    assert codes(host(WEB, clone, other, qcow2(DISK), template, *layers)) == []
    alone = host(WEB, clone, qcow2(DISK), template, layers[0])
    assert codes(alone) == [], "a template under one clone alone is no forgotten layer"


def test_trees_of_both_kinds() -> None:
    assert codes(host(vm("web01", DISK, "a>b* a>c+"), qcow2(DISK, inside=("a", "b", "c")))) == []
    known = tree("a!+>b!*", MACHINE)
    grown = vm("web01", image_after(known, "b", DISK), "a!+>b!*")
    layers = (qcow2(DISK), qcow2("/images/a.qcow2", DISK), qcow2("/images/b.qcow2", "/images/a.qcow2"))
    assert codes(host(grown, *layers, memory("/images/a.mem", grown, DISK))) == []


def test_an_internal_snapshot_of_the_vm_below_is_known() -> None:
    image = qcow2(DISK, inside=("kept",))
    assert codes(host(vm("base", DISK, "kept*"), image, vm("same", DISK))) == []


def test_what_cannot_be_seen_is_not_missing() -> None:
    unseen = SeenFile(DISK, FileKind.UNSEEN)
    assert codes(host(vm("web01", DISK, "a*"), unseen)) == []


# files that nothing refers to


def test_an_overlay_of_nobody() -> None:
    found = only(host(WEB, qcow2(DISK), qcow2("/images/x.qcow2", DISK)))
    assert (found.code, found.path, found.vm, found.mendings) == (
        "orphan-overlay",
        "/images/x.qcow2",
        "web01",
        (Mending.REMOVE,),
    )


def test_the_upper_of_two_overlays_goes_first() -> None:
    lower, upper = qcow2("/images/x.qcow2", DISK), qcow2("/images/y.qcow2", "/images/x.qcow2")
    mendings = {one.path: one.mendings for one in examine(host(WEB, qcow2(DISK), lower, upper))}
    assert mendings == {lower.path: (), upper.path: (Mending.REMOVE,)}


@pytest.mark.parametrize("way", ["written", "making", "unread", "held", "saving"])
def test_what_may_be_in_use_is_no_orphan(way: str) -> None:
    file, owner = qcow2("/images/x.qcow2", DISK), WEB
    if way == "written":
        file = replace(file, written=True)
    if way == "held":
        owner = replace(WEB, held=True)
    if way == "saving":
        owner = replace(WEB, vm=replace(WEB.vm, state=VmState.PAUSED, pause=PauseReason.SAVE))
    unread, making = ("db",) if way == "unread" else (), (file.path,) if way == "making" else ()
    wanted = [("vm-unreadable", "", "db")] if unread else []
    assert codes(host(owner, qcow2(DISK), file, unread=unread, making=making)) == wanted


def test_a_vm_that_changed_while_it_was_looked_at_is_not_judged() -> None:
    before = vm("web01", DISK)
    after = vm("web01", "/images/new.qcow2", "a!*")
    (seen,) = settled((before,), (after,))
    assert (seen.held, seen.named) == (True, before.named | after.named)
    assert settled((before,), (before,)) == (before,)
    assert settled((), (after,))[0].held
    half = host(seen, qcow2(DISK, inside=("x",)), qcow2("/images/x.qcow2", DISK), missing=("/images/new.qcow2",))
    assert codes(half) == []


def test_memory_of_nobody() -> None:
    found = only(host(WEB, qcow2(DISK), memory("/images/x.mem", WEB, DISK)))
    assert (found.code, found.vm, found.mendings) == ("orphan-memory", "web01", (Mending.REMOVE,))
    stranger = vm("gone", "/images/gone.qcow2")
    found = only(host(WEB, qcow2(DISK), memory("/images/x.mem", stranger, DISK)))
    assert (found.code, found.vm, found.fix, found.mendings) == ("orphan-memory", "", None, ())


def test_memory_that_is_being_saved_or_sleeps_is_none() -> None:
    half = memory("/images/x.mem", WEB, DISK, whole=False)
    assert codes(host(WEB, qcow2(DISK), half)) == []
    assert codes(host(WEB, qcow2(DISK), replace(half, changed=OLD))) == [("orphan-memory", "/images/x.mem", "web01")]
    assert codes(host(WEB, qcow2(DISK), memory("/var/lib/libvirt/qemu/save/web01.save", WEB, DISK))) == []


def test_an_image_is_a_vms_own_only_in_its_own_directory() -> None:
    own = vm("web01", "/images/web01/disk.qcow2")
    found = only(host(own, qcow2("/images/web01/disk.qcow2"), qcow2("/images/web01/x.qcow2")))
    assert (found.code, found.vm, found.mendings) == ("orphan-image", "web01", (Mending.REMOVE,))
    found = only(host(WEB, qcow2(DISK), qcow2("/images/x.qcow2")))
    assert (found.code, found.vm, found.fix, found.mendings) == ("orphan-image", "", None, ())
    assert codes(host(WEB, qcow2(DISK), qcow2("/templates/x.qcow2"))) == [], "where no VM has images"


# snapshots inside


def test_an_unknown_snapshot() -> None:
    found = only(host(WEB, qcow2(DISK, inside=("x",))))
    assert (found.code, found.snapshot) == ("unknown-snapshot", "x")
    assert found.mendings == (Mending.ADOPT, Mending.REMOVE)
    assert found.adoption is not None
    assert (found.adoption.state, found.adoption.created.timestamp()) == ("shutoff", 1_700_000_000)


@pytest.mark.parametrize("name", ["a/b", ".a", "a\nb", " a"])
def test_a_name_that_libvirt_does_not_take_is_left_to_the_user(name: str) -> None:
    found = only(host(WEB, qcow2(DISK, inside=(name,))))
    assert (found.code, found.mendings) == ("unknown-snapshot", ())


def test_a_snapshot_in_one_of_two_images() -> None:
    both = vm("web01", DISK, more="/images/b.qcow2")
    found = only(host(both, qcow2(DISK, inside=("x",)), qcow2("/images/b.qcow2")))
    assert found.mendings == (Mending.REMOVE,)
    known = replace(both, tree=vm("web01", DISK, "x*").tree)
    assert codes(host(known, qcow2(DISK, inside=("x",)), qcow2("/images/b.qcow2"))) == [], "one disk was left out"


def test_a_lost_snapshot() -> None:
    known = vm("web01", DISK, "a>b*")
    assert codes(host(known, qcow2(DISK, inside=("b",)))) == [("snapshot-lost", DISK, "web01")]


def test_an_image_that_moved_with_its_snapshots_has_lost_none() -> None:
    known, new = vm("web01", DISK, "a*"), vm("web01", "/new/disk.qcow2")
    known = replace(new, tree=known.tree, named=new.named | known.named)
    assert codes(host(known, qcow2("/new/disk.qcow2", inside=("a",)), missing=(DISK,))) == []


# external snapshots


def layered(line: str, image: str) -> tuple[SeenVm, tuple[SeenFile, ...]]:
    known = vm("web01", image, line)
    layers = (qcow2(DISK), qcow2("/images/a.qcow2", DISK), qcow2("/images/b.qcow2", "/images/a.qcow2"))
    return known, layers


def test_missing_memory() -> None:
    known, layers = layered("a!+>b!*", "/images/b.qcow2")
    found = only(host(known, *layers, missing=("/images/a.mem",)))
    assert (found.code, found.path, found.mendings) == ("memory-missing", "/images/a.mem", (Mending.ADOPT,))
    assert found.adoption is not None
    assert found.adoption.replaces


def test_a_forgotten_layer_with_its_memory() -> None:
    known, layers = layered("b!*", "/images/b.qcow2")
    disks = tuple(replace(one, disks=(replace(one.disks[0], source="/images/a.qcow2"),)) for one in known.tree)
    known = replace(known, tree=type(known.tree)(disks, "b"))
    found = examine(host(known, *layers, memory("/images/a.mem", known, DISK)))
    assert [(one.code.value, one.path) for one in found] == [
        ("layer-unknown", DISK),
        ("orphan-memory", "/images/a.mem"),
    ]
    adoption = found[0].adoption
    assert adoption is not None
    assert (adoption.memory_file, adoption.state, adoption.children) == ("/images/a.mem", "running", ("b",))
    assert (adoption.disks[0].path, adoption.disks[0].overlay) == (DISK, "/images/a.qcow2")
    assert found[1].mendings == (Mending.ADOPT, Mending.REMOVE)


@pytest.mark.parametrize(
    ("overlay", "name"),
    [
        ("/images/web01-vda.before.qcow2", "before"),
        ("/images/disk.before", "before"),
        ("/images/web01-vda.qcow2", None),
        ("/images/disk.web01.qcow2", None),
        ("/other/disk.before", None),
    ],
)
def test_a_layer_is_forgotten_only_with_a_proof(overlay: str, name: str | None) -> None:
    found = examine(host(vm("web01", overlay), qcow2(DISK), qcow2(overlay, DISK)))
    assert [one.adoption.name for one in found if one.adoption is not None] == ([] if name is None else [name])


# bases


def test_a_missing_base_and_one_that_moved() -> None:
    clone = vm("web02", "/images/web02.qcow2")
    top = qcow2("/images/web02.qcow2", "/old/base.qcow2")
    assert codes(host(clone, top, missing=("/old/base.qcow2",))) == [("base-missing", "/old/base.qcow2", "web02")]
    there = host(clone, top, qcow2("/new/base.qcow2"), missing=("/old/base.qcow2",))
    found = only(there)
    assert (found.code, found.base, found.overlay) == ("base-moved", "/new/base.qcow2", top.path)


@pytest.mark.parametrize("why", ["two", "size", "format", "another", "written", "disk"])
def test_a_base_has_moved_only_where_that_is_sure(why: str) -> None:
    clone, top = vm("web02", "/images/web02.qcow2"), qcow2("/images/web02.qcow2", "/old/base.qcow2")
    moved = qcow2("/new/base.qcow2")
    parts: list[SeenVm | SeenFile] = [clone, top, moved]
    if why == "two":
        parts.append(qcow2("/newer/base.qcow2"))
    if why == "size":
        parts[2] = replace(moved, virtual=GIB * 2)
    if why == "format":
        parts[2] = raw(moved.path)
    if why == "another":
        parts.append(replace(WEB, named=WEB.named | {"/old/base.qcow2"}))
        parts.append(qcow2(DISK))
    if why == "written":
        parts[2] = replace(moved, written=True)
    if why == "disk":
        parts.append(vm("web03", moved.path))
    assert [found[0] for found in codes(host(*parts, missing=("/old/base.qcow2",)))] == ["base-missing"]


@pytest.mark.parametrize(
    ("base", "called", "known"),
    [
        (qcow2("/images/base"), "", "qcow2"),
        (raw("/images/base"), "", "raw"),
        (raw("/images/base"), "raw", "raw"),
        (qcow2("/images/base"), "raw", "raw"),
        (raw("/images/base"), "qcow2", ""),
        (qcow2("/images/base", "/etc/shadow", "raw"), "", ""),
        (replace(qcow2("/images/base"), data_elsewhere=True), "", ""),
        (replace(qcow2("/images/base"), kind=FileKind.FOREIGN), "", ""),
    ],
)
def test_a_format_that_is_not_recorded(base: SeenFile, called: str, known: str) -> None:
    """A guest may have written the head of a qcow2 image into a raw disk: what the configuration says counts."""
    clone, top = vm("web02", "/images/web02.qcow2"), qcow2("/images/web02.qcow2", base.path, "")
    owner = (
        [replace(vm("db", base.path), disks=(SeenDisk("vda", base.path, called, writable=False),))] if called else []
    )
    found = next(one for one in examine(host(clone, top, base, *owner)) if one.code == "format-missing")
    assert (found.path, found.format, bool(found.mendings)) == (top.path, known, bool(known))


def test_a_format_that_is_wrong() -> None:
    owner, clone = vm("db", "/images/base"), vm("web02", "/images/web02.qcow2")
    found = only(host(owner, clone, qcow2("/images/base"), qcow2("/images/web02.qcow2", "/images/base", "raw")))
    assert (found.code, found.format) == ("base-format-wrong", "qcow2")


@pytest.mark.parametrize("trouble", [Trouble.CORRUPT, Trouble.TRUNCATED, Trouble.UNREADABLE])
def test_damage(trouble: Trouble) -> None:
    found = only(host(WEB, replace(qcow2(DISK), trouble=trouble)))
    assert (found.code, found.path, found.mendings) == ("image-damaged", DISK, ())


def test_an_image_that_is_gone() -> None:
    assert codes(host(WEB, missing=(DISK,))) == [("image-missing", DISK, "web01")]
    assert codes(host(WEB, raw(DISK))) == [("image-damaged", DISK, "web01")], "it is no qcow2 image"


def test_a_deep_chain() -> None:
    layers = [qcow2("/images/0", "")]
    layers += [qcow2(f"/images/{number}", f"/images/{number - 1}") for number in range(1, 21)]
    below = vm("base", "/images/0")
    assert codes(host(below, vm("web01", "/images/19"), *layers[:20])) == []
    found = only(host(below, vm("web01", "/images/20"), *layers))
    assert (found.code, found.mendings) == ("deep-chain", (Mending.FLATTEN,))
