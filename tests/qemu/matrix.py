"""A guest that never stops writing, its disks as it sees them, and the content of snapshots as only qemu-img does.

Every disk has a file system of 1 MiB, with a marker file, and behind it 1 MiB that the guest writes to all the time,
numbers that grow. The guest hashes the first part while the file system is frozen; from outside all is hashed.
"""

import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import libvirt

from snapgui.hypervisor.connection import Connection
from snapgui.model.plan import Plan
from snapgui.model.records import Place, Snapshot
from snapgui.model.tree import SnapshotTree
from snapgui.operations import delete, revert, take
from snapgui.operations.facts import Facts, read_facts
from snapgui.operations.history import History
from snapgui.operations.pipeline import run
from tests.stacks.machines import Machine

Request = take.TakeRequest | revert.RevertRequest | delete.DeleteRequest
SIZE, QUIET = 2 * 2**20, 2**20
COUNTS_PER_S = 10
PULSE = """\
n={first}
while :; do
    printf '%8d\n' $n 1<>/run/pulse
    for disk in {disks}; do
        printf '%512s' $n | dd of=/dev/$disk bs=512 seek=$((2048 + n % 16 * 128)) conv=notrunc,fsync
    done
    n=$((n + 1))
    usleep 50000
done"""
"""A number a round, to one of 16 places in the last 1 MiB, of one disk after the other."""
CD_CONTENT = b"content of a CD\n" * 2**15
CD = """\
<controller type='scsi' model='virtio-scsi'/>
<disk type='file' device='cdrom'>
  <driver name='qemu' type='raw'/><source file='{path}'/><target dev='sda' bus='scsi'/><readonly/>
</disk>"""
RAW = """\
<disk type='file' device='disk'>
  <driver name='qemu' type='raw'/><source file='{path}'/><target dev='vdb' bus='virtio'/>
</disk>"""


def make_template(target: Path, scratch: Path) -> Path:
    """Make the image that every disk starts as; without a journal, because the guest's cache of that gets stale."""
    raw = scratch / "template.raw"
    raw.write_bytes(bytes(SIZE))
    make = ["-q", "-F", "-t", "ext4", "-b", "1024", "-O", "^has_journal", "-E", "nodiscard", str(raw)]
    subprocess.run(["/sbin/mke2fs", *make, f"{QUIET // 1024}k"], check=True, capture_output=True)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(target)], check=True)
    return target


def raw_copy(template: Path, target: Path) -> Path:
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(template), str(target)], check=True)
    return target


def add_device(machine: Machine, xml: str) -> None:
    whole = machine.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    machine.connection.defineXML(whole.replace("</devices>", f"{xml}</devices>"))


@dataclass(frozen=True)
class Content:
    """One disk, read from outside: all of it, the part that is quiet, the marker, the numbers written, sorted."""

    everything: str
    quiet: str
    mark: str
    pulses: tuple[int, ...]

    @property
    def pulse(self) -> int:
        """The last number written."""
        return max(self.pulses, default=0)

    @property
    def is_of_one_moment(self) -> bool:
        """Whether each number is there that was when the last was written."""
        return self.pulses == tuple(range(self.pulse + 1 - len(self.pulses), self.pulse + 1))


@dataclass(frozen=True)
class Seen:
    """What the guest sees: its marker and the hash of the quiet part by disk, and two numbers in its RAM."""

    marks: Mapping[str, str]
    hashes: Mapping[str, str]
    counter: int
    pulse: int


@dataclass(frozen=True)
class Kept:
    """What a snapshot holds: the content of its disks, the hash of its memory file."""

    disks: Mapping[str, Content]
    memory: str


@dataclass(frozen=True)
class World:
    """All that a refused operation must leave alone."""

    tree: SnapshotTree
    kept: Mapping[str, Kept]
    files: frozenset[str]
    configuration: str
    state: int


