"""The lineage of a host with 200 VMs: read at first, read again, and the longest piece that keeps a look waiting."""

import time

from support import places  # isort: skip
import libvirt
from support.guests import STACKS, guest, stack
from support.measure import Row, milliseconds, ran, repeated, verdict
from support.report import section

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.inventory import list_vms
from snapgui.operations.lineage import Remembered, advance, in_pieces, read_lineage
from tests.stacks.machines import Machine

VMS, SNAPSHOTS, TURNS = 200, 5, 5
FIRST_S, AGAIN_S, PIECE_S = 2.0, 0.5, 0.05
COLUMNS = ("stack", "first reading", "aim 2 s", "again", "aim 500 ms", "longest piece", "aim 50 ms")
NOTE = (
    f"{VMS} VMs that are switched off, each a linked clone of the same VM, with {SNAPSHOTS} external snapshots of its"
    " own, in one storage pool. The window reads in pieces, between which it asks for other things."
)


def main() -> None:
    places.own_directories()
    section("lineage", f"Lineage of {VMS} VMs", COLUMNS, [_row(name) for name in STACKS], (NOTE,))


def _row(name: str) -> Row:
    with stack(name) as running, guest(running, running=False) as machine:
        made = [_clone(machine, number) for number in range(VMS)]
        pool = machine.connection.storagePoolCreateXML(
            f"<pool type='dir'><name>bench</name><target><path>{machine.directory}</path></target></pool>"
        )
        try:
            with Connection(machine.uri) as connection:
                first = repeated(TURNS, lambda: read_lineage(connection))
                remembered, vms = Remembered(), list_vms(connection)
                lineage = advance(in_pieces(connection, vms, remembered), None)
                assert lineage is not None
                assert len(lineage.kinship(machine.uuid).offshoots) == VMS
                again = repeated(TURNS, lambda: advance(in_pieces(connection, vms, remembered), None))
                longest = _longest_piece(connection)
        finally:
            pool.destroy()
            for domain in made:
                domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)
    aims = verdict(first.median, FIRST_S), verdict(again.median, AGAIN_S), verdict(longest, PIECE_S)
    return (name, str(first), aims[0], str(again), aims[1], milliseconds(longest), aims[2])


def _longest_piece(connection: Connection) -> float:
    pieces, longest, last = in_pieces(connection, list_vms(connection), Remembered()), 0.0, time.monotonic()
    for _ in pieces:
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    return longest


def _clone(machine: Machine, number: int) -> libvirt.virDomain:
    """Define a VM on an overlay of the machine's disk, with a chain of snapshots that are only told of."""
    base = machine.disk
    images = [machine.directory / f"clone{number}.{place}.qcow2" for place in range(SNAPSHOTS + 1)]
    for image in images:
        ran("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(image))
        base = image
    disk = "<disk type='file'><driver name='qemu' type='qcow2'/><source file='{}'/><target dev='vda'/></disk>"
    devices = f"<os><type>hvm</type></os><devices>{disk}</devices>"
    head = f"<name>clone{number}</name><memory>65536</memory>"
    domain = machine.connection.defineXML(f"<domain type='qemu'>{head}{devices.format(images[-1])}</domain>")
    uuid = f"<uuid>{domain.UUIDString()}</uuid>"
    for place in range(SNAPSHOTS):
        parent = f"<parent><name>s{place - 1}</name></parent>" if place else ""
        domain.snapshotCreateXML(
            f"<domainsnapshot><name>s{place}</name><state>shutoff</state>{parent}<creationTime>{place}</creationTime>"
            f"<memory snapshot='no'/><disks><disk name='vda' snapshot='external' type='file'><driver type='qcow2'/>"
            f"<source file='{images[place + 1]}'/></disk></disks>"
            f"<domain type='qemu'>{head}{uuid}{devices.format(images[place])}</domain></domainsnapshot>",
            libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE,
        )
    return domain


if __name__ == "__main__":
    main()
