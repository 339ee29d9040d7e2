"""``snapgui check`` and ``snapgui mend``: what is wrong with images and snapshots, and what can be done about it."""

import argparse
from collections.abc import Iterable

from snapgui.cli.commands import DONE, carry_out, open_connection
from snapgui.cli.output import Console
from snapgui.cli.records import vm_record
from snapgui.hypervisor.connection import Connection
from snapgui.model.health import Ailment, Mending
from snapgui.operations import health_mending
from snapgui.operations.facts import Facts, read_facts
from snapgui.operations.health import examine_host
from snapgui.operations.history import History
from snapgui.operations.outcome import Outcome


def check(options: argparse.Namespace, console: Console) -> int:
    """``snapgui check [VM]``."""
    with open_connection(options) as connection:
        found = _examine(connection, None if options.vm is None else connection.find(options.vm))
    console.result({"findings": [_record(ailment) for ailment in found]}, _text(found))
    return DONE


def mend(options: argparse.Namespace, console: Console) -> int:
    """``snapgui mend VM CODE``."""
    with open_connection(options) as connection:
        vm_uuid = connection.find(options.vm)
        found = tuple(one for one in _examine(connection, vm_uuid) if _is_meant(one, options))
        facts = read_facts(connection, vm_uuid)
        plan = health_mending.plan(facts, found, None if options.how is None else Mending(options.how))

        def show(facts: Facts, outcome: Outcome) -> None:
            record = {"vm": vm_record(facts.vm), "mended": options.code, "removed": list(outcome.removed)}
            console.result(record, f"Mended {options.code} of {facts.vm.name}: {outcome.text}.")

        return carry_out(options, console, connection, facts, plan, show)


def _examine(connection: Connection, vm_uuid: str | None) -> tuple[Ailment, ...]:
    history = History()
    try:
        return examine_host(connection, vm_uuid, history)
    finally:
        history.close()


def _is_meant(ailment: Ailment, options: argparse.Namespace) -> bool:
    return ailment.code == options.code and options.path in {None, ailment.path}


def _record(ailment: Ailment) -> dict[str, object]:
    """What scripts read: a contract."""
    return {
        "code": ailment.code.value,
        "severity": ailment.severity.value,
        "path": ailment.path or None,
        "vm": ailment.vm or None,
        "text": str(ailment.text),
        "fix": None if ailment.fix is None else str(ailment.fix),
        "mendings": [mending.value for mending in ailment.mendings],
    }


def _text(found: Iterable[Ailment]) -> str:
    return "\n".join(_line(ailment) for ailment in found) or "Everything is as it should be."


def _line(ailment: Ailment) -> str:
    fix = f" {ailment.fix}" if ailment.fix else ""
    return f"{ailment.severity.value}: {ailment.code.value}: {ailment.text}{fix}"
