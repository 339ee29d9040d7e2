"""Names of the files that external snapshots make: harmless, free, and all different, whatever a VM is called."""

import re
from dataclasses import replace
from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from snapgui.model.records import Directory, Disk, KindWish, MemoryWish, Place
from snapgui.operations.choice import choose
from snapgui.operations.facts import Facts
from snapgui.operations.file_names import harmless, memory_path, overlay_requests
from tests.unit.facts import DISK, MACHINE, NEW_LIBVIRT, RUNNING, facts
from tests.unit.trees import files_of

ANY = st.text(min_size=1, max_size=300)
TARGETS = st.lists(st.from_regex(r"\A[svh]d[a-z]{1,2}\Z"), min_size=1, max_size=4, unique=True)
NAME_MAX = 255
"""Bytes of a file name on every Linux file system."""


def made(known: Facts, name: str) -> list[str]:
    choice = choose(known, KindWish.EXTERNAL, MemoryWish.LIVE)
    overlays = [request.file for request in overlay_requests(known, name, choice) if request.file]
    return [*overlays, memory_path(known, name, choice)]


def vm_called(name: str, targets: list[str], places: tuple[Directory, ...], line: str = "") -> Facts:
    disks = tuple(
        replace(DISK, target=target, source=f"/images/{number}.qcow2") for number, target in enumerate(targets)
    )
    known = facts(line, replace(RUNNING, name=name), machine=replace(MACHINE, disks=disks), capabilities=NEW_LIBVIRT)
    return replace(known, places=places)


@given(ANY)
def test_parts_of_names_are_harmless(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*|_", harmless(text))
    assert len(harmless(text)) <= 80


@given(ANY, ANY, TARGETS, st.booleans())
def test_all_files_are_harmless_different_and_beside_the_images(
    vm: str, name: str, targets: list[str], seen: bool
) -> None:
    paths = made(vm_called(vm, targets, (Directory("/images", frozenset() if seen else None),)), name)
    assert len(paths) == len(set(paths)) == len(targets) + 1
    for path in paths:
        assert re.fullmatch(r"/images/[A-Za-z0-9_-][A-Za-z0-9._-]*", path)
        assert len(PurePosixPath(path).name) <= NAME_MAX


@given(ANY, TARGETS, st.lists(ANY, min_size=1, max_size=5))
def test_what_exists_is_never_named(vm: str, targets: list[str], names: list[str]) -> None:
    """Names that become the same file follow one another: what the former made is there."""
    there: frozenset[str] = frozenset()
    for name in (*names, *names):
        paths = made(vm_called(vm, targets, (Directory("/images", there),)), name)
        fresh = {PurePosixPath(path).name for path in paths}
        assert len(fresh) == len(paths)
        assert not fresh & there
        there |= fresh


@given(ANY, ANY, TARGETS)
def test_where_nobody_tells_what_is_there_the_time_is_in_the_name(vm: str, name: str, targets: list[str]) -> None:
    for path in made(vm_called(vm, targets, (Directory("/images"),)), name):
        assert ".20260131-133005" in path
    for path in made(vm_called(vm, targets, (Directory("/images", frozenset()),)), name):
        assert ".20260131-133005" not in path or "20260131-133005" in vm + name


def test_files_that_snapshots_name_are_taken_also_where_nobody_sees_them() -> None:
    """Nobody tells what is there, and the same second: only the tree knows."""
    known = facts("a!+*", capabilities=NEW_LIBVIRT)
    hidden = replace(known, places=(Directory("/images"),))
    first = made(hidden, "b")
    named = replace(
        known.tree["a"],
        memory_file=first[-1],
        disks=(replace(known.tree["a"].disks[0], overlay=first[0]),),
    )
    again = replace(hidden, tree=type(known.tree)([named], "a"))
    assert not set(made(again, "b")) & set(files_of(again.tree))


def test_what_they_look_like() -> None:
    known = facts("", capabilities=NEW_LIBVIRT)
    assert made(known, "before: the update, 2") == [
        "/images/web01-vda.before_the_update_2.qcow2",
        "/images/web01.before_the_update_2.mem",
    ]


def test_disks_that_are_left_out_make_no_file() -> None:
    disks = (DISK, Disk("sda", "cdrom", "/images/cd.iso", "raw", read_only=True))
    known = facts("", machine=replace(MACHINE, disks=disks), capabilities=NEW_LIBVIRT)
    requests = overlay_requests(known, "n", choose(known))
    assert [(request.target, request.place, bool(request.file)) for request in requests] == [
        ("vda", Place.EXTERNAL, True),
        ("sda", Place.NONE, False),
    ]


def test_each_overlay_lies_beside_its_own_image_and_the_memory_beside_the_first() -> None:
    second = replace(DISK, target="vdb", source="/big/b.qcow2")
    remote = replace(DISK, target="vdc", source="pool/rbd-image")
    known = facts("", machine=replace(MACHINE, disks=(DISK, second, remote)), capabilities=NEW_LIBVIRT)
    places = (Directory("/images", frozenset()), Directory("/big", frozenset({"web01-vdb.n.qcow2"})))
    assert made(replace(known, places=places), "n") == [
        "/images/web01-vda.n.qcow2",
        "/big/web01-vdb.n-2.qcow2",
        "/images/web01-vdc.n.qcow2",
        "/images/web01.n.mem",
    ]


def test_without_memory_there_is_no_memory_file() -> None:
    known = facts("", capabilities=NEW_LIBVIRT)
    assert memory_path(known, "n", choose(known, memory=MemoryWish.NONE)) == ""