@dataclass(frozen=True)
class Cell:
    """A VM of the matrix."""

    machine: Machine
    disks: tuple[str, ...]
    cd: Path | None

    @property
    def running(self) -> bool:
        return bool(self.machine.domain.isActive())

    def start(self) -> None:
        """Boot the guest and let it write."""
        self.machine.start()
        pulse = PULSE.format(first=int(time.time() * 100), disks=" ".join(self.disks))
        self.machine.channel.run(f"({pulse}) >/dev/null 2>&1 & while [ ! -s /run/pulse ]; do usleep 10000; done")

    def write_mark(self, text: str) -> None:
        self.machine.channel.run("; ".join(f"echo {text} >{_place(disk)}/mark" for disk in self.disks) + "; sync")

    def freeze(self) -> None:
        """Let the file systems come to rest, if they are not; the numbers behind them are written on."""
        freeze = (f"fsfreeze --freeze {_place(disk)} 2>/dev/null || true" for disk in self.disks)
        self.machine.channel.run("; ".join(freeze))

    def thaw(self) -> None:
        self.machine.channel.run("; ".join(f"fsfreeze --unfreeze {_place(disk)}" for disk in self.disks))

    def look(self) -> Seen:
        """Look with the guest's eyes, past its caches; its file systems have to be frozen."""
        read = f"head -c {QUIET} /dev/{{}} | sha256sum"
        commands = ["echo 3 >/proc/sys/vm/drop_caches"]
        commands += [f"echo {disk} $(cat {_place(disk)}/mark) $({read.format(disk)})" for disk in self.disks]
        commands += [f"echo cd $({read.format('sr0')})"] if self.cd else []
        commands += ["echo numbers $(cat /run/counter) $(cat /run/pulse)"]
        said = dict(line.split(maxsplit=1) for line in self.machine.channel.run("; ".join(commands), 60).splitlines())
        disks = {disk: said[disk].split() for disk in self.disks}
        counter, pulse = map(int, said["numbers"].split())
        marks, hashes = ({disk: words[number] for disk, words in disks.items()} for number in (0, 1))
        assert self.cd is None or said["cd"].split()[0] == sha256(CD_CONTENT).hexdigest()
        return Seen(marks, hashes, counter, pulse)

    def numbers(self) -> tuple[int, int]:
        """Return what the guest counts in its RAM: the counter, and the number that goes to the disks."""
        counter, pulse = map(int, self.machine.channel.run("cat /run/counter /run/pulse").split())
        return counter, pulse

    def facts(self) -> Facts:
        with Connection(self.machine.uri) as connection:
            return read_facts(connection, self.machine.uuid)

    def do(self, request: Request) -> None:
        """Plan an operation and run it, as the program does."""
        with Connection(self.machine.uri) as connection:
            facts = read_facts(connection, self.machine.uuid)
            run(_plan(facts, request), facts, connection, History())

    def kept(self, name: str) -> Kept:
        """Read what a snapshot holds, from outside."""
        snapshot = self.facts().tree[name]
        memory = snapshot.memory_file
        disks = {disk: self._frozen(snapshot, disk) for disk in self.disks}
        return Kept(disks, sha256(Path(memory).read_bytes()).hexdigest() if memory else "")

    def _frozen(self, snapshot: Snapshot, target: str) -> Content:
        held = next(disk for disk in snapshot.disks if disk.target == target)
        image_format = next(disk.format for disk in snapshot.machine.disks if disk.target == target)
        inside = snapshot.name if held.place is Place.INTERNAL else None
        return self._content(held.source, image_format, inside)

    def current(self) -> dict[str, Content]:
        """Read the disks as they are now, from outside; the VM has to be off."""
        assert not self.running
        assert self.cd is None or self.cd.read_bytes() == CD_CONTENT
        disks = {disk.target: disk for disk in self.facts().machine.disks}
        return {target: self._content(disks[target].source, disks[target].format) for target in self.disks}

    def _content(self, source: str, image_format: str, inside: str | None = None) -> Content:
        raw = self.machine.directory.parent / f"{self.machine.name}.raw"
        choice = ["-l", f"snapshot.name={inside}"] if inside else []
        command = ["qemu-img", "convert", "-U", "-f", image_format, *choice, "-O", "raw", source, str(raw)]
        subprocess.run(command, check=True)
        everything = raw.read_bytes()
        assert len(everything) == SIZE
        said = subprocess.run(["/sbin/debugfs", "-R", "cat /mark", str(raw)], check=True, capture_output=True).stdout
        raw.unlink()
        pulses = sorted(map(int, re.findall(rb"\d+", everything[QUIET:])))
        whole, quiet = (sha256(part).hexdigest() for part in (everything, everything[:QUIET]))
        return Content(whole, quiet, said.decode().strip(), tuple(pulses))

    def files(self) -> frozenset[str]:
        return frozenset(path.name for path in self.machine.directory.iterdir() if path.name != "channel")

    def world(self) -> World:
        """Return everything that an operation could change, besides what the guest does itself."""
        tree = self.facts().tree
        flags = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE
        configuration = self.machine.domain.XMLDesc(flags) + self.machine.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE)
        kept = {snapshot.name: self.kept(snapshot.name) for snapshot in tree}
        return World(tree, kept, self.files(), configuration, self.machine.domain.state()[0])


def _plan(facts: Facts, request: Request) -> Plan:
    if isinstance(request, take.TakeRequest):
        return take.plan(facts, request)
    if isinstance(request, revert.RevertRequest):
        return revert.plan(facts, request)
    return delete.plan(facts, request)


def _place(disk: str) -> str:
    return "/data" if disk == "vda" else "/data2"
