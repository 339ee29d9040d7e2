"""Take, revert and delete in ever deeper and wider trees: what the number of snapshots costs, by snapgui and virsh."""

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from support import places  # isort: skip
import libvirt
from support.guests import STACKS, Machine, Stack, guest, stack
from support.measure import Row, Times, milliseconds, ran, timed, verdict
from support.report import section

SNAPGUI = str(Path(sys.executable).with_name("snapgui"))
LEVELS, CHILDREN = (1, 20, 40, 60), (1, 25, 50)
TURNS = 3
DEEPEST_START = 24
"""Levels on which libvirt 11.3 still starts a VM; merging the image of one that is off starts it for a moment."""
NEXT_SECOND_S = 1.01
FACTOR = 1.1
COLUMNS = ("stack", "tree", "operation", "by", "first", "then", "last", "last - first", "last / first", "aim")
NOTE = (
    f"The VM is off, its images are small. Deep: external snapshots of the disk, one on the other; {LEVELS[0]},"
    f" {LEVELS[1]} and {LEVELS[2]}, and {LEVELS[-1]} of them. Wide: children of one internal snapshot; {CHILDREN[0]},"
    f" {CHILDREN[1]} and {CHILDREN[-1]}. Each time one more is taken and removed again, by commands, in turns. The aim"
    f" is that snapgui's time grows by no larger factor than {FACTOR} × that of virsh. libvirt 9.0 cannot revert to"
    f" external snapshots. libvirt 11.3 cannot start a VM on more than {DEEPEST_START} levels, and so not merge its"
    " images while it is off (“failed to parse JSON: nesting too deep”), by whomever: “delete, merge” ends there;"
    " “delete, other branch” is of a snapshot that the VM does not stand on, for which it is not started."
)
Seconds = dict[str, tuple[list[float], list[float]]]
"""By operation, of snapgui and of virsh."""


class Commands:
    """One operation by the two programs, measured."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.seconds: Seconds = {}
        self._ours, self._theirs = partial(ran, SNAPGUI, "-c", machine.uri), partial(ran, "virsh", "-c", machine.uri)

    def take(self, by: int, name: str, *, external: bool) -> None:
        kind = ("--kind", "external" if external else "internal")
        file = f"vda,file={self.machine.directory}/{name}.qcow2"
        disk = ("--disk-only", "--atomic", "--diskspec", file) if external else ()
        ours = partial(self._ours, "take", self.machine.name, name, *kind)
        self._note(by, "take", ours, partial(self._theirs, "snapshot-create-as", self.machine.name, name, *disk))

    def revert(self, by: int, name: str) -> None:
        ours = partial(self._ours, "revert", self.machine.name, name, "--no-safety")
        self._note(by, "revert", ours, partial(self._theirs, "snapshot-revert", self.machine.name, name))

    def delete(self, by: int, name: str, how: str = "delete") -> None:
        ours = partial(self._ours, "delete", self.machine.name, name)
        self._note(by, how, ours, partial(self._theirs, "snapshot-delete", self.machine.name, name))

    def _note(self, by: int, what: str, *works: Callable[[], object]) -> None:
        self.seconds.setdefault(what, ([], []))[by].append(timed(works[by]))


def main() -> None:
    places.own_directories()
    section("depth", "Deep and wide trees", COLUMNS, [row for name in STACKS for row in _rows(name)], (NOTE,))


def _rows(name: str) -> Iterator[Row]:
    with stack(name) as running:
        with guest(running, running=False) as machine:
            yield from _table(name, f"{LEVELS[-1]} deep", [_at_level(running, machine, level) for level in LEVELS])
        with guest(running, running=False) as machine:
            machine.domain.snapshotCreateXML("<domainsnapshot><name>root</name></domainsnapshot>")
            yield from _table(name, f"{CHILDREN[-1]} wide", [_at_width(machine, width) for width in CHILDREN])


def _at_level(running: Stack, machine: Machine, level: int) -> Seconds:
    for number in range(machine.domain.snapshotNum() + 1, level + 1):
        _add_level(machine, number)
    commands = Commands(machine)
    for turn in range(2 * TURNS):
        by, name = _whose(turn), f"more-{level}-{turn}"
        if not running.native_external or level <= DEEPEST_START:
            commands.take(by, name, external=True)
            commands.delete(by, name, "delete, merge")
        if running.native_external:
            commands.take(by, f"{name}-b", external=True)
            time.sleep(NEXT_SECOND_S)
            commands.revert(by, f"level-{level}")
            commands.delete(by, f"{name}-b", "delete, other branch")
    return commands.seconds


def _at_width(machine: Machine, width: int) -> Seconds:
    root = machine.domain.snapshotLookupByName("root")
    for number in range(machine.domain.snapshotNum(), width + 1):
        machine.domain.revertToSnapshot(root)
        machine.domain.snapshotCreateXML(f"<domainsnapshot><name>child-{number}</name></domainsnapshot>")
    machine.domain.revertToSnapshot(root)
    commands = Commands(machine)
    for turn in range(2 * TURNS):
        by, name = _whose(turn), f"more-{width}-{turn}"
        commands.take(by, name, external=False)
        commands.revert(by, "root")
        commands.delete(by, name)
    return commands.seconds


def _whose(turn: int) -> int:
    """Return who is next; who begins changes every other turn."""
    return (turn + turn // 2) % 2


def _add_level(machine: Machine, number: int) -> None:
    file = machine.directory / f"level-{number}.qcow2"
    disk = f"<disk name='vda' snapshot='external'><source file='{file}'/></disk>"
    text = f"<domainsnapshot><name>level-{number}</name><disks>{disk}</disks></domainsnapshot>"
    machine.domain.snapshotCreateXML(text, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)


def _table(name: str, tree: str, found: list[Seconds]) -> Iterator[Row]:
    for what in found[0]:
        ours, theirs = ([Times(tuple(one[what][by])) for one in found if what in one] for by in (0, 1))
        aim = FACTOR * _factor(theirs)
        for by, times, met in (("snapgui", ours, verdict(_factor(ours), aim)), ("virsh", theirs, "")):
            middle = ", ".join(str(one) for one in times[1:-1]) or "-"
            grown = milliseconds(times[-1].median - times[0].median)
            yield (name, tree, what, by, str(times[0]), middle, str(times[-1]), grown, f"{_factor(times):.2f}", met)


def _factor(times: list[Times]) -> float:
    return times[-1].median / times[0].median


if __name__ == "__main__":
    main()
