"""``snapgui`` and ``virsh`` side by side on the same VM: start-up, take, revert."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from support import places  # isort: skip
from support.guests import STACKS, guest, stack
from support.measure import Row, Times, in_turn, milliseconds, ran, timed, verdict
from support.report import section

SNAPGUI = str(Path(sys.executable).with_name("snapgui"))
STARTS, CHANGES = 15, 7
FACTOR, START_S = 1.1, 0.15
COLUMNS = ("stack", "what", "snapgui", "virsh", "difference", "ratio", "aim")
NOTE = (
    f"The aim is {FACTOR} × virsh plus {START_S * 1000:.0f} ms, of the medians. The guest runs; each snapshot is"
    " deleted after it was taken, and the order of the two changes every turn. `snapgui take` and `revert` also plan,"
    " look for what stands in the way, keep a picture of the screen, write the history and read the result back."
)
Command = Callable[[str], object]


def main() -> None:
    places.own_directories()
    section("commands", "Commands", COLUMNS, [row for name in STACKS for row in _rows(name)], (NOTE,))


def _rows(name: str) -> Iterator[Row]:
    version, _ = in_turn(STARTS, lambda _turn: ran(SNAPGUI, "--version"), lambda _turn: ran("virsh", "--version"))
    with stack(name) as running, guest(running, running=True) as machine:
        snapgui, virsh = partial(ran, SNAPGUI, "-c", machine.uri), partial(ran, "virsh", "-c", machine.uri)
        listed = in_turn(STARTS, lambda _turn: snapgui("list"), lambda _turn: virsh("list", "--all"))
        yield _row(name, f"list (`--version`: {version})", *listed)

        def delete(snapshot: str) -> None:
            virsh("snapshot-delete", machine.name, snapshot)

        yield _row(
            name,
            "take",
            *_alternately(
                lambda snapshot: snapgui("take", machine.name, snapshot),
                lambda snapshot: virsh("snapshot-create-as", machine.name, snapshot),
                delete,
            ),
        )
        virsh("snapshot-create-as", machine.name, "base")
        yield _row(
            name,
            "revert",
            *_alternately(
                lambda _name: snapgui("revert", machine.name, "base", "--no-safety"),
                lambda _name: virsh("snapshot-revert", machine.name, "base"),
                lambda _name: None,
            ),
        )


def _alternately(ours: Command, theirs: Command, afterwards: Command) -> tuple[Times, Times]:
    """Run both in turn, changing who is first; each is given a name that is its own."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(CHANGES):
        for place in (0, 1) if turn % 2 else (1, 0):
            name = f"bench-{turn}-{place}"
            seconds[place].append(timed(partial((ours, theirs)[place], name)))
            afterwards(name)
    return Times(tuple(seconds[0])), Times(tuple(seconds[1]))


def _row(name: str, what: str, ours: Times, theirs: Times) -> Row:
    aim = FACTOR * theirs.median + START_S
    more, ratio = milliseconds(ours.median - theirs.median), f"{ours.median / theirs.median:.2f}"
    return (name, what, str(ours), str(theirs), more, ratio, f"{milliseconds(aim)}: {verdict(ours.median, aim)}")


if __name__ == "__main__":
    main()
