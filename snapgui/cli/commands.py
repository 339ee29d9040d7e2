"""What each verb does: read facts, plan, run, print."""

import argparse
import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

from snapgui.cli.independence import clones_to_flatten, flatten_clones, show_plans
from snapgui.cli.interruption import Interruption
from snapgui.cli.output import Console, finding_record, findings_text, plan_record, plan_text
from snapgui.cli.records import lineage_record, snapshot_record, tree_record, vm_record
from snapgui.cli.treetext import lineage_lines, tree_lines
from snapgui.hypervisor import inventory, snapshots, statistics
from snapgui.hypervisor.connection import Connection, default_uri
from snapgui.model.errors import Broken, Refused
from snapgui.model.plan import Plan, Remedy, Road, Verb
from snapgui.model.records import KindWish, MemoryWish, Snapshot, Then
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations import clone as cloning
from snapgui.operations import delete as deleting
from snapgui.operations import edit as editing
from snapgui.operations import flatten as flattening
from snapgui.operations import mend as mending
from snapgui.operations import remove as removing
from snapgui.operations import revert as reverting
from snapgui.operations import take as taking
from snapgui.operations import undo as undoing
from snapgui.operations.choice import choose
from snapgui.operations.doctor import examine
from snapgui.operations.facts import Facts, read_changed, read_facts
from snapgui.operations.history import Experience, History
from snapgui.operations.lineage import read_lineage
from snapgui.operations.outcome import Outcome
from snapgui.operations.pipeline import run
from snapgui.operations.safety import prune_request
from snapgui.operations.surroundings import read_surroundings

DONE, FAILED = 0, 1
_POLL_S = 0.2


def list_vms(options: argparse.Namespace, console: Console) -> int:
    """``snapgui list``."""
    with open_connection(options) as connection:
        vms = inventory.list_vms(connection)
        record = {"uri": connection.uri, "vms": [{**vm_record(vm), "snapshots": vm.snapshots} for vm in vms]}
    width = max((len(vm.name) for vm in vms), default=0)
    counts = [f"{vm.snapshots} snapshot{'' if vm.snapshots == 1 else 's'}" for vm in vms]
    lines = [f"{vm.name:<{width}}  {vm.state.value:<13} {count}" for vm, count in zip(vms, counts, strict=True)]
    console.result(record, "\n".join(lines) or "No VMs.")
    return DONE


def tree(options: argparse.Namespace, console: Console) -> int:
    """``snapgui tree VM``."""
    with open_connection(options) as connection:
        vm_uuid = connection.find(options.vm)
        vm = inventory.read_vm(connection, vm_uuid)
        found = snapshots.read_tree(connection, vm_uuid)
        changed = read_changed(connection, vm, found, inventory.read_current_machine(connection, vm_uuid))
    console.result(tree_record(vm, found, changed=changed), "\n".join(tree_lines(vm, found, changed)))
    return DONE


def lineage(options: argparse.Namespace, console: Console) -> int:
    """``snapgui lineage``."""
    with open_connection(options) as connection:
        found = read_lineage(connection)
    console.result(lineage_record(found), "\n".join(lineage_lines(found)) or "No images.")
    return DONE


def take(options: argparse.Namespace, console: Console) -> int:
    """``snapgui take VM [NAME]``."""
    if options.name is not None and not options.name.strip():
        options.name = " "  # an empty name was given, which is not the same as none
    request = taking.TakeRequest(
        options.name or "",
        options.description,
        KindWish(options.kind),
        MemoryWish(options.memory),
        tuple(options.disk),
        quiesce=options.quiesce,
    )

    def show(facts: Facts, outcome: Outcome) -> None:
        snapshot = _snapshot(outcome)
        record = snapshot_record(snapshot, current=True, parent=snapshot.parent)
        record["guest_paused_s"] = _rounded(outcome.guest_paused_s)
        record["bytes_written"] = outcome.saved_bytes
        record["files"] = list(outcome.files)
        record["why"] = str(choose(facts, request.kind, request.memory, dict(request.disks)).why)
        console.result(record, f"Took “{snapshot.name}” of {facts.vm.name}: {outcome.text}.")

    return _change(options, console, lambda facts: taking.plan(facts, request, _experience(facts)), show)


def edit(options: argparse.Namespace, console: Console) -> int:
    """``snapgui edit VM NAME``."""
    if options.title is None and options.description is None:
        console.say("snapgui: nothing to edit: give --title or --description.")
        return 2
    request = editing.EditRequest(options.name, options.title, options.description)

    def show(facts: Facts, outcome: Outcome) -> None:
        snapshot = _snapshot(outcome)
        current = facts.tree.current == snapshot.name
        record = snapshot_record(snapshot, current=current, parent=snapshot.parent)
        console.result(record, f"Edited “{snapshot.name}” of {facts.vm.name}.")

    return _change(options, console, lambda facts: editing.plan(facts, request), show)


