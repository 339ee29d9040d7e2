"""``snapgui leftovers``: what killed processes left half done, and away with it."""

import argparse

from snapgui.cli.commands import DONE, FAILED, open_connection, run_patiently
from snapgui.cli.output import Console, plan_record, plan_text
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Refused
from snapgui.model.plan import Plan
from snapgui.operations import leftover_removal
from snapgui.operations.history import History
from snapgui.operations.leftovers import Leftover, look_for_leftovers, mark


def leftovers(options: argparse.Namespace, console: Console) -> int:
    """``snapgui leftovers [--remove]``."""
    history = History()
    try:
        with open_connection(options) as connection:
            found = look_for_leftovers(connection, history)
            if not options.remove:
                console.result({"leftovers": [_record(leftover) for leftover in found]}, _text(found))
                return DONE
            plans = [(leftover, leftover_removal.plan(leftover)) for leftover in found if _has_something(leftover)]
            if options.dry_run:
                return _show(console, [plan for _, plan in plans])
            removed = [path for leftover, plan in plans for path in _remove(connection, console, leftover, plan)]
            mark(history, found)
    finally:
        history.close()
    console.result(
        {"removed": removed}, "\n".join(f"Removed {path}" for path in removed) or "There was no file to remove."
    )
    return DONE


def _has_something(leftover: Leftover) -> bool:
    return leftover.remains.removable or bool(leftover.remains.snapshot)


def _show(console: Console, plans: list[Plan]) -> int:
    text = "\n".join(plan_text(plan) for plan in plans) or "Nothing is left to remove."
    console.result({"plans": [plan_record(plan) for plan in plans]}, text)
    return FAILED if any(plan.blockers for plan in plans) else DONE


def _remove(connection: Connection, console: Console, leftover: Leftover, plan: Plan) -> tuple[str, ...]:
    if plan.blockers:
        console.hint(plan.blockers[0])
        raise Refused(plan.blockers[0].text)
    console.warnings(plan)
    for note in plan.notes:
        console.say(f"snapgui: {note}")
    return run_patiently(plan, leftover_removal.facts(connection, leftover), connection, console).removed


def _record(leftover: Leftover) -> dict[str, object]:
    remains = leftover.remains
    return {
        "vm": {"name": leftover.vm_name, "uuid": leftover.vm_uuid},
        "title": leftover.title,
        "text": str(leftover.text),
        "files": [{"path": file.path, "bytes": file.bytes} for file in remains.files],
        "pools": list(remains.pools),
        "copying": remains.copying,
        "lending": remains.lending,
        "snapshot": remains.snapshot or None,
    }


def _text(found: tuple[Leftover, ...]) -> str:
    lines = [f"{leftover.title} · {leftover.vm_name}: {leftover.text}" for leftover in found]
    return "\n".join(lines) or "Nothing is left over."
