"""Clones of every kind of source, linked and in full, by every way to use a hypervisor: same content, another VM.

The VMs are made once; every clone leaves all that they hold as it was, so that the next finds the same.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest

from snapgui.demo.guest import GuestFiles
from tests.qemu.clones import SOURCES, Clone, Source, awake, cloned, evidence, identity, sources
from tests.qemu.commands import ok, refused
from tests.qemu.images import is_sound, names_inside
from tests.qemu.matrix import Cell, Content, make_template
from tests.stacks.access import WAYS, Access, access_to
from tests.stacks.fixtures import STACKS
from tests.stacks.machines import Machine, machine, pool
from tests.stacks.stacks import Stack

HOWS = ("--linked", "--full")
TWINS = (
    ("running, disk-only", "--linked", "root"),
    ("running, internal", "--full", "root"),
    ("off", "--linked", "root"),
    ("running, memory", "--linked", "user"),
    ("running", "--full", "user"),
    ("off, internal", "--full", "user"),
    ("running", "--linked", "remote"),
    ("running, disk-only", "--full", "remote"),
    ("internal in a base", "--full", "remote"),
)
"""Every way, linked and in full; every kind of source."""


TO_ANOTHER = tuple((kind, WAYS[number % len(WAYS)]) for number, kind in enumerate(SOURCES))
"""Every source, each in one way."""


COMBINATIONS = [
    pytest.param(*stack.values, way, source, how, id=f"{stack.id}-{way}{how}, {kind}", marks=stack.marks)
    for (s, stack), (w, way), (k, (kind, source)), (h, how) in product(
        *map(enumerate, (STACKS, WAYS, SOURCES.items(), HOWS))
    )
    if (s + w + k + h) % 2 == 0
]
"""Half of all combinations of stack, way, source and how: any three of them in every combination that there is."""


@pytest.fixture(scope="module")
def cells(stack: Stack, stack_files: GuestFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Cell]]:
    template = make_template(stack.images / "clones.qcow2", tmp_path_factory.mktemp("clones"))
    with sources(stack, GuestFiles(stack_files.kernel, stack_files.initramfs, template)) as made:
        yield made


@pytest.fixture(scope="module")
def elsewhere(second_stack: Stack, second_files: GuestFiles) -> Iterator[Machine]:
    """A VM of another hypervisor, in whose directory the clones are made."""
    with machine(second_stack, second_files) as made, pool(made):
        yield made


@pytest.mark.parametrize(("stack", "access", "source", "how"), COMBINATIONS, indirect=["stack", "access"])
def test_a_clone_has_the_content_of_its_source(
    cells: dict[str, Cell], access: Access, source: Source, how: str
) -> None:
    cell = cells[source.vm]
    with awake(cell):
        if how == "--linked" and source.why_not_linked:
            _is_refused(access, cell, source)
        else:
            _is_cloned(access, cell, source, how)


def _is_cloned(
    access: Access, cell: Cell, source: Source, how: str, *options: str, neighbour: Machine | None = None
) -> None:
    before = evidence(cell)
    began = cell.numbers() if cell.running else (0, 0)
    with cloned(access, cell, source, f"clone-{access.way}{how}", how, *options, neighbour=neighbour) as clone:
        _is_told(clone, cell, source, linked=how == "--linked")
        assert not identity(clone.cell) & identity(cell)
        _has_content(clone, cell, source, began)
    after = evidence(cell)
    assert before.is_in(after)
    assert after == before or how == "--linked", "a full clone leaves nothing behind"


def _is_refused(access: Access, cell: Cell, source: Source) -> None:
    before = evidence(cell)
    assert refused(access, "clone", source.named(cell), "refused", "--linked") == source.why_not_linked
    assert "refused" not in {domain.name() for domain in cell.machine.connection.listAllDomains()}
    assert evidence(cell) == before


@pytest.mark.parametrize("how", HOWS)
def test_where_no_storage_pool_is_none_is_left(access: Access, idle_guest: Machine, how: str) -> None:
    pools = {known.name() for known in idle_guest.connection.listAllStoragePools()}
    ok(idle_guest.uri, "take", idle_guest.name, "before", "--kind", "external")
    with cloned(access, Cell(idle_guest, ("vda",), None), Source("idle", "before"), "clone", how) as clone:
        compare = ["qemu-img", "compare", "-q", "-f", "qcow2", "-F", "qcow2", idle_guest.disk, clone.images["vda"]]
        assert subprocess.run(compare, check=False).returncode == 0
    assert {known.name() for known in idle_guest.connection.listAllStoragePools()} == pools


@pytest.mark.parametrize(("kind", "way"), TO_ANOTHER, ids=[f"{way}, {kind}" for kind, way in TO_ANOTHER])
def test_a_clone_on_another_hypervisor_has_the_content_of_its_source(
    stack: Stack, second_stack: Stack, cells: dict[str, Cell], elsewhere: Machine, user_home: Path, kind: str, way: str
) -> None:
    source, access = SOURCES[kind], access_to(stack, way, user_home)
    cell, to = cells[source.vm], ("--to", access_to(second_stack, way, user_home).uri, "--pool", elsewhere.name)
    with awake(cell):
        _is_cloned(access, cell, source, "--full", *to, neighbour=elsewhere)


def test_no_clone_is_linked_to_another_hypervisor(
    second_stack: Stack, cells: dict[str, Cell], elsewhere: Machine
) -> None:
    cell = cells["still"]
    before = evidence(cell)
    to = ("--to", second_stack.uri, "--pool", elsewhere.name)
    said = refused(cell.machine.uri, "clone", cell.machine.name, "refused", "--linked", *to)
    assert said == "Images of one hypervisor cannot be layered on those of another."
    assert evidence(cell) == before


def test_a_clone_on_another_hypervisor_runs(
    stack: Stack, second_stack: Stack, cells: dict[str, Cell], elsewhere: Machine, user_home: Path
) -> None:
    access, cell = access_to(stack, "remote", user_home), cells["live"]
    to = ("--to", second_stack.remote_uri, "--pool", elsewhere.name)
    with cloned(access, cell, SOURCES["running, disk-only"], "far", *to, neighbour=elsewhere) as clone:
        clone.boot()
        clone.cell.start()
        clone.cell.freeze()
        assert set(clone.cell.look().marks.values()) == {"disks"}


@pytest.mark.parametrize(("kind", "how", "way"), TWINS, ids=[f"{way}{how}, {kind}" for kind, how, way in TWINS])
def test_source_and_clone_run_at_once_and_stay_apart(
    stack: Stack, cells: dict[str, Cell], user_home: Path, kind: str, how: str, way: str
) -> None:
    source = SOURCES[kind]
    cell = cells[source.vm]
    name = f"twin-{way}{how}"
    with awake(cell), cloned(access_to(stack, way, user_home), cell, source, name, how) as clone:
        before = evidence(cell, runs=True).without(clone.images.values())
        with _running(cell, clone):
            _write_apart(cell, clone.cell)
        assert before.is_in(evidence(cell, runs=True))
        assert {content.mark for content in clone.cell.current().values()} == {"clone"}


@contextmanager
def _running(cell: Cell, clone: Clone) -> Iterator[None]:
    """Have both run and write; what is off boots at once with the other."""
    runs = cell.running
    clone.boot()
    try:
        if runs:
            cell.thaw()
        else:
            cell.start()
        clone.cell.start()
        yield
    finally:
        clone.cell.machine.domain.destroy()
        if not runs and cell.running:
            cell.machine.domain.destroy()


def _is_told(clone: Clone, cell: Cell, source: Source, *, linked: bool) -> None:
    """What the command says of the clone is what it is."""
    said, machine = clone.said, clone.cell.machine
    assert said["vm"]["name"] == machine.domain.name() == machine.name
    assert said["linked"] is linked
    assert (said["copied_bytes"] == 0) is linked
    assert said["seconds"] > 0
    disks = {disk["target"]: disk for disk in said["disks"]}
    assert {target: Path(disk["file"]) for target, disk in disks.items()} == clone.images
    assert {target: disk["source"] for target, disk in disks.items()} == _held_by(cell, source, linked=linked)
    for disk in disks.values():
        assert disk["base"] == (disk["source"] if linked else None)
        assert _base(disk["file"]) == disk["base"]
        assert names_inside(Path(disk["file"])) == set()
        assert is_sound(Path(disk["file"]))


def _held_by(cell: Cell, source: Source, *, linked: bool) -> dict[str, str]:
    """The images that the source's disks are in; that of a current state was frozen for its clone, and is a base."""
    facts = cell.facts()
    if source.snapshot is not None:
        return {disk.target: disk.source for disk in facts.tree[source.snapshot].disks}
    images = {disk.target: disk.source for disk in facts.machine.disks}
    return {target: _base(image) or "" if linked else image for target, image in images.items()}


