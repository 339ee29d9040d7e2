"""From a wish to a finished job: read the facts, show the plan, run it, say what came of it."""

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from snapgui.hypervisor import inventory
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Cancelled, Gone, Refused, Risky, SnapguiError, Unavailable
from snapgui.model.plan import Operation, Plan, Remedy, Verb
from snapgui.model.progress import Progress
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations import delete, edit, leftover_removal, undo
from snapgui.operations.delete import DeleteRequest
from snapgui.operations.edit import EditRequest
from snapgui.operations.facts import Facts, read_facts
from snapgui.operations.history import Experience, History, Past
from snapgui.operations.leftovers import Leftover, find_leftovers, look_again
from snapgui.operations.outcome import Outcome
from snapgui.operations.pipeline import run
from snapgui.operations.safety import prune_request, surplus
from snapgui.operations.surroundings import Surroundings
from snapgui.ui.bridge import Bridge
from snapgui.ui.clone_dialog import CloneDialog, plan_at_once
from snapgui.ui.clone_look import CloneLook, look, look_around
from snapgui.ui.host import Host
from snapgui.ui.jobs import Job, JobsModel, JobState, commands_of, job_of
from snapgui.ui.leftover_dialog import LeftoverDialog
from snapgui.ui.plan_dialogs import DeleteDialog, MendDialog, PlanDialog, RevertDialog, TakeDialog, UndoDialog
from snapgui.ui.protection_dialogs import IndependenceDialog, RemoveDialog
from snapgui.ui.vm_list import host_title
from snapgui.ui.wording import tr, words

GRACE_S = 10
"""Seconds in which a deletion that was agreed to can still be taken back."""
_GRACED = {Operation.DELETE, Operation.REMOVE}


@dataclass(frozen=True, slots=True)
class Deferred:
    """A plan that begins after some seconds, unless the user takes it back."""

    seconds: int
    plan: Plan
    begin: Callable[[], object]


