"""1,000 snapshots through the daemon's socket: all of them, a look that finds nothing new, and what virsh takes."""

from support import places  # isort: skip
from support.guests import STACKS, guest, stack
from support.measure import Row, in_turn, ran, repeated, verdict
from support.report import section
from support.thousand import redefine

from snapgui.hypervisor.connection import Connection
from snapgui.operations.facts import glance

COUNT = 1_000
TURNS, LOOKS = 7, 50
LISTED_S, LOOKED_S = 1.0, 0.01
COLUMNS = ("stack", "first look", "`virsh snapshot-list --tree`", "ratio", "aim 1 s", "nothing changed", "aim 10 ms")
NOTE = (
    "“First look” reads every snapshot with all its facts over a connection that stands, as the window does; virsh"
    " starts, connects, and asks for names and parents alone. “Nothing changed” is the look of every two seconds."
)


def main() -> None:
    places.own_directories()
    section("listing", f"Listing {COUNT:,} snapshots", COLUMNS, [_row(name) for name in STACKS], (NOTE,))


def _row(name: str) -> Row:
    with stack(name) as running, guest(running, running=False) as machine:
        redefine(machine, COUNT)
        with Connection(machine.uri) as connection:
            ours, theirs = in_turn(
                TURNS,
                lambda _turn: glance(connection, machine.uuid),
                lambda _turn: ran("virsh", "-c", machine.uri, "snapshot-list", machine.name, "--tree"),
            )
            known = glance(connection, machine.uuid)
            assert len(known.tree) == COUNT
            looks = repeated(LOOKS, lambda: glance(connection, machine.uuid, known))
    ratio = f"{ours.median / theirs.median:.2f}"
    listed, looked = verdict(ours.median, LISTED_S), verdict(looks.median, LOOKED_S)
    return (name, str(ours), str(theirs), ratio, listed, str(looks), looked)


if __name__ == "__main__":
    main()
