"""Ten linked clones of one snapshot run at once, on one set of images that nobody writes to."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import libvirt
import pytest

from tests.qemu.clones import Source, cloned
from tests.qemu.commands import ok
from tests.qemu.matrix import Cell
from tests.stacks.access import access_to
from tests.stacks.machines import Machine, pool
from tests.stacks.stacks import Stack

COUNT = 10
MEMORY_KIB = 96 * 1024
PATIENCE_S = 480.0
"""All of them boot at once, in software emulation, on few processors."""


@pytest.fixture
def frozen(idle_guest: Machine) -> Iterator[Machine]:
    """A small VM that is off, with a snapshot that knows what the guest had written."""
    idle_guest.domain.setMemoryFlags(MEMORY_KIB, libvirt.VIR_DOMAIN_MEM_CONFIG | libvirt.VIR_DOMAIN_MEM_MAXIMUM)
    idle_guest.domain.setMemoryFlags(MEMORY_KIB, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    idle_guest.start()
    idle_guest.channel.run("echo then >/data/mark; sync")
    idle_guest.domain.destroy()
    with pool(idle_guest):
        ok(idle_guest.uri, "take", idle_guest.name, "before", "--kind", "external")
        yield idle_guest


@pytest.mark.timeout(1200)
def test_ten_clones_run_at_once(stack: Stack, user_home: Path, frozen: Machine) -> None:
    """One half made by root, one by an ordinary user: it costs enough to boot ten."""
    made_by = [access_to(stack, way, user_home) for way in ("root", "user")] * (COUNT // 2)
    source, snapshot = Cell(frozen, ("vda",), None), Source("frozen", "before")
    base = _sha256(frozen.disk)
    with ExitStack() as lent:
        names = [f"clone-{number}" for number in range(COUNT)]
        clones = [
            lent.enter_context(cloned(access, source, snapshot, name, "--linked"))
            for access, name in zip(made_by, names, strict=True)
        ]
        assert {disk["base"] for clone in clones for disk in clone.said["disks"]} == {str(frozen.disk)}
        for clone in clones:
            clone.boot()
        guests = [clone.cell.machine.channel for clone in clones]
        for guest in guests:
            guest.wait_until_up(PATIENCE_S)
        for guest, name in zip(guests, names, strict=True):
            said = guest.run(f"cat /data/mark; echo {name} >/data/mark; sync; cat /data/mark", PATIENCE_S)
            assert said == f"then\n{name}\n"
        assert all(clone.cell.running for clone in clones)
        for guest, name in zip(guests, names, strict=True):
            said = guest.run("echo 3 >/proc/sys/vm/drop_caches; cat /data/mark", PATIENCE_S)
            assert said == f"{name}\n", "each has a disk of its own"
        assert _sha256(frozen.disk) == base


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
