"""Carry out what the doctor proposes: an operation like every other, with a plan and an entry in the history."""

from snapgui.hypervisor import inventory, nvram
from snapgui.model.errors import Refused
from snapgui.model.plan import Operation, Plan, Remedy, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.choice import UEFI_INTERNAL
from snapgui.operations.doctor import own_base_findings, refuse, written_base_findings
from snapgui.operations.facts import Facts, read_facts
from snapgui.operations.task import Task


def plan(facts: Facts, remedy: Remedy) -> Plan:
    """Return what a remedy means here; raise Refused where it does not apply."""
    if (why := _why_not(facts, remedy)) is not None:
        raise Refused(why.format(vm=facts.vm.name))
    step = _step(facts, remedy)
    return Plan(
        operation=Operation.MEND,
        vm_uuid=facts.vm.uuid,
        vm_name=facts.vm.name,
        title=step.text,
        steps=(step,),
        losses=_losses(remedy),
        findings=tuple(written_base_findings(facts)) if remedy is Remedy.START else (),
        notes=_notes(facts, remedy),
    )


def _why_not(facts: Facts, remedy: Remedy) -> Text | None:
    if facts.vm.state.active:
        return QT_TRANSLATE_NOOP("errors", "{vm} is running; this can be done only while it is off.")
    if remedy is Remedy.START:
        refuse(own_base_findings(facts))
    if remedy is Remedy.DISCARD_SAVED_STATE and not facts.managed_save:
        return QT_TRANSLATE_NOOP("errors", "{vm} has no saved state that could be discarded.")
    if remedy is not Remedy.NVRAM_TO_QCOW2:
        return None
    if facts.machine.firmware != "uefi" or not facts.machine.nvram:
        return QT_TRANSLATE_NOOP("errors", "{vm} has no file with UEFI variables.")
    if facts.machine.nvram_format == "qcow2":
        return QT_TRANSLATE_NOOP("errors", "The UEFI variables of {vm} are in a qcow2 file already.")
    if facts.capabilities.libvirt < UEFI_INTERNAL:
        return QT_TRANSLATE_NOOP("errors", "This libvirt cannot use UEFI variables in a qcow2 file for snapshots.")
    if facts.managed_save:
        return QT_TRANSLATE_NOOP("errors", "{vm} sleeps in a saved state; start it, or discard that, first.")
    return None


def _step(facts: Facts, remedy: Remedy) -> Step:
    vm = facts.vm.name
    if remedy is Remedy.START:
        asleep = QT_TRANSLATE_NOOP("plan", "Wake the VM from its saved state")
        start = QT_TRANSLATE_NOOP("plan", "Start the VM")
        return Step(Verb.START, asleep if facts.managed_save else start, phases=(Phase.START,), virsh=("start", vm))
    if remedy is Remedy.DISCARD_SAVED_STATE:
        discard = QT_TRANSLATE_NOOP("plan", "Discard the saved state")
        return Step(Verb.DISCARD, discard, phases=(Phase.RECORD,), virsh=("managedsave-remove", vm))
    convert = QT_TRANSLATE_NOOP("plan", "Copy the UEFI variables into a qcow2 file, and let the VM use that")
    return Step(Verb.CONVERT_NVRAM, convert, phases=(Phase.RECORD,), virsh=("edit", vm))


def _losses(remedy: Remedy) -> tuple[Text, ...]:
    if remedy is not Remedy.DISCARD_SAVED_STATE:
        return ()
    lost = QT_TRANSLATE_NOOP("plan", "The memory of the sleeping guest will be lost, as by a power cut.")
    return (lost,)


def _notes(facts: Facts, remedy: Remedy) -> tuple[Text, ...]:
    if remedy is not Remedy.NVRAM_TO_QCOW2:
        return ()
    new = QT_TRANSLATE_NOOP("plan", "New file: {path}").format(path=nvram.qcow2_path(facts.machine.nvram))
    kept = QT_TRANSLATE_NOOP("plan", "The old file stays: {path}").format(path=facts.machine.nvram)
    return (new, kept)


def start(step: Step, task: Task) -> None:
    """Start the VM, if nothing has come to be based on its images since it was planned."""
    fresh = read_facts(task.connection, task.vm_uuid)
    refuse((*own_base_findings(fresh), *written_base_findings(fresh)))
    task.report_phase(step, Phase.START)
    inventory.start(task.connection, task.vm_uuid)


def discard(step: Step, task: Task) -> None:
    """Discard the saved state."""
    task.report_phase(step, Phase.RECORD)
    inventory.discard_saved_state(task.connection, task.vm_uuid)


def convert_nvram(step: Step, task: Task) -> None:
    """Copy the UEFI variables into a qcow2 file, and let the VM use that."""
    task.report_phase(step, Phase.RECORD)
    nvram.use_qcow2(task.connection, task.vm_uuid)