def revert(options: argparse.Namespace, console: Console) -> int:
    """``snapgui revert VM NAME``."""
    safety = False if options.no_safety else True if options.safety is not None else None
    request = reverting.RevertRequest(
        options.name,
        Then(options.then),
        safety,
        options.safety or "",
        force=options.force,
        reset_nvram=options.reset_nvram,
    )

    def show(facts: Facts, outcome: Outcome) -> None:
        snapshot = _snapshot(outcome)
        record = snapshot_record(snapshot, current=True, parent=snapshot.parent)
        record["guest_paused_s"] = _rounded(outcome.guest_paused_s)
        record["safety"] = None if outcome.safety is None else outcome.safety.name
        kept = "" if outcome.safety is None else f" The state before is kept in “{outcome.safety.name}”."
        console.result(record, f"Reverted {facts.vm.name} to “{snapshot.name}”: {outcome.text}.{kept}")

    return _change(options, console, lambda facts: reverting.plan(facts, request), show)


def delete(options: argparse.Namespace, console: Console) -> int:
    """``snapgui delete VM NAME...``."""
    request = deleting.DeleteRequest(tuple(options.names), options.with_children, options.children_only)
    return _delete(options, console, lambda _facts: request)


def _delete(options: argparse.Namespace, console: Console, choose: Callable[[Facts], deleting.DeleteRequest]) -> int:
    def read(connection: Connection, vm_uuid: str) -> Facts:
        return deleting.read_delete_facts(connection, vm_uuid, choose)

    show = partial(_show_deleted, console)
    return _change(options, console, lambda facts: deleting.plan(facts, choose(facts)), show, read)


def _show_deleted(console: Console, facts: Facts, outcome: Outcome) -> None:
    names = ", ".join(f"“{name}”" for name in outcome.deleted)
    record = {"vm": vm_record(facts.vm), "deleted": list(outcome.deleted)}
    console.result(record, f"Deleted {names} of {facts.vm.name}.")


def undo(options: argparse.Namespace, console: Console) -> int:
    """``snapgui undo VM``."""

    def show(facts: Facts, outcome: Outcome) -> None:
        record = {"vm": vm_record(facts.vm), "undone": list(outcome.deleted)}
        console.result(record, f"Undid the revert of {facts.vm.name}: {outcome.text}.")

    history = History()
    try:
        return _change(options, console, lambda facts: undoing.plan(facts, undoing.undoable(facts, history)), show)
    finally:
        history.close()


def clone(options: argparse.Namespace, console: Console) -> int:
    """``snapgui clone VM[@SNAPSHOT] NEWNAME``."""
    full = True if options.full or options.with_snapshots else False if options.linked else None
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(open_connection(options))
        target = stack.enter_context(Connection(options.to)) if options.to else None
        vm_uuid, snapshot = connection.find_with_snapshot(options.vm)
        facts = read_facts(connection, vm_uuid)
        around = read_surroundings(connection, facts, options.pool or "", target)
        request = cloning.CloneRequest(
            options.name or " ",
            snapshot,
            full,
            start=options.start,
            connected=not options.no_network,
            with_snapshots=options.with_snapshots,
            keep_host_devices=options.keep_host_devices,
        )
        plan = cloning.plan(facts, around, request)

        def show(facts: Facts, outcome: Outcome) -> None:
            record = clone_record(target or connection, plan, outcome)
            console.result(record, f"Cloned {facts.vm.name} as {options.name.strip()}: {outcome.text}.")
            for note in plan.notes[-1:]:
                console.say(f"snapgui: hint: {note}")

        return carry_out(options, console, connection, facts, plan, show)


def clone_record(connection: Connection, plan: Plan, outcome: Outcome) -> dict[str, object]:
    """Return what was made: a contract that users' scripts depend on. A linked clone has copied nothing."""
    copies = next(step.copies for step in plan.steps if step.verb is Verb.DEFINE)
    linked = any(step.road is Road.LAYER for step in plan.steps if step.verb is Verb.COPY)
    vm = inventory.read_vm(connection, outcome.clone_uuid)
    copied = 0 if linked else statistics.allocated(connection, [copy.file for copy in copies])
    return {
        "vm": vm_record(vm),
        "linked": linked,
        "disks": [
            {"target": copy.target, "source": copy.source, "base": copy.source if linked else None, "file": copy.file}
            for copy in copies
        ],
        "copied_bytes": copied,
        "seconds": round(outcome.elapsed_s, 3),
    }


def flatten(options: argparse.Namespace, console: Console) -> int:
    """``snapgui flatten VM``."""

    def show(facts: Facts, outcome: Outcome) -> None:
        console.result({"vm": vm_record(facts.vm)}, f"{facts.vm.name} depends on no other image now: {outcome.text}.")

    return _change(options, console, flattening.plan, show)