class Flows(QObject):
    """``failed`` carries an error to show; ``progressed`` and ``ended`` a job; ``deferred`` what waits for a while."""

    failed = Signal(object)
    progressed = Signal(object)
    deferred = Signal(object)
    ended = Signal(object)

    def __init__(self, bridge: Bridge, jobs: JobsModel, history: History, window: QWidget) -> None:
        super().__init__(window)
        self._bridge, self._jobs, self._history, self._window = bridge, jobs, history, window
        self._hosts: dict[int, Host] = {}
        self._then: dict[int, Callable[[], object]] = {}
        self._waiting: dict[int, PlanDialog] = {}
        self.grace_s = GRACE_S

    def take(self, host: Host, vm_uuid: str) -> None:
        """Ask for a name, then take a snapshot."""
        history = self._history

        def known(connection: Connection) -> tuple[Facts, Experience]:
            return read_facts(connection, vm_uuid), history.experience(connection.uri)

        def planned(found: tuple[Facts, Experience]) -> None:
            self._open(host, TakeDialog(*found, self._window))

        host.ask(known, self, planned, lambda error: self._fail(host, error))

    def revert(self, host: Host, vm_uuid: str, name: str) -> None:
        """Show what going back means, then do it."""
        self.ask(host, vm_uuid, lambda facts: RevertDialog(facts, name, self._window))

    def delete(self, host: Host, vm_uuid: str, request: DeleteRequest) -> None:
        """Show what will be lost, then delete."""
        self._ask_to_delete(host, vm_uuid, lambda _facts: request)

    def remove(self, host: Host, vm_uuid: str) -> None:
        """Show what will be lost with a VM, then remove it."""
        self.ask(host, vm_uuid, lambda facts: RemoveDialog(facts, self._window))

    def prune(self, host: Host, vm_uuid: str, keep: int, *, by_itself: bool = False) -> None:
        """Delete the safety snapshots beyond the latest ``keep``; ``by_itself`` without a dialog, after the grace."""
        if not by_itself:
            self._ask_to_delete(host, vm_uuid, lambda facts: prune_request(facts, keep))
            return

        def planned(facts: Facts) -> None:
            old = surplus(facts, keep)
            if old and not (plan := delete.plan(facts, DeleteRequest(old))).blockers:
                self._agreed(host, plan, facts)

        self._read(host, vm_uuid, planned)

    def undo(self, host: Host, vm_uuid: str) -> None:
        """Show what undoing the last revert means, then do it."""
        history = self._history

        def known(connection: Connection) -> tuple[Facts, Past | None]:
            facts = read_facts(connection, vm_uuid)
            return facts, undo.undoable(facts, history)

        def planned(found: tuple[Facts, Past | None]) -> None:
            try:
                self._open(host, UndoDialog(*found, self._window))
            except SnapguiError as error:
                self._fail(host, error)

        host.ask(known, self, planned, lambda error: self._fail(host, error))

    def edit(self, host: Host, vm_uuid: str, request: EditRequest) -> None:
        """Change title or description at once."""

        def planned(facts: Facts) -> None:
            try:
                self.start(host, edit.plan(facts, request), facts)
            except SnapguiError as error:
                self._fail(host, error)

        self._read(host, vm_uuid, planned)

    def clone(
        self, host: Host, vm_uuid: str, snapshot: str | None, target_host: Host | None = None, *, at_once: bool = False
    ) -> None:
        """Ask what the clone of a snapshot (None: of the current state) shall be, then make it.

        ``target_host``: another hypervisor that it goes to. ``at_once``: without asking, where nothing is against it.
        """
        target = None if target_host is None else target_host.connection
        if target_host is not None and target is None:
            self._fail(host, _no_connection())
            return

        def looked(found: CloneLook) -> None:
            plan = plan_at_once(found, snapshot) if at_once else None
            if plan is not None:
                self.start(host, plan, found.facts)
                return
            try:
                where = "" if target_host is None else host_title(target_host)
                dialog = CloneDialog(found, snapshot, self._window, where)
            except SnapguiError as error:
                self._fail(host, error)
                return
            dialog.look_wanted.connect(lambda pool: self._look_around(host, dialog, pool, target))
            self._open(host, dialog)

        host.ask(
            lambda connection: look(connection, vm_uuid, target), self, looked, lambda error: self._fail(host, error)
        )

    def _look_around(self, host: Host, dialog: CloneDialog, pool: str, target: Connection | None) -> None:
        facts = dialog.facts

        def found(around: Surroundings) -> None:
            dialog.show_around(pool, around)

        def failed(error: SnapguiError) -> None:
            dialog.leave_pool(pool)
            self._fail(host, error)

        host.ask(lambda connection: look_around(connection, facts, pool, target), dialog, found, failed)

    def flatten(self, host: Host, vm_uuid: str) -> None:
        """Show what it means to make a VM independent of the images below its own, then do it."""
        self.ask(host, vm_uuid, lambda facts: IndependenceDialog(facts, self._window))

    def start(self, host: Host, plan: Plan, facts: Facts) -> Job:
        """Run a plan in the VM's lane."""
        job = job_of(plan, facts, host.uri)
        connection = host.connection
        self._hosts[id(job)] = host
        self._jobs.add(job)
        self.progressed.emit(job)
        history, cancel, finish = self._history, job.cancel, job.finish
        if connection is None:
            self._end(job, None, host.error)
            return job

        def work(post: Callable[[object], None]) -> Outcome:
            with connection.apart() as own:
                return run(plan, facts, own, history, post, cancel, finish)

        self._bridge.run(
            lambda worker: host.lanes.change(plan.vm_uuid, worker),
            work,
            self,
            lambda outcome: self._end(job, outcome, None),
            lambda error: self._end(job, None, error),
            lambda progress: self._progress(job, progress),
        )
        return job

    def cancel(self, job: Job) -> None:
        """Call a job off as soon as that can be done cleanly."""
        job.cancel.set()
        self._show_waiting(job)
        self.progressed.emit(job)

    def resume(self, host: Host, job: Job) -> None:
        """Let a guest run on that an interrupted save left standing."""

        def work(connection: Connection) -> None:
            inventory.resume(connection, job.vm_uuid)

        host.ask(work, self, lambda _nothing: self._resumed(job), lambda error: self._fail(host, error))

    def look_for_leftovers(self, host: Host) -> None:
        """Find jobs that a killed process left half done, and say what became of them."""
        history = self._history
        host.ask(
            lambda connection: find_leftovers(connection, history),
            self,
            lambda found: self._show_leftovers(host, found),
            lambda error: self._fail(host, error),
        )

    def remove_leftovers(self, host: Host, job: Job) -> None:
        """Show which files of an interrupted job would be removed, then remove them; its row says what came of it."""
        leftover, history = job.leftover, self._history
        if leftover is None:
            return

        def known(connection: Connection) -> tuple[Facts, Leftover]:
            now = look_again(connection, history, leftover)
            return leftover_removal.facts(connection, now), now

        def begin(plan: Plan, facts: Facts) -> None:
            removing = self.start(host, plan, facts)
            self._then[id(removing)] = lambda: self._removed(job, removing)

        def planned(found: tuple[Facts, Leftover]) -> None:
            if not found[1].remains.removable:
                self._jobs.settle(job, tr("nothing is left of it any more"))
                return
            dialog = LeftoverDialog(*found, self._window)
            dialog.agreed.connect(begin)
            dialog.open()

        host.ask(known, self, planned, lambda error: self._fail(host, error))

    def copy_commands(self, job: Job) -> None:
        """Put the equivalent ``virsh`` commands into the clipboard."""
        QGuiApplication.clipboard().setText("\n".join(job.commands))

    def _ask_to_delete(self, host: Host, vm_uuid: str, choose: Callable[[Facts], DeleteRequest]) -> None:
        host.ask(
            lambda connection: delete.read_delete_facts(connection, vm_uuid, choose),
            self,
            lambda facts: self._open_made(host, facts, lambda facts: DeleteDialog(facts, choose(facts), self._window)),
            lambda error: self._fail(host, error),
        )

    def ask(self, host: Host, vm_uuid: str, make: Callable[[Facts], PlanDialog]) -> None:
        """Show the dialog that is made of the facts about a VM, then do what it plans."""
        self._read(host, vm_uuid, lambda facts: self._open_made(host, facts, make))

    def _open_made(self, host: Host, facts: Facts, make: Callable[[Facts], PlanDialog]) -> None:
        try:
            dialog = make(facts)
        except (SnapguiError, KeyError) as error:
            self._fail(host, error if isinstance(error, SnapguiError) else _gone())
            return
        self._open(host, dialog)

    def _open(self, host: Host, dialog: PlanDialog) -> None:
        self._connect(host, dialog)
        dialog.agreed.connect(lambda plan, facts: self._agreed(host, plan, facts))
        dialog.open()

    def _connect(self, host: Host, dialog: PlanDialog) -> None:
        dialog.waiting.cancelled.connect(self.cancel)
        dialog.mend_wanted.connect(lambda remedy: self._mend(host, dialog, remedy))
        dialog.independence_wanted.connect(lambda clone: self._make_independent(host, dialog, clone))

    def _agreed(self, host: Host, plan: Plan, facts: Facts) -> None:
        if plan.operation in _GRACED and self.grace_s > 0:
            self.deferred.emit(Deferred(self.grace_s, plan, lambda: self.start(host, plan, facts)))
        else:
            self.start(host, plan, facts)

    def _mend(self, host: Host, dialog: PlanDialog, remedy: Remedy) -> None:
        """Do what the doctor proposes, then let the dialog look at the VM again."""
        try:
            asking = MendDialog(dialog.facts, remedy, dialog)
        except SnapguiError as error:
            self._fail(host, error)
            return
        self._first(host, dialog, asking)
        asking.open()

    def _make_independent(self, host: Host, dialog: PlanDialog, clone: str) -> None:
        """Flatten what the dialog's plan would destroy, then let the dialog look at the VM again."""

        def planned(facts: Facts) -> None:
            if not isValid(dialog):
                return
            try:
                asking = IndependenceDialog(facts, dialog)
            except SnapguiError as error:
                dialog.complain(error)
                return
            self._first(host, dialog, asking)
            asking.open()

        self._read(host, clone, planned)

    def _first(self, host: Host, dialog: PlanDialog, asking: PlanDialog) -> None:
        """Let ``dialog`` wait for what is asked in another one above it."""

        def again(facts: Facts, job: Job) -> None:
            if isValid(dialog):
                dialog.look_again(facts)
                if job.error is not None:
                    dialog.complain(job.error)

        def begin(plan: Plan, facts: Facts) -> None:
            job = self.start(host, plan, facts)
            self._waiting[id(job)] = dialog
            self._then[id(job)] = lambda: self._read(host, vm_uuid, lambda found: again(found, job))
            self._show_waiting(job)

        vm_uuid = dialog.facts.vm.uuid
        self._connect(host, asking)
        asking.agreed.connect(begin)

    def _show_waiting(self, job: Job) -> None:
        dialog = self._waiting.get(id(job))
        if dialog is not None and isValid(dialog):
            dialog.waiting.show_job(job)

    def _insist(self, host: Host, vm_uuid: str, plan: Plan, risk: str) -> None:
        """Show what libvirt said against a revert, and do it as it was asked for if the user insists."""
        step = next(step for step in plan.steps if step.verb is Verb.REVERT)
        self.ask(host, vm_uuid, lambda facts: RevertDialog(facts, step.snapshot, self._window, risk, step))

    def _read(self, host: Host, vm_uuid: str, done: Callable[[Facts], None]) -> None:
        host.ask(lambda connection: read_facts(connection, vm_uuid), self, done, lambda error: self._fail(host, error))

    def _progress(self, job: Job, progress: Progress) -> None:
        self._jobs.begin(job, progress)
        self._show_waiting(job)
        self.progressed.emit(job)

    def _end(self, job: Job, outcome: Outcome | None, error: SnapguiError | None) -> None:
        job.commands = () if job.plan is None else commands_of(job.plan)
        self._jobs.end(job, outcome, error)
        self._show_waiting(job)
        self._waiting.pop(id(job), None)
        host = self._hosts.pop(id(job), None)
        self.progressed.emit(job)
        self.ended.emit(job)
        then = self._then.pop(id(job), None)
        if then is not None:
            then()
        if isinstance(error, Risky) and host is not None and job.plan is not None:
            self._insist(host, job.vm_uuid, job.plan, words(error.text))
        elif error is not None and host is not None:
            self._fail(host, error)

    def _fail(self, host: Host, error: SnapguiError) -> None:
        if isinstance(error, Unavailable):
            host.lost(error)
        if not isinstance(error, Cancelled):  # the user knows; the row says what is true
            self.failed.emit(error)

    def _removed(self, job: Job, removing: Job) -> None:
        if removing.state is JobState.DONE:
            self._jobs.settle(job, tr("what was left of it has been removed"))

    def _resumed(self, job: Job) -> None:
        self._jobs.settle(job, tr("the guest runs on"))
        self.ended.emit(job)

    def _show_leftovers(self, host: Host, found: tuple[Leftover, ...]) -> None:
        for leftover in found:
            job = Job(leftover.title, leftover.vm_name, host.uri, leftover.vm_uuid, state=JobState.INTERRUPTED)
            job.note, job.commands = words(leftover.text), leftover.commands
            job.resumable, job.leftover = leftover.guest_stands_still, leftover
            self._jobs.add(job)


def _no_connection() -> SnapguiError:
    return Refused(QT_TRANSLATE_NOOP("errors", "The other hypervisor is not connected."))


def _gone() -> SnapguiError:
    return Gone(QT_TRANSLATE_NOOP("errors", "The snapshot does not exist any more."))
