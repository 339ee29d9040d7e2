"""Let a guest stand still for a moment, so that its image is whole on the disk, and run on whatever happens.

The intention is written into the history before: where this process is killed in between, the next start finds the
guest paused, says so, and can let it run on (``leftovers``).
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from snapgui.hypervisor import inventory
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Broken, Refused
from snapgui.model.plan import Operation, Plan, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.records import Vm, VmState
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.history import History
from snapgui.operations.lanes import LOOKING_PATIENCE_S, only_one

_STANDS = {VmState.PAUSED}


@dataclass(slots=True)
class Pause:
    """``seconds`` that the guest stood still for this; 0 where it did so already, or is off.

    ``left``: nobody could let it run on, because the hypervisor does not answer; then the intention has to stay.
    """

    seconds: float = 0.0
    left: bool = False


@contextlib.contextmanager
def standing_still(connection: Connection, vm_uuid: str, history: History) -> Iterator[Pause]:
    """Lend a guest that does not run. Raises Busy, Refused, or Broken where it went on in between."""
    pause = Pause()
    with only_one(vm_uuid, LOOKING_PATIENCE_S):  # a guest that another look has stopped would go on too early
        vm = inventory.read_vm(connection, vm_uuid)
        if not vm.state.active or vm.state in _STANDS:
            with stopped(connection, vm, pause):
                yield pause
            return
        job = history.begin(connection.uri, _plan(vm))
        history.begin_step(job, 1, pause_step(vm))
        try:
            with stopped(connection, vm, pause):
                yield pause
        finally:
            if not pause.left:
                history.end_step(job, 1, "done")
                history.end(job, "done", f"guest stood still {pause.seconds:.2f} s", seconds=pause.seconds)


@contextlib.contextmanager
def stopped(connection: Connection, vm: Vm, pause: Pause) -> Iterator[None]:
    """Stop a guest meanwhile, unless it stands still or is off; for who holds the VM and has written the intention.

    Raises Refused, or Broken where it went on in between.
    """
    if not vm.state.active or vm.state in _STANDS:
        yield
        if inventory.read_vm(connection, vm.uuid).state is not vm.state:
            raise _went_on(vm)
        return
    began = time.monotonic()
    try:
        inventory.suspend(connection, vm.uuid)
        if inventory.read_vm(connection, vm.uuid).state not in _STANDS:
            text = QT_TRANSLATE_NOOP("errors", "{vm} could not be made to stand still for a moment.")
            raise Refused(text.format(vm=vm.name))
        yield
        if inventory.read_vm(connection, vm.uuid).state not in _STANDS:
            raise _went_on(vm)
    finally:
        pause.left = True
        with contextlib.suppress(Refused):  # somebody else let it run on
            inventory.resume(connection, vm.uuid)
        pause.left = False
        pause.seconds = time.monotonic() - began


def pause_step(vm: Vm) -> Step:
    """Return the pause as the history writes it."""
    text = QT_TRANSLATE_NOOP("plan", "Let {vm} stand still for a moment").format(vm=vm.name)
    return Step(Verb.PAUSE, text, phases=(Phase.PAUSE, Phase.RESUME), virsh=("suspend", vm.name))


def _went_on(vm: Vm) -> Broken:
    text = QT_TRANSLATE_NOOP("errors", "{vm} ran on while its image was looked at; look again.")
    return Broken(text.format(vm=vm.name))


def _plan(vm: Vm) -> Plan:
    title = QT_TRANSLATE_NOOP("plan", "Look at the disks of {vm}").format(vm=vm.name)
    return Plan(Operation.COMPARE, vm.uuid, vm.name, title, (pause_step(vm),))
