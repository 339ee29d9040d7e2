"""Clones of a big disk: linked and in full by snapgui, in full by ``virt-clone`` and ``qemu-img convert``."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from support import places  # isort: skip
import libvirt
from support.guests import STACKS, Machine, guest, stack
from support.measure import Row, Times, ran, verdict
from support.report import section

SNAPGUI = str(Path(sys.executable).with_name("snapgui"))
TURNS = 5
SIZE_GIB, PIECES, PIECE_MIB = 200, 64, 16
LINKED_S, LINKED_MIB = 1.0, 10
MIB, SECTOR = 2**20, 512
COLUMNS = ("stack", "clone", "by", "time", "of disk", "time / linked", f"aim {LINKED_S:.0f} s", f"aim {LINKED_MIB} MiB")
NOTE = (
    f"The disk has {SIZE_GIB} GiB, of which {PIECES * PIECE_MIB // 1024} GiB are written, in {PIECES} places; the VM is"
    " off and has an external snapshot, from which snapgui clones. virt-clone knows no snapshots: it clones another VM,"
    " which has the image that the snapshot froze as its disk, and qemu-img copies that image alone, without making"
    " a VM. Each command is a process of its own; they take turns. “Of disk” is what the new image takes."
)


class Clones:
    """The ways to clone, each with its times and the bytes that its images took."""

    def __init__(self, machine: Machine, plain: str) -> None:
        self._machine, self._plain = machine, plain
        self.seconds: dict[str, list[float]] = {}
        self.bytes: dict[str, int] = {}

    def linked(self, name: str) -> Path:
        return self._snapgui(name, "--linked")

    def full(self, name: str) -> Path:
        return self._snapgui(name, "--full")

    def virt_clone(self, name: str) -> Path:
        file = self._machine.directory / f"{name}.qcow2"
        at = ("--connect", self._machine.uri)
        ran("virt-clone", *at, "--original", self._plain, "--name", name, "--file", str(file))
        return file

    def qemu_img(self, name: str) -> Path:
        file = self._machine.directory / f"{name}.qcow2"
        ran("qemu-img", "convert", "-f", "qcow2", "-O", "qcow2", str(self._machine.disk), str(file))
        return file

    def turn(self, number: int) -> None:
        """Clone once in each way, and remove the clones; the order changes every other turn."""
        ways = (self.linked, self.full, self.virt_clone, self.qemu_img)
        for way in ways if number % 2 else reversed(ways):
            name = f"{way.__name__.replace('_', '-')}-{number}"
            began = time.perf_counter()
            made = way(name)
            self.seconds.setdefault(way.__name__, []).append(time.perf_counter() - began)
            self.bytes[way.__name__] = made.stat().st_blocks * SECTOR
            self._undefine(name)
            made.unlink()

    def _snapgui(self, name: str, how: str) -> Path:
        source = f"{self._machine.name}@before"
        said = ran(SNAPGUI, "-c", self._machine.uri, "clone", "--json", source, name, how)
        return Path(json.loads(said)["disks"][0]["file"])

    def _undefine(self, name: str) -> None:
        for domain in self._machine.connection.listAllDomains():
            if domain.name() == name:
                domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)


def main() -> None:
    places.own_directories()
    section("clone", "Clones of a big disk", COLUMNS, [row for name in STACKS for row in _rows(name)], (NOTE,))


def _rows(name: str) -> Iterator[Row]:
    with stack(name) as running, guest(running, running=False) as machine:
        _enlarge(machine.disk)
        plain = machine.connection.defineXML(_another(machine))
        try:
            ran(SNAPGUI, "-c", machine.uri, "take", machine.name, "before", "--kind", "external")
            clones = Clones(machine, plain.name())
            for number in range(TURNS):
                clones.turn(number)
        finally:
            plain.undefine()
    yield from _table(name, clones)


def _enlarge(disk: Path) -> None:
    """Make the disk big, and write to places all over it."""
    ran("qemu-img", "resize", "-q", str(disk), f"{SIZE_GIB}G")
    places_gib = range(1, SIZE_GIB - 1, (SIZE_GIB - 2) // PIECES)
    writes = [f"write -P {0x41 + number % 26} {place}G {PIECE_MIB}M" for number, place in enumerate(places_gib)]
    commands = [part for write in writes[:PIECES] for part in ("-c", write)]
    subprocess.run(["qemu-io", "-f", "qcow2", *commands, str(disk)], check=True, capture_output=True)


def _another(machine: Machine) -> str:
    """Describe a second VM on the same disk."""
    xml = machine.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    return xml.replace(f"<name>{machine.name}<", "<name>plain<").replace(f"<uuid>{machine.uuid}</uuid>", "")


def _table(name: str, clones: Clones) -> Iterator[Row]:
    linked = Times(tuple(clones.seconds["linked"]))
    for way, how, by in (
        ("linked", "linked", "snapgui"),
        ("full", "full", "snapgui"),
        ("virt_clone", "full", "virt-clone"),
        ("qemu_img", "image", "qemu-img convert"),
    ):
        times, size = Times(tuple(clones.seconds[way])), clones.bytes[way] / MIB
        ratio = f"{times.median / linked.median:.1f}"
        aims = ("", "")
        if way == "linked":
            aims = (verdict(times.median, LINKED_S), verdict(size, LINKED_MIB))
        yield (name, how, by, str(times), f"{size:.1f} MiB", ratio, *aims)


if __name__ == "__main__":
    main()
