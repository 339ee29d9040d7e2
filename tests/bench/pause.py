"""How long a guest that keeps writing stands still while it is saved: live by snapgui, by virsh, internal by virsh."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from support import places  # isort: skip
import libvirt
from support.guests import STACKS, Machine, guest, stack
from support.heartbeat import BEAT, Heartbeat, add_port
from support.measure import Row, Times, ran, verdict
from support.report import section

from tests.stacks.stacks import BACKPORTS

SNAPGUI = str(Path(sys.executable).with_name("snapgui"))
SIZES_MIB = (512, 1024, 2048)
FREE_MIB = 384
TURNS = 3
SETTLED_S, QUIET_S = 0.5, 3.0
SPARSE = 'snapshot_image_format = "sparse"\n'
SETUPS = ((STACKS[0], "", 3), (BACKPORTS, "", 3), (BACKPORTS, SPARSE, 10))
"""Stack, lines of its qemu.conf, and how many times shorter than the internal one the pause shall be."""
DOUBLE = "cat /run/part /run/part >/run/more && mv /run/more /run/part"
PART = (
    f"mount -o remount,size=95% /run; head -c 1048576 /dev/urandom >/run/part; for n in 1 2 3 4 5 6; do {DOUBLE}; done"
)
FILL = "n=64; while [ $n -lt {} ]; do cat /run/part >/run/fill.$n || exit; n=$((n + 64)); done"
WRITE = (
    ": >/run/rounds; (while :; do dd if=/run/part of=/run/hot bs=1M count=8 conv=notrunc;"
    " dd if=/run/part of=/data/hot bs=64k count=16 conv=notrunc,fsync;"
    " echo >>/run/rounds; usleep 50000; done >/dev/null 2>&1 &)"
)
WRITTEN_MIB = 8
COLUMNS = (
    "stack, memory format", "filled RAM", "guest writes", "internal, `virsh`", "live, `virsh`", "live, snapgui",
    "snapgui / internal", "aim", "no snapshot",
)  # fmt: skip
NOTE = (
    "The pause as seen in the guest's heartbeat: its serial port sends a byte every 0.1 ms of the guest's time, and the"
    " longest gap between two arrivals on the host counts (a clock within the guest stands still, too, while the guest"
    f" does). The last column is the longest gap in {QUIET_S:.0f} s without a snapshot: what the measurement itself"
    " finds. The RAM is filled with random bytes; meanwhile the guest writes at the given speed to RAM and an eighth of"
    " it, with fsync, to its disk. Internal is `virsh snapshot-create-as VM NAME`, live the same with `--live --memspec"
    " … --diskspec …`, and `snapgui take VM NAME --kind external --memory live`, in turns."
)
Command = Callable[[], object]


def main() -> None:
    places.own_directories()
    rows = [row for name, settings, aim in SETUPS for row in _rows(name, settings, aim)]
    section("pause", "The guest's pause", COLUMNS, rows, (NOTE,))


def _rows(name: str, settings: str, aim: int) -> Iterator[Row]:
    with stack(name, settings) as running:
        for size in SIZES_MIB:
            with guest(running, running=False) as machine, _filled(machine, size) as heartbeat:
                yield (f"{name}, {'sparse' if settings else 'raw'}", f"{size} MiB", *_row(machine, heartbeat, aim))


def _row(machine: Machine, heartbeat: Heartbeat, aim: int) -> Row:
    rounds, began = _rounds(machine), time.monotonic()
    time.sleep(QUIET_S)
    quiet = Times((heartbeat.longest_gap(began),))
    speed = (_rounds(machine) - rounds) * WRITTEN_MIB / (time.monotonic() - began)
    internal, virsh, ours = _in_turns(heartbeat, *_commands(machine))
    times = (f"{speed:.0f} MiB/s", str(internal), str(virsh), str(ours))
    reached = verdict(ours.median, internal.median / aim)
    return (*times, f"1/{internal.median / ours.median:.1f}", f"1/{aim}: {reached}", str(quiet))


def _filled(machine: Machine, size: int) -> Heartbeat:
    """Start the VM with so much of its RAM in use; it writes and its heart beats from then on."""
    flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG
    for maximum in (libvirt.VIR_DOMAIN_MEM_MAXIMUM, 0):
        machine.domain.setMemoryFlags((size + FREE_MIB) * 1024, flags | maximum)
    port = add_port(machine)
    machine.start()
    for command in (PART, FILL.format(size), BEAT, WRITE):
        machine.channel.run(command, 120)
    return Heartbeat(port)


def _rounds(machine: Machine) -> int:
    return int(machine.channel.run("wc -l </run/rounds"))


def _commands(machine: Machine) -> Iterator[tuple[Command, Command]]:
    """How to take each of the three, and how to remove it again."""
    virsh, snapgui = partial(ran, "virsh", "-c", machine.uri), partial(ran, SNAPGUI, "-c", machine.uri)
    memory, overlay = machine.directory / "bench.mem", machine.directory / "bench.qcow2"
    files = ("--memspec", str(memory), "--diskspec", f"vda,file={overlay}")

    def delete() -> None:
        virsh("snapshot-delete", machine.name, "bench")
        memory.unlink(missing_ok=True)

    yield partial(virsh, "snapshot-create-as", machine.name, "bench"), delete
    yield partial(virsh, "snapshot-create-as", machine.name, "bench", "--live", *files), delete
    live = ("--kind", "external", "--memory", "live")
    yield partial(snapgui, "take", machine.name, "bench", *live), partial(snapgui, "delete", machine.name, "bench")


def _in_turns(heartbeat: Heartbeat, *commands: tuple[Command, Command]) -> tuple[Times, ...]:
    """Measure each command's pause again and again; who is first changes."""
    pauses: list[list[float]] = [[] for _ in commands]
    for turn in range(TURNS):
        for number in range(len(commands)):
            place = (turn + number) % len(commands)
            take, remove = commands[place]
            os.sync()
            time.sleep(SETTLED_S)
            began = time.monotonic()
            take()
            pauses[place].append(heartbeat.longest_gap(began))
            remove()
    return tuple(Times(tuple(seconds)) for seconds in pauses)


if __name__ == "__main__":
    main()