def _base(image: str) -> str | None:
    said = subprocess.run(["qemu-img", "info", "-U", "--output=json", image], check=True, capture_output=True).stdout
    base: str | None = json.loads(said).get("full-backing-filename")
    return base


def _has_content(clone: Clone, cell: Cell, source: Source, began: tuple[int, int]) -> None:
    found = clone.cell.current()
    if source.snapshot is not None:
        assert found == cell.kept(source.snapshot).disks
    elif not cell.running:
        assert found == cell.current()
    else:
        _is_of_one_moment(found, cell, began)


def _is_of_one_moment(found: Mapping[str, Content], cell: Cell, began: tuple[int, int]) -> None:
    """The disks of a VM that writes on: what lies still is the same, what is written is from between then and now."""
    seen = cell.look()
    assert {disk: content.quiet for disk, content in found.items()} == seen.hashes
    assert {disk: content.mark for disk, content in found.items()} == seen.marks
    assert all(content.is_of_one_moment for content in found.values())
    first, second = (found[disk].pulse for disk in cell.disks)
    assert began[1] - 1 <= second <= first <= seen.pulse
    assert first - second in {0, 1}, "all disks are of one moment"
    assert seen.counter > began[0], "the source runs on"


def _write_apart(cell: Cell, clone: Cell) -> None:
    """Both write, at the same places; each reads its own."""
    both = ((cell, "source"), (clone, "clone"))
    for each, mark in both:
        each.write_mark(mark)
    for each, mark in both:
        each.freeze()
        assert set(each.look().marks.values()) == {mark}
