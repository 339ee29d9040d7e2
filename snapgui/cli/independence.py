"""``--flatten-clones``: what would be destroyed by a plan is made independent first, in one go."""

from collections.abc import Callable

from snapgui.cli.output import Console, plan_record, plan_text
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Refused
from snapgui.model.plan import Plan
from snapgui.operations import flatten
from snapgui.operations.facts import Facts, read_facts
from snapgui.operations.protection import clones_on, without_clones

Run = Callable[[Plan, Facts], object]


def clones_to_flatten(connection: Connection, plan: Plan) -> tuple[str, ...]:
    """Return the UUIDs of the VMs that a plan would destroy, those first that nothing is based on.

    Raises Refused where something of it cannot be made independent from here: an image without a VM, a snapshot.
    """
    uuids: dict[str, int] = {}
    for finding in plan.blockers:
        for clone in finding.clones:
            if not clone.vm_uuid or clone.snapshot:
                raise Refused(finding.text, detail=str(finding.fix or ""))
            if clone.vm_uuid not in uuids:
                facts = read_facts(connection, clone.vm_uuid)
                uuids[clone.vm_uuid] = len(clones_on(facts, (disk.source for disk in facts.machine.disks)))
    return tuple(sorted(uuids, key=lambda uuid: uuids[uuid]))


def show_plans(connection: Connection, plan: Plan, clones: tuple[str, ...], console: Console) -> bool:
    """Print what would be done first, then the plan; return whether nothing stands in the way."""
    first = [without_clones(flatten.plan(read_facts(connection, uuid))) for uuid in clones]
    then = without_clones(plan)
    record = {**plan_record(then), "first": [plan_record(made) for made in first]}
    console.result(record, "\n".join(plan_text(made) for made in (*first, then)))
    return not any(made.blockers for made in (*first, then))


def flatten_clones(connection: Connection, plan: Plan, clones: tuple[str, ...], run: Run) -> None:
    """Make the clones independent, one after another; raises Refused before the first where one cannot be.

    What else stands in the way of the plan is found before anything is changed, too.
    """
    later = [flatten.plan(read_facts(connection, uuid)) for uuid in clones]
    for made in (*later, plan):
        if rest := without_clones(made).blockers:
            raise Refused(rest[0].text, detail=str(rest[0].fix or ""))
    for uuid in clones:
        facts = read_facts(connection, uuid)
        run(flatten.plan(facts), facts)