def remove(options: argparse.Namespace, console: Console) -> int:
    """``snapgui remove VM``."""
    request = removing.RemoveRequest(options.with_storage)

    def show(facts: Facts, outcome: Outcome) -> None:
        record = {"vm": vm_record(facts.vm), "removed": list(outcome.files)}
        count = len(outcome.files)
        files = "" if not count else " and 1 file" if count == 1 else f" and {count} files"
        console.result(record, f"Removed {facts.vm.name}{files}.")

    return _change(options, console, lambda facts: removing.plan(facts, request), show)


def doctor(options: argparse.Namespace, console: Console) -> int:
    """``snapgui doctor VM``."""
    if options.fix is not None:
        return _mend(options, console)
    with open_connection(options) as connection:
        findings = examine(read_facts(connection, connection.find(options.vm)))
    console.result({"findings": [finding_record(finding) for finding in findings]}, findings_text(findings))
    return DONE


def _mend(options: argparse.Namespace, console: Console) -> int:
    """``snapgui doctor VM --fix REMEDY``."""
    remedy = Remedy(options.fix)

    def show(facts: Facts, outcome: Outcome) -> None:
        record = {"vm": vm_record(facts.vm), "fixed": remedy.value}
        console.result(record, f"Done: {remedy.value} of {facts.vm.name}, {outcome.text}.")

    return _change(options, console, lambda facts: mending.plan(facts, remedy), show)


def prune(options: argparse.Namespace, console: Console) -> int:
    """``snapgui prune VM``."""
    return _delete(options, console, lambda facts: prune_request(facts, options.keep))


def demo(options: argparse.Namespace, console: Console) -> int:
    """``snapgui demo``."""
    from snapgui.demo.demonstration import run_demo  # noqa: PLC0415 - no other verb needs it

    return run_demo(None if options.tour is None else Path(options.tour), clean=options.clean, say=console.say)


def open_connection(options: argparse.Namespace) -> Connection:
    """Connect to the hypervisor that was asked for."""
    return Connection(options.connect or default_uri())


def _change(
    options: argparse.Namespace,
    console: Console,
    make_plan: Callable[[Facts], Plan],
    show: Callable[[Facts, Outcome], None],
    read: Callable[[Connection, str], Facts] = read_facts,
) -> int:
    with open_connection(options) as connection:
        facts = read(connection, connection.find(options.vm))
        plan = make_plan(facts)
        if getattr(options, "flatten_clones", False) and (clones := clones_to_flatten(connection, plan)):
            if options.dry_run:
                return DONE if show_plans(connection, plan, clones, console) else FAILED
            flatten_clones(connection, plan, clones, lambda first, of: run_patiently(first, of, connection, console))
            facts = read(connection, facts.vm.uuid)
            plan = make_plan(facts)
        return carry_out(options, console, connection, facts, plan, show)


def carry_out(
    options: argparse.Namespace,
    console: Console,
    connection: Connection,
    facts: Facts,
    plan: Plan,
    show: Callable[[Facts, Outcome], None],
) -> int:
    """Print the plan where only that is wanted, else run it and show what came of it; return the exit status."""
    if getattr(options, "dry_run", False):
        console.result(plan_record(plan), plan_text(plan))
        return FAILED if plan.blockers else DONE
    if plan.blockers:
        console.hint(plan.blockers[0])
        raise Refused(plan.blockers[0].text)
    console.warnings(plan)
    show(facts, run_patiently(plan, facts, connection, console))
    return DONE


def run_patiently(plan: Plan, facts: Facts, connection: Connection, console: Console) -> Outcome:
    """Run in a second thread, so that Ctrl-C is heard: it cancels what can be cancelled, and waits for the rest."""
    history = History()
    interruption = console.interruption
    interruption.begin_change()
    try:
        with ThreadPoolExecutor(1, "change") as pool:
            future = pool.submit(run, plan, facts, connection, history, console.progress, interruption.cancel)
            try:
                return _wait(future, interruption, plan, console)
            finally:
                console.done()
    finally:
        history.close()


def _wait(future: "Future[Outcome]", interruption: Interruption, plan: Plan, console: Console) -> Outcome:
    heard = 0
    while True:
        done, _ = wait([future], _POLL_S)
        if done:
            return future.result()
        while heard < interruption.times:
            heard += 1
            if not plan.cancellable:
                console.say("snapgui: this step cannot be cancelled; waiting for it to end safely.")


def _snapshot(outcome: Outcome) -> Snapshot:
    if outcome.snapshot is None:
        raise Broken(QT_TRANSLATE_NOOP("errors", "The snapshot could not be read back."))
    return outcome.snapshot


def _experience(facts: Facts) -> Experience:
    history = History()
    try:
        return history.experience(facts.uri)
    finally:
        history.close()


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
